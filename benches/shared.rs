//! What a shared store costs: opening, changing and saving a session where there are a thousand of them, beside ten; and opening a
//! saved session from Redis, beside a store in memory. Redis runs on this machine, so what is measured is no network.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

use rhaven::base::{Deadline, Secret, SessionId, Tenant};
use rhaven::browser::LaunchOptions;
use rhaven::page::GotoOptions;
use rhaven::practice::Practice;
use rhaven::seal::RootKey;
use rhaven::session::{
    ImportOptions, KeySource, LeaseTimes, Saving, SessionOptions, Sessions, Source, StoreConfig, Workspace,
    WorkspaceConfig,
};
use rhaven::store::{BlobsAt, RecordsAt};

use crate::redis_server::RedisServer;

#[path = "../tests/store/redis_server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests of the stores, which use all of it")]
mod redis_server;

/// How many sessions there are.
const COUNTS: [usize; 2] = [10, 1_000];
/// How many of them are changed, on each side by turns.
const CHANGED: usize = 200;
/// How often a session is opened, likewise.
const OPENED: usize = 31;

#[tokio::main]
async fn main() {
    by_number().await;
    opening().await;
}

fn store(redis: &RedisServer, folder: &Path) -> StoreConfig {
    let records = format!("redis://127.0.0.1:{}", redis.port);
    StoreConfig::Placed {
        records: RecordsAt::parse(&records, folder).expect("a place"),
        blobs: BlobsAt::File(folder.join("blobs")),
    }
}

fn key() -> KeySource {
    let text = RootKey::generate().expect("a key").to_text().to_string();
    KeySource::Text(Secret::new("RHAVEN_KEY", text))
}

fn show(what: &str, spans: &mut [Duration]) -> f64 {
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!("{what:44} median {:7.2} ms   from {:7.2} to {:7.2} ms ({} runs)", at(50), at(0), at(100), spans.len());
    at(50)
}

/// Opens session `number`, changes it and saves it; or makes it.
async fn change(sessions: &Sessions, number: usize, value: &str) {
    let state = format!(
        r#"{{"cookies": [], "origins": [{{"origin": "https://a.example", "localStorage": [{{"name": "token", "value": "{value}{}"}}]}}]}}"#,
        "x".repeat(2_000)
    );
    let source = Source::open(Cursor::new(state.into_bytes()), None).await.expect("a state");
    let id = SessionId::new(format!("session-{number}")).expect("an id");
    let options = ImportOptions { replace: true, ttl: Some(Duration::from_hours(1)), ..ImportOptions::default() };
    Box::pin(sessions.import(&Tenant::default(), &id, source, &options)).await.expect("a version");
}

async fn by_number() {
    let folders = COUNTS.map(|_| tempfile::tempdir().expect("a folder"));
    let servers = COUNTS.map(|_| RedisServer::start());
    let mut sides = Vec::new();
    for ((count, server), folder) in COUNTS.into_iter().zip(&servers).zip(&folders) {
        let sessions = Sessions::open(store(server, folder.path()), key()).await.expect("a store");
        for number in 0..count {
            change(&sessions, number, "first").await;
        }
        sides.push((count, sessions, Vec::new()));
    }
    for turn in 0..CHANGED {
        for (count, sessions, spans) in &mut sides {
            // All over the store, and never the same twice in a row.
            let number = turn * 377 % *count;
            let begun = Instant::now();
            change(sessions, number, &turn.to_string()).await;
            spans.push(begun.elapsed());
        }
    }
    let medians: Vec<f64> = sides
        .iter_mut()
        .map(|(count, _, spans)| show(&format!("open, change, save: one of {count} sessions"), spans))
        .collect();
    println!("one of {} costs {:.2} times one of {}", COUNTS[1], medians[1] / medians[0], COUNTS[0]);
}

async fn opening() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().expect("a folder"));
    let site = Practice::start(([127, 0, 0, 1], 0).into()).await.expect("a site");
    let id = SessionId::new("acme").expect("an id");
    let soon = || Deadline::after(Duration::from_mins(1));
    let mut sides = Vec::new();
    for (name, store) in [("memory", StoreConfig::Memory), ("Redis", store(&redis, folder.path()))] {
        let workspace = Workspace::new(WorkspaceConfig {
            tenant: Tenant::default(),
            store,
            key: key(),
            launch: LaunchOptions::default(),
            holder: "a bench".into(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        });
        let session = workspace.session(&id, &SessionOptions::default()).await.expect("a session");
        let page = session.page().await.expect("a page");
        page.goto(&format!("{}/form", site.url()), &GotoOptions::default(), soon()).await.expect("a page");
        let keep = "localStorage.setItem('token', 'x'.repeat(2000)); document.cookie = 'sid=1; max-age=999'";
        page.main_frame().evaluate(keep, None, soon()).await.expect("an answer");
        workspace.close(&session, soon()).await.expect("a version");
        sides.push((name, workspace, Vec::new()));
    }
    for _ in 0..OPENED {
        for (_, workspace, spans) in &mut sides {
            let begun = Instant::now();
            let session = workspace.session(&id, &SessionOptions::default()).await.expect("a session");
            spans.push(begun.elapsed());
            workspace.close(&session, soon()).await.expect("an end");
        }
    }
    let medians: Vec<f64> =
        sides.iter_mut().map(|(name, _, spans)| show(&format!("opening a saved session: {name}"), spans)).collect();
    println!("Redis adds {:.2} ms", medians[1] - medians[0]);
    for (_, workspace, _) in sides {
        workspace.finish(soon()).await;
    }
}
