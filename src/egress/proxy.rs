//! The proxy itself: its port on loopback, its clients, its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::dial::Dialer;
use super::log::{Log, Way};
use super::policy::{KeptOff, Target};
use super::requests::Visitor;
use super::{EgressError, Fault, Policy, Refusal, Resolve, SystemResolver, Upstream};

/// Limits of heads, of requests and of answers: those of Chromium.
pub(super) const MAX_HEAD_BYTES: usize = 256 * 1024;
pub(super) const MAX_HEADERS: usize = 512;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How many clients are served at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;

/// After a failure to accept (no descriptors left, say).
const BREATH: Duration = Duration::from_millis(50);

/// How to start a proxy.
#[derive(Clone)]
pub struct ProxyOptions {
    /// What may be reached.
    pub policy: Policy,
    /// Who is asked for addresses.
    pub resolver: Arc<dyn Resolve>,
    /// The proxy to go through; straight out where none.
    pub upstream: Option<Upstream>,
    /// How an upstream proxy that is reached by TLS proves who it is; none: as the system trusts.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long a connection may take, name resolution included; 10 s by default.
    pub connect_timeout: Duration,
    /// How many connections of clients there may be at a time, tunnels included; 1024 by default. More wait.
    pub connections: usize,
}

impl ProxyOptions {
    /// Straight out under `policy`, with the system's resolver and the default limits.
    pub fn new(policy: Policy) -> Self {
        let resolver = Arc::new(SystemResolver::default());
        Self { policy, resolver, upstream: None, tls: None, connect_timeout: CONNECT, connections: CONNECTIONS }
    }
}

impl std::fmt::Debug for ProxyOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyOptions")
            .field("policy", &self.policy)
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

/// A forward proxy on a port of loopback that a policy holds for. It ends when its last clone goes, and all connections
/// through it with it. Any process of this machine may use its port; it reaches no more than the policy lets it.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    policy: Policy,
    log: Arc<Log>,
    tasks: Tasks,
    _end: DropGuard,
    _kept_off: KeptOff,
}

/// The tasks of one proxy; they end with it.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let _ = stop.run_until_cancelled(work).await;
        });
    }
}

impl Proxy {
    /// Begins to listen, on the current tokio runtime. Fails with `proxy_unavailable` where there is no port.
    pub fn start(options: ProxyOptions) -> Result<Self, EgressError> {
        let (listener, address) = listen().map_err(|error| EgressError::Start(error.to_string()))?;
        let ProxyOptions { policy, resolver, upstream, tls, connect_timeout, connections } = options;
        let resolver = resolver.for_proxy().unwrap_or(resolver);
        let (tasks, log) = (Tasks::default(), Arc::<Log>::default());
        let (kept_off, end) = (policy.keep_off(address), tasks.stop.clone().drop_guard());
        let dialer =
            Dialer { policy: policy.clone(), resolver, upstream, tls, within: connect_timeout, tasks: tasks.clone() };
        tasks.spawn(accept(listener, Arc::new(dialer), log.clone(), Arc::new(Semaphore::new(connections))));
        let inner = Inner { address, policy, log, tasks, _end: end, _kept_off: kept_off };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// What may be reached through it.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// What was refused since `at`, the latest last; of each host and port the last refusal only, at most 256.
    pub fn refusals_since(&self, at: Instant) -> Vec<Refusal> {
        self.inner.log.since(at, |_, _, fault| match fault {
            Fault::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        })
    }

    /// Why `host` (as it stands in a URL) was last not connected, since `at`.
    pub fn fault_of(&self, host: &str, at: Instant) -> Option<Fault> {
        let wanted = Target::new(host, 1)?.name();
        self.inner.log.since(at, |host, _, fault| (host == wanted).then(|| fault.clone())).pop()
    }

    /// Why a navigation to `url`, begun after `since`, has failed, as far as that is known here: what became of its host; else the
    /// only refusal since, as the address may have led on to another. Where there are more it could be that of another page.
    /// `net_error` is what Chromium says: it tells whether a tunnel failed or a plain request, and what failed otherwise was not this.
    pub fn why_failed(&self, url: &str, net_error: &str, since: Instant) -> Option<Fault> {
        let fits = |way: Way| match net_error {
            "net::ERR_TUNNEL_CONNECTION_FAILED" => way == Way::Tunnel,
            "net::ERR_EMPTY_RESPONSE" => way == Way::Plain,
            _ => true,
        };
        let host = url::Url::parse(url).ok().and_then(|url| Some(url.host_str()?.to_owned()));
        let wanted = host.and_then(|host| Some(Target::new(&host, 1)?.name()));
        let own = self
            .inner
            .log
            .since(since, |host, way, fault| (fits(way) && wanted.as_deref() == Some(host)).then(|| fault.clone()));
        own.into_iter().next_back().or_else(|| {
            let mut refused = self.inner.log.since(since, |_, way, fault| match fault {
                Fault::Refused(refusal) if fits(way) => Some(refusal.clone()),
                _ => None,
            });
            let last = refused.pop()?;
            refused.is_empty().then_some(Fault::Refused(last))
        })
    }

    /// Ends it and waits until its last connection is closed.
    pub async fn close(&self) {
        self.inner.tasks.stop.cancel();
        self.inner.tasks.tracker.close();
        self.inner.tasks.tracker.wait().await;
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({})", self.address())
    }
}

fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

async fn accept(listener: TcpListener, dialer: Arc<Dialer>, log: Arc<Log>, places: Arc<Semaphore>) {
    while let Ok(place) = places.clone().acquire_owned().await {
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        };
        let visitor = Arc::new(Visitor::new(dialer.clone(), log.clone(), place));
        dialer.tasks.spawn(serve(stream, visitor));
    }
}

/// Serves a client until it goes. One that goes in the middle of a request takes that along: nobody waits for its answer.
async fn serve(stream: TcpStream, visitor: Arc<Visitor>) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        // What the server says, or nothing.
        .auto_date_header(false);
    let service = service_fn(move |request| {
        let visitor = visitor.clone();
        async move { Box::pin(visitor.answer(request)).await }
    });
    drop(builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await);
}
