//! The browsers of the tenants: each has its own, started when it is first needed and ended when it was idle for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::base::{Deadline, SessionId, Tenant};
use crate::browser::LaunchOptions;
use crate::egress::{ProxyOptions, in_common};
use crate::session::{Pool, PoolConfig, PoolStats, Sessions, Ways, Workspace, WorkspaceConfig};

use super::ServeConfig;
use super::error::ApiError;
use super::outgoing::Outgoing;

/// How old a browser gets before another takes its place.
const MAX_AGE: Duration = Duration::from_hours(6);
/// How many contexts are opened in one.
const MAX_CONTEXTS: usize = 2000;
/// How much memory the processes of one may have.
const MAX_MEMORY: u64 = 2 << 30;
/// How many sessions of a tenant stay warm.
const WARM: usize = 8;
/// How long nobody has to use a browser for it to be ended.
const IDLE: Duration = Duration::from_mins(5);

/// The browsers of the tenants.
pub(super) struct Pools {
    workspace: WorkspaceConfig,
    egress: ProxyOptions,
    proxy_all: bool,
    sessions: Sessions,
    places: Mutex<BTreeMap<Tenant, Place>>,
}

/// What a tenant has of its own.
#[derive(Clone)]
struct Place {
    pool: Pool,
    outgoing: Outgoing,
    ways: Ways,
}

/// What all tenants have together.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) browsers: usize,
    pub(super) contexts: usize,
    pub(super) warm: usize,
    pub(super) restarts: usize,
}

impl Pools {
    pub(super) fn new(config: &ServeConfig, sessions: Sessions) -> Self {
        let (workspace, egress) = (config.workspace.clone(), config.egress.clone());
        Self { workspace, egress, proxy_all: config.proxy_all, sessions, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Tenant, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `tenant` has. Starts no browser; without a way out there is none.
    fn of(&self, tenant: &Tenant) -> Result<Place, ApiError> {
        let mut places = self.places();
        if let Some(place) = places.get(tenant) {
            return Ok(place.clone());
        }
        // One for all that the tenant sends out, whichever way.
        let resolver = in_common(&self.egress.resolver);
        let straight = ProxyOptions { upstream: None, resolver, ..self.egress.clone() };
        let usual = self.egress.upstream.clone().filter(|_| self.proxy_all);
        let outgoing = Outgoing::start(&ProxyOptions { upstream: usual, ..straight.clone() });
        let outgoing = outgoing.map_err(|error| ApiError::new(error.code(), error.to_string()))?;
        let launch = LaunchOptions { egress: Some(outgoing.egress()), ..self.workspace.launch.clone() };
        let config = PoolConfig {
            workspace: WorkspaceConfig { tenant: tenant.clone(), launch, ..self.workspace.clone() },
            max_age: MAX_AGE,
            max_contexts: MAX_CONTEXTS,
            max_memory: MAX_MEMORY,
            warm: WARM,
            idle: IDLE,
        };
        let ways = Ways::new(straight);
        let pool = Pool::going_out(config, self.sessions.clone(), ways.clone());
        let place = Place { pool, outgoing, ways };
        places.insert(tenant.clone(), place.clone());
        Ok(place)
    }

    /// The way out of `tenant`.
    pub(super) fn outgoing(&self, tenant: &Tenant) -> Result<Outgoing, ApiError> {
        Ok(self.of(tenant)?.outgoing)
    }

    /// The other ways out that it may take, through proxies that it names.
    pub(super) fn ways(&self, tenant: &Tenant) -> Result<Ways, ApiError> {
        Ok(self.of(tenant)?.ways)
    }

    /// A workspace of `tenant`; `id` is that of the request or job, which others are told holds its sessions. Starts nothing yet.
    pub(super) fn workspace(&self, tenant: &Tenant, id: &str) -> Result<Workspace, ApiError> {
        Ok(self.of(tenant)?.pool.workspace(format!("{} ({id})", self.workspace.holder)))
    }

    /// Closes what stayed warm of a session that was deleted.
    pub(super) fn forget(&self, tenant: &Tenant, id: &SessionId) {
        if let Some(place) = self.places().get(tenant) {
            place.pool.forget(id);
        }
    }

    /// Ends all browsers, within that time; none is started any more.
    pub(super) async fn close(&self, within: Duration) {
        let pools: Vec<Pool> = self.places().values().map(|place| place.pool.clone()).collect();
        join_all(pools.iter().map(|pool| pool.close(Deadline::after(within)))).await;
    }

    /// What there is now.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for PoolStats { browsers, contexts, warm, restarts, .. } in
            self.places().values().map(|place| place.pool.stats())
        {
            totals.browsers += browsers;
            totals.contexts += contexts;
            totals.warm += warm;
            totals.restarts += restarts;
        }
        totals
    }
}
