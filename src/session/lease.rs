//! The lease of a session: one writer at a time. Renewed by a heartbeat while it is held; told when it is lost.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Fence, ProcessId, SessionId, Tenant, reached};
use crate::seal::{Context, SealError, Sealed, seal};
use crate::store::{AcquireRequest, Acquired, Granted, OwnerId, RecordName, StoreError};

use super::keys::seal_error;
use super::sessions::{Sessions, busy};
use super::state::{decode, encode};
use super::{LeaseTimes, SessionError};

/// Parts of HEAD that fit this much come along with the lease: an ordinary session opens in one round trip.
const PREFETCH_BYTES: usize = 1 << 20;
/// How often a waiter looks again, at first and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Who holds a lease, for people and for telling whether it is still alive. Sealed in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Holder {
    format: u32,
    what: String,
    process: ProcessId,
    since: String,
}

impl Holder {
    /// This process, doing `what`.
    pub(super) fn new(what: &str) -> Self {
        let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self { format: 1, what: what.to_owned(), process: ProcessId::current(), since }
    }

    /// Reads a holder from a lease.
    pub(super) fn open(
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
        sealed: &Sealed,
    ) -> Result<Self, SessionError> {
        let what = "the lease's holder";
        decode(&sessions.open_tenant(tenant, Context::Holder { tenant, session: id }, sealed, what)?, what)
    }

    /// Whether it can still come back to its lease.
    pub(super) fn is_alive(&self) -> bool {
        self.process.alive()
    }

    fn seal(&self, sessions: &Sessions, tenant: &Tenant, id: &SessionId) -> Result<Sealed, SessionError> {
        let context = Context::Holder { tenant, session: id };
        seal(&sessions.tenant_key(tenant), context, &encode(self)?)
            .map_err(|error| seal_error("the lease's holder", error))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.process.host.split('/').next().unwrap_or_default();
        write!(f, "{} (pid {} on {host}, since {})", self.what, self.process.pid, self.since)
    }
}

fn new_owner() -> Result<OwnerId, SessionError> {
    let mut owner = [0; 16];
    getrandom::fill(&mut owner).map_err(|_| seal_error("the lease", SealError::Random))?;
    Ok(OwnerId(owner))
}

/// A held lease. Dropped without [`Self::release`] it runs out by itself, or is replaced once this process has ended.
pub(super) struct Lease {
    sessions: Sessions,
    name: RecordName,
    owner: OwnerId,
    fence: Fence,
    lost: CancellationToken,
    heartbeat: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease of a session; where another holds it, waits until `wait` or fails with [`SessionError::Busy`]. A store that
    /// is away is waited for as long, and with no `wait` is an error after its own time. A
    /// holder whose process on this host is gone is replaced at once. Waiting ends too when `given_up` is cancelled. To be
    /// awaited to its end: dropped on the way it may leave a lease that nobody gives back.
    pub(super) async fn acquire(
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
        holder: &Holder,
        wait: Option<Deadline>,
        given_up: &CancellationToken,
    ) -> Result<(Self, Granted), SessionError> {
        let name = sessions.name(tenant, id);
        let mut request = AcquireRequest {
            owner: new_owner()?,
            holder: holder.seal(sessions, tenant, id)?,
            lease: sessions.lease_times().lasts,
            replace: None,
            prefetch: PREFETCH_BYTES,
        };
        let (mut pause, mut proven) = (LOOK_AGAIN.0, false);
        loop {
            let held = match Self::ask(sessions, tenant, id, holder, &mut request, &mut proven).await {
                Ok(Acquired::Granted(granted)) => {
                    let lease = Self::hold(sessions, name, request.owner, granted.fence);
                    reached("open.leased");
                    // Of the session as it was before it ran out.
                    sessions.tidy(&granted.orphaned).await;
                    return Ok((lease, granted));
                }
                Ok(Acquired::Held(held)) => held,
                // Who waits for others waits as well for one that keeps the store from being written.
                Err(error @ SessionError::Store(StoreError::Unavailable { .. }))
                    if wait.is_some_and(|wait| !wait.passed()) && !given_up.is_cancelled() =>
                {
                    reached("open.away");
                    let next = wait.map_or(pause, |wait| pause.min(wait.remaining()));
                    if given_up.run_until_cancelled(tokio::time::sleep(next)).await.is_none() {
                        return Err(error);
                    }
                    pause = (pause * 2).min(LOOK_AGAIN.1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let dead = Holder::open(sessions, tenant, id, &held.holder).is_ok_and(|holder| !holder.is_alive());
            if dead && request.replace != Some(held.owner) {
                request.replace = Some(held.owner);
                continue;
            }
            let expires_in = held.expires_in;
            match wait {
                Some(deadline) if !deadline.passed() && !given_up.is_cancelled() => {
                    let next = pause.min(expires_in.max(LOOK_AGAIN.0)).min(deadline.remaining());
                    given_up.run_until_cancelled(tokio::time::sleep(next)).await;
                    pause = (pause * 2).min(LOOK_AGAIN.1);
                }
                _ => {
                    return Err(
                        busy(sessions, tenant, id, Acquired::Held(held)).unwrap_or(SessionError::NotFound(id.clone()))
                    );
                }
            }
        }
    }

    /// Asks for it. Whether the keys are still those of the store is asked along with the first question, not before it: that is one
    /// round trip instead of two, and keys change hardly ever.
    async fn ask(
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
        holder: &Holder,
        request: &mut AcquireRequest,
        proven: &mut bool,
    ) -> Result<Acquired, SessionError> {
        let (name, records) = (sessions.name(tenant, id), sessions.records());
        if *proven {
            return Ok(records.acquire(&name, request).await?);
        }
        let under = sessions.keys().ring().current_id();
        let (keys, acquired) = tokio::join!(sessions.before_sealing(tenant), records.acquire(&name, request));
        let granted = match &acquired {
            Ok(Acquired::Granted(granted)) => Some((request.owner, granted.fence)),
            _ => None,
        };
        if let Err(error) = keys {
            if let Some((owner, fence)) = granted {
                // Ended, not given back: what an earlier run left stays.
                let _ = records.renew(&name, owner, fence, Duration::ZERO).await;
            }
            return Err(error);
        }
        *proven = true;
        if sessions.keys().ring().current_id() == under {
            return Ok(acquired?);
        }
        // The holder is to be read by all others, also when the old key is gone.
        request.holder = holder.seal(sessions, tenant, id)?;
        if let Some((owner, _)) = granted {
            (request.owner, request.replace) = (new_owner()?, Some(owner));
        }
        if let Ok(Acquired::Granted(granted)) = acquired {
            sessions.tidy(&granted.orphaned).await;
        }
        Ok(records.acquire(&name, request).await?)
    }

    fn hold(sessions: &Sessions, name: RecordName, owner: OwnerId, fence: Fence) -> Self {
        let lost = CancellationToken::new();
        let heartbeat = tokio::spawn(beat(sessions.clone(), name, owner, fence, lost.clone()));
        Self { sessions: sessions.clone(), name, owner, fence, lost, heartbeat }
    }

    pub(super) fn owner(&self) -> OwnerId {
        self.owner
    }

    pub(super) fn fence(&self) -> Fence {
        self.fence
    }

    /// Cancelled when the lease was lost.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives it back. Where that fails it runs out by itself.
    pub(super) async fn release(&self) {
        self.heartbeat.abort();
        if let Err(error) = self.sessions.records().release(&self.name, self.owner, self.fence).await {
            tracing::debug!(code = error.code(), "a lease was not given back");
        }
        reached("lease.released");
    }
}

impl Lease {
    /// Ends it now and leaves what the run kept beside HEAD, for whoever opens the session next.
    pub(super) async fn let_run_out(&self) {
        self.heartbeat.abort();
        if let Err(error) = self.sessions.records().renew(&self.name, self.owner, self.fence, Duration::ZERO).await {
            tracing::debug!(code = error.code(), "a lease was not ended");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

/// Renews until the lease is lost. A store that cannot be reached is asked again until the lease must have run out.
async fn beat(sessions: Sessions, name: RecordName, owner: OwnerId, fence: Fence, lost: CancellationToken) {
    let LeaseTimes { lasts, renewed_every } = sessions.lease_times();
    let mut valid_until = Deadline::after(lasts);
    let mut ticks = tokio::time::interval(renewed_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        // Counted from before the question: the store's lease cannot end earlier than this.
        let renewed = Deadline::after(lasts);
        // An answer that comes later than the lease's end is none: somebody else may have it by then.
        match valid_until.race(sessions.records().renew(&name, owner, fence, lasts)).await {
            Some(Ok(())) => valid_until = renewed,
            None | Some(Err(StoreError::LeaseLost | StoreError::NotFound(_))) => break,
            // A store that comes back just before the lease's end is asked in time.
            Some(Err(_)) => ticks.reset_after(renewed_every / 5),
        }
    }
    lost.cancel();
}
