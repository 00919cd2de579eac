//! What a session keeps from one request to the next: also over a restart, on another node, and from the command line's runs.

use reqwest::StatusCode;
use rhaven::base::{SessionId, Tenant};
use rhaven::page::{ActionOptions, ClickOptions, GotoOptions, Selector, WaitState};
use rhaven::practice::{EMAIL, PASSWORD, Practice};
use rhaven::session::{Scope, SessionOptions, Workspace, WorkspaceConfig};
use serde_json::{Value, json};

use crate::fetch::browsers;
use crate::interact::{keep_secret, sign_in};
use crate::rig::{Rig, config};
use crate::shared::Shared;
use crate::site::Site;

async fn practice() -> Practice {
    Practice::start("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

async fn sign_in_as(rig: &Rig, practice: &Practice, id: &str) -> Value {
    keep_secret(rig, "PRACTICE_PASSWORD", PASSWORD).await;
    let body = json!({"url": format!("{}/login", practice.url()), "session": {"id": id}, "actions": sign_in()});
    let answer = rig.post("/v1/interact", &body).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("completed")), "{}", answer.text);
    answer.json()
}

/// Reads the orders, which only who is signed in sees; answers how many were seen, and the session as it is told.
async fn orders(rig: &Rig, practice: &Practice, id: &str, render_js: bool) -> (usize, Value) {
    let url = format!("{}/account/orders", practice.url());
    let body = json!({"url": url, "session": {"id": id}, "render_js": render_js});
    let answer = rig.post("/v1/fetch", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    let count = answer["outputs"]["html"].as_str().unwrap().matches("class=\"order\"").count();
    (count, answer["session"].clone())
}

#[tokio::test]
async fn who_signed_in_stays_signed_in_also_over_a_restart() {
    let (rig, practice) = (Rig::start().await, practice().await);
    sign_in_as(&rig, &practice, "acme").await;
    let before = orders(&rig, &practice, "acme", false).await;
    assert_eq!((before.0, &before.1["updated"], &before.1["version"]), (10, &json!(false), &json!(1)));
    assert_eq!(orders(&rig, &practice, "acme", true).await.0, 10);
    assert_eq!(orders(&rig, &practice, "other", false).await.0, 0);
    let rig = Rig::start_over(rig.stop().await, |_| {}).await;
    assert_eq!(orders(&rig, &practice, "acme", false).await.0, 10);
    assert_eq!(orders(&rig, &practice, "acme", true).await.0, 10);
    // What only a browser keeps was not touched by the reading without one.
    let body = json!({"url": format!("{}/dashboard", practice.url()), "session": {"id": "acme"},
        "actions": [{"type": "wait_for", "selector": "html[data-ready]"}]});
    let dashboard = rig.post("/v1/interact", &body).await.json();
    let html = dashboard["result"]["outputs"]["html"].as_str().unwrap();
    assert!(html.contains("Device known since") && html.contains("Known token"), "{html}");
    assert_eq!(dashboard["session"]["updated"], json!(false), "{}", dashboard["session"]);
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn another_tenant_sees_nothing_of_it() {
    let (rig, practice) = (Rig::start().await, practice().await);
    sign_in_as(&rig, &practice, "shared name").await;
    let other = rig.token_of("other", &Scope::ALL).await;
    for render_js in [false, true] {
        let url = format!("{}/account/orders", practice.url());
        let body = json!({"url": url, "session": {"id": "shared name"}, "render_js": render_js});
        let answer = rig.ask_as(&other, reqwest::Method::POST, "/v1/fetch", Some(&body)).await.json();
        assert!(answer["final_url"].as_str().unwrap().contains("/login"), "{answer}");
    }
    let body = json!({"url": practice.url(), "actions": [{"type": "fill", "selector": "a", "value": {"secret": "PRACTICE_PASSWORD"}}]});
    let answer = rig.ask_as(&other, reqwest::Method::POST, "/v1/interact", Some(&body)).await;
    assert_eq!(answer.json()["error"]["code"], "secret_not_set");
    assert_eq!(orders(&rig, &practice, "shared name", false).await.0, 10);
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn a_wizard_goes_on_where_it_was() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let act = async |actions: Value| {
        let body = json!({"url": site.url("/wizard"), "session": {"id": "wizard"}, "actions": actions});
        let answer = rig.post("/v1/interact", &body).await.json();
        assert_eq!(answer["status"], json!("completed"), "{answer}");
        answer
    };
    let click = |selector: &str| json!({"type": "click", "selector": selector});
    let first = act(json!([click("#add"), click("#add"), click("#next")])).await;
    assert_eq!((&first["session"]["updated"], &first["session"]["version"]), (&json!(true), &json!(1)));
    let second = act(json!([click("#add"), click("#next")])).await;
    let html = second["result"]["outputs"]["html"].as_str().unwrap();
    assert!(html.contains(">item1,item2,item3<") && html.contains(">3<"), "{html}");
    assert_eq!((&second["session"]["updated"], &second["session"]["version"]), (&json!(true), &json!(2)));
    let third = act(json!([{"type": "wait_ms", "duration_ms": 0}])).await;
    assert_eq!((&third["session"]["updated"], &third["session"]["version"]), (&json!(false), &json!(2)));
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn one_that_a_run_signed_in_is_the_same_over_http() {
    let (rig, practice) = (Rig::start().await, practice().await);
    let workspace =
        Workspace::new(WorkspaceConfig { tenant: Tenant::new("acme").unwrap(), ..config(rig.home.path()).workspace });
    let soon = || rhaven::base::Deadline::after(std::time::Duration::from_secs(30));
    let id = SessionId::new("from a run").unwrap();
    let session = workspace.session(&id, &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    let at = |selector: &str| page.locator(&Selector::parse(selector).unwrap());
    page.goto(&format!("{}/login", practice.url()), &GotoOptions::default(), soon()).await.unwrap();
    at("#email").fill(&EMAIL.into(), &ActionOptions::default(), soon()).await.unwrap();
    at("#password").fill(&PASSWORD.into(), &ActionOptions::default(), soon()).await.unwrap();
    at("button[type=submit]").click(&ClickOptions::default(), soon()).await.unwrap();
    at(".user-avatar").wait_for(WaitState::default(), soon()).await.unwrap();
    let outcomes = workspace.finish(soon()).await;
    assert!(outcomes[0].save_error.is_none());
    let (count, session) = orders(&rig, &practice, "from a run", false).await;
    assert_eq!((count, &session["version"]), (10, &json!(1)));
    assert_eq!(orders(&rig, &practice, "from a run", true).await.0, 10);
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn another_node_has_it_too() {
    let (shared, practice) = (Shared::start(), practice().await);
    let node = |config: &mut rhaven::serve::ServeConfig| shared.of(config);
    let one = Rig::start_with(node).await;
    let other = Rig::start_with(node).await;
    sign_in_as(&one, &practice, "acme").await;
    let (count, session) = orders(&other, &practice, "acme", false).await;
    assert_eq!((count, &session["version"]), (10, &json!(1)));
    assert_eq!(orders(&other, &practice, "acme", true).await.0, 10);
    one.stop().await;
    assert_eq!(orders(&other, &practice, "acme", false).await.0, 10);
    other.stop().await;
    assert_eq!(browsers(), 0);
}
