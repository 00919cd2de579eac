//! Tokens: what they open, when they stop, and where their text is not found.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rhaven::base::Tenant;
use rhaven::session::{Scope, Sessions};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::kept::{NEEDLE, keep};
use crate::rig::{Rig, config};
use crate::vm::{end, heard, in_time, made, socket, text, token_of};

async fn status(rig: &Rig, token: &str) -> StatusCode {
    rig.ask_as(token, Method::GET, "/v1/sessions", None).await.status
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

async fn elsewhere(rig: &Rig) -> Sessions {
    let config = config(rig.home.path()).workspace;
    Box::pin(Sessions::open(config.store, config.key)).await.unwrap()
}

#[tokio::test]
async fn a_token_stops_when_it_is_revoked_by_anybody_or_has_run_out() {
    let rig = Rig::start().await;
    let token = rig.token_of("acme", &Scope::ALL).await;
    assert_eq!(status(&rig, &token).await, StatusCode::OK);
    // By another process.
    let id = token.split('.').nth(1).unwrap();
    assert!(elsewhere(&rig).await.revoke_token(id).await.unwrap());
    assert_eq!(status(&rig, &token).await, StatusCode::UNAUTHORIZED);
    assert!(!elsewhere(&rig).await.revoke_token(id).await.unwrap());
    assert_eq!(status(&rig, &rig.token).await, StatusCode::OK, "another of the same tenant");

    let all: BTreeSet<Scope> = Scope::ALL.into();
    let made = rig.sessions.create_token(&tenant("acme"), &all, Some(Duration::from_secs(2))).await;
    let (info, short) = made.unwrap();
    assert!(info.expires_at.is_some());
    let began = Instant::now();
    while status(&rig, short.expose()).await == StatusCode::OK {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not run out");
    }
    assert!(
        rig.sessions.tokens(None).await.unwrap().contains(&info),
        "one that has run out is listed until it is revoked"
    );
    rig.stop().await;
}

#[tokio::test]
async fn tokens_outlive_a_change_of_the_key() {
    let rig = Rig::start().await;
    let other = rig.token_of("globex", &[Scope::Run]).await;
    let rotated = elsewhere(&rig).await.rotate(&Tenant::default()).await.unwrap();
    assert!(rotated.new && rotated.left.is_empty(), "{rotated:?}");
    for token in [&rig.token, &other] {
        assert_eq!(status(&rig, token).await, StatusCode::OK);
    }
    let listed = rig.sessions.tokens(None).await.unwrap();
    assert_eq!(listed.iter().map(|token| token.tenant.as_str()).collect::<Vec<_>>(), ["acme", "globex"]);
    assert_eq!(rig.sessions.tokens(Some(&tenant("globex"))).await.unwrap(), listed[1..]);
    // One that is made after the change, and a server that begins after it.
    let new = rig.token_of("initech", &Scope::ALL).await;
    let old = rig.token.clone();
    let rig = Rig::start_over(rig.stop().await, |_| {}).await;
    for token in [&old, &other, &new] {
        assert_eq!(status(&rig, token).await, StatusCode::OK);
    }
    rig.stop().await;
}

#[tokio::test]
async fn one_that_would_open_nothing_or_have_no_end_is_not_made() {
    let rig = Rig::start().await;
    let all: BTreeSet<Scope> = Scope::ALL.into();
    for (scopes, lasts) in [(BTreeSet::new(), None), (all.clone(), Some(Duration::ZERO)), (all, Some(Duration::MAX))] {
        let error = rig.sessions.create_token(&tenant("acme"), &scopes, lasts).await.unwrap_err();
        assert_eq!(error.code(), "invalid_argument", "{error}");
    }
    assert_eq!(rig.sessions.tokens(None).await.unwrap().len(), 1);
    rig.stop().await;
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn files(folder: &Path, all: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), all);
        } else {
            all.push(std::fs::read(entry.path()).unwrap());
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

// On one thread, which the log is of.
#[tokio::test]
async fn the_text_of_a_token_or_a_secret_is_in_no_file_log_or_error() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _logging = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
    tracing::trace!("is logged");
    let rig = Rig::start().await;
    let (passphrase, value) = ("correct-horse-battery", "swordfish-in-the-vault");
    keep(&rig, "shop", "sid").await;
    let wrong = format!("{}x", rig.token);
    let mut answers = vec![
        rig.ask_as(&wrong, Method::GET, "/v1/sessions", None).await.text,
        rig.ask(Method::PUT, "/v1/secrets/PIN", Some(&json!({ "value": value }))).await.text,
        rig.ask(Method::PUT, "/v1/secrets/PIN", Some(&json!({ "value": { "nested": value } }))).await.text,
        rig.ask(Method::PUT, "/v1/secrets/PIN", Some(&json!({ "value": [value] }))).await.text,
        rig.ask(Method::PUT, "/v1/secrets/P%20N", Some(&json!({ "value": value }))).await.text,
        rig.ask(Method::GET, "/v1/secrets", None).await.text,
    ];
    for path in ["/v1/sessions/shop/export?format=bundle", "/v1/sessions/shop/export?format=cookies_txt", "/v1/nothing"]
    {
        let request = rig.request(Method::GET, path).header("x-rhaven-passphrase", passphrase);
        let text = request.send().await.unwrap().bytes().await.unwrap();
        if !path.ends_with("cookies_txt") {
            answers.push(String::from_utf8_lossy(&text).into_owned());
        }
    }
    let (token, secret) = (rig.token.clone(), rig.token.rsplit('.').next().unwrap().to_owned());
    let mut kept = Vec::new();
    files(rig.stop().await.path(), &mut kept);
    let log = log.0.lock().unwrap().clone();
    assert!(holds(&log, "is logged") && kept.len() >= 2);
    for text in [&*token, &*secret, passphrase, value, NEEDLE] {
        assert!(!holds(&log, text), "{text} in the log:\n{}", String::from_utf8_lossy(&log));
        assert!(kept.iter().all(|file| !holds(file, text)), "{text} in a file");
        assert!(answers.iter().all(|answer| !holds(answer.as_bytes(), text)), "{text} in {answers:?}");
    }
}

// On one thread, which the log is of.
#[tokio::test]
async fn what_opens_a_live_browser_is_in_no_file_log_or_error() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _logging = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
    let rig = Rig::start().await;
    let beside = rig.beside(|_| {}).await;
    let webhook = json!({ "url": "http://127.0.0.1:9/hook-of-swordfish", "bearer": "correct-horse-battery" });
    let asked = json!({ "profile": true, "http_proxy": "http://me:staple-in-the-proxy@127.0.0.1:9",
        "start_url": "http://shop.example/?ticket=swordfish-in-the-query", "timeout": { "absolute": 300, "webhook": webhook } });
    let live = made(&rig, &asked).await;
    let id = text(&live, "session_id");
    let opens = |live: &serde_json::Value| {
        let (embed, view) = (token_of(text(live, "embed_url")), token_of(text(live, "view_url")));
        let cdp = text(live, "cdp_url").rsplit('/').next().unwrap();
        [embed, view, cdp, text(live, "admin_token")].map(str::to_owned)
    };
    let mut secrets: Vec<String> = opens(&live).into();
    secrets.extend(opens(&rig.ask(Method::GET, &format!("/v0/vm/{id}"), None).await.json()));
    let mut answers = Vec::new();
    // By the server that has it, and by one that passes it on.
    for rig in [&rig, &beside] {
        let mut person = socket(rig, id, &secrets[0], None).await.unwrap();
        heard(&mut person, "hello").await;
        let cdp = format!("ws://{}/live/{id}/cdp/{}", rig.address, secrets[2]);
        drop(in_time("a connection", rhaven::browser::Browser::connect(&cdp)).await.unwrap());
        for token in [&secrets[3], &secrets[0], "x"] {
            let path = format!("/live/{id}/timeout");
            let body = json!({ "absolute": "never", "token": token });
            answers.push(rig.ask_as(token, Method::POST, &path, Some(&body)).await.text);
            let path = format!("/live/{id}/downloads/1/{token}");
            answers.push(rig.ask_as("", Method::GET, &path, None).await.text);
            let path = format!("/live/{id}/cdp/{token}?again={token}");
            answers.push(rig.ask_as("", Method::GET, &path, None).await.text);
        }
    }
    end(&rig, id).await;
    beside.stop().await;
    let mut kept = Vec::new();
    files(rig.stop().await.path(), &mut kept);
    let log = log.0.lock().unwrap().clone();
    let own = ["swordfish", "correct-horse-battery", "staple-in-the-proxy"].map(str::to_owned);
    for text in secrets.iter().chain(&own) {
        assert!(!holds(&log, text), "{text} in the log:\n{}", String::from_utf8_lossy(&log));
        assert!(kept.iter().all(|file| !holds(file, text)), "{text} in a file");
        assert!(answers.iter().all(|answer| !holds(answer.as_bytes(), text)), "{text} in {answers:?}");
    }
    assert!(holds(&log, "a live browser ends") && kept.len() >= 2);
}

#[tokio::test]
async fn the_command_line_makes_tokens_for_a_server_that_runs_and_sees_the_same_sessions() {
    let rig = Rig::start().await;
    let home = rig.home.path().to_owned();
    let rhaven = async |args: &'static [&'static str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rhaven"));
        command.args(args).env_clear().env("RHAVEN_HOME", &home).env("HOME", &home).current_dir(&home);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let token = rhaven(&["token", "create", "--tenant", "acme", "--scope", "run"]).await;
    assert_eq!(status(&rig, token.trim()).await, StatusCode::OK);
    keep(&rig, "shop", "sid").await;
    let shown = rhaven(&["session", "show", "shop", "--tenant", "acme", "--json"]).await;
    let mut over_http = rig.ask(Method::GET, "/v1/sessions/shop", None).await.json();
    over_http.as_object_mut().unwrap().remove("request_id");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), over_http);
    rhaven(&["session", "fork", "shop", "copy", "--tenant", "acme"]).await;
    assert_eq!(rig.ask(Method::GET, "/v1/sessions/copy", None).await.status, StatusCode::OK);
    rig.stop().await;
}
