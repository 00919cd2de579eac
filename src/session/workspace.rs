//! One run's sessions: the browser that they share, those opened so far, the current one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, OnceCell};

use crate::base::{Deadline, SessionId, Tenant};
use crate::browser::{BrowserError, LaunchOptions, Launching};

use super::lease::{Holder, Lease};
use super::live::Opening;
use super::restorer::Gate;
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
pub struct Workspace(Arc<Inner>);

struct Inner {
    config: WorkspaceConfig,
    launching: OnceCell<Launching>,
    gate: OnceCell<Arc<Gate>>,
    sessions: OnceCell<Sessions>,
    /// Held while a session is being opened, so that two verbs cannot open one twice.
    open: tokio::sync::Mutex<Open>,
    /// Ids of sessions whose lease was lost.
    lost: tokio::sync::watch::Sender<Option<SessionId>>,
    notices: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Open {
    named: Vec<(SessionId, Session)>,
    throw_away: Option<Session>,
    current: Option<Session>,
}

impl Workspace {
    /// Nothing happens yet.
    pub fn new(config: WorkspaceConfig) -> Self {
        let (launching, gate, sessions) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let (open, lost, notices) =
            (tokio::sync::Mutex::default(), tokio::sync::watch::Sender::new(None), Mutex::default());
        Self(Arc::new(Inner { config, launching, gate, sessions, open, lost, notices }))
    }

    /// Begins to start the browser, without waiting, so that it is ready when the first verb comes.
    pub async fn warm_up(&self) {
        self.launching().await;
    }

    async fn launching(&self) -> &Launching {
        self.0.launching.get_or_init(|| async { Launching::begin(self.0.config.launch.clone()) }).await
    }

    async fn gate(&self) -> Result<(crate::browser::Browser, &Arc<Gate>), BrowserError> {
        let browser = self.launching().await.browser().await?;
        let gate = self.0.gate.get_or_init(|| async {
            self.notices().extend(browser.notices());
            Gate::new(browser.clone())
        });
        Ok((browser.clone(), gate.await))
    }

    fn notices(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sessions(&self) -> Result<&Sessions, SessionError> {
        let config = &self.0.config;
        self.0.sessions.get_or_try_init(|| Sessions::open(config.store.clone(), config.key.clone())).await
    }

    /// Opens a session and makes it current; the same one if the run has it already.
    pub async fn session(&self, id: &SessionId, options: &SessionOptions) -> Result<Session, SessionError> {
        let mut open = self.0.open.lock().await;
        if let Some((_, session)) = open.named.iter().find(|(open, _)| open == id) {
            let session = session.clone();
            open.current = Some(session.clone());
            return Ok(session);
        }
        // The lease comes from the store while the browser is still starting.
        let (opening, gate) = tokio::join!(self.lease(id, options), self.gate());
        let opening = opening?;
        if let Some(at) = opening.granted.expired_at {
            self.notices().push(format!("session {id:?} had run out at {at}: it starts empty", id = id.as_str()));
        }
        self.watch(&opening);
        let lease = opening.lease.clone();
        let started = async {
            let (browser, gate) = gate?;
            Session::start(&browser, gate, opening).await
        };
        let session = match started.await {
            Ok(session) => session,
            Err(error) => {
                // Held any longer, it would keep everybody out of a session that nobody has open.
                lease.release().await;
                return Err(error);
            }
        };
        open.named.push((id.clone(), session.clone()));
        open.current = Some(session.clone());
        Ok(session)
    }

    async fn lease(&self, id: &SessionId, options: &SessionOptions) -> Result<Opening, SessionError> {
        let config = &self.0.config;
        let sessions = self.sessions().await?.clone();
        let tenant = config.tenant.clone();
        let holder = Holder::new(&config.holder);
        let wait = options.wait.map(Deadline::after);
        let (lease, granted) = Lease::acquire(&sessions, &tenant, id, &holder, wait).await?;
        let ttl = options.ttl.unwrap_or(config.ttl);
        Ok(Opening { id: id.clone(), tenant, sessions, lease: Arc::new(lease), granted, ttl })
    }

    /// Tells [`Self::lease_lost`] when this lease is lost.
    fn watch(&self, opening: &Opening) {
        let (lost, id, tell) = (opening.lease.lost().clone(), opening.id.clone(), self.0.lost.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = lost.cancelled() => drop(tell.send_replace(Some(id))),
                // The run has ended.
                () = tell.closed() => {}
            }
        });
    }

    /// The current session; a throw-away one where none was opened.
    pub async fn current(&self) -> Result<Session, SessionError> {
        let mut open = self.0.open.lock().await;
        if let Some(session) = &open.current {
            return Ok(session.clone());
        }
        let (browser, gate) = self.gate().await?;
        let session = Session::throw_away(&browser, gate).await?;
        open.throw_away = Some(session.clone());
        open.current = Some(session.clone());
        Ok(session)
    }

    /// The lease of a session was lost: resolves with the session's id. Pends for ever otherwise.
    pub async fn lease_lost(&self) -> SessionId {
        let mut lost = self.0.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|id| id.clone()) {
            Ok(Some(id)) => id,
            _ => std::future::pending().await,
        }
    }

    /// The pid of the browser's main process; none where it is not ours or not started.
    pub async fn browser_pid(&self) -> Option<u32> {
        self.0.launching.get()?.browser().await.ok()?.pid()
    }

    /// Things that the user should be told (sandbox off because root, dialogs dismissed, expired session started empty).
    pub fn take_notices(&self) -> Vec<String> {
        let mut notices = std::mem::take(&mut *self.notices());
        if let Ok(open) = self.0.open.try_lock() {
            let sessions = open.named.iter().map(|(_, session)| session).chain(&open.throw_away);
            notices.extend(sessions.flat_map(Session::take_notices));
        }
        notices
    }

    /// Saves every named session, gives the leases back, closes the browser. Called once, whatever the script's end was.
    ///
    /// The browser is ended as soon as the states are read, while they are being written: nothing of it is needed then.
    pub async fn finish(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let open = std::mem::take(&mut *self.0.open.lock().await);
        // Some of the time is kept for writing and for ending the browser.
        let reading = Deadline::after(deadline.remaining().mul_f32(0.7));
        let unread = AtomicUsize::new(open.named.len());
        let all_read = Notify::new();
        let read = || {
            if unread.fetch_sub(1, Ordering::AcqRel) == 1 {
                all_read.notify_one();
            }
        };
        let write = join_all(open.named.iter().map(|(_, session)| session.save_last(reading, read)));
        let close = async {
            if !open.named.is_empty() {
                all_read.notified().await;
            }
            if let Some(launching) = self.0.launching.get() {
                launching.close(deadline).await;
            }
        };
        let (outcomes, ()) = tokio::join!(write, close);
        if let Some(sessions) = self.0.sessions.get() {
            sessions.purge().await;
        }
        outcomes.into_iter().flatten().collect()
    }
}
