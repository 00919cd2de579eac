//! What a session costs: opening one with many origins, of which a run touches one; and putting back and saving a login, beside
//! Playwright where `benches/compare` has been set up (`npm install` there). Each side has its browser running already and is timed
//! in its own process.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rhaven::base::{Deadline, SessionId, Tenant};
use rhaven::browser::{Flavor, LaunchOptions};
use rhaven::page::{GotoOptions, Page, Selector, WaitState};
use rhaven::practice::Practice;
use rhaven::session::{
    KeySource, LeaseTimes, Saving, Session, SessionOptions, StoreConfig, Workspace, WorkspaceConfig,
};

const ORIGINS: usize = 200;
const RUNS: usize = 21;

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(2))
}

#[tokio::main]
async fn main() {
    origins().await;
    login().await;
}

fn workspace(folder: &Path) -> Workspace {
    Workspace::new(WorkspaceConfig {
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
    })
}

/// A workspace whose browser runs.
async fn warm(folder: &Path) -> Workspace {
    let workspace = workspace(folder);
    workspace.warm_up().await;
    workspace.browser_pid().await.expect("a browser");
    workspace
}

async fn open(workspace: &Workspace, id: &str) -> (Session, Page) {
    let id = SessionId::new(id).expect("an id");
    let session = workspace.session(&id, &SessionOptions::default()).await.expect("a session");
    let page = session.page().await.expect("a page");
    (session, page)
}

async fn goto(page: &Page, url: &str) {
    page.goto(url, &GotoOptions::default(), soon()).await.expect("a page");
}

async fn evaluate(page: &Page, script: &str) {
    page.main_frame().evaluate(script, None, soon()).await.expect("an answer");
}

fn show(what: &str, spans: &mut [Duration]) -> f64 {
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!("{what:44} median {:6.1} ms   from {:6.1} to {:6.1} ms ({} runs)", at(50), at(0), at(100), spans.len());
    at(50)
}

/// Answers everything with a page that keeps a little.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut request = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::from("x");
    while request.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    let page = "<!doctype html><title>bench</title>";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        page.len()
    );
    // Connections that a browser opens ahead are closed by it.
    let _ = stream.write_all(format!("{head}{page}").as_bytes());
}

const KEEP: &str = "async () => { localStorage.setItem('token', location.host.repeat(20)); sessionStorage.setItem('step', '1');
    await new Promise(done => { const r = indexedDB.open('app', 1);
      r.onupgradeneeded = () => { const s = r.result.createObjectStore('s'); for (let i = 0; i < 20; i++) s.put({ i, text: 'x'.repeat(100) }, i); };
      r.onsuccess = () => { r.result.close(); done(); }; }); }";

/// Opening a session and going to one of its origins, in a session of that one and in one of many.
async fn origins() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = serve();
    let url = |number: usize| format!("http://o{number}.localhost:{port}/");
    for (id, count) in [("one", 1), ("many", ORIGINS)] {
        let workspace = workspace(folder.path());
        let (_, page) = open(&workspace, id).await;
        for number in 0..count {
            goto(&page, &url(number)).await;
            evaluate(&page, KEEP).await;
        }
        let outcome = workspace.finish(soon()).await.remove(0);
        assert!(outcome.save_error.is_none() && outcome.partial.is_empty(), "{outcome:?}");
    }
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        for (id, spans) in [("one", &mut one), ("many", &mut many)] {
            let workspace = warm(folder.path()).await;
            let begun = Instant::now();
            let (_, page) = open(&workspace, id).await;
            goto(&page, &url(0)).await;
            spans.push(begun.elapsed());
            workspace.finish(soon()).await;
        }
    }
    let one = show("open, of 1 origin", &mut one);
    let many = show(&format!("open, of {ORIGINS} origins"), &mut many);
    println!("{:44} {:.2}", "ratio (1.2 at most)", many / one);
}

/// The dashboard with all that it keeps in place.
async fn dashboard(page: &Page, base: &str) {
    goto(page, &format!("{base}/dashboard?avatar=0")).await;
    let ready = Selector::parse("html[data-ready=yes]").expect("a selector");
    page.locator(&ready).wait_for(WaitState::Attached, soon()).await.expect("it is ready");
}

/// Putting back a login and saving it, beside Playwright.
async fn login() {
    let folder = tempfile::tempdir().expect("a folder");
    let practice = Practice::start("127.0.0.1:0".parse().expect("an address")).await.expect("the practice site");
    let base = practice.url().to_owned();
    tokio::spawn(practice.serve());
    let first = workspace(folder.path());
    let (_, page) = open(&first, "login").await;
    goto(&page, &format!("{base}/login")).await;
    evaluate(
        &page,
        "() => { document.querySelector('#email').value = 'user@example.com';
                 document.querySelector('#password').value = 'correct horse battery';
                 document.querySelector('button[type=submit]').click(); }",
    )
    .await;
    let avatar = Selector::parse(".user-avatar").expect("a selector");
    page.locator(&avatar).wait_for(WaitState::Visible, soon()).await.expect("signed in");
    dashboard(&page, &base).await;
    first.finish(soon()).await;

    let (mut opened, mut saved, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..RUNS {
        let workspace = warm(folder.path()).await;
        let begun = Instant::now();
        let (session, page) = open(&workspace, "login").await;
        dashboard(&page, &base).await;
        opened.push(begun.elapsed());
        evaluate(&page, &format!("localStorage.setItem('visit', '{number}')")).await;
        let begun = Instant::now();
        let outcome = session.save(soon()).await.expect("a save").expect("an outcome");
        saved.push(begun.elapsed());
        assert!(outcome.updated && outcome.partial.is_empty(), "{outcome:?}");
        both.push(opened[number] + saved[number]);
        workspace.finish(soon()).await;
    }
    show("put a login back, to the page", &mut opened);
    show("save it", &mut saved);
    let ours = show("both", &mut both);
    if let Some(theirs) = playwright(&base, folder.path()) {
        println!("{:44} {:.2}", "ratio (0.5 at most)", ours / theirs);
    }
}

/// The same in Playwright; its median in milliseconds. None where it is not there.
fn playwright(base: &str, folder: &Path) -> Option<f64> {
    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
    if !compare.join("node_modules").exists() {
        println!("Playwright is not there: `npm install` in benches/compare");
        return None;
    }
    let browser = rhaven::browser::find(Flavor::default(), None).expect("a browser").path;
    let output = std::process::Command::new("node")
        .arg("state.mjs")
        .args([base, &folder.join("state.json").to_string_lossy(), &browser.to_string_lossy(), &RUNS.to_string()])
        .current_dir(compare)
        .output()
        .expect("node runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lists: Vec<Vec<f64>> = serde_json::from_str(&text).expect("three lists of milliseconds");
    let mut spans =
        lists.iter().map(|list| list.iter().map(|ms| Duration::from_secs_f64(ms / 1_000.0)).collect::<Vec<_>>());
    show("Playwright: put a login back, to the page", &mut spans.next()?);
    show("Playwright: save it", &mut spans.next()?);
    Some(show("Playwright: both", &mut spans.next()?))
}
