//! What ends a live browser, and what its end waits for: a client that closes it, a time of which people are warned, a server that ends
//! while one starts.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::machine::Machine;
use super::rig::Rig;
use super::vm::{Socket, heard, in_time, made, say, shown, socket, text, token_of};
use crate::processes::{living, outlived};

/// How long processes that were told to end may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is told of it once it has ended.
async fn end_of(rig: &Rig, live: &Value) -> (Value, Value) {
    in_time("its end", async {
        loop {
            let told = shown(rig, text(live, "session_id")).await;
            if !told["termination_date"].is_null() {
                return (told["termination_reason"].clone(), told["saved"].clone());
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_it_is_answered_and_ends_it_also_where_it_does_not_wait() {
    let rig = Rig::start().await;
    // More than once: the answer and the end come at the same time, and the answer is first.
    for waits in [true, true, true, false] {
        let live = made(&rig, &json!({ "profile": true })).await;
        let mut person =
            socket(&rig, text(&live, "session_id"), token_of(text(&live, "embed_url")), None).await.unwrap();
        heard(&mut person, "hello").await;
        let (mut client, _) = tokio_tungstenite::connect_async(text(&live, "cdp_url")).await.unwrap();
        let close = json!({ "id": 7, "method": "Browser.close" });
        client.send(Message::text(close.to_string())).await.unwrap();
        if waits {
            let mut answers = Vec::new();
            in_time("the connection's end", async {
                while let Some(Ok(message)) = client.next().await {
                    if let Message::Text(text) = message {
                        answers.push(serde_json::from_str::<Value>(&text).unwrap());
                    }
                }
            })
            .await;
            assert_eq!(answers, [json!({ "id": 7, "result": {} })]);
        }
        drop(client);
        assert_eq!(heard(&mut person, "closed").await["reason"], "request");
        assert_eq!(end_of(&rig, &live).await, (json!("request"), json!("full")));
    }
    assert_eq!(rig.ask(Method::GET, "/v0/vm", None).await.json()["results"], json!([]));
    rig.stop().await;
}

/// Reads until a message of that type; how many warnings came before it.
async fn warnings_before(person: &mut Socket, kind: &str) -> (usize, Value) {
    let mut warnings = 0;
    in_time(kind, async {
        loop {
            let Message::Text(text) = person.next().await.unwrap().unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return (warnings, message);
            }
            warnings += usize::from(message["type"] == "warning");
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_warned_once_and_not_while_somebody_does_something() {
    let rig = Rig::start().await;
    let timeout = json!({ "offline": null, "inactive": 600, "warning": 600 });
    let live = made(&rig, &json!({ "timeout": timeout })).await;
    let id = text(&live, "session_id");
    let mut person = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    let mut looker = socket(&rig, id, token_of(text(&live, "view_url")), None).await.unwrap();
    for socket in [&mut person, &mut looker] {
        heard(socket, "hello").await;
    }
    // The warning is asked for as long before as all of the time is: people who work are left alone all the same.
    let (began, mut works) = (Instant::now(), tokio::time::interval(Duration::from_millis(100)));
    while began.elapsed() < Duration::from_secs(2) {
        works.tick().await;
        say(&mut person, json!({ "type": "ping", "t": 1, "active": true })).await;
        assert_eq!(warnings_before(&mut person, "pong").await.0, 0);
    }
    let path = format!("/live/{id}/timeout");
    let set = rig.ask_as(text(&live, "admin_token"), Method::POST, &path, Some(&json!({ "inactive": 6 }))).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    // Nobody does anything for half of it; then somebody does, and has all of it again.
    let (_, warning) = warnings_before(&mut person, "warning").await;
    let left = warning["seconds"].as_u64().unwrap();
    assert!(warning["kind"] == "inactive" && (1..=3).contains(&left), "{warning}");
    say(&mut person, json!({ "type": "ping", "t": 2, "active": true })).await;
    assert_eq!(warnings_before(&mut person, "warning_over").await.0, 0);
    // Who may only look on does not keep it, and all are told once that it ends.
    let pings = tokio::spawn(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        let ping = json!({ "type": "ping", "t": 3, "active": true }).to_string();
        while looker.send(Message::text(ping.clone())).await.is_ok() {
            looks.tick().await;
        }
    });
    let (warnings, closed) = warnings_before(&mut person, "closed").await;
    assert_eq!((warnings, &closed["reason"]), (1, &json!("inactive")), "{closed}");
    assert_eq!(end_of(&rig, &live).await, (json!("inactive"), json!("none")));
    in_time("the looker's end", pings).await.unwrap();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_under_way_at_sigterm_comes_to_its_end() {
    let machine = Machine::alone();
    let token = machine.token();
    let serving = machine.serve(&token);
    let (url, bearer) = (format!("{}/v0/vm", serving.url), token.clone());
    let asked = tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.post(url).bearer_auth(bearer).json(&json!({ "profile": true })).send().await.unwrap();
        (asked.status(), asked.json::<Value>().await.unwrap())
    });
    // Its Chromium is held as soon as it is there, so that what the server is told comes between.
    let browser = in_time("a browser", async {
        loop {
            match serving.browsers().into_iter().find(|browser| browser.is_child_of(serving.pid())) {
                Some(browser) => return browser,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    browser.stop();
    let folders = serving.profiles();
    assert_eq!(folders.len(), 1, "{folders:?}");
    serving.signal(Signal::TERM);
    in_time("the end of its listening", async {
        while tokio::net::TcpStream::connect(serving.host()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    browser.go_on();
    let (status, told) = in_time("an answer", asked).await.unwrap();
    assert_eq!(serving.ends().code(), Some(0), "{}", machine.log());
    assert_eq!(outlived(&[browser], PATIENCE), []);
    // Neither do its helpers live, nor is its folder left.
    let folder = folders[0].to_str().unwrap();
    let of_folder = living().into_iter().filter(|process| {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(folder)
    });
    assert_eq!(outlived(&of_folder.collect::<Vec<_>>(), PATIENCE), []);
    assert!(!folders[0].exists(), "{folder} is left");

    // Nobody is told that it lives; whoever was told of it finds what became of it.
    let serving = machine.serve(&token);
    let (_, listed) = serving.ask(Method::GET, "/v0/vm", None).await;
    assert_eq!(listed["results"], json!([]), "{listed}");
    assert!([StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status), "{told}");
    if status == StatusCode::OK {
        assert_eq!(serving.end_of(&told).await, (json!("shutdown"), json!("full")), "{told}");
        let again = serving.made(json!({ "profile": told["session_id"] })).await;
        serving.delete(&again).await;
    }
    assert_eq!(serving.terminate().code(), Some(0), "{}", machine.log());
}
