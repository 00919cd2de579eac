//! What one server has and another is asked for.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::follow::{Events, Told, ask_endless, ask_script, cancel, told};
use crate::rig::{Rig, sent};
use crate::shared::Shared;

fn status(of: &str) -> Value {
    json!({ "status": of })
}

fn has_begun(events: &[Told]) -> bool {
    events.iter().any(|(id, name, data)| *id > 0 && name == "emit" && *data == json!({"value": "begun"}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_tells_what_happens_in_a_job_and_passes_wishes_on() {
    let shared = Shared::start();
    let asked = Rig::start_with(|config| {
        shared.of(config);
        (config.max_concurrent, config.drain) = (1, Duration::from_millis(50));
    })
    .await;
    // Its only slot is taken for good: what comes then is done by the other, which is not there yet.
    let endless = ask_endless(&asked, None).await;
    let job = ask_script(&asked, "emit(\"begun\"); loop { }", Some("one")).await;
    let mut events = Events::of(&asked, &job, 0).await;
    let runs = Rig::start_with(|config| shared.of(config)).await;
    let begun = events.until("emit", &json!({"value": "begun"})).await;
    assert!(begun > 0);
    assert_eq!(
        (&told(&asked, &job).await["status"], &told(&asked, &endless).await["status"]),
        (&json!("running"), &json!("running"))
    );
    // The first that is asked from then on has the rest.
    let mut later = Events::of(&asked, &job, begun).await;
    cancel(&asked, &job).await;
    assert_eq!(
        later.next().await.map(|(_, name, data)| (name, data)),
        Some(("status".to_owned(), status("cancelled")))
    );
    assert_eq!(later.next().await, None);
    events.until("status", &status("cancelled")).await;
    assert_eq!(events.next().await, None);
    for rig in [&asked, &runs] {
        assert!(has_begun(&Events::of(rig, &job, 0).await.rest().await), "also when it is done");
    }
    // Who has no right to it there has none here.
    let stranger = asked.token_of("other", &rhaven::session::Scope::ALL).await;
    let path = format!("/v1/jobs/{job}/events");
    assert_eq!(asked.ask_as(&stranger, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
    runs.stop().await;
    let events = Events::of(&asked, &job, 0).await.rest().await;
    assert_eq!(events, [(0, "status".to_owned(), status("cancelled"))], "what is left of it is in the store");
    asked.stop().await;
}

#[tokio::test]
async fn nobody_is_believed_to_be_a_server() {
    let rig = Rig::start().await;
    let (id, now) = ("0".repeat(32), jiff::Timestamp::now().as_second());
    let forged = format!("2 node_{id} node_{id} {now} req_{id} 127.0.0.1 a.example {id}.{id}{id}");
    for said in ["", "1", &forged] {
        for path in ["/v1/jobs", "/healthz", "/nothing"] {
            let answer = sent(rig.request(Method::GET, path).header("x-rhaven-node", said)).await;
            assert_eq!(
                (answer.status, &answer.json()["error"]["code"]),
                (StatusCode::FORBIDDEN, &json!("forbidden")),
                "{said}"
            );
            assert_eq!(answer.json()["request_id"], answer.headers["x-request-id"].to_str().unwrap());
            assert_ne!(answer.json()["request_id"], format!("req_{id}"));
        }
    }
    rig.stop().await;
}
