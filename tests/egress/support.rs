//! What these tests share: names that lead where a test says, servers that count who came, a client that speaks to a proxy.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rhaven::egress::{Policy, PolicyOptions, Proxy, ProxyOptions, Refusal, Resolve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub use super::browser::in_time;

/// Names and what they lead to: one answer after the other, the last one for ever. Names that are not listed lead to
/// `127.0.0.1`.
#[derive(Default)]
pub struct Names {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    /// Each answer is a list, with commas.
    pub fn new(names: &[(&str, &[&str])]) -> Arc<Self> {
        let ips = |answer: &&str| answer.split(',').map(|ip| ip.parse().unwrap()).collect();
        let answers = names.iter().map(|(name, list)| ((*name).to_owned(), list.iter().map(ips).collect()));
        Arc::new(Self { answers: Mutex::new(answers.collect()), asked: Mutex::default() })
    }

    /// Who was asked for, in the order of the questions.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(name) {
            Some(list) if list.len() > 1 => list.pop_front().unwrap(),
            Some(list) => list.front().cloned().unwrap_or_default(),
            None => vec!["127.0.0.1".parse().unwrap()],
        };
        Box::pin(async move { Ok(answer) })
    }
}

pub fn policy(allow: &[&str], deny: &[&str]) -> Policy {
    let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    Policy::new(&PolicyOptions { allow_hosts: list(allow), deny_hosts: list(deny), allow_private: false }).unwrap()
}

/// A proxy that lets pass what `allow` says.
pub async fn proxy(allow: &[&str], names: &Arc<Names>) -> Proxy {
    proxy_with(policy(allow, &[]), names, |_| {}).await
}

#[expect(clippy::unused_async, reason = "starting one needs a runtime, which an async function is sure of")]
pub async fn proxy_with(policy: Policy, names: &Arc<Names>, set: impl FnOnce(&mut ProxyOptions)) -> Proxy {
    let mut options = ProxyOptions { resolver: names.clone(), ..ProxyOptions::new(policy) };
    set(&mut options);
    Proxy::start(options).unwrap()
}

/// Waits until the proxy has refused a request for `host`.
pub async fn refusal_of(proxy: &Proxy, host: &str, since: Instant) -> Refusal {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let refused = async {
        loop {
            if let Some(found) = proxy.refusals_since(since).into_iter().find(|refusal| refusal.host == host) {
                return found;
            }
            tick.tick().await;
        }
    };
    in_time(&format!("the refusal of {host}"), refused).await
}

/// A server that hands each connection to a handler, and counts them.
pub struct Server {
    pub address: SocketAddr,
    pub came: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start<F: Future<Output = ()> + Send + 'static>(
        handle: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", handle).await
    }

    pub async fn at<F: Future<Output = ()> + Send + 'static>(
        address: &str,
        handle: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let came = Arc::<AtomicUsize>::default();
        let count = came.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(stream));
            }
        });
        Self { address, came, task }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port of TCP and UDP that nobody may come to.
pub struct Untouched {
    pub port: u16,
    tcp: Server,
    udp: UdpSocket,
}

impl Untouched {
    pub async fn start() -> Self {
        Self::at("127.0.0.1").await
    }

    pub async fn at(ip: &str) -> Self {
        loop {
            let tcp = Server::at(&format!("{ip}:0"), |_| async {}).await;
            // The same number may be taken there.
            if let Ok(udp) = UdpSocket::bind(tcp.address).await {
                return Self { port: tcp.port(), tcp, udp };
            }
        }
    }

    /// Fails where anybody came. What was sent before this call has come before what is sent by it.
    pub async fn check(&self) {
        let before = self.tcp.came();
        drop(TcpStream::connect(self.tcp.address).await.unwrap());
        in_time("our own connection", async {
            while self.tcp.came() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(self.tcp.came.swap(0, Ordering::SeqCst), 1, "somebody came over TCP");
        let own = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        own.send_to(b"own", self.udp.local_addr().unwrap()).await.unwrap();
        assert_eq!(self.datagram().await, b"own", "somebody came over UDP");
    }

    /// The next datagram.
    pub async fn datagram(&self) -> Vec<u8> {
        let mut buffer = vec![0; 2048];
        let length = in_time("a datagram", self.udp.recv(&mut buffer)).await.unwrap();
        buffer.truncate(length);
        buffer
    }
}

/// Sends back what comes, and ends when its client does.
pub async fn echo(mut stream: TcpStream) {
    let (mut read, mut write) = stream.split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

/// Reads up to the end of a head.
pub async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match in_time("a head", stream.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// All that comes until the other side ends; what came before an error where it breaks off.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = in_time("the end", stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// A connection to the proxy.
pub async fn client(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Asks for a tunnel: the head of the answer, and what is behind it.
pub async fn connect(proxy: &Proxy, target: &str) -> (String, TcpStream) {
    let mut stream = client(proxy).await;
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    (head(&mut stream).await, stream)
}

/// Sends a plain request and reads all that is answered until the connection ends.
pub async fn get(proxy: &Proxy, url: &str) -> String {
    let mut stream = client(proxy).await;
    let request = format!("GET {url} HTTP/1.1\r\nHost: elsewhere.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}
