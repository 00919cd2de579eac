//! Tunnels: bytes of any kind, ends of one side, the end of the proxy, its limits.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::*;

#[tokio::test]
async fn bytes_go_both_ways_and_an_end_is_handed_on() {
    // Answers only when its client has ended.
    let server = Server::start(|mut stream| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).await.unwrap();
    })
    .await;
    let proxy = proxy(&["a.example"], &Names::new(&[])).await;
    let (head, mut tunnel) = connect(&proxy, &format!("a.example:{}", server.port())).await;
    assert_eq!(head, "HTTP/1.1 200 OK\r\n\r\n");
    tunnel.write_all(&vec![7; 5_000_000]).await.unwrap();
    tunnel.shutdown().await.unwrap();
    assert_eq!(rest(&mut tunnel).await, "5000000 bytes");
}

#[tokio::test]
async fn the_end_of_the_server_leaves_the_client_its_say() {
    let (told, hears) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let server = Server::start(move |mut stream| {
        let told = told.lock().unwrap().take().unwrap();
        async move {
            stream.shutdown().await.unwrap();
            let mut all = String::new();
            stream.read_to_string(&mut all).await.unwrap();
            told.send(all).unwrap();
        }
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let (_, mut tunnel) = connect(&proxy, &server.address.to_string()).await;
    assert_eq!(rest(&mut tunnel).await, "");
    tunnel.write_all(b"still here").await.unwrap();
    drop(tunnel);
    assert_eq!(in_time("the rest", hears).await.unwrap(), "still here");
}

#[tokio::test]
async fn what_is_sent_along_with_the_request_is_not_lost() {
    let server = Server::start(echo).await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    let request = format!("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\nhello", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, "hello");
}

#[tokio::test]
async fn a_refused_client_may_ask_again_on_its_connection() {
    let server = Server::start(echo).await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    stream.write_all(b"CONNECT 10.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let refused = head(&mut stream).await;
    let length = refused.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut text = vec![0; length.unwrap()];
    stream.read_exact(&mut text).await.unwrap();
    assert!(String::from_utf8(text).unwrap().contains("`--allow-host 10.0.0.1:1`"));
    stream.write_all(format!("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", server.address).as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn everything_ends_with_the_proxy() {
    for how in ["dropped", "closed"] {
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::start(move |mut stream| {
            let ended = ended.clone();
            async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                ended.send(()).unwrap();
            }
        })
        .await;
        let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
        let address = proxy.address();
        let (_, mut tunnel) = connect(&proxy, &server.address.to_string()).await;
        let mut waiting = client(&proxy).await;
        let again = proxy.clone();
        drop(proxy);
        assert!(TcpStream::connect(address).await.is_ok(), "a clone keeps it");
        if how == "closed" {
            in_time("its end", again.close()).await;
        } else {
            drop(again);
        }
        assert_eq!(rest(&mut tunnel).await, "");
        assert_eq!(rest(&mut waiting).await, "");
        in_time("the server's end", ends.recv()).await.unwrap();
        in_time("the end of its port", async { while TcpStream::connect(address).await.is_ok() {} }).await;
    }
}

#[tokio::test]
async fn only_so_many_clients_are_served_at_a_time() {
    let server = Server::start(echo).await;
    let names = Names::new(&[]);
    let proxy = proxy_with(policy(&["127.0.0.1"], &[]), &names, |options| options.connections = 2).await;
    let target = server.address.to_string();
    let (_, one) = connect(&proxy, &target).await;
    let (_, _two) = connect(&proxy, &target).await;
    let mut three = client(&proxy).await;
    three.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), three.read_u8()).await;
    assert!(early.is_err(), "it was served although two were");
    drop(one);
    assert!(head(&mut three).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(echo).await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    let request =
        format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", server.address, "x".repeat(300_000));
    // The answer may come, and the connection end, before all of it was taken.
    let _ = stream.write_all(request.as_bytes()).await;
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(server.came(), 0);
}

#[tokio::test]
async fn an_address_that_is_slow_does_not_hold_up_the_next() {
    // Nothing answers there: in most places packets to it are dropped, in some they are refused at once.
    let server = Server::start(echo).await;
    let names = Names::new(&[("a.example", &["192.0.2.1,127.0.0.1"])]);
    let proxy = proxy(&["a.example"], &names).await;
    let start = Instant::now();
    let (head, _) = connect(&proxy, &format!("a.example:{}", server.port())).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}
