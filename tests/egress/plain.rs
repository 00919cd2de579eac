//! Plain requests: handed on as they come, with nothing of the hop before, and answered as the server does.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::*;

/// A server that notes the heads of its requests and answers each with `answer`, on one connection as long as it lasts.
async fn answering(answer: &'static str) -> (Server, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (told, heads) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let told = told.clone();
        async move {
            loop {
                let head = head_or_end(&mut stream).await;
                if head.is_empty() || told.send(head).is_err() || stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                if answer.contains("Connection: close") {
                    return;
                }
            }
        }
    })
    .await;
    (server, heads)
}

/// A head, for as long as it takes.
async fn head_or_end(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

const SHORT: &str =
    "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Odd-Case: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\nok";

#[tokio::test]
async fn a_request_is_handed_on_without_what_was_for_the_proxy() {
    let (server, mut heads) = answering(SHORT).await;
    let proxy = proxy(&["a.example"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    let target = format!("a.example:{}", server.port());
    let path = "/a|b[c]^d'e%20?q=`{}|^[]\\'&x=%F0";
    let request = format!(
        "GET http://{target}{path} HTTP/1.1\r\nHost: other.example\r\nUser-Agent: me\r\nX-oDD: 1\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authorization: Basic eA==\r\nConnection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert_eq!(answer, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Odd-Case: 1\r\n\r\n");
    let head = heads.recv().await.unwrap();
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), format!("GET {path} HTTP/1.1"));
    lines.sort_unstable();
    assert_eq!(lines, [format!("Host: {target}"), "User-Agent: me".to_owned(), "X-oDD: 1".to_owned()]);
}

#[tokio::test]
async fn a_connection_is_used_again_for_the_same_target_only() {
    let ((one, _one), (two, _two)) = (answering(SHORT).await, answering(SHORT).await);
    let names = Names::new(&[]);
    let proxy = proxy(&["a.example"], &names).await;
    let mut stream = client(&proxy).await;
    for (server, came) in [(&one, 1), (&one, 1), (&one, 1), (&two, 1), (&two, 1), (&one, 2)] {
        ask(&mut stream, server).await;
        assert_eq!(server.came(), came);
    }
    assert_eq!(names.asked().len(), 3, "once for each connection");
}

async fn ask(stream: &mut TcpStream, server: &Server) {
    let request = format!("GET http://a.example:{}/ HTTP/1.1\r\nHost: x\r\n\r\n", server.port());
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut body = [0; 2];
    in_time("the body", stream.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"ok");
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_asked_anew() {
    let (server, _heads) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    let (silent, _more) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let proxy = proxy(&["a.example"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    for came in 1..=5 {
        ask(&mut stream, &server).await;
        assert_eq!(server.came(), came);
    }
    ask(&mut stream, &silent).await;
}

#[tokio::test]
async fn a_server_that_closes_without_a_word_is_asked_once_more() {
    // Answers once on each connection, and closes it when it is asked again.
    let server = Server::start(|mut stream| async move {
        head_or_end(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        head_or_end(&mut stream).await;
    })
    .await;
    let proxy = proxy(&["a.example"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    for came in 1..=3 {
        ask(&mut stream, &server).await;
        assert_eq!(server.came(), came);
    }
    // What is sent to be done must not be done twice: the client hears that there is no answer.
    let since = Instant::now();
    let url = format!("http://a.example:{}/", server.port());
    stream.write_all(format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(proxy.fault_of("a.example", since).unwrap().code(), "navigation_failed");
    assert_eq!(server.came(), 3);
}

#[tokio::test]
async fn a_body_is_handed_on_while_it_comes() {
    // Sends a piece, and the next only when the client has said that it has the first.
    let (go_on, goes_on) = tokio::sync::oneshot::channel::<()>();
    let goes_on = std::sync::Mutex::new(Some(goes_on));
    let server = Server::start(move |mut stream| {
        let goes_on = goes_on.lock().unwrap().take().unwrap();
        async move {
            head_or_end(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
            goes_on.await.unwrap();
            stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    let request = format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.to_lowercase().contains("transfer-encoding: chunked"));
    let mut piece = [0; 10];
    in_time("the first piece", stream.read_exact(&mut piece)).await.unwrap();
    assert_eq!(&piece, b"5\r\nfirst\r\n");
    go_on.send(()).unwrap();
    assert_eq!(rest(&mut stream).await, "6\r\nsecond\r\n0\r\n\r\n");
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    const LENGTH: usize = 20_000_000;
    let server = Server::start(|mut stream| async move {
        let head = head_or_end(&mut stream).await.to_lowercase();
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        // Sends as it reads, so that neither side can hold all of it.
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        let sink = async {
            let mut last = Vec::new();
            let mut buffer = vec![0; 65536];
            while !last.ends_with(b"\r\n0\r\n\r\n") {
                let count = read.read(&mut buffer).await.unwrap();
                last.extend_from_slice(&buffer[..count]);
                last.drain(..last.len().saturating_sub(16));
            }
        };
        let fill = async { write.write_all(&vec![b'y'; LENGTH]).await.unwrap() };
        tokio::join!(sink, fill);
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let (mut read, mut write) = client(&proxy).await.into_split();
    let head = format!("POST http://{}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", server.address);
    let send = async {
        write.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..20 {
            write.write_all(format!("{:x}\r\n", LENGTH / 20).as_bytes()).await.unwrap();
            write.write_all(&vec![b'x'; LENGTH / 20]).await.unwrap();
            write.write_all(b"\r\n").await.unwrap();
        }
        write.write_all(b"0\r\n\r\n").await.unwrap();
    };
    let receive = async {
        let mut all = vec![0; 17];
        read.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"HTTP/1.1 200 OK\r\n");
        let (mut count, mut buffer) = (0, vec![0; 65536]);
        while count < LENGTH {
            let length = read.read(&mut buffer).await.unwrap();
            assert!(length > 0, "it ended after {count}");
            count += buffer[..length].iter().fold(0, |count, byte| count + usize::from(*byte == b'y'));
        }
    };
    in_time("both bodies", async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let server = Server::start(|mut stream| async move {
        head_or_end(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let answer = get(&proxy, &format!("http://{}/", server.address)).await;
    assert!(answer.ends_with("5\r\nfirst\r\n"), "no end that the server did not send: {answer}");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_taken_back() {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let ended = ended.clone();
        async move {
            head_or_end(&mut stream).await;
            // Never answers.
            ended.send(stream.read_u8().await.is_err()).unwrap();
        }
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    stream.write_all(format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", server.address).as_bytes()).await.unwrap();
    in_time("the request", async {
        while server.came() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(stream);
    assert!(in_time("the end", ends.recv()).await.unwrap());
}

#[tokio::test]
async fn the_protocol_may_be_changed() {
    let server = Server::start(|mut stream| async move {
        let head = head_or_end(&mut stream).await.to_lowercase();
        assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        echo(stream).await;
    })
    .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let mut stream = client(&proxy).await;
    let request = format!(
        "GET http://{}/ HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 ") && answer.contains("upgrade: websocket\r\n"), "{answer}");
    stream.write_all(b"frames").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, "frames");
}

#[tokio::test]
async fn sloppy_answers_pass_as_they_do_in_browsers() {
    let (server, _heads) =
        answering("HTTP/1.0 200\r\nX-Bad\u{e9}: 1\r\nX-Good: 1\r\nX-Space : 1\r\nConnection: close\r\n\r\nall of it")
            .await;
    let proxy = proxy(&["127.0.0.1"], &Names::new(&[])).await;
    let answer = get(&proxy, &format!("http://{}/", server.address)).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("X-Good: 1\r\n"), "{answer}");
    assert!(answer.contains("all of it"), "{answer}");
}
