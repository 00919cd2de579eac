//! What Chromium sends by other ways than a request, past any proxy unless it is told not to: each is shown to get out of a
//! browser without a way out of its own, and not to get out of one that has it.

use std::path::Path;
use std::time::Duration;

use rhaven::browser::{Browser, Flavor, LaunchOptions};
use serde_json::Value;

use super::browser::{end, evaluate, goto, soon, start_with, tab};
use super::pages::{Behind, FLAVORS, Site};
use super::support::*;

/// Gathers what it can of addresses, then says which.
fn webrtc(port: u16) -> String {
    format!(
        "(async () => {{
            const servers = [{{urls: 'stun:127.0.0.1:{port}'}}, {{urls: 'stun:localhost:{port}'}},
                {{urls: ['turn:127.0.0.1:{port}?transport=udp', 'turn:127.0.0.1:{port}?transport=tcp'], username: 'u', credential: 'c'}}];
            const peer = new RTCPeerConnection({{iceServers: servers}});
            const found = [];
            const done = new Promise(r => peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && r());
            peer.onicecandidate = e => e.candidate && found.push(e.candidate.candidate);
            peer.createDataChannel('x');
            await peer.setLocalDescription(await peer.createOffer());
            await done;
            return found;
        }})()"
    )
}

#[tokio::test]
async fn webrtc_sends_nothing() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let page = all.page().await;
        assert_eq!(
            evaluate(page.cdp(), &webrtc(all.target.port)).await,
            Value::from(Vec::<Value>::new()),
            "{flavor:?}"
        );
        all.end().await;

        let (browser, site, target) = free(flavor).await;
        let (_, page) = tab(&browser).await;
        goto(&page, &site.url("/")).await;
        page.cdp().send(super::browser::expression(&webrtc(target.port))).forget();
        assert_eq!(&target.datagram().await[4..8], b"\x21\x12\xa4\x42", "the cookie of STUN");
        end(browser).await;
    }
}

/// A browser that may do as it likes.
async fn free(flavor: Flavor) -> (Browser, Site, Untouched) {
    let browser = start_with(&LaunchOptions { flavor, ..LaunchOptions::default() }).await;
    (browser, Site::start().await, Untouched::start().await)
}

#[tokio::test]
async fn webtransport_sends_nothing() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let page = all.page().await;
        let url = format!("https://127.0.0.1:{}/", all.target.port);
        let tries = format!(
            "typeof WebTransport === 'undefined' ? 'none' : new WebTransport('{url}').ready.then(() => 'open', () => 'failed')"
        );
        let came = evaluate(page.cdp(), &tries).await;
        assert!(came == "none" || came == "failed", "{came}");
        all.end().await;

        let (browser, site, target) = free(flavor).await;
        let (_, page) = tab(&browser).await;
        goto(&page, &site.url("/")).await;
        let tries = format!(
            "window.t = new WebTransport('https://127.0.0.1:{}/'), window.t.ready.catch(() => {{}}), 1",
            target.port
        );
        evaluate(page.cdp(), &tries).await;
        assert!(target.datagram().await.len() > 100, "a first packet of QUIC");
        end(browser).await;
    }
}

/// Runs a page with everything that makes a browser look up names, in a browser that writes down what its network does: the
/// names that were resolved past the proxy, and the addresses that TCP went to.
async fn looked_up(options: LaunchOptions, folder: &Path, site: &Site) -> (Vec<String>, Vec<String>) {
    let log = folder.join("net.json");
    let options = LaunchOptions {
        user_data_dir: Some(folder.join("data")),
        args: vec![format!("--log-net-log={}", log.display()), "--net-log-capture-mode=Everything".to_owned()],
        ..options
    };
    let browser = start_with(&options).await;
    let (_, page) = tab(&browser).await;
    goto(&page, &site.url("/")).await;
    let hints = "document.head.innerHTML = \"<link rel=dns-prefetch href='//prefetch.example'><link rel=preconnect href='https://preconnect.example'>\
        <link rel=preconnect href='//127.0.0.1:9'>\"; \
        Promise.allSettled(['http://plain.example', 'https://tls.example'].map(u => fetch(u, {mode: 'no-cors'}))).then(() => 1)";
    evaluate(page.cdp(), hints).await;
    // Hints are taken up when there is time: a frame or two.
    evaluate(page.cdp(), "new Promise(r => requestAnimationFrame(() => setTimeout(() => r(1), 500)))").await;
    browser.close(soon()).await;
    let log: Value =
        serde_json::from_slice(&std::fs::read(&log).unwrap()).expect("a whole log: the browser ended in order");
    let kind = |name: &str| log["constants"]["logEventTypes"][name].clone();
    let events = log["events"].as_array().unwrap();
    let of = |name: &str, field: &str| {
        let kind = kind(name);
        assert!(kind.is_number(), "Chromium knows no {name}");
        let found = events.iter().filter(|event| event["type"] == kind);
        found.filter_map(|event| Some(event["params"][field].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    (of("HOST_RESOLVER_MANAGER_JOB", "host"), of("TCP_CONNECT_ATTEMPT", "address"))
}

#[tokio::test]
async fn no_name_is_looked_up_and_nothing_dialled_but_the_proxy() {
    for flavor in FLAVORS {
        let site = Site::start().await;
        let names = Names::new(&[]);
        let proxy = proxy(&[&site.pattern()], &names).await;
        let folder = tempfile::tempdir().unwrap();
        let options = LaunchOptions { flavor, egress: Some(proxy.address().into()), ..LaunchOptions::default() };
        let (resolved, dialled) = looked_up(options, folder.path(), &site).await;
        assert_eq!(resolved, Vec::<String>::new(), "{flavor:?}");
        assert!(!dialled.is_empty());
        assert!(dialled.iter().all(|address| *address == proxy.address().to_string()), "{dialled:?}");
        assert!(names.asked().iter().any(|name| name == "tls.example"), "{:?}", names.asked());

        // Without it the same page does ask: what this test looks for is there to be seen.
        let folder = tempfile::tempdir().unwrap();
        let options = LaunchOptions { flavor, timeout: Some(Duration::from_secs(20)), ..LaunchOptions::default() };
        let (resolved, _) = looked_up(options, folder.path(), &site).await;
        assert!(resolved.iter().any(|host| host.contains("tls.example")), "{resolved:?}");
    }
}

#[tokio::test]
async fn flags_that_lead_past_are_left_out_and_named() {
    let all = Behind::start_with(LaunchOptions {
        args: vec!["--no-proxy-server".to_owned(), "--host-resolver-rules=".to_owned(), "--lang=cs".to_owned()],
        flavor: Flavor::Full,
        ..LaunchOptions::default()
    })
    .await;
    let notices = all.browser.notices();
    assert!(notices.iter().any(|notice| notice.starts_with("--no-proxy-server is not given")), "{notices:?}");
    assert!(!notices.iter().any(|notice| notice.contains("--lang")), "{notices:?}");
    let page = all.page().await;
    let fetch = format!(
        "fetch('http://127.0.0.1:{}', {{mode: 'no-cors'}}).then(() => 'came', () => 'failed')",
        all.target.port
    );
    assert_eq!(evaluate(page.cdp(), &fetch).await, "failed");
    all.end().await;
}
