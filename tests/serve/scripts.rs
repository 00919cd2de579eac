//! The scripts that a server has: listed, run by name, read again when they change.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::Rig;

const ORDERS: &str = "// Lists orders.\n//\n//@ arg shop: which shop\n//@ arg days = 30: how far back\n\nimport \"lib/shop\" as shop;\n\
                      shop::name(args.shop)";

async fn listed(rig: &Rig, name: &str) -> Value {
    let answer = rig.ask(Method::GET, "/v1/scripts", None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let all = answer.json();
    all["scripts"].as_array().unwrap().iter().find(|script| script["name"] == name).cloned().unwrap_or_default()
}

/// Asks until it is so.
async fn until<T>(ask: impl AsyncFn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if is_so(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it did not come to be so");
        tokio::task::yield_now().await;
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    std::fs::write(folder.path().join("lib/shop.rhai"), "fn name(shop) { \"the \" + shop }").unwrap();
    std::fs::write(folder.path().join("orders.rhai"), ORDERS).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_listed_and_run_by_name() {
    let folder = folder();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("away.rhai"), "7").unwrap();
    std::os::unix::fs::symlink(outside.path().join("away.rhai"), folder.path().join("away.rhai")).unwrap();
    let rig = Rig::start_with(|config| config.scripts = Some(folder.path().to_owned())).await;
    let orders = listed(&rig, "orders").await;
    let args = json!([
        { "name": "shop", "doc": "which shop", "required": true },
        { "name": "days", "doc": "how far back", "required": false, "default": "30" },
    ]);
    assert_eq!((&orders["doc"], &orders["args"], &orders["problem"]), (&json!("Lists orders."), &args, &Value::Null));
    for name in ["orders", "orders.rhai"] {
        let ran = rig.post("/v1/run", &json!({ "name": name, "args": { "shop": "acme" } })).await;
        assert_eq!((ran.status, &ran.json()["result"]), (StatusCode::OK, &json!("the acme")), "{}", ran.text);
    }
    let check = async |body: Value, status: u16, hint: Option<&str>| {
        let answer = rig.post("/v1/run", &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["hint"].as_str()),
            (status, hint),
            "{}",
            answer.text
        );
    };
    check(json!({ "name": "orders" }), 400, None).await;
    check(json!({ "name": "orders", "args": { "shop": "a", "day": 1 } }), 400, Some("did you mean days?")).await;
    check(json!({ "name": "order" }), 404, Some("did you mean \"orders\"?")).await;
    for name in ["away", "../away", "/etc/passwd", "lib/../../away", outside.path().join("away").to_str().unwrap()] {
        assert_eq!(rig.post("/v1/run", &json!({ "name": name })).await.status, StatusCode::NOT_FOUND, "{name}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_and_a_broken_one_leaves_what_worked() {
    let folder = folder();
    let rig = Rig::start_with(|config| config.scripts = Some(folder.path().to_owned())).await;
    let run = async || rig.post("/v1/run", &json!({ "name": "orders", "args": { "shop": "acme" } })).await.json();
    assert_eq!(run().await["result"], "the acme");
    std::fs::write(folder.path().join("orders.rhai"), "let a = = 1;").unwrap();
    let broken = until(async || listed(&rig, "orders").await, |orders| !orders["problem"].is_null()).await;
    assert_eq!((&broken["problem"]["code"], &broken["problem"]["line"]), (&json!("parse_error"), &json!(1)));
    assert_eq!((run().await["result"].clone(), &broken["doc"]), (json!("the acme"), &json!("Lists orders.")));
    std::fs::write(folder.path().join("orders.rhai"), "\"better\"").unwrap();
    until(async || run().await, |told| told["result"] == "better").await;
    assert!(listed(&rig, "orders").await["problem"].is_null());
    // One that is new, in a folder that is new; one that never worked says why when it is run.
    std::fs::create_dir(folder.path().join("new")).unwrap();
    std::fs::write(folder.path().join("new/one.rhai"), "click()").unwrap();
    until(async || listed(&rig, "new/one").await, |new| !new["problem"].is_null()).await;
    let never = rig.post("/v1/run", &json!({ "name": "new/one" })).await;
    assert_eq!(never.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", never.text);
    std::fs::remove_file(folder.path().join("new/one.rhai")).unwrap();
    until(async || listed(&rig, "new/one").await, Value::is_null).await;
    rig.stop().await;
}
