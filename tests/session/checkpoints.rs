//! What a run that is killed leaves: everything that it had some seconds before, as a version, when the session is next opened;
//! and nothing of it where it ended well.

use std::time::{Duration, Instant};

use rhaven::base::{Fence, Tenant, Version};
use rhaven::seal::Sealed;
use rhaven::session::{Guard, LeftIn, Mode, SessionOptions, SessionOutcome};
use rhaven::store::{AcquireRequest, Acquired, OwnerId, RecordName, Records, SqliteStore};
use serde_json::{Value, json};

use super::dying::Run;
use super::rig::{Rig, evaluate, goto, id, soon};

/// Writes `value` to cookies, localStorage, sessionStorage and IndexedDB.
fn write(value: &str) -> String {
    let script = "(async value => {
        document.cookie = `who=${value}; max-age=9999`;
        localStorage.setItem('token', value);
        sessionStorage.setItem('step', value);
        const done = request => new Promise((good, bad) => { request.onsuccess = () => good(request.result); request.onerror = bad; });
        const open = indexedDB.open('app', 1);
        open.onupgradeneeded = () => open.result.createObjectStore('things');
        const db = await done(open);
        await done(db.transaction('things', 'readwrite').objectStore('things').put(value, 'thing'));
        db.close();
    })";
    format!("{}({})", script.replace('\n', " "), json!(value))
}

/// What is in them.
const READ: &str = "(async () => {
    const done = request => new Promise((good, bad) => { request.onsuccess = () => good(request.result); request.onerror = bad; });
    let thing = null;
    if ((await indexedDB.databases()).length) {
        const db = await done(indexedDB.open('app'));
        thing = await done(db.transaction('things').objectStore('things').get('thing'));
        db.close();
    }
    return [document.cookie, localStorage.getItem('token'), sessionStorage.getItem('step'), thing];
})()";

fn written(value: &str) -> Value {
    json!([format!("who={value}"), value, value, value])
}

/// A run up to the moment in which a checkpoint has `value`.
fn kept(rig: &Rig, value: &str) -> Run {
    let mut run = Run::start(rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    run.order(&format!("evaluate {}", write(value)));
    run.next("checkpoint.written").expect("a checkpoint");
    run
}

/// The next run: what it was told, what it finds, how it ends.
async fn next(rig: &Rig) -> (Vec<String>, Value, SessionOutcome) {
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let notices = workspace.take_notices();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let found = evaluate(&page, READ).await;
    (notices, found, workspace.finish(soon()).await.remove(0))
}

fn told(notices: &[String], text: &str) -> bool {
    notices.iter().any(|notice| notice.contains(text))
}

async fn left(rig: &Rig) -> Vec<LeftIn> {
    let left = rig.sessions().await.unwrap().left(&Tenant::default(), &id("acme")).await.unwrap();
    left.into_iter().map(|left| left.place).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_frame_of_another_site_kept_outlives_a_kill() {
    let rig = Rig::start().await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    let embed = format!(
        "new Promise(done => {{ addEventListener('message', done, {{once: true}}); \
         const f = document.createElement('iframe'); f.src = '{}'; document.body.append(f); }}).then(() => 1)",
        rig.other_url("/telling?local")
    );
    run.order(&format!("evaluate {embed}"));
    run.next("checkpoint.written").expect("a checkpoint");
    run.kill();
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let frame = super::embedded::embed(&page, &page.main_frame(), &rig.other_url("/first")).await;
    let found = frame.evaluate("[window.first.step, localStorage.getItem('token')]", None, soon()).await.unwrap();
    assert_eq!(found, json!(["1", "1"]));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.updated, outcome.recovered), (None, false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_had_is_a_version_when_the_session_is_next_opened() {
    let rig = Rig::start().await;
    for (round, value) in ["first", "second"].into_iter().enumerate() {
        kept(&rig, value).kill();
        assert_eq!(left(&rig).await, [LeftIn::Checkpoint]);
        let (notices, found, outcome) = next(&rig).await;
        let version = Version(round as u64 + 1);
        assert!(told(&notices, &format!("they are {version} now")), "{notices:?}");
        assert_eq!(found, written(value));
        let facts = (outcome.recovered, outcome.restored, outcome.version, outcome.updated, outcome.save_error);
        assert_eq!(facts, (true, Some(version), Some(version), false, None));
        assert_eq!(left(&rig).await, []);
    }
    let (notices, _, outcome) = next(&rig).await;
    assert!(!outcome.recovered && !told(&notices, "without saving"), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_well_leaves_nothing_to_recover() {
    let rig = Rig::start().await;
    let mut run = kept(&rig, "first");
    run.order(&format!("evaluate {}", write("last")));
    let (outcome, _) = run.end();
    assert_eq!((&outcome["version"], &outcome["recovered"]), (&json!(1), &json!(false)));
    assert_eq!(left(&rig).await, []);
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, outcome.version, found), (false, Some(Version(1)), written("last")), "{notices:?}");
    // Nor does one whose changes a save has written: what it had is older than that.
    let mut run = kept(&rig, "checkpoint");
    run.order(&format!("evaluate {}", write("saved")));
    run.order("save");
    run.kill();
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, outcome.version, found), (false, Some(Version(2)), written("saved")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_a_save_has_replaced_is_not_counted_on() {
    let rig = Rig::start().await;
    let mut run = kept(&rig, "first");
    run.order("save");
    // No time is left to read the state, which takes seconds here: the page is stuck.
    run.order("evaluate setTimeout(() => { for (;;) {} }, 0)");
    run.begin("end 0");
    let outcome: Value = serde_json::from_str(&run.next("outcome").expect("an outcome")).unwrap();
    let error = outcome["save_error"].to_string();
    assert!(error.contains("timeout") && !error.contains("checkpoint"), "{error}");
    assert_eq!(outcome["version"], json!(1));
    drop(run);
    assert_eq!(left(&rig).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_guard_has_passed_is_no_version_in_the_report_either() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    kept(&rig, "unknown").kill();
    let workspace = rig.workspace();
    let options = SessionOptions { guard: Some(Guard::at(rig.url("/"))), ..SessionOptions::default() };
    workspace.session(&id("acme"), &options).await.unwrap();
    workspace.reset().await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.recovered, outcome.version), (false, Some(Version(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_run_writes_none_and_one_in_which_nothing_changes_no_second() {
    let rig = Rig::start().await;
    let mut run = Run::start(&rig, None);
    run.next("browser").unwrap();
    let began = Instant::now();
    run.order(&format!("goto {}", rig.url("/")));
    run.order(&format!("evaluate {}", write("short")));
    let (_, seen) = run.end();
    // However slow the machine is: none begins before two seconds are over.
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) || !told(&seen, "checkpoint."), "{took:?}: {seen:?}");

    let mut run = kept(&rig, "long");
    let before = run.seen().len();
    // Looked at again, as cookies have no events; and there is nothing to write.
    run.next("checkpoint.read").unwrap();
    run.order("evaluate 1");
    assert!(!told(&run.seen()[before..], "checkpoint.sealed"), "{:?}", run.seen());
    let (saved, _) = run.end();
    assert_eq!(saved["version"], json!(2));
    // What was put back is worth no checkpoint, and the one that there is goes.
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    for value in ["longer", "long"] {
        run.order(&format!("evaluate localStorage.setItem('token', {})", json!(value)));
        run.next("checkpoint.written").unwrap();
    }
    run.kill();
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, found), (false, written("long")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_each_kind_is_noticed_by_itself() {
    let rig = Rig::start().await;
    let mut run = kept(&rig, "first");
    let put = "(async () => { const open = indexedDB.open('app'); await new Promise(done => open.onsuccess = done);
        const transaction = open.result.transaction('things', 'readwrite');
        transaction.objectStore('things').put('second', 'thing');
        await new Promise(done => transaction.oncomplete = done); open.result.close(); })()";
    let changes = [
        ("IndexedDB", put),
        ("Cache Storage", "caches.open('c').then(cache => cache.put('/x', new Response('x')))"),
        ("sessionStorage", "sessionStorage.setItem('step', 'second')"),
        ("localStorage", "localStorage.setItem('token', 'second')"),
        ("cookies", "document.cookie = 'who=second; max-age=9999'"),
        ("a database that goes", "new Promise(done => indexedDB.deleteDatabase('app').onsuccess = done)"),
    ];
    for (kind, script) in changes {
        run.order(&format!("evaluate {}", script.replace('\n', " ")));
        assert!(run.next("checkpoint.written").is_some(), "{kind}");
    }
    run.kill();
    let (_, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, found), (true, json!(["who=second", "second", "second", null])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named_and_disturbs_nobody() {
    let rig = Rig::start().await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.url("/cookies?sid=1;%20max-age=999")));
    // The script is stuck in the page; the cookies are read all the same.
    run.begin("evaluate localStorage.setItem('token', 'never seen'); for (;;);");
    run.next("checkpoint.written").unwrap();
    run.kill();
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, outcome.version), (true, Some(Version(1))));
    assert_eq!((&found[0], &found[1]), (&json!("sid=1"), &Value::Null));
    let origin = rig.url("/");
    assert!(told(&notices, &format!("not among them is what may have changed at {origin}")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_left_out_and_named() {
    let rig = Rig::start().await;
    let mut run = kept(&rig, "small");
    let many = "(async () => { const open = indexedDB.open('app'); await new Promise(done => open.onsuccess = done);
        for (let n = 0; n < 6; n++) {
            const transaction = open.result.transaction('things', 'readwrite');
            transaction.objectStore('things').put('x'.repeat(1e6) + n, n);
            await new Promise(done => transaction.oncomplete = done);
        }
        open.result.close(); document.cookie = 'who=large; max-age=9999'; })()";
    run.order(&format!("evaluate {}", many.replace('\n', " ")));
    run.next("checkpoint.written").unwrap();
    // Once more, as the last one may have been read between two of the records.
    run.order("evaluate document.cookie = 'who=larger; max-age=9999'; localStorage.setItem('token', 'large')");
    run.next("checkpoint.written").unwrap();
    run.kill();
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, &found[0], &found[1]), (true, &json!("who=larger"), &Value::Null));
    let origin = rig.url("/");
    assert!(told(&notices, &format!("not among them is what may have changed at {origin}")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_dies_leaves_what_the_last_checkpoint_had() {
    let rig = Rig::start().await;
    let run = kept(&rig, "before");
    let browser = run.seen().iter().find_map(|line| line.strip_prefix("browser ")).unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(browser).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    let (outcome, _) = run.end();
    assert_eq!(outcome["save_error"][0], json!("browser_gone"));
    assert!(outcome["save_error"][1].as_str().unwrap().contains("when the session is next opened"), "{outcome}");
    let (_, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, found), (true, written("before")));
}

/// The only session of the store, and who holds it.
async fn only(store: &SqliteStore) -> (RecordName, Option<Sealed>) {
    let kept = store.all(None, 10).await.unwrap().remove(0);
    (kept.name, kept.holder)
}

/// Takes the lease from whoever has it.
async fn steal(store: &SqliteStore, lease: Duration) -> (RecordName, OwnerId, Fence) {
    let (name, holder) = only(store).await;
    let owner = OwnerId([7; 16]);
    let holder = holder.expect("somebody holds it");
    let mut request = AcquireRequest { owner, holder, lease, replace: None, prefetch: 0 };
    let Acquired::Held(held) = store.acquire(&name, &request).await.unwrap() else { panic!("nobody held it") };
    request.replace = Some(held.owner);
    let Acquired::Granted(granted) = store.acquire(&name, &request).await.unwrap() else { panic!("it is held") };
    (name, owner, granted.fence)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lease_writes_none() {
    let rig = Rig::start().await;
    let mut run = kept(&rig, "mine");
    let store = SqliteStore::open(&rig.home.path().join("store")).unwrap();
    let (name, ..) = steal(&store, Duration::from_mins(1)).await;
    let before = store.waiting(&name).await.unwrap().unwrap();
    run.order(&format!("evaluate {}", write("not mine any more")));
    run.order("lost");
    let (outcome, seen) = run.end();
    assert_eq!(outcome["save_error"][0], json!("lease_lost"));
    assert_eq!(seen.iter().filter(|line| *line == "checkpoint.written").count(), 1, "{seen:?}");
    let after = store.waiting(&name).await.unwrap().unwrap();
    assert!(after.state == before.state && after.saved_at == before.saved_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_fit_is_dropped_with_a_word() {
    let rig = Rig::start().await;
    for (base, word) in [(Some(Version(9)), "goes on from v9"), (None, "cannot be opened")] {
        kept(&rig, "left").kill();
        let store = SqliteStore::open(&rig.home.path().join("store")).unwrap();
        let (name, owner, fence) = steal(&store, Duration::from_mins(1)).await;
        let state = store.waiting(&name).await.unwrap().unwrap().state;
        // It is sealed for another fence than this.
        store.checkpoint(&name, owner, fence, base, &state).await.unwrap();
        store.renew(&name, owner, fence, Duration::ZERO).await.unwrap();
        let (notices, found, outcome) = next(&rig).await;
        assert!(told(&notices, "is dropped") && told(&notices, word), "{notices:?}");
        assert_eq!((outcome.recovered, outcome.version, &found[1]), (false, None, &Value::Null));
        assert_eq!(left(&rig).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_leaves_it_where_it_is() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'saved')").await;
    kept(&rig, "left").kill();
    let workspace = rig.workspace();
    let read_only = SessionOptions { mode: Mode::ReadOnly, ..SessionOptions::default() };
    let session = workspace.session(&id("acme"), &read_only).await.unwrap();
    assert_eq!(session.version(), Some(Version(1)));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert!(!outcome.recovered);
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    assert_eq!((info.version, info.left.len()), (Version(1), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_taken_up_or_dropped_without_a_run() {
    let rig = Rig::start().await;
    let (sessions, tenant, acme) = (rig.sessions().await.unwrap(), Tenant::default(), id("acme"));
    let ttl = Some(Duration::from_secs(999));
    assert_eq!(sessions.recover(&tenant, &acme, ttl).await.map(drop).unwrap_err().code(), "session_not_found");
    let run = kept(&rig, "first");
    assert_eq!(sessions.recover(&tenant, &acme, ttl).await.map(drop).unwrap_err().code(), "session_busy");
    run.kill();
    let (taken, notices) = sessions.recover(&tenant, &acme, ttl).await.unwrap();
    assert_eq!((taken.len(), taken[0].from, taken[0].version), (1, LeftIn::Checkpoint, Some(Version(1))));
    let names: Vec<_> = taken[0].changes.iter().map(|change| change.name.as_str()).collect();
    assert!(["who", "token", "step", "app/things"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(told(&notices, "they are v1 now"));
    let (again, _) = sessions.recover(&tenant, &acme, ttl).await.unwrap();
    assert!(again.is_empty());

    kept(&rig, "second").kill();
    assert_eq!(sessions.discard_left(&tenant, &acme).await.unwrap(), 1);
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, outcome.version, found), (false, Some(Version(1)), written("first")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_change_while_one_waits() {
    let rig = Rig::start().await;
    let run = kept(&rig, "before any version");
    let sessions = rig.sessions().await.unwrap();
    let old = sessions.key_uses().await.unwrap().remove(0);
    sessions.rotate(&Tenant::default()).await.unwrap();
    run.kill();
    // Under the tenant's key there is only what is no version yet: it keeps the old key from being retired.
    assert_eq!(sessions.retire(&old.id).await.unwrap_err().code(), "key_in_use");
    let (_, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, found), (true, written("before any version")));
    sessions.retire(&old.id).await.unwrap();

    let run = kept(&rig, "under its own key");
    let old = sessions.key_uses().await.unwrap().remove(0);
    sessions.rotate(&Tenant::default()).await.unwrap();
    run.kill();
    let (_, found, outcome) = next(&rig).await;
    assert_eq!((outcome.recovered, found), (true, written("under its own key")));
    sessions.retire(&old.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_point_loses_nothing_that_was_written() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'saved')").await;
    for point in ["checkpoint.read", "checkpoint.sealed", "checkpoint.written"] {
        let mut run = Run::start(&rig, Some(point));
        run.order(&format!("goto {}", rig.url("/")));
        run.begin(&format!("evaluate {}", write("left")));
        run.dies();
        let is_written = point == "checkpoint.written";
        assert_eq!(left(&rig).await.len(), usize::from(is_written), "{point}");
    }
    let version = Version(2);
    for point in ["recover.opened", "recover.sealed", "recover.committed"] {
        let run = Run::start(&rig, Some(point));
        run.dies();
        let is_version = point == "recover.committed";
        assert_eq!(left(&rig).await.len(), usize::from(!is_version), "{point}");
    }
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((outcome.version, outcome.recovered, found), (Some(version), false, written("left")), "{notices:?}");
}
