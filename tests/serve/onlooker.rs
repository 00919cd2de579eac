//! A person's own Chromium: a page of somebody's site in it, which shows a live browser in a frame. And that site, and the way from
//! there to the server, which can be cut.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use chromiumoxide::types::{Command, Method, MethodId};
use futures_util::{SinkExt, StreamExt};
use rhaven::base::Deadline;
use rhaven::browser::{Browser, Context, ContextOptions, Flavor, LaunchOptions};
use rhaven::page::{ClickOptions, Frame, GotoOptions, Page, Screen, Selector, TypeOptions};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::browser::{living_in_group, tab_in};

/// Nothing here takes longer unless it hangs.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

/// Pages by path, on `localhost`: to a browser another site than the server on 127.0.0.1.
#[derive(Clone)]
pub struct Pages {
    by_path: Arc<Mutex<HashMap<String, String>>>,
    port: u16,
    _stop: Arc<DropGuard>,
}

impl Pages {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, pages, stop) = (
            listener.local_addr().unwrap().port(),
            Arc::<Mutex<HashMap<String, String>>>::default(),
            CancellationToken::new(),
        );
        let app = Router::new().fallback(answer).with_state(pages.clone());
        let serve = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move { serve.await.unwrap() });
        Self { by_path: pages, port, _stop: Arc::new(stop.drop_guard()) }
    }

    /// Serves a page, and answers its address.
    pub fn serve(&self, path: &str, html: &str) -> String {
        self.by_path.lock().unwrap().insert(path.to_owned(), html.to_owned());
        format!("http://localhost:{}{path}", self.port)
    }
}

async fn answer(State(pages): State<Arc<Mutex<HashMap<String, String>>>>, request: Request) -> impl IntoResponse {
    let html = pages.lock().unwrap().get(request.uri().path()).cloned().unwrap_or_else(|| "<p>nothing here".to_owned());
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html)
}

/// A way to a server, which can be cut.
pub struct Way {
    pub address: SocketAddr,
    cut: Arc<Mutex<CancellationToken>>,
    _stop: DropGuard,
}

impl Way {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let cut = Arc::new(Mutex::new(stop.child_token()));
        let (now, stopped) = (cut.clone(), stop.clone());
        let accept = async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let cut = now.lock().unwrap().clone();
                tokio::spawn(cut.run_until_cancelled_owned(async move {
                    if let Ok(mut far) = tokio::net::TcpStream::connect(server).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                }));
            }
        };
        tokio::spawn(stopped.run_until_cancelled_owned(accept));
        Self { address, cut, _stop: stop.drop_guard() }
    }

    /// Ends all that goes through it now; what comes then may.
    pub fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }
}

/// A person's browser. Ends with [`Onlooker::end`], which looks whether anything is left.
pub struct Onlooker {
    browser: Browser,
    context: Context,
}

impl Onlooker {
    pub async fn start() -> Self {
        // As on larger machines: the frame of another site has a process of its own.
        let args = vec!["--site-per-process".to_owned()];
        let options = LaunchOptions { flavor: Flavor::HeadlessShell, args, ..LaunchOptions::default() };
        let browser = Browser::launch(&options).await.unwrap();
        let context = browser.new_context(&ContextOptions::default()).await.unwrap();
        let grant = json!({ "browserContextId": context.id(), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        let window = Self { browser, context };
        window.browser.cdp().call(Ask("Browser.grantPermissions", grant)).await.unwrap();
        window
    }

    /// A window with that page.
    pub async fn open(&self, url: &str) -> Window {
        let target = tab_in(&self.context).await;
        let page = Page::attach(target).await.unwrap();
        let screen = |emulation: &mut rhaven::page::Emulation| {
            emulation.screen = Some(Screen { width: 900, height: 800, scale: 1.0, mobile: false });
        };
        page.emulate(screen, soon()).await.unwrap();
        page.goto(url, &GotoOptions::default(), soon()).await.unwrap();
        Window { page }
    }

    pub async fn end(self) {
        let pid = self.browser.pid().unwrap();
        drop(self.context);
        self.browser.close(soon()).await;
        assert_eq!(living_in_group(pid), Vec::<u32>::new(), "processes of the browser live");
    }
}

/// Any command of the protocol.
pub struct Ask(pub &'static str, pub Value);

impl serde::Serialize for Ask {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.1.serialize(serializer)
    }
}

impl Method for Ask {
    fn identifier(&self) -> MethodId {
        self.0.into()
    }
}

impl Command for Ask {
    type Response = Value;
}

/// A page with a live browser in it.
pub struct Window {
    pub page: Page,
}

impl Window {
    /// The frame that the live page is in; the page itself where it is in none.
    pub async fn live(&self) -> Frame {
        let give_up = soon();
        loop {
            if let Some(frame) = self.page.frames().into_iter().find(|frame| frame.url().contains("/live/")) {
                return frame;
            }
            assert!(!give_up.passed(), "there is no live page");
            self.eval("new Promise(requestAnimationFrame).then(() => 1)").await;
        }
    }

    pub async fn eval(&self, expression: &str) -> Value {
        self.page
            .main_frame()
            .evaluate(expression, None, soon())
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until the expression is true in the live page.
    pub async fn sees(&self, expression: &str) {
        until(&self.live().await, expression).await;
    }

    /// Clicks something of the live page itself.
    pub async fn click(&self, selector: &str) {
        let selector = Selector::parse(selector).unwrap();
        self.live().await.locator(&selector).click(&ClickOptions::default(), soon()).await.unwrap();
    }

    /// Clicks that place of the remote viewport, in the picture.
    pub async fn click_at(&self, (x, y): (f64, f64), remote: (f64, f64)) {
        let frame = self.live().await;
        let size = "(box => [box.width, box.height])(document.getElementById('screen').getBoundingClientRect())";
        let size = frame.evaluate(size, None, soon()).await.unwrap();
        let (width, height) = (size[0].as_f64().unwrap(), size[1].as_f64().unwrap());
        let position = Some((x / remote.0 * width, y / remote.1 * height));
        let selector = Selector::parse("#screen").unwrap();
        frame.locator(&selector).click(&ClickOptions { position, ..ClickOptions::default() }, soon()).await.unwrap();
    }

    /// Makes it so wide, in bright colours or dark ones.
    pub async fn size(&self, width: u32, scheme: &str) {
        let change = |emulation: &mut rhaven::page::Emulation| {
            emulation.screen = Some(Screen { width, height: 800, scale: 1.0, mobile: false });
            emulation.color_scheme = Some(scheme.to_owned());
        };
        self.page.emulate(change, soon()).await.unwrap();
    }

    /// Presses keys, one after the other.
    pub async fn press(&self, keys: &[&str]) {
        for key in keys {
            self.page.keyboard_press(key, &TypeOptions::default(), soon()).await.unwrap();
        }
    }

    /// Types, a key for each letter.
    pub async fn types(&self, text: &str) {
        for letter in text.chars() {
            self.press(&[&letter.to_string()]).await;
        }
    }

    /// Any command on the tab.
    pub async fn ask(&self, method: &'static str, params: Value) {
        self.page.target().cdp().call(Ask(method, params)).await.unwrap_or_else(|error| panic!("{method}: {error}"));
    }
}

/// Waits until the expression is true in a frame.
pub async fn until(frame: &Frame, expression: &str) {
    let wait = format!("async () => {{ while (!({expression})) await new Promise(done => setTimeout(done, 10)); }}");
    if let Err(error) = frame.evaluate(&wait, None, soon()).await {
        let text = frame.evaluate("document.body.innerText", None, soon()).await;
        panic!("{expression}: {error}; the page: {text:?}");
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// The remote pages, seen by their DevTools protocol.
pub struct Remote {
    socket: Socket,
    last: u64,
    /// Sessions of the tabs.
    tabs: Vec<String>,
}

impl Remote {
    pub async fn of(cdp_url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(cdp_url).await.unwrap();
        let mut remote = Self { socket, last: 0, tabs: Vec::new() };
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        remote.ask(None, "Target.setAutoAttach", attach).await;
        remote
    }

    async fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let Some(message) = soon().race(self.socket.next()).await else { panic!("{method} is not answered") };
            let Message::Text(text) = message.unwrap().unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == self.last {
                return message;
            }
            let session = message["params"]["sessionId"].as_str().unwrap_or_default().to_owned();
            match message["method"].as_str() {
                Some("Target.attachedToTarget") if message["params"]["targetInfo"]["type"] == "page" => {
                    self.tabs.push(session);
                }
                Some("Target.detachedFromTarget") => self.tabs.retain(|tab| *tab != session),
                _ => {}
            }
        }
    }

    /// Waits until the expression is true in one of the tabs.
    pub async fn until(&mut self, expression: &str) {
        let give_up = soon();
        let mut said = Vec::new();
        while !give_up.passed() {
            said.clear();
            for tab in self.tabs.clone() {
                // One that is on its way somewhere else, or has gone, is not meant.
                let answer = self
                    .ask(Some(&tab), "Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }))
                    .await;
                if answer["result"]["result"]["value"] == json!(true) {
                    return;
                }
                said.push(answer);
            }
        }
        panic!("{expression}: {said:?}");
    }
}
