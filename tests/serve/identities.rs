//! Identities that pages are asked for with: their headers and credentials, with a browser and without one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::Rig;

const PASSWORD: &str = "swordfish-in-the-vault";

/// Where requests came to, and with what.
type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Tells whoever has the password that it is inside; asks the others.
async fn answer(State(seen): State<Seen>, uri: Uri, headers: HeaderMap) -> Response {
    let wanted = format!("Basic {}", BASE64.encode(format!("me:{PASSWORD}").as_bytes()));
    let is_in = headers.get(header::AUTHORIZATION).is_some_and(|given| *given == *wanted);
    let host = headers[header::HOST].to_str().unwrap().to_owned();
    seen.lock().unwrap().push((format!("{host}{}", uri.path()), headers));
    if uri.path() == "/led" {
        let there = format!("http://{}/page", host.replace("localhost", "127.0.0.1"));
        return (StatusCode::FOUND, [(header::LOCATION, there)]).into_response();
    }
    if is_in {
        // As a page would that shows what it was sent.
        return Html(format!("<!doctype html><p>inside with {PASSWORD}")).into_response();
    }
    let asks = [(header::WWW_AUTHENTICATE, "Basic realm=\"private\""), (header::SET_COOKIE, "asked=1")];
    (StatusCode::UNAUTHORIZED, asks, Html("<!doctype html><p>outside")).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_identity_gives_sites_goes_with_requests_of_every_kind() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (seen, port) = (Seen::default(), listener.local_addr().unwrap().port());
    let site = Router::new().fallback(answer).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
    let rig = Rig::start().await;
    let identity = json!({"extra_http_headers": {"X-Client": "shop 7"}, "http_credentials":
        {"origin": format!("http://127.0.0.1:{port}"), "username": "me", "password": {"secret": "SHOP"}}});
    rig.ask(Method::PUT, "/v1/secrets/SHOP", Some(&json!({"value": PASSWORD}))).await;
    let set = rig.ask(Method::PUT, "/v1/identities/shop", Some(&identity)).await;
    assert!(set.status.is_success(), "{}", set.text);
    let shown = rig.ask(Method::GET, "/v1/identities/shop", None).await.json();
    assert_eq!(shown["identity"], identity);

    let fetch = async |host: &str, more: Value| {
        let mut body = json!({"url": format!("http://{host}:{port}/page")});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = rig.post("/v1/fetch", &body).await;
        assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
        let json = answer.json();
        (json["http_status"].as_u64(), json["outputs"]["html"].as_str().unwrap_or_default().contains("inside"))
    };
    let inside = (Some(200), true);
    for rendered in [false, true] {
        for session in [json!({}), json!({"session": {"id": format!("of {rendered}")}})] {
            let mut more = json!({"identity": "shop", "render_js": rendered});
            more.as_object_mut().unwrap().extend(session.as_object().unwrap().clone());
            assert_eq!(fetch("127.0.0.1", more.clone()).await, inside, "{more}");
            assert_eq!(fetch("localhost", more.clone()).await, (Some(401), false), "{more}");
        }
    }
    let seen_too = seen.clone();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    for (place, headers) in seen.iter().filter(|(place, _)| place.ends_with("/page")) {
        assert_eq!(headers["x-client"], "shop 7", "{place}");
        assert!(place.starts_with("127.0.0.1") || !headers.contains_key(header::AUTHORIZATION), "{place}");
    }

    // For whom the request is, where it is not said: asked first, and not unasked.
    let anywhere = json!({"http_credentials": {"username": "me", "password": {"secret": "SHOP"}}});
    assert!(rig.ask(Method::PUT, "/v1/identities/anywhere", Some(&anywhere)).await.status.is_success());
    for rendered in [false, true] {
        for host in ["127.0.0.1", "localhost"] {
            let more = json!({"identity": "anywhere", "render_js": rendered});
            assert_eq!(fetch(host, more).await, inside, "{host} {rendered}");
        }
    }
    let asked = std::mem::take(&mut *seen_too.lock().unwrap());
    let first = asked.iter().find(|(place, _)| place.starts_with("127.0.0.1")).unwrap();
    assert!(!first.1.contains_key(header::AUTHORIZATION));
    let given = asked.iter().find(|(_, headers)| headers.contains_key(header::AUTHORIZATION)).unwrap();
    assert_eq!(given.1[header::COOKIE], "asked=1", "what came with the question goes with the answer");

    // Where that site leads to is somebody else.
    for rendered in [false, true] {
        let led = format!("http://localhost:{port}/led");
        let more = json!({"identity": "anywhere", "render_js": rendered, "url": led});
        assert_eq!(fetch("localhost", more).await, (Some(401), false), "{rendered}");
    }
    let asked = std::mem::take(&mut *seen_too.lock().unwrap());
    assert!(asked.len() >= 4 && asked.iter().all(|(_, headers)| !headers.contains_key(header::AUTHORIZATION)));

    // A script shows the password no more than a page request does, whatever a site does with it.
    let url = format!("http://127.0.0.1:{port}/page");
    let script = format!("goto(\"{url}\"); let told = text_content(\"p\"); print(told); emit(told); told");
    let hidden = "inside with ***SHOP***";
    let run = rig.post("/v1/run", &json!({"script": script, "identity": "shop"})).await;
    assert_eq!((&run.json()["result"], &run.json()["emitted"]), (&json!(hidden), &json!([hidden])), "{}", run.text);
    assert!(!run.text.contains(PASSWORD) && run.json()["session"].is_null(), "{}", run.text);
    let script = "text_content(\"p\") + \" \" + click(\"#none\", #{ timeout: \"200ms\" })";
    for session in [Value::Null, json!("of a script")] {
        let script = format!("goto(\"{url}\"); {script}");
        let run = rig.post("/v1/run", &json!({"script": script, "identity": "shop", "session": session})).await;
        assert!(run.status == StatusCode::UNPROCESSABLE_ENTITY && !run.text.contains(PASSWORD), "{}", run.text);
    }
    let script = "throw text_content(\"p\")";
    let body = json!({"url": url, "identity": "shop", "actions": [{"type": "script", "source": script}]});
    let acted = rig.post("/v1/interact", &body).await;
    assert_eq!(acted.json()["status"], "failed", "{}", acted.text);
    assert!(acted.text.contains(hidden) && !acted.text.contains(PASSWORD), "{}", acted.text);

    for (wrong, says) in [
        (json!({"extra_http_headers": {"Cookie": "a=b"}}), "cookies are the session's"),
        (
            json!({"http_credentials": {"origin": "*", "username": "me", "password": {"secret": "SHOP"}}}),
            "an origin such as",
        ),
        (json!({"http_credentials": {"origin": "https://a.example", "username": "me", "password": PASSWORD}}), "NAME"),
        (json!({"secrets": {"A B": "SHOP"}}), "a secret's name has"),
    ] {
        let refused = rig.ask(Method::PUT, "/v1/identities/shop", Some(&wrong)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert!(refused.text.contains(says) && !refused.text.contains(PASSWORD), "{}", refused.text);
    }
    rig.stop().await;
}
