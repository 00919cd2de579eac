//! What all handlers share.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::Tenant;
use crate::egress::{KeptOff, Upstream};
use crate::session::Sessions;

use super::ServeConfig;
use super::artifacts::Artifacts;
use super::error::ApiError;
use super::jobs::{self, Jobs};
use super::library::Library;
use super::metrics::Metrics;
use super::nodes::Nodes;
use super::pools::Pools;
use super::slots::{Slot, Slots};
use super::vm::Vms;

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
    /// Work without a browser that opens whole sessions, with a queue of its own: nobody is to wait behind browsers for it.
    pub(super) heavy: Slots,
    /// Sessions that are sent or taken piece by piece, as fast as the client is: a slow one holds nobody's slot, and
    /// no tenant has so many that there is none for others.
    pub(super) transfers: Slots,
    /// The servers of this store.
    pub(super) nodes: Nodes,
    /// What goes on.
    pub(super) jobs: Jobs,
    /// The browsers of the tenants.
    pub(super) pools: Pools,
    /// Browsers that people watch and steer.
    pub(super) vms: Vms,
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
        let vms = Vms::new(config.max_live);
        let heavy = Slots::new(HEAVY, config.max_queued);
        let transfers = Slots::leaving_room(TRANSFERS, config.max_queued);
        let library = Library::of(config.scripts.clone(), config.max_script);
        let (ending, stopping) = (CancellationToken::new(), CancellationToken::new());
        let (artifacts, metrics, executions) = (Artifacts::new(nodes.id()), Metrics::new(), TaskTracker::new());
        Self(Arc::new(Inner {
            config,
            address,
            _kept_off: kept_off,
            sessions,
            slots,
            heavy,
            transfers,
            nodes,
            jobs,
            artifacts,
            pools,
            vms,
            library,
            metrics,
            ending,
            stopping,
            executions,
        }))
    }

    /// A place for work of `tenant` that opens whole sessions; waits for its turn.
    pub(super) async fn heavy(&self, tenant: &Tenant) -> Result<Slot, ApiError> {
        place(&self.heavy, tenant).await
    }

    /// A place for a session of `tenant` that is sent or taken piece by piece; waits for its turn.
    pub(super) async fn transfer(&self, tenant: &Tenant) -> Result<Slot, ApiError> {
        place(&self.transfers, tenant).await
    }

    /// The proxy that the server was started with, for work that says `use_proxy`; `proxy_unavailable` where there is none.
    pub(super) fn upstream(&self, is_wanted: bool) -> Result<Option<Upstream>, ApiError> {
        let upstream = self.config.egress.upstream.clone().filter(|_| is_wanted);
        if is_wanted && upstream.is_none() {
            return Err(ApiError::new("proxy_unavailable", "this server was started without --proxy"));
        }
        Ok(upstream)
    }

    /// What URLs of this server begin with, without a slash at the end.
    pub(super) fn base_url(&self) -> String {
        self.config.public_url.clone().unwrap_or_else(|| url_of(self.address))
    }
}

/// Tenants take turns as they do for slots; `rate_limited` where the queue is full.
async fn place(places: &Slots, tenant: &Tenant) -> Result<Slot, ApiError> {
    let waiting = places.request(tenant, None).map_err(jobs::refused)?;
    waiting.await.map_err(jobs::refused)
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
