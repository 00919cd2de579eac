//! The queue and the time: who comes to a slot, what becomes of work that takes long, does not end, or is not wanted any more.

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use reqwest::{Method, StatusCode};
use rhaven::practice::Practice;
use rhaven::session::Scope;
use serde_json::{Value, json};

use crate::follow::{Events, ask_endless, ask_script, cancel, ended, result, told};
use crate::rig::{Answered, Rig};

/// A server with one slot.
async fn narrow() -> Rig {
    Rig::start_with(|config| config.max_concurrent = 1).await
}

fn script(text: &str) -> Value {
    json!({ "script": text })
}

fn code(answer: &Answered) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The only slot is free: something that needs it is done.
async fn slot_is_free(rig: &Rig) {
    let answer = rig.post("/v1/run", &script("6 * 7")).await;
    assert_eq!((answer.status, &answer.json()["result"]), (StatusCode::OK, &json!(42)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_told_with_the_time_to_come_again() {
    let rig = Rig::start_with(|config| (config.max_concurrent, config.max_queued) = (1, 1)).await;
    let endless = ask_endless(&rig, None).await;
    let body = script("1");
    // Of two one has the only place in the queue.
    let ask = async || {
        let answer = rig.post("/v1/run", &body).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(code(&answer), "rate_limited");
            assert_eq!(answer.json()["diagnostics"]["retryable"], true);
            let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            cancel(&rig, &endless).await;
        }
        answer.status
    };
    let (one, other) = tokio::join!(ask(), ask());
    let mut both = [one, other];
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_take_turns() {
    let rig = narrow().await;
    let endless = ask_endless(&rig, None).await;
    let mut of_acme = Vec::new();
    for _ in 0..4 {
        of_acme.push(ask_script(&rig, "1", None).await);
    }
    let other = rig.token_of("other", &Scope::ALL).await;
    let body = json!({"kind": "run", "input": {"script": "1"}});
    let asked = rig.ask_as(&other, Method::POST, "/v1/jobs", Some(&body)).await.json();
    let path = asked["status_url"].as_str().unwrap().to_owned();
    cancel(&rig, &endless).await;
    ended(&rig, &of_acme[3]).await;
    let of_other = rig.ask_as(&other, Method::GET, &path, None).await.json();
    let mut started = Vec::new();
    for id in &of_acme {
        started.push(told(&rig, id).await["started_at"].as_str().unwrap().to_owned());
    }
    assert!(started.is_sorted(), "{started:?}");
    // It came last and waits for one of them at most.
    assert!(of_other["started_at"].as_str().unwrap() <= started[1].as_str(), "{of_other} and {started:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_in_one_session_is_done_in_order_one_at_a_time() {
    let rig = Rig::start_with(|config| config.max_concurrent = 4).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(ask_script(&rig, "sleep(30); 1", Some("one")).await);
    }
    let mut spans = Vec::new();
    for id in &asked {
        let job = ended(&rig, id).await;
        assert_eq!(job["status"], "completed", "{job}: {}", result(&rig, id).await.text);
        let at = |name: &str| job[name].as_str().unwrap().to_owned();
        spans.extend([at("started_at"), at("completed_at")]);
    }
    assert!(spans.is_sorted(), "{spans:#?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_in_few_sessions_are_never_busy() {
    let rig = Rig::start_with(|config| {
        // On a machine that is busy the browser alone may take longer than usual.
        (config.max_concurrent, config.inline_limit) = (4, Duration::from_mins(2));
    })
    .await;
    let ask = async |number: usize| {
        let body = json!({"script": "1", "session": format!("s{}", number % 3)});
        let answer = rig.post("/v1/run", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    };
    futures_util::future::join_all((0..24).map(ask)).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_long_becomes_a_job_and_goes_on() {
    let rig = Rig::start_with(|config| config.inline_limit = Duration::from_millis(200)).await;
    // Answers when the test does.
    let site = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!("emit(1); goto(\"http://{}/\"); \"done\"", site.local_addr().unwrap());
    let body = json!({"script": text, "session": "long"});
    let answer = rig.post("/v1/run", &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let accepted = answer.json();
    assert_eq!((&accepted["mode"], &accepted["status"]), (&json!("async"), &json!("queued")));
    assert_eq!(accepted["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let id = accepted["job_id"].as_str().unwrap();
    assert_eq!(accepted["status_url"], format!("/v1/jobs/{id}"));
    let early = result(&rig, id).await;
    assert_eq!((early.status, code(&early)), (StatusCode::CONFLICT, "job_not_ready".to_owned()));
    while told(&rig, id).await["status"] != "running" {}
    let page = get(|| async { Html("<title>x</title>") });
    let site = tokio::spawn(async move { axum::serve(site, Router::new().fallback(page)).await });
    // What happened before it was a job is told as well.
    let events = Events::of(&rig, id, 0).await.rest().await;
    assert!(events.iter().any(|(_, name, data)| name == "emit" && data["value"] == 1), "{events:?}");
    assert_eq!(ended(&rig, id).await["status"], "completed");
    let result = result(&rig, id).await;
    let told = result.json();
    assert_eq!(
        (result.status, &told["result"], &told["session"]["id"]),
        (StatusCode::OK, &json!("done"), &json!("long"))
    );
    site.abort();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_long_becomes_a_job_that_waits_on() {
    let rig = Rig::start_with(|config| {
        (config.max_concurrent, config.inline_limit) = (1, Duration::from_millis(200));
    })
    .await;
    let endless = ask_endless(&rig, None).await;
    let accepted = rig.post("/v1/run", &script("7")).await.json();
    let id = accepted["job_id"].as_str().unwrap();
    assert_eq!(told(&rig, id).await["status"], "queued");
    cancel(&rig, &endless).await;
    assert_eq!(ended(&rig, id).await["status"], "completed");
    assert_eq!(result(&rig, id).await.json()["result"], 7);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_takes_its_work_along() {
    let rig = narrow().await;
    let request = rig.request(Method::POST, "/v1/run").json(&script("emit(1); loop { }"));
    // It has gone before an answer came; what it asked for may wait, have begun, or not be known yet.
    let gone = tokio::time::timeout(Duration::from_millis(500), request.send()).await;
    assert!(gone.is_err(), "an endless loop was answered");
    slot_is_free(&rig).await;
    assert_eq!(rig.ask(Method::GET, "/v1/jobs", None).await.json()["jobs"], json!([]), "nothing is left of it");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_is_stopped_at_a_wish_and_at_the_deadline() {
    let rig = narrow().await;
    let site = Practice::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let page = format!("{}/form", site.url());
    tokio::spawn(async move { site.serve().await });
    // Takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = (format!("http://{}/", silent.local_addr().unwrap()), silent);
    let endless = [
        "emit(\"begun\"); loop { }".to_owned(),
        format!("goto(\"{page}\"); emit(\"begun\"); evaluate(\"while (true) {{}}\")"),
        format!("emit(\"begun\"); goto(\"{}\")", silent.0),
    ];
    for script in &endless {
        let id = ask_script(&rig, script, Some("stopped")).await;
        Events::of(&rig, &id, 0).await.until("emit", &json!({"value": "begun"})).await;
        // Nothing of this ends by itself.
        cancel(&rig, &id).await;
        let job = ended(&rig, &id).await;
        assert_eq!(job["status"], "cancelled", "{script}: {}", result(&rig, &id).await.text);
        let said = result(&rig, &id).await;
        assert_eq!((said.status, code(&said)), (StatusCode::CONFLICT, "cancelled".to_owned()));
        assert_eq!(said.json()["session"]["id"], "stopped", "{script}: {}", said.text);
        slot_is_free(&rig).await;
        let body = json!({"script": script, "session": "late", "timeout_ms": 3_000});
        let late = rig.post("/v1/run", &body).await;
        assert_eq!((late.status, code(&late)), (StatusCode::GATEWAY_TIMEOUT, "timeout".to_owned()), "{script}");
        assert_eq!(
            (&late.json()["session"]["id"], &late.json()["diagnostics"]["timed_out"]),
            (&json!("late"), &json!(true))
        );
        slot_is_free(&rig).await;
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_is_cancelled_at_once_and_never_run() {
    let rig = narrow().await;
    let endless = ask_endless(&rig, None).await;
    let waiting = ask_script(&rig, "emit(1)", None).await;
    let job = cancel(&rig, &waiting).await;
    assert_eq!((&job["status"], &job["started_at"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(cancel(&rig, &waiting).await["completed_at"], job["completed_at"]);
    let events = Events::of(&rig, &waiting, 0).await.rest().await;
    assert_eq!(
        events.iter().map(|(_, name, data)| (name.as_str(), data)).collect::<Vec<_>>(),
        [("status", &json!({"status": "cancelled"}))]
    );
    cancel(&rig, &endless).await;
    assert_eq!(ended(&rig, &endless).await["status"], "cancelled");
    slot_is_free(&rig).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_runs_what_waited_in_order_and_marks_what_ran() {
    let rig = Rig::start_with(|config| (config.max_concurrent, config.drain) = (1, Duration::from_millis(100))).await;
    let token = rig.token.clone();
    let endless = ask_endless(&rig, Some("ran")).await;
    let mut waiting = Vec::new();
    for number in 0..3 {
        waiting.push(ask_script(&rig, &number.to_string(), None).await);
    }
    let home = rig.stop().await;
    let rig = Rig::start_over(home, |config| config.max_concurrent = 1).await;
    let mut started = Vec::new();
    for (number, id) in waiting.iter().enumerate() {
        let job = ended(&rig, id).await;
        assert_eq!(job["status"], "completed", "{}", result(&rig, id).await.text);
        assert_eq!(result(&rig, id).await.json()["result"], number);
        started.push(job["started_at"].as_str().unwrap().to_owned());
    }
    assert!(started.is_sorted(), "{started:?}");
    let said = rig.ask_as(&token, Method::GET, &format!("/v1/jobs/{endless}/result"), None).await;
    assert_eq!((said.status, code(&said)), (StatusCode::SERVICE_UNAVAILABLE, "interrupted".to_owned()));
    assert_eq!(
        (&said.json()["diagnostics"]["retryable"], &said.json()["session"]["id"]),
        (&json!(true), &json!("ran"))
    );
    assert_eq!(told(&rig, &endless).await["status"], "failed");
    rig.stop().await;
}
