//! `/v1/run`: what a script comes to over HTTP, and what it may not.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rhaven::base::SessionId;
use rhaven::page::GotoOptions;
use rhaven::practice::Practice;
use rhaven::session::{SessionOptions, Workspace};
use serde_json::{Value, json};

use crate::rig::{Answered, Rig, config, sent};

/// A practice site that serves until the test ends.
pub async fn site() -> String {
    let site = Practice::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = site.url().to_owned();
    tokio::spawn(async move { site.serve().await });
    url
}

const KEEP: &str = "goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('kept', 'a value')\"); title()";

/// When what had some seconds and would never end by itself has ended, also on a machine that does much else.
const LATEST: Duration = Duration::from_mins(1);

fn error(answer: &Answered) -> Value {
    answer.json()["error"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_answers_its_value_and_what_it_said() {
    let rig = Rig::start().await;
    let script = "print(\"hello\"); log(`n is ${args.n}`); emit(#{ a: args.list[1] }); step(\"one\", || 1); args.n + 1";
    let answer = rig.post("/v1/run", &json!({ "script": script, "args": { "n": 41, "list": [1, "x"] } })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let told = answer.json();
    assert_eq!((&told["status"], &told["result"]), (&json!("completed"), &json!(42)));
    assert_eq!(told["emitted"], json!([{ "a": "x" }]));
    assert_eq!(told["logs"][0], json!({ "kind": "print", "text": "hello" }));
    assert_eq!(told["logs"][1], json!({ "kind": "log", "text": "n is 41" }));
    assert!(told["session"].is_null() && told["duration_ms"].is_u64(), "{told}");
    let answer = rig.post("/v1/run", &json!({ "script": "emit(1); 2", "output": ["result"] })).await.json();
    assert!(answer.get("emitted").is_none() && answer["result"] == 2, "{answer}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_saved_and_told_also_where_the_script_failed() {
    let (rig, base) = (Rig::start().await, site().await);
    let body = json!({ "script": KEEP, "args": { "base": base }, "session": "a b/ü" });
    let first = rig.post("/v1/run", &body).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let session = &first.json()["session"];
    assert_eq!((&session["id"], &session["updated"], &session["version"]), (&json!("a b/ü"), &json!(true), &json!(1)));
    assert_eq!(session["changes"][0]["name"], "kept");
    assert!(!first.text.contains("a value"), "{}", first.text);
    let again = rig.post("/v1/run", &body).await.json();
    assert_eq!((&again["session"]["updated"], &again["session"]["version"]), (&json!(false), &json!(1)));
    let script = format!("{KEEP}; evaluate(\"localStorage.setItem('more', '1')\"); throw \"enough\"");
    let failed = rig.post("/v1/run", &json!({ "script": script, "args": { "base": base }, "session": "a b/ü" })).await;
    assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = failed.json();
    assert_eq!((&told["error"]["code"], &told["session"]["version"]), (&json!("script_error"), &json!(2)), "{told}");
    assert_eq!(told["session"]["changes"][0]["name"], "more");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_fails_tells_where_and_what_was_tried() {
    let (rig, base) = (Rig::start().await, site().await);
    let parse = rig.post("/v1/run", &json!({ "script": "let a = 1;\nlet b = = 2;" })).await;
    assert_eq!(parse.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = error(&parse);
    assert_eq!((&told["inner_code"], &told["line"]), (&json!("parse_error"), &json!(2)), "{told}");
    let script = "fn pay() { click(\"#pay\", #{ timeout: \"200ms\" }); }\ngoto(args.base + \"/form\");\npay();";
    let verb = rig.post("/v1/run", &json!({ "script": script, "args": { "base": base } })).await;
    let told = error(&verb);
    assert_eq!(
        (verb.status.as_u16(), &told["inner_code"], &told["line"]),
        (422, &json!("timeout"), &json!(1)),
        "{told}"
    );
    assert_eq!((&told["frame"][0]["function"], &told["frame"][0]["line"]), (&json!("pay"), &json!(3)), "{told}");
    assert!(told["log"].as_array().is_some_and(|log| !log.is_empty()), "{told}");
    assert_eq!(verb.json()["diagnostics"]["timed_out"], true);
    // What a script makes up is its own.
    let script = "throw #{ code: \"store_unavailable\", message: \"no more apples\" }";
    let own = rig.post("/v1/run", &json!({ "script": script })).await;
    let told = error(&own);
    assert_eq!((own.status.as_u16(), &told["code"]), (422, &json!("script_error")), "{told}");
    assert_eq!((&told["inner_code"], &told["message"]), (&json!("store_unavailable"), &json!("no more apples")));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_end_is_an_end_at_the_deadline() {
    let (rig, base) = (Rig::start().await, site().await);
    let body = json!({ "script": "emit(1); loop { }", "timeout_ms": 4000, "session": "looping" });
    let began = Instant::now();
    let answer = rig.post("/v1/run", &body).await;
    let took = began.elapsed();
    assert_eq!((answer.status, &error(&answer)["code"]), (StatusCode::GATEWAY_TIMEOUT, &json!("timeout")));
    assert_eq!((&answer.json()["emitted"], &answer.json()["session"]["id"]), (&json!([1]), &json!("looping")));
    assert!(took < LATEST, "{took:?}");
    // The page is what does not end; its state cannot be read.
    let script = "goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('a', 1)\"); save(); emit(2); \
                  evaluate(\"while (true) {}\")";
    let body = json!({ "script": script, "args": { "base": base }, "timeout_ms": 6000, "session": "hanging" });
    let began = Instant::now();
    let answer = rig.post("/v1/run", &body).await;
    let took = began.elapsed();
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{}", answer.text);
    assert!(took < LATEST, "{took:?}");
    // What it had saved by itself is told, where it came to that.
    let told = answer.json()["session"].clone();
    assert_eq!(told["id"], "hanging", "{}", answer.text);
    if answer.json()["emitted"] == json!([2]) {
        assert_eq!((&told["updated"], &told["version"]), (&json!(true), &json!(1)), "{told}");
        assert_eq!(told["changes"][0]["name"], "a", "{told}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_saved_is_told_where_the_last_save_is_broken_off() {
    let (home, base) = (tempfile::tempdir().unwrap(), site().await);
    let soon = || rhaven::base::Deadline::after(Duration::from_mins(1));
    let workspace = Workspace::new(config(home.path()).workspace);
    let session = workspace.session(&SessionId::new("kept").unwrap(), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    page.goto(&format!("{base}/form"), &GotoOptions::default(), soon()).await.unwrap();
    page.main_frame().evaluate("localStorage.setItem('kept', '1')", None, soon()).await.unwrap();
    session.save(soon()).await.unwrap();
    let saved = workspace.outcomes();
    assert_eq!((saved.len(), saved[0].updated), (1, true));
    tokio::select! {
        biased;
        _ = workspace.finish(soon()) => unreachable!("a page is not read at once"),
        () = std::future::ready(()) => {}
    }
    let told = workspace.outcomes();
    assert_eq!((told.len(), told[0].updated, told[0].version), (1, true, saved[0].version));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_others_hold_is_busy_and_can_be_read_or_forked() {
    let (rig, base) = (Rig::start().await, site().await);
    let keep = json!({ "script": KEEP, "args": { "base": base }, "session": "held" });
    assert_eq!(rig.post("/v1/run", &keep).await.status, StatusCode::OK);
    let mut other = config(rig.home.path()).workspace;
    other.tenant = rhaven::base::Tenant::new("acme").unwrap();
    other.holder = "somebody else".to_owned();
    let other = Workspace::new(other);
    let id = SessionId::new("held").unwrap();
    other.session(&id, &SessionOptions::default()).await.unwrap();
    let busy = rig.post("/v1/run", &json!({ "script": "1", "session": { "id": "held", "mode": "fail" } })).await;
    assert_eq!(busy.status, StatusCode::CONFLICT, "{}", busy.text);
    let told = busy.json();
    assert_eq!((&told["error"]["code"], &told["diagnostics"]["retryable"]), (&json!("session_busy"), &json!(true)));
    assert!(told["error"]["holder"].as_str().unwrap().contains("somebody else"), "{told}");
    assert!(told["error"]["lease_ends_in_ms"].is_u64() && busy.headers.contains_key("retry-after"));
    // In the script's own words it is the same.
    let own = rig.post("/v1/run", &json!({ "script": "session(\"held\")" })).await;
    assert_eq!((own.status, &error(&own)["line"]), (StatusCode::CONFLICT, &json!(1)), "{}", own.text);
    let read = json!({ "id": "held", "mode": "read_only" });
    let script = "goto(args.base + \"/form\"); evaluate(\"localStorage.getItem('kept')\")";
    let read =
        rig.post("/v1/run", &json!({ "script": script, "args": { "base": base }, "session": read })).await.json();
    assert_eq!((&read["result"], &read["session"]["updated"]), (&json!("a value"), &json!(false)), "{read}");
    let fork = rig.post("/v1/run", &json!({ "script": "1", "session": { "id": "held", "mode": "fork" } })).await.json();
    assert_eq!(fork["session"]["forked_from"], "held", "{fork}");
    other.finish(rhaven::base::Deadline::after(Duration::from_secs(20))).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_has_the_tenants_secrets_and_nothing_of_the_machine() {
    let (rig, base) = (Rig::start().await, site().await);
    let acme = rhaven::base::Tenant::new("acme").unwrap();
    let value = rhaven::base::Secret::new("PIN", "swordfish-7".to_owned());
    rig.sessions.set_secret(&acme, "PIN", &value).await.unwrap();
    let body = json!({ "script": "goto(args.base + \"/form\"); type(\"label=Name\", secret(\"PIN\")); \
                                  throw evaluate(\"document.querySelector('input').value\")", "args": { "base": base } });
    let leak = rig.post("/v1/run", &body).await;
    assert_eq!(leak.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", leak.text);
    assert!(!leak.text.contains("swordfish"), "{}", leak.text);
    let others = rig.token_of("other", &rhaven::session::Scope::ALL).await;
    let none = rig.ask_as(&others, Method::POST, "/v1/run", Some(&json!({ "script": "secret(\"PIN\")" }))).await;
    assert_eq!(error(&none)["inner_code"], "secret_not_set", "{}", none.text);
    for script in ["env(\"PATH\")", "import \"../secret\" as s;", "goto(\"about:blank\"); screenshot(\"/tmp/x.png\")"] {
        let refused = rig.post("/v1/run", &json!({ "script": script })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{script}: {}", refused.text);
    }
    let shot = rig.post("/v1/run", &json!({ "script": "goto(\"about:blank\"); screenshot(\"x.png\"); 1" })).await;
    assert_eq!(shot.status, StatusCode::OK, "{}", shot.text);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_is_told_before_anything_is_begun() {
    let rig = Rig::start_with(|config| config.max_script = 100).await;
    let check = async |body: Value, status: u16, path: &str| {
        let answer = rig.post("/v1/run", &body).await;
        let told = error(&answer);
        assert_eq!((answer.status.as_u16(), &told["path"]), (status, &json!(path)), "{body}: {told}");
        told
    };
    check(json!({}), 400, "script").await;
    check(json!({ "script": "1", "name": "x" }), 400, "name").await;
    check(json!({ "name": "x" }), 404, "name").await;
    check(json!({ "script": "1", "timeout_ms": 0 }), 400, "timeout_ms").await;
    check(json!({ "script": "1", "timeout_ms": 99_000_000 }), 400, "timeout_ms").await;
    check(json!({ "script": "1", "session": { "id": "a", "ttl": "soon" } }), 400, "session.ttl").await;
    check(json!({ "script": " ".repeat(101) }), 413, "script").await;
    let told = check(json!({ "scrip": "1" }), 400, "scrip").await;
    assert_eq!(told["hint"], "did you mean script?");
    for named in [json!({ "session": { "id": "a", "identity": "phone" } }), json!({ "identity": "phone" })] {
        let mut body = json!({ "script": "1" });
        body.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        let none = rig.post("/v1/run", &body).await;
        assert_eq!((none.status.as_u16(), &error(&none)["code"]), (422, &json!("identity_not_found")), "{}", none.text);
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_streamed_to_who_asks_for_it() {
    let rig = Rig::start().await;
    let ask = async |script: &str| {
        let request = rig.request(Method::POST, "/v1/run").header("accept", "text/event-stream");
        let answer = sent(request.json(&json!({ "script": script }))).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (StatusCode::OK, &"text/event-stream".parse().unwrap())
        );
        let field = |event: &str, name: &str| {
            event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
        };
        let events =
            answer.text.split("\n\n").filter_map(|event| Some((field(event, "event")?, field(event, "data")?)));
        let events: Vec<(String, Value)> =
            events.map(|(name, data)| (name, serde_json::from_str(&data).unwrap())).collect();
        events
    };
    let events = ask("print(\"one\"); emit(2); step(\"three\", || 3); 4").await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["print", "emit", "step", "step", "result"]);
    assert_eq!(
        (&events[0].1["text"], &events[1].1["value"], &events[4].1["result"]),
        (&json!("one"), &json!(2), &json!(4))
    );
    assert!(events[4].1["request_id"].is_string(), "{events:?}");
    let events = ask("print(\"one\"); throw \"two\"").await;
    let (name, last) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &last["error"]["code"], &last["status"]),
        ("error", &json!("script_error"), &json!("failed"))
    );
    rig.stop().await;
}
