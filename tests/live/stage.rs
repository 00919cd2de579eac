//! What the tests share: a site that serves the HTML of the test, a live session on it, and people who look on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use rhaven::base::{Deadline, SessionId, Tenant};
use rhaven::browser::{Flavor, LaunchOptions};
use rhaven::live::wire::{FrameHead, FromViewer, Role, ToViewer};
use rhaven::live::{Live, LiveOptions, Sent, Viewer};
use rhaven::page::{GotoOptions, Page};
use rhaven::session::{
    KeySource, LeaseTimes, Saving, SessionOptions, SessionOutcome, StoreConfig, Workspace, WorkspaceConfig,
};
use serde_json::{Value, json};

/// Nothing here takes longer unless it hangs.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

type Pages = Arc<Mutex<HashMap<String, String>>>;

/// A live session on a site of its own. Ends with [`Stage::end`], which looks whether anything is left.
pub struct Stage {
    pub live: Live,
    pub page: Page,
    workspace: Workspace,
    home: tempfile::TempDir,
    pages: Pages,
    port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// A live browser whose page shows `html`. It keeps nothing.
    pub async fn with(html: &str) -> Self {
        Self::of(html, false, LiveOptions::default()).await
    }

    /// The same with `options`, but for its size.
    pub async fn with_options(html: &str, options: LiveOptions) -> Self {
        Self::of(html, false, options).await
    }

    /// The same with a profile that is kept.
    pub async fn with_profile(html: &str) -> Self {
        Self::of(html, true, LiveOptions::default()).await
    }

    async fn of(html: &str, is_kept: bool, options: LiveOptions) -> Self {
        let pages = Pages::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).with_state(pages.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let home = tempfile::tempdir().unwrap();
        let args = vec!["--site-per-process".to_owned()];
        let workspace = Workspace::new(WorkspaceConfig {
            tenant: Tenant::default(),
            store: StoreConfig::Embedded(home.path().join("store")),
            key: KeySource::MadeOnFirstUse(home.path().join("key")),
            launch: LaunchOptions { flavor: Flavor::Full, args, ..LaunchOptions::default() },
            holder: "rhaven test".into(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        });
        let session = if is_kept {
            let options = SessionOptions { profile: Some(true), ..SessionOptions::default() };
            workspace.session(&SessionId::new("kept").unwrap(), &options).await.unwrap()
        } else {
            workspace.current().await.unwrap()
        };
        let page = session.page().await.unwrap();
        let options = LiveOptions { width: 800, height: 600, ..options };
        let live = Live::over(session, options).await.unwrap();
        let stage = Self { live, page, workspace, home, pages, port, server };
        stage.serve("/", html);
        stage.page.goto(&stage.url("/"), &GotoOptions::default(), soon()).await.unwrap();
        stage
    }

    /// Serves a page; `OTHER` in it is the same server under another site's name.
    pub fn serve(&self, path: &str, html: &str) {
        let html = html.replace("OTHER", &format!("http://localhost:{}", self.port));
        self.pages.lock().unwrap().insert(path.to_owned(), html);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub async fn eval(&self, expression: &str) -> Value {
        self.page.main_frame().evaluate(expression, None, soon()).await.unwrap()
    }

    /// Waits until the expression is true in the page.
    pub async fn until(&self, expression: &str) {
        let wait =
            format!("async () => {{ while (!({expression})) await new Promise(done => setTimeout(done, 10)); }}");
        loop {
            let waited = self.page.main_frame().evaluate(&wait, None, soon()).await;
            match waited {
                Ok(_) => return,
                // It is on its way to the page that is meant.
                Err(error) if error.to_string().contains("navigated") => {}
                Err(error) => {
                    let log = self.page.main_frame().evaluate("String(window.log)", None, soon()).await;
                    panic!("{expression}: {error}; the page's log: {log:?}");
                }
            }
        }
    }

    /// Where an element is: its middle.
    pub async fn middle(&self, selector: &str) -> (f64, f64) {
        let rect = self
            .eval(&format!("(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector:?}).getBoundingClientRect())"))
            .await;
        (rect[0].as_f64().unwrap(), rect[1].as_f64().unwrap())
    }

    /// Somebody who looks on, and is in control where nobody else is.
    pub fn person(&self) -> Person {
        Person { viewer: self.live.join(Role::Control) }
    }

    /// Ends it all; nothing of it may be left. What became of its session.
    pub async fn end(self) -> Vec<SessionOutcome> {
        let context = self.live.session().context().clone();
        let (pid, folder) = (context.browser().pid().unwrap(), self.live.folder().to_owned());
        self.live.close("ended").await;
        drop((self.live, self.page, context));
        let outcomes = self.workspace.finish(soon()).await;
        drop(self.workspace);
        self.server.abort();
        assert_eq!(living_in_group(pid), Vec::<u32>::new(), "processes of the browser live");
        assert!(!folder.exists(), "{} is left", folder.display());
        drop(self.home);
        outcomes
    }
}

/// Somebody who looks on.
pub struct Person {
    pub viewer: Viewer,
}

impl Person {
    pub fn of(viewer: Viewer) -> Self {
        Self { viewer }
    }

    /// Says something, as the page would over its socket.
    pub fn say(&self, message: Value) {
        let message: FromViewer = serde_json::from_value(message).expect("a message of the protocol");
        self.viewer.take(message);
    }

    /// Says all of these.
    pub fn say_all(&self, messages: impl IntoIterator<Item = Value>) {
        messages.into_iter().for_each(|message| self.say(message));
    }

    /// What comes next, within the time of a test.
    pub async fn next(&self) -> Option<Sent> {
        soon().race(self.viewer.next()).await.expect("nothing came in time")
    }

    /// The first message that `look` finds something in; pictures are acknowledged meanwhile.
    pub async fn told<T>(&self, mut look: impl FnMut(&ToViewer) -> Option<T>) -> T {
        loop {
            match self.next().await {
                Some(Sent::Message(message)) => {
                    if let Some(found) = look(&message) {
                        return found;
                    }
                }
                Some(Sent::Frame(frame)) => self.acknowledge(&frame),
                None => panic!("it ended"),
            }
        }
    }

    /// Whether `look` finds something in what has come already; pictures are acknowledged.
    pub fn was_told(&self, look: impl Fn(&ToViewer) -> bool) -> bool {
        let mut found = false;
        while let Some(Some(sent)) = self.viewer.next().now_or_never() {
            match sent {
                Sent::Message(message) => found |= look(&message),
                Sent::Frame(frame) => self.acknowledge(&frame),
            }
        }
        found
    }

    /// The next picture, not yet acknowledged.
    pub async fn picture(&self) -> axum::body::Bytes {
        loop {
            match self.next().await {
                Some(Sent::Frame(frame)) => return frame,
                Some(Sent::Message(_)) => {}
                None => panic!("it ended"),
            }
        }
    }

    pub fn acknowledge(&self, frame: &[u8]) {
        let (head, _) = FrameHead::of(frame).unwrap();
        self.say(json!({"type": "ack", "frame": head.frame}));
    }

    /// A click in the middle of something.
    pub fn click(&self, at: (f64, f64)) {
        self.mouse("move", at);
        self.mouse("down", at);
        self.mouse("up", at);
    }

    pub fn mouse(&self, kind: &str, (x, y): (f64, f64)) {
        let buttons = u8::from(kind == "down");
        self.say(json!({"type": "mouse", "kind": kind, "x": x, "y": y, "button": 0, "buttons": buttons, "clicks": 1}));
    }

    /// Presses and releases a key.
    pub fn press(&self, key: &str, code: &str, modifiers: u8) {
        for kind in ["down", "up"] {
            self.say(json!({"type": "key", "kind": kind, "key": key, "code": code, "modifiers": modifiers}));
        }
    }
}

/// The folder of the files that a test hands over or gets.
pub fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn living_in_group(group: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        fields[0] != "Z" && fields[0] != "X" && fields[2] == group.to_string()
    })
    .collect()
}

async fn answer(State(pages): State<Pages>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/download" {
        let headers = [(header::CONTENT_DISPOSITION, "attachment; filename=\"a b.txt\"")];
        return (headers, "what was downloaded").into_response();
    }
    if path == "/icon.png" {
        return "\u{89}PNG".chars().map(|c| c as u8).collect::<Vec<_>>().into_response();
    }
    if path == "/never" {
        std::future::pending::<()>().await;
    }
    let html = pages.lock().unwrap().get(path).cloned().unwrap_or_else(|| "<p>nothing here".to_owned());
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}
