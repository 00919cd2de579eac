//! One writer, the right key, and nothing lost when something breaks.

use std::time::Duration;

use rhaven::base::{Secret, Tenant, Version};
use rhaven::browser::LaunchOptions;
use rhaven::page::{ClickOptions, Selector};
use rhaven::session::{KeySource, Mode, SessionError, SessionOptions, Sessions};
use serde_json::json;

use super::dying::Run;
use super::rig::{Rig, evaluate, goto, id, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_told_who_holds_the_session_or_waits_for_it() {
    let rig = Rig::start().await;
    let first = rig.workspace();
    let session = first.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let second = rig.workspace();
    let error = second.session(&id("acme"), &SessionOptions::default()).await.err().unwrap();
    let SessionError::Busy { holder, expires_in, .. } = &error else { panic!("{error}") };
    assert!(holder.contains("rhaven test (pid "), "{holder}");
    assert!(*expires_in <= Duration::from_secs(15));
    let sessions = rig.sessions().await.unwrap();
    goto(&session.page().await.unwrap(), &rig.url("/")).await;
    evaluate(&session.page().await.unwrap(), "localStorage.setItem('token', 'first')").await;
    session.save(soon()).await.unwrap();
    let delete = sessions.delete(&Tenant::default(), &id("acme")).await.unwrap_err();
    assert_eq!(delete.code(), "session_busy");

    let waiting = SessionOptions { mode: Mode::Wait(Duration::from_secs(20)), ..SessionOptions::default() };
    let acme = id("acme");
    let (waited, _) = tokio::join!(second.session(&acme, &waiting), first.finish(soon()));
    assert_eq!(waited.unwrap().version(), Some(Version(1)));
    second.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_waits_as_well_for_a_process_that_is_stopped_in_a_write() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    let mut stopped = Run::stopping(&rig, "store.uncommitted");
    stopped.next("store.uncommitted").expect("a write");
    let mut waiting = Run::waiting(&rig, 60);
    // Who does not wait is told in the end which store it is, and what may be the matter.
    let error = rig.workspace().session(&id("acme"), &SessionOptions::default()).await.err().unwrap();
    let told = rhaven::base::with_causes(&error);
    assert_eq!(error.code(), "store_unavailable");
    assert!(told.contains("store.sqlite is not available") && told.contains("may be stopped"), "{told}");
    waiting.next("open.away").expect("a first attempt that failed");
    stopped.go_on();
    assert_eq!(stopped.end().0["save_error"], json!(null));
    assert_eq!(waiting.end().0["restored"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_dies_leaves_the_last_version() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('token', 'half')").await;
                let crash = chromiumoxide::cdp::browser_protocol::browser::CrashParams::default();
                let _ = page.target().cdp().call(crash).await;
            }
        })
        .await;
    let (code, _) = outcome.save_error.clone().expect("the state of a dead browser was saved");
    assert_eq!(code, "browser_gone");
    assert_eq!(outcome.version, Some(Version(1)));
    let (after, seen) = rig.visit("window.seen.token").await;
    assert_eq!((seen, after.updated), (json!("good"), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_key_fails_before_anything_is_touched() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', '1')").await;
    let other = KeySource::Text(Secret::new("RHAVEN_KEY", "00".repeat(32)));
    let error = Sessions::open(rig.store(), other).await.err().unwrap();
    assert_eq!(error.code(), "wrong_key");
    let kept = std::fs::read(rig.key_path()).unwrap();
    std::fs::remove_file(rig.key_path()).unwrap();
    let error = rig.sessions().await.err().unwrap();
    assert_eq!(error.code(), "key_unavailable");
    assert!(!rig.key_path().exists(), "a key was made that opens nothing");
    std::fs::write(rig.key_path(), kept).unwrap();
    assert!(rig.sessions().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_on_first_use_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start().await;
    let (one, two) = tokio::join!(rig.sessions(), rig.sessions());
    assert!(one.is_ok() && two.is_ok(), "two processes may start at once");
    assert_eq!(std::fs::metadata(rig.key_path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(rig.home.path().join("store")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_restored_is_not_saved_over() {
    let rig = Rig::start().await;
    let big = "localStorage.setItem('token', 'x'.repeat(400000))";
    rig.visit(big).await;
    // A part over 256 KiB is a file of its own: damage it.
    let blobs: Vec<_> = files(&rig.home.path().join("store"))
        .into_iter()
        .filter(|path| !path.to_string_lossy().contains("sqlite"))
        .collect();
    assert!(!blobs.is_empty(), "no blob file was found");
    for path in &blobs {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                assert_eq!(evaluate(&page, "window.seen.token").await, json!(null));
                evaluate(&page, "localStorage.setItem('token', 'new')").await;
            }
        })
        .await;
    let (code, message) = outcome.save_error.clone().expect("a damaged session was saved over");
    assert_eq!(code, "restore_incomplete", "{message}");
    assert_eq!((outcome.version, outcome.updated), (Some(Version(1)), false));
    assert!(message.ends_with("; what this run left is in session acme.fork-1"), "{message}");
    assert_eq!(outcome.forked_to, Some(id("acme.fork-1")));
    // The fork has what the page wrote, and opens without a complaint.
    let workspace = rig.workspace();
    let fork = workspace.session(&id("acme.fork-1"), &SessionOptions::default()).await.unwrap();
    let page = fork.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "window.seen.token").await, json!("new"));
    let saved = workspace.finish(soon()).await.remove(0);
    assert_eq!((saved.save_error, saved.version), (None, Some(Version(1))));

    // A run that changes nothing leaves no fork; one that asks for a save is told.
    let outcome = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                assert_eq!(session.save(soon()).await.unwrap_err().code(), "restore_incomplete");
            }
        })
        .await;
    assert_eq!((outcome.save_error.unwrap().0.as_str(), outcome.forked_to), ("restore_incomplete", None));
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throw_away_session_opens_no_store() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let session = workspace.current().await.unwrap();
    goto(&session.page().await.unwrap(), &rig.url("/")).await;
    evaluate(&session.page().await.unwrap(), "localStorage.setItem('token', '1')").await;
    assert!(session.save(soon()).await.unwrap().is_none());
    assert!(workspace.finish(soon()).await.is_empty());
    assert!(!rig.home.path().join("store").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_loops_for_ever_is_saved_all_the_same() {
    let rig = Rig::start().await;
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('token', 'kept'); setTimeout(() => { for (;;); }, 0); 1").await;
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.version), (None, Some(Version(1))));
    assert_eq!(outcome.partial, []);
    let (_, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!("kept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_open_is_not_held() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', '1')").await;
    let broken = LaunchOptions { executable: Some("/nowhere/chromium".into()), ..LaunchOptions::default() };
    let workspace = rig.workspace_with(broken);
    for _ in 0..2 {
        let error = workspace.session(&id("acme"), &SessionOptions::default()).await.err().unwrap();
        assert_ne!(error.code(), "session_busy", "{error}");
    }
    let (after, seen) = rig.visit("window.seen.token").await;
    assert_eq!((after.save_error, seen), (None, json!("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_hangs_does_not_hold_up_the_end() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'good')").await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let browser = workspace.browser_pid().await.unwrap();
    let stop = std::process::Command::new("kill").args(["-STOP", &browser.to_string()]).status().unwrap();
    assert!(stop.success());
    let outcome = workspace.finish(rhaven::base::Deadline::after(Duration::from_secs(4))).await.remove(0);
    assert_eq!(outcome.save_error.map(|(code, _)| code).as_deref(), Some("timeout"));
    assert_eq!(outcome.version, Some(Version(1)));
    let (_, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!("good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_wait_for_the_navigation_that_sets_them() {
    let rig = Rig::start().await;
    rig.run(|session, page| {
        let url = rig.url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, "document.body.innerHTML = `<a id=go href='/cookies?sid=1'>sign in</a>`").await;
            let link = page.locator(&Selector::parse("#go").unwrap());
            link.click(&ClickOptions::default(), soon()).await.unwrap();
            assert_eq!(session.cookies(None, soon()).await.unwrap().len(), 1);
        }
    })
    .await;
}
