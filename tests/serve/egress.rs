//! What a server refuses to reach: by page requests with a browser and without, by redirects, by what pages ask for, by scripts.

use std::sync::Arc;

use axum::Router;
use axum::extract::RawQuery;
use axum::response::{Html, Redirect};
use axum::routing::get;
use rhaven::base::Secret;
use rhaven::egress::{PolicyOptions, Upstream};
use serde_json::{Value, json};

use super::rig::{Rig, policy};
use super::way::{Names, Server, Untouched, echo, head};

/// A site that may be reached, next to what may not.
struct Site {
    port: u16,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Site {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new()
            .route("/", get(|| async { Html("<h1>here</h1>") }))
            .route(
                "/redirect",
                get(|RawQuery(to): RawQuery| async move { Redirect::temporary(&to.unwrap_or_default()) }),
            )
            .route("/asks", get(|RawQuery(url): RawQuery| async move { Html(asking(&url.unwrap_or_default())) }));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// A page that asks for `url` in several ways and writes down what came of them.
fn asking(url: &str) -> String {
    format!(
        "<iframe src='http://{url}'></iframe><img src='http://{url}'><script>
        const told = what => document.body.insertAdjacentHTML('beforeend', `<p class=told>${{what}}</p>`);
        const socket = new WebSocket('ws://{url}');
        const opened = new Promise(done => {{ socket.onopen = () => done('open'); socket.onerror = () => done('refused') }});
        const fetched = fetch('http://{url}', {{mode: 'no-cors'}}).then(() => 'came', () => 'refused');
        Promise.all([opened, fetched]).then(all => told(all.join()))
        </script>"
    )
}

/// A server under the default policy, but for that one site.
async fn start(site: &Site, names: &Arc<Names>) -> Rig {
    let allow_hosts = vec![format!("127.0.0.1:{}", site.port)];
    let names = names.clone();
    Rig::start_with(move |config| {
        config.egress.policy = policy(&PolicyOptions { allow_hosts, ..PolicyOptions::default() });
        config.egress.resolver = names;
    })
    .await
}

/// Both ways of a page request are refused, and the refusal names the flag.
async fn check(rig: &Rig, url: &str, flag: &str) {
    for render_js in [false, true] {
        let answer = rig.post("/v1/fetch", &json!({"url": url, "render_js": render_js})).await;
        let told = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &told["error"]["code"]),
            (502, &json!("target_blocked")),
            "{url} {render_js}: {told}"
        );
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains(flag), "{url} {render_js}: {message}");
        assert_eq!(told["diagnostics"]["blocked"], true, "{told}");
    }
}

#[tokio::test]
async fn by_address_and_by_name() {
    let (site, target) = (Site::start().await, Untouched::start().await);
    let rig = start(&site, &Names::new(&[("a.example", &["10.0.0.1"])])).await;
    let port = target.port;
    for (host, shown) in [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("localhost", "localhost"),
        ("a.example", "a.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("[fe80::1]", "[fe80::1]"),
    ] {
        for scheme in ["http", "https"] {
            let flag = format!("`--allow-host {shown}:{port}` or `--allow-private`");
            check(&rig, &format!("{scheme}://{host}:{port}/"), &flag).await;
        }
    }
    check(&rig, "http://[::ffff:127.0.0.1]:81/", "--allow-host").await;
    check(&rig, "http://169.254.169.254/latest/meta-data/", "`--allow-host 169.254.169.254:80`").await;
    check(&rig, "http://[fd00:ec2::254]/", "`--allow-host [fd00:ec2::254]:80`").await;
    for url in ["file:///etc/passwd", "ftp://a.example/", "chrome://version/", "view-source:http://a.example/"] {
        check(&rig, url, "only http").await;
    }
    target.check().await;
    // What is allowed is there.
    for render_js in [false, true] {
        let answer = rig.post("/v1/fetch", &json!({"url": site.url("/"), "render_js": render_js})).await;
        assert!(answer.json()["outputs"]["html"].as_str().unwrap().contains("here"), "{}", answer.text);
    }
    rig.stop().await;
}

#[tokio::test]
async fn by_redirect() {
    let (site, target) = (Site::start().await, Untouched::start().await);
    let rig = start(&site, &Names::new(&[])).await;
    for to in ["127.0.0.1", "localhost", "[::1]"] {
        let url = site.url(&format!("/redirect?http://{to}:{}/", target.port));
        check(&rig, &url, &format!("`--allow-host {to}:{}`", target.port)).await;
    }
    let answer = rig.post("/v1/fetch", &json!({"url": site.url("/redirect?file:///etc/passwd")})).await;
    assert_eq!(answer.json()["error"]["code"], "target_blocked", "{}", answer.text);
    target.check().await;
    rig.stop().await;
}

#[tokio::test]
async fn by_an_answer_that_changes() {
    for render_js in [false, true] {
        let (site, target) = (Site::start().await, Untouched::at("127.0.0.2").await);
        // What is allowed first, then what is not.
        let names = Names::new(&[("a.example", &["127.0.0.1", "127.0.0.2"])]);
        let rig = start(&site, &names).await;
        let ask = |port: u16| json!({"url": format!("http://a.example:{port}/"), "render_js": render_js});
        assert_eq!(rig.post("/v1/fetch", &ask(site.port)).await.status, 200);
        let answer = rig.post("/v1/fetch", &ask(target.port)).await;
        assert_eq!(answer.json()["error"]["code"], "target_blocked", "{}", answer.text);
        target.check().await;
        rig.stop().await;
    }
}

#[tokio::test]
async fn by_a_page_and_by_a_step() {
    let (site, target) = (Site::start().await, Untouched::start().await);
    let rig = start(&site, &Names::new(&[])).await;
    let url = site.url(&format!("/asks?127.0.0.1:{}/", target.port));
    let answer =
        rig.post("/v1/fetch", &json!({"url": url, "render_js": true, "wait_for": {"selector": ".told"}})).await;
    let html = answer.json()["outputs"]["html"].as_str().unwrap_or_default().to_owned();
    assert!(html.contains("refused,refused"), "{}", answer.text);
    for to in [format!("http://127.0.0.1:{}/", target.port), "file:///etc/passwd".to_owned()] {
        let actions = json!([{"type": "goto", "url": to}]);
        let answer = rig.post("/v1/interact", &json!({"url": site.url("/"), "actions": actions})).await;
        let step = answer.json()["steps"][0].clone();
        assert_eq!(
            (&step["status"], &step["error"]["code"]),
            (&json!("failed"), &json!("target_blocked")),
            "{}",
            answer.text
        );
    }
    target.check().await;
    rig.stop().await;
}

#[tokio::test]
async fn by_a_script() {
    let (site, target) = (Site::start().await, Untouched::start().await);
    let rig = start(&site, &Names::new(&[("none.example", &[])])).await;
    for (url, says) in [
        (format!("http://127.0.0.1:{}/", target.port), "--allow-private"),
        (format!("https://localhost:{}/", target.port), "--allow-private"),
        (site.url(&format!("/redirect?http://127.0.0.1:{}/", target.port)), "--allow-private"),
        ("file:///etc/passwd".to_owned(), "`file:` is refused"),
        ("chrome://version".to_owned(), "`chrome:` is refused"),
    ] {
        let answer = rig.post("/v1/run", &json!({"script": format!("goto(\"{url}\")")})).await;
        let told = answer.json();
        assert_eq!((answer.status.as_u16(), &told["error"]["code"]), (502, &json!("target_blocked")), "{told}");
        assert_eq!((&told["error"]["line"], &told["diagnostics"]["blocked"]), (&json!(1), &json!(true)), "{told}");
        assert!(answer.text.contains(says), "{told}");
        let caught = format!("try {{ goto(\"{url}\"); }} catch (e) {{ emit(e.code); }}");
        let answer = rig.post("/v1/run", &json!({"script": caught})).await.json();
        assert_eq!(answer["emitted"], json!(["target_blocked"]), "{answer}");
    }
    // What could not be reached is told as a browser without a proxy would.
    let answer = rig.post("/v1/run", &json!({"script": "goto(\"http://none.example/\")"})).await.json();
    assert_eq!(answer["error"]["inner_code"], "navigation_failed", "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("net::ERR_NAME_NOT_RESOLVED"), "{answer}");
    target.check().await;
    rig.stop().await;
}

#[tokio::test]
async fn the_server_is_not_reached_through_itself_and_deny_wins() {
    let rig = Rig::start_with(|config| {
        let (allow_hosts, deny_hosts) = (vec!["*".to_owned()], vec!["127.0.0.5".to_owned()]);
        config.egress.policy = policy(&PolicyOptions { allow_hosts, deny_hosts, allow_private: true });
    })
    .await;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        check(&rig, &format!("http://{host}:{}/healthz", rig.address.port()), "it is rhaven's own").await;
    }
    check(&rig, "http://127.0.0.5/", "`--deny-host 127.0.0.5`").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_proxy_to_go_through_is_gone_through() {
    let (told, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Server::start(move |mut stream| {
        let told = told.clone();
        async move {
            use tokio::io::AsyncWriteExt;
            let request = head(&mut stream).await;
            if request.starts_with("CONNECT") {
                return echo(stream).await;
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<h1>through</h1";
            let _ = (told.send(request), stream.write_all(answer.as_bytes()).await);
        }
    })
    .await;
    let address = format!("http://me:hunter2@127.0.0.1:{}", upstream.port());
    let allow_hosts = vec![upstream.address.to_string()];
    let rig = Rig::start_with(|config| {
        config.egress.policy = policy(&PolicyOptions { allow_hosts, ..PolicyOptions::default() });
        config.egress.upstream = Some(Upstream::parse(&Secret::new("proxy", address)).unwrap());
    })
    .await;
    for render_js in [false, true] {
        let body = json!({"url": "http://a.example/page", "render_js": render_js, "use_proxy": true});
        let answer = rig.post("/v1/fetch", &body).await;
        assert!(answer.json()["outputs"]["html"].as_str().unwrap_or_default().contains("through"), "{}", answer.text);
        let head = heads.recv().await.unwrap();
        assert!(head.starts_with("GET http://a.example/page HTTP/1.1\r\n") && head.contains("Basic "), "{head}");
    }
    check(&rig, "http://10.0.0.1/", "--allow-private").await;
    let stats: Value = rig.post("/v1/fetch", &json!({"url": "http://nas.local/", "use_proxy": true})).await.json();
    assert_eq!(stats["error"]["code"], "target_blocked", "{stats}");
    rig.stop().await;
}
