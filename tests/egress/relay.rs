//! Upstream proxies for tests: they note what they are asked for, whoever they were told that we are, and lead everything to one site.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A proxy.
pub struct Relay {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a proxy leads, and whom it lets pass: `user:password`, or anybody.
#[derive(Clone)]
struct Rules {
    site: SocketAddr,
    user: Option<String>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// One that speaks HTTP.
    pub async fn http(site: SocketAddr, user: Option<&str>) -> Self {
        Self::start(site, user, |stream, rules| Box::pin(http(stream, rules))).await
    }

    /// One that speaks SOCKS 5.
    pub async fn socks(site: SocketAddr, user: Option<&str>) -> Self {
        Self::start(site, user, |stream, rules| Box::pin(async move { drop(socks(stream, rules).await) })).await
    }

    /// One that speaks HTTP over TLS.
    pub async fn https(site: SocketAddr, user: Option<&str>, tls: tokio_rustls::TlsAcceptor) -> Self {
        Self::start(site, user, move |stream, rules| {
            let tls = tls.clone();
            Box::pin(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    http(stream, rules).await;
                }
            })
        })
        .await
    }

    async fn start(
        site: SocketAddr,
        user: Option<&str>,
        serve: impl Fn(TcpStream, Rules) -> futures_util::future::BoxFuture<'static, ()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let rules = Rules { site, user: user.map(str::to_owned), asked: asked.clone() };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, rules.clone()));
            }
        });
        Self { address, asked, task }
    }

    /// `scheme://user@address`, as it is told to whoever goes through it.
    pub fn url(&self, scheme: &str, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        format!("{scheme}://{user}{at}{}", self.address)
    }

    /// The targets that it was asked for since this was last called, each with its port; what it refused is in brackets.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// What it is to a relay that was told to go to `target` by somebody.
fn noted(rules: &Rules, target: String, is_known: bool) {
    rules.asked.lock().unwrap().push(if is_known { target } else { format!("({target})") });
}

async fn http(mut stream: impl AsyncRead + AsyncWrite + Unpin, rules: Rules) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let wanted =
        rules.user.as_ref().map(|user| format!("proxy-authorization: basic {}", BASE64.encode(user.as_bytes())));
    let is_known = wanted.is_none_or(|wanted| head.to_lowercase().contains(&wanted.to_lowercase()));
    noted(&rules, target, is_known);
    if !is_known {
        let answer = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
        drop(stream.write_all(answer.as_bytes()).await);
        return;
    }
    let Ok(mut site) = TcpStream::connect(rules.site).await else { return };
    if head.starts_with("CONNECT ") {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
    } else {
        // One request to a connection, so that each is noted.
        let last = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        drop(site.write_all(last.as_bytes()).await);
    }
    drop(tokio::io::copy_bidirectional(&mut stream, &mut site).await);
}

async fn socks(mut stream: TcpStream, rules: Rules) -> std::io::Result<()> {
    let methods = stream.read_u16().await? & 0xff;
    let mut offered = vec![0; usize::from(methods)];
    stream.read_exact(&mut offered).await?;
    let mut is_known = true;
    if let Some(user) = &rules.user {
        if !offered.contains(&2) {
            noted(&rules, "unknown".to_owned(), false);
            return stream.write_all(&[5, 0xff]).await;
        }
        stream.write_all(&[5, 2]).await?;
        assert_eq!(stream.read_u8().await?, 1);
        let (name, password) = (text(&mut stream).await?, text(&mut stream).await?);
        is_known = format!("{name}:{password}") == *user;
        stream.write_all(&[1, u8::from(!is_known)]).await?;
    } else {
        stream.write_all(&[5, 0]).await?;
    }
    if !is_known {
        noted(&rules, "wrong".to_owned(), false);
        return Ok(());
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request {
        [5, 1, 0, 3] => text(&mut stream).await?,
        [5, 1, 0, 1] => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
        other => panic!("{other:?}"),
    };
    let target = format!("{host}:{}", stream.read_u16().await?);
    noted(&rules, target.clone(), true);
    if host == "forbidden.example" {
        return stream.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    let mut site = TcpStream::connect(rules.site).await?;
    // An address of the kind that has a length.
    stream.write_all(&[5, 0, 0, 3, 4, b'h', b'e', b'r', b'e', 0, 80]).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut site).await.map(drop)
}

async fn text(stream: &mut TcpStream) -> std::io::Result<String> {
    let length = stream.read_u8().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}
