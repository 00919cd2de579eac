//! Ways out through upstream proxies: an identity's, the server's, and what is told when they do not work.

use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Html;
use reqwest::Method;
use rhaven::base::Secret;
use rhaven::egress::{PolicyOptions, Upstream};
use serde_json::{Value, json};

use crate::relay::Relay;
use crate::rig::{Answered, Rig, policy};

/// A site that says by which name it was reached, and sets a cookie.
struct Site {
    address: SocketAddr,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Site {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(|headers: HeaderMap| async move {
            let host = headers["host"].to_str().unwrap().to_owned();
            ([("set-cookie", "seen=1; Max-Age=3600")], Html(format!("<title>{host}</title>")))
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }
}

async fn put(rig: &Rig, name: &str, identity: Value) -> Answered {
    rig.ask(Method::PUT, &format!("/v1/identities/{name}"), Some(&identity)).await
}

/// Fetches, and answers the title that came.
async fn title(rig: &Rig, body: Value) -> String {
    let answer = rig.post("/v1/fetch", &body).await;
    let html = answer.json()["outputs"]["html"].as_str().unwrap_or_default().to_owned();
    let title = html.split("<title>").nth(1).and_then(|rest| rest.split('<').next());
    title.unwrap_or_else(|| panic!("{body}: {}", answer.text)).to_owned()
}

/// Both ways of a page request fail with `proxy_unavailable`, and say so.
async fn unavailable(rig: &Rig, identity: &str, says: &str) {
    for (render_js, url) in [(false, "http://a.example/"), (true, "http://a.example/"), (true, "https://a.example/")] {
        let body = json!({"url": url, "render_js": render_js, "identity": identity});
        let answer = rig.post("/v1/fetch", &body).await;
        let told = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &told["error"]["code"]),
            (503, &json!("proxy_unavailable")),
            "{render_js}: {told}"
        );
        assert!(told["error"]["message"].as_str().unwrap().contains(says), "{says}: {told}");
        assert!(!answer.text.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn an_identity_goes_out_through_its_proxy() {
    let site = Site::start().await;
    let one = Relay::http(site.address, Some("me:hunter2%")).await;
    let other = Relay::socks(site.address, Some("me:swordfish")).await;
    let rig = Rig::start().await;
    let set = put(&rig, "one", json!({"proxy": one.url("http", "me:hunter2%25")})).await;
    assert!(set.status.is_success(), "{}", set.text);
    let secret = json!({"value": "swordfish"});
    assert!(rig.ask(Method::PUT, "/v1/secrets/PROXY", Some(&secret)).await.status.is_success());
    let named = json!({"server": other.url("socks5", ""), "username": "me", "password": {"secret": "PROXY"}});
    assert!(put(&rig, "other", json!({"proxy": named})).await.status.is_success());
    // The password is not shown again.
    let shown = rig.ask(Method::GET, "/v1/identities/one", None).await;
    let wanted = json!({"server": one.url("http", ""), "username": "me", "has_password": true});
    assert_eq!(shown.json()["identity"], json!({"proxy": wanted}));
    assert!(!shown.text.contains("hunter2"));
    // It may be put back as it is shown; the password of another server or user is not known here.
    let mut again = shown.json()["identity"].clone();
    again["locale"] = json!("de-AT");
    let set = put(&rig, "one", again.clone()).await;
    assert!(set.status.is_success(), "{}", set.text);
    for (name, server, username) in [
        ("one", "http://other.example", Some("me")),
        ("one", &*one.url("http", ""), Some("you")),
        ("fresh", &*one.url("http", ""), Some("me")),
        ("one", &*one.url("http", ""), None),
    ] {
        let mut proxy = json!({"server": server, "has_password": true});
        if let Some(username) = username {
            proxy["username"] = json!(username);
        }
        let refused = put(&rig, name, json!({"proxy": proxy})).await;
        assert!(refused.status.as_u16() == 400 && refused.text.contains("password"), "{}", refused.text);
        assert!(!refused.text.contains("hunter2"), "{}", refused.text);
    }
    for (proxy, path) in [
        (json!("proxy.example:3128"), "proxy"),
        (json!({"server": "http://me:hunter2@proxy.example"}), "proxy"),
        (json!({"server": "http://proxy.example", "username": "me", "password": "hunter2"}), "proxy.password"),
    ] {
        let refused = put(&rig, "wrong", json!({"proxy": proxy})).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error"]["path"]),
            (400, &json!(path)),
            "{}",
            refused.text
        );
        assert!(!refused.text.contains("hunter2"), "{}", refused.text);
    }

    // Nothing is kept: by plain HTTP and in a browser; and with a session, which has it from then on.
    for render_js in [false, true] {
        for (identity, relay) in [("one", &one), ("other", &other)] {
            let body = json!({"url": "http://a.example/", "render_js": render_js, "identity": identity});
            assert_eq!(title(&rig, body).await, "a.example");
            assert!(relay.asked().iter().any(|target| target.contains("a.example")), "{identity} {render_js}");
        }
        let id = format!("kept-{render_js}");
        let body =
            json!({"url": "http://b.example/", "render_js": render_js, "session": {"id": id, "identity": "one"}});
        assert_eq!(title(&rig, body).await, "b.example");
        assert!(one.asked().iter().any(|target| target.contains("b.example")));
        let again = |way: bool| json!({"url": "http://c.example/", "render_js": way, "session": id});
        for way in [true, false, true] {
            assert_eq!(title(&rig, again(way)).await, "c.example");
            assert!(one.asked().iter().any(|target| target.contains("c.example")), "{render_js} {way}");
        }
        // What stayed warm goes out the old way, and is not for who has another.
        let body = json!({"url": "http://d.example/", "render_js": true, "session": {"id": id, "identity": "other"}});
        assert_eq!(title(&rig, body).await, "d.example");
        assert!(other.asked().contains(&"d.example:80".to_owned()));
        assert_eq!(title(&rig, again(true)).await, "c.example");
        assert!(other.asked().contains(&"c.example:80".to_owned()));
        assert_eq!(one.asked(), Vec::<String>::new());
    }

    // A script without a session, and one that says by itself where it goes out.
    let script = "goto(\"http://e.example/\"); print(args.guess); emit(args.guess); [title(), args.guess]";
    let body = json!({"script": script, "args": {"guess": "it is hunter2%"}, "identity": "one"});
    let run = rig.post("/v1/run", &body).await;
    assert_eq!(run.json()["result"], json!(["e.example", "it is ***proxy***"]), "{}", run.text);
    assert!(!run.text.contains("hunter2") && run.json()["session"].is_null(), "{}", run.text);
    assert!(one.asked().iter().any(|target| target.contains("e.example")));
    let server = other.url("socks5", "");
    let script = format!(
        "let s = session(\"own\", #{{ proxy: #{{ server: \"{server}\", username: \"me\", password: #{{ secret: \"PROXY\" }} }} }});
        goto(\"http://f.example/\"); let t = title();
        let again = \"\";
        try {{ session(\"own\", #{{ proxy: \"direct\" }}); again = \"went\"; }} catch (e) {{ again = e.code; }}
        [t, again, args.guess]"
    );
    let run = rig.post("/v1/run", &json!({"script": script, "args": {"guess": "swordfish"}})).await;
    assert_eq!(run.json()["result"], json!(["f.example", "session_kind", "***PROXY***"]), "{}", run.text);
    assert!(other.asked().contains(&"f.example:80".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn the_proxy_of_the_server_is_for_who_asks_for_it() {
    let site = Site::start().await;
    let (of_server, own) = (Relay::http(site.address, None).await, Relay::http(site.address, None).await);
    let upstream = || Upstream::parse(&Secret::new("proxy", of_server.url("http", ""))).unwrap();
    let rig = Rig::start_with(|config| config.egress.upstream = Some(upstream())).await;
    assert!(put(&rig, "own", json!({"proxy": own.url("http", "")})).await.status.is_success());
    assert!(put(&rig, "none", json!({"proxy": "direct"})).await.status.is_success());
    let here = format!("http://{}/", site.address);
    for (render_js, session) in [(false, Value::Null), (true, Value::Null), (true, json!("kept"))] {
        let body = |more: Value| {
            let mut body = json!({"url": here, "render_js": render_js, "session": session});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        title(&rig, body(json!({"use_proxy": true}))).await;
        assert!(!of_server.asked().is_empty(), "{render_js} {session}");
        title(&rig, body(json!({}))).await;
        title(&rig, body(json!({"use_proxy": false}))).await;
        assert_eq!(of_server.asked(), Vec::<String>::new());
        // What an identity says comes first.
        let more = if session.is_null() { json!({"use_proxy": true, "identity": "own"}) } else { json!({}) };
        title(&rig, body(more)).await;
        assert_eq!((of_server.asked().len(), own.asked().is_empty()), (0, !session.is_null()));
        if session.is_null() {
            title(&rig, body(json!({"use_proxy": true, "identity": "none"}))).await;
            assert_eq!((of_server.asked().len(), own.asked().len()), (0, 0));
        }
    }
    // Whatever a script opens, and nothing of one that does not say so.
    let script = format!("goto(\"{here}\"); session(\"opened\"); goto(\"{here}\"); 7");
    for (session, use_proxy) in [(Value::Null, true), (json!("ran"), true), (Value::Null, false)] {
        let body = json!({"script": script, "session": session, "use_proxy": use_proxy});
        let run = rig.post("/v1/run", &body).await;
        assert_eq!(run.json()["result"], 7, "{}", run.text);
        let asked = of_server.asked().len();
        assert!(if use_proxy { asked >= 2 } else { asked == 0 }, "{body}: {asked}");
    }
    let body = json!({"script": format!("goto(\"{here}\")"), "use_proxy": true, "identity": "own"});
    assert_eq!(rig.post("/v1/run", &body).await.status, 200);
    assert_eq!((of_server.asked().len(), own.asked().is_empty()), (0, false));
    rig.stop().await;

    let bare = Rig::start().await;
    let body = json!({"script": "1", "use_proxy": true});
    for answer in
        [bare.post("/v1/run", &body).await, bare.post("/v1/jobs", &json!({"kind": "run", "input": body})).await]
    {
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (503, &json!("proxy_unavailable")));
    }
    bare.stop().await;

    let all = Rig::start_with(|config| (config.egress.upstream, config.proxy_all) = (Some(upstream()), true)).await;
    for render_js in [false, true] {
        title(&all, json!({"url": here, "render_js": render_js})).await;
        assert!(!of_server.asked().is_empty(), "{render_js}");
    }
    all.stop().await;
}

#[tokio::test]
async fn a_proxy_that_does_not_work_is_told() {
    let site = Site::start().await;
    let relay = Relay::http(site.address, Some("me:hunter2")).await;
    let away = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let allow_hosts = vec![relay.address.to_string(), away.to_string(), site.address.to_string()];
    let rig = Rig::start_with(|config| {
        config.egress.policy = policy(&PolicyOptions { allow_hosts, ..PolicyOptions::default() });
    })
    .await;
    let private = Relay::http(site.address, None).await;
    for (name, address, says) in [
        ("away", format!("http://me:hunter2@{away}"), "is away"),
        ("stranger", relay.url("http", "me:wrong-hunter2"), "does not accept the user and password"),
        ("private", private.url("http", "me:hunter2"), "--allow-private"),
        ("metadata", "http://169.254.169.254".to_owned(), "`--allow-host 169.254.169.254:80`"),
    ] {
        assert!(put(&rig, name, json!({"proxy": address})).await.status.is_success());
        unavailable(&rig, name, says).await;
    }
    assert_eq!(private.asked(), Vec::<String>::new());
    // What the policy refuses is refused, by whatever way.
    assert!(put(&rig, "good", json!({"proxy": relay.url("http", "me:hunter2")})).await.status.is_success());
    relay.asked();
    for render_js in [false, true] {
        for url in ["http://10.0.0.1/", "http://nas.local/"] {
            let answer = rig.post("/v1/fetch", &json!({"url": url, "render_js": render_js, "identity": "good"})).await;
            assert_eq!(answer.json()["error"]["code"], "target_blocked", "{url}: {}", answer.text);
        }
    }
    assert_eq!(relay.asked(), Vec::<String>::new());
    // A secret that is not there.
    let named = json!({"server": relay.url("http", ""), "username": "me", "password": {"secret": "NONE"}});
    assert!(put(&rig, "nameless", json!({"proxy": named})).await.status.is_success());
    for session in [Value::Null, json!("a")] {
        let body = json!({"url": "http://a.example/", "identity": "nameless", "session": session});
        let answer = rig.post("/v1/fetch", &body).await;
        assert!(answer.status.is_client_error() && answer.text.contains("NONE"), "{}", answer.text);
    }
    rig.stop().await;
}
