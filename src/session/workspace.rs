//! One run's sessions: the browser that they share, those opened so far, the current one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, OnceCell, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Tenant, Version};
use crate::browser::{BrowserError, LaunchOptions};
use crate::page::Page;

use super::lease::{Holder, Lease};
use super::live::Opening;
use super::room::Room;
use super::running::{Ready, Running, Spare};
use super::save::Base;
use super::{KeySource, Session, SessionError, SessionOutcome, Sessions, StoreConfig};

/// A cookie with all its attributes, as CDP's `Network.Cookie` without what the browser derives (`size`, `session`).
pub type Cookie = serde_json::Map<String, serde_json::Value>;

/// What a run's sessions need. Nothing is opened or started before it is used.
#[derive(Debug, Clone)]
pub struct WorkspaceConfig {
    /// Whose sessions.
    pub tenant: Tenant,
    /// Where they are kept.
    pub store: StoreConfig,
    /// Under which key.
    pub key: KeySource,
    /// How to start the browser.
    pub launch: LaunchOptions,
    /// How this run is named to others that find its sessions busy, e.g. `rhaven run orders.rhai`.
    pub holder: String,
    /// How long a session is kept unused; none for ever. 30 days from the command line.
    pub ttl: Option<Duration>,
    /// When what is saved is written.
    pub saving: Saving,
}

/// When a session's saves are written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Saving {
    /// At each save and at the end.
    #[default]
    AsAsked,
    /// At the end only (watch mode): `Session::save` answers what it would have written, and nothing is, so that the state can be
    /// put back with [`Workspace::reset`].
    AtEnd,
}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// Its newest saved version.
    pub version: Option<Version>,
    /// Whether verbs without a session go to it.
    pub is_current: bool,
}

/// Options of `session(id, #{..})`.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// How long it is kept unused: none = as configured, `Some(None)` = for ever.
    pub ttl: Option<Option<Duration>>,
    /// Wait this long for a busy session instead of failing (`mode: "wait"`).
    pub wait: Option<Duration>,
}

/// The sessions of one run. Cheap to clone.
#[derive(Clone)]
pub struct Workspace(pub(super) Arc<Inner>);

pub(super) struct Inner {
    config: WorkspaceConfig,
    sessions: OnceCell<Sessions>,
    /// Held while sessions are being opened or closed, so that two verbs cannot open one twice.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Looked at from everywhere, so never held for long; whoever waits for a change of it is woken.
    pub(super) open: watch::Sender<Open>,
    notices: Mutex<Vec<String>>,
}

/// What there is now.
#[derive(Default)]
pub(super) struct Open {
    pub(super) named: Vec<(SessionId, Session)>,
    pub(super) throw_away: Option<Session>,
    pub(super) current: Option<Session>,
    /// Named sessions that a reset has closed: their leases are held, and they can be opened again.
    pub(super) retained: Vec<Opening>,
    /// The session that the next verb opens if nothing is current then.
    pub(super) reopen: Option<SessionId>,
    pub(super) running: Option<Arc<Running>>,
    /// How to start the next browser, where that is not as configured.
    pub(super) launch: Option<LaunchOptions>,
    /// The end of the run: a browser that goes is no accident any more.
    pub(super) ending: bool,
}

impl Workspace {
    /// Nothing happens yet.
    pub fn new(config: WorkspaceConfig) -> Self {
        let (sessions, turn, notices) = (OnceCell::new(), Arc::default(), Mutex::default());
        Self(Arc::new(Inner { config, sessions, turn, open: watch::Sender::default(), notices }))
    }

    /// Begins to start the browser, without waiting, so that it is ready when the first verb comes.
    #[expect(clippy::unused_async, reason = "starting one needs a runtime, which an async function is sure of")]
    pub async fn warm_up(&self) {
        self.running();
    }

    /// The browser, starting or started.
    pub(super) fn running(&self) -> Arc<Running> {
        if let Some(running) = &self.0.open.borrow().running {
            return running.clone();
        }
        let mut running = None;
        self.0.open.send_modify(|open| {
            let launch = || open.launch.clone().unwrap_or_else(|| self.0.config.launch.clone());
            running = Some(open.running.get_or_insert_with(|| Running::begin(launch())).clone());
        });
        running.unwrap_or_else(|| Running::begin(self.0.config.launch.clone()))
    }

    async fn room(&self, spare: Option<Spare>) -> Result<(Ready, Room), BrowserError> {
        let running = self.running();
        let (ready, room) = running.room(spare).await?;
        self.notices().extend(running.notices(&ready.browser));
        Ok((ready, room))
    }

    fn notices(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sessions(&self) -> Result<&Sessions, SessionError> {
        let config = &self.0.config;
        self.0.sessions.get_or_try_init(|| Sessions::open(config.store.clone(), config.key.clone())).await
    }

    /// Waits until nothing is being opened or closed any more; nothing will be while the answer is held.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.0.turn.clone().lock_owned().await
    }

    /// Opens a session and makes it current; the same one if the run has it already. After [`Self::reset`] it is opened as it
    /// was last saved, without asking the store, unless its lease was lost meanwhile.
    pub async fn session(&self, id: &SessionId, options: &SessionOptions) -> Result<Session, SessionError> {
        self.session_in(self.turn().await, id, options).await
    }

    async fn session_in(
        &self,
        turn: OwnedMutexGuard<()>,
        id: &SessionId,
        options: &SessionOptions,
    ) -> Result<Session, SessionError> {
        let found = self.0.open.borrow().named.iter().find(|(open, _)| open == id).map(|(_, session)| session.clone());
        if let Some(session) = found {
            self.0.open.send_modify(|open| open.current = Some(session.clone()));
            return Ok(session);
        }
        // A task of its own: where the script is stopped on the way a lease that was just taken has to be given back.
        let given_up = CancellationToken::new();
        let _given_up_with_this = given_up.clone().drop_guard();
        let (workspace, id, options) = (self.clone(), id.clone(), options.clone());
        let opened = tokio::spawn(async move {
            let opened = workspace.open(&id, &options, &given_up).await;
            drop(turn);
            opened
        });
        opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    async fn open(
        &self,
        id: &SessionId,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Session, SessionError> {
        let retained = self.retained(id, options);
        let (running, mut spare) = (self.running(), None);
        if let Some(opening) = &retained {
            spare = given_up.run_until_cancelled(running.spare()).await.flatten();
            if let Some(Spare::Session(session)) = spare.take_if(|spare| spare.is_as(opening)) {
                self.opened_now(id, &session);
                return Ok(session);
            }
        }
        let is_new = retained.is_none();
        let opening = async {
            match retained {
                Some(opening) => Ok(opening),
                None => self.acquire(id, options, given_up).await,
            }
        };
        // The lease comes from the store while the browser is still starting.
        let room = async {
            let spare = if spare.is_some() { spare } else { running.spare().await };
            self.room(spare).await
        };
        let (opening, room) = tokio::join!(opening, given_up.run_until_cancelled(room));
        let opening = opening?;
        let lease = opening.lease.clone();
        let start = async {
            let (ready, room) = room.unwrap_or_else(|| Err(BrowserError::Gone("nobody waits for it".into())))?;
            Session::start(room, &ready.gate, opening).await
        };
        let session = match given_up.run_until_cancelled(start).await {
            Some(Ok(session)) => session,
            failed => {
                if is_new {
                    // Held any longer, it would keep everybody out of a session that nobody has open.
                    lease.release().await;
                }
                return failed.unwrap_or_else(|| Err(SessionError::Closed { id: Some(id.clone()) }));
            }
        };
        self.opened_now(id, &session);
        Ok(session)
    }

    fn opened_now(&self, id: &SessionId, session: &Session) {
        self.0.open.send_modify(|open| {
            open.retained.retain(|opening| opening.id != *id);
            open.named.push((id.clone(), session.clone()));
            open.current = Some(session.clone());
            open.reopen = None;
        });
    }

    /// What a reset has kept of a session; none where its lease was lost since.
    fn retained(&self, id: &SessionId, options: &SessionOptions) -> Option<Opening> {
        let open = self.0.open.borrow();
        let opening = open.retained.iter().find(|opening| opening.id == *id)?;
        let ttl = options.ttl.unwrap_or(opening.ttl);
        (!opening.lease.lost().is_cancelled()).then(|| Opening { ttl, ..opening.clone() })
    }

    async fn acquire(
        &self,
        id: &SessionId,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Opening, SessionError> {
        let config = &self.0.config;
        let sessions = self.sessions().await?.clone();
        let tenant = config.tenant.clone();
        let holder = Holder::new(&config.holder);
        let wait = options.wait.map(Deadline::after);
        let (lease, granted) = Lease::acquire(&sessions, &tenant, id, &holder, wait, given_up).await?;
        let expired_at = granted.expired_at.map(|at| at.to_string());
        if let Some(at) = &expired_at {
            self.notices().push(format!("session {id:?} had run out at {at}: it starts empty", id = id.as_str()));
        }
        let head = granted.head.map(|head| sessions.open_head(&tenant, &sessions.name(&tenant, id), &head));
        let stored = match head.transpose() {
            Ok(stored) => stored,
            Err(error) => {
                lease.release().await;
                return Err(error);
            }
        };
        let base = Arc::new(Base::of(stored, granted.parts.into_iter().collect()));
        let (id, lease, ttl) = (id.clone(), Arc::new(lease), options.ttl.unwrap_or(config.ttl));
        Ok(Opening { id, tenant, sessions, lease, ttl, saving: config.saving, expired_at, base })
    }

    /// The current session; a throw-away one where none was opened.
    pub async fn current(&self) -> Result<Session, SessionError> {
        let turn = self.turn().await;
        let (current, reopen) = {
            let open = self.0.open.borrow();
            (open.current.clone(), open.reopen.clone())
        };
        if let Some(session) = current {
            return Ok(session);
        }
        if let Some(id) = reopen {
            return self.session_in(turn, &id, &SessionOptions::default()).await;
        }
        let spare = self.running().spare().await;
        let (_, room) = self.room(spare).await?;
        let session = Session::throw_away(room).await?;
        self.0.open.send_modify(|open| {
            open.throw_away = Some(session.clone());
            open.current = Some(session.clone());
        });
        Ok(session)
    }

    /// The lease of an open session was lost that is none of `except`: resolves with the session's id. Pends for ever otherwise.
    pub async fn lease_lost(&self, except: &BTreeSet<SessionId>) -> SessionId {
        let mut open = self.0.open.subscribe();
        loop {
            let sessions = open.borrow_and_update().named.clone();
            let sessions = sessions.iter().filter(|(id, _)| !except.contains(id));
            let losses = sessions.filter_map(|(id, session)| Some((id, session.lease_lost()?)));
            let mut losses: FuturesUnordered<_> = losses.map(|(id, lost)| lost.cancelled().map(move |()| id)).collect();
            tokio::select! {
                Some(id) = losses.next() => return id.clone(),
                changed = open.changed() => if changed.is_err() { std::future::pending().await },
            }
        }
    }

    /// The pid of the browser's main process; none where it is not ours or not started.
    pub async fn browser_pid(&self) -> Option<u32> {
        let running = self.0.open.borrow().running.clone();
        running?.ready().await.ok()?.browser.pid()
    }

    /// Things that the user should be told (sandbox off because root, dialogs dismissed, expired session started empty).
    pub fn take_notices(&self) -> Vec<String> {
        let mut notices = std::mem::take(&mut *self.notices());
        let open = self.0.open.borrow();
        let sessions = open.named.iter().map(|(_, session)| session).chain(&open.throw_away);
        notices.extend(sessions.flat_map(Session::take_notices));
        notices
    }

    /// The page that the next verb would act on, where there is one already; opens nothing, waits for nothing.
    pub fn open_page(&self) -> Option<Page> {
        self.0.open.borrow().current.as_ref()?.open_page()
    }

    /// The named sessions that are open now, in the order of their opening.
    pub fn opened(&self) -> Vec<OpenSession> {
        let open = self.0.open.borrow();
        let current = open.current.as_ref().and_then(Session::id);
        let opened = |(id, session): &(SessionId, Session)| OpenSession {
            id: id.clone(),
            version: session.version(),
            is_current: current == Some(id),
        };
        open.named.iter().map(opened).collect()
    }

    /// The stored sessions of this tenant; opens the store where it is not open yet.
    pub async fn list(&self) -> Result<super::Listing, SessionError> {
        self.sessions().await?.list(&self.0.config.tenant).await
    }

    /// Saves every named session that is open, side by side; they stay open. What failed stands in its outcome.
    pub async fn save_all(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let named = self.0.open.borrow().named.clone();
        let saved = join_all(named.iter().map(|(_, session)| session.save_or_say(deadline))).await;
        saved.into_iter().flatten().collect()
    }

    /// Saves every named session, gives the leases back, closes the browser. Called once, whatever the script's end was.
    ///
    /// The browser is ended as soon as the states are read, while they are being written: nothing of it is needed then.
    pub async fn finish(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let _turn = self.turn().await;
        let (mut named, mut retained, mut running) = (Vec::new(), Vec::new(), None);
        self.0.open.send_modify(|open| {
            named = std::mem::take(&mut open.named);
            retained = std::mem::take(&mut open.retained);
            (open.throw_away, open.current, open.reopen) = (None, None, None);
            open.ending = true;
            running.clone_from(&open.running);
        });
        // Some of the time is kept for writing and for ending the browser.
        let reading = Deadline::after(deadline.remaining().mul_f32(0.7));
        let unread = AtomicUsize::new(named.len());
        let all_read = Notify::new();
        let read = || {
            if unread.fetch_sub(1, Ordering::AcqRel) == 1 {
                all_read.notify_one();
            }
        };
        let write = join_all(named.iter().map(|(_, session)| session.save_last(reading, read)));
        let give_back = join_all(retained.into_iter().map(Opening::finish));
        let close = async {
            if !named.is_empty() {
                all_read.notified().await;
            }
            if let Some(running) = running {
                running.close(deadline).await;
            }
        };
        let (outcomes, unopened, ()) = tokio::join!(write, give_back, close);
        if let Some(sessions) = self.0.sessions.get() {
            sessions.purge().await;
        }
        outcomes.into_iter().flatten().chain(unopened).collect()
    }
}
