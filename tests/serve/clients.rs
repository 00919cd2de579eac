//! Playwright and Puppeteer, as people have them, drive a live browser by its `cdp_url`.

use std::path::PathBuf;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};

use super::onlooker::{Pages, soon};
use super::rig::Rig;

/// What `.ci/install clients` installs: Playwright's version and Puppeteer's.
const VERSIONS: &str = "1.65.1-25.16.0";

const PAGE: &str = "<!doctype html><title>-</title><input id=a><button onclick='document.title = document.getElementById(\"a\").value'>go</button>
    <input id=f type=file>";

fn packages() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let folder = cache.unwrap_or_else(home).join(format!("rhaven-tests/clients-{VERSIONS}"));
    assert!(
        folder.join("complete").exists(),
        "Playwright and Puppeteer are missing, they come with: .ci/install clients"
    );
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn playwright_and_puppeteer_drive_a_live_browser() {
    let (rig, pages) = tokio::join!(Rig::start(), Pages::start());
    let site = pages.serve("/", PAGE);
    let live = rig.post("/v0/vm", &json!({ "start_url": site })).await.json();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/clients.mjs");
    let mut node = tokio::process::Command::new("node");
    node.arg(script).arg(packages()).arg(live["cdp_url"].as_str().unwrap()).arg(&site);
    let ran = node.stdin(Stdio::null()).kill_on_drop(true).output();
    let ran = soon().race(ran).await.expect("the clients hang").expect("node runs");
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{errors}");
    let told: Value = serde_json::from_str(&said).unwrap();
    let wanted = json!({
        "there": [site], "playwright": "by Playwright",
        "file": "page.goto: Protocol error (Page.navigate): addresses of the scheme \"file\" are not opened here",
        "upload": "abc", "popup": "go", "picture": "PNG", "cookies": [["kept"], []],
        "still": 2, "puppeteer": "by Puppeteer", "other": "go", "cookie": "kept=1", "drawn": "PNG",
    });
    assert_eq!(told, wanted);
    // Both have left; the live browser goes on until its own end.
    let path = format!("/v0/vm/{}", live["session_id"].as_str().unwrap());
    assert!(rig.ask(Method::GET, &path, None).await.json()["termination_date"].is_null());
    assert_eq!(rig.ask(Method::DELETE, &path, None).await.status, 200);
    rig.stop().await;
}
