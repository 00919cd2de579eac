//! What is kept, over HTTP: every route of sessions, what it answers and what it refuses.

use std::io::{Read as _, Write as _};

use reqwest::{Method, StatusCode};
use rhaven::base::{Deadline, SessionId, Tenant};
use rhaven::session::{Scope, SessionOptions, Workspace};
use serde_json::{Value, json};

use crate::kept::{NEEDLE, import, keep, path, state};
use crate::rig::{Answered, Rig, config, sent};

async fn get(rig: &Rig, path: &str) -> Answered {
    rig.ask(Method::GET, path, None).await
}

fn code(answer: &Answered) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_list_is_read_a_page_at_a_time_and_is_one_tenants() {
    let rig = Rig::start().await;
    let other = rig.token_of("globex", &Scope::ALL).await;
    for number in 0..5 {
        keep(&rig, &format!("s{number}"), "sid").await;
    }
    import(&rig, &other, "theirs", "", &state("sid")).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&rig, &format!("/v1/sessions?limit=2{after}")).await.json();
        assert!(page["request_id"].is_string() && page["damaged"] == 0, "{page}");
        let sessions = page["sessions"].as_array().unwrap();
        assert!(sessions.len() <= 2);
        seen.extend(sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4"]);
    let whole = get(&rig, "/v1/sessions").await.json();
    assert_eq!((whole["sessions"].as_array().unwrap().len(), &whole["next"]), (5, &Value::Null));
    let one = &whole["sessions"][0];
    assert_eq!((&one["cookies"], &one["origins"], &one["version"]), (&json!(1), &json!(1), &json!(1)));
    let theirs = rig.ask_as(&other, Method::GET, "/v1/sessions", None).await.json();
    assert_eq!(theirs["sessions"].as_array().unwrap().len(), 1);
    // A page that ends exactly at the last one has no next; a session that is gone is a place in the list all the same.
    assert_eq!(get(&rig, "/v1/sessions?limit=5").await.json()["next"], Value::Null);
    rig.ask(Method::DELETE, "/v1/sessions/s2", None).await;
    assert!(get(&rig, "/v1/sessions?after=s2").await.status.is_success());
    for wrong in ["limit=0", "limit=1001", "limit=x", "offset=1", "after="] {
        let refused = get(&rig, &format!("/v1/sessions?{wrong}")).await;
        assert_eq!(code(&refused), (400, "invalid_request".into()), "{wrong}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn ids_are_any_text() {
    let rig = Rig::start().await;
    let longest = "ž".repeat(128);
    for id in ["a/b c%é..", "a/../b", "?x=1#y", "50%25", longest.as_str(), "日本/🦀", "history"] {
        keep(&rig, id, "sid").await;
        let shown = get(&rig, &path(id)).await;
        assert_eq!((shown.status, &shown.json()["id"]), (StatusCode::OK, &json!(id)));
        assert_eq!(get(&rig, &format!("{}/history", path(id))).await.json()["id"], id);
        let deleted = rig.ask(Method::DELETE, &path(id), None).await;
        assert_eq!(deleted.json()["deleted"], id);
        assert_eq!(code(&get(&rig, &path(id)).await), (404, "session_not_found".into()), "{id}");
    }
    for wrong in [&path(&"x".repeat(257)), "/v1/sessions/%00", "/v1/sessions/a%0Ab", "/v1/sessions/%FF"] {
        assert_eq!(code(&get(&rig, wrong).await), (400, "invalid_request".into()), "{wrong}");
    }
    // Clients that follow the URL standard take these for steps in the path; others can ask for them.
    for id in [".", ".."] {
        rig.sessions.fork(&acme(), &kept(&rig).await, &SessionId::new(id).unwrap(), None).await.unwrap();
        let encoded = path(id);
        let answer = raw(&rig, &format!("GET {encoded} HTTP/1.1")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("\"id\":\"{id}\"")), "{answer}");
    }
    rig.stop().await;
}

fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

async fn kept(rig: &Rig) -> SessionId {
    keep(rig, "source", "sid").await;
    SessionId::new("source").unwrap()
}

/// A request as it is, which no client has made another of.
async fn raw(rig: &Rig, first_line: &str) -> String {
    let text =
        format!("{first_line}\r\nHost: rhaven\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n", rig.token);
    let address = rig.address;
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn versions_are_told_by_name_compared_forked_and_gone_back_to() {
    let rig = Rig::start().await;
    keep(&rig, "shop", "first").await;
    keep(&rig, "shop", "second").await;
    let shown = get(&rig, "/v1/sessions/shop").await;
    let json = shown.json();
    assert_eq!((&json["version"], json["versions"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(json["cookies"][0]["name"], "second");
    assert_eq!(json["origins"][0]["local_storage"], json!(["second"]));
    let history = get(&rig, "/v1/sessions/shop/history").await;
    assert_eq!(history.json()["versions"][0]["changes"].as_array().unwrap().len(), 4, "{}", history.text);
    assert_eq!(history.json()["damaged"], json!([]));
    let diff = get(&rig, "/v1/sessions/shop/diff?from=2&to=1").await;
    let added = json!({"kind": "added", "store": "localStorage", "origin": "https://shop.example/", "name": "first"});
    assert!(diff.json()["changes"].as_array().unwrap().contains(&added), "{}", diff.text);
    assert_eq!(get(&rig, "/v1/sessions/shop/diff").await.json()["from"], 1);
    let check = rig.ask(Method::POST, "/v1/sessions/shop/check", None).await;
    assert_eq!((&check.json()["whole"], check.json()["versions"].as_array().unwrap().len()), (&json!(true), 2));
    for answer in [&shown, &history, &diff, &check] {
        assert!(!answer.text.contains(NEEDLE), "{}", answer.text);
    }

    let fork = rig.post("/v1/sessions/shop/fork", &json!({"id": "a / fork", "version": 1})).await;
    assert_eq!((fork.status, &fork.json()["of_version"]), (StatusCode::CREATED, &json!(1)));
    assert_eq!(get(&rig, &path("a / fork")).await.json()["cookies"][0]["name"], "first");
    let again = rig.post("/v1/sessions/shop/fork", &json!({"id": "a / fork"})).await;
    assert_eq!(code(&again), (409, "session_exists".into()));
    let back = rig.post("/v1/sessions/shop/rollback", &json!({"version": 1})).await.json();
    assert_eq!((&back["from"], &back["to"], &back["version"]), (&json!(2), &json!(1), &json!(3)));
    assert_eq!(get(&rig, "/v1/sessions/shop").await.json()["cookies"][0]["name"], "first");

    let gone = rig.post("/v1/sessions/shop/rollback", &json!({"version": 9})).await;
    assert_eq!((code(&gone), &gone.json()["error"]["kept"]), ((404, "version_not_found".into()), &json!([3, 2, 1])));
    assert_eq!(code(&get(&rig, "/v1/sessions/shop/diff?from=9").await), (404, "version_not_found".into()));
    assert_eq!(code(&get(&rig, "/v1/sessions/shop/diff?from=x").await), (400, "invalid_request".into()));
    for (body, place) in [(json!({"id": ""}), "id"), (json!({"id": "x", "at": 1}), "at"), (json!({}), ".")] {
        let refused = rig.post("/v1/sessions/shop/fork", &body).await;
        assert_eq!(code(&refused), (400, "invalid_request".into()), "{}", refused.text);
        assert_eq!(refused.json()["error"]["path"], place);
    }
    for (method, tail, body) in [
        (Method::GET, "", None),
        (Method::DELETE, "", None),
        (Method::GET, "/history", None),
        (Method::GET, "/diff", None),
        (Method::POST, "/check", None),
        (Method::POST, "/fork", Some(json!({"id": "x"}))),
        (Method::POST, "/rollback", Some(json!({"version": 1}))),
        (Method::GET, "/export?format=cookies_txt", None),
    ] {
        let answer = rig.ask(method, &format!("/v1/sessions/nobody{tail}"), body.as_ref()).await;
        assert_eq!(code(&answer), (404, "session_not_found".into()), "{tail}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn sessions_go_out_and_come_in_in_three_formats() {
    let rig = Rig::start().await;
    keep(&rig, "shop", "sid").await;
    let export = async |query: &str, passphrase: Option<&str>| {
        let request = rig.request(Method::GET, &format!("/v1/sessions/shop/export?{query}"));
        let request = passphrase.into_iter().fold(request, |request, text| request.header("X-Rhaven-Passphrase", text));
        request.send().await.unwrap()
    };
    for (format, kind) in [("storage_state", "application/json"), ("cookies_txt", "text/plain; charset=utf-8")] {
        let answer = export(&format!("format={format}"), None).await;
        assert_eq!(answer.headers()["content-type"], kind);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let lost = answer.headers()["x-rhaven-not-held"].to_str().unwrap() == "0";
        assert_eq!(lost, format == "storage_state");
        let text = answer.text().await.unwrap();
        assert!(text.contains(NEEDLE));
        let id = format!("from {format}");
        let request = rig.request(Method::PUT, &format!("{}/import?format={format}", path(&id)));
        let made = sent(request.body(text.clone())).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        assert_eq!((&made.json()["format"], &made.json()["cookies"]), (&json!(format), &json!(1)));
        assert!(!made.text.contains(NEEDLE));
        // It is told by how it begins, and nothing is written over without a word.
        let again = sent(rig.request(Method::PUT, &format!("{}/import", path(&id))).body(text.clone())).await;
        assert_eq!(code(&again), (409, "session_exists".into()));
        let again = sent(rig.request(Method::PUT, &format!("{}/import?replace=true", path(&id))).body(text)).await;
        assert_eq!((&again.json()["replaced"], &again.json()["version"]), (&json!(1), &json!(2)), "{}", again.text);
    }

    keep(&rig, "shop", "sid2").await;
    let bundle = export("format=bundle&all_versions=true", Some("correct horse battery")).await;
    assert_eq!(bundle.headers()["content-type"], "application/octet-stream");
    let bundle = bundle.bytes().await.unwrap();
    let put = async |id: &str, passphrase: &str| {
        let request = rig.request(Method::PUT, &format!("{}/import", path(id)));
        sent(request.header("X-Rhaven-Passphrase", passphrase).body(bundle.clone())).await
    };
    let made = put("from a bundle", "correct horse battery").await;
    assert_eq!((&made.json()["versions"], &made.json()["format"]), (&json!(2), &json!("bundle")), "{}", made.text);
    let wrong = put("another", "incorrect horse").await;
    assert_eq!(code(&wrong), (422, "decrypt_failed".into()), "{}", wrong.text);
    assert_eq!(code(&get(&rig, "/v1/sessions/another").await), (404, "session_not_found".into()));

    let refused = async |query: &str, passphrase: Option<&str>| {
        let response = export(query, passphrase).await;
        let status = response.status().as_u16();
        let json: Value = response.json().await.unwrap();
        (status, json["error"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused("format=bundle", None).await, (400, "passphrase_required".into()));
    assert_eq!(refused("format=bundle", Some("x")).await, (400, "invalid_request".into()));
    assert_eq!(refused("format=zip", None).await, (400, "invalid_request".into()));
    assert_eq!(refused("", None).await, (400, "invalid_request".into()));
    assert_eq!(refused("format=cookies_txt&all_versions=true", None).await, (400, "invalid_request".into()));
    rig.stop().await;
}

#[tokio::test]
async fn what_cannot_be_taken_changes_nothing_and_is_told_by_its_place() {
    let rig = Rig::start_with(|config| config.max_import = 10_000).await;
    keep(&rig, "shop", "sid").await;
    let put = async |query: &str, body: String| {
        sent(rig.request(Method::PUT, &format!("/v1/sessions/shop/import?replace=true{query}")).body(body)).await
    };
    let mut broken = state("sid");
    broken["cookies"][0]["path"] = json!({"a": NEEDLE});
    let answer = put("", broken.to_string()).await;
    assert_eq!(code(&answer), (422, "invalid_import".into()));
    assert!(answer.text.contains("cookies[0].path") && !answer.text.contains(NEEDLE), "{}", answer.text);
    for (query, body) in [("", String::new()), ("", "hello".into()), ("&format=bundle", "{}".into())] {
        assert_eq!(code(&put(query, body).await), (422, "invalid_import".into()), "{query}");
    }
    // Told beforehand, and found on the way.
    assert_eq!(code(&put("", " ".repeat(10_001)).await), (413, "payload_too_large".into()));
    let pieces = futures_util::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(" ".repeat(1_000))));
    let request = rig.request(Method::PUT, "/v1/sessions/shop/import?format=storage_state&replace=true");
    let answer = sent(request.body(reqwest::Body::wrap_stream(pieces))).await;
    assert_eq!(code(&answer), (413, "payload_too_large".into()));
    assert_eq!(get(&rig, "/v1/sessions/shop").await.json()["version"], 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_use_is_told_with_its_holder_and_is_the_same_everywhere() {
    let rig = Rig::start().await;
    keep(&rig, "shop", "sid").await;
    let mut workspace = config(rig.home.path()).workspace;
    workspace.tenant = acme();
    workspace.holder = "a run of the tests".to_owned();
    let workspace = Workspace::new(workspace);
    let id = SessionId::new("shop").unwrap();
    let session = workspace.session(&id, &SessionOptions::default()).await.unwrap();
    let held = get(&rig, "/v1/sessions/shop").await.json();
    assert!(held["held_by"].as_str().unwrap().starts_with("a run of the tests (pid "), "{held}");
    for (method, tail, body) in [
        (Method::DELETE, "", None),
        (Method::POST, "/rollback", Some(json!({"version": 1}))),
        (Method::PUT, "/import?replace=true", Some(state("other"))),
    ] {
        if tail == "/rollback" {
            // What is the newest already takes no writing, and no lease is needed to see that a version is not kept.
            let gone = rig.ask(method.clone(), "/v1/sessions/shop/rollback", Some(&json!({"version": 7}))).await;
            assert_eq!(code(&gone), (404, "version_not_found".into()));
        }
        let busy = rig.ask(method, &format!("/v1/sessions/shop{tail}"), body.as_ref()).await;
        assert_eq!(code(&busy), (409, "session_busy".into()), "{tail}");
        let error = &busy.json()["error"];
        assert!(error["holder"].as_str().unwrap().starts_with("a run of the tests (pid "), "{error}");
        assert!((1..=15_000).contains(&error["lease_ends_in_ms"].as_u64().unwrap()), "{error}");
        assert_eq!(busy.json()["diagnostics"]["retryable"], true);
    }
    // A state in clear that is wrong is found before the lease is asked for.
    let wrong = sent(rig.request(Method::PUT, "/v1/sessions/shop/import?replace=true").body("hello")).await;
    assert_eq!(code(&wrong), (422, "invalid_import".into()));
    // What only reads goes on.
    assert!(rig.post("/v1/sessions/shop/fork", &json!({"id": "copy"})).await.status.is_success());
    assert!(get(&rig, "/v1/sessions/shop/export?format=storage_state").await.status.is_success());

    let cookie = json!({"name": "by-the-run", "value": "1", "domain": "shop.example", "path": "/"});
    session.add_cookies(&[cookie.as_object().unwrap().clone()]).await.unwrap();
    let outcome = workspace.finish(Deadline::after(std::time::Duration::from_secs(20))).await.remove(0);
    assert_eq!((outcome.save_error, outcome.version.map(|version| version.0)), (None, Some(2)));
    let shown = get(&rig, "/v1/sessions/shop").await.json();
    assert_eq!((&shown["version"], &shown["held_by"]), (&json!(2), &Value::Null));
    let names: Vec<_> = shown["cookies"].as_array().unwrap().iter().map(|cookie| cookie["name"].clone()).collect();
    assert!(names.contains(&json!("by-the-run")), "{names:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_transfers_leave_room_for_others_and_too_many_are_told_to_come_again() {
    use tokio::io::AsyncWriteExt;
    let rig = Rig::start_with(|config| config.max_queued = 1).await;
    let until = async |wanted: [&str; 2]| loop {
        let text = rig.ask_as("", Method::GET, "/metrics", None).await.text;
        if wanted.iter().all(|wanted| text.lines().any(|line| line == *wanted)) {
            break;
        }
    };
    // Their bodies do not come: two are taken, which is all that a tenant has of four, and one waits.
    let mut slow = Vec::new();
    for number in 0..3 {
        let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        let head =
            format!("PUT /v1/sessions/s{number}/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}", rig.token);
        stream.write_all(format!("{head}\r\nContent-Length: 1000\r\n\r\n{{").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    until(["rhaven_transfers_running 2", "rhaven_transfers_waiting 1"]).await;
    let more = async || import(&rig, &rig.token, "more", "", &state("more")).await;
    let answer = more().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (429, &json!("rate_limited")));
    assert!(answer.headers.contains_key("retry-after"), "{}", answer.text);
    let other = rig.token_of("other", &Scope::ALL).await;
    let answer = import(&rig, &other, "more", "", &state("more")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    // No slot is held meanwhile.
    assert_eq!(rig.post("/v1/run", &json!({"script": "1"})).await.status, StatusCode::OK);
    drop(slow);
    until(["rhaven_transfers_running 0", "rhaven_transfers_waiting 0"]).await;
    let answer = more().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    rig.stop().await;
}
