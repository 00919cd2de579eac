//! The profile of a real Chromium: how small it becomes, and that a browser finds everything in it in another folder.

use std::path::Path;
use std::time::Duration;

use axum::response::Html;
use axum::routing::get;
use chromiumoxide::cdp::browser_protocol::page::NavigateParams;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::{Value, json};

use crate::base::Deadline;
use crate::browser::{Browser, Flavor, LaunchOptions, Target, TargetEvent};
use crate::session::profile::check_rows;

use super::rig::{Rig, tree};

/// What a site keeps, and what a page reads of it.
const PAGE: &str = "<!doctype html><title>page</title>";
const WRITE: &str = "localStorage.setItem('token', 'kept'); document.cookie = 'sid=42; max-age=86400';
  new Promise((done, failed) => {
    const request = indexedDB.open('db', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('keys');
    request.onerror = failed;
    request.onsuccess = async () => {
      const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
      const write = request.result.transaction('keys', 'readwrite', { durability: 'strict' });
      write.objectStore('keys').put(key, 'key');
      write.oncomplete = () => done(true);
    };
  })";
const READ: &str = "new Promise((done, failed) => {
    const request = indexedDB.open('db', 1);
    request.onerror = failed;
    request.onsuccess = () => {
      const read = request.result.transaction('keys').objectStore('keys').get('key');
      read.onsuccess = () => done([localStorage.getItem('token'), document.cookie, read.result.extractable]);
    };
  })";

async fn start(dir: &Path) -> Browser {
    let options =
        LaunchOptions { flavor: Flavor::Full, user_data_dir: Some(dir.to_owned()), ..LaunchOptions::default() };
    Browser::launch(&options).await.expect("Chromium: apt-get install -y chromium")
}

/// A tab of the default context, which is the one that the folder remembers.
async fn tab(browser: &Browser) -> Target {
    let context = browser.default_context().await.unwrap();
    let mut targets = context.targets();
    let id = context.new_target().await.unwrap();
    loop {
        if let TargetEvent::Attached(target) = targets.next().await.expect("the browser runs")
            && *target.id() == id
        {
            target.resume();
            return target;
        }
    }
}

async fn evaluate(target: &Target, script: &str) -> Value {
    let mut params = EvaluateParams::new(script);
    (params.await_promise, params.return_by_value) = (Some(true), Some(true));
    let answer = target.cdp().call(params).await.unwrap();
    assert!(answer.exception_details.is_none(), "{:?}", answer.exception_details);
    answer.result.value.unwrap_or_default()
}

async fn goto(target: &Target, url: &str) {
    assert_eq!(target.cdp().call(NavigateParams::new(url)).await.unwrap().error_text, None);
    let until = Deadline::after(Duration::from_secs(20));
    while evaluate(target, "location.href + document.readyState").await != json!(format!("{url}complete")) {
        assert!(!until.passed(), "{url} was not loaded");
    }
}

/// Ends it in order; nothing of it may be left.
async fn end(browser: Browser) {
    let pid = browser.pid().unwrap();
    browser.close(Deadline::after(Duration::from_secs(20))).await;
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let alive = pids.filter(|other| {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{other}/stat")) else { return false };
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        fields[0] != "Z" && fields[0] != "X" && fields[2] == pid.to_string()
    });
    assert_eq!(alive.count(), 0, "processes of the browser live");
}

fn bytes(dir: &Path) -> u64 {
    tree(dir).values().map(|file| file.content.len() as u64).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_profile_is_small_and_works_in_another_folder() {
    let site = axum::Router::new().route("/", get(|| async { Html(PAGE) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
    let rig = Rig::start().await;
    let (dir, into) = (rig.home.path().join("dir"), rig.folder("into"));

    let browser = start(&dir).await;
    let target = tab(&browser).await;
    goto(&target, &url).await;
    evaluate(&target, WRITE).await;
    end(browser).await;
    check_rows(&dir).unwrap();

    let profile = rig.save("acme", &dir).await.unwrap();
    let (raw, kept, stored) = (bytes(&dir), profile.bytes, rig.stored_bytes());
    println!("raw {raw}, kept {kept} in {} files, stored {stored}", profile.files);
    assert!(kept * 2 < raw && stored < 150_000, "raw {raw}, kept {kept}, stored {stored}");

    for round in 1..=2 {
        let into = into.join(round.to_string());
        rig.restore("acme", &into).await.unwrap();
        let browser = start(&into).await;
        let target = tab(&browser).await;
        goto(&target, &url).await;
        assert_eq!(evaluate(&target, READ).await, json!(["kept", "sid=42", false]), "round {round}");
        end(browser).await;
        let before = rig.stored_bytes();
        let profile = rig.save("acme", &into).await.unwrap();
        println!("round {round}: kept {}, {} bytes more are stored", profile.bytes, rig.stored_bytes() - before);
    }
    server.abort();
}
