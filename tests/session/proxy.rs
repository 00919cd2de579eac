//! Sessions that go out through a proxy, as from the command line: under no policy, with a browser that is otherwise free.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Html;
use rhaven::page::GotoOptions;
use rhaven::session::{Identity, IdentityProxy, SessionOptions};

use crate::proxy_relay::Relay;
use crate::rig::{Rig, evaluate, goto, id, soon};

fn through(proxy: &str) -> SessionOptions {
    let proxy = Some(IdentityProxy::parse(proxy).unwrap());
    SessionOptions { identity: Identity { proxy, ..Identity::default() }, ..SessionOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_with_the_session_and_with_a_profile() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Router::new().fallback(|headers: HeaderMap| async move {
        Html(format!("<title>{}</title>", headers["host"].to_str().unwrap()))
    });
    let server = tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
    let (rig, relay) = (Rig::start().await, Relay::http(address, Some("me:hunter2")).await);
    let proxied = through(&relay.url("http", "me:hunter2"));
    for (name, profile) in [("plain", None), ("profile", Some(true))] {
        let first = SessionOptions { profile, ..proxied.clone() };
        // Asked for, kept, and taken back.
        for (options, is_proxied) in [(first, true), (SessionOptions::default(), true), (through("direct"), false)] {
            let workspace = rig.workspace();
            let session = workspace.session(&id(name), &options).await.unwrap();
            let page = session.page().await.unwrap();
            let url = if is_proxied { "http://localhost:8181/".to_owned() } else { format!("http://{address}/") };
            goto(&page, &url).await;
            let host = url.trim_start_matches("http://").trim_end_matches('/');
            assert_eq!(evaluate(&page, "document.title").await, host);
            evaluate(&page, "localStorage.setItem('kept', Date.now())").await;
            let asked = relay.asked();
            assert_eq!(asked.iter().any(|target| target.contains("localhost:8181")), is_proxied, "{name}: {asked:?}");
            let other = workspace.session(&id(name), &through("http://other.example")).await.err().unwrap();
            assert_eq!(other.code(), "session_kind");
            let outcomes = workspace.finish(soon()).await;
            assert_eq!(outcomes[0].save_error, None, "{name}");
        }
    }
    // The same where a browser is replaced before anything was saved: for the session that was current, and for one that is asked for anew.
    let workspace = rig.workspace();
    let stays = async |site: &str| {
        let page = workspace.current().await.unwrap().page().await.unwrap();
        goto(&page, &format!("http://{site}/")).await;
        assert!(relay.asked().iter().any(|target| target.contains(site)), "{site} was reached another way");
    };
    let german = Identity { locale: Some("de-AT".to_owned()), ..proxied.identity.clone() };
    workspace.session(&id("other"), &proxied).await.unwrap();
    workspace.session(&id("current"), &SessionOptions { identity: german, ..proxied.clone() }).await.unwrap();
    stays("localhost:8282").await;
    workspace.restart(None).await;
    stays("localhost:8283").await;
    let page = workspace.current().await.unwrap().page().await.unwrap();
    assert_eq!(evaluate(&page, "navigator.language").await, "de-AT");
    workspace.restart(None).await;
    workspace.session(&id("other"), &SessionOptions::default()).await.unwrap();
    stays("localhost:8284").await;
    // A rerun begins with what is saved.
    workspace.reset().await;
    let session = workspace.session(&id("other"), &SessionOptions::default()).await.unwrap();
    goto(&session.page().await.unwrap(), &format!("http://{address}/")).await;
    assert!(!relay.asked().iter().any(|target| target.contains(&address.to_string())));
    workspace.finish(soon()).await;

    // Nothing goes another way where it does not let us through.
    let workspace = rig.workspace();
    let stranger = workspace.session(&id("stranger"), &through(&relay.url("http", "me:wrong"))).await.unwrap();
    let page = stranger.page().await.unwrap();
    let error = page.goto(&format!("http://{address}/"), &GotoOptions::default(), soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "proxy_unavailable", "{error}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    workspace.finish(soon()).await;
    server.abort();
}
