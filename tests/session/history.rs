//! Going back and forth in a session's versions: history, diff, rollback, pins, forks; and opening one that others hold.

use rhaven::base::{Tenant, Version};
use rhaven::session::{HistoryEntry, Mode, Session, SessionError, SessionOptions, SessionOutcome, Workspace};
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, id, soon};

fn tenant() -> Tenant {
    Tenant::default()
}

fn named(changes: &[rhaven::session::Change]) -> Vec<String> {
    let mut lines: Vec<_> =
        changes.iter().map(|c| format!("{:?} {} {}", c.kind, c.store, c.name).to_lowercase()).collect();
    lines.sort();
    lines
}

/// Three versions: a token and a cookie, then another token, then a database and no cookie.
async fn three_versions(rig: &Rig) {
    rig.visit("localStorage.setItem('token', 'one'); document.cookie = 'who=one; max-age=9999'").await;
    rig.visit("localStorage.setItem('token', 'two')").await;
    let database =
        "new Promise(done => { const r = indexedDB.open('d'); r.onsuccess = () => { r.result.close(); done(); } })";
    rig.visit(&format!("document.cookie = 'who=; max-age=0'; {database}")).await;
}

/// A version that holds `letter`s in a blob.
async fn large(rig: &Rig, letter: char) {
    rig.visit(&format!("localStorage.setItem('token', '{letter}'.repeat(400000))")).await;
}

/// How many blobs the store holds.
fn blobs(rig: &Rig) -> usize {
    files_below(&rig.home.path().join("store/blobs"))
}

fn files_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

async fn open(workspace: &Workspace, name: &str, mode: Mode) -> Result<Session, SessionError> {
    workspace.session(&id(name), &SessionOptions { mode, ..SessionOptions::default() }).await
}

/// What a run of session `name` sees, and how it ends.
async fn seen(rig: &Rig, name: &str, script: &str) -> (Value, SessionOutcome) {
    let workspace = rig.workspace();
    let session = open(&workspace, name, Mode::Fail).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let answer = evaluate(&page, script).await;
    (answer, workspace.finish(soon()).await.remove(0))
}

const LOOKS: &str = "window.ready.then(() => [window.seen.token, window.seen.cookie, window.seen.databases])";

#[tokio::test(flavor = "multi_thread")]
async fn history_and_diff_name_what_changed_and_no_value() {
    let rig = Rig::start().await;
    three_versions(&rig).await;
    let sessions = rig.sessions().await.unwrap();
    let history = sessions.history(&tenant(), &id("acme")).await.unwrap().all().await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry: &HistoryEntry| {
            (entry.version.version.0, entry.against, named(entry.changes.as_deref().unwrap()).join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            (3, Some(Version(2)), "added indexeddb d, removed cookie who".to_owned()),
            (2, Some(Version(1)), "changed localstorage token".to_owned()),
            (1, None, "added cookie who, added localstorage token".to_owned()),
        ]
    );
    let text = serde_json::to_string(&history).unwrap();
    assert!(!text.contains("one") && !text.contains("two"), "{text}");

    let diff = async |from: Option<u64>, to: Option<u64>| {
        let diff = sessions.diff(&tenant(), &id("acme"), from.map(Version), to.map(Version)).await.unwrap();
        (diff.from.map(|version| version.0), diff.to.0, named(&diff.changes).join(", "))
    };
    assert_eq!(diff(None, None).await, (Some(2), 3, "added indexeddb d, removed cookie who".to_owned()));
    let all = "added indexeddb d, changed localstorage token, removed cookie who".to_owned();
    assert_eq!(diff(Some(1), None).await, (Some(1), 3, all));
    let back = "added cookie who, changed localstorage token, removed indexeddb d".to_owned();
    assert_eq!(diff(Some(3), Some(1)).await, (Some(3), 1, back));
    assert_eq!(diff(Some(2), Some(2)).await, (Some(2), 2, String::new()));
    let missing = sessions.diff(&tenant(), &id("acme"), Some(Version(7)), None).await.unwrap_err();
    assert_eq!(missing.to_string(), "session acme has no version v7; kept are v3, v2, v1");
    assert_eq!(missing.code(), "version_not_found");
    assert_eq!(sessions.history(&tenant(), &id("nobody")).await.err().unwrap().code(), "session_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_a_new_version_with_the_old_content() {
    let rig = Rig::start().await;
    three_versions(&rig).await;
    let sessions = rig.sessions().await.unwrap();
    let rolled = sessions.rollback(&tenant(), &id("acme"), Version(1)).await.unwrap();
    assert_eq!((rolled.from, rolled.to, rolled.version), (Version(3), Version(1), Version(4)));
    let diff = sessions.diff(&tenant(), &id("acme"), Some(Version(1)), Some(Version(4))).await.unwrap();
    assert_eq!(diff.changes, []);
    let (answer, outcome) = seen(&rig, "acme", LOOKS).await;
    assert_eq!(answer, json!(["one", "who=one", []]));
    assert_eq!((outcome.restored, outcome.updated), (Some(Version(4)), false));
    // What was left behind can be had again, and going to HEAD is no step.
    let again = sessions.rollback(&tenant(), &id("acme"), Version(3)).await.unwrap();
    assert_eq!(again.version, Version(5));
    assert_eq!(sessions.rollback(&tenant(), &id("acme"), Version(5)).await.unwrap().version, Version(5));
    let (answer, _) = seen(&rig, "acme", LOOKS).await;
    assert_eq!(answer, json!(["two", "", ["d"]]));

    let unknown = sessions.rollback(&tenant(), &id("acme"), Version(9)).await.unwrap_err();
    assert_eq!(unknown.to_string(), "session acme has no version v9; kept are v5, v4, v3, v2, v1");
    assert_eq!(sessions.rollback(&tenant(), &id("x"), Version(1)).await.unwrap_err().code(), "session_not_found");
    let workspace = rig.workspace();
    open(&workspace, "acme", Mode::Fail).await.unwrap();
    let busy = sessions.rollback(&tenant(), &id("acme"), Version(1)).await.unwrap_err();
    assert_eq!(busy.code(), "session_busy");
    workspace.finish(soon()).await;
    assert_eq!(sessions.show(&tenant(), &id("acme")).await.unwrap().version, Version(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_version_outlives_twenty_others() {
    let rig = Rig::start().await;
    large(&rig, 'p').await;
    let sessions = rig.sessions().await.unwrap();
    sessions.pin(&tenant(), &id("acme"), Version(1), true).await.unwrap();
    large(&rig, 'q').await;
    // Rollbacks are versions like others, and quick to make.
    for round in 0..22 {
        sessions.rollback(&tenant(), &id("acme"), Version(round + 2)).await.ok();
        let to = sessions.show(&tenant(), &id("acme")).await.unwrap().version.0 - 1;
        sessions.rollback(&tenant(), &id("acme"), Version(to.max(1))).await.unwrap();
    }
    let versions = sessions.history(&tenant(), &id("acme")).await.unwrap().versions();
    assert_eq!(versions.len(), 21, "20 and the pinned one");
    let oldest = versions.last().unwrap();
    assert_eq!((oldest.version, oldest.pinned), (Version(1), true));
    let entry = sessions.history(&tenant(), &id("acme")).await.unwrap().entry(versions[19].version).await.unwrap();
    assert_eq!(entry.against, Some(Version(1)));
    let before = sessions.rollback(&tenant(), &id("acme"), Version(1)).await.unwrap();
    let (answer, _) = seen(&rig, "acme", "window.seen.token[0]").await;
    assert_eq!(answer, json!("p"));
    sessions.pin(&tenant(), &id("acme"), Version(1), false).await.unwrap();
    sessions.rollback(&tenant(), &id("acme"), before.from).await.unwrap();
    let gone = sessions.pin(&tenant(), &id("acme"), Version(1), true).await.unwrap_err();
    assert_eq!(gone.code(), "version_not_found");
    let last = sessions.history(&tenant(), &id("acme")).await.unwrap().all().await.unwrap().pop().unwrap();
    assert_eq!(last.changes.map(|changes| changes.len()), None, "nobody knows what was before");
    assert_eq!(sessions.pin(&tenant(), &id("x"), Version(1), true).await.unwrap_err().code(), "session_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_the_state_and_a_life_of_its_own() {
    let rig = Rig::start().await;
    three_versions(&rig).await;
    let sessions = rig.sessions().await.unwrap();
    assert_eq!(sessions.fork(&tenant(), &id("acme"), &id("copy"), None).await.unwrap(), Version(3));
    assert_eq!(sessions.fork(&tenant(), &id("acme"), &id("old"), Some(Version(1))).await.unwrap(), Version(1));
    for (name, there) in [("copy", json!(["two", "", ["d"]])), ("old", json!(["one", "who=one", []]))] {
        let (answer, outcome) = seen(&rig, name, LOOKS).await;
        assert_eq!((answer, outcome.restored, outcome.updated), (there, Some(Version(1)), false));
    }
    seen(&rig, "copy", "localStorage.setItem('token', 'of the copy')").await;
    let (answer, _) = seen(&rig, "acme", LOOKS).await;
    assert_eq!(answer, json!(["two", "", ["d"]]));

    let code = async |from: &str, to: &str, version: Option<u64>| {
        sessions.fork(&tenant(), &id(from), &id(to), version.map(Version)).await.unwrap_err().code()
    };
    assert_eq!(code("acme", "copy", None).await, "session_exists");
    assert_eq!(code("acme", "acme", None).await, "session_exists");
    assert_eq!(code("nobody", "new", None).await, "session_not_found");
    assert_eq!(code("acme", "new", Some(8)).await, "version_not_found");
    assert_eq!(sessions.list(&tenant()).await.unwrap().sessions.len(), 3, "what failed left nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forks_blobs_outlive_its_source_and_go_with_the_last_of_them() {
    let rig = Rig::start().await;
    large(&rig, 'a').await;
    let sessions = rig.sessions().await.unwrap();
    sessions.fork(&tenant(), &id("acme"), &id("copy"), None).await.unwrap();
    sessions.fork(&tenant(), &id("copy"), &id("copy of the copy"), None).await.unwrap();
    assert_eq!(blobs(&rig), 1, "they are shared");
    sessions.delete(&tenant(), &id("acme")).await.unwrap();
    sessions.delete(&tenant(), &id("copy")).await.unwrap();
    assert_eq!(blobs(&rig), 1);
    let (answer, outcome) = seen(&rig, "copy of the copy", "[window.seen.token.length, window.seen.token[0]]").await;
    assert_eq!((answer, outcome.updated, outcome.save_error), (json!([400_000, "a"]), false, None));
    sessions.delete(&tenant(), &id("copy of the copy")).await.unwrap();
    assert_eq!(blobs(&rig), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_session_is_open_to_all_and_keeps_nothing() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let nobody = open(&workspace, "acme", Mode::ReadOnly).await.err().unwrap();
    assert_eq!(nobody.code(), "session_not_found");
    rig.visit("localStorage.setItem('token', 'kept'); document.cookie = 'who=me; max-age=9999'").await;
    let holder = rig.workspace();
    open(&holder, "acme", Mode::Fail).await.unwrap();

    let session = open(&workspace, "acme", Mode::ReadOnly).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "[window.seen.token, window.seen.cookie]").await, json!(["kept", "who=me"]));
    evaluate(&page, "localStorage.setItem('token', 'changed')").await;
    assert_eq!(named(&session.changes(soon()).await.unwrap().unwrap()), ["changed localstorage token"]);
    assert_eq!(session.save(soon()).await.unwrap_err().code(), "session_read_only");
    // The same one again, whatever the mode.
    assert!(open(&workspace, "acme", Mode::Fail).await.unwrap().is_read_only());
    let outcome = workspace.finish(soon()).await.remove(0);
    assert!(outcome.read_only && !outcome.updated && outcome.save_error.is_none(), "{outcome:?}");
    assert_eq!((outcome.restored, outcome.version), (Some(Version(1)), Some(Version(1))));
    assert_eq!(holder.finish(soon()).await[0].version, Some(Version(1)));

    // What is open to be saved is not made read-only behind the script's back.
    let workspace = rig.workspace();
    open(&workspace, "acme", Mode::Fail).await.unwrap();
    assert_eq!(open(&workspace, "acme", Mode::ReadOnly).await.err().unwrap().code(), "session_read_only");
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_gives_the_lease_back_where_the_session_is_only_read_afterwards() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'kept')").await;
    let workspace = rig.workspace();
    open(&workspace, "acme", Mode::Fail).await.unwrap();
    workspace.reset().await;
    assert!(open(&workspace, "acme", Mode::ReadOnly).await.unwrap().is_read_only());
    let other = rig.workspace();
    open(&other, "acme", Mode::Fail).await.unwrap();
    other.finish(soon()).await;
    workspace.reset().await;
    assert!(!open(&workspace, "acme", Mode::Fail).await.unwrap().is_read_only());
    assert_eq!(workspace.finish(soon()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_stands_in_for_a_busy_session_and_says_so() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'kept')").await;
    let holder = rig.workspace();
    let held = open(&holder, "acme", Mode::Fork).await.unwrap();
    assert_eq!(held.id(), Some(&id("acme")), "it was free");
    assert_eq!(held.version(), Some(Version(1)));

    let (first, second) = (rig.workspace(), rig.workspace());
    let forks = [open(&first, "acme", Mode::Fork).await.unwrap(), open(&second, "acme", Mode::Fork).await.unwrap()];
    assert_eq!(forks.each_ref().map(|fork| fork.id().unwrap().as_str()), ["acme.fork-1", "acme.fork-2"]);
    let notices = first.take_notices().join("\n");
    assert!(notices.contains("session acme is in use by rhaven test (pid "), "{notices}");
    assert!(notices.contains("this run works on a fork of it, session acme.fork-1"), "{notices}");
    let page = forks[0].page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "window.seen.token").await, json!("kept"));
    evaluate(&page, "localStorage.setItem('token', 'of the fork')").await;
    // The id that was asked for means the fork for the rest of the run, and after a reset.
    assert_eq!(open(&first, "acme", Mode::Fail).await.unwrap().id(), Some(&id("acme.fork-1")));
    forks[0].save(soon()).await.unwrap();
    first.reset().await;
    let again = open(&first, "acme", Mode::Fork).await.unwrap();
    assert_eq!((again.id(), again.version()), (Some(&id("acme.fork-1")), Some(Version(2))));

    let outcome = first.finish(soon()).await.remove(0);
    assert_eq!((outcome.id, outcome.forked_from), (id("acme.fork-1"), Some(id("acme"))));
    assert_eq!(outcome.version, Some(Version(2)));
    second.finish(soon()).await;
    assert_eq!(holder.finish(soon()).await[0].forked_from, None);
    let (answer, outcome) = seen(&rig, "acme", "window.seen.token").await;
    assert_eq!((answer, outcome.version), (json!("kept"), Some(Version(1))));
    assert_eq!(seen(&rig, "acme.fork-1", "window.seen.token").await.0, json!("of the fork"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_a_session_that_was_never_saved_begins_empty() {
    let rig = Rig::start().await;
    let (holder, other) = (rig.workspace(), rig.workspace());
    open(&holder, "acme", Mode::Fail).await.unwrap();
    let fork = open(&other, "acme", Mode::Fork).await.unwrap();
    assert_eq!((fork.id(), fork.version()), (Some(&id("acme.fork-1")), None));
    let outcome = other.finish(soon()).await.remove(0);
    assert_eq!((outcome.version, outcome.forked_from), (None, Some(id("acme"))));
    holder.finish(soon()).await;
    assert!(rig.sessions().await.unwrap().list(&tenant()).await.unwrap().sessions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_session_is_forked_as_it_is_now() {
    let rig = Rig::start().await;
    large(&rig, 'a').await;
    rig.visit("document.cookie = 'who=me; max-age=9999'").await;
    let workspace = rig.workspace();
    let session = open(&workspace, "acme", Mode::Fail).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.other_url("/")).await;
    evaluate(&page, "localStorage.setItem('token', 'now')").await;
    assert_eq!(named(&session.changes(soon()).await.unwrap().unwrap()), ["added localstorage token"]);
    assert!(session.fork(&id("copy"), soon()).await.unwrap());
    assert_eq!(session.fork(&id("copy"), soon()).await.unwrap_err().code(), "session_exists");
    assert_eq!(session.version(), Some(Version(2)), "it was not saved by that");
    assert_eq!(session.history().await.unwrap().unwrap().len(), 2);
    evaluate(&page, "localStorage.clear()").await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.version, changes(&outcome)), (Some(Version(2)), vec![]));

    let workspace = rig.workspace();
    let copy = open(&workspace, "copy", Mode::Fail).await.unwrap();
    let page = copy.page().await.unwrap();
    goto(&page, &rig.other_url("/")).await;
    assert_eq!(evaluate(&page, "window.seen.token").await, json!("now"));
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "[window.seen.token.length, window.seen.cookie]").await, json!([400_000, "who=me"]));
    workspace.finish(soon()).await;
}
