//! Who is let in by which token from where, and that who may only look on steers nothing.

use reqwest::StatusCode;
use serde_json::json;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::rig::Rig;
use super::vm::{end, heard, made, say, socket, text, token_of};

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_on_steers_nothing_and_no_other_site_gets_in() {
    let rig = Rig::start().await;
    let live = made(&rig, &json!({})).await;
    let id = text(&live, "session_id");
    let (control, view) = (token_of(text(&live, "embed_url")), token_of(text(&live, "view_url")));
    // No browser says no origin; its own page says the server's.
    let mut looker = socket(&rig, id, view, None).await.unwrap();
    assert_eq!(heard(&mut looker, "hello").await["role"], "view");
    let at = json!({ "x": 1, "y": 1 });
    for message in [
        json!({ "type": "mouse", "kind": "down", "x": 1, "y": 1 }),
        json!({ "type": "wheel", "x": 1, "y": 1, "dx": 0, "dy": 9 }),
        json!({ "type": "key", "kind": "down", "key": "a" }),
        json!({ "type": "text", "text": "a" }),
        json!({ "type": "ime", "kind": "commit", "text": "a" }),
        json!({ "type": "touch", "kind": "start", "points": [{ "x": at["x"], "y": at["y"], "id": 1 }] }),
        json!({ "type": "paste", "text": "a" }),
        json!({ "type": "copy" }),
        json!({ "type": "cut" }),
        json!({ "type": "navigate", "url": "about:blank" }),
        json!({ "type": "back" }),
        json!({ "type": "forward" }),
        json!({ "type": "reload" }),
        json!({ "type": "stop" }),
        json!({ "type": "tab_new" }),
        json!({ "type": "tab_close", "id": 1 }),
        json!({ "type": "tab_select", "id": 1 }),
        json!({ "type": "dialog_answer", "id": 1, "accept": true }),
        json!({ "type": "pick", "id": 1, "values": ["1"] }),
        json!({ "type": "pick_cancel", "id": 1 }),
        json!({ "type": "files", "id": 1, "files": [] }),
        json!({ "type": "resize", "width": 300, "height": 300 }),
        json!({ "type": "bookmark" }),
        json!({ "type": "save_password", "id": 1, "accept": true }),
        json!({ "type": "take_control" }),
        json!({ "type": "done" }),
    ] {
        say(&mut looker, message.clone()).await;
        assert_eq!(heard(&mut looker, "error").await["code"], "not_in_control", "{message}");
    }
    // Pages of others: also those that say no origin of their own, and those of another port of this machine.
    let other = format!("http://{}:1", rig.address.ip());
    for origin in ["null", &other, "https://evil.example", "no address"] {
        let refused = socket(&rig, id, control, Some(origin)).await.unwrap_err();
        assert!(matches!(&refused, tungstenite::Error::Http(answer) if answer.status() == 403), "{origin}: {refused}");
    }
    // A token opens its own kind of socket, and a page no DevTools.
    let devtools = text(&live, "cdp_url");
    let (base, opens) = devtools.rsplit_once('/').unwrap();
    let mut wrong = socket(&rig, id, opens, None).await.unwrap();
    assert_eq!(heard(&mut wrong, "closed").await["reason"], "forbidden");
    let status = async |url: &str, origin: Option<&str>| {
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((_, response)) => response.status(),
            Err(tungstenite::Error::Http(answer)) => answer.status(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(status(&format!("{base}/{control}"), None).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&format!("{base}/{}x", &opens[..opens.len() - 1]), None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(devtools, Some(&format!("http://{}", rig.address))).await, StatusCode::FORBIDDEN);
    assert_eq!(status(devtools, None).await, StatusCode::SWITCHING_PROTOCOLS);
    end(&rig, id).await;
    rig.stop().await;
}
