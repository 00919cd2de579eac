//! What a live browser may be asked to be, and what is refused; what its admin token does; who comes first where several want one profile.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::rig::{Rig, policy, sent};
use super::vm::{end, heard, in_time, made, say, shown, socket, text, token_of};

/// A page that tells what it sees of the browser, together with what the request said of it.
struct Mirror {
    url: String,
    told: mpsc::UnboundedReceiver<Value>,
}

const PAGE: &str = "<!doctype html><title>Mirror</title><script>
fetch('/told', { method: 'POST', body: JSON.stringify({ language: navigator.language, agent: navigator.userAgent,
  dark: matchMedia('(prefers-color-scheme: dark)').matches, width: innerWidth, height: innerHeight }) });
</script>";

impl Mirror {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (tell, told) = mpsc::unbounded_channel();
        let heard = axum::routing::post(move |headers: axum::http::HeaderMap, body: String| async move {
            let mut seen: Value = serde_json::from_str(&body).unwrap();
            seen["accepts"] = headers["accept-language"].to_str().unwrap().into();
            let _ = tell.send(seen);
        });
        let page = axum::routing::get(|| async { axum::response::Html(PAGE) });
        let router = axum::Router::new().route("/told", heard).route("/", page);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, told }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_what_was_asked_and_its_admin_token_says_who_may_what() {
    let (rig, mut mirror) = (Rig::start().await, Mirror::start().await);
    let asked = json!({
        "start_url": mirror.url, "width": 900, "height": 500, "fps": 10, "user_agent": "Mirror/7", "dark": true, "kiosk": true,
        "locale": { "language": "de", "country": "at" }, "hide_cursor": true, "control_disable_default": true,
        "tenant_id": "team-7", "tag": "one", "timeout": { "offline": null }, "touch_gestures": {}, "search_engine": "x",
    });
    // JSON, whatever its content type says.
    let answered = sent(rig.request(Method::POST, "/v0/vm").body(asked.to_string())).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    let live = answered.json();
    let mut names: Vec<&String> = live.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["admin_token", "cdp_url", "embed_url", "session_id", "view_url", "warnings"]);
    assert_eq!(live["warnings"], json!(["search_engine has no meaning here", "touch_gestures has no meaning here"]));
    let seen = in_time("the page", mirror.told.recv()).await.unwrap();
    let wanted = json!({ "language": "de-AT", "agent": "Mirror/7", "dark": true, "width": 900, "height": 500,
        "accepts": seen["accepts"] });
    assert_eq!(seen, wanted);
    assert!(seen["accepts"].as_str().unwrap().starts_with("de-AT"), "{seen}");

    let id = text(&live, "session_id");
    let mut person = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    let hello = heard(&mut person, "hello").await;
    let told = ["role", "kiosk", "width", "height", "fps"].map(|name| hello[name].clone());
    assert_eq!(told, [json!("view"), json!(true), json!(900), json!(500), json!(10)], "{hello}");
    let user = hello["viewer"].to_string();
    let admin = async |what: &str, body: Value| {
        let path = format!("/live/{id}/{what}");
        rig.ask_as(text(&live, "admin_token"), Method::POST, &path, Some(&body)).await
    };
    for (what, body, code) in [
        ("addRoles", json!([["1"]]), "invalid_request"),
        ("addRoles", json!([[user], ["owner"]]), "invalid_request"),
        ("removeRoles", json!({}), "invalid_request"),
        ("removeRoles", json!([[user], ["control"], true]), "invalid_request"),
        ("addRoles", json!([[user], ["control"], 1]), "invalid_request"),
        ("setPermissions", json!([user, { "control_disabled": 1 }]), "invalid_request"),
        ("setPermissions", json!(["77", {}]), "not_found"),
        ("timeout", json!({ "reset": 1 }), "invalid_request"),
        ("timeout", json!({ "absolute": 0 }), "invalid_request"),
        ("timeout", json!({ "later": 1 }), "invalid_request"),
    ] {
        let refused = admin(what, body.clone()).await;
        assert_eq!(refused.json()["error"]["code"], code, "{what} {body}: {}", refused.text);
    }
    say(&mut person, json!({ "type": "take_control" })).await;
    assert_eq!(heard(&mut person, "error").await["code"], "not_in_control");
    assert_eq!(admin("addRoles", json!([[user], ["control"], true])).await.status, StatusCode::OK);
    say(&mut person, json!({ "type": "take_control" })).await;
    in_time("control", async { while heard(&mut person, "control").await["yours"] != json!(true) {} }).await;
    let no_longer = json!([user, { "control_disabled": true, "priority": 1 }]);
    assert_eq!(admin("setPermissions", no_longer).await.status, StatusCode::OK);
    in_time("no control", async { while heard(&mut person, "control").await["yours"] != json!(false) {} }).await;

    // What is not named stays: that nobody need be there.
    assert_eq!(admin("timeout", json!({ "absolute": 1 })).await.status, StatusCode::OK);
    assert_eq!(heard(&mut person, "closed").await["reason"], "absolute");
    in_time("its end", async { while shown(&rig, id).await["termination_date"].is_null() {} }).await;
    let after = shown(&rig, id).await;
    assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("none"), &json!("absolute")), "{after}");
    let gone = admin("timeout", json!({})).await;
    assert_eq!((gone.status, gone.json()["error"]["code"].clone()), (StatusCode::NOT_FOUND, json!("not_found")));
    let mut late = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    assert_eq!(heard(&mut late, "closed").await["reason"], "absolute");
    let metrics = rig.ask(Method::GET, "/metrics", None).await.text;
    for line in
        ["rhaven_live_started_total 1", "rhaven_live_ended_total{reason=\"absolute\"} 1", "rhaven_live_browsers 0"]
    {
        assert!(metrics.lines().any(|told| told == line), "{line} in\n{metrics}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_place_before_anything_is_begun() {
    let rig = Rig::start_with(|config| config.max_live = 0).await;
    for (body, path) in [
        (json!({ "auth": { "type": "webhook" } }), "auth"),
        (json!({ "default_roles": ["control"] }), "default_roles"),
        (json!({ "extension": { "field": "ex" } }), "extension"),
        (json!({ "nobody_knows": 1 }), "nobody_knows"),
        (json!({ "width": 1921, "height": 1080 }), "width"),
        (json!({ "width": 0 }), "width"),
        (json!({ "fps": 61 }), "fps"),
        (json!({ "start_url": "chrome://version" }), "start_url"),
        (json!({ "http_proxy": "gopher://me:swordfish@proxy.example" }), "http_proxy"),
        (json!({ "timeout": { "webhook": { "url": "file:///etc/passwd" } } }), "timeout.webhook.url"),
        (json!({ "profile": { "save": "a" } }), "profile.save"),
        (json!({ "user_agent": "a\nb" }), "user_agent"),
        (json!([1]), "."),
    ] {
        let refused = rig.post("/v0/vm", &body).await;
        let told = refused.json();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {told}");
        assert_eq!(
            (&told["error"]["code"], &told["error"]["path"]),
            (&json!("invalid_request"), &json!(path)),
            "{told}"
        );
        assert!(!refused.text.contains("swordfish"), "{told}");
    }
    let code = |told: Value| told["error"]["code"].clone();
    let unknown = rig.post("/v0/vm", &json!({ "profile": { "load": "n\u{f6}body/7" } })).await;
    assert_eq!((unknown.status, code(unknown.json())), (StatusCode::NOT_FOUND, json!("session_not_found")));
    // Nothing at all is enough: this server has no place for one.
    let full = sent(rig.request(Method::POST, "/v0/vm")).await;
    assert_eq!((full.status, code(full.json())), (StatusCode::TOO_MANY_REQUESTS, json!("rate_limited")));
    assert!(full.headers.contains_key("retry-after"));
    for (method, path, status) in [
        (Method::GET, "/v0/vm/nobody", StatusCode::NOT_FOUND),
        (Method::DELETE, "/v0/vm/nobody", StatusCode::NOT_FOUND),
        (Method::GET, "/v0/vm?after_id=nobody", StatusCode::BAD_REQUEST),
        (Method::GET, "/v0/vm?page=2", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(rig.ask(method, path, None).await.status, status, "{path}");
    }
    assert_eq!(rig.ask(Method::GET, "/v0/vm", None).await.json(), json!({ "results": [], "next": null }));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_want_one_profile_the_second_waits_is_the_first_or_is_refused() {
    let rig = Rig::start().await;
    let first = made(&rig, &json!({ "profile": true })).await;
    let id = text(&first, "session_id");
    // Nothing of it is saved yet: a copy begins with nothing.
    let copy = made(&rig, &json!({ "profile": { "load": id, "save": true } })).await;
    let listed = rig.ask(Method::GET, "/v0/vm", None).await.json();
    let ids: Vec<&str> = listed["results"].as_array().unwrap().iter().map(|entry| text(entry, "id")).collect();
    assert_eq!(ids.len(), 2, "{listed}");
    let rest = rig.ask(Method::GET, &format!("/v0/vm?after_id={}", ids[0]), None).await.json();
    assert_eq!((&rest["results"][0]["id"], rest["results"].as_array().unwrap().len()), (&json!(ids[1]), 1));
    for live in [&first, &copy] {
        end(&rig, text(live, "session_id")).await;
    }
    // A place in the list, also when it has ended.
    let rest = rig.ask(Method::GET, &format!("/v0/vm?after_id={}", ids[0]), None).await.json();
    assert_eq!(rest["results"], json!([]));

    // At the same time, as a page that is loaded twice asks.
    let same = json!({ "profile": id, "tag": "one" });
    let (one, other) = tokio::join!(made(&rig, &same), made(&rig, &same));
    assert_eq!(one["session_id"], other["session_id"]);
    // Once it is about to end by itself, that is waited for.
    let path = format!("/live/{}/timeout", text(&one, "session_id"));
    let set = rig.ask_as(text(&one, "admin_token"), Method::POST, &path, Some(&json!({ "offline": 1 }))).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let next = made(&rig, &json!({ "profile": id })).await;
    assert_ne!(next["session_id"], one["session_id"]);
    assert_eq!(shown(&rig, text(&one, "session_id")).await["saved"], "full");
    let refused = rig.post("/v0/vm", &json!({ "profile": text(&one, "session_id"), "tag": "two" })).await;
    let told = refused.json();
    assert_eq!((refused.status, &told["error"]["holder"]), (StatusCode::CONFLICT, &next["session_id"]), "{told}");
    assert_eq!((&told["error"]["code"], &told["diagnostics"]["retryable"]), (&json!("session_busy"), &json!(true)));
    end(&rig, text(&next, "session_id")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_proxy_is_under_the_policy_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::start_with(|config| config.egress.policy = policy(&rhaven::egress::PolicyOptions::default())).await;
    let proxy = format!("http://me:swordfish@{}", listener.local_addr().unwrap());
    let asked = json!({ "http_proxy": proxy, "start_url": "http://shop.example/" });
    let answered = rig.post("/v0/vm", &asked).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    let live = answered.json();
    let id = text(&live, "session_id");
    let mut person = socket(&rig, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    in_time("the page", async {
        loop {
            let tabs = heard(&mut person, "tabs").await;
            if tabs["tabs"][0]["url"] == "http://shop.example/" && tabs["tabs"][0]["loading"] == json!(false) {
                break;
            }
        }
    })
    .await;
    end(&rig, id).await;
    rig.stop().await;
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none(), "nobody came");
}
