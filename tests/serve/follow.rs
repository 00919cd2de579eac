//! Jobs from a client's side: asked for, followed by their events, read.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Answered, Rig};

/// An event: its number, its name, its data.
pub type Told = (u64, String, Value);

/// The events of a job, as they come.
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// Those of a job, after the one of that number.
    pub async fn of(rig: &Rig, id: &str, after: u64) -> Self {
        let request = rig.request(Method::GET, &format!("/v1/jobs/{id}/events"));
        let response = request.header("last-event-id", after.to_string()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next one; none after the last.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                // Comments keep the connection alive and say nothing.
                if let Some(data) = field(&event, "data") {
                    let id = field(&event, "id").and_then(|id| id.parse().ok()).unwrap_or(0);
                    let name = field(&event, "event").unwrap_or_default();
                    return Some((id, name, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            self.text.push_str(std::str::from_utf8(&self.response.chunk().await.unwrap()?).unwrap());
        }
    }

    /// Waits for the first one like that.
    pub async fn until(&mut self, name: &str, data: &Value) -> u64 {
        loop {
            let (id, is, told) = self.next().await.unwrap_or_else(|| panic!("the job ended before {name} {data}"));
            if is == name && told == *data {
                return id;
            }
        }
    }

    /// All that are still to come.
    pub async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}

fn field(event: &str, name: &str) -> Option<String> {
    event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

/// Asks for a job; its id.
pub async fn ask(rig: &Rig, body: &Value) -> String {
    let answer = rig.post("/v1/jobs", body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let told = answer.json();
    let id = told["job_id"].as_str().unwrap().to_owned();
    assert_eq!(told["status_url"], format!("/v1/jobs/{id}"));
    id
}

/// Asks for a script as a job.
pub async fn ask_script(rig: &Rig, script: &str, session: Option<&str>) -> String {
    ask(rig, &json!({"kind": "run", "input": {"script": script, "session": session}})).await
}

/// Asks for a script that says that it has begun and does not end by itself; waits until it has.
pub async fn ask_endless(rig: &Rig, session: Option<&str>) -> String {
    let id = ask_script(rig, "emit(\"begun\"); loop { }", session).await;
    Events::of(rig, &id, 0).await.until("emit", &json!({"value": "begun"})).await;
    id
}

/// Waits for the end of a job, then what it is told to be.
pub async fn ended(rig: &Rig, id: &str) -> Value {
    Events::of(rig, id, 0).await.rest().await;
    told(rig, id).await
}

/// What a job is told to be.
pub async fn told(rig: &Rig, id: &str) -> Value {
    let answer = rig.ask(Method::GET, &format!("/v1/jobs/{id}"), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

/// What came of a job.
pub async fn result(rig: &Rig, id: &str) -> Answered {
    rig.ask(Method::GET, &format!("/v1/jobs/{id}/result"), None).await
}

/// Cancels a job; what it is then.
pub async fn cancel(rig: &Rig, id: &str) -> Value {
    let answer = rig.ask(Method::POST, &format!("/v1/jobs/{id}/cancel"), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}
