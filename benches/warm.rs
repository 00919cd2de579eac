//! What a request costs in a session that stayed warm: open, go to a small page, read it, save; beside a bare navigation in a page that is
//! there already, and beside the same where nothing stays warm. The three take turns, once without a rest between them and once with.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::page::{EnableParams, NavigateParams};
use rhaven::base::{Deadline, SessionId, Tenant};
use rhaven::browser::{Browser, ContextOptions, LaunchOptions, Target, TargetEvent};
use rhaven::page::GotoOptions;
use rhaven::session::{
    KeySource, LeaseTimes, Pool, PoolConfig, Saving, SessionOptions, Sessions, StoreConfig, WorkspaceConfig,
};

const RUNS: usize = 60;
/// Long enough for what is made ahead.
const REST: Duration = Duration::from_millis(150);

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = serve();
    let browser = Browser::launch(&LaunchOptions::default()).await.expect("Chromium");
    let page = bare(&browser).await;
    let config = config(folder.path());
    let sessions = Sessions::open_as(&config).await.expect("a store");
    let pool = |warm| {
        let long = Duration::from_hours(1);
        let workspace = WorkspaceConfig { tenant: tenant(warm), ..config.clone() };
        let config =
            PoolConfig { workspace, max_age: long, max_contexts: 10_000, max_memory: u64::MAX, warm, idle: long };
        Pool::new(config, sessions.clone())
    };
    let (warm, cold) = (pool(8), pool(0));
    for pool in [&warm, &cold] {
        request(pool, &url, KEEP).await;
        request(pool, &url, READ).await;
    }
    for (name, rest) in [("without a rest", Duration::ZERO), ("after a rest", REST)] {
        let (mut bare, mut kept, mut made) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            bare.push(navigate(&page, &url).await);
            kept.push(request(&warm, &url, READ).await);
            tokio::time::sleep(rest).await;
            if !rest.is_zero() {
                made.push(request(&cold, &url, READ).await);
                tokio::time::sleep(rest).await;
            }
        }
        println!("{name}:");
        let bare = show("  a bare navigation", bare.into_iter().map(|span| [span, span, span, span]).collect());
        let kept = show("  a request in a warm session", kept);
        println!("  warm beside bare: {:.2} (1.5 at most)", kept / bare);
        if !made.is_empty() {
            show("  a request in a session that is restored", made);
        }
    }
    println!("{:?}", warm.stats());
    warm.close(soon()).await;
    cold.close(soon()).await;
    browser.close(soon()).await;
}

fn tenant(warm: usize) -> Tenant {
    Tenant::new(format!("warm-{warm}")).expect("a tenant")
}

fn config(folder: &Path) -> WorkspaceConfig {
    WorkspaceConfig {
        tenant: Tenant::default(),
        store: StoreConfig::Embedded(folder.join("store")),
        key: KeySource::MadeOnFirstUse(folder.join("key")),
        launch: LaunchOptions::default(),
        holder: "a bench".into(),
        ttl: Some(Duration::from_hours(1)),
        saving: Saving::AsAsked,
        lease: LeaseTimes::default(),
        outbox: None,
        profile_ttl: None,
    }
}

const KEEP: &str =
    "async () => { document.cookie = 'sid=1; max-age=9999'; localStorage.setItem('token', 'x'.repeat(200));
    await new Promise(done => { const r = indexedDB.open('app', 1);
      r.onupgradeneeded = () => r.result.createObjectStore('things').put({ text: 'x'.repeat(100) }, 1);
      r.onsuccess = () => { r.result.close(); done(); }; }); return 'x'; }";
const READ: &str = "() => document.body.innerText";

/// One request, and how long it took: to the open session, to the page, to what was read of it, to its end.
async fn request(pool: &Pool, url: &str, script: &str) -> [Duration; 4] {
    let begun = Instant::now();
    let workspace = pool.workspace("a bench".into());
    let id = SessionId::new("acme").expect("an id");
    let session = workspace.session(&id, &SessionOptions::default()).await.expect("a session");
    let opened = begun.elapsed();
    let page = session.page().await.expect("a page");
    page.goto(url, &GotoOptions::default(), soon()).await.expect("a page");
    let there = begun.elapsed();
    let text = page.main_frame().evaluate(script, None, soon()).await.expect("a text");
    assert!(!text.as_str().expect("a text").is_empty());
    let read = begun.elapsed();
    let outcome = workspace.finish(soon()).await.remove(0);
    let ended = begun.elapsed();
    assert!(outcome.save_error.is_none(), "{outcome:?}");
    [ended, opened, there.saturating_sub(opened), ended.saturating_sub(read)]
}

async fn bare(browser: &Browser) -> Target {
    let context = browser.new_context(&ContextOptions::default()).await.expect("a context");
    let mut targets = context.targets();
    context.new_target().await.expect("a tab");
    let Some(TargetEvent::Attached(target)) = targets.next().await else { panic!("no tab") };
    target.resume();
    target.cdp().call(EnableParams::default()).await.expect("a page");
    target
}

/// To the load event.
async fn navigate(page: &Target, url: &str) -> Duration {
    let mut loaded = page.cdp().raw_events(&["Page.loadEventFired"]);
    let begun = Instant::now();
    page.cdp().call(NavigateParams::new(url)).await.expect("a page");
    loaded.next().await.expect("a page");
    begun.elapsed()
}

fn show(what: &str, mut spans: Vec<[Duration; 4]>) -> f64 {
    let ms = |span: Duration| span.as_secs_f64() * 1_000.0;
    let mut median = |of: usize| {
        spans.sort_by_key(|span| span[of]);
        ms(spans[spans.len() / 2][of])
    };
    let (opened, there, ended, whole) = (median(1), median(2), median(3), median(0));
    let (least, most) = (ms(spans[0][0]), ms(spans[spans.len() - 1][0]));
    println!(
        "{what:44} median {whole:6.1} ms   from {least:6.1} to {most:6.1} ms   (open {opened:.1}, page {there:.1}, end {ended:.1})"
    );
    whole
}

/// Answers everything with a small page.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    url
}

fn answer(mut stream: TcpStream) {
    let mut request = BufReader::new(stream.try_clone().expect("a stream"));
    loop {
        let mut line = String::from("x");
        while line.trim_end() != "" {
            line.clear();
            if request.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
        let page = "<!doctype html><title>bench</title><h1>A small page</h1><p>with a few words in it";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", page.len());
        if stream.write_all(format!("{head}{page}").as_bytes()).is_err() {
            return;
        }
    }
}
