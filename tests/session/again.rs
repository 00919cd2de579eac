//! Runs in one workspace, one after another: what a reset puts back, what a restart brings back, and that nothing of
//! either is left. `RHAVEN_SOAK_RERUNS` says how many resets the test of growth makes (25 unless set).

use std::collections::BTreeSet;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::target::{GetBrowserContextsParams, GetTargetsParams};
use futures_util::FutureExt;
use rhaven::base::{Deadline, Tenant, Version};
use rhaven::browser::{Browser, LaunchOptions};
use rhaven::page::{GotoOptions, Page};
use rhaven::session::{OpenSession, Saving, Session, SessionOptions, SessionOutcome, Workspace};
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// Writes `value` to every kind of storage of the page's origin, its cookie among them.
const WRITES: &str = "async value => {
    document.cookie = `who=${value}; max-age=9999`;
    localStorage.setItem('token', value);
    const done = request => new Promise((good, bad) => { request.onsuccess = () => good(request.result); request.onerror = bad; });
    const open = indexedDB.open('app', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('things');
    const db = await done(open);
    await done(db.transaction('things', 'readwrite').objectStore('things').put(value, 'thing'));
    db.close();
}";

/// What the page's first script saw, and what is in the database.
const READS: &str = "async () => {
    await window.ready;
    const done = request => new Promise((good, bad) => { request.onsuccess = () => good(request.result); request.onerror = bad; });
    let thing = null;
    if (window.seen.databases.includes('app')) {
        const db = await done(indexedDB.open('app'));
        thing = await done(db.transaction('things').objectStore('things').get('thing'));
        db.close();
    }
    return [window.seen.token, window.seen.cookie, thing];
}";

async fn open(workspace: &Workspace) -> (Session, Page) {
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    (session, page)
}

/// Writes `value` everywhere in a session that is open.
async fn write(rig: &Rig, page: &Page, value: &str) {
    goto(page, &rig.url("/")).await;
    evaluate(page, &format!("({WRITES})({})", json!(value))).await;
}

async fn read(rig: &Rig, page: &Page) -> Value {
    goto(page, &rig.url("/")).await;
    evaluate(page, &format!("({READS})()")).await
}

/// What `read` answers where `value` was written.
fn written(value: &str) -> Value {
    json!([value, format!("who={value}"), value])
}

fn nothing() -> Value {
    json!([null, "", null])
}

/// A session whose version 1 has `value` everywhere.
async fn saved(rig: &Rig, value: &str) {
    let outcome = rig.run(|_, page| async move { write(rig, &page, value).await }).await;
    assert_eq!((outcome.save_error, outcome.version), (None, Some(Version(1))));
}

/// The newest version in the store.
async fn stored_version(rig: &Rig) -> Option<Version> {
    let listing = rig.sessions().await.unwrap().list(&Tenant::default()).await.unwrap();
    listing.sessions.first().map(|session| session.version)
}

/// Ends the workspace, and looks whether its browser is gone.
async fn end(workspace: Workspace) -> Vec<SessionOutcome> {
    let browser = workspace.browser_pid().await;
    let outcomes = workspace.finish(soon()).await;
    if let Some(pid) = browser {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "the browser lives");
    }
    outcomes
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_puts_back_what_was_saved() {
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace_saving(Saving::AtEnd);
    for round in 0..3 {
        let (session, page) = open(&workspace).await;
        assert_eq!(read(&rig, &page).await, written("saved"), "round {round}");
        assert_eq!(session.version(), Some(Version(1)));
        write(&rig, &page, "of the run").await;
        assert_eq!(read(&rig, &page).await, written("of the run"));
        workspace.reset().await;
        assert!(workspace.opened().is_empty() && workspace.open_page().is_none());
    }
    let outcome = end(workspace).await.remove(0);
    assert_eq!((outcome.restored, outcome.version, outcome.updated), (Some(Version(1)), Some(Version(1)), false));
    assert_eq!((outcome.save_error, outcome.changes), (None, Vec::new()));
    assert_eq!(stored_version(&rig).await, Some(Version(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_never_saved_is_empty_again() {
    let rig = Rig::start().await;
    let workspace = rig.workspace_saving(Saving::AtEnd);
    for _ in 0..2 {
        let (_, page) = open(&workspace).await;
        assert_eq!(read(&rig, &page).await, nothing());
        write(&rig, &page, "of the run").await;
        workspace.reset().await;
    }
    let outcome = end(workspace).await.remove(0);
    assert_eq!((outcome.version, outcome.updated, outcome.save_error), (None, false, None));
    assert_eq!(stored_version(&rig).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_at_the_end_only_a_save_tells_and_writes_nothing() {
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace_saving(Saving::AtEnd);
    for _ in 0..2 {
        let (session, page) = open(&workspace).await;
        write(&rig, &page, "of the run").await;
        for outcome in [session.save(soon()).await.unwrap().unwrap(), workspace.save_all(soon()).await.remove(0)] {
            assert_eq!((outcome.version, outcome.updated, outcome.save_error.clone()), (Some(Version(1)), true, None));
            let wanted = ["changed cookie who", "changed indexeddb app/things", "changed localstorage token"];
            assert_eq!(changes(&outcome), wanted);
        }
        assert_eq!(stored_version(&rig).await, Some(Version(1)));
        workspace.reset().await;
    }
    let (session, page) = open(&workspace).await;
    assert_eq!(read(&rig, &page).await, written("saved"));
    write(&rig, &page, "of the last run").await;
    session.save(soon()).await.unwrap();
    let outcome = end(workspace).await.remove(0);
    assert_eq!((outcome.version, outcome.updated, outcome.save_error), (Some(Version(2)), true, None));
    rig.run(|_, page| async { assert_eq!(read(&rig, &{ page }).await, written("of the last run")) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_before_a_reset_is_what_it_goes_on_from() {
    let rig = Rig::start().await;
    saved(&rig, "first").await;
    let workspace = rig.workspace();
    let (_, page) = open(&workspace).await;
    write(&rig, &page, "second").await;
    let outcome = workspace.save_all(soon()).await.remove(0);
    assert_eq!((outcome.version, outcome.save_error), (Some(Version(2)), None));
    write(&rig, &page, "dropped").await;
    workspace.reset().await;
    let (session, page) = open(&workspace).await;
    assert_eq!((read(&rig, &page).await, session.version()), (written("second"), Some(Version(2))));
    write(&rig, &page, "third").await;
    let outcome = end(workspace).await.remove(0);
    assert_eq!((outcome.restored, outcome.version), (Some(Version(2)), Some(Version(3))));
    rig.run(|_, page| async { assert_eq!(read(&rig, &{ page }).await, written("third")) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_opened_again_without_the_store() {
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace();
    open(&workspace).await;
    workspace.reset().await;
    // Of the store only the lease is left.
    let database = rusqlite::Connection::open(rig.home.path().join("store").join("store.sqlite")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM part; DELETE FROM version;").unwrap();
    let (_, page) = open(&workspace).await;
    assert_eq!(read(&rig, &page).await, written("saved"));
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_held_across_a_reset_and_given_back_at_the_end() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    open(&workspace).await;
    workspace.reset().await;
    let other = rig.workspace();
    let busy = other.session(&id("acme"), &SessionOptions::default()).await.err().unwrap();
    assert_eq!(busy.code(), "session_busy");
    end(workspace).await;
    open(&other).await;
    end(other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_lease_was_lost_is_acquired_anew() {
    let rig = Rig::start().await;
    saved(&rig, "first").await;
    let workspace = rig.workspace();
    open(&workspace).await;
    let database = rusqlite::Connection::open(rig.home.path().join("store").join("store.sqlite")).unwrap();
    database.execute_batch("UPDATE session SET owner = NULL, holder = NULL, lease_end = NULL;").unwrap();
    let outcome = rig.run(|_, page| async { write(&rig, &{ page }, "second").await }).await;
    assert_eq!((outcome.version, outcome.save_error), (Some(Version(2)), None));
    assert_eq!(soon().race(workspace.lease_lost(&BTreeSet::new())).await, Some(id("acme")));
    workspace.reset().await;
    // The next run is not stopped for what the last one lost.
    assert_eq!(workspace.lease_lost(&BTreeSet::new()).now_or_never(), None);
    let (session, page) = open(&workspace).await;
    assert_eq!((read(&rig, &page).await, session.version()), (written("second"), Some(Version(2))));
    assert_eq!(end(workspace).await.remove(0).save_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_is_given_up_leaves_no_lease_and_no_context() {
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace_with(Inside::launch(&rig));
    workspace.current().await.unwrap();
    workspace.reset().await;
    let inside = Inside::of(&rig).await;
    for micros in (0..40_000).step_by(2_000) {
        let (acme, options) = (id("acme"), SessionOptions::default());
        let opening = workspace.session(&acme, &options);
        let _ = tokio::time::timeout(Duration::from_micros(micros), opening).await;
        workspace.reset().await;
    }
    let (_, page) = open(&workspace).await;
    assert_eq!(read(&rig, &page).await, written("saved"));
    workspace.reset().await;
    inside.becomes((0, 0)).await;
    end(workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_up_ahead_is_what_would_be_opened() {
    let rig = Rig::start().await;
    saved(&rig, "first").await;
    let workspace = rig.workspace();
    workspace.keep_warm().await;
    for (value, next) in [("first", "second"), ("second", "third")] {
        let (session, page) = open(&workspace).await;
        assert_eq!(read(&rig, &page).await, written(value));
        write(&rig, &page, next).await;
        let outcome = session.save(soon()).await.unwrap().unwrap();
        assert_eq!((outcome.save_error, outcome.updated), (None, true));
        write(&rig, &page, "dropped").await;
        workspace.keep_warm().await;
        workspace.reset().await;
    }
    // Set up for one, it is of no use to another, nor once more was saved.
    let nameless = workspace.current().await.unwrap();
    assert_eq!(read(&rig, &nameless.page().await.unwrap()).await, nothing());
    let (session, page) = open(&workspace).await;
    assert_eq!(read(&rig, &page).await, written("third"));
    workspace.keep_warm().await;
    write(&rig, &page, "fourth").await;
    session.save(soon()).await.unwrap();
    workspace.reset().await;
    let (_, page) = open(&workspace).await;
    assert_eq!(read(&rig, &page).await, written("fourth"));
    let outcome = end(workspace).await.remove(0);
    assert_eq!((outcome.restored, outcome.updated, outcome.save_error), (Some(Version(4)), false, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_before_a_reset_says_that_it_is_closed() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let (session, page) = open(&workspace).await;
    let throw_away = rig.workspace();
    let nameless = throw_away.current().await.unwrap();
    workspace.reset().await;
    throw_away.reset().await;
    let code = |error: rhaven::session::SessionError| error.code();
    assert_eq!(session.page().await.map(drop).map_err(code), Err("session_closed"));
    assert_eq!(session.save(soon()).await.map(drop).map_err(code), Err("session_closed"));
    assert_eq!(session.cookies(None, soon()).await.map(drop).map_err(code), Err("session_closed"));
    assert_eq!(nameless.page().await.map(drop).map_err(code), Err("session_closed"));
    assert!(session.pages().is_empty());
    let error = page.goto(&rig.url("/"), &GotoOptions::default(), soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "page_closed");
    let (_, page) = open(&workspace).await;
    goto(&page, &rig.url("/")).await;
    end(workspace).await;
    end(throw_away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_does_not_hold_up_a_reset() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let (session, page) = open(&workspace).await;
    write(&rig, &page, "x").await;
    evaluate(&page, "onbeforeunload = () => 'stay'; setTimeout(() => { for (;;); }, 0); 1").await;
    // A save that waits for this page is broken off.
    let save = tokio::spawn(async move { session.save(soon()).await.map(drop).map_err(|error| error.code()) });
    let quick = Deadline::after(Duration::from_secs(2));
    quick.race(workspace.reset()).await.expect("the reset waited for the page");
    assert!(matches!(save.await.unwrap(), Ok(()) | Err("session_closed")));
    let (_, page) = quick.race(open(&workspace)).await.expect("the next session waited for the page");
    goto(&page, &rig.url("/")).await;
    end(workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_killed_is_noticed_and_replaced() {
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace();
    let (old, page) = open(&workspace).await;
    write(&rig, &page, "never saved").await;
    let watcher = workspace.clone();
    let noticed = tokio::spawn(async move { watcher.browser_gone().await });
    let killed = workspace.browser_pid().await.unwrap();
    kill(killed);
    soon().race(noticed).await.expect("nobody noticed").unwrap();
    workspace.restart(None).await;
    assert_eq!(old.page().await.map(drop).map_err(|error| error.code()), Err("session_closed"));
    // The verb after it goes where the last one went.
    let session = workspace.current().await.unwrap();
    assert_eq!((session.id(), session.version()), (Some(&id("acme")), Some(Version(1))));
    assert_eq!(read(&rig, &session.page().await.unwrap()).await, written("saved"));
    assert_ne!(workspace.browser_pid().await, Some(killed));
    end(workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_no_accident_and_comes_back_to_the_current_session() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let watcher = workspace.clone();
    let mut gone = tokio::spawn(async move { watcher.browser_gone().await });
    let (_, page) = open(&workspace).await;
    write(&rig, &page, "kept").await;
    workspace.save_all(soon()).await;
    let other = workspace.session(&id("other"), &SessionOptions::default()).await.unwrap();
    open(&workspace).await;
    drop(other);
    let first = workspace.browser_pid().await.unwrap();
    workspace.restart(Some(LaunchOptions { args: vec!["--lang=cs".into()], ..LaunchOptions::default() })).await;
    assert!(!std::path::Path::new(&format!("/proc/{first}")).exists(), "the old browser lives");
    assert_eq!((workspace.browser_pid().await, workspace.open_page().is_none()), (None, true));
    let session = workspace.current().await.unwrap();
    assert_eq!(read(&rig, &session.page().await.unwrap()).await, written("kept"));
    let acme = OpenSession { id: id("acme"), version: Some(Version(1)), is_current: true };
    assert_eq!(workspace.opened(), std::slice::from_ref(&acme));
    workspace.session(&id("other"), &SessionOptions::default()).await.unwrap();
    let other = OpenSession { id: id("other"), version: None, is_current: true };
    assert_eq!(workspace.opened(), [OpenSession { is_current: false, ..acme }, other]);
    assert_eq!(workspace.list().await.unwrap().sessions.len(), 1);
    assert!(!gone.is_finished(), "a restart was taken for an accident");
    // Of the browser that runs now it tells as well.
    kill(workspace.browser_pid().await.unwrap());
    soon().race(&mut gone).await.expect("nobody noticed").unwrap();
    workspace.restart(None).await;
    assert_eq!(end(workspace).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_a_throw_away_session_is_a_fresh_one() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    write(&rig, &workspace.current().await.unwrap().page().await.unwrap(), "x").await;
    workspace.restart(None).await;
    let session = workspace.current().await.unwrap();
    assert_eq!((session.id(), read(&rig, &session.page().await.unwrap()).await), (None, nothing()));
    assert!(end(workspace).await.is_empty());
}

/// A second connection to the browser of a workspace, to count what is in it.
struct Inside {
    browser: Browser,
}

impl Inside {
    /// How a browser is started that can be looked into.
    fn launch(rig: &Rig) -> LaunchOptions {
        let args = vec!["--remote-debugging-port=0".into()];
        LaunchOptions { args, user_data_dir: Some(rig.home.path().join("profile")), ..LaunchOptions::default() }
    }

    async fn of(rig: &Rig) -> Self {
        let port_file = rig.home.path().join("profile").join("DevToolsActivePort");
        let (port, path) = loop {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                break (port.to_owned(), path.to_owned());
            }
            tokio::task::yield_now().await;
        };
        Self { browser: Browser::connect(&format!("ws://127.0.0.1:{port}{path}")).await.unwrap() }
    }

    /// How many contexts and targets there are.
    async fn counts(&self) -> (usize, usize) {
        let cdp = self.browser.cdp();
        let contexts = cdp.call(GetBrowserContextsParams::default()).await.unwrap().browser_context_ids.len();
        (contexts, cdp.call(GetTargetsParams::default()).await.unwrap().target_infos.len())
    }

    /// Waits until there are as many as `wanted`: closing takes its time.
    async fn becomes(&self, wanted: (usize, usize)) {
        let deadline = soon();
        loop {
            let now = self.counts().await;
            if now == wanted {
                return;
            }
            assert!(!deadline.passed(), "{now:?} contexts and targets are there instead of {wanted:?}");
        }
    }
}

/// Memory of this process that is in use, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_from_reset_to_reset() {
    let reruns = std::env::var("RHAVEN_SOAK_RERUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let rig = Rig::start().await;
    saved(&rig, "saved").await;
    let workspace = rig.workspace_with(Inside::launch(&rig));
    let mut first = None;
    for round in 0..reruns {
        let (session, page) = open(&workspace).await;
        let found = read(&rig, &page).await;
        let unsaved = session.save(soon()).await.err().map(|error| error.to_string());
        let version = session.version();
        assert_eq!((found, unsaved, version), (written("saved"), None, Some(Version(1))), "round {round}");
        // Of an origin that no page is open at any more: read in a hidden page.
        goto(&page, &rig.other_url("/")).await;
        let outcome = session.save(soon()).await.unwrap().unwrap();
        assert_eq!(
            (outcome.version, changes(&outcome), outcome.partial),
            (Some(Version(1)), Vec::new(), Vec::new()),
            "round {round}"
        );
        let inside = Inside::of(&rig).await;
        if round == 4 {
            first = Some((inside.counts().await, resident()));
        } else if let Some((wanted, _)) = first {
            inside.becomes(wanted).await;
        }
        inside.browser.close(soon()).await;
        workspace.keep_warm().await;
        workspace.reset().await;
    }
    if let Some((_, before)) = first {
        // Allocators keep some of what was in use at once; a leak of one page's state a round would be more.
        let grown = resident().saturating_sub(before);
        assert!(grown < 4_000 + 50 * reruns, "{grown} KiB more after {reruns} resets");
        eprintln!("{grown} KiB more after {reruns} resets");
    }
    end(workspace).await;
}
