//! Connections: the name is resolved once, every answer is checked, and what was checked is what is dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Empty;
use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;

use super::policy::Target;
use super::proxy::{MAX_HEAD_BYTES, MAX_HEADERS, Tasks};
use super::tunnel::Stream;
use super::upstream::Scheme;
use super::{Fault, Policy, Resolve, Upstream, socks, tls};

/// How long an address may take before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Who makes connections.
pub(super) struct Dialer {
    pub(super) policy: Policy,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) upstream: Option<Upstream>,
    /// Whom an `https` upstream proxy is trusted by; as the system does where none.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// How long a connection may take, from the question for its addresses to its last handshake.
    pub(super) within: Duration,
    pub(super) tasks: Tasks,
}

impl Dialer {
    /// A connection that speaks HTTP with the target, or about it with the upstream proxy.
    pub(super) async fn http<B>(&self, target: &Target) -> Result<SendRequest<B>, Fault>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        self.in_time(target, async {
            let stream = match &self.upstream {
                Some(upstream) if upstream.takes_urls() => self.to_upstream(upstream, target).await?,
                Some(upstream) => self.through(upstream, target).await?,
                None => Box::new(self.direct(target).await?) as Box<dyn Stream>,
            };
            self.speak(stream).await.map_err(|error| not_reached(target, &error.to_string()))
        })
        .await
    }

    /// A connection for bytes of any kind.
    pub(super) async fn tunnel(&self, target: &Target) -> Result<Box<dyn Stream>, Fault> {
        self.in_time(target, async {
            match &self.upstream {
                Some(upstream) => self.through(upstream, target).await,
                None => Ok(Box::new(self.direct(target).await?) as Box<dyn Stream>),
            }
        })
        .await
    }

    async fn in_time<T>(&self, target: &Target, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let late = || Fault::TimedOut { host: target.name(), port: target.port, within: self.within };
        tokio::time::timeout(self.within, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// Resolves, checks and dials.
    async fn direct(&self, target: &Target) -> Result<TcpStream, Fault> {
        let named = self.policy.check_name(target).map_err(Fault::Refused)?;
        let addresses = match target.literal() {
            Some(ip) => vec![ip],
            None => self.addresses(&target.name()).await?,
        };
        let (mut allowed, mut refusal) = (Vec::new(), None);
        for ip in addresses {
            let ip = ip.to_canonical();
            match self.policy.check_address(target, ip, named) {
                Ok(()) => allowed.push(SocketAddr::new(ip, target.port)),
                Err(refused) => drop(refusal.get_or_insert(refused)),
            }
        }
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(Fault::Refused(refusal)),
            _ => first_of(&allowed).await.map_err(|reason| not_reached(target, &reason)),
        }
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let none = |reason: String| Fault::NoAddress { host: name.to_owned(), reason };
        let found = self.resolver.resolve(name).await.map_err(|error| none(error.to_string()))?;
        if found.is_empty() { Err(none("the answer is empty".to_owned())) } else { Ok(found) }
    }

    /// A connection to the upstream proxy, for a target that may be asked for there.
    async fn to_upstream(&self, upstream: &Upstream, target: &Target) -> Result<Box<dyn Stream>, Fault> {
        self.policy.check_unresolved(target).map_err(Fault::Refused)?;
        // A moment less than the whole: what does not answer at all is the proxy, and is told as that.
        let within = self.within.mul_f32(0.9);
        let late = Fault::Upstream(format!("did not answer within {}", crate::base::show_duration(within)));
        tokio::time::timeout(within, self.reach(upstream)).await.unwrap_or(Err(late))
    }

    async fn reach(&self, upstream: &Upstream) -> Result<Box<dyn Stream>, Fault> {
        let failed = |fault: Fault| match fault {
            Fault::Refused(refusal) => Fault::Upstream(format!("may not be reached: {refusal}")),
            fault => Fault::Upstream(format!("is away: {fault}")),
        };
        let stream = self.direct(&upstream.target).await.map_err(failed)?;
        if upstream.scheme != Scheme::Https {
            return Ok(Box::new(stream));
        }
        let secured = tls::secure(stream, &upstream.target, self.tls.as_ref()).await;
        secured.map_err(|error| Fault::Upstream(format!("gave no TLS: {error}")))
    }

    /// A tunnel through the upstream proxy.
    async fn through(&self, upstream: &Upstream, target: &Target) -> Result<Box<dyn Stream>, Fault> {
        let mut stream = self.to_upstream(upstream, target).await?;
        if upstream.scheme == Scheme::Socks5 {
            socks::connect(&mut *stream, upstream, target).await?;
            return Ok(stream);
        }
        let lost = |error: hyper::Error| Fault::Upstream(format!("gave no tunnel: {error}"));
        let mut sender: SendRequest<Empty<Bytes>> = self.speak(stream).await.map_err(lost)?;
        let host = authority(target);
        let mut request = Request::connect(&host).header(HOST, &host);
        if let Some(value) = upstream.authorization() {
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        let request = request.body(Empty::new()).map_err(|error| not_reached(target, &error.to_string()))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        match response.status() {
            status if status.is_success() => {
                Ok(Box::new(TokioIo::new(hyper::upgrade::on(response).await.map_err(lost)?)))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(wants_credentials()),
            status => Err(not_reached(target, &format!("the upstream proxy answered {}", status.as_u16()))),
        }
    }

    /// HTTP/1 over a connection. Chromium takes sloppy heads as well.
    async fn speak<B>(&self, stream: Box<dyn Stream>) -> hyper::Result<SendRequest<B>>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder
            .preserve_header_case(true)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        self.tasks.spawn(async move { drop(connection.with_upgrades().await) });
        Ok(sender)
    }
}

/// What an upstream proxy that does not know us is told as; 407 is HTTP's number for it.
pub(super) fn wants_credentials() -> Fault {
    Fault::Upstream("does not accept the user and password that it was given, or wants some (407)".to_owned())
}

/// Host and port as they stand in a request.
pub(super) fn authority(target: &Target) -> String {
    format!("{}:{}", target.host, target.port)
}

pub(super) fn not_reached(target: &Target, reason: &str) -> Fault {
    Fault::NotReached { host: target.name(), port: target.port, reason: reason.to_owned() }
}

/// The first address that answers. They are tried in their order, each a moment after the one before it.
async fn first_of(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let (mut rest, mut tried) = (addresses.iter(), FuturesUnordered::new());
    let mut reason = "it has no address".to_owned();
    loop {
        if tried.is_empty() {
            match rest.next() {
                Some(address) => tried.push(TcpStream::connect(*address)),
                None => return Err(reason),
            }
        }
        tokio::select! {
            Some(answer) = tried.next() => match answer {
                Ok(stream) => {
                    // Requests are written whole; to wait for more only makes them late.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => reason = error.to_string(),
            },
            () = tokio::time::sleep(HEAD_START), if rest.len() > 0 => {
                tried.extend(rest.next().map(|address| TcpStream::connect(*address)));
            }
        }
    }
}
