//! What holds of every request.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::rig::Rig;

#[tokio::test]
async fn a_token_is_wanted_and_its_scopes_hold() {
    let rig = Rig::start().await;
    let body = json!({"url": "http://127.0.0.1:9/"});
    let answer = rig.ask_as("", Method::POST, "/v1/fetch", Some(&body)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let json = answer.json();
    assert_eq!(json["error"]["code"], "unauthorized");
    assert_eq!(json["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let runs_only = rig.token_of("acme", &[rhaven::session::Scope::Run]).await;
    let answer = rig.ask_as(&runs_only, Method::POST, "/v1/fetch", Some(&body)).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    rig.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_with_its_place() {
    let rig = Rig::start().await;
    let answer = rig.post("/v1/fetch", &json!({"url": 7})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (&answer.json()["error"]["code"], &answer.json()["error"]["path"]),
        (&json!("invalid_request"), &json!("url"))
    );
    rig.stop().await;
}
