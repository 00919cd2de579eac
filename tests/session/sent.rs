//! Headers and credentials of an identity: which requests have them, and which site never sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use rhaven::base::{Secret, Tenant};
use rhaven::page::{GotoOptions, UrlPattern};
use rhaven::session::{HttpCredentials, Identity, SecretRef, SessionOptions};
use serde_json::json;

use crate::rig::{Rig, evaluate, goto, id, soon};

const PASSWORD: &str = "swordfish";

type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// A site that remembers the headers of every request, and asks who it is on `/private`.
struct Site {
    seen: Seen,
    port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State((seen, port)): State<(Seen, u16)>, uri: Uri, headers: HeaderMap) -> Response {
    let (path, host) = (uri.path(), headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default());
    let given = headers.get(header::AUTHORIZATION).cloned();
    seen.lock().unwrap().push((format!("{host}{path}"), headers));
    let page = |text: &str| Html(format!("<!doctype html><title>{text}</title><body>{text}")).into_response();
    match path {
        "/top" => page(&format!("<iframe src='http://localhost:{port}/frame'></iframe>")),
        "/asking" => page(&format!("<iframe src='http://localhost:{port}/private/frame'></iframe>")),
        "/worker.js" => {
            let script = "fetch('/from-worker').then(() => postMessage(1))";
            ([(header::CONTENT_TYPE, "text/javascript")], script).into_response()
        }
        path if path.starts_with("/private") => {
            let wanted = format!("Basic {}", BASE64.encode(format!("me:{PASSWORD}").as_bytes()));
            if given.is_some_and(|given| given == wanted.as_str()) {
                return page("inside");
            }
            let asks = [(header::WWW_AUTHENTICATE, "Basic realm=\"private\"")];
            (StatusCode::UNAUTHORIZED, asks, page("outside")).into_response()
        }
        _ => page("page"),
    }
}

impl Site {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (seen, port) = (Seen::default(), listener.local_addr().unwrap().port());
        let site = Router::new().fallback(answer).with_state((seen.clone(), port));
        let server = tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
        Self { seen, port, server }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// Values of a header by request, those without it left out; and forgets them.
    fn take(&self, name: &str) -> (usize, BTreeMap<String, String>) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let port = format!(":{}", self.port);
        let with = seen.iter().filter_map(|(path, headers)| {
            Some((path.replace(&port, ""), headers.get(name)?.to_str().unwrap().to_owned()))
        });
        (seen.iter().filter(|(path, _)| !path.ends_with("favicon.ico")).count(), with.collect())
    }
}

fn options(identity: Identity) -> SessionOptions {
    SessionOptions { identity, ..SessionOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_go_with_every_request_and_with_those_of_later_runs() {
    let (rig, site) = (Rig::start_isolating().await, Site::start().await);
    let headers = Some([("X-Client".to_owned(), "shop 7".to_owned())].into());
    let told = options(Identity { extra_http_headers: headers, ..Identity::default() });
    let visit = async |options: &SessionOptions| {
        rig.run_with(options, async |_, page| {
            goto(&page, &site.url("/top")).await;
            evaluate(&page, "localStorage.setItem('kept', 1); fetch('/from-page').then(() => 1)").await;
            let worker = "new Promise(done => { new Worker('/worker.js').onmessage = () => done(1) })";
            evaluate(&page, worker).await;
        })
        .await
    };
    let outcome = visit(&told).await;
    assert_eq!((outcome.save_error, outcome.version.map(|version| version.0)), (None, Some(1)));
    let (asked, with) = site.take("x-client");
    assert!(with.values().all(|value| value == "shop 7"), "{with:?}");
    for path in ["127.0.0.1/top", "localhost/frame", "127.0.0.1/from-page", "127.0.0.1/from-worker"] {
        assert!(with.contains_key(path), "{path} is without it: {with:?}");
    }
    assert!(asked >= 5, "{asked}");
    visit(&SessionOptions::default()).await;
    assert!(site.take("x-client").1.contains_key("127.0.0.1/top"), "a later run does not send it");
    visit(&SessionOptions { anew: true, ..SessionOptions::default() }).await;
    assert_eq!(site.take("x-client").1, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_given_to_the_site_that_they_are_for_and_to_no_other() {
    let (rig, site) = (Rig::start_isolating().await, Site::start().await);
    let (sessions, tenant) = (rig.sessions().await.unwrap(), Tenant::default());
    let set = async |value: &str| {
        sessions.set_secret(&tenant, "SHOP", &Secret::new("SHOP", value.to_owned())).await.unwrap();
    };
    set(PASSWORD).await;
    let password = SecretRef { secret: "SHOP".to_owned() };
    let own = HttpCredentials { origin: Some(site.url("")), username: "me".to_owned(), password };
    let asked = options(Identity { http_credentials: Some(own), ..Identity::default() });
    rig.run_with(&asked, async |_, page| {
        goto(&page, &site.url("/private")).await;
        assert_eq!(evaluate(&page, "document.title").await, "inside");
        let data = "localStorage.setItem('kept', 1); fetch('/private/data').then(got => got.status)";
        assert_eq!(evaluate(&page, data).await, 200);
        // Another site asks, as a page and in a frame.
        goto(&page, &site.other_url("/private")).await;
        assert_eq!(evaluate(&page, "document.title").await, "outside");
        goto(&page, &site.url("/asking")).await;
        let popup = "new Promise(done => { const other = open('/private/again');
            const look = setInterval(() => { if (other.document?.title) { clearInterval(look); done(other.document.title) } }, 20) })";
        assert_eq!(evaluate(&page, popup).await, "inside");
    })
    .await;
    let (_, with) = site.take("authorization");
    assert!(with.keys().all(|path| path.starts_with("127.0.0.1/")), "{with:?}");
    assert!(with.contains_key("127.0.0.1/private/data") && with.contains_key("127.0.0.1/private/again"), "{with:?}");

    // Kept with the session is the name of the password, and what that is by then counts.
    let visit = async || {
        let mut title = json!(null);
        rig.run(async |_, page| {
            goto(&page, &site.url("/private")).await;
            title = evaluate(&page, "document.title").await;
        })
        .await;
        title
    };
    assert_eq!(visit().await, "inside");
    site.take("authorization");
    // Without an origin: where a tab is taken to, but nothing that a page has in it from elsewhere.
    let password = SecretRef { secret: "SHOP".to_owned() };
    let anywhere = HttpCredentials { origin: None, username: "me".to_owned(), password };
    let anywhere = options(Identity { http_credentials: Some(anywhere), ..Identity::default() });
    let workspace = rig.workspace();
    let session = workspace.session(&id("anywhere"), &anywhere).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &site.url("/asking")).await;
    assert_eq!(evaluate(&page, "fetch('/private/data').then(got => got.status)").await, 200);
    let (_, with) = site.take("authorization");
    assert_eq!(with.keys().collect::<Vec<_>>(), ["127.0.0.1/private/data"]);
    goto(&page, &site.other_url("/private")).await;
    assert_eq!(evaluate(&page, "document.title").await, "inside");
    site.take("authorization");
    // Nor where it is led to from there.
    let elsewhere = workspace.session(&id("led"), &anywhere).await.unwrap().page().await.unwrap();
    goto(&elsewhere, &site.url("/top")).await;
    let led = format!("location = {:?}", site.other_url("/private"));
    evaluate(&elsewhere, &led).await;
    let there = UrlPattern::Glob(site.other_url("/private"));
    elsewhere.wait_for_url(&there, &GotoOptions::default(), soon()).await.unwrap();
    assert_eq!(evaluate(&elsewhere, "document.title").await, "outside");
    let (_, with) = site.take("authorization");
    assert!(with.keys().all(|path| path.ends_with("favicon.ico")), "{with:?}");
    workspace.finish(soon()).await;
    site.take("authorization");
    set("another").await;
    assert_eq!(visit().await, "outside");
    let (times, with) = site.take("authorization");
    assert!(times <= 3 && with.len() == 1, "asked {times} times: {with:?}");
    sessions.delete_secret(&tenant, "SHOP").await.unwrap();
    let workspace = rig.workspace();
    let error = workspace.session(&id("acme"), &SessionOptions::default()).await.err().unwrap();
    assert_eq!(error.code(), "secret_not_set");
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_calls_secrets_by_names_of_its_own() {
    let rig = Rig::start().await;
    let (sessions, tenant) = (rig.sessions().await.unwrap(), Tenant::default());
    for (name, value) in [("SHOP_API", "one"), ("API", "two")] {
        sessions.set_secret(&tenant, name, &Secret::new(name, value.to_owned())).await.unwrap();
    }
    let secrets = Some([("API".to_owned(), "SHOP_API".to_owned()), ("KEY".to_owned(), "SHOP_API".to_owned())].into());
    let identity = Identity { secrets, ..Identity::default() };
    let workspace = rig.workspace();
    let value = async |name: &str| {
        let secret = workspace.secret(name).await.unwrap();
        secret.map(|secret| (secret.name().to_owned(), secret.expose().to_owned()))
    };
    assert_eq!(value("API").await.unwrap().1, "two");
    sessions.set_identity(&tenant, "shop", identity.clone()).await.unwrap();
    let asked = ["API", "KEY", "NONE"].map(str::to_owned).into();
    assert_eq!(workspace.known_secrets(asked).await.unwrap(), ["API", "KEY"].map(str::to_owned).into());
    workspace.session(&id("acme"), &options(identity)).await.unwrap();
    assert_eq!(value("API").await.unwrap(), ("SHOP_API".to_owned(), "one".to_owned()));
    assert_eq!(value("KEY").await.unwrap().1, "one");
    assert_eq!(value("SHOP_API").await.unwrap().1, "one");
    workspace.session(&id("other"), &SessionOptions::default()).await.unwrap();
    assert_eq!(value("API").await.unwrap().1, "two");
    assert_eq!(value("KEY").await, None);
    workspace.finish(soon()).await;
}
