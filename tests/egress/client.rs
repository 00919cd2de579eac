//! The client for plain requests: through the proxy for everything, and nothing by itself.

use std::time::Instant;

use rhaven::egress::client as client_of;
use tokio::io::AsyncWriteExt;

use super::support::*;

#[tokio::test]
async fn it_goes_through_the_proxy_and_follows_nothing() {
    let server = Server::start(|mut stream| async move {
        while head(&mut stream).await.starts_with("GET /start ") {
            let answer = "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let proxy = proxy(&["a.example"], &Names::new(&[])).await;
    let client = client_of(&proxy).unwrap();
    let answer = client.get(format!("http://a.example:{}/start", server.port())).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "http://10.0.0.1/");
    assert_eq!(server.came(), 1);
}

#[tokio::test]
async fn what_is_refused_is_known_to_the_proxy() {
    let target = Untouched::start().await;
    let proxy = proxy(&[], &Names::new(&[])).await;
    let client = client_of(&proxy).unwrap();
    for scheme in ["http", "https"] {
        for host in ["127.0.0.1", "localhost", "a.example", "[::1]", "[::ffff:127.0.0.1]", "2130706433"] {
            let since = Instant::now();
            let url = format!("{scheme}://{host}:{}/path?secret=1", target.port);
            client.get(&url).send().await.unwrap_err();
            let url = url::Url::parse(&url).unwrap();
            let fault = proxy.fault_of(url.host_str().unwrap(), since).expect("it is kept");
            assert_eq!(fault.code(), "target_blocked", "{url}");
            assert!(!fault.to_string().contains("secret"), "{fault}");
        }
    }
    target.check().await;
}

#[tokio::test]
async fn it_has_no_other_way() {
    let server = Server::start(echo).await;
    let proxy = proxy(&["127.0.0.1", "*"], &Names::new(&[])).await;
    let client = client_of(&proxy).unwrap();
    proxy.close().await;
    let came = server.came();
    for host in ["127.0.0.1", "localhost"] {
        client.get(format!("http://{host}:{}/", server.port())).send().await.unwrap_err();
    }
    assert_eq!(server.came(), came);
}
