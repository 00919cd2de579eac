//! Pools: workspaces side by side in one browser, and how that browser is replaced.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::PermissionSetting;
use futures_util::future::join_all;
use rhaven::base::Tenant;
use rhaven::page::Page;
use rhaven::session::{Pool, PoolConfig, Session, SessionOptions, Sessions, Workspace, WorkspaceConfig};
use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use serde_json::{Value, json};

use super::permissions::{set, states};
use super::rig::{Rig, evaluate, goto, id, soon};

/// A pool that keeps its browser, whatever happens.
pub fn lasting(rig: &Rig) -> PoolConfig {
    let long = Duration::from_hours(1);
    let workspace = WorkspaceConfig { ttl: Some(long), ..Rig::config_at(rig.home.path()) };
    PoolConfig { workspace, max_age: long, max_contexts: 10_000, max_memory: u64::MAX, warm: 0, idle: long }
}

pub async fn pool_of(config: PoolConfig) -> Pool {
    let sessions = Sessions::open_as(&config.workspace).await.unwrap();
    Pool::new(config, sessions)
}

pub async fn open(workspace: &Workspace, name: &str) -> (Session, Page) {
    let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    (session, page)
}

pub async fn finish(workspace: &Workspace) {
    for outcome in workspace.finish(soon()).await {
        assert_eq!(outcome.save_error, None);
    }
}

/// Waits for what happens in the background.
pub async fn until(what: &str, happened: impl Fn() -> bool) {
    let wait = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !happened() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Whether a process of the browser is there, dead or alive.
pub fn is_there(pid: u32) -> bool {
    test_kill_process_group(Pid::from_raw(pid.cast_signed()).unwrap()).is_ok()
}

/// Whether one of them lives. Where nobody reaps orphans those that were killed stay for good.
fn lives(pid: u32) -> bool {
    let stats = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<String> = text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
        Some((fields[0].clone(), fields[2].parse::<u32>().ok()?))
    });
    is_there(pid) && stats.into_iter().any(|(state, group)| group == pid && state != "Z" && state != "X")
}

/// Everything is gone: processes and store alike can go.
pub async fn close(pool: &Pool) {
    let pids = pool.stats().pids;
    pool.close(soon()).await;
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
    assert_eq!((pool.stats().browsers, pool.stats().contexts), (0, 0));
}

/// All that a site can keep, and be told.
const PLANT: &str = "async secret => {
    document.cookie = `planted=${secret}; max-age=999`;
    localStorage.setItem('planted', secret);
    sessionStorage.setItem('planted', secret);
    await (await caches.open('planted')).put('/planted', new Response(secret));
    await new Promise((done, failed) => {
        const open = indexedDB.open('planted', 1);
        open.onupgradeneeded = () => open.result.createObjectStore('things').put(secret, 'planted');
        open.onsuccess = () => { open.result.close(); done(); };
        open.onerror = failed;
    });
    const folder = await navigator.storage.getDirectory();
    await folder.getFileHandle('planted', { create: true });
    await fetch('/remembered', { cache: 'force-cache' });
}";
const PROBE: &str = "async () => {
    const files = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) files.push(name);
    return {
        cookie: document.cookie, local: localStorage.length, session: sessionStorage.length, caches: await caches.keys(),
        databases: (await indexedDB.databases()).map(one => one.name), files,
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        kept: await fetch('/remembered', { cache: 'only-if-cached', mode: 'same-origin' }).then(() => true, () => false),
    };
}";

pub async fn plant(page: &Page, secret: &str) {
    page.main_frame().evaluate(PLANT, Some(&json!(secret)), soon()).await.unwrap();
}

pub async fn probe(page: &Page) -> Value {
    evaluate(page, PROBE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_share_a_browser_and_nothing_else() {
    let rig = Rig::start().await;
    let pool = pool_of(lasting(&rig)).await;
    let (left, right) = (pool.workspace("left".into()), pool.workspace("right".into()));
    let ((_, ours), (_, theirs)) = tokio::join!(open(&left, "left"), open(&right, "right"));
    assert_eq!(left.browser_pid().await, right.browser_pid().await);
    goto(&ours, &rig.url("/")).await;
    goto(&theirs, &rig.url("/")).await;
    let (nothing, usual) = (probe(&theirs).await, states(&theirs).await);
    plant(&ours, "hunter22").await;
    set(&ours, "geolocation", PermissionSetting::Granted, &rig.url("")).await;
    assert_eq!(probe(&ours).await["kept"], true, "the probe sees what there is");
    goto(&theirs, &rig.url("/echo")).await;
    assert_eq!(evaluate(&theirs, "document.body.innerText").await, "");
    assert_eq!((probe(&theirs).await, states(&theirs).await), (nothing.clone(), usual.clone()));
    // Nor does anything stay for who comes after.
    finish(&left).await;
    let next = pool.workspace("next".into());
    let (_, page) = open(&next, "next").await;
    goto(&page, &rig.url("/")).await;
    assert_eq!((probe(&page).await, states(&page).await), (nothing, usual));
    // And what was saved is opened again as it was.
    let (again, page) = open(&left_again(&pool), "left").await;
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "localStorage.getItem('planted')").await, "hunter22");
    drop(again);
    finish(&right).await;
    finish(&next).await;
    assert_eq!((pool.stats().browsers, pool.stats().restarts), (1, 0));
    close(&pool).await;
}

fn left_again(pool: &Pool) -> Workspace {
    pool.workspace("left again".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_one_site_are_restored_side_by_side() {
    let rig = Rig::start().await;
    let pool = pool_of(lasting(&rig)).await;
    let names: Vec<String> = (0..6).map(|number| format!("session-{number}")).collect();
    for round in 0..2 {
        let work = names.iter().map(|name| {
            let (rig, pool) = (&rig, &pool);
            async move {
                let workspace = pool.workspace(name.clone());
                let (_, page) = open(&workspace, name).await;
                goto(&page, &rig.url("/")).await;
                let seen = evaluate(&page, "window.ready.then(() => window.seen)").await;
                if round == 0 {
                    assert_eq!(seen["token"], Value::Null);
                    evaluate(&page, &format!("localStorage.setItem('token', '{name}')")).await;
                } else {
                    assert_eq!(seen["token"], **name);
                    // A popup and a frame are theirs as well.
                    let popup = "new Promise(done => { const popup = open('/');
                        popup.onload = () => done(popup.seen.token); })";
                    assert_eq!(evaluate(&page, popup).await, **name);
                }
                let outcomes = workspace.finish(soon()).await;
                assert_eq!((outcomes[0].updated, outcomes[0].save_error.clone()), (round == 0, None));
            }
        });
        join_all(work).await;
    }
    assert_eq!((pool.stats().browsers, pool.stats().restarts), (1, 0));
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_see_nothing_of_each_other() {
    let rig = Rig::start().await;
    let config = lasting(&rig);
    let sessions = Sessions::open_as(&config.workspace).await.unwrap();
    let of = |tenant: &str| {
        let workspace = WorkspaceConfig { tenant: Tenant::new(tenant).unwrap(), ..config.workspace.clone() };
        Pool::new(PoolConfig { workspace, ..config.clone() }, sessions.clone())
    };
    let (acme, other) = (of("acme"), of("other"));
    let (ours, theirs) = (acme.workspace("ours".into()), other.workspace("theirs".into()));
    let (_, page) = open(&ours, "same").await;
    goto(&page, &rig.url("/")).await;
    plant(&page, "hunter22").await;
    finish(&ours).await;
    let (session, page) = open(&theirs, "same").await;
    assert_eq!(session.version(), None);
    goto(&page, &rig.url("/")).await;
    assert_eq!(probe(&page).await["local"], 0);
    finish(&theirs).await;
    assert_ne!(acme.stats().pids, other.stats().pids);
    close(&acme).await;
    close(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_dies_is_replaced() {
    let rig = Rig::start().await;
    let pool = pool_of(lasting(&rig)).await;
    let (first, second) = (pool.workspace("first".into()), pool.workspace("second".into()));
    let (_, page) = open(&first, "first").await;
    open(&second, "second").await;
    goto(&page, &rig.url("/")).await;
    let pid = first.browser_pid().await.unwrap();
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    tokio::join!(first.browser_gone(), second.browser_gone());
    let told = page.reload(&rhaven::page::GotoOptions::default(), soon()).await.unwrap_err();
    assert_eq!(told.error.code(), "browser_gone");
    // The next has another, while those of before still hold what is left of theirs.
    let third = pool.workspace("third".into());
    let (_, page) = open(&third, "third").await;
    goto(&page, &rig.url("/")).await;
    assert_ne!(third.browser_pid().await, Some(pid));
    let stats = pool.stats();
    assert_eq!((stats.browsers, stats.restarts, stats.pids.len()), (1, 1, 1));
    for workspace in [first, second] {
        workspace.finish(soon()).await;
    }
    until("the dead browser has gone", || !lives(pid)).await;
    // Its sessions are free at once.
    let again = pool.workspace("again".into());
    open(&again, "first").await;
    for workspace in [&third, &again] {
        finish(workspace).await;
    }
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_has_had_enough_ends_with_its_last_workspace() {
    let rig = Rig::start().await;
    // One for the session, one that is set up ahead for the next.
    let pool = pool_of(PoolConfig { max_contexts: 2, ..lasting(&rig) }).await;
    let long = pool.workspace("long".into());
    let (_, page) = open(&long, "long").await;
    let first = long.browser_pid().await.unwrap();
    let short = pool.workspace("short".into());
    open(&short, "short").await;
    assert_eq!(short.browser_pid().await, Some(first));
    finish(&short).await;
    let next = pool.workspace("next".into());
    open(&next, "next").await;
    assert_ne!(next.browser_pid().await, Some(first));
    assert_eq!((pool.stats().browsers, pool.stats().restarts), (2, 1));
    // The old one serves who has it.
    goto(&page, &rig.url("/")).await;
    evaluate(&page, "localStorage.setItem('x', '1')").await;
    finish(&long).await;
    until("the old browser has ended", || !lives(first)).await;
    finish(&next).await;
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_replaced_for_its_age_and_its_size_and_ended_when_idle() {
    let rig = Rig::start().await;
    let brief = Duration::from_millis(400);
    let idle = PoolConfig { idle: brief, ..lasting(&rig) };
    let old = PoolConfig { max_age: brief, ..lasting(&rig) };
    let large = PoolConfig { max_memory: 1 << 20, idle: Duration::from_secs(1), ..lasting(&rig) };
    for (config, restarts) in [(idle, 0), (old, 1), (large, 1)] {
        let pool = pool_of(config).await;
        pool.warm_up();
        until("it runs", || pool.stats().pids.len() == 1).await;
        let pid = pool.stats().pids[0];
        until("it has ended", || !lives(pid) && pool.stats().browsers == 0).await;
        let stats = pool.stats();
        assert!(stats.restarts == restarts || (stats.restarts == 1 && restarts == 1), "{stats:?}");
        // And there is another where one is needed.
        let workspace = pool.workspace("next".into());
        open(&workspace, "next").await;
        finish(&workspace).await;
        close(&pool).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_workspaces_leave_nothing_behind() {
    let rig = Rig::start().await;
    let pool = Arc::new(pool_of(lasting(&rig)).await);
    let workers = (0..4).map(|worker| {
        let (pool, url) = (pool.clone(), rig.url("/"));
        tokio::spawn(async move {
            for number in 0..25 {
                let workspace = pool.workspace(format!("worker {worker}"));
                let (_, page) = open(&workspace, &format!("session-{worker}-{}", number % 5)).await;
                goto(&page, &url).await;
                evaluate(&page, &format!("localStorage.setItem('n', {number})")).await;
                finish(&workspace).await;
            }
        })
    });
    for done in join_all(workers.collect::<Vec<_>>()).await {
        done.unwrap();
    }
    // What is left is what is set up ahead for the next.
    until("all contexts have gone", || pool.stats().contexts <= 1).await;
    assert_eq!((pool.stats().browsers, pool.stats().restarts), (1, 0));
    close(&pool).await;
    assert!(nothing_below(&rig.home.path().join("outbox")));
}

fn nothing_below(folder: &Path) -> bool {
    folder.read_dir().map_or(true, |mut entries| entries.next().is_none())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_dropped_leaves_no_context_and_a_closed_pool_starts_nothing() {
    let rig = Rig::start().await;
    let pool = pool_of(lasting(&rig)).await;
    let workspace = pool.workspace("dropped".into());
    let (session, page) = open(&workspace, "dropped").await;
    goto(&page, &rig.url("/")).await;
    workspace.current().await.unwrap();
    drop((workspace, session, page));
    until("its context has gone", || pool.stats().contexts <= 1).await;
    let open_still = pool.workspace("open still".into());
    open(&open_still, "open").await;
    close(&pool).await;
    let late = pool.workspace("late".into());
    let error = late.session(&id("late"), &SessionOptions::default()).await.err().unwrap();
    assert_eq!(error.code(), "browser_gone");
    drop(open_still);
}
