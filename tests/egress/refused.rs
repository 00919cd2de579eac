//! What is not reached, told on the wire and at the servers that must hear nothing.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rhaven::egress::{AddressKind, Fault, Proxy, ProxyOptions, Resolve, Why};

use super::support::*;

/// Asks for a tunnel and for a plain answer; both have to be refused for `why`.
async fn check(proxy: &Proxy, host: &str, port: u16, why: &Why) {
    let since = Instant::now();
    let (head, _) = connect(proxy, &format!("{host}:{port}")).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{host}: {head}");
    let told = head.lines().find(|line| line.to_lowercase().starts_with("x-rhaven-refused: ")).expect("the header");
    let refusal = proxy.refusals_since(since).pop().expect("a refusal is kept");
    assert_eq!((&refusal.why, refusal.port), (why, Some(port)), "{host}");
    assert!(told.ends_with(&refusal.to_string()), "{told}");
    let since = Instant::now();
    assert_eq!(get(proxy, &format!("http://{host}:{port}/secret?token=1")).await, "", "{host}");
    assert_eq!(proxy.refusals_since(since).pop().as_ref(), Some(&refusal));
    assert_eq!(proxy.fault_of(host, since), Some(Fault::Refused(refusal)));
}

#[tokio::test]
async fn loopback_is_refused_in_every_form() {
    let target = Untouched::start().await;
    let proxy = proxy(&[], &Names::new(&[])).await;
    for host in
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]
    {
        check(&proxy, host, target.port, &Why::Address(AddressKind::Loopback)).await;
    }
    check(&proxy, "[2002:7f00:1::]", target.port, &Why::Address(AddressKind::Loopback)).await;
    check(&proxy, "0.0.0.0", target.port, &Why::Address(AddressKind::Unspecified)).await;
    check(&proxy, "[::]", target.port, &Why::Address(AddressKind::Unspecified)).await;
    target.check().await;
}

#[tokio::test]
async fn private_link_local_and_metadata_addresses_are_refused() {
    let proxy = proxy(&[], &Names::new(&[])).await;
    for (host, kind) in [
        ("10.0.0.1", AddressKind::Private),
        ("172.16.0.1", AddressKind::Private),
        ("192.168.1.1", AddressKind::Private),
        ("[fd12::1]", AddressKind::Private),
        ("169.254.1.1", AddressKind::LinkLocal),
        ("[fe80::1]", AddressKind::LinkLocal),
        ("169.254.169.254", AddressKind::Metadata),
        ("[fd00:ec2::254]", AddressKind::Metadata),
        ("[::ffff:169.254.169.254]", AddressKind::Metadata),
        ("100.64.0.1", AddressKind::Shared),
        ("224.0.0.251", AddressKind::Multicast),
        ("[ff02::fb]", AddressKind::Multicast),
        ("198.18.0.1", AddressKind::Benchmarking),
        ("192.0.2.1", AddressKind::Documentation),
        ("240.0.0.1", AddressKind::Reserved),
    ] {
        check(&proxy, host, 80, &Why::Address(kind)).await;
    }
}

#[tokio::test]
async fn an_address_of_this_machine_is_refused_whatever_its_number() {
    // The address that packets to the outside would come from; nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("1.1.1.1:9").is_err() {
        return;
    }
    let own = socket.local_addr().unwrap().ip();
    let target = Untouched::at("0.0.0.0").await;
    let proxy = proxy(&[], &Names::new(&[])).await;
    let since = Instant::now();
    let (head, _) = connect(&proxy, &format!("{own}:{}", target.port)).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!(proxy.refusals_since(since).len(), 1);
    target.check().await;
}

#[tokio::test]
async fn a_name_is_refused_for_where_it_leads() {
    let target = Untouched::start().await;
    let names = Names::new(&[
        ("a.example", &["127.0.0.1"]),
        ("b.example", &["10.0.0.1,127.0.0.1"]),
        ("c.example", &["::1"]),
        ("d.example", &["::ffff:169.254.169.254"]),
    ]);
    let (proxy, since) = (proxy(&[], &names).await, Instant::now());
    check(&proxy, "a.example", target.port, &Why::Resolved(AddressKind::Loopback)).await;
    check(&proxy, "A.Example.", target.port, &Why::Resolved(AddressKind::Loopback)).await;
    check(&proxy, "b.example", target.port, &Why::Resolved(AddressKind::Private)).await;
    check(&proxy, "c.example", target.port, &Why::Resolved(AddressKind::Loopback)).await;
    check(&proxy, "d.example", target.port, &Why::Resolved(AddressKind::Metadata)).await;
    check(&proxy, "localhost", target.port, &Why::Resolved(AddressKind::Loopback)).await;
    let shown = proxy.fault_of("b.example", since).unwrap();
    assert!(
        shown.to_string().contains("`--allow-host b.example:") && shown.to_string().contains("`--allow-private`"),
        "{shown}"
    );
    assert!(!shown.to_string().contains("10.0.0.1"), "{shown}");
    target.check().await;
}

#[tokio::test]
async fn the_systems_names_for_this_machine_are_refused() {
    let target = Untouched::start().await;
    let proxy = Proxy::start(ProxyOptions::new(policy(&[], &[]))).unwrap();
    check(&proxy, "localhost", target.port, &Why::Resolved(AddressKind::Loopback)).await;
    target.check().await;
}

#[tokio::test]
async fn an_answer_that_changes_does_not_pass() {
    let good = Server::start(echo).await;
    let port = good.port();
    let bad = Server::at(&format!("127.0.0.2:{port}"), echo).await;
    let names = Names::new(&[("a.example", &["127.0.0.1", "127.0.0.2", "127.0.0.1"])]);
    let proxy = proxy(&[&format!("127.0.0.1:{port}")], &names).await;
    let target = format!("a.example:{port}");
    let (head, _tunnel) = connect(&proxy, &target).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // Asked once: what was checked is what was dialled.
    assert_eq!((names.asked().len(), good.came(), bad.came()), (1, 1, 0));
    let (head, _) = connect(&proxy, &target).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!((names.asked().len(), bad.came()), (2, 0));
    let (head, _) = connect(&proxy, &target).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!((names.asked().len(), good.came(), bad.came()), (3, 2, 0));
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_are_dialled() {
    let good = Server::start(echo).await;
    let port = good.port();
    let bad = Server::at(&format!("127.0.0.2:{port}"), echo).await;
    let names = Names::new(&[("a.example", &["127.0.0.2,127.0.0.1"]), ("b.example", &["127.0.0.2,10.0.0.1"])]);
    let proxy = proxy(&[&format!("127.0.0.1:{port}")], &names).await;
    let (head, _tunnel) = connect(&proxy, &format!("a.example:{port}")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    check(&proxy, "b.example", port, &Why::Resolved(AddressKind::Loopback)).await;
    assert_eq!((good.came(), bad.came()), (1, 0));
}

#[tokio::test]
async fn deny_wins_over_allow() {
    let target = Untouched::start().await;
    let policy = policy(&["127.0.0.1", "*"], &["*.evil.example", "127.0.0.0/8"]);
    let proxy = proxy_with(policy, &Names::new(&[("b.example", &["::ffff:127.0.0.1"])]), |_| {}).await;
    check(&proxy, "a.evil.example", target.port, &Why::Denied("*.evil.example".to_owned())).await;
    check(&proxy, "127.0.0.1", target.port, &Why::Denied("127.0.0.0/8".to_owned())).await;
    check(&proxy, "b.example", target.port, &Why::Denied("127.0.0.0/8".to_owned())).await;
    target.check().await;
}

#[tokio::test]
async fn proxies_are_not_reached_through_each_other() {
    let policy = policy(&["127.0.0.1", "*", "::1"], &[]);
    let names = Names::new(&[]);
    let one = proxy_with(policy.clone(), &names, |_| {}).await;
    let other = proxy_with(policy.clone(), &names, |_| {}).await;
    for port in [one.address().port(), other.address().port()] {
        for host in ["127.0.0.1", "localhost", "a.example", "[::1]", "[::ffff:127.0.0.1]"] {
            check(&one, host, port, &Why::Rhaven).await;
        }
    }
    other.close().await;
    let (head, _) = connect(&one, &format!("127.0.0.1:{}", other.address().port())).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "as long as somebody has it: {head}");
    let port = other.address().port();
    drop(other);
    let (head, _) = connect(&one, &format!("127.0.0.1:{port}")).await;
    assert!(!head.starts_with("HTTP/1.1 403 "), "nobody listens there any more: {head}");
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_told() {
    use tokio::io::AsyncWriteExt;
    let proxy = proxy(&["127.0.0.1", "*"], &Names::new(&[])).await;
    for request in [
        "GET / HTTP/1.1",
        "GET https://a.example/ HTTP/1.1",
        "CONNECT a.example HTTP/1.1",
        "GET ftp://a.example/ HTTP/1.1",
    ] {
        let mut stream = client(&proxy).await;
        stream.write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
    }
}

/// Never answers.
struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
    ) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn what_does_not_answer_in_time_is_told() {
    let mut options = ProxyOptions::new(policy(&[], &[]));
    (options.resolver, options.connect_timeout) = (std::sync::Arc::new(Silent), Duration::from_millis(50));
    let proxy = Proxy::start(options).unwrap();
    let since = Instant::now();
    let (head, _) = connect(&proxy, "a.example:80").await;
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    let fault = proxy.fault_of("a.example", since).unwrap();
    assert_eq!(
        (fault.code(), fault.to_string().as_str()),
        ("navigation_failed", "a.example:80 did not answer within 50 ms")
    );
    assert_eq!(proxy.refusals_since(since), vec![]);
}

#[tokio::test]
async fn what_cannot_be_reached_is_no_refusal() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = proxy(&["127.0.0.1", "*"], &Names::new(&[("none.example", &[])])).await;
    for host in ["127.0.0.1", "none.example"] {
        let since = Instant::now();
        let (head, _) = connect(&proxy, &format!("{host}:{gone}")).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
        assert_eq!(proxy.fault_of(host, since).unwrap().code(), "navigation_failed");
        assert_eq!(get(&proxy, &format!("http://{host}:{gone}/")).await, "");
        assert_eq!(proxy.refusals_since(since), vec![]);
    }
}
