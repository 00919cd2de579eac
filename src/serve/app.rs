//! What all handlers share.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::egress::KeptOff;
use crate::session::Sessions;

use super::ServeConfig;
use super::artifacts::Artifacts;
use super::error::ApiError;
use super::jobs::Jobs;
use super::library::Library;
use super::metrics::Metrics;
use super::nodes::Nodes;
use super::pools::Pools;
use super::slots::Slots;

/// Places of [`App::heavy`] and of [`App::transfer`].
const HEAVY: usize = 2;
const TRANSFERS: usize = 4;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: ServeConfig,
    /// Where it listens.
    address: SocketAddr,
    /// Nobody reaches that through it.
    _kept_off: KeptOff,
    /// The store, opened once.
    pub(super) sessions: Sessions,
    /// Pictures that answers refer to.
    pub(super) artifacts: Artifacts,
    /// How many pieces of work go on at a time, and the queue before them.
    pub(super) slots: Slots,
    /// Work without a browser that opens whole sessions, at a time.
    heavy: Arc<Semaphore>,
    /// Sessions that are sent or taken piece by piece, as fast as the client is, at a time.
    transfers: Arc<Semaphore>,
    /// The servers of this store.
    pub(super) nodes: Nodes,
    /// What goes on.
    pub(super) jobs: Jobs,
    /// The browsers of the tenants.
    pub(super) pools: Pools,
    /// The scripts that requests may name.
    pub(super) library: Library,
    pub(super) metrics: Metrics,
    /// Cancelled when the server is told to end: nothing new is begun.
    pub(super) ending: CancellationToken,
    /// Cancelled when what goes on has had the time for its end: it is stopped, and saved.
    pub(super) stopping: CancellationToken,
    /// Executions: the server ends after the last of them.
    pub(super) executions: TaskTracker,
}

impl App {
    pub(super) fn new(config: ServeConfig, address: SocketAddr, sessions: Sessions) -> Self {
        let kept_off = config.egress.policy.keep_off(address);
        let pools = Pools::new(&config, sessions.clone());
        let nodes = Nodes::new(address, config.advertise.as_deref(), config.egress.policy.clone());
        let (slots, jobs) = (Slots::new(config.max_concurrent, config.max_queued), Jobs::new(nodes.id()));
        let library = Library::of(config.scripts.clone(), config.max_script);
        let (ending, stopping) = (CancellationToken::new(), CancellationToken::new());
        let (artifacts, metrics, executions) = (Artifacts::new(nodes.id()), Metrics::new(), TaskTracker::new());
        Self(Arc::new(Inner {
            config,
            address,
            _kept_off: kept_off,
            sessions,
            slots,
            heavy: Arc::new(Semaphore::new(HEAVY)),
            transfers: Arc::new(Semaphore::new(TRANSFERS)),
            nodes,
            jobs,
            artifacts,
            pools,
            library,
            metrics,
            ending,
            stopping,
            executions,
        }))
    }

    /// A place for work that opens whole sessions; waits for one.
    pub(super) async fn heavy(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        place(&self.heavy).await
    }

    /// A place for a session that is sent or taken piece by piece; waits for one.
    pub(super) async fn transfer(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        place(&self.transfers).await
    }

    /// What URLs of this server begin with, without a slash at the end.
    pub(super) fn base_url(&self) -> String {
        self.config.public_url.clone().unwrap_or_else(|| url_of(self.address))
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    places.clone().acquire_owned().await.map_err(|_| ApiError::internal("there are no places"))
}

/// The URL of a server that listens there. An unspecified address is one to listen on, not one to go to.
pub(super) fn url_of(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    format!("http://{}", SocketAddr::new(host, address.port()))
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
