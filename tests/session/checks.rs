//! Checks of whether a session is signed in: what the tab has in which they are made, and what of them is saved.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::target::GetTargetsParams;
use rhaven::base::{Tenant, Version};
use rhaven::page::{Page, Selector};
use rhaven::session::{Admission, Guard, Session, SessionOptions, Workspace};
use rhaven::store::{Records, SqliteStore};
use serde_json::json;

use super::dying::Run;
use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// Shows `#in` where the tab's sessionStorage has a token.
const BY_TAB: &str = "/by-tab";

async fn open(workspace: &Workspace, guard: Guard) -> Session {
    let options = SessionOptions { guard: Some(guard), ..SessionOptions::default() };
    workspace.session(&id("acme"), &options).await.unwrap()
}

fn shows(rig: &Rig, path: &str) -> Guard {
    let timeout = Duration::from_secs(3);
    Guard { visible: Some(Selector::parse("#in").unwrap()), timeout, ..Guard::at(rig.url(path)) }
}

/// The tabs that there are, once those at `path` are gone.
async fn tabs_without(page: &Page, path: &str) -> Vec<String> {
    let deadline = soon();
    loop {
        let all = page.target().cdp().call(GetTargetsParams::default()).await.unwrap().target_infos;
        let tabs: Vec<String> = all.into_iter().filter(|one| one.r#type == "page").map(|one| one.url).collect();
        if !tabs.iter().any(|url| url.contains(path)) || deadline.passed() {
            return tabs;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_sees_the_session_storage_and_takes_it_from_nobody() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, BY_TAB)).await;
    assert!(matches!(workspace.admit(&session, false).await.unwrap(), Admission::Admitted), "nothing was restored");
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, "sessionStorage.setItem('token', '1')").await;
    // Before a save it is what the tab holds now.
    let saved = session.save(soon()).await.unwrap().unwrap();
    assert_eq!(changes(&saved), ["added sessionstorage token"]);
    evaluate(&page, "sessionStorage.removeItem('token')").await;
    assert_eq!(session.save(soon()).await.unwrap_err().code(), "auth_required");
    evaluate(&page, "sessionStorage.setItem('token', '2')").await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.version), (None, Some(Version(2))));

    // After a restore it is what was kept, and the script's tab has it all the same.
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, BY_TAB)).await;
    assert!(matches!(workspace.admit(&session, false).await.unwrap(), Admission::Admitted));
    let page = session.page().await.unwrap();
    assert_eq!(page.url(soon()).await.unwrap(), "about:blank");
    assert_eq!(session.pages().len(), 1);
    let left = tabs_without(&page, BY_TAB).await;
    assert!(!left.iter().any(|url| url.contains(BY_TAB)), "{left:?}");
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "sessionStorage.getItem('token')").await, json!("2"));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.updated), (None, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_no_version_before_a_check_has_passed_whatever_ends_the_run() {
    let rig = Rig::start().await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    run.order("evaluate localStorage.setItem('token', '1')");
    run.next("checkpoint.written").expect("a checkpoint");
    run.kill();
    // Stopped before anybody has looked, and nothing was changed: a version is written all the same where the check passes.
    for (path, version, code) in [("/", None, Some("auth_required")), (BY_TAB, Some(Version(1)), None)] {
        let workspace = rig.workspace();
        let status = (path == BY_TAB).then_some(200);
        let guard =
            Guard { visible: shows(&rig, path).visible.filter(|_| status.is_none()), status, ..shows(&rig, path) };
        open(&workspace, guard).await;
        let outcome = workspace.finish(soon()).await.remove(0);
        let error = outcome.save_error.as_ref().map(|(code, _)| code.as_str());
        assert_eq!((outcome.version, error), (version, code), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_changes_is_saved_with_what_it_was_made_for() {
    let rig = Rig::start().await;
    let guard = Guard { status: Some(200), ..Guard::at(rig.url("/cookies?checked=yes")) };
    // Nothing to save is nothing to check.
    let workspace = rig.workspace();
    let session = open(&workspace, guard.clone()).await;
    goto(&session.page().await.unwrap(), &rig.url("/")).await;
    assert_eq!(session.save(soon()).await.unwrap().unwrap().version, None);
    assert!(session.cookies(None, soon()).await.unwrap().is_empty());
    assert_eq!(workspace.finish(soon()).await.remove(0).version, None);

    let workspace = rig.workspace();
    let session = open(&workspace, guard).await;
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, "localStorage.setItem('token', '1')").await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!(changes(&outcome), ["added cookie checked", "added localstorage token"]);
    let (_, seen) = rig.visit("window.seen").await;
    assert_eq!((&seen["token"], &seen["cookie"]), (&json!("1"), &json!("checked=yes")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_restores_what_it_visits_before_it_looks() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'kept')").await;
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, "/by-origin")).await;
    assert!(matches!(workspace.admit(&session, true).await.unwrap(), Admission::Admitted));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.updated, outcome.version), (None, false, Some(Version(1))));
}

/// A run that is killed once a checkpoint has what `script` did at `/`.
fn killed(rig: &Rig, script: &str) {
    let mut run = Run::start(rig, None);
    run.order(&format!("goto {}", rig.url("/")));
    run.order(&format!("evaluate {script}"));
    run.next("checkpoint.written").expect("a checkpoint");
    run.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_a_version_once_it_has_passed() {
    let rig = Rig::start().await;
    killed(&rig, "localStorage.setItem('token', 'left')");
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, "/by-origin")).await;
    assert!(
        !workspace.take_notices().iter().any(|notice| notice.contains("without saving")),
        "not before it has passed"
    );
    assert!(matches!(workspace.admit(&session, false).await.unwrap(), Admission::Admitted));
    let notices = workspace.take_notices();
    assert!(notices.iter().any(|notice| notice.contains("they are v1 now")), "{notices:?}");
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.recovered, outcome.version, outcome.updated), (true, Some(Version(1)), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_signed_out_is_dropped() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    killed(&rig, "localStorage.removeItem('token')");
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, "/by-origin")).await;
    assert!(matches!(workspace.admit(&session, false).await.unwrap(), Admission::Admitted));
    let notices = workspace.take_notices();
    assert!(notices.iter().any(|notice| notice.contains("is dropped: it is not signed in")), "{notices:?}");
    assert_eq!(session.latest().version(), Some(Version(1)));
    assert_eq!(workspace.opened().len(), 1);
    let page = session.latest().page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "window.seen.token").await, json!("good"));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.version, outcome.updated), (None, Some(Version(1)), false));
    let (after, seen) = rig.visit("window.seen.token").await;
    assert_eq!((seen, after.version, after.recovered), (json!("good"), Some(Version(1)), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_signed_out_leaves_no_checkpoint_either() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    let workspace = rig.workspace();
    let session = open(&workspace, shows(&rig, "/by-origin")).await;
    assert!(matches!(workspace.admit(&session, false).await.unwrap(), Admission::Admitted));
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, "localStorage.removeItem('token')").await;
    let (sessions, store) = (rig.sessions().await.unwrap(), SqliteStore::open(&rig.home.path().join("store")).unwrap());
    let deadline = soon();
    while store.all(None, 10).await.unwrap().iter().all(|kept| kept.checkpoint.is_none()) {
        assert!(!deadline.passed(), "no checkpoint was written");
    }
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!(outcome.save_error.as_ref().map(|(code, _)| code.as_str()), Some("auth_required"));
    assert!(sessions.left(&Tenant::default(), &id("acme")).await.unwrap().is_empty());
    let (after, seen) = rig.visit("window.seen.token").await;
    assert_eq!((seen, after.version), (json!("good"), Some(Version(1))));
}
