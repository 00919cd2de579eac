//! Whoever is connected and does nothing any more: they do not count as people who are there.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::rig::Rig;
use super::vm::{Socket, end, heard, in_time, made, say, shown, socket, text, token_of};

/// What is said at a time to a server that answers all of it and is not read: less than waits for one who reads slowly, and all of it
/// together more than a connection holds.
const BURST: usize = 50;
const BURSTS: usize = 300;

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
    let rig = Rig::start_with(|config| {
        (config.live_patience, config.client_patience) = (Duration::from_secs(3), Duration::from_secs(3));
    })
    .await;
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

/// Why a connection was ended by the other side.
async fn last(socket: &mut Socket) -> Option<CloseFrame> {
    in_time("its end", async {
        loop {
            if let Message::Close(last) = socket.next().await.unwrap().unwrap() {
                return last;
            }
        }
    })
    .await
}

/// Whether the system itself looks now and then whether the server's end of the connection has somebody at the other.
fn is_watched(rig: &Rig, socket: &Socket) -> bool {
    let MaybeTlsStream::Plain(stream) = socket.get_ref() else { panic!("it is not encrypted") };
    let (ours, theirs) = (rig.address.port(), stream.local_addr().unwrap().port());
    let all = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    all.lines().any(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let port = |address: &str, port: u16| address.ends_with(&format!(":{port:04X}"));
        // The timer that is set: 02 is that of keepalive.
        port(fields[1], ours) && port(fields[2], theirs) && fields[5].starts_with("02:")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_watched_by_the_system_and_no_more_than_some_are_let_in() {
    let rig = Rig::start().await;
    let live = made(&rig, &json!({})).await;
    let address = text(&live, "cdp_url");
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(tokio_tungstenite::connect_async(address).await.unwrap().0);
    }
    let Err(Error::Http(refused)) = tokio_tungstenite::connect_async(address).await else { panic!("one more is in") };
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    let body: Value = serde_json::from_slice(refused.body().as_deref().unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "rate_limited", "{body}");
    drop(clients.drain(1..));
    let mut one = in_time("a place", async {
        loop {
            if let Ok((socket, _)) = tokio_tungstenite::connect_async(address).await {
                return socket;
            }
        }
    })
    .await;
    in_time("keepalive", async {
        while !is_watched(&rig, &one) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Who looks on says little.
    let id = text(&live, "session_id");
    let much = || Message::text(json!({ "type": "text", "text": "x".repeat(3 << 20) }).to_string());
    let mut steers = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    steers.send(much()).await.unwrap();
    heard(&mut steers, "error").await;
    let looks_on = socket(&rig, id, token_of(text(&live, "view_url")), None).await.unwrap();
    let (mut says, mut hears) = looks_on.split();
    let said = tokio::spawn(async move { drop(says.send(much()).await) });
    let told = in_time("its end", async {
        loop {
            if let Message::Close(last) = hears.next().await.unwrap().unwrap() {
                return last.unwrap();
            }
        }
    });
    let told = told.await;
    assert_eq!((told.code, told.reason.as_str()), (CloseCode::Size, "the message is too large"));
    said.await.unwrap();
    // Whoever speaks with it hears that it has ended.
    end(&rig, id).await;
    let told = last(&mut one).await.unwrap();
    assert_eq!((told.code, told.reason.as_str()), (CloseCode::Away, "the live browser has ended"));
    drop(clients);
    rig.stop().await;
}

/// Joins the live page over a connection of which little can be under way.
async fn narrow_socket(rig: &Rig, id: &str, token: &str) -> Socket {
    let line = tokio::net::TcpSocket::new_v4().unwrap();
    line.set_recv_buffer_size(4096).unwrap();
    let line = line.connect(rig.address).await.unwrap();
    let mut request = format!("ws://{}/live/{id}/socket", rig.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", format!("rhaven.v1, token.{token}").parse().unwrap());
    tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(line)).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_what_is_told_is_sent_away_and_may_come_again() {
    let rig = Rig::start().await;
    let live = made(&rig, &json!({})).await;
    let id = text(&live, "session_id");
    let mut looker = socket(&rig, id, token_of(text(&live, "view_url")), None).await.unwrap();
    heard(&mut looker, "hello").await;
    let token = token_of(text(&live, "embed_url"));
    let mut person = narrow_socket(&rig, id, token).await;
    let number = heard(&mut person, "hello").await["viewer"].take();
    in_time("control", async { while heard(&mut looker, "control").await["holder"] != number {} }).await;
    // From here on nothing of it is read, and each of these is answered. That the others hear who is in control says how far the server
    // is: it is never far behind, and what it cannot send waits at its side.
    for round in 0..BURSTS {
        for count in 0..BURST {
            let unknown = format!("{round}-{count}-{}", "x".repeat(300));
            say(&mut person, json!({ "type": unknown })).await;
        }
        let (kind, holder) = if round % 2 == 0 { ("release_control", &Value::Null) } else { ("take_control", &number) };
        say(&mut person, json!({ "type": kind })).await;
        in_time(kind, async { while heard(&mut looker, "control").await["holder"] != *holder {} }).await;
    }
    let mut told = 0;
    let closed = in_time("its end", async {
        loop {
            match person.next().await.unwrap().unwrap() {
                Message::Close(frame) => return frame.unwrap(),
                Message::Text(_) => told += 1,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!((u16::from(closed.code), closed.reason.as_str()), (1013, "slow"));
    assert!(told < BURSTS * BURST, "{told}");
    let mut again = socket(&rig, id, token, None).await.unwrap();
    assert_eq!(heard(&mut again, "hello").await["role"], "control");
    end(&rig, id).await;
    rig.stop().await;
}
