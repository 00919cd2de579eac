//! Live browsers of several servers: whichever is asked answers for all of them.

use reqwest::{Method, StatusCode};
use rhaven::browser::Browser;
use serde_json::{Value, json};

use super::nodes::{Serving, token_for};
use super::rig::Rig;
use super::shared::Shared;
use super::vm::{end, heard, in_time, made, say, shown, socket, text, token_of};

fn code(told: &Value) -> &Value {
    &told["error"]["code"]
}

/// The address of the first server as one of the other.
fn through(url: &str, first: &Rig, other: &Rig) -> String {
    assert!(url.contains(&first.address.to_string()), "{url}");
    url.replace(&first.address.to_string(), &other.address.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_server_answers_for_the_live_browsers_of_the_others() {
    let shared = Shared::start();
    let first = Rig::start_with(|config| shared.of(config)).await;
    let other = Rig::start_with(|config| shared.of(config)).await;
    let live = made(&first, &json!({ "profile": true, "tag": "one" })).await;
    let id = text(&live, "session_id");
    let listed = other.ask(Method::GET, "/v0/vm", None).await.json();
    assert_eq!((&listed["results"][0]["id"], listed["results"].as_array().unwrap().len()), (&json!(id), 1));
    assert_eq!(shown(&other, id).await["creation_date"], shown(&first, id).await["creation_date"]);

    // People, clients and whoever has the admin token.
    let mut person = socket(&other, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    let hello = heard(&mut person, "hello").await;
    assert_eq!(hello["role"], "control");
    let cdp = through(text(&live, "cdp_url"), &first, &other);
    let client = in_time("a connection", Browser::connect(&cdp)).await.unwrap();
    let admin = text(&live, "admin_token");
    let roles = json!([[hello["viewer"].to_string()], ["control"]]);
    let taken = other.ask_as(admin, Method::POST, &format!("/live/{id}/removeRoles"), Some(&roles)).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
    in_time("no control", async { while heard(&mut person, "control").await["yours"] != json!(false) {} }).await;
    let nobody = other.ask_as(admin, Method::DELETE, &format!("/live/{id}/users/77"), None).await;
    assert_eq!((nobody.status, code(&nobody.json())), (StatusCode::NOT_FOUND, &json!("not_found")));

    // The one that saves the profile is the other server's: that one says no, or that it is there already.
    let busy = other.post("/v0/vm", &json!({ "profile": id })).await;
    let told = busy.json();
    assert_eq!(
        (busy.status, code(&told), &told["error"]["holder"]),
        (StatusCode::CONFLICT, &json!("session_busy"), &json!(id))
    );
    assert_eq!(made(&other, &json!({ "profile": id, "tag": "one" })).await["session_id"], json!(id));
    end(&other, id).await;
    assert_eq!(heard(&mut person, "closed").await["reason"], "request");
    in_time("the client's end", client.gone()).await;
    for rig in [&first, &other] {
        end(rig, id).await;
        let after = shown(rig, id).await;
        assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("full"), &json!("request")), "{after}");
        assert_eq!(rig.ask(Method::GET, "/v0/vm", None).await.json()["results"], json!([]));
    }

    // What one has saved the other loads; and where that server ends, the wish waits for it, or is told to come again.
    let next = made(&other, &json!({ "profile": id, "tag": "one" })).await;
    let asked = json!({ "profile": id, "tag": "one" });
    let mut looks = socket(&other, text(&next, "session_id"), token_of(text(&next, "embed_url")), None).await.unwrap();
    heard(&mut looks, "hello").await;
    other.shutdown.cancel();
    // It says so once it is about to end.
    assert_eq!(heard(&mut looks, "closed").await["reason"], "shutdown");
    let last = in_time("its end", async {
        loop {
            let answered = first.post("/v0/vm", &asked).await;
            let told = answered.json();
            if answered.status == StatusCode::OK && told["session_id"] != next["session_id"] {
                return told;
            }
            assert!([200, 503].contains(&answered.status.as_u16()), "{told}");
        }
    })
    .await;
    let before = shown(&first, text(&next, "session_id")).await;
    assert_eq!((&before["saved"], &before["termination_reason"]), (&json!("full"), &json!("shutdown")), "{before}");
    end(&first, text(&last, "session_id")).await;
    other.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_downloaded_at_one_server_is_got_through_another() {
    let shared = Shared::start();
    let first = Rig::start_with(|config| shared.of(config)).await;
    let other = Rig::start_with(|config| shared.of(config)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}/", listener.local_addr().unwrap());
    let whole: Vec<String> = (0..200_000).map(|number| format!("line {number}\n")).collect();
    let whole = whole.concat();
    let file = ([("content-disposition", "attachment; filename=\"a b.txt\"")], whole.clone());
    let page =
        axum::response::Html("<!doctype html><title>Here</title><script>onload = () => location = '/file'</script>");
    let routes = axum::Router::new().route("/", axum::routing::get(page)).route("/file", axum::routing::get(file));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let live = made(&first, &json!({})).await;
    let id = text(&live, "session_id");
    let mut person = socket(&other, id, token_of(text(&live, "embed_url")), None).await.unwrap();
    heard(&mut person, "hello").await;
    say(&mut person, json!({ "type": "navigate", "url": site })).await;
    let download = in_time("a download", async {
        loop {
            let told = heard(&mut person, "download").await;
            assert!(told["state"] != "canceled", "{told}");
            if told["state"] == "completed" {
                return told;
            }
        }
    })
    .await;
    // Below the address of the page, whichever server that is of; nobody's token goes with it.
    let path = format!("/live/{}", text(&download, "href"));
    for rig in [&first, &other] {
        let got = rig.ask_as("", Method::GET, &path, None).await;
        assert_eq!((got.status, got.text == whole), (StatusCode::OK, true), "{download}: {} bytes", got.text.len());
        assert_eq!(got.headers["content-length"], whole.len().to_string());
        assert_eq!(got.headers["content-type"], "application/octet-stream");
        assert_eq!(got.headers["content-security-policy"], "sandbox; default-src 'none'");
        assert_eq!(got.headers["content-disposition"], "attachment; filename*=UTF-8''%61%20%62%2E%74%78%74");
        let (base, token) = path.rsplit_once('/').unwrap();
        for (path, status) in [
            (format!("{base}/{}x", &token[..token.len() - 1]), StatusCode::UNAUTHORIZED),
            (format!("{base}/{}", token_of(text(&live, "embed_url"))), StatusCode::FORBIDDEN),
            (format!("/live/{id}/downloads/another/{token}"), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(rig.ask_as("", Method::GET, &path, None).await.status, status, "{path}");
        }
    }
    end(&other, id).await;
    for rig in [&first, &other] {
        assert_eq!(rig.ask_as("", Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
    }
    other.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_told_and_what_the_store_knows_too() {
    // Nobody listens there: it was bound, and given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let first = Rig::start_with(|config| config.advertise = Some(format!("http://{gone}"))).await;
    let other = first.beside(|_| {}).await;
    let live = made(&first, &json!({ "profile": true })).await;
    let id = text(&live, "session_id");
    assert_eq!(shown(&other, id).await["termination_date"], Value::Null);
    let roles = json!([["1"], ["control"]]);
    let asked = [
        other.ask(Method::DELETE, &format!("/v0/vm/{id}"), None).await,
        other.post("/v0/vm", &json!({ "profile": id })).await,
        other.ask_as(text(&live, "admin_token"), Method::POST, &format!("/live/{id}/addRoles"), Some(&roles)).await,
    ];
    for refused in asked {
        let told = refused.json();
        assert_eq!(
            (refused.status, code(&told)),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("node_unavailable")),
            "{told}"
        );
        assert_eq!(told["diagnostics"]["retryable"], true);
    }
    end(&first, id).await;
    end(&other, id).await;
    other.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_server_that_was_killed_the_others_tell_that_its_live_browsers_are_lost() {
    let home = tempfile::tempdir().unwrap();
    let token = token_for(home.path(), "vm");
    let (killed, left) = (Serving::start(home.path()), Serving::start(home.path()));
    let live = killed.ask(&token, Method::POST, "/v0/vm", Some(json!({ "profile": true }))).await;
    let id = text(&live, "session_id");
    let path = format!("/v0/vm/{id}");
    assert_eq!(left.ask(&token, Method::GET, &path, None).await["termination_date"], Value::Null);
    let client = in_time("a connection", Browser::connect(text(&live, "cdp_url"))).await.unwrap();
    killed.kill();
    in_time("the client's end", client.gone()).await;
    assert_eq!(left.ask(&token, Method::GET, "/v0/vm", None).await["results"], json!([]));
    let told = left.ask(&token, Method::GET, &path, None).await;
    assert_eq!((&told["termination_reason"], &told["saved"]), (&json!("lost"), &json!("none")), "{told}");
    assert_eq!(left.ask(&token, Method::DELETE, &path, None).await, json!({ "session_id": id }));
    let admin =
        left.ask(text(&live, "admin_token"), Method::POST, &format!("/live/{id}/timeout"), Some(json!({}))).await;
    assert_eq!((code(&admin), &admin["error"]["reason"]), (&json!("not_found"), &json!("lost")), "{admin}");
    left.kill();
}
