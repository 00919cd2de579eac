//! An upstream proxy: told who we are, checked like any other address, and asked for nothing that is refused here.

use std::sync::Arc;
use std::time::Instant;

use rhaven::base::Secret;
use rhaven::egress::{Policy, Proxy, Upstream, Why};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::relay::Relay;
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

/// A site that says `ok` to every request.
async fn site() -> Server {
    Server::start(|mut stream| async move {
        while !head(&mut stream).await.is_empty() {
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.is_err() {
                break;
            }
        }
    })
    .await
}

async fn by(address: String, set: impl FnOnce(&mut rhaven::egress::ProxyOptions)) -> Proxy {
    let upstream = Upstream::parse(&Secret::new("PROXY", address)).unwrap();
    proxy_with(policy(&["127.0.0.1", "localhost"], &[]), &Names::new(&[]), |options| {
        options.upstream = Some(upstream);
        set(options);
    })
    .await
}

/// A tunnel and a plain request arrive at the site, and the relay was asked for both.
async fn check(proxy: &Proxy, relay: &Relay, plain: &str) {
    let (answer, mut tunnel) = connect(proxy, "a.example:443").await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\n");
    tunnel.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(head(&mut tunnel).await.starts_with("HTTP/1.1 200 OK"));
    let answer = get(proxy, "http://b.example/path").await;
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(relay.asked(), ["a.example:443", plain]);
}

#[tokio::test]
async fn socks_is_spoken_with_and_without_a_password() {
    let site = site().await;
    for user in [None, Some("me:hunter2")] {
        let relay = Relay::socks(site.address, user).await;
        let proxy = by(relay.url("socks5", user.unwrap_or_default()), |_| {}).await;
        check(&proxy, &relay, "b.example:80").await;
        let since = Instant::now();
        assert!(connect(&proxy, "forbidden.example:443").await.0.starts_with("HTTP/1.1 502 "));
        let fault = proxy.fault_of("forbidden.example", since).unwrap();
        assert!(fault.code() == "navigation_failed" && fault.to_string().contains("its rules forbid it"), "{fault}");
        assert!(connect(&proxy, "10.0.0.1:443").await.0.starts_with("HTTP/1.1 403 "));
        assert_eq!(relay.asked(), ["forbidden.example:443"]);
    }
    let relay = Relay::socks(site.address, Some("me:hunter2")).await;
    let closed = { Server::start(|_| async {}).await.address };
    for (address, says) in [
        (relay.url("socks5", "me:wrong"), "does not accept the user and password"),
        (relay.url("socks5", ""), "does not accept the user and password"),
        (format!("socks5://{closed}"), "is away"),
    ] {
        let (proxy, since) = (by(address, |_| {}).await, Instant::now());
        assert!(connect(&proxy, "a.example:443").await.0.starts_with("HTTP/1.1 502 "));
        assert_eq!(get(&proxy, "http://a.example/").await, "");
        let fault = proxy.fault_of("a.example", since).unwrap();
        assert!(fault.code() == "proxy_unavailable" && fault.to_string().contains(says), "{says}: {fault}");
    }
}

#[tokio::test]
async fn a_proxy_behind_tls_has_to_prove_who_it_is() {
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};
    let file = |name: &str| format!("{}/tests/store/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = |name: &str| CertificateDer::from_pem_file(file(name)).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![certificate("server.pem")], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority.pem")).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trusting = Arc::new(trusting.with_root_certificates(roots).with_no_client_auth());

    let site = site().await;
    let relay = Relay::https(site.address, Some("me:hunter2"), Arc::new(server).into()).await;
    let named = format!("https://me:hunter2@localhost:{}", relay.address.port());
    for address in [named, relay.url("https", "me:hunter2")] {
        let trusting = trusting.clone();
        let proxy = by(address, |options| options.tls = Some(trusting)).await;
        check(&proxy, &relay, "http://b.example/path").await;
    }
    // The system does not know who has signed that.
    let (proxy, since) = (by(relay.url("https", "me:hunter2"), |_| {}).await, Instant::now());
    assert!(connect(&proxy, "a.example:443").await.0.starts_with("HTTP/1.1 502 "));
    let fault = proxy.fault_of("a.example", since).unwrap();
    assert!(fault.code() == "proxy_unavailable" && fault.to_string().contains("gave no TLS"), "{fault}");
    assert_eq!(relay.asked(), Vec::<String>::new());
}
