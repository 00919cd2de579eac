//! A small site on two hosts, a store in a folder of its own, and runs against them.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use rhaven::base::{Deadline, SessionId, Tenant};
use rhaven::browser::LaunchOptions;
use rhaven::page::{GotoOptions, Page};
use rhaven::session::{
    KeySource, LeaseTimes, Saving, Session, SessionError, SessionOptions, SessionOutcome, Sessions, StoreConfig,
    Workspace, WorkspaceConfig,
};
use serde_json::Value;

/// The page that runs code which its URL does not name: the tests evaluate in it. Its first script tells what it saw.
const PAGE: &str = "<!doctype html><title>page</title><script>
  window.seen = { token: localStorage.getItem('token'), cookie: document.cookie };
  const listed = indexedDB.databases().then(list => { window.seen.databases = list.map(d => d.name); });
  window.ready = listed;
</script><body>hello";

/// A page whose first script tells what it found of the kinds that belong to a tab or a worker.
const FIRST: &str = "<!doctype html><title>first</title><script>
  window.first = { step: sessionStorage.getItem('step'), controlled: navigator.serviceWorker?.controller?.scriptURL ?? null };
  window.answered = 'server';
</script><body>first";

/// A page that shows `#in` to those who have a token, and uses it up in its tab.
const SIGNED_IN: &str = "<!doctype html><body><script>
  if ({}.getItem('token')) document.body.innerHTML = '<p id=in>signed in</p>';
  sessionStorage.setItem('used', '1');
</script>";

/// A page that keeps something in its tab and tells the page above.
const TELLING: &str = "<!doctype html><script>
  sessionStorage.setItem('step', '1');
  if (location.search) localStorage.setItem('token', '1');
  parent.postMessage(1, '*')</script>";

/// A service worker that answers one path itself.
const WORKER: &str = "self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', event => event.waitUntil(clients.claim()));
  self.addEventListener('fetch', event => {
    if (new URL(event.request.url).pathname === '/first') event.respondWith(new Response(
      '<!doctype html><script>window.answered = \"worker\"; window.first = {controlled: navigator.serviceWorker.controller?.scriptURL ?? null}</script>',
      { headers: { 'content-type': 'text/html' } }));
  });";

pub struct Rig {
    pub home: tempfile::TempDir,
    /// Flags for the browsers of its runs.
    pub args: Vec<String>,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A deadline that no working test reaches.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

#[derive(serde::Deserialize)]
struct To {
    to: String,
}

/// Sets a cookie per pair of the query, each value being the text after the name (`?sid=1;%20HttpOnly`).
async fn cookies(Query(pairs): Query<Vec<(String, String)>>) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    for (name, rest) in pairs {
        headers.append("set-cookie", format!("{name}={rest}").parse().unwrap());
    }
    (headers, Html(PAGE))
}

async fn echo(headers: HeaderMap) -> String {
    headers.get("cookie").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Asks for a name and a password, and takes any.
async fn private(headers: HeaderMap) -> impl IntoResponse {
    let status = if headers.contains_key("authorization") { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    (status, [("www-authenticate", "Basic realm=\"private\"")], Html(PAGE))
}

/// The worker's script; `?once` is there for the first who asks only.
async fn worker(uri: axum::http::Uri) -> impl IntoResponse {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let gone = uri.query() == Some("once") && ASKED.swap(true, Ordering::Relaxed);
    let status = if gone { StatusCode::NOT_FOUND } else { StatusCode::OK };
    (status, [("content-type", "text/javascript")], WORKER)
}

impl Rig {
    pub async fn start() -> Self {
        let site = Router::new()
            .route("/", get(|| async { Html(PAGE) }))
            .route("/cookies", get(cookies))
            .route("/echo", get(echo))
            .route("/first", get(|| async { Html(FIRST) }))
            .route("/by-tab", get(|| async { Html(SIGNED_IN.replace("{}", "sessionStorage")) }))
            .route("/by-origin", get(|| async { Html(SIGNED_IN.replace("{}", "localStorage")) }))
            .route("/sw.js", get(worker))
            .route("/private", get(private))
            .route("/remembered", get(|| async { ([("cache-control", "max-age=999")], "remembered") }))
            .route(
                "/embedded",
                get(|| async { Html("<!doctype html><script>localStorage.setItem('e', '1')</script>") }),
            )
            .route("/telling", get(|| async { Html(TELLING) }))
            .route("/redirect", get(|Query(to): Query<To>| async move { Redirect::to(&to.to) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
        Self { home: tempfile::tempdir().unwrap(), args: Vec::new(), address, server }
    }

    /// The same, with each site in a process of its own, however small the machine.
    pub async fn start_isolating() -> Self {
        let mut rig = Self::start().await;
        rig.args.push("--site-per-process".to_owned());
        rig
    }

    /// A URL of the site.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same server under another name: another site.
    pub fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub fn store(&self) -> StoreConfig {
        StoreConfig::Embedded(self.home.path().join("store"))
    }

    pub fn key_path(&self) -> PathBuf {
        self.home.path().join("key")
    }

    pub fn key(&self) -> KeySource {
        KeySource::MadeOnFirstUse(self.key_path())
    }

    pub async fn sessions(&self) -> Result<Sessions, SessionError> {
        Sessions::open(self.store(), self.key()).await
    }

    pub fn workspace(&self) -> Workspace {
        self.workspace_kept_for(Some(Duration::from_hours(1)))
    }

    pub fn workspace_kept_for(&self, ttl: Option<Duration>) -> Workspace {
        Workspace::new(WorkspaceConfig { ttl, ..self.config() })
    }

    pub fn workspace_with(&self, launch: LaunchOptions) -> Workspace {
        Workspace::new(WorkspaceConfig { launch, ..self.config() })
    }

    pub fn workspace_saving(&self, saving: Saving) -> Workspace {
        Workspace::new(WorkspaceConfig { saving, ..self.config() })
    }

    fn config(&self) -> WorkspaceConfig {
        let launch = LaunchOptions { args: self.args.clone(), ..LaunchOptions::default() };
        WorkspaceConfig { launch, ..Self::config_at(self.home.path()) }
    }

    /// What a rig in that folder opens its workspaces with.
    pub fn config_at(home: &Path) -> WorkspaceConfig {
        WorkspaceConfig {
            tenant: Tenant::default(),
            store: StoreConfig::Embedded(home.join("store")),
            key: KeySource::MadeOnFirstUse(home.join("key")),
            launch: LaunchOptions::default(),
            holder: "rhaven test".into(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: Some(home.join("outbox")),
        }
    }

    /// One run of session `acme`: a browser of its own, `work` in it, saved at the end.
    pub async fn run<F: Future<Output = ()>>(&self, work: impl FnOnce(Session, Page) -> F) -> SessionOutcome {
        self.run_with(&SessionOptions::default(), work).await
    }

    /// The same, opened as `options` say.
    pub async fn run_with<F: Future<Output = ()>>(
        &self,
        options: &SessionOptions,
        work: impl FnOnce(Session, Page) -> F,
    ) -> SessionOutcome {
        let workspace = self.workspace();
        let session = workspace.session(&id("acme"), options).await.unwrap();
        let page = session.page().await.unwrap();
        work(session, page).await;
        let mut outcomes = workspace.finish(soon()).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    /// A run that goes to `/` and evaluates `script` there.
    pub async fn visit(&self, script: &str) -> (SessionOutcome, Value) {
        let mut answer = Value::Null;
        let outcome = self
            .run(|_, page| {
                let (url, answer) = (self.url("/"), &mut answer);
                async move {
                    goto(&page, &url).await;
                    *answer = evaluate(&page, script).await;
                }
            })
            .await;
        assert_eq!(outcome.save_error, None);
        (outcome, answer)
    }
}

pub async fn goto(page: &Page, url: &str) {
    page.goto(url, &GotoOptions::default(), soon()).await.unwrap();
}

pub async fn evaluate(page: &Page, script: &str) -> Value {
    page.main_frame().evaluate(script, None, soon()).await.unwrap()
}

/// The changes of an outcome as short lines.
pub fn changes(outcome: &SessionOutcome) -> Vec<String> {
    let mut lines: Vec<String> =
        outcome.changes.iter().map(|c| format!("{:?} {} {}", c.kind, c.store, c.name).to_lowercase()).collect();
    lines.sort();
    lines
}
