//! Starting and ending.

use std::time::{Duration, Instant};

use rhaven::browser::{Browser, Flavor, LaunchOptions, Launching, find};

use super::support::*;

#[tokio::test]
async fn a_browser_starts_answers_and_leaves_nothing_behind() {
    for flavor in [Flavor::HeadlessShell, Flavor::Full] {
        let browser = start_with(&options(flavor)).await;
        let version = browser.version().await.unwrap();
        assert!(version.product.contains("Chrom"), "{version:?}");
        let dir = browser.user_data_dir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&dir.parent().unwrap().metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
        let (_, target) = tab(&browser).await;
        assert_eq!(evaluate(target.cdp(), "6 * 7").await, 42);
        end(browser).await;
    }
}

#[tokio::test]
async fn a_browser_that_is_dropped_is_killed_and_its_folder_removed() {
    let browser = start().await;
    let (pid, dir) = (browser.pid().unwrap(), browser.user_data_dir().unwrap());
    let (context, target) = tab(&browser).await;
    drop((browser, context));
    check_code(&in_time("the end", target.gone()).await, "browser_gone");
    in_time("the clean-up", async {
        while !living_in_group(pid).is_empty() || dir.parent().unwrap().exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_killed_browser_ends_every_waiting_call_at_once() {
    for flavor in [Flavor::HeadlessShell, Flavor::Full] {
        let browser = start_with(&options(flavor)).await;
        let (_, target) = tab(&browser).await;
        let never = target.cdp().send(expression("new Promise(() => {})"));
        let also_never = target.cdp().send(expression("new Promise(() => {})"));
        assert_eq!(evaluate(target.cdp(), "1").await, 1);
        let mut events = target.cdp().raw_events(&[]);
        let start = Instant::now();
        kill(browser.pid().unwrap());
        let error = in_time("the failure", never).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
        check_code(&error, "browser_gone");
        assert!(error.to_string().contains("signal 9"), "{error}");
        check_code(&in_time("the failure", also_never).await.unwrap_err(), "browser_gone");
        check_code(&target.cdp().call(expression("1")).await.unwrap_err(), "browser_gone");
        check_code(&in_time("the end", browser.gone()).await, "browser_gone");
        check_code(&in_time("the end", target.gone()).await, "browser_gone");
        assert!(in_time("the end of events", events.next()).await.is_none());
        end(browser).await;
    }
}

#[tokio::test]
async fn a_kept_directory_keeps_what_the_default_context_stored() {
    let folder = tempfile::tempdir().unwrap();
    let site = super::site::Site::start().await;
    let kept = folder.path().join("profile");
    for flavor in [Flavor::Full, Flavor::HeadlessShell] {
        let kept = kept.join(format!("{flavor:?}"));
        let options = LaunchOptions { user_data_dir: Some(kept.clone()), ..options(flavor) };
        for expected in [serde_json::Value::Null, "here".into()] {
            let browser = start_with(&options).await;
            let pid = browser.pid().unwrap();
            let target = tab_in(&browser.default_context().await.unwrap()).await;
            goto(&target, &site.url("/")).await;
            assert_eq!(evaluate(target.cdp(), "localStorage.getItem('k')").await, expected, "{flavor:?}");
            evaluate(target.cdp(), "localStorage.setItem('k', 'here')").await;
            browser.close(soon()).await;
            assert_eq!(living_in_group(pid), Vec::<u32>::new());
            assert!(kept.exists());
        }
    }
}

#[tokio::test]
async fn a_directory_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = LaunchOptions { user_data_dir: Some(folder.path().to_owned()), ..options(Flavor::Full) };
    let first = start_with(&options).await;
    let error = Browser::launch(&options).await.unwrap_err();
    check_code(&error, "browser_launch_failed");
    assert!(error.to_string().contains("in use by another browser"), "{error}");
    first.close(soon()).await;
}

#[tokio::test]
async fn programs_that_are_no_browser_give_clear_errors() {
    let folder = tempfile::tempdir().unwrap();
    let missing = LaunchOptions { executable: Some(folder.path().join("missing")), ..LaunchOptions::default() };
    let error = in_time("the failure", Browser::launch(&missing)).await.unwrap_err();
    check_code(&error, "browser_not_installed");
    assert!(error.to_string().contains("missing does not exist"), "{error}");
    let script = folder.path().join("chrome-broken");
    executable(&script, "#!/bin/sh\nexec nothing\n");
    check_start(&script, None, "name the binary itself").await;
    // The C library hands what is no program to a shell.
    let garbage = folder.path().join("garbage");
    executable(&garbage, "no program\n");
    check_start(&garbage, None, "ended with exit code 127").await;
    check_start("/bin/true".as_ref(), None, "ended with exit code 0").await;
    check_start("/bin/false".as_ref(), None, "ended with exit code 1").await;
    // Complains on stderr about flags that it does not know.
    check_start("/bin/ls".as_ref(), None, "unrecognized option").await;
}

async fn check_start(executable: &std::path::Path, timeout: Option<Duration>, expected: &str) {
    let options = LaunchOptions { executable: Some(executable.to_owned()), timeout, ..LaunchOptions::default() };
    let error = in_time("the failure", Browser::launch(&options)).await.unwrap_err();
    check_code(&error, "browser_launch_failed");
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn a_start_that_takes_too_long_is_ended() {
    let executable = find(Flavor::HeadlessShell, None).unwrap().path;
    check_start(&executable, Some(Duration::from_millis(1)), "did not answer within 1 ms").await;
}

#[tokio::test]
async fn several_browsers_start_at_the_same_time() {
    let starts = futures_util::future::join_all((0..4).map(|_| start())).await;
    let mut dirs: Vec<_> = starts.iter().map(|browser| browser.user_data_dir().unwrap()).collect();
    dirs.sort();
    dirs.dedup();
    assert_eq!(dirs.len(), 4);
    futures_util::future::join_all(starts.into_iter().map(end)).await;
}

#[tokio::test]
async fn a_launching_browser_is_shared_and_can_be_given_up() {
    let launching = Launching::begin(options(Flavor::HeadlessShell));
    let (one, two) = tokio::join!(launching.browser(), launching.browser());
    assert_eq!(one.unwrap().pid(), two.as_ref().unwrap().pid());
    let pid = two.unwrap().pid().unwrap();
    launching.close(soon()).await;
    assert_eq!(living_in_group(pid), Vec::<u32>::new());

    let launching = Launching::begin(options(Flavor::HeadlessShell));
    tokio::task::yield_now().await;
    in_time("giving up", launching.close(soon())).await;
    if let Err(error) = launching.browser().await {
        check_code(&error, "browser_gone");
    }
}
