//! How much other clients of a browser of ours may ask at a time, with the real Chromium: what would answer it is always to be had.

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use super::bridge::Client;
use super::bridge_guard::first_page;
use super::support::*;

/// More than may wait to be written to Chromium.
const MUCH: usize = 33 << 20;
/// How many commands of a client may be without an answer.
const MOST: i64 = 10_000;

/// What a server does that has read a message of a client's.
async fn send(client: &Client, id: i64, page: &str, method: &str, params: Value) {
    in_time("room", client.bridge.ready()).await;
    client.bridge.send(&json!({ "id": id, "method": method, "params": params, "sessionId": page }).to_string());
}

/// What is told of `method` first.
async fn event(client: &mut Client, method: &str) -> Value {
    loop {
        let event = client.next().await;
        if event["method"] == method {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_a_large_command_have_its_answer_can_be_sent_after_it() {
    let browser = start().await;
    let (_context, _ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    let page = first_page(&mut client).await;
    client.call(Some(&page), "Page.enable", json!({})).await;
    let asks = format!("confirm('?')/*{}*/", "x".repeat(MUCH));
    let large = 1_000_000;
    send(&client, large, &page, "Runtime.evaluate", json!({ "expression": asks })).await;
    event(&mut client, "Page.javascriptDialogOpening").await;
    in_time("room", client.bridge.ready()).await;
    let said = client.call(Some(&page), "Page.handleJavaScriptDialog", json!({ "accept": true })).await;
    assert_eq!(said["result"], json!({}), "{said}");
    let answer = match client.events.iter().find(|message| message["id"] == large) {
        Some(answer) => answer.clone(),
        None => loop {
            let message = client.next().await;
            if message["id"] == large {
                break message;
            }
        },
    };
    assert_eq!(answer["result"]["result"]["value"], true, "{answer}");
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_many_commands_have_their_answers_can_be_sent_after_them() {
    let browser = start().await;
    let (_context, _ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    let page = first_page(&mut client).await;
    client.call(Some(&page), "Fetch.enable", json!({})).await;
    let asks = "globalThis.asked = fetch('http://a.test/', { mode: 'no-cors' }).then(() => 'answered'); 1";
    client.call(Some(&page), "Runtime.evaluate", json!({ "expression": asks })).await;
    let paused = match client.events.iter().find(|event| event["method"] == "Fetch.requestPaused") {
        Some(paused) => paused.clone(),
        None => event(&mut client, "Fetch.requestPaused").await,
    };
    for id in 1..=MOST {
        let waits = json!({ "expression": "asked", "awaitPromise": true });
        send(&client, 1_000_000 + id, &page, "Runtime.evaluate", waits).await;
    }
    let refused = client.call(Some(&page), "Runtime.evaluate", json!({ "expression": "1" })).await;
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    let on = json!({ "requestId": paused["params"]["requestId"], "responseCode": 204 });
    let taken = client.call(Some(&page), "Fetch.fulfillRequest", on).await;
    assert_eq!(taken["result"], json!({}), "{taken}");
    let seen = std::mem::take(&mut client.events);
    let mut answered = seen.iter().filter(|message| message["id"].as_i64() > Some(1_000_000)).count();
    while answered < 10_000 {
        let message = client.next().await;
        if !message["id"].is_null() {
            assert_eq!(message["result"]["result"]["value"], "answered", "{message}");
            answered += 1;
        }
    }
    let sum = client.call(Some(&page), "Runtime.evaluate", json!({ "expression": "40 + 2" })).await;
    assert_eq!(sum["result"]["result"]["value"], 42);
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_faster_than_chromium_takes_it_is_to_wait() {
    let browser = start().await;
    let (_context, _ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    let page = first_page(&mut client).await;
    let group = browser.pid().unwrap();
    signal(group, Signal::STOP);
    in_time("Chromium's stop", async {
        while !living_in_group(group).into_iter().all(is_stopped) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let large = 1_000_000;
    send(&client, large, &page, "Runtime.evaluate", json!({ "expression": format!("7/*{}*/", "x".repeat(MUCH)) }))
        .await;
    let ready = client.bridge.ready();
    tokio::pin!(ready);
    tokio::select! {
        biased;
        () = &mut ready => panic!("more is read"),
        () = std::future::ready(()) => {}
    }
    signal(group, Signal::CONT);
    in_time("room again", ready).await;
    loop {
        let message = client.next().await;
        if message["id"] == large {
            assert_eq!(message["result"]["result"]["value"], 7);
            break;
        }
    }
    drop(client);
    end(browser).await;
}

fn signal(group: u32, signal: Signal) {
    kill_process_group(Pid::from_raw(group.cast_signed()).unwrap(), signal).unwrap();
}

/// Whether no thread of it runs any more.
fn is_stopped(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, fields)| fields.trim_start().starts_with(['T', 'Z', 'X']))
    })
}
