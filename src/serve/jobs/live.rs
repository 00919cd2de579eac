//! The jobs that this server has in its hands: those that wait here, go on here, or have just ended here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::base::{ProcessId, Tenant};

use super::super::access::Caller;
use super::super::app::App;
use super::super::request_id::named;
use super::super::task::Work;
use super::execution::{Execution, Order, Stage};
use super::journal::Journal;
use super::keeper;
use super::record::Claim;
use super::stop::Stop;

/// How long what happened in a job can be read again after its end, and of how many jobs.
const REMEMBERED: (Duration, usize) = (Duration::from_mins(5), 100);

/// What a server knows of its jobs.
pub(in crate::serve) struct Jobs {
    node: String,
    process: ProcessId,
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// Those that are being made: what is found of them in the store is not to be taken up.
    reserved: Mutex<HashSet<String>>,
}

/// A job in this server's hands.
pub(super) struct Live {
    tenant: Tenant,
    /// How much is kept of what is to be done.
    bytes: usize,
    pub(super) stop: Stop,
    pub(super) journal: Arc<Journal>,
    /// Whether it has begun.
    stage: Arc<tokio::sync::Mutex<Stage>>,
    /// Cancelled when it is not in this server's hands any more.
    pub(super) done: CancellationToken,
    ended: OnceLock<Instant>,
}

impl Live {
    pub(super) fn ended(&self) {
        let _ = self.ended.set(Instant::now());
        self.done.cancel();
    }
}

impl Jobs {
    /// Those of the server by that id.
    pub(in crate::serve) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            process: ProcessId::current(),
            live: Mutex::default(),
            reserved: Mutex::default(),
        }
    }

    /// How this server names itself to others on the same store.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// The claim to a job that begins.
    pub(super) fn claim(&self) -> Claim {
        Claim { node: self.node.clone(), process: self.process.clone(), beat: 0 }
    }

    /// The tenant's job, where it is or was in this server's hands.
    pub(super) fn live(&self, tenant: &Tenant, id: &str) -> Option<Arc<Live>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(id).filter(|live| live.tenant == *tenant).cloned()
    }

    /// Whether a job is in this server's hands now.
    pub(super) fn has(&self, id: &str) -> bool {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).contains(id) || self.has_live(id)
    }

    fn has_live(&self, id: &str) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(id).is_some_and(|live| !live.done.is_cancelled())
    }

    /// Those that wait here.
    pub(super) fn waiting(&self) -> Vec<(Tenant, String)> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        // What is just beginning is settled by that.
        let waits = |live: &Live| live.stage.try_lock().is_ok_and(|stage| !matches!(&*stage, Stage::Begun));
        let waiting = live.iter().filter(|(_, live)| !live.done.is_cancelled() && waits(live));
        waiting.map(|(id, live)| (live.tenant.clone(), id.clone())).collect()
    }

    /// How many of a tenant's jobs are in this server's hands now, and how many bytes their inputs have.
    pub(super) fn held(&self, tenant: &Tenant) -> (usize, usize) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let held = live.values().filter(|live| live.tenant == *tenant && !live.done.is_cancelled());
        held.fold((0, 0), |(jobs, bytes), live| (jobs + 1, bytes + live.bytes))
    }

    /// How many jobs in this server's hands wait, and how many go on.
    pub(in crate::serve) fn counts(&self) -> (usize, usize) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = (0, 0);
        for live in live.values().filter(|live| !live.done.is_cancelled()) {
            // Just beginning it waits still.
            let has_begun = live.stage.try_lock().is_ok_and(|stage| matches!(&*stage, Stage::Begun));
            *(if has_begun { &mut counts.1 } else { &mut counts.0 }) += 1;
        }
        counts
    }
}

/// A job that is being made.
pub(super) struct Reserved {
    app: App,
    id: String,
}

impl Reserved {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.app.jobs.reserved.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Takes a job into this server's hands, until the answer is dropped, while it is being made.
pub(super) fn reserve(app: &App, id: &str) -> Reserved {
    app.jobs.reserved.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    Reserved { app: app.clone(), id: id.to_owned() }
}

/// Puts a kept job into the queue of this server. Nothing where it is there already.
pub(super) fn adopt(app: &App, caller: Caller, id: &str, work: Work) {
    // What was allowed when it was asked for is, also where this server was started with other limits.
    let timeout = work.timeout(app).unwrap_or(app.config.max_run_timeout);
    let joined = app.slots.job(caller.tenant(), work.session_id());
    let Ok(waiting) = joined else { return };
    let order = Order { id: id.to_owned(), caller, work, timeout };
    if app.jobs.has_live(id) {
        return;
    }
    let execution = Execution::begin(app, order, waiting, Some(id.to_owned()));
    hand_over(app, id, execution);
}

/// Keeps an execution as the job that it is.
pub(super) fn hand_over(app: &App, id: &str, execution: Execution) {
    let live = Arc::new(Live {
        tenant: execution.order.caller.tenant().clone(),
        bytes: execution.order.work.bytes(),
        stop: execution.stop.clone(),
        journal: execution.journal.clone(),
        stage: execution.stage.clone(),
        done: CancellationToken::new(),
        ended: OnceLock::new(),
    });
    app.jobs.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), live.clone());
    app.executions.spawn(keeper::keep(app.clone(), live, id.to_owned(), execution).instrument(named(id)));
}

/// Forgets jobs that ended a while ago, and the oldest of too many.
pub(super) fn prune(app: &App) {
    let mut live = app.jobs.live.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ended: Vec<(Instant, String)> =
        live.iter().filter_map(|(id, live)| Some((*live.ended.get()?, id.clone()))).collect();
    ended.sort_unstable();
    let too_many = ended.len().saturating_sub(REMEMBERED.1);
    for (at, (ended, id)) in ended.into_iter().enumerate() {
        if at < too_many || ended.elapsed() > REMEMBERED.0 {
            live.remove(&id);
        }
    }
}
