//! A store that is away when a run ends: what could not be saved waits, sealed, on this machine, and is applied by the next
//! run if nobody has written the session since; else it is a fork.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rhaven::base::{Tenant, Version};
use rhaven::session::{LeftIn, SessionOptions, SessionOutcome};
use rhaven::store::{Records, SqliteStore};
use serde_json::json;

use super::dying::Run;
use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// Another process that writes to the store and does not end: nobody else can write meanwhile.
struct Away(rusqlite::Connection);

impl Away {
    fn begin(rig: &Rig) -> Self {
        let store = rusqlite::Connection::open(rig.home.path().join("store/store.sqlite")).unwrap();
        store.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(store)
    }

    fn end(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// The files that wait.
fn files(rig: &Rig) -> Vec<PathBuf> {
    let Ok(entries) = rig.home.path().join("outbox").read_dir() else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Ends when something waits and the store is there again, or never.
async fn comes_back(rig: &Rig, away: Away) {
    while !files(rig).iter().any(|file| file.extension().is_some_and(|ending| ending == "sealed")) {
        tokio::task::yield_now().await;
    }
    away.end();
}

/// A run that changes `token` and cannot save it.
async fn unsaved(rig: &Rig, value: &str) -> SessionOutcome {
    unsaved_after(rig, &format!("localStorage.setItem('token', {}); document.cookie = 'who=me'", json!(value))).await
}

/// A run that cannot save what `script` changes.
async fn unsaved_after(rig: &Rig, script: &str) -> SessionOutcome {
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, script).await;
    // No time is left for a store that is away.
    let away = Away::begin(rig);
    let (mut outcomes, ()) = tokio::join!(
        workspace.finish(rhaven::base::Deadline::after(std::time::Duration::from_secs(10))),
        comes_back(rig, away)
    );
    outcomes.remove(0)
}

async fn next(rig: &Rig) -> (Vec<String>, serde_json::Value, SessionOutcome) {
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let notices = workspace.take_notices();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let found = evaluate(&page, "[localStorage.getItem('token'), document.cookie]").await;
    (notices, found, workspace.finish(soon()).await.remove(0))
}

fn told(notices: &[String], text: &str) -> bool {
    notices.iter().any(|notice| notice.contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_saved_is_a_version_after_the_next_opening() {
    let rig = Rig::start().await;
    let (mut saved, mut value) = (None, String::new());
    // Without a version before it, and with one.
    for round in 1..=2 {
        value = format!("round {round}");
        let outcome = unsaved(&rig, &value).await;
        let (code, message) = outcome.save_error.clone().expect("it was saved");
        assert_eq!((code.as_str(), outcome.kept_in_outbox, outcome.version), ("store_unavailable", true, saved));
        assert!(message.contains("kept in the outbox; applied by the next run"), "{message}");
        assert!(changes(&outcome).iter().any(|change| change.ends_with("localstorage token")), "{outcome:?}");
        let waiting = files(&rig);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        let mode = |path: &PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&waiting[0]), mode(&rig.home.path().join("outbox"))), (0o600, 0o700));
        let bytes = std::fs::read(&waiting[0]).unwrap();
        let name = waiting[0].to_string_lossy().into_owned();
        for clear in ["acme", "round", "token", "127.0.0.1"] {
            assert!(!name.contains(clear) && !bytes.windows(clear.len()).any(|at| at == clear.as_bytes()), "{clear}");
        }
        let sessions = rig.sessions().await.unwrap();
        sessions.use_outbox(rig.home.path().join("outbox"));
        assert_eq!(sessions.outbox_of(&Tenant::default()).len(), 1);
        let left = sessions.left(&Tenant::default(), &id("acme")).await.unwrap();
        assert_eq!(left.iter().map(|left| left.place).collect::<Vec<_>>(), [LeftIn::Outbox]);

        let (notices, found, outcome) = next(&rig).await;
        saved = Some(Version(round));
        assert!(told(&notices, &format!("as the store was away, is v{round} now")), "{notices:?}");
        assert_eq!((found, outcome.restored, outcome.updated), (json!([value, "who=me"]), saved, false));
        assert_eq!(files(&rig), [] as [PathBuf; 0]);
    }
    let (notices, found, outcome) = next(&rig).await;
    assert!(!told(&notices, "away"), "{notices:?}");
    assert_eq!((found, outcome.version), (json!([value, "who=me"]), saved));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_it_is_named() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first')").await;
    let large = "new Promise(done => { document.cookie = 'who=me'; const r = indexedDB.open('large', 1);
        r.onupgradeneeded = () => r.result.createObjectStore('s').put('x'.repeat(6e6), 'k');
        r.onsuccess = () => { r.result.close(); done(); }; })";
    let outcome = unsaved_after(&rig, large).await;
    let (_, message) = outcome.save_error.clone().expect("it was saved");
    let wanted = format!("; what changed at {} is lost, as it is too large for that", rig.url("/"));
    assert!(outcome.kept_in_outbox && message.ends_with(&wanted), "{message}");
    let (notices, found, _) = next(&rig).await;
    let wanted = format!("is v2 now; not among them is what may have changed at {}", rig.url("/"));
    assert!(told(&notices, &wanted), "{notices:?}");
    assert_eq!(found, json!(["first", "who=me"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_have_written_since_it_is_a_fork() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first'); localStorage.setItem('other', 'kept')").await;
    assert!(unsaved(&rig, "mine").await.kept_in_outbox);
    // Somebody on another machine does not know of the outbox.
    let waiting = files(&rig).remove(0);
    let elsewhere = rig.home.path().join("elsewhere");
    std::fs::rename(&waiting, &elsewhere).unwrap();
    rig.visit("localStorage.setItem('token', 'theirs')").await;
    std::fs::rename(&elsewhere, &waiting).unwrap();

    let (notices, found, outcome) = next(&rig).await;
    assert!(told(&notices, "is in session acme.fork-1: others have written"), "{notices:?}");
    assert_eq!((&found[0], outcome.version, outcome.updated), (&json!("theirs"), Some(Version(2)), false));
    assert_eq!(json!(outcome)["forked_to"], json!("acme.fork-1"));
    assert_eq!(files(&rig), [] as [PathBuf; 0]);
    // The run after that has nothing to do with it.
    assert_eq!(next(&rig).await.2.forked_to, None);
    let workspace = rig.workspace();
    let fork = workspace.session(&id("acme.fork-1"), &SessionOptions::default()).await.unwrap();
    let page = fork.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let found =
        evaluate(&page, "[localStorage.getItem('token'), localStorage.getItem('other'), document.cookie]").await;
    assert_eq!(found, json!(["mine", "kept", "who=me"]));
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_on_the_way_applies_it_once() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first')").await;
    assert!(unsaved(&rig, "mine").await.kept_in_outbox);
    for point in ["outbox.applied", "outbox.removed"] {
        let run = Run::start(&rig, Some(point));
        run.dies();
        assert_eq!(files(&rig).len(), usize::from(point == "outbox.applied"), "{point}");
    }
    let (notices, found, outcome) = next(&rig).await;
    assert_eq!((&found[0], outcome.version, outcome.updated), (&json!("mine"), Some(Version(2)), false));
    assert!(!told(&notices, "fork"), "{notices:?}");
    let sessions = rig.sessions().await.unwrap().list(&Tenant::default()).await.unwrap().sessions;
    assert_eq!(sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_it_is_written_leaves_it_or_what_was_before() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first')").await;
    for (point, found) in [("outbox.written", "first"), ("outbox.kept", "second")] {
        let mut run = Run::start(&rig, Some(point));
        run.order(&format!("goto {}", rig.url("/")));
        run.order("evaluate localStorage.setItem('token', 'second')");
        let away = Away::begin(&rig);
        run.begin("end 10");
        run.dies();
        away.end();
        let (notices, seen, _) = next(&rig).await;
        assert_eq!(seen[0], json!(found), "{point}: {notices:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_comes_back_in_time_is_waited_for() {
    let rig = Rig::start().await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    run.order("evaluate localStorage.setItem('token', 'late')");
    let away = Away::begin(&rig);
    run.begin("save");
    run.next("save.away").expect("a first attempt that failed");
    away.end();
    run.next("done").expect("the save");
    let (outcome, _) = run.end();
    assert_eq!((&outcome["version"], &outcome["kept_in_outbox"]), (&json!(1), &json!(false)));
    assert_eq!(files(&rig), [] as [PathBuf; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_with_its_session() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first')").await;
    assert!(unsaved(&rig, "mine").await.kept_in_outbox);
    let (tenant, acme) = (Tenant::default(), id("acme"));
    let sessions = rig.sessions().await.unwrap();
    sessions.use_outbox(rig.home.path().join("outbox"));
    sessions.delete(&tenant, &acme).await.unwrap();
    assert_eq!(files(&rig), [] as [PathBuf; 0]);
    assert!(unsaved(&rig, "new").await.kept_in_outbox);
    // Where there is no version it is under the tenant's key, which it keeps from being retired.
    assert_eq!(sessions.key_uses().await.unwrap()[0].runs, 1);
    assert_eq!(sessions.discard_left(&tenant, &acme).await.unwrap(), 1);
    assert_eq!(files(&rig), [] as [PathBuf; 0]);
    let (_, found, outcome) = next(&rig).await;
    assert_eq!((&found[0], outcome.version), (&json!(null), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_with_a_session_that_a_run_deletes() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'first')").await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    // It came while the run went on, from one that had lost the lease.
    let sessions = rig.sessions().await.unwrap();
    sessions.use_outbox(rig.home.path().join("outbox"));
    let name = waiting_name(&rig).await;
    std::fs::create_dir_all(rig.home.path().join("outbox")).unwrap();
    std::fs::write(rig.home.path().join("outbox").join(name), "sealed").unwrap();
    assert_eq!(sessions.left(&Tenant::default(), &id("acme")).await.unwrap().len(), 1);
    workspace.delete(&session).await.unwrap();
    assert_eq!(files(&rig), [] as [PathBuf; 0]);
    assert!(workspace.finish(soon()).await.remove(0).deleted);
}

/// How a state of session `acme` would be called: as its record is in the store.
async fn waiting_name(rig: &Rig) -> String {
    let store = SqliteStore::open(&rig.home.path().join("store")).unwrap();
    let name = Records::all(&store, None, 1).await.unwrap().remove(0).name;
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    format!("{}-{}-{:016x}.sealed", hex(&name.tenant.0), hex(&name.session.0), 1)
}
