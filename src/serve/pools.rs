//! The browsers of the tenants: each has its own, started when it is first needed and ended when it was idle for a while.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OnceCell;
use url::Url;

use crate::base::{Deadline, Tenant};
use crate::browser::{Egress, LaunchOptions, Missed};
use crate::egress::{EgressError, Fault, KeptOff, Policy, Proxy, ProxyOptions, Upstream, client};
use crate::session::{Pool, PoolConfig, PoolStats, Sessions, Workspace, WorkspaceConfig};

use super::ServeConfig;
use super::error::ApiError;

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

/// The browsers of the tenants, and their ways out.
pub(super) struct Pools {
    workspace: WorkspaceConfig,
    sessions: Sessions,
    policy: Policy,
    upstream: Option<Upstream>,
    /// Nobody reaches this server through itself.
    _kept_off: KeptOff,
    tenants: Mutex<BTreeMap<Tenant, Arc<OnceCell<Own>>>>,
}

/// What a tenant has of its own. Cheap to clone.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) pool: Pool,
    /// The only way out: of its browsers, and of requests without one.
    pub(super) proxy: Proxy,
    /// For requests without a browser, through that.
    pub(super) client: reqwest::Client,
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
    /// For a server that listens at `address`. Fails where the policy or the proxy cannot be.
    pub(super) fn new(config: &ServeConfig, address: SocketAddr, sessions: Sessions) -> Result<Self, EgressError> {
        let policy = Policy::new(&config.egress)?;
        let upstream = config.proxy.as_ref().map(Upstream::parse).transpose()?;
        let kept_off = policy.keep_off(address);
        let (workspace, tenants) = (config.workspace.clone(), Mutex::default());
        Ok(Self { workspace, sessions, policy, upstream, _kept_off: kept_off, tenants })
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeMap<Tenant, Arc<OnceCell<Own>>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have something by now.
    fn all(&self) -> Vec<Own> {
        self.tenants().values().filter_map(|own| own.get().cloned()).collect()
    }

    /// What `tenant` has of its own; made when it is first asked for. Starts no browser.
    pub(super) async fn of(&self, tenant: &Tenant) -> Result<Own, ApiError> {
        let cell = self.tenants().entry(tenant.clone()).or_default().clone();
        cell.get_or_try_init(|| self.make(tenant)).await.cloned()
    }

    async fn make(&self, tenant: &Tenant) -> Result<Own, ApiError> {
        let options = ProxyOptions { upstream: self.upstream.clone(), ..ProxyOptions::new(self.policy.clone()) };
        let failed = |error: EgressError| ApiError::new(error.code(), error.to_string());
        let proxy = Proxy::start(options).map_err(failed)?;
        let launch = LaunchOptions { egress: Some(egress(&proxy)), ..self.workspace.launch.clone() };
        let config = PoolConfig {
            workspace: WorkspaceConfig { tenant: tenant.clone(), launch, ..self.workspace.clone() },
            max_age: MAX_AGE,
            max_contexts: MAX_CONTEXTS,
            max_memory: MAX_MEMORY,
            warm: WARM,
            idle: IDLE,
        };
        let client = client(&proxy).map_err(failed)?;
        Ok(Own { pool: Pool::new(config, self.sessions.clone()), proxy, client })
    }

    /// A workspace of `tenant`; `id` is that of the request or job, which others are told holds its sessions. Starts no browser yet.
    pub(super) async fn workspace(&self, tenant: &Tenant, id: &str) -> Result<Workspace, ApiError> {
        let holder = format!("{} ({id})", self.workspace.holder);
        Ok(self.of(tenant).await?.pool.workspace(holder))
    }

    /// Ends all browsers, within that time; none is started any more.
    pub(super) async fn close(&self, within: Duration) {
        let all = self.all();
        join_all(all.iter().map(|own| own.pool.close(Deadline::after(within)))).await;
        join_all(all.iter().map(|own| own.proxy.close())).await;
    }

    /// What there is now.
    pub(super) fn totals(&self) -> Totals {
        let (mut totals, all) = (Totals::default(), self.all());
        for PoolStats { browsers, contexts, warm, restarts, .. } in all.iter().map(|own| own.pool.stats()) {
            totals.browsers += browsers;
            totals.contexts += contexts;
            totals.warm += warm;
            totals.restarts += restarts;
        }
        totals
    }
}

/// The proxy as a browser's way out, that says why something was not reached.
fn egress(proxy: &Proxy) -> Egress {
    let (address, proxy) = (proxy.address(), proxy.clone());
    Egress::new(address).telling(move |url, since| {
        let fault = proxy.fault_of(Url::parse(url).ok()?.host_str()?, since)?;
        Some(Missed { blocked: matches!(fault, Fault::Refused(_)), reason: fault.to_string() })
    })
}
