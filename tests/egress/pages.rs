//! Pages in real Chromium: each way in which one could reach what it may not, and the ways that have to work.

use std::time::Instant;

use axum::Router;
use axum::extract::{Query, RawQuery};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{any, get};
use chromiumoxide::cdp::browser_protocol::page::NavigateParams;
use rhaven::browser::{Browser, Cause, ContextOptions, Egress, Flavor, LaunchOptions, Missed, Target};
use rhaven::egress::{AddressKind, Proxy, Why};
use rhaven::page::{GotoOptions, Page};
use serde_json::Value;

use super::browser::{end, evaluate, goto, soon, start_with, tab, tab_in};
use super::support::*;

pub const FLAVORS: [Flavor; 2] = [Flavor::HeadlessShell, Flavor::Full];

/// A site whose pages try whatever a test tells them, at `http://localhost`: a secure context, so that workers are there.
pub struct Site {
    pub port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Site {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = |text: String| ([("content-type", "text/javascript")], text).into_response();
        let fetches = move |RawQuery(to): RawQuery| {
            let to = to.unwrap_or_default();
            async move {
                script(format!("fetch('{to}', {{mode: 'no-cors'}}).catch(() => {{}}); self.onfetch = () => {{}};"))
            }
        };
        let app = Router::new()
            .route("/", get(|| async { Html("<title>site</title><body>") }))
            .route(
                "/redirect",
                any(|RawQuery(to): RawQuery| async move { Redirect::temporary(&to.unwrap_or_default()) }),
            )
            .route("/fetches.js", get(fetches))
            .route("/echo", any(|body: String| async move { body }))
            .route("/large", get(|| async { "x".repeat(3_000_000) }))
            .route("/events", get(|| async { ([("content-type", "text/event-stream")], "data: event\n\n") }))
            .route(
                "/cookie",
                get(|Query(query): Query<Vec<(String, String)>>| async move {
                    ([("set-cookie", format!("{}={}", query[0].0, query[0].1))], "set")
                }),
            );
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The pattern that allows it.
    pub fn pattern(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A browser behind a proxy that lets it reach the site and nothing else of this machine.
pub struct Behind {
    pub browser: Browser,
    pub proxy: Proxy,
    pub site: Site,
    pub target: Untouched,
}

impl Behind {
    pub async fn start(flavor: Flavor) -> Self {
        Self::start_with(LaunchOptions { flavor, ..LaunchOptions::default() }).await
    }

    pub async fn start_with(options: LaunchOptions) -> Self {
        let (site, target) = (Site::start().await, Untouched::start().await);
        let proxy = proxy(&[&site.pattern()], &Names::new(&[])).await;
        let browser = start_with(&LaunchOptions { egress: Some(proxy.address().into()), ..options }).await;
        Self { browser, proxy, site, target }
    }

    /// A tab that shows the site.
    pub async fn page(&self) -> Target {
        let (_, page) = tab(&self.browser).await;
        goto(&page, &self.site.url("/")).await;
        page
    }

    pub async fn end(self) {
        self.target.check().await;
        end(self.browser).await;
    }
}

/// Runs `script` in a page of each flavour, with `URL` an address at a name of its own that leads to a server of this machine,
/// and waits until the proxy has refused it; the server hears nothing.
async fn refused(script: &str) {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let page = all.page().await;
        let since = Instant::now();
        let text = script.replace("URL", &format!("target.example:{}/x", all.target.port));
        evaluate(page.cdp(), &format!("(async () => {{ {text} }})(), 1")).await;
        let refusal = refusal_of(&all.proxy, "target.example", since).await;
        assert_eq!((refusal.why, refusal.port), (Why::Resolved(AddressKind::Loopback), Some(all.target.port)));
        all.end().await;
    }
}

#[tokio::test]
async fn by_fetch() {
    refused("fetch('http://URL', {mode: 'no-cors'})").await;
}

#[tokio::test]
async fn by_fetch_over_tls() {
    refused("fetch('https://URL', {mode: 'no-cors'})").await;
}

#[tokio::test]
async fn by_web_socket() {
    refused("new WebSocket('ws://URL')").await;
}

#[tokio::test]
async fn by_web_socket_over_tls() {
    refused("new WebSocket('wss://URL')").await;
}

#[tokio::test]
async fn by_event_source() {
    refused("new EventSource('http://URL')").await;
}

#[tokio::test]
async fn by_beacon() {
    refused("navigator.sendBeacon('http://URL', 'secret')").await;
}

#[tokio::test]
async fn by_frame() {
    refused("document.body.append(Object.assign(document.createElement('iframe'), {src: 'http://URL'}))").await;
}

#[tokio::test]
async fn by_image() {
    refused("new Image().src = 'http://URL'").await;
}

#[tokio::test]
async fn by_module() {
    refused("import('http://URL').catch(() => {})").await;
}

#[tokio::test]
async fn by_preload() {
    refused("document.head.innerHTML = \"<link rel=preload as=image href='http://URL'>\"").await;
}

#[tokio::test]
async fn by_prefetch() {
    refused("document.head.innerHTML = \"<link rel=prefetch href='http://URL'>\"").await;
}

#[tokio::test]
async fn by_service_worker() {
    refused("navigator.serviceWorker.register('/fetches.js?http://URL')").await;
}

#[tokio::test]
async fn by_shared_worker() {
    refused("window.w = new SharedWorker('/fetches.js?http://URL')").await;
}

#[tokio::test]
async fn by_worker() {
    refused("window.w = new Worker('/fetches.js?http://URL')").await;
}

#[tokio::test]
async fn by_form() {
    refused(
        "document.body.innerHTML = \"<form method=post action='http://URL'><input name=a value=b></form>\"; document.forms[0].submit()",
    )
    .await;
}

#[tokio::test]
async fn by_link() {
    refused("document.body.innerHTML = \"<a href='http://URL'>go</a>\"; document.querySelector('a').click()").await;
}

#[tokio::test]
async fn by_redirect_of_a_fetch() {
    refused("fetch('/redirect?http://URL', {mode: 'no-cors'})").await;
}

#[tokio::test]
async fn by_redirect_of_the_page() {
    refused("location = '/redirect?http://URL'").await;
}

#[tokio::test]
async fn by_popup() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let (context, page) = tab(&all.browser).await;
        goto(&page, &all.site.url("/")).await;
        let mut targets = context.targets();
        let since = Instant::now();
        let opens = format!("window.open('http://target.example:{}/'), 1", all.target.port);
        let opened = page.cdp().send(super::browser::expression(&opens));
        let popup = loop {
            let target = super::browser::attached(&mut targets).await;
            if target.id() != page.id() {
                break target;
            }
        };
        popup.resume();
        in_time("the opening", opened).await.unwrap();
        assert_eq!(refusal_of(&all.proxy, "target.example", since).await.why, Why::Resolved(AddressKind::Loopback));
        all.end().await;
    }
}

/// What Chromium says of a navigation.
async fn navigate(page: &Target, url: &str) -> Option<String> {
    in_time(url, page.cdp().call(NavigateParams::new(url))).await.unwrap().error_text
}

#[tokio::test]
async fn by_address() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let (_, page) = tab(&all.browser).await;
        let port = all.target.port;
        for (host, kept) in [
            ("127.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("localhost", "localhost"),
            ("a.localhost", "a.localhost"),
            ("10.0.0.1", "10.0.0.1"),
            ("192.168.0.1", "192.168.0.1"),
            ("169.254.169.254", "169.254.169.254"),
            ("[fe80::1]", "fe80::1"),
            ("[fd00:ec2::254]", "fd00:ec2::254"),
            ("0.0.0.0", "0.0.0.0"),
        ] {
            for (scheme, error) in [("http", "net::ERR_EMPTY_RESPONSE"), ("https", "net::ERR_TUNNEL_CONNECTION_FAILED")]
            {
                let since = Instant::now();
                let url = format!("{scheme}://{host}:{port}/");
                assert_eq!(navigate(&page, &url).await.as_deref(), Some(error), "{url}");
                let kept = kept.parse::<std::net::IpAddr>().map_or(kept.to_owned(), |ip| ip.to_string());
                let refusals = all.proxy.refusals_since(since);
                assert!(refusals.iter().any(|refusal| refusal.host == kept), "{url}: {refusals:?}");
            }
        }
        // A redirect is no other way.
        let url = all.site.url(&format!("/redirect?http://127.0.0.1:{port}/"));
        assert_eq!(navigate(&page, &url).await.as_deref(), Some("net::ERR_EMPTY_RESPONSE"));
        all.end().await;
    }
}

#[tokio::test]
async fn a_name_whose_answer_changes_is_refused_in_the_page() {
    let (site, target) = (Site::start().await, Untouched::at("127.0.0.2").await);
    // The page comes from where it may; then its name leads somewhere else.
    let names = Names::new(&[("a.example", &["127.0.0.1", "127.0.0.2"])]);
    let proxy = proxy(&[&format!("127.0.0.1:{}", site.port)], &names).await;
    let browser = start_with(&LaunchOptions { egress: Some(proxy.address().into()), ..LaunchOptions::default() }).await;
    let (_, page) = tab(&browser).await;
    goto(&page, &format!("http://a.example:{}/", site.port)).await;
    assert_eq!(evaluate(page.cdp(), "document.title").await, "site");
    let since = Instant::now();
    evaluate(
        page.cdp(),
        &format!("fetch('http://a.example:{}/', {{mode: 'no-cors'}}).catch(() => {{}}), 1", target.port),
    )
    .await;
    assert_eq!(refusal_of(&proxy, "a.example", since).await.why, Why::Resolved(AddressKind::Loopback));
    target.check().await;
    end(browser).await;
}

#[tokio::test]
async fn what_is_allowed_works() {
    let socket = Server::start(|stream| async {
        use futures_util::{SinkExt, StreamExt};
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
    for flavor in FLAVORS {
        let site = Site::start().await;
        let names = Names::new(&[]);
        let allow = [site.pattern(), format!("127.0.0.1:{}", socket.port())];
        let proxy = proxy(&[&allow[0], &allow[1]], &names).await;
        let browser =
            start_with(&LaunchOptions { flavor, egress: Some(proxy.address().into()), ..LaunchOptions::default() })
                .await;
        let (_, page) = tab(&browser).await;
        goto(&page, &site.url("/")).await;
        let check =
            async |script: &str, wanted: Value| assert_eq!(evaluate(page.cdp(), script).await, wanted, "{script}");
        check("document.title", "site".into()).await;
        check(
            "fetch('/echo', {method: 'POST', body: 'x'.repeat(2000000)}).then(r => r.text()).then(t => t.length)",
            2_000_000.into(),
        )
        .await;
        check("fetch('/large').then(r => r.text()).then(t => t.length)", 3_000_000.into()).await;
        check("fetch('/redirect?/echo', {method: 'POST', body: 'again'}).then(r => r.text())", "again".into()).await;
        check("fetch('/cookie?a=b').then(() => document.cookie)", "a=b".into()).await;
        check(
            "new Promise(r => { const e = new EventSource('/events'); e.onmessage = m => { e.close(); r(m.data) } })",
            "event".into(),
        )
        .await;
        let talk = format!(
            "new Promise(r => {{ const s = new WebSocket('ws://a.example:{}'); s.onopen = () => s.send('hi'); s.onmessage = m => r(m.data) }})",
            socket.port()
        );
        check(&talk, "hi".into()).await;
        // Kept alive: far fewer connections than requests.
        check(
            "(async () => { for (let n = 0; n < 50; n++) await (await fetch('/echo?' + n)).text(); return 'done' })()",
            "done".into(),
        )
        .await;
        assert!(names.asked().len() < 30, "{}", names.asked().len());
        end(browser).await;
    }
}

#[tokio::test]
async fn a_context_may_have_a_way_out_of_its_own_but_none_past_it() {
    for flavor in FLAVORS {
        let (site, target) = (Site::start().await, Untouched::start().await);
        let names = Names::new(&[]);
        let (all, one) = (proxy(&[], &names).await, proxy(&[&site.pattern()], &names).await);
        let browser =
            start_with(&LaunchOptions { flavor, egress: Some(all.address().into()), ..LaunchOptions::default() }).await;
        let options = ContextOptions { egress: Some(one.address().into()), ..ContextOptions::default() };
        let page = tab_in(&browser.new_context(&options).await.unwrap()).await;
        goto(&page, &site.url("/")).await;
        let since = Instant::now();
        assert!(navigate(&page, &format!("http://127.0.0.1:{}/", target.port)).await.is_some());
        assert_eq!(one.refusals_since(since).len(), 1);
        assert!(navigate(&tab(&browser).await.1, &site.url("/")).await.is_some());
        assert_eq!(all.refusals_since(since).len(), 1);
        // Its default context, too.
        let page = tab_in(&browser.default_context().await.unwrap()).await;
        assert!(navigate(&page, &format!("http://127.0.0.1:{}/", target.port)).await.is_some());
        let past = ContextOptions { proxy: Some("http://127.0.0.1:1".to_owned()), ..ContextOptions::default() };
        assert_eq!(browser.new_context(&past).await.unwrap_err().code(), "target_blocked");
        target.check().await;
        end(browser).await;
    }
}

#[tokio::test]
async fn a_page_that_was_not_reached_says_what_the_way_out_knows() {
    let (site, target) = (Site::start().await, Untouched::start().await);
    let names = Names::new(&[("none.example", &[])]);
    let proxy = proxy(&[&site.pattern()], &names).await;
    let knows = proxy.clone();
    let egress = Egress::new(proxy.address()).telling(move |url, net_error, since| {
        let fault = knows.why_failed(url, net_error, since)?;
        let cause = if fault.code() == "target_blocked" { Cause::Blocked } else { Cause::Unreached };
        Some(Missed { cause, reason: fault.told_as(net_error) })
    });
    let browser = start_with(&LaunchOptions { egress: Some(egress), ..LaunchOptions::default() }).await;
    let context = browser.new_context(&ContextOptions::default()).await.unwrap();
    let mut targets = context.targets();
    context.new_target().await.unwrap();
    let page = Page::attach(super::browser::attached(&mut targets).await).await.unwrap();
    let redirect = site.url(&format!("/redirect?http://127.0.0.1:{}/", target.port));
    let closed = site.url("/");
    for (url, code, says) in [
        ("http://10.0.0.1/", "target_blocked", "`--allow-host 10.0.0.1:80` or `--allow-private`"),
        ("https://localhost/", "target_blocked", "its name leads to a loopback address"),
        (redirect.as_str(), "target_blocked", "127.0.0.1:"),
        ("file:///etc/passwd", "target_blocked", "`file:` is refused"),
        ("http://none.example/", "navigation_failed", "net::ERR_NAME_NOT_RESOLVED (none.example has no address"),
        ("https://none.example/", "navigation_failed", "net::ERR_NAME_NOT_RESOLVED (none.example has no address"),
    ] {
        let error = page.goto(url, &GotoOptions::default(), soon()).await.unwrap_err();
        assert_eq!(error.error.code(), code, "{url}: {error}");
        assert!(error.error.to_string().contains(says), "{error}");
    }
    page.goto(&closed, &GotoOptions::default(), soon()).await.unwrap();
    target.check().await;
    drop((page, context));
    end(browser).await;
}
