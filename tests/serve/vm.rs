//! Live browsers over HTTP: what is saved of them, what ends them, who is let in.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use rhaven::base::{SessionId, Tenant, Version};
use rhaven::browser::{Browser, Target};
use rhaven::session::Scope;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use super::browser::{evaluate, goto, tab_in};
use super::rig::{Rig, policy};
use super::site::Site;

/// Nothing here takes longer unless it hangs.
const SOON: Duration = Duration::from_mins(1);

pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}

pub async fn made(rig: &Rig, body: &Value) -> Value {
    let answered = rig.post("/v0/vm", body).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    answered.json()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

pub async fn end(rig: &Rig, id: &str) {
    let answered = rig.ask(Method::DELETE, &format!("/v0/vm/{id}"), None).await;
    assert_eq!((answered.status, answered.json()), (StatusCode::OK, json!({ "session_id": id })));
}

pub async fn shown(rig: &Rig, id: &str) -> Value {
    let answered = rig.ask(Method::GET, &format!("/v0/vm/{id}"), None).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    answered.json()
}

/// A client of its DevTools protocol, with a tab of its own.
pub async fn client(live: &Value) -> (Browser, Target) {
    let browser = in_time("a connection", Browser::connect(text(live, "cdp_url"))).await.unwrap();
    let context = browser.default_context().await.unwrap();
    let tab = tab_in(&context).await;
    (browser, tab)
}

const SIGN_IN: &str =
    "document.cookie = 'session=s'; document.cookie = 'lasting=l; max-age=9999'; localStorage.kept = 'k'; 1";
const LOOK: &str = "document.cookie.split('; ').sort().join() + ' ' + localStorage.kept";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_is_there_again_also_after_a_restart() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let live = made(&rig, &json!({ "profile": { "save": true }, "region": "EU" })).await;
    assert_eq!(live["warnings"], json!(["region has no meaning here"]));
    let id = text(&live, "session_id").to_owned();
    assert_eq!(shown(&rig, &id).await["saved"], "none");
    let listed = rig.ask(Method::GET, "/v0/vm", None).await.json();
    assert_eq!((&listed["results"][0]["id"], &listed["next"]), (&json!(id), &Value::Null));
    // Before anything is saved its id is known, and held.
    let busy = rig.post("/v0/vm", &json!({ "profile": id })).await;
    assert_eq!((busy.status, busy.json()["error"]["code"].clone()), (StatusCode::CONFLICT, json!("session_busy")));
    let (browser, tab) = client(&live).await;
    goto(&tab, &site.url("/")).await;
    evaluate(tab.cdp(), SIGN_IN).await;
    drop((browser, tab));
    end(&rig, &id).await;
    end(&rig, &id).await;
    let after = shown(&rig, &id).await;
    assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("full"), &json!("request")), "{after}");
    assert_eq!(rig.ask(Method::GET, "/v0/vm", None).await.json()["results"], json!([]));

    let rig = Rig::start_over(rig.stop().await, |_| {}).await;
    // Read only: nothing is saved, and nobody is kept out.
    let reading = made(&rig, &json!({ "profile": { "load": id } })).await;
    let copy = made(&rig, &json!({ "profile": { "load": id, "save": true } })).await;
    let over = made(&rig, &json!({ "profile": id, "tag": "one" })).await;
    for live in [&reading, &copy, &over] {
        let (browser, tab) = client(live).await;
        goto(&tab, &site.url("/echo")).await;
        assert_eq!(evaluate(tab.cdp(), LOOK).await, json!("lasting=l,session=s k"), "{live}");
        drop(browser);
    }
    assert_eq!(rig.post("/v0/vm", &json!({ "profile": id })).await.status, StatusCode::CONFLICT);
    let same = made(&rig, &json!({ "profile": id, "tag": "one" })).await;
    assert_eq!(same["session_id"], over["session_id"]);
    for live in [&reading, &copy, &over] {
        end(&rig, text(live, "session_id")).await;
    }
    let saved = |live| shown(&rig, text(live, "session_id"));
    assert_eq!(saved(&reading).await["saved"], "none");
    assert_eq!(saved(&copy).await["saved"], "full");
    // The id of the one that saved over it means the profile, too; as does a script's session.
    let alias = text(&over, "session_id");
    let again = made(&rig, &json!({ "profile": { "load": alias } })).await;
    end(&rig, text(&again, "session_id")).await;
    let script =
        format!("session(\"{id}\"); session(\"{alias}\"); goto(\"{}\"); evaluate(`{LOOK}`)", site.url("/echo"));
    let ran = rig.post("/v1/run", &json!({ "script": script, "session": alias })).await.json();
    assert_eq!((&ran["result"], &ran["session"]["id"]), (&json!("lasting=l,session=s k"), &json!(id)), "{ran}");
    assert_eq!(ran["sessions"], Value::Null, "they are one: {ran}");
    let called = format!("/v1/sessions/{alias}");
    let shown_so = rig.ask(Method::GET, &called, None).await.json();
    assert_eq!((&shown_so["id"], &shown_so["profile"]["saved"]), (&json!(id), &json!("full")), "{shown_so}");
    let history = |id: &str| format!("/v1/sessions/{id}/history");
    let versions = rig.ask(Method::GET, &history(&id), None).await.json()["versions"].take();
    assert_eq!(rig.ask(Method::GET, &history(alias), None).await.json()["versions"], versions);
    let copied_so = rig.post(&format!("{called}/fork"), &json!({ "id": "copied" })).await;
    assert_eq!(copied_so.status, StatusCode::CREATED, "{}", copied_so.text);
    let taken = rig.post("/v1/sessions/copied/fork", &json!({ "id": alias })).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
    let stranger = rig.token_of("other", &Scope::ALL).await;
    assert_eq!(rig.ask_as(&stranger, Method::GET, &called, None).await.status, StatusCode::NOT_FOUND);
    let kept = rig.ask(Method::GET, &format!("/v1/sessions/{id}"), None).await.json();
    assert_eq!(kept["profile"]["saved"], "full", "{kept}");
    let unknown = rig.post("/v0/vm", &json!({ "profile": { "load": "nobody" } })).await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].clone()),
        (StatusCode::NOT_FOUND, json!("session_not_found"))
    );
    // The alias goes with the profile.
    assert_eq!(rig.ask(Method::DELETE, &called, None).await.status, StatusCode::OK);
    for gone in [&id, alias] {
        assert_eq!(rig.ask(Method::GET, &format!("/v1/sessions/{gone}"), None).await.status, StatusCode::NOT_FOUND);
    }
    let refused = rig.post("/v0/vm", &json!({ "profile": { "load": alias } })).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_profile_is_saved_over_another() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let mut ids = Vec::new();
    for kept in ["a", "b"] {
        let live = made(&rig, &json!({ "profile": true })).await;
        let (browser, tab) = client(&live).await;
        goto(&tab, &site.url("/")).await;
        evaluate(tab.cdp(), &format!("document.cookie = 'kept={kept}; max-age=999'; 1")).await;
        drop(browser);
        end(&rig, text(&live, "session_id")).await;
        ids.push(text(&live, "session_id").to_owned());
    }
    // Where no browser starts nothing becomes of it: neither of the one that was to be saved over, nor of a copy.
    let home = rig.stop().await;
    let rig =
        Rig::start_over(home, |config| config.workspace.launch.executable = Some("/nowhere/chromium".into())).await;
    for save in [json!(ids[1]), json!(true)] {
        let refused = rig.post("/v0/vm", &json!({ "profile": { "load": ids[0], "save": save } })).await;
        assert!(refused.status.is_server_error(), "{}", refused.text);
    }
    let (tenant, over) = (Tenant::new("acme").unwrap(), SessionId::new(ids[1].as_str()).unwrap());
    let differs = rig.sessions.diff(&tenant, &over, Some(Version(1)), None).await.unwrap();
    assert_eq!((differs.to, differs.changes), (Version(3), vec![]), "what it was, with both in its history");
    let kept = rig.ask(Method::GET, "/v1/sessions", None).await.json();
    assert_eq!(kept["sessions"].as_array().unwrap().len(), 2, "{kept}");
    let home = rig.stop().await;
    let rig = Rig::start_over(home, |_| {}).await;

    let live = made(&rig, &json!({ "profile": { "load": ids[0], "save": ids[1] } })).await;
    end(&rig, text(&live, "session_id")).await;
    let live = made(&rig, &json!({ "profile": { "load": ids[1] } })).await;
    let (browser, tab) = client(&live).await;
    goto(&tab, &site.url("/echo")).await;
    assert_eq!(evaluate(tab.cdp(), "document.cookie").await, json!("kept=a"));
    drop(browser);
    end(&rig, text(&live, "session_id")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_by_itself_and_somebody_is_told() {
    let rig = Rig::start().await;
    let (told, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard = axum::routing::post(move |headers: axum::http::HeaderMap, body: String| async move {
        told.send((headers["authorization"].to_str().unwrap().to_owned(), body)).unwrap();
    });
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/hook", heard)).await.unwrap() });
    let timeout = json!({ "offline": 1, "warning": 1, "webhook": { "url": hook, "bearer": "b-1" } });
    let live = made(&rig, &json!({ "profile": true, "timeout": timeout })).await;
    let (bearer, body) = in_time("the webhook", calls.recv()).await.unwrap();
    assert_eq!(bearer, "Bearer b-1");
    let wanted = json!({ "session_id": live["session_id"], "type": "offline" });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), wanted);
    let after = shown(&rig, text(&live, "session_id")).await;
    assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("full"), &json!("offline")), "{after}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_the_policy_refuses_is_not_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/hook", listener.local_addr().unwrap());
    let rig = Rig::start_with(|config| config.egress.policy = policy(&rhaven::egress::PolicyOptions::default())).await;
    let timeout = json!({ "absolute": 1, "webhook": { "url": hook } });
    let live = made(&rig, &json!({ "timeout": timeout })).await;
    let id = text(&live, "session_id");
    in_time("its end", async {
        while shown(&rig, id).await["termination_date"].is_null() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // At its end the server waits for what goes on, the webhook's call among it.
    rig.stop().await;
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none(), "nobody came");
}

/// Opens a live page's socket.
pub async fn socket(rig: &Rig, id: &str, token: &str, origin: Option<&str>) -> tungstenite::Result<Socket> {
    let mut request = format!("ws://{}/live/{id}/socket", rig.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", format!("rhaven.v1, token.{token}").parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let (socket, response) = tokio_tungstenite::connect_async(request).await?;
    assert_eq!(response.headers()["sec-websocket-protocol"], "rhaven.v1", "the token is not said again");
    Ok(socket)
}

pub type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// The next message of that type; others, and pictures, are passed over.
pub async fn heard(socket: &mut Socket, kind: &str) -> Value {
    in_time(kind, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == kind {
                        return message;
                    }
                }
                Some(Ok(_)) => {}
                ended => panic!("no {kind}: {ended:?}"),
            }
        }
    })
    .await
}

pub async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

pub fn token_of(url: &str) -> &str {
    url.split_once("#token=").unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_it_says_and_no_more() {
    // As long as nobody else has a token one tenant may have both.
    let (rig, site) = (Rig::start_with(|config| config.max_live = 2).await, Site::start().await);
    let live = made(&rig, &json!({ "start_url": site.url("/") })).await;
    let other = made(&rig, &json!({})).await;
    let id = text(&live, "session_id");
    let (control, view) = (token_of(text(&live, "embed_url")), token_of(text(&live, "view_url")));
    let here = format!("http://{}", rig.address);
    let mut person = socket(&rig, id, control, Some(&here)).await.unwrap();
    assert_eq!(heard(&mut person, "hello").await["role"], "control");
    let mut looker = socket(&rig, id, view, Some(&here)).await.unwrap();
    assert_eq!(heard(&mut looker, "hello").await["role"], "view");
    say(&mut looker, json!({ "type": "navigate", "url": site.url("/orders") })).await;
    assert_eq!(heard(&mut looker, "error").await["code"], "not_in_control");
    say(&mut person, json!({ "type": "navigate", "url": site.url("/orders") })).await;
    let orders = site.url("/orders");
    in_time("the page", async { while heard(&mut looker, "tabs").await["tabs"][0]["url"] != json!(orders) {} }).await;
    // Another site's page, a token of another browser, none.
    let refused = socket(&rig, id, control, Some("http://evil.example")).await.unwrap_err();
    assert!(matches!(&refused, tungstenite::Error::Http(answer) if answer.status() == 403), "{refused}");
    for bad in [token_of(text(&other, "embed_url")), "", text(&live, "admin_token")] {
        let mut socket = socket(&rig, id, bad, Some(&here)).await.unwrap();
        let closed = heard(&mut socket, "closed").await;
        assert!(["unauthorized", "forbidden"].contains(&closed["reason"].as_str().unwrap()), "{closed}");
    }
    // What the admin token opens.
    let admin = |token: &str| {
        let (rig, token) = (&rig, token.to_owned());
        async move {
            let body = json!([["1"], ["control"]]);
            rig.ask_as(&token, Method::POST, &format!("/live/{id}/removeRoles"), Some(&body)).await.status
        }
    };
    assert_eq!(admin("").await, StatusCode::UNAUTHORIZED);
    assert_eq!(admin(control).await, StatusCode::FORBIDDEN);
    assert_eq!(admin(text(&other, "admin_token")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(admin(text(&live, "admin_token")).await, StatusCode::OK);
    say(&mut person, json!({ "type": "reload" })).await;
    assert_eq!(heard(&mut person, "error").await["code"], "not_in_control");
    let sent_away = format!("/live/{id}/users/2");
    assert_eq!(rig.ask_as(text(&live, "admin_token"), Method::DELETE, &sent_away, None).await.status, StatusCode::OK);
    assert_eq!(heard(&mut looker, "closed").await["reason"], "removed");
    // What was said of somebody holds when they come back.
    let mut again = socket(&rig, id, view, Some(&here)).await.unwrap();
    assert_eq!(heard(&mut again, "closed").await["reason"], "forbidden");
    let mut again = socket(&rig, id, control, Some(&here)).await.unwrap();
    assert_eq!(heard(&mut again, "hello").await["role"], "view");
    let mut new = socket(&rig, id, token_of(text(&shown(&rig, id).await, "embed_url")), None).await.unwrap();
    assert_eq!(heard(&mut new, "hello").await["role"], "control");
    // Other tenants, and tokens without the scope.
    let stranger = rig.token_of("other", &Scope::ALL).await;
    let path = format!("/v0/vm/{id}");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(rig.ask_as(&stranger, method, &path, None).await.status, StatusCode::NOT_FOUND);
    }
    let narrow = rig.token_of("acme", &[Scope::Run]).await;
    assert_eq!(rig.ask_as(&narrow, Method::GET, &path, None).await.status, StatusCode::FORBIDDEN);
    end(&rig, id).await;
    assert_eq!(heard(&mut person, "closed").await["reason"], "request");
    // What is free is somebody else's now.
    let full = rig.post("/v0/vm", &json!({})).await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS, "{}", full.text);
    assert!(full.text.contains("that a tenant may have") && full.headers.contains_key("retry-after"), "{}", full.text);
    end(&rig, text(&other, "session_id")).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_servers_end_all_is_saved_and_nothing_lives() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let live = made(&rig, &json!({ "profile": true })).await;
    let (browser, tab) = client(&live).await;
    goto(&tab, &site.url("/")).await;
    evaluate(tab.cdp(), SIGN_IN).await;
    let full = rig.post("/v0/vm", &json!({ "fps": 61 })).await;
    assert_eq!(full.status, StatusCode::BAD_REQUEST);
    let home = rig.stop().await;
    in_time("the client's end", browser.gone()).await;
    let rig = Rig::start_over(home, |_| {}).await;
    let after = shown(&rig, text(&live, "session_id")).await;
    assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("full"), &json!("shutdown")), "{after}");
    rig.stop().await;
}
