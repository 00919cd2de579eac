//! A pool: the browser that the workspaces of one tenant share, each session in a context of its own. It is started when somebody
//! needs it, replaced when it has grown old, large, or has died, and ended when nobody has used it for a while.
//!
//! A browser that is replaced takes no new workspace and ends with the last of those that it has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::base::{Deadline, SessionId, reached};
use crate::browser::BrowserError;

use super::chores::Chores;
use super::running::Running;
use super::warm::Keeping;
use super::warm_page::Ahead;
use super::{Session, SessionOutcome, Sessions, Ways, Workspace, WorkspaceConfig};

/// How long a browser that nobody uses any more may take to end in order; then it is killed.
const END: Duration = Duration::from_secs(5);
/// How often a pool is looked after, at least and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A browser that is used all the time is never idle: this many times the memory that an idle one may have is too much for it.
const BUSY: u64 = 2;

/// What the workspaces of a pool have in common, and when its browser is replaced.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Whose sessions, how the browser is started, how long sessions are kept. Store, key and times of leases are those of the
    /// [`Sessions`] that the pool is made with.
    pub workspace: WorkspaceConfig,
    /// How old a browser gets.
    pub max_age: Duration,
    /// How many contexts are opened in a browser before it is replaced.
    pub max_contexts: usize,
    /// How much memory the processes of a browser may have, in bytes, when it is idle: what each has for itself and, once, what they
    /// share. One that is never idle may have twice that. Not watched where the system does not tell.
    pub max_memory: u64,
    /// How many sessions stay warm.
    pub warm: usize,
    /// A browser that nobody has used for so long is ended; a session that stayed warm so long is closed.
    pub idle: Duration,
}

/// What a pool has now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Browsers that run or are starting: one, and those that are being replaced.
    pub browsers: usize,
    /// Contexts that are open in them.
    pub contexts: usize,
    /// Sessions that are warm.
    pub warm: usize,
    /// How often a browser took the place of another, whatever the reason.
    pub restarts: usize,
    /// The main processes of the browsers.
    pub pids: Vec<u32>,
}

/// A browser for the workspaces of one tenant. Cheap to clone; when the last clone and the last workspace go without [`Self::close`]
/// its browsers are killed.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    config: PoolConfig,
    sessions: Sessions,
    ways: Ways,
    state: Mutex<State>,
    /// Browsers on their way to their end.
    ending: Chores,
}

#[derive(Default)]
struct State {
    hosts: Vec<Host>,
    /// Sessions that are warm, in the browser that takes new workspaces; the one that was used last is the last.
    warm: Vec<(SessionId, Keeping)>,
    restarts: usize,
    /// Set by [`Pool::close`]: no browser is started any more.
    is_closed: bool,
    /// Looks after it; ends with it.
    keeper: JoinSet<()>,
}

/// A browser of the pool.
struct Host {
    running: Arc<Running>,
    begun: Instant,
    /// When the last workspace ended that had it.
    used: Instant,
    /// Workspaces that have it.
    users: usize,
    /// Takes no new ones.
    is_retired: bool,
}

impl Host {
    /// Why it is to be replaced; none where it is as good as a new one.
    fn unfit(&self, config: &PoolConfig) -> Option<&'static str> {
        let ready = self.running.now()?;
        let opened = ready.as_ref().map_or(0, |ready| ready.gate.opened());
        if self.running.is_over() {
            Some("it has gone")
        } else if self.begun.elapsed() >= config.max_age {
            Some("it is old")
        } else if opened >= config.max_contexts {
            Some("it has had many contexts")
        } else {
            None
        }
    }
}

/// A browser that a workspace has of a pool, until it goes.
pub(super) struct Loan {
    pool: Pool,
    running: Arc<Running>,
}

impl Loan {
    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.pool.take_back(&self.running);
    }
}

impl Pool {
    /// Nothing is started. States that cannot be saved go to the outbox of `config`, unless `sessions` have one already.
    pub fn new(config: PoolConfig, sessions: Sessions) -> Self {
        Self::going_out(config, sessions, Ways::free())
    }

    /// The same; sessions that do not go out as its browsers do take one of `ways`.
    pub fn going_out(config: PoolConfig, sessions: Sessions, ways: Ways) -> Self {
        config.workspace.outbox.iter().for_each(|folder| sessions.use_outbox(folder.clone()));
        Self(Arc::new(Inner { config, sessions, ways, state: Mutex::default(), ending: Chores::default() }))
    }

    /// A workspace whose browser is the pool's; `holder` is who others are told holds its sessions. Nothing is started yet.
    /// [`Workspace::finish`] saves, gives leases back and closes its contexts, and so does not end the browser.
    pub fn workspace(&self, holder: String) -> Workspace {
        let config = WorkspaceConfig { holder, ..self.0.config.workspace.clone() };
        Workspace::in_pool(config, self.0.sessions.clone(), self.clone(), self.0.ways.clone())
    }

    /// Begins to start the browser, and to set up in it what the first session moves into, where there is none. Does not wait. On a
    /// runtime.
    pub fn warm_up(&self) {
        // Given back at once, it is set up for the next.
        drop(self.lend());
    }

    /// Ends every browser, also of workspaces that are still in use: nothing is left, and none is started any more.
    pub async fn close(&self, deadline: Deadline) {
        let hosts = {
            let mut state = self.state();
            state.is_closed = true;
            state.keeper.abort_all();
            state.warm.clear();
            std::mem::take(&mut state.hosts)
        };
        join_all(hosts.iter().map(|host| host.running.close(deadline))).await;
        self.0.ending.done().await;
    }

    /// What it has now.
    pub fn stats(&self) -> PoolStats {
        let state = self.state();
        let ready = state.hosts.iter().filter_map(|host| host.running.now()?.as_ref().ok());
        let living: Vec<_> = ready.filter(|ready| !ready.browser.is_gone()).collect();
        PoolStats {
            browsers: state.hosts.iter().filter(|host| !host.running.is_over()).count(),
            contexts: living.iter().map(|ready| ready.browser.contexts()).sum(),
            warm: state.warm.len(),
            restarts: state.restarts,
            pids: living.iter().filter_map(|ready| ready.browser.pid()).collect(),
        }
    }

    /// Closes what stayed warm of a session; nothing of it is in a browser then unless a workspace has it open. For who has deleted
    /// it: nobody would open it again.
    pub fn forget(&self, id: &SessionId) {
        self.state().warm.retain(|(warm, _)| warm != id);
    }

    /// Whether sessions stay warm at all.
    pub(super) fn keeps_warm(&self) -> bool {
        self.0.config.warm > 0
    }

    /// Keeps the context of a session that was just saved, where it may be; the one that was not used for longest goes for it.
    pub(super) fn keep_warm(&self, session: &Session, outcome: &SessionOutcome, running: &Arc<Running>, ahead: Ahead) {
        let Some(id) = session.id() else { return };
        let stays = self.state().hosts.iter().any(|host| !host.is_retired && Arc::ptr_eq(&host.running, running));
        if let Some(kept) = stays.then(|| Keeping::begin(session, outcome, running, ahead)).flatten() {
            self.put_warm(id, kept);
        }
    }

    pub(super) fn put_warm(&self, id: &SessionId, kept: Keeping) {
        let mut state = self.state();
        let stays = state.hosts.iter().any(|host| !host.is_retired && Arc::ptr_eq(&host.running, &kept.running));
        state.warm.retain(|(warm, _)| warm != id);
        if stays {
            state.warm.push((id.clone(), kept));
        }
        let surplus = state.warm.len().saturating_sub(self.0.config.warm);
        state.warm.drain(..surplus);
    }

    /// Takes what stayed warm of a session, where it is in this browser.
    pub(super) fn take_warm(&self, id: &SessionId, running: &Arc<Running>) -> Option<Keeping> {
        let mut state = self.state();
        let at = state.warm.iter().position(|(warm, _)| warm == id)?;
        let (_, kept) = state.warm.remove(at);
        Arc::ptr_eq(&kept.running, running).then_some(kept)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A browser for a workspace, starting or started.
    pub(super) fn lend(&self) -> Loan {
        let mut state = self.state();
        let running = if state.is_closed {
            Running::refused(BrowserError::Gone("the pool was closed".to_owned()))
        } else {
            self.begin_to_look(&mut state);
            self.retire_unfit(&mut state);
            let fit = state.hosts.iter().position(|host| !host.is_retired);
            let at = fit.unwrap_or_else(|| {
                let (running, now) = (Running::begin(self.0.config.workspace.launch.clone()), Instant::now());
                state.hosts.push(Host { running, begun: now, used: now, users: 0, is_retired: false });
                state.hosts.len() - 1
            });
            state.hosts[at].users += 1;
            state.hosts[at].running.clone()
        };
        Loan { pool: self.clone(), running }
    }

    fn take_back(&self, running: &Arc<Running>) {
        // At the very end of the program there is nobody to end or to begin anything.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let mut state = self.state();
        if let Some(host) = state.hosts.iter_mut().find(|host| Arc::ptr_eq(&host.running, running)) {
            host.users -= 1;
            host.used = Instant::now();
        }
        self.retire_unfit(&mut state);
        let stays = state.hosts.iter().any(|host| !host.is_retired && Arc::ptr_eq(&host.running, running));
        drop(state);
        if stays {
            running.keep_spare(None);
        }
    }

    /// Takes no new workspaces in browsers that are to be replaced, and ends those that have none.
    fn retire_unfit(&self, state: &mut State) {
        for host in state.hosts.iter_mut().filter(|host| !host.is_retired) {
            if let Some(why) = host.unfit(&self.0.config) {
                tracing::debug!(why, "a browser is replaced");
                host.is_retired = true;
                state.restarts += 1;
            }
        }
        self.end_unused(state);
    }

    /// Ends browsers that take no new workspaces and have none.
    fn end_unused(&self, state: &mut State) {
        let State { hosts, warm, .. } = &mut *state;
        let stays =
            |running: &Arc<Running>| hosts.iter().any(|host| !host.is_retired && Arc::ptr_eq(&host.running, running));
        warm.retain(|(_, kept)| stays(&kept.running));
        for host in state.hosts.extract_if(.., |host| host.is_retired && host.users == 0) {
            self.0.ending.add(async move {
                host.running.close(Deadline::after(END)).await;
                reached("pool.browser_ended");
            });
        }
    }

    /// Looks after the pool from now on.
    fn begin_to_look(&self, state: &mut State) {
        if !state.keeper.is_empty() {
            return;
        }
        self.0.sessions.keep_house();
        let config = &self.0.config;
        let often = config.idle.min(config.max_age).div_f32(4.0).clamp(LOOK.0, LOOK.1);
        // Weak: a pool that nobody has goes, and this with it.
        let pool = Arc::downgrade(&self.0);
        state.keeper.spawn(async move {
            loop {
                tokio::time::sleep(often).await;
                let Some(pool) = Weak::upgrade(&pool).map(Pool) else { return };
                pool.look().await;
            }
        });
    }

    async fn look(&self) {
        let large = self.too_large().await;
        let mut state = self.state();
        self.retire_unfit(&mut state);
        let (idle, restarts) = (self.0.config.idle, &mut 0);
        for host in state.hosts.iter_mut().filter(|host| !host.is_retired) {
            if host.running.now().is_none() {
                // What takes long to start has not been there for that time.
                (host.begun, host.used) = (Instant::now(), Instant::now());
            } else if large.iter().any(|running| Arc::ptr_eq(running, &host.running)) {
                tracing::debug!("a browser that has grown large is replaced");
                (host.is_retired, *restarts) = (true, *restarts + 1);
            } else if host.users == 0 && host.used.elapsed() >= idle {
                host.is_retired = true;
            }
        }
        state.restarts += *restarts;
        state.warm.retain(|(_, kept)| kept.since.elapsed() < idle);
        self.end_unused(&mut state);
    }

    /// Browsers that have more memory than they may.
    async fn too_large(&self) -> Vec<Arc<Running>> {
        let max = self.0.config.max_memory;
        let hosts: Vec<_> = {
            let state = self.state();
            let hosts = state.hosts.iter().filter(|host| !host.is_retired);
            hosts
                .map(|host| (host.running.clone(), if host.users == 0 { max } else { max.saturating_mul(BUSY) }))
                .collect()
        };
        let measure = move || {
            let large = |(running, most): &(Arc<Running>, u64)| {
                let ready = running.now().and_then(|ready| ready.as_ref().ok());
                ready.and_then(|ready| ready.browser.memory()).is_some_and(|memory| memory > *most)
            };
            hosts.into_iter().filter(large).map(|(running, _)| running).collect()
        };
        tokio::task::spawn_blocking(measure).await.unwrap_or_default()
    }
}
