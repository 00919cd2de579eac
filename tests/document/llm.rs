//! The language model's engine against a server that plays one: good answers, bad ones, none, late ones; what is sent, and what is not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use rhaven::base::{Deadline, Redactor, Secret};
use rhaven::document::heuristic::Schema;
use rhaven::document::llm::{Llm, LlmConfig, LlmError};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

const PAGE: &str = "<title>Orders</title><h1>Your orders</h1><p>Signed in with hunter2-secret and p*ss_w&amp;rd</p>\
    <table><tr><td>A-1</td><td>open</td><td>$1,200.50</td></tr><tr><td>A-2</td><td>closed</td><td>$3.00</td></tr></table>";
const KEY: &str = "sk-test-0123456789";

/// What one question is answered with.
#[derive(Clone)]
enum Play {
    Says(&'static str),
    Status(u16, Value),
    Never,
}

#[derive(Clone)]
struct Actor {
    plays: Arc<Mutex<Vec<Play>>>,
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

struct Stage {
    address: String,
    actor: Actor,
}

impl Stage {
    async fn with(plays: &[Play]) -> Self {
        let actor = Actor { plays: Arc::new(Mutex::new(plays.to_vec())), asked: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/chat/completions", post(play)).with_state(actor.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, actor }
    }

    fn llm(&self) -> Llm {
        let key = Secret::new("RHAVEN_LLM_KEY", KEY.to_owned());
        LlmConfig::new(&self.address, "small-1", Some(key)).unwrap().with(reqwest::Client::new())
    }

    fn asked(&self) -> Vec<(HeaderMap, Value)> {
        self.actor.asked.lock().unwrap().clone()
    }
}

async fn play(State(actor): State<Actor>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    actor.asked.lock().unwrap().push((headers, body));
    let play = {
        let mut plays = actor.plays.lock().unwrap();
        if plays.len() > 1 { plays.remove(0) } else { plays[0].clone() }
    };
    match play {
        Play::Says(text) => {
            Json(json!({"choices": [{"message": {"role": "assistant", "content": text}}]})).into_response()
        }
        Play::Status(status, body) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        Play::Never => std::future::pending().await,
    }
}

fn schema() -> Schema {
    let schema =
        json!({"orders": "array of order IDs, statuses and totals as numbers", "customer": "name of the customer"});
    Schema::parse(&schema).unwrap()
}

async fn ask(stage: &Stage) -> Result<rhaven::document::heuristic::Extraction, LlmError> {
    ask_within(stage, &Redactor::default(), Duration::from_secs(20)).await
}

async fn ask_within(
    stage: &Stage,
    redactor: &Redactor,
    span: Duration,
) -> Result<rhaven::document::heuristic::Extraction, LlmError> {
    let base = Url::parse("https://user:pw-of-url@shop.example/orders?token=in-the-query").unwrap();
    stage.llm().extract(PAGE, Some(&base), &schema(), redactor, Deadline::after(span)).await
}

#[tokio::test]
async fn answers_are_fitted_to_schema_and_page() {
    let stage = Stage::with(&[Play::Says(
        r#"{"orders": [{"id": "A-1", "status": "open", "total": 1200.5, "color": "red"}, {"id": "A-2", "status": "refunded", "total": 3},
            {"id": "A-99", "status": "lost", "total": 77}], "customer": "Jane Invented", "mood": "open"}"#,
    )])
    .await;
    let found = ask(&stage).await.unwrap();
    let orders = json!([{"id": "A-1", "status": "open", "total": 1200.5}, {"id": "A-2", "status": null, "total": 3}]);
    assert_eq!(Value::Object(found.data), json!({ "orders": orders }), "what the page does not have is dropped");
    assert_eq!(found.missing, ["customer"]);
    assert_eq!(found.sources[0].from, "language model small-1");
}

#[tokio::test]
async fn the_key_is_in_the_header_and_nowhere_else_and_secrets_are_not_sent() {
    let stage = Stage::with(&[Play::Says("{\"customer\": \"hunter2-secret\"}")]).await;
    let redactor = Redactor::default();
    redactor.learn(&Secret::new("PASSWORD", "hunter2-secret".into()));
    redactor.learn(&Secret::new("OTHER", "p*ss_w&rd".into()));
    let found = ask_within(&stage, &redactor, Duration::from_secs(20)).await.unwrap();
    assert!(found.data.is_empty(), "{found:?}");
    let asked = stage.asked();
    let [(headers, body)] = asked.as_slice() else { panic!("asked {} times", asked.len()) };
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    let text = body.to_string();
    assert!(!body["messages"][1]["content"].as_str().unwrap().replace('\\', "").contains("p*ss_w"), "{text}");
    for hidden in [KEY, "hunter2-secret", "pw-of-url", "in-the-query"] {
        assert!(!text.contains(hidden), "{hidden} was sent: {text}");
    }
    assert!(text.contains("PASSWORD") && text.contains("A-1") && text.contains("order IDs"), "{text}");
    assert_eq!((&body["model"], &body["response_format"]["type"]), (&json!("small-1"), &json!("json_object")));
    assert!(!format!("{:?}", stage.llm()).contains(KEY));
}

#[tokio::test]
async fn what_is_no_json_is_asked_for_once_more() {
    let stage =
        Stage::with(&[Play::Says("Sure, here you go!"), Play::Says("```json\n{\"orders\": [{\"id\": \"A-1\"}]}\n```")])
            .await;
    let found = ask(&stage).await.unwrap();
    assert_eq!(found.data["orders"], json!([{"id": "A-1", "status": null, "total": null}]));
    assert_eq!(stage.asked().len(), 2);

    let stage = Stage::with(&[Play::Says("no")]).await;
    let error = ask(&stage).await.unwrap_err();
    assert_eq!((error.code(), stage.asked().len()), ("schema_validation_failed", 2));
}

#[tokio::test]
async fn refusals_are_told_without_the_key() {
    let words = json!({"error": {"message": format!("Incorrect API key provided: {KEY}")}});
    let stage = Stage::with(&[Play::Status(401, words)]).await;
    let error = ask(&stage).await.unwrap_err();
    assert_eq!(error.code(), "llm_unavailable");
    let text = error.to_string();
    assert!(text.contains("401") && text.contains("Incorrect API key") && !text.contains(KEY), "{text}");

    let stage = Stage::with(&[Play::Status(500, Value::Null)]).await;
    let error = ask(&stage).await.unwrap_err();
    assert_eq!((error.code(), stage.asked().len()), ("llm_unavailable", 1));
}

#[tokio::test]
async fn an_endpoint_without_response_format_is_asked_without_it() {
    let stage = Stage::with(&[
        Play::Status(400, json!({"error": {"message": "unknown field"}})),
        Play::Says("{\"orders\": []}"),
    ])
    .await;
    let found = ask(&stage).await.unwrap();
    assert_eq!(found.missing, ["orders", "customer"]);
    let asked = stage.asked();
    assert!(asked[0].1.get("response_format").is_some() && asked[1].1.get("response_format").is_none());
}

#[tokio::test]
async fn a_slow_endpoint_is_left_at_the_deadline_and_one_that_is_away_is_named() {
    let stage = Stage::with(&[Play::Never]).await;
    let error = ask_within(&stage, &Redactor::default(), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.code(), "timeout");

    let away = LlmConfig::new("http://127.0.0.1:1", "m", None).unwrap().with(reqwest::Client::new());
    let error =
        away.extract(PAGE, None, &schema(), &Redactor::default(), Deadline::after(Duration::from_secs(20))).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "llm_unavailable");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn instructions_are_passed_on_and_their_answer_is_left_as_it_is() {
    let stage = Stage::with(&[Play::Says("{\"summary\": \"Two orders, one of them open.\"}")]).await;
    let deadline = Deadline::after(Duration::from_secs(20));
    let answer = stage.llm().instruct(PAGE, None, "Sum the orders up", &Redactor::default(), deadline).await.unwrap();
    assert_eq!(answer, json!({"summary": "Two orders, one of them open."}));
    assert!(stage.asked()[0].1.to_string().contains("Sum the orders up"));
}
