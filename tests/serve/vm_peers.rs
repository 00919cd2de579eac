//! Whoever is connected and does nothing any more: they do not count as people who are there.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::rig::Rig;
use super::vm::{Socket, heard, in_time, made, shown, socket, text, token_of};

/// Asks over the DevTools protocol; what else is told is passed over.
async fn ask(client: &mut Socket, command: Value) -> Value {
    let id = command["id"].clone();
    client.send(Message::text(command.to_string())).await.unwrap();
    in_time("an answer", async {
        loop {
            if let Message::Text(text) = client.next().await.unwrap().unwrap() {
                let told: Value = serde_json::from_str(&text).unwrap();
                if told["id"] == id {
                    return told["result"].clone();
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_or_reads_nothing_does_not_keep_it() {
    let rig = Rig::start_with(|config| config.live_patience = Duration::from_secs(3)).await;
    let live = made(&rig, &json!({})).await;
    let id = text(&live, "session_id");
    // Neither is closed, and neither is read from now on: no beat is answered. The client has asked for more than the line holds.
    let (mut client, _) = tokio_tungstenite::connect_async(text(&live, "cdp_url")).await.unwrap();
    let tabs = ask(&mut client, json!({ "id": 1, "method": "Target.getTargets" })).await;
    let tabs = tabs["targetInfos"].as_array().unwrap();
    let tab = tabs.iter().find(|tab| tab["type"] == "page").unwrap();
    let attach = json!({ "targetId": tab["targetId"], "flatten": true });
    let attached = ask(&mut client, json!({ "id": 2, "method": "Target.attachToTarget", "params": attach })).await;
    let much = json!({ "expression": "'x'.repeat(30000000)", "returnByValue": true });
    let evaluate = json!({ "id": 3, "sessionId": attached["sessionId"], "method": "Runtime.evaluate", "params": much });
    client.send(Message::text(evaluate.to_string())).await.unwrap();
    let mut person = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    heard(&mut person, "hello").await;
    let path = format!("/live/{id}/timeout");
    let set = rig.ask_as(text(&live, "admin_token"), Method::POST, &path, Some(&json!({ "offline": 1 }))).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let ended = in_time("its end", async {
        loop {
            let told = shown(&rig, id).await;
            if !told["termination_date"].is_null() {
                return told;
            }
        }
    });
    assert_eq!(ended.await["termination_reason"], "offline");
    drop((client, person));
    rig.stop().await;
}
