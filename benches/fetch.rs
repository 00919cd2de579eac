//! A page request over HTTP with a saved session (cookies, localStorage, one IndexedDB record), warm, beside a bare CDP
//! navigation in an existing page, and beside a warm Node server that does the same with Playwright (`npm install` in
//! `benches/compare`). One run, the sides taking turns.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::page::{EnableParams, EventLoadEventFired, NavigateParams};
use rhaven::base::Tenant;
use rhaven::browser::{Browser, ContextOptions, Flavor, LaunchOptions, TargetEvent};
use rhaven::egress::{Policy, PolicyOptions};
use rhaven::serve::{ServeConfig, Server};
use rhaven::session::{KeySource, LeaseTimes, Saving, Scope, StoreConfig, WorkspaceConfig};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const RUNS: usize = 40;
/// Not counted: what is made ahead is made.
const WARM_UP: usize = 5;
/// More than stay warm, so that each is restored when its turn comes again.
const OTHERS: usize = 12;
/// Long enough for what is made ahead, on both sides; none of it is in the figures.
const REST: Duration = Duration::from_millis(150);

/// The page: it keeps a cookie, a storage key and a record, unless it finds them.
const PAGE: &str = "<!doctype html><title>bench</title><h1>orders</h1><script>
  if (!localStorage.getItem('token')) {
    document.cookie = 'sid=' + 'x'.repeat(40) + '; max-age=86400';
    localStorage.setItem('token', 'y'.repeat(40));
    const open = indexedDB.open('app', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('s').put({ text: 'z'.repeat(100) }, 1);
  }
</script><ul><li>A-1000<li>A-1001</ul>";

/// A CDP navigation and its load event, in a page that is there already.
struct Bare {
    _browser: Browser,
    target: rhaven::browser::Target,
}

impl Bare {
    async fn start() -> Self {
        let browser = Browser::launch(&LaunchOptions::default()).await.expect("a browser");
        let context = browser.new_context(&ContextOptions::default()).await.expect("a context");
        let mut targets = context.targets();
        let id = context.new_target().await.expect("a tab");
        let target = loop {
            if let Some(TargetEvent::Attached(target)) = targets.next().await
                && *target.id() == id
            {
                break target;
            }
        };
        target.resume();
        target.cdp().call(EnableParams::default()).await.expect("events of the page");
        Self { _browser: browser, target }
    }

    async fn navigate(&self, url: &str) {
        let mut loaded = self.target.cdp().events::<EventLoadEventFired>();
        self.target.cdp().call(NavigateParams::new(url)).await.expect("a navigation");
        loaded.next().await.expect("it loads");
    }
}

/// The Node server.
struct Playwright {
    child: Child,
    url: String,
}

impl Drop for Playwright {
    fn drop(&mut self) {
        // Its browser ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Playwright {
    /// None where it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
        if !compare.join("node_modules").exists() {
            println!("Playwright is not there: `npm install` in benches/compare");
            return None;
        }
        let browser = rhaven::browser::find(Flavor::default(), None).expect("a browser").path;
        let mut child = Command::new("node")
            .arg("fetch_server.mjs")
            .args([folder.join("state.json").as_path(), browser.as_path()])
            .current_dir(compare)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("its URL");
        Some(Self { child, url: url.trim().to_owned() })
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(compare());
}

async fn compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = serve_page();
    let url = format!("http://{site}/");
    let (rhaven, token, ended) = start_rhaven(folder.path(), site).await;
    let (bare, playwright) = (Bare::start().await, Playwright::start(folder.path()));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (mut ours, mut restored) = (Vec::new(), Vec::new());
    let (mut navigations, mut theirs) = (Vec::new(), Vec::new());
    for other in 0..OTHERS {
        fetch(&client, rhaven, &token, &url, &format!("other-{other}"), true).await;
    }
    for run in 0..RUNS + WARM_UP {
        let begun = Instant::now();
        bare.navigate(&url).await;
        navigations.push(begun.elapsed());
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        fetch(&client, rhaven, &token, &url, "bench", run == 0).await;
        ours.push(begun.elapsed());
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        fetch(&client, rhaven, &token, &url, &format!("other-{}", run % OTHERS), false).await;
        restored.push(begun.elapsed());
        tokio::time::sleep(REST).await;
        if let Some(playwright) = &playwright {
            let begun = Instant::now();
            let body = json!({"url": url, "selector": "h1"});
            let answer = client.post(&playwright.url).json(&body).send().await.expect("an answer");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer["title"], "orders");
            theirs.push(begun.elapsed());
            tokio::time::sleep(REST).await;
        }
    }
    let bare = show("bare CDP navigation", &mut navigations);
    let ours = show("/v1/fetch with a warm session", &mut ours);
    println!("{:44} {:.2}", "ratio (1.5 at most)", ours / bare);
    show("/v1/fetch with a session that is restored", &mut restored);
    if playwright.is_some() {
        let theirs = show("Node server with Playwright", &mut theirs);
        println!("{:44} {:.2}", "ratio (0.35 at most)", ours / theirs);
    }
    ended.cancel();
}

async fn fetch(client: &reqwest::Client, rhaven: SocketAddr, token: &str, url: &str, id: &str, is_new: bool) {
    // The first visit is long enough for all that the page keeps.
    let body = json!({
        "url": url, "render_js": true, "session": {"id": id}, "output": ["json"], "wait_for": {"network_idle": is_new},
        "extract": {"mode": "selectors", "fields": {"title": {"selector": "h1", "type": "text"}}},
    });
    let request = client.post(format!("http://{rhaven}/v1/fetch")).bearer_auth(token).json(&body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["outputs"]["json"]["title"], "orders", "{answer}");
    assert_eq!(answer["session"]["updated"], is_new, "{answer}");
}

async fn start_rhaven(folder: &Path, site: SocketAddr) -> (SocketAddr, String, CancellationToken) {
    let workspace = WorkspaceConfig {
        tenant: Tenant::default(),
        store: StoreConfig::Embedded(folder.join("store")),
        key: KeySource::MadeOnFirstUse(folder.join("key")),
        launch: LaunchOptions::default(),
        holder: "a bench".into(),
        ttl: None,
        saving: Saving::AsAsked,
        lease: LeaseTimes::default(),
        outbox: None,
        profile_ttl: None,
    };
    let mut config = ServeConfig::new("127.0.0.1:0".parse().expect("an address"), workspace);
    // The site is on this machine, which is not allowed by itself.
    let options = PolicyOptions { allow_hosts: vec![site.to_string()], ..PolicyOptions::default() };
    config.egress.policy = Policy::new(&options).expect("a policy");
    let server = Server::bind(config).await.expect("a server");
    let (address, shutdown) = (server.address(), CancellationToken::new());
    let scopes = Scope::ALL.into_iter().collect();
    let (_, token) = server.sessions().create_token(&Tenant::default(), &scopes, None).await.expect("a token");
    let told = shutdown.clone();
    tokio::spawn(async move { server.run(told).await });
    (address, token.expose().to_owned(), shutdown)
}

fn show(what: &str, spans: &mut Vec<Duration>) -> f64 {
    spans.drain(..WARM_UP);
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!("{what:44} median {:6.1} ms   from {:6.1} to {:6.1} ms ({} runs)", at(50), at(0), at(100), spans.len());
    at(50)
}

/// Answers everything with the page.
fn serve_page() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::from("x");
    while request.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        PAGE.len()
    );
    // Connections that a browser opens ahead are closed by it.
    let _ = stream.write_all(format!("{head}{PAGE}").as_bytes());
}
