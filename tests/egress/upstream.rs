//! An upstream proxy: told who we are, checked like any other address, and asked for nothing that is refused here.

use std::sync::Arc;
use std::time::Instant;

use rhaven::base::Secret;
use rhaven::egress::{Policy, Proxy, Upstream, Why};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::support::*;

/// A proxy that notes the heads of requests: answers tunnels with 200 and echoes, other requests with `ok`; or whatever
/// else `status` says.
async fn start(status: &'static str) -> (Server, mpsc::UnboundedReceiver<String>) {
    let (told, heads) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let told = told.clone();
        async move {
            let request = head(&mut stream).await;
            let tunnel = request.starts_with("CONNECT");
            told.send(request).unwrap();
            let end = if tunnel && status == "200" { "\r\n" } else { "Content-Length: 2\r\n\r\nok" };
            stream.write_all(format!("HTTP/1.1 {status} X\r\n{end}").as_bytes()).await.unwrap();
            if tunnel {
                echo(stream).await;
            }
        }
    })
    .await;
    (server, heads)
}

async fn through(server: &Server, policy: Policy, names: &Arc<Names>) -> Proxy {
    let address = format!("http://me:hunter2%21@proxy.example:{}", server.port());
    let upstream = Upstream::parse(&Secret::new("PROXY", address)).unwrap();
    assert!(!format!("{upstream:?}").contains("hunter2"));
    proxy_with(policy, names, |options| options.upstream = Some(upstream)).await
}

#[tokio::test]
async fn everything_goes_through_it_with_its_credentials() {
    let (server, mut heads) = start("200").await;
    let names = Names::new(&[]);
    let proxy = through(&server, policy(&["proxy.example"], &[]), &names).await;
    let (answer, mut tunnel) = connect(&proxy, "a.example:443").await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\n");
    tunnel.write_all(b"bytes").await.unwrap();
    tunnel.shutdown().await.unwrap();
    assert_eq!(rest(&mut tunnel).await, "bytes");
    let request = heads.recv().await.unwrap().to_lowercase();
    assert!(
        request.starts_with("connect a.example:443 http/1.1\r\n") && request.contains("\r\nhost: a.example:443\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\nproxy-authorization: basic bwu6ahvudgvymie=\r\n"), "{request}");

    let answer = get(&proxy, "http://a.example/path?q=1").await;
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    let request = heads.recv().await.unwrap();
    assert!(request.starts_with("GET http://a.example/path?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Host: a.example\r\n") && request.contains("Basic bWU6aHVudGVyMiE="), "{request}");
    // Targets are for it to resolve.
    assert_eq!(names.asked(), ["proxy.example", "proxy.example"]);
}

#[tokio::test]
async fn it_is_not_asked_for_what_is_refused() {
    let ((server, mut heads), began) = (start("200").await, Instant::now());
    let proxy = through(&server, policy(&["proxy.example"], &["*.evil.example"]), &Names::new(&[])).await;
    for host in [
        "127.0.0.1",
        "10.0.0.1",
        "2130706433",
        "[::1]",
        "169.254.169.254",
        "localhost",
        "printer",
        "nas.local",
        "a.evil.example",
    ] {
        let since = Instant::now();
        let (answer, _) = connect(&proxy, &format!("{host}:443")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        assert_eq!(proxy.refusals_since(since).len(), 1, "{host}");
        assert_eq!(get(&proxy, &format!("http://{host}/")).await, "", "{host}");
    }
    assert!(
        proxy.refusals_since(began).iter().any(|refusal| refusal.why == Why::LocalName && refusal.host == "nas.local")
    );
    assert!(heads.try_recv().is_err(), "it was asked");
    assert_eq!(server.came(), 0);
}

#[tokio::test]
async fn its_own_address_is_checked() {
    let (server, _heads) = start("200").await;
    let proxy = through(&server, policy(&[], &[]), &Names::new(&[])).await;
    let since = Instant::now();
    let (answer, _) = connect(&proxy, "a.example:443").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let fault = proxy.fault_of("a.example", since).unwrap();
    assert_eq!(fault.code(), "proxy_unavailable");
    assert!(fault.to_string().contains("`--allow-host proxy.example:"), "{fault}");
    assert_eq!(server.came(), 0);
}

#[tokio::test]
async fn what_it_does_not_do_is_told() {
    for (status, code) in [("407", "proxy_unavailable"), ("502", "navigation_failed"), ("403", "navigation_failed")] {
        let (server, _heads) = start(status).await;
        let proxy = through(&server, policy(&["proxy.example"], &[]), &Names::new(&[])).await;
        let since = Instant::now();
        let (answer, _) = connect(&proxy, "a.example:443").await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        let fault = proxy.fault_of("a.example", since).unwrap();
        assert_eq!(fault.code(), code, "{fault}");
        assert!(fault.to_string().contains(status), "{fault}");
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }
    let (server, _heads) = start("407").await;
    let proxy = through(&server, policy(&["proxy.example"], &[]), &Names::new(&[])).await;
    let since = Instant::now();
    assert_eq!(get(&proxy, "http://a.example/").await, "");
    assert_eq!(proxy.fault_of("a.example", since).unwrap().code(), "proxy_unavailable");
}
