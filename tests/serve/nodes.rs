//! Several servers on one store, and a server that is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rhaven::session::{KeySource, Scope, StoreConfig};
use serde_json::{Value, json};

use crate::follow::{Events, ask_endless, ask_script, cancel, ended, result, told};
use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_run_once_by_whichever_server_has_a_slot_and_told_by_all() {
    let one = Rig::start_with(|config| config.max_concurrent = 1).await;
    let other = one.beside(|config| config.max_concurrent = 2).await;
    let endless = ask_endless(&one, None).await;
    let mut waiting = Vec::new();
    for number in 0..6 {
        waiting.push(ask_script(&one, &format!("emit({number}); {number}"), None).await);
    }
    let beside = Events::of(&one, &waiting[5], 0).await;
    // The first has no slot: the other finds them.
    for (number, id) in waiting.iter().enumerate() {
        assert_eq!(ended(&other, id).await["status"], "completed");
        for rig in [&one, &other] {
            let answer = result(rig, id).await;
            assert_eq!((answer.status, &answer.json()["result"]), (StatusCode::OK, &json!(number)), "{}", answer.text);
            assert_eq!(answer.json()["emitted"], json!([number]));
        }
    }
    assert_eq!(told(&other, &endless).await["status"], "running", "what a server runs that lives is left to it");
    // What is told at once is what is known by then.
    cancel(&other, &endless).await;
    assert_eq!(ended(&one, &endless).await["status"], "cancelled");
    // Who followed one of them where it waited hears of its end, once that server had come to it and left it.
    let heard = beside.rest().await;
    assert_eq!(heard.last().map(|(_, _, data)| data.clone()), Some(json!({"status": "completed"})), "{heard:?}");
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_is_over_for_all_where_one_has_ended_it() {
    let one = Rig::start_with(|config| config.max_concurrent = 1).await;
    let endless = ask_endless(&one, None).await;
    let other = one.beside(|config| config.max_concurrent = 1).await;
    let theirs = ask_endless(&other, None).await;
    let waiting = ask_script(&one, "1", None).await;
    let events = Events::of(&one, &waiting, 0).await;
    assert_eq!(cancel(&other, &waiting).await["status"], "cancelled");
    // Its slot is taken still.
    let last = events.rest().await.pop().map(|(_, _, data)| data);
    assert_eq!(last, Some(json!({"status": "cancelled"})));
    assert_eq!(told(&one, &endless).await["status"], "running");
    for (rig, id) in [(&one, &endless), (&other, &theirs)] {
        cancel(rig, id).await;
        assert_eq!(ended(rig, id).await["status"], "cancelled");
    }
    other.stop().await;
    one.stop().await;
}

/// A server as a process of its own.
pub struct Serving {
    child: Child,
    pub url: String,
}

impl Serving {
    pub fn start(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhaven"));
        let limits = ["--max-concurrent", "1", "--no-sandbox"];
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(limits).current_dir(home).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
        command.env("RHAVEN_HOME", home.join("rhaven")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn ask(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        let request = body.iter().fold(request, reqwest::RequestBuilder::json);
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    async fn job(&self, token: &str, script: &str) -> String {
        let body = json!({"kind": "run", "input": {"script": script}});
        let told = self.ask(token, Method::POST, "/v1/jobs", Some(body)).await;
        told["job_id"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    async fn events(&self, token: &str, id: &str) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v1/jobs/{id}/events", self.url);
        client.get(url).bearer_auth(token).send().await.unwrap()
    }

    /// The events of a job until one has this in it, or its end.
    async fn until(&self, token: &str, id: &str, text: &str) -> String {
        until(&mut self.events(token, id).await, text).await
    }
}

/// What comes until it has this in it, or its end.
async fn until(events: &mut reqwest::Response, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text)
        && let Some(chunk) = events.chunk().await.unwrap()
    {
        all.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    all
}

/// A token for scripts; it makes the store.
fn token(home: &Path) -> String {
    token_for(home, "run")
}

/// A token of that scope; it makes the store.
pub fn token_for(home: &Path, scope: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_rhaven"))
        .args(["token", "create", "--tenant", "acme", "--scope", scope])
        .env_clear()
        .env("HOME", home)
        .env("RHAVEN_HOME", home.join("rhaven"))
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("rhvn_"), "{}", String::from_utf8_lossy(&made.stderr));
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_leaves_jobs_that_the_next_one_runs_or_marks() {
    let home = tempfile::tempdir().unwrap();
    let token = token(home.path());
    let serving = Serving::start(home.path());
    let running = serving.job(&token, "emit(\"the word is swordfish\"); loop { }").await;
    assert!(serving.until(&token, &running, "swordfish").await.contains("swordfish"));
    let mut waiting = Vec::new();
    for number in 0..3 {
        waiting.push(serving.job(&token, &format!("\"swordfish {number}\"")).await);
    }
    serving.kill();
    for entry in walk(home.path()) {
        let bytes = std::fs::read(&entry).unwrap_or_default();
        let readable = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!readable(b"swordfish") && !readable(waiting[0].as_bytes()), "{} can be read", entry.display());
    }
    let serving = Serving::start(home.path());
    let mut started = Vec::new();
    for (number, id) in waiting.iter().enumerate() {
        serving.until(&token, id, "the end").await;
        let job = serving.ask(&token, Method::GET, &format!("/v1/jobs/{id}"), None).await;
        let result = serving.ask(&token, Method::GET, &format!("/v1/jobs/{id}/result"), None).await;
        assert_eq!(
            (&job["status"], &result["result"]),
            (&json!("completed"), &json!(format!("swordfish {number}"))),
            "{result}"
        );
        started.push(job["started_at"].as_str().unwrap().to_owned());
    }
    assert!(started.is_sorted(), "{started:?}");
    serving.until(&token, &running, "the end").await;
    let result = serving.ask(&token, Method::GET, &format!("/v1/jobs/{running}/result"), None).await;
    assert_eq!((&result["error"]["code"], &result["diagnostics"]["retryable"]), (&json!("interrupted"), &json!(true)));
    serving.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_where_the_server_that_told_them_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let token = token(home.path());
    let asked = Serving::start(home.path());
    // Its only slot is taken for good: what comes then is done by the other.
    let endless = asked.job(&token, "emit(\"taken\"); loop { }").await;
    assert!(asked.until(&token, &endless, "taken").await.contains("taken"));
    let runs = Serving::start(home.path());
    let job = runs.job(&token, "emit(\"swordfish\"); loop { }").await;
    let mut events = asked.events(&token, &job).await;
    assert!(until(&mut events, "swordfish").await.contains("swordfish"));
    runs.kill();
    let rest = until(&mut events, "the end").await;
    assert!(rest.ends_with("event: status\ndata: {\"status\":\"failed\"}\n\n"), "{rest}");
    asked.kill();
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| walk(folder))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_token_is_revoked_is_not_run() {
    let rig = Rig::start_with(|config| (config.max_concurrent, config.drain) = (1, Duration::from_millis(50))).await;
    let endless = ask_endless(&rig, None).await;
    let waiting = ask_script(&rig, "1", None).await;
    let tokens = rig.sessions.tokens(None).await.unwrap();
    let home = rig.stop().await;
    // Opened beside it, as the command line does.
    let (store, key) = (StoreConfig::Embedded(home.path().join("store")), KeySource::File(home.path().join("key")));
    let sessions = rhaven::session::Sessions::open(store, key).await.unwrap();
    for token in tokens {
        assert!(sessions.revoke_token(&token.id).await.unwrap());
    }
    let rig = Rig::start_over(home, |_| {}).await;
    let events = Events::of(&rig, &waiting, 0).await.rest().await;
    assert_eq!(events.last().map(|(_, _, data)| data.clone()), Some(json!({"status": "failed"})), "{events:?}");
    assert_eq!(result(&rig, &waiting).await.json()["error"]["code"], "unauthorized");
    assert_eq!(told(&rig, &endless).await["status"], "failed");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_token_is_revoked_while_it_waits_is_not_run() {
    let rig = Rig::start_with(|config| config.max_concurrent = 1).await;
    let endless = ask_endless(&rig, None).await;
    let token = rig.token_of("acme", &[Scope::Run]).await;
    let before = rig.sessions.tokens(None).await.unwrap();
    let body = json!({"kind": "run", "input": {"script": "emit(1)", "session": "theirs"}});
    let asked = rig.ask_as(&token, Method::POST, "/v1/jobs", Some(&body)).await.json();
    let id = asked["job_id"].as_str().unwrap().to_owned();
    let theirs = before.iter().find(|token| token.scopes.len() == 1).unwrap();
    assert!(rig.sessions.revoke_token(&theirs.id).await.unwrap());
    cancel(&rig, &endless).await;
    assert_eq!(ended(&rig, &id).await["status"], "failed");
    let said = result(&rig, &id).await.json();
    assert_eq!((&said["error"]["code"], &said["emitted"]), (&json!("unauthorized"), &Value::Null), "{said}");
    assert_eq!(said["session"], json!({"id": "theirs", "updated": false, "version": null, "changes": []}), "{said}");
    rig.stop().await;
}
