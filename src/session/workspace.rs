//! One run's sessions: the browser that they share, those opened so far, the current one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{OnceCell, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Secret, SessionId};
use crate::browser::{Browser, BrowserError, LaunchOptions};
use crate::page::Page;

use super::chores::Chores;
use super::kept::Opening;
use super::known::Known;
use super::options::{Mode, OpenSession, SessionOptions, WorkspaceConfig};
use super::pool::{Loan, Pool};
use super::profile::{ProfileTransfer, Transfers};
use super::room::Room;
use super::running::{Ready, Running, Spare};
use super::throw_away::Pose;
use super::way::{Way, Ways};
use super::{Identity, Session, SessionError, SessionOutcome, Sessions, sweep, visit};

/// The sessions of one run. Cheap to clone.
#[derive(Clone)]
pub struct Workspace(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: WorkspaceConfig,
    pub(super) sessions: OnceCell<Sessions>,
    /// Held while sessions are being opened or closed, so that two verbs cannot open one twice.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Looked at from everywhere, so never held for long; whoever waits for a change of it is woken.
    pub(super) open: watch::Sender<Open>,
    notices: Mutex<Vec<String>>,
    /// What browsers have told so far: each tells the same.
    told: Mutex<BTreeSet<String>>,
    pub(super) transfers: Transfers,
    /// What goes on beside the run and ends with it.
    chores: Chores,
    /// Whose browser it has; none where it has one to itself.
    pub(super) pool: Option<Pool>,
    /// What it has of the pool now.
    loan: Mutex<Option<Loan>>,
    /// How sessions go out that do not go as the browser does.
    pub(super) ways: Ways,
    pub(super) known: Known,
    pub(super) pose: Mutex<Pose>,
}

/// What there is now.
#[derive(Default)]
pub(super) struct Open {
    pub(super) named: Vec<(SessionId, Session)>,
    pub(super) throw_away: Option<Session>,
    /// Those that somebody else has open, by what they were asked by.
    pub(super) lent: Vec<(SessionId, Session)>,
    pub(super) current: Option<Session>,
    /// Named sessions that a reset has closed: their leases are held, and they can be opened again.
    pub(super) retained: Vec<Opening>,
    /// The session that the next verb opens if nothing is current then.
    pub(super) reopen: Option<SessionId>,
    /// What was asked of the sessions that a restart has closed, which need not be saved.
    pub(super) asked: Vec<(SessionId, SessionOptions)>,
    pub(super) running: Option<Arc<Running>>,
    /// How to start the next browser, where that is not as configured.
    pub(super) launch: Option<LaunchOptions>,
    /// What was closed or deleted in the middle of the run.
    pub(super) ended: Vec<SessionOutcome>,
    /// What was closed before the end of the run, and the sessions that are saved at it; then what became of all of them.
    pub(super) finishing: (Vec<SessionOutcome>, Vec<Session>),
    /// Whether the browser is somebody else's.
    pub(super) visiting: bool,
    /// The end of the run: a browser that goes is no accident any more.
    pub(super) ending: bool,
}

impl Workspace {
    /// Nothing happens yet.
    pub fn new(config: WorkspaceConfig) -> Self {
        Self::with(config, OnceCell::new(), None, Ways::free())
    }

    /// One with browsers of its own, which go out by one of `ways` where they do not as the configured one; its store may be open.
    pub fn going_out(config: WorkspaceConfig, sessions: Option<Sessions>, ways: Ways) -> Self {
        Self::with(config, OnceCell::new_with(sessions), None, ways)
    }

    /// One whose browser is that of a pool, and whose store is open.
    pub(super) fn in_pool(config: WorkspaceConfig, sessions: Sessions, pool: Pool, ways: Ways) -> Self {
        Self::with(config, OnceCell::new_with(Some(sessions)), Some(pool), ways)
    }

    fn with(config: WorkspaceConfig, sessions: OnceCell<Sessions>, pool: Option<Pool>, ways: Ways) -> Self {
        let (turn, notices, told, loan) = (Arc::default(), Mutex::default(), Mutex::default(), Mutex::default());
        let (open, transfers, chores) = (watch::Sender::default(), Transfers::default(), Chores::default());
        let (known, pose) = (Known::default(), Mutex::default());
        let inner =
            Inner { config, sessions, turn, open, notices, told, transfers, chores, pool, loan, ways, known, pose };
        Self(Arc::new(inner))
    }

    /// Whether its browser is that of others, too.
    pub(super) fn shares_browser(&self) -> bool {
        self.0.pool.is_some()
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
            let (launch, visiting) = (open.launch.clone(), open.visiting);
            let begin = || if visiting { visit::is_over() } else { self.begin(launch) };
            running = Some(open.running.get_or_insert_with(begin).clone());
        });
        running.unwrap_or_else(|| self.begin(None))
    }

    /// A browser: the pool's, unless one is wanted that was started otherwise.
    fn begin(&self, launch: Option<LaunchOptions>) -> Arc<Running> {
        let Some(pool) = self.0.pool.as_ref().filter(|_| launch.is_none()) else {
            return Running::begin(launch.unwrap_or_else(|| self.0.config.launch.clone()));
        };
        let loan = pool.lend();
        let running = loan.running().clone();
        *self.loan() = Some(loan);
        running
    }

    fn loan(&self) -> std::sync::MutexGuard<'_, Option<Loan>> {
        self.0.loan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a browser that it had to itself; one of the pool is given back.
    pub(super) async fn part_with(&self, running: &Running, deadline: Deadline) {
        let loan = self.loan().take();
        match loan {
            Some(loan) => drop(loan),
            None => running.close(deadline).await,
        }
    }

    pub(super) async fn room(&self, spare: Option<Spare>, way: Option<Way>) -> Result<(Ready, Room), BrowserError> {
        let running = self.running();
        let (ready, room) = running.room(spare, way).await?;
        self.note_browser(&ready.browser);
        Ok((ready, room))
    }

    /// Its notices, unless another browser has told the same.
    pub(super) fn note_browser(&self, browser: &Browser) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.notices().extend(browser.notices().into_iter().filter(|notice| told.insert(notice.clone())));
    }

    /// How far the transfers of profiles are, from now on.
    pub fn transfers(&self) -> watch::Receiver<Option<ProfileTransfer>> {
        self.0.transfers.follow()
    }

    /// How to start a browser now.
    pub(super) fn launch(&self) -> LaunchOptions {
        self.0.open.borrow().launch.clone().unwrap_or_else(|| self.0.config.launch.clone())
    }

    pub(super) fn notices(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn sessions(&self) -> Result<&Sessions, SessionError> {
        let config = &self.0.config;
        let open = async {
            let sessions = Box::pin(Sessions::open_as(config)).await?;
            if config.store.exists() {
                self.0.chores.add(sweep::in_a_while(sessions.clone()));
            }
            Ok(sessions)
        };
        self.0.sessions.get_or_try_init(|| open).await
    }

    /// The secret by that name in the tenant's vault, or the one that the identity of the current session means by it. A store that is not there yet is not made for the question.
    pub async fn secret(&self, name: &str) -> Result<Option<Secret>, SessionError> {
        if !self.has_vault() {
            return Ok(None);
        }
        let meant = self.meant_by(name);
        self.sessions().await?.secret(&self.0.config.tenant, meant.as_deref().unwrap_or(name)).await
    }

    /// What the current session's identity calls so.
    fn meant_by(&self, name: &str) -> Option<String> {
        let current = self.0.open.borrow().current.as_ref()?.latest();
        match &current.0.kept {
            Some(kept) => kept.identity().whole().secrets?.remove(name),
            None => self.posed_secret(name),
        }
    }

    /// Those of `names` that are in the tenant's vault.
    pub async fn known_secrets(&self, names: BTreeSet<String>) -> Result<BTreeSet<String>, SessionError> {
        if names.is_empty() || !self.has_vault() {
            return Ok(BTreeSet::new());
        }
        self.sessions().await?.known_secrets(&self.0.config.tenant, names).await
    }

    /// The identity that the tenant keeps by that name. [`SessionError::NoIdentity`] where there is none.
    pub async fn identity(&self, name: &str) -> Result<Identity, SessionError> {
        if !self.has_vault() {
            return Err(SessionError::NoIdentity { name: name.to_owned(), near: None });
        }
        Ok(self.sessions().await?.identity(&self.0.config.tenant, name).await?.identity)
    }

    /// Those of `names` that the tenant has no identity by, each with the nearest name that there is.
    pub async fn missing_identities(
        &self,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Option<String>>, SessionError> {
        if names.is_empty() || !self.has_vault() {
            return Ok(names.into_iter().map(|name| (name, None)).collect());
        }
        self.sessions().await?.missing_identities(&self.0.config.tenant, names).await
    }

    fn has_vault(&self) -> bool {
        self.0.sessions.initialized() || self.0.config.store.exists()
    }

    /// Waits until nothing is being opened or closed any more; nothing will be while the answer is held.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.0.turn.clone().lock_owned().await
    }

    /// Opens a session and makes it current; the same one if the run has it already. After [`Self::reset`] it is opened as it
    /// was last saved, without asking the store, unless its lease was lost meanwhile. An alias opens the session that it is of.
    pub async fn session(&self, id: &SessionId, options: &SessionOptions) -> Result<Session, SessionError> {
        let turn = self.turn().await;
        let session = self.session_in(turn, &self.meant(id, options).await?, options).await?;
        if let Some(guard) = options.guard.as_ref().filter(|_| self.may_end(&session).is_ok()) {
            session.guard_by(guard);
        }
        Ok(session)
    }

    async fn session_in(
        &self,
        turn: OwnedMutexGuard<()>,
        id: &SessionId,
        options: &SessionOptions,
    ) -> Result<Session, SessionError> {
        if let Some(lent) = self.lent(id) {
            // It is as it is, whatever is asked.
            self.0.open.send_modify(|open| open.current = Some(lent.clone()));
            return Ok(lent);
        }
        let found = {
            let open = self.0.open.borrow();
            if open.visiting {
                return Err(SessionError::Visiting(id.clone()));
            }
            let mut sessions = open.named.iter().map(|(_, session)| session);
            sessions.find(|session| session.answers_to(id)).cloned()
        };
        if let Some(session) = found {
            if options.mode == Mode::ReadOnly && !session.is_read_only() {
                return Err(SessionError::OpenForWriting(id.clone()));
            }
            if options.profile.is_some_and(|wanted| wanted != session.is_profile()) {
                let is = if session.is_profile() {
                    "is a profile session and cannot be opened as another"
                } else {
                    "is open in this run already, and not as a profile session"
                };
                return Err(SessionError::Kind { id: id.clone(), is });
            }
            self.stays_on_its_way(&session, options).await?;
            Box::pin(session.identify(options.asked())).await?;
            self.learn_of(&session);
            self.0.open.send_modify(|open| open.current = Some(session.clone()));
            return Ok(session);
        }
        // A task of its own: where the script is stopped on the way a lease that was just taken has to be given back.
        let given_up = CancellationToken::new();
        let _given_up_with_this = given_up.clone().drop_guard();
        let (workspace, id, options) = (self.clone(), id.clone(), self.asked_again(id, options));
        let opened = tokio::spawn(async move {
            let opened = Box::pin(workspace.open(&id, &options, &given_up)).await;
            drop(turn);
            opened
        });
        opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    pub(super) async fn open(
        &self,
        id: &SessionId,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Session, SessionError> {
        let retained = self.retained(id, options);
        if retained.as_ref().is_some_and(|opening| opening.profile) || options.profile == Some(true) {
            return self.open_profile(id, retained, options, given_up).await;
        }
        if retained.is_none()
            && let Some(pool) = &self.0.pool
        {
            self.let_go(id).await;
            return Box::pin(self.open_in_pool(pool, id, options, given_up)).await;
        }
        let (running, mut spare) = (self.running(), None);
        if let Some(opening) = &retained {
            let is_usual = self.way_of(opening, options).await?.is_none();
            spare = given_up.run_until_cancelled(running.spare()).await.flatten();
            if let Some(Spare::Session(session)) = spare.take_if(|spare| is_usual && spare.is_as(opening)) {
                Box::pin(session.identify(options.asked())).await?;
                self.opened_now(&session);
                return Ok(session);
            }
        }
        if retained.is_none() {
            self.let_go(id).await;
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
            self.room(spare, None).await
        };
        let mut room = std::pin::pin!(given_up.run_until_cancelled(room));
        let mut opening = std::pin::pin!(opening);
        let mut made = None;
        let opening = loop {
            tokio::select! {
                opening = &mut opening => break opening?,
                room = &mut room, if made.is_none() => made = Some(room),
            }
        };
        if opening.profile {
            // What was made is closed as it goes.
            return self.start_profile(id, opening, is_new, options, given_up).await;
        }
        let held = opening.clone();
        let start = async {
            let way = self.way_of(&opening, options).await?;
            let room = match made {
                // What was made goes out as the browser does, and is closed as it goes.
                _ if way.is_some() => Some(self.room(None, way).await),
                Some(room) => room,
                None => room.await,
            };
            let (ready, room) = room.unwrap_or_else(|| Err(BrowserError::Gone("nobody waits for it".into())))?;
            let session = Session::start(room, &ready.gate, opening, None).await?;
            Box::pin(session.identify(options.asked())).await?;
            Ok(session)
        };
        let started = given_up.run_until_cancelled(start).await;
        self.started(id, started, &held, is_new).await
    }

    /// A session that was started, or not.
    pub(super) async fn started(
        &self,
        id: &SessionId,
        started: Option<Result<Session, SessionError>>,
        held: &Opening,
        is_new: bool,
    ) -> Result<Session, SessionError> {
        if let Some(Ok(session)) = started {
            self.opened_now(&session);
            return Ok(session);
        }
        if is_new {
            // Held any longer, it would keep everybody out of a session that nobody has open.
            held.release().await;
        }
        started.unwrap_or_else(|| Err(SessionError::Closed { id: Some(id.clone()) }))
    }

    fn opened_now(&self, session: &Session) {
        self.learn_of(session);
        let Some(id) = session.id() else { return };
        self.0.open.send_modify(|open| {
            open.retained.retain(|opening| opening.id != *id);
            open.asked.retain(|(asked, _)| asked != id);
            open.named.push((id.clone(), session.clone()));
            open.current = Some(session.clone());
            open.reopen = None;
        });
    }

    /// What a reset has kept of a session; none where its lease was lost since, or where it is to be read only now and was
    /// not before, or the other way round.
    fn retained(&self, id: &SessionId, options: &SessionOptions) -> Option<Opening> {
        let open = self.0.open.borrow();
        let opening = open.retained.iter().find(|opening| opening.answers_to(id))?;
        let ttl = options.ttl.unwrap_or(opening.ttl);
        let as_wanted = opening.lease.is_none() == (options.mode == Mode::ReadOnly)
            && options.profile.is_none_or(|wanted| wanted == opening.profile);
        (as_wanted && !opening.is_lost()).then(|| {
            let mut opening = opening.clone();
            opening.named.ttl = ttl;
            opening
        })
    }

    /// Opens the session again that the next verb is to have.
    pub(super) async fn reopened(&self, turn: OwnedMutexGuard<()>, id: &SessionId) -> Result<Session, SessionError> {
        self.session_in(turn, id, &SessionOptions::default()).await
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

    /// The pid of the main process of the browser that the sessions without one of their own share; none where it is not ours or
    /// not started.
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

    /// Something is about to be done in a session, or was: what was found of whether one is signed in may be true no more.
    pub fn used(&self) {
        self.0.open.borrow().named.iter().for_each(|(_, session)| session.used());
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

    /// What became so far of the sessions that were opened: only what is saved already counts. Reads no page. Also while the run
    /// is finished and after that: it may be broken off on the way.
    pub fn outcomes(&self) -> Vec<SessionOutcome> {
        let open = self.0.open.borrow();
        let (ended, finishing) = &open.finishing;
        let named = open.named.iter().map(|(_, session)| session).chain(finishing).filter_map(Session::outcome);
        open.ended.iter().chain(ended).cloned().chain(named).collect()
    }

    /// The stored sessions of this tenant; opens the store where it is not open yet.
    pub async fn list(&self) -> Result<super::Listing, SessionError> {
        self.sessions().await?.list(&self.0.config.tenant).await
    }
}
