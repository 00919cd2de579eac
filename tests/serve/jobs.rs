//! Jobs: asked for, followed, cancelled, kept.

use reqwest::{Method, StatusCode};
use rhaven::session::Scope;
use serde_json::{Value, json};

use crate::follow::{Events, Told, ask, told};
use crate::rig::{Answered, Rig, sent};

/// A script that is done at once.
fn quick() -> Value {
    json!({"kind": "run", "input": {"script": "1 + 1"}})
}

/// Asks with a client's key.
async fn ask_with_key(rig: &Rig, key: &str, body: &Value) -> Answered {
    sent(rig.request(Method::POST, "/v1/jobs").header("idempotency-key", key).json(body)).await
}

/// The events of a job until its end.
async fn events(rig: &Rig, id: &str, after: u64) -> Vec<Told> {
    Events::of(rig, id, after).await.rest().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_told_until_its_end_and_has_the_answer_of_its_request() {
    let rig = Rig::start().await;
    let id = ask(&rig, &quick()).await;
    let seen = events(&rig, &id, 0).await;
    let statuses: Vec<&Value> =
        seen.iter().filter(|(_, name, _)| name == "status").map(|(_, _, data)| &data["status"]).collect();
    assert_eq!(*statuses[0], "running");
    assert_eq!(statuses.len(), 2, "{seen:?}");
    let (last, ..) = seen[seen.len() - 1];
    assert_eq!(events(&rig, &id, last - 1).await.len(), 1, "from there on");
    let job = told(&rig, &id).await;
    assert_eq!((&job["job_id"], &job["job_type"], &job["status"]), (&json!(id), &json!("run"), statuses[1]));
    assert_eq!(job["result_available"], true);
    assert!(job["created_at"].as_str() <= job["started_at"].as_str());
    assert!(job["started_at"].as_str() <= job["completed_at"].as_str());
    let result = rig.ask(Method::GET, &format!("/v1/jobs/{id}/result"), None).await;
    let direct = rig.post("/v1/run", &quick()["input"]).await;
    assert_eq!(result.status, direct.status);
    let (result, direct) = (result.json(), direct.json());
    assert_eq!(
        (&result["status"], &result["result"], &result["error"]["code"]),
        (&direct["status"], &direct["result"], &direct["error"]["code"])
    );
    // Once it is done there is nothing to cancel, as often as one says so.
    for _ in 0..2 {
        let answer = rig.ask(Method::POST, &format!("/v1/jobs/{id}/cancel"), None).await;
        assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &job["status"]));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_job_also_after_a_restart() {
    let rig = Rig::start().await;
    let body = quick();
    let (first, second) = tokio::join!(ask_with_key(&rig, "k 1", &body), ask_with_key(&rig, "k 1", &body));
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    let id = first.json()["job_id"].clone();
    assert_eq!(second.json()["job_id"], id);
    let other = ask_with_key(&rig, "k 1", &json!({"kind": "run", "input": {"script": "1 + 2"}})).await;
    assert_eq!((other.status, &other.json()["error"]["code"]), (StatusCode::CONFLICT, &json!("idempotency_conflict")));
    assert_ne!(ask_with_key(&rig, "k 2", &quick()).await.json()["job_id"], id);
    // Keys are a tenant's own.
    let of_other = rig.token_of("other", &Scope::ALL).await;
    let request = rig.request(Method::POST, "/v1/jobs").header("idempotency-key", "k 1").json(&quick());
    let mut request = request.build().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {of_other}").parse().unwrap());
    let answer: Value =
        serde_json::from_str(&reqwest::Client::new().execute(request).await.unwrap().text().await.unwrap()).unwrap();
    assert_ne!(answer["job_id"], id);
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(ask_with_key(&rig, bad, &quick()).await.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    events(&rig, id.as_str().unwrap(), 0).await;
    let before = told(&rig, id.as_str().unwrap()).await;
    let rig = Rig::start_over(rig.stop().await, |_| {}).await;
    assert_eq!(ask_with_key(&rig, "k 1", &quick()).await.json()["job_id"], id);
    let mut after = told(&rig, id.as_str().unwrap()).await;
    after["request_id"] = before["request_id"].clone();
    assert_eq!(after, before);
    let result = rig.ask(Method::GET, &format!("/v1/jobs/{}/result", id.as_str().unwrap()), None).await;
    assert_ne!(result.status, StatusCode::CONFLICT, "the result is read from the store");
    let seen = events(&rig, id.as_str().unwrap(), 0).await;
    assert_eq!(seen, [(0, "status".to_owned(), json!({"status": before["status"]}))]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_of_a_tenant_and_of_a_scope() {
    let rig = Rig::start().await;
    let id = ask(&rig, &quick()).await;
    let (other, fetch) = (rig.token_of("other", &Scope::ALL).await, rig.token_of("acme", &[Scope::Fetch]).await);
    let paths = [(Method::GET, ""), (Method::GET, "/result"), (Method::GET, "/events"), (Method::POST, "/cancel")];
    for (method, rest) in paths {
        let answer = rig.ask_as(&other, method.clone(), &format!("/v1/jobs/{id}{rest}"), None).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (StatusCode::NOT_FOUND, &json!("job_not_found")));
        let answer = rig.ask_as(&fetch, method.clone(), &format!("/v1/jobs/{id}{rest}"), None).await;
        assert_eq!((answer.status, &answer.json()["error"]["scope"]), (StatusCode::FORBIDDEN, &json!("run")));
        for unknown in ["job_00000000000000000000000000000000", "x", "%ff"] {
            let answer = rig.ask(method.clone(), &format!("/v1/jobs/{unknown}{rest}"), None).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{unknown}");
        }
    }
    let listed = |token: String| {
        let rig = &rig;
        async move { rig.ask_as(&token, Method::GET, "/v1/jobs", None).await.json()["jobs"].clone() }
    };
    assert_eq!((listed(other).await, listed(fetch.clone()).await), (json!([]), json!([])));
    assert_eq!(listed(rig.token.clone()).await[0]["job_id"], id);
    let answer = rig.ask_as(&fetch, Method::POST, "/v1/jobs", Some(&quick())).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_listed_the_newest_first_by_the_page() {
    let rig = Rig::start().await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(ask(&rig, &quick()).await);
    }
    asked.reverse();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = rig.ask(Method::GET, &format!("/v1/jobs?limit=2{after}"), None).await.json();
        let ids = page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, asked);
    assert_eq!(rig.ask(Method::GET, "/v1/jobs?status=cancelled", None).await.json()["jobs"], json!([]));
    for bad in ["limit=0", "limit=201", "limit=x", "after=x", "status=done", "more=1"] {
        let answer = rig.ask(Method::GET, &format!("/v1/jobs?{bad}"), None).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{bad}"
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_input_of_a_job_is_told_with_its_place() {
    let rig = Rig::start().await;
    for (body, path) in [
        (json!({"kind": "fetch", "input": {"url": 7}}), "input.url"),
        (json!({"kind": "dance", "input": {}}), "kind"),
        (json!({"kind": "fetch", "input": {"url": "https://a.example/", "colour": 1}}), "input"),
    ] {
        let answer = rig.post("/v1/jobs", &body).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
        assert!(told["error"]["path"].as_str().unwrap().starts_with(path), "{told}");
    }
    rig.stop().await;
}
