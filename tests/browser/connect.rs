//! A browser that somebody else has started, over a WebSocket.

use std::process::Stdio;

use rhaven::browser::{Browser, ContextOptions, Flavor, find};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::support::*;

/// A Chromium with an open port, and its address.
async fn foreign(folder: &std::path::Path) -> (Child, String) {
    let mut command = Command::new(find(Flavor::HeadlessShell, None).unwrap().path);
    command.args(["--remote-debugging-port=0", "--no-sandbox"]);
    command.arg(format!("--user-data-dir={}", folder.display())).env("TMPDIR", folder).env("HOME", folder);
    command.stderr(Stdio::piped()).stdout(Stdio::null()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = in_time("its address", async {
        loop {
            let line = lines.next_line().await.unwrap().expect("Chromium ended");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                return address.to_owned();
            }
        }
    })
    .await;
    (child, address)
}

#[tokio::test]
async fn a_remote_browser_works_like_one_of_our_own_and_outlives_us() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address) = foreign(folder.path()).await;
    for _ in 0..2 {
        let browser = Browser::connect(&address).await.unwrap();
        assert_eq!(browser.pid(), None);
        let (_, target) = tab(&browser).await;
        let text = "ž".repeat(1_000_000);
        assert_eq!(evaluate(target.cdp(), &format!("'{text}'.length")).await, 1_000_000);
        assert_eq!(evaluate(target.cdp(), "'x'.repeat(20000000).length").await, 20_000_000);
        browser.close(soon()).await;
        check_code(&target.cdp().call(expression("1")).await.unwrap_err(), "browser_gone");
        check_code(&browser.gone().await, "browser_gone");
    }
    let browser = Browser::connect(&address).await.unwrap();
    let context = browser.new_context(&ContextOptions::default()).await.unwrap();
    let target = tab_in(&context).await;
    let never = target.cdp().send(expression("new Promise(() => {})"));
    evaluate(target.cdp(), "1").await;
    let pid = child.id().unwrap();
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    check_code(&in_time("the failure", never).await.unwrap_err(), "browser_gone");
    child.wait().await.unwrap();
    in_time("its end", async {
        while !living_in_group(pid).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_without_its_key() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Browser::connect(&format!("ws://user:hush@127.0.0.1:{port}/devtools?token=hush")).await.unwrap_err();
    check_code(&error, "browser_connect_failed");
    assert!(error.to_string().contains(&format!("ws://127.0.0.1:{port}")), "{error}");
    assert!(!error.to_string().contains("hush"), "{error}");
}
