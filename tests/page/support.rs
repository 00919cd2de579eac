//! What the tests share: a site that serves the HTML of the test, a browser with one page on it, short forms of the verbs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rhaven::base::Deadline;
use rhaven::browser::{Browser, Context, ContextOptions, LaunchOptions, TargetEvent, TargetEvents};
use rhaven::page::{
    ActionOptions, CallLog, ClickOptions, GotoOptions, Locator, Page, Selector, TypeOptions, VerbError,
};

/// Nothing here takes longer unless it hangs.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// A deadline that is meant to pass.
pub fn short() -> Deadline {
    Deadline::after(Duration::from_millis(400))
}

/// Pages by path; a few paths do what real servers do.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<HashMap<String, String>>>);

/// A page on a site of its own. Ends with [`Stage::end`], which looks whether anything is left.
pub struct Stage {
    pub page: Page,
    _context: Context,
    pub targets: TargetEvents,
    browser: Browser,
    pages: Pages,
    pub port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// A browser, its page showing `html`.
    pub async fn with(html: &str) -> Self {
        let stage = Self::empty().await;
        stage.serve("/", html);
        stage.goto("/").await;
        stage
    }

    /// A browser with a blank page.
    pub async fn empty() -> Self {
        Self::launched(&LaunchOptions::default()).await
    }

    /// As [`Self::empty`], with each site in a process of its own, however small the machine.
    pub async fn isolated() -> Self {
        Self::launched(&LaunchOptions { args: vec!["--site-per-process".to_owned()], ..LaunchOptions::default() }).await
    }

    async fn launched(options: &LaunchOptions) -> Self {
        let pages = Pages::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).with_state(pages.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let browser = Browser::launch(options).await.unwrap_or_else(|error| {
            panic!("{error}\nThe page tests need Chromium: apt-get install -y chromium-headless-shell")
        });
        let context = browser.new_context(&ContextOptions::default()).await.unwrap();
        let mut targets = context.targets();
        context.new_target().await.unwrap();
        let page = next_page(&mut targets).await;
        Self { page, _context: context, targets, browser, pages, port, server }
    }

    pub fn serve(&self, path: &str, html: &str) {
        // Tests write `OTHER` for the same server under another site's name.
        let html = html.replace("OTHER", &format!("http://localhost:{}", self.port));
        self.pages.0.lock().unwrap().insert(path.to_owned(), html);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub async fn goto(&self, path: &str) {
        self.page.goto(&self.url(path), &GotoOptions::default(), soon()).await.unwrap();
    }

    pub fn find(&self, selector: &str) -> Locator {
        self.page.locator(&Selector::parse(selector).unwrap())
    }

    pub async fn click(&self, selector: &str) {
        let clicked = self.find(selector).click(&ClickOptions::default(), soon()).await;
        clicked.unwrap_or_else(|error| panic!("click({selector:?}): {error}\n{}", told(&error.log)));
    }

    /// A click that is meant to fail within a short while.
    pub async fn click_fails(&self, selector: &str) -> Box<VerbError> {
        self.find(selector).click(&ClickOptions::default(), short()).await.expect_err("the click went through")
    }

    pub async fn fill(&self, selector: &str, value: &str) {
        let filled = self.find(selector).fill(&value.into(), &ActionOptions::default(), soon()).await;
        filled.unwrap_or_else(|error| panic!("fill({selector:?}): {error}\n{}", told(&error.log)));
    }

    pub async fn type_text(&self, selector: &str, value: &str) {
        let typed = self.find(selector).type_text(&value.into(), &TypeOptions::default(), soon()).await;
        typed.unwrap_or_else(|error| panic!("type({selector:?}): {error}\n{}", told(&error.log)));
    }

    pub async fn value(&self, selector: &str) -> String {
        self.find(selector).input_value(soon()).await.unwrap()
    }

    pub async fn text(&self, selector: &str) -> String {
        let read = self.find(selector).text_content(soon()).await;
        read.unwrap_or_else(|error| panic!("text_content({selector:?}): {error}\n{}", told(&error.log)))
    }

    pub async fn eval(&self, expression: &str) -> serde_json::Value {
        self.page.main_frame().evaluate(expression, None, soon()).await.unwrap()
    }

    /// The text of `#out`, where the tests' pages write what happened to them.
    pub async fn out(&self) -> String {
        self.text("#out").await
    }

    /// Ends the browser; nothing of it may be left.
    pub async fn end(self) {
        let (pid, dir) = (self.browser.pid().unwrap(), self.browser.user_data_dir().unwrap());
        self.browser.close(soon()).await;
        self.server.abort();
        assert_eq!(living_in_group(pid), Vec::<u32>::new(), "processes of the browser live");
        assert!(!dir.exists(), "{} is left", dir.display());
    }
}

/// The next tab or popup, attached.
pub async fn next_page(targets: &mut TargetEvents) -> Page {
    loop {
        match soon().race(targets.next()).await.expect("no page came in time") {
            Some(TargetEvent::Attached(target)) => return Page::attach(target).await.unwrap(),
            Some(_) => {}
            None => panic!("the context has gone"),
        }
    }
}

/// The lines of a call log, for messages and comparisons.
pub fn told(log: &CallLog) -> String {
    log.lines().map(|(line, times)| format!("{line} (x{times})")).collect::<Vec<_>>().join("\n")
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
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/204" => return StatusCode::NO_CONTENT.into_response(),
        "/never" => return std::future::pending().await,
        "/download" => {
            let headers = [(header::CONTENT_DISPOSITION, "attachment; filename=a.bin")];
            return (headers, "bytes").into_response();
        }
        "/redirect" => return axum::response::Redirect::to(&query).into_response(),
        _ => {}
    }
    let html = pages.0.lock().unwrap().get(&path).cloned();
    let (status, html) =
        html.map_or((StatusCode::NOT_FOUND, "<p>not found</p>".to_owned()), |html| (StatusCode::OK, html));
    if let Some(ms) = query.strip_prefix("late=") {
        // The server that takes its time is what such a test is about.
        let _ = tokio::time::timeout(Duration::from_millis(ms.parse().unwrap()), std::future::pending::<()>()).await;
    }
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}
