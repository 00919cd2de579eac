//! The server: opens the store, listens, serves, and ends in order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::session::{SessionError, Sessions};

use super::app::{App, url_of};
use super::moved::{Counted, Moved};
use super::observe::Peer;
use super::{ServeConfig, jobs, nodes, router};

/// How long the head of a request may take; what is slower holds a connection for nothing.
const HEAD: Duration = Duration::from_secs(20);
/// The largest head of a request, in bytes: its line and its headers. Larger ones are answered 431.
const MAX_HEAD: usize = 64 << 10;
/// How long what was stopped at the end may take to save.
pub(super) const SAVING: Duration = Duration::from_secs(35);
/// How long clients may take to read their answers.
const READING: Duration = Duration::from_secs(5);
/// How long browsers may take to end after that.
const CLOSING: Duration = Duration::from_secs(5);
/// After how long without a byte the system asks the other side whether it is there, how often, and how many times in vain.
const QUIET: Duration = Duration::from_mins(1);
const PROBE: Duration = Duration::from_secs(20);
const PROBES: u32 = 3;
/// How long accepting waits where the system has no descriptor left.
const BREATH: Duration = Duration::from_millis(100);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it cannot.
        reason: std::io::Error,
    },
    /// The folder of scripts.
    #[error("the scripts in {folder} cannot be read: {reason}")]
    Scripts {
        /// The folder.
        folder: String,
        /// Why not.
        reason: String,
    },
    /// The store or the key.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ServeError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "listen_failed",
            Self::Scripts { .. } => "file_error",
            Self::Session(error) => error.code(),
        }
    }
}

/// A server that listens already.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens the store, reads the scripts and begins to listen; answers nobody before [`Self::run`].
    pub async fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let failed = |address| move |reason| ServeError::Listen { address, reason };
        let listener = TcpListener::bind(config.listen).await.map_err(failed(config.listen))?;
        let address = listener.local_addr().map_err(failed(config.listen))?;
        let sessions = Box::pin(Sessions::open_as(&config.workspace)).await?;
        let app = App::new(config, address, sessions);
        app.library.begin().await.map_err(|(folder, reason)| ServeError::Scripts { folder, reason })?;
        Ok(Self { app, listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL on this machine.
    pub fn url(&self) -> String {
        url_of(self.address)
    }

    /// Its store: for making tokens.
    pub fn sessions(&self) -> &Sessions {
        &self.app.sessions
    }

    /// Serves until `shutdown` is cancelled; then takes nothing new, gives what goes on the time of [`ServeConfig::drain`], stops
    /// what is left of it, saves, and ends the browsers. Dropped, it leaves all of that undone: browsers are killed.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { app, listener, .. } = self;
        let (router, connections) = (router::router(app.clone()), TaskTracker::new());
        let beating = nodes::begin(&app).await;
        jobs::start(&app);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(serve(stream, peer, router.clone(), app.ending.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(BREATH).await;
                    }
                }
            }
        }
        drop(listener);
        end(&app, &connections).await;
        beating.end().await;
    }
}

/// Lets what goes on come to its end.
async fn end(app: &App, connections: &TaskTracker) {
    let began = std::time::Instant::now();
    app.ending.cancel();
    connections.close();
    app.executions.close();
    tracing::info!(executions = app.executions.len(), "ending: nothing new is taken");
    if tokio::time::timeout(app.config.drain, app.executions.wait()).await.is_err() {
        tracing::info!(executions = app.executions.len(), "stopping what has not come to its end");
        app.stopping.cancel();
        if tokio::time::timeout(SAVING, app.executions.wait()).await.is_err() {
            tracing::warn!(executions = app.executions.len(), "not all of it could be saved in time");
        }
    }
    app.stopping.cancel();
    // What is left are answers that are being read. Who reads slowly is not waited for.
    let _ = tokio::time::timeout(READING, connections.wait()).await;
    app.pools.close(CLOSING).await;
    tracing::info!(ms = super::observe::millis(began.elapsed()), "ended");
}

/// Serves one connection until it ends, or the server does and it is between two requests.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, ending: CancellationToken) {
    // Answers are small and whole.
    let _ = stream.set_nodelay(true);
    // A link that breaks without a word is noticed in two minutes. Sockets of programs rest on it (`vm/peer`).
    let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(PROBE).with_retries(PROBES);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let moved = Moved::default();
    let stream = Counted::new(stream, moved.clone());
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(moved.clone());
        let service = TowerToHyperService::new(router.clone());
        async move { hyper::service::Service::call(&service, request.map(Body::new) as Request).await as Answered }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // How a client goes is its own business.
        _ = &mut connection => return,
        () = ending.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// What the router answers: it never fails.
type Answered = Result<axum::response::Response, Infallible>;
