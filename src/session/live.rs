//! An open session: a browser context, its pages, what it was restored from, and its lease.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::StopLoadingParams;
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Tenant, Version, with_causes};
use crate::page::Page;

use super::capture::{Captured, snapshot};
use super::lease::Lease;
use super::part::Names;
use super::restorer::{Gate, Restorer};
use super::room::Room;
use super::save::{self, Base};
use super::sessions::{Sessions, Stored};
use super::{Change, Cookie, Saving, SessionError, SessionOutcome, cookies};

/// How long the end of a run waits for a navigation that is under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// An open session. Cheap to clone.
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) kept: Option<Kept>,
    room: Room,
    /// Serialises saves, and opening of the first page.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Cancelled when it is closed under whoever holds it.
    closed: CancellationToken,
}

/// What only a named session has.
pub(super) struct Kept {
    pub(super) id: SessionId,
    pub(super) tenant: Tenant,
    pub(super) sessions: Sessions,
    pub(super) lease: Arc<Lease>,
    pub(super) ttl: Option<Duration>,
    saving: Saving,
    expired_at: Option<String>,
    restorer: Option<Arc<Restorer>>,
    /// What the next save is compared with.
    base: Mutex<Arc<Base>>,
    /// What it was opened with; its outcome is told against this.
    opened: Arc<Base>,
}

/// All that a named session is opened from: its lease, and its state as it is in the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) id: SessionId,
    pub(super) tenant: Tenant,
    pub(super) sessions: Sessions,
    pub(super) lease: Arc<Lease>,
    pub(super) ttl: Option<Duration>,
    pub(super) saving: Saving,
    /// Set where the id had run out when the lease was taken.
    pub(super) expired_at: Option<String>,
    pub(super) base: Arc<Base>,
}

impl Session {
    /// A session that keeps nothing.
    pub(super) async fn throw_away(room: Room) -> Result<Self, SessionError> {
        room.page().await?;
        Ok(Self::of(None, room))
    }

    fn of(kept: Option<Kept>, room: Room) -> Self {
        Self(Arc::new(Inner { kept, room, busy: Arc::default(), closed: CancellationToken::new() }))
    }

    /// A named session: its cookies are in place and its storages will be before a page script can look.
    pub(super) async fn start(room: Room, gate: &Gate, opening: Opening) -> Result<Self, SessionError> {
        let Opening { id, tenant, sessions, lease, ttl, saving, expired_at, base } = opening;
        let stored = base.stored();
        let restorer = stored.filter(|stored| !stored.index.parts.is_empty()).map(|stored| {
            let (sessions, tenant, sealed) = (sessions.clone(), tenant.clone(), base.sealed().clone());
            Restorer::new(sessions, tenant, stored.clone(), sealed, room.tabs.clone())
        });
        put_in_place(&room, gate, stored.map(|stored| &**stored), restorer.as_ref()).await?;
        let (opened, base) = (base.clone(), Mutex::new(base));
        Ok(Self::of(Some(Kept { id, tenant, sessions, lease, ttl, saving, expired_at, restorer, base, opened }), room))
    }

    /// Its id; none for a throw-away one.
    pub fn id(&self) -> Option<&SessionId> {
        self.0.kept.as_ref().map(|kept| &kept.id)
    }

    /// The newest saved version.
    pub fn version(&self) -> Option<Version> {
        self.0.kept.as_ref().and_then(|kept| kept.base().version())
    }

    /// The current page: the oldest that is open; a new one where all have been closed.
    pub async fn page(&self) -> Result<Page, SessionError> {
        if let Some(page) = self.open_page() {
            return Ok(page);
        }
        let open = async {
            let _one_at_a_time = self.0.busy.lock().await;
            self.0.room.page().await
        };
        self.unless_closed(open).await
    }

    /// The current page where there is one; waits for nothing.
    pub(super) fn open_page(&self) -> Option<Page> {
        self.pages().into_iter().next()
    }

    /// The pages that are open, oldest first; popups among them.
    pub fn pages(&self) -> Vec<Page> {
        if self.0.closed.is_cancelled() { Vec::new() } else { self.0.room.tabs.pages() }
    }

    /// `work`, unless the session is or gets closed.
    async fn unless_closed<T>(&self, work: impl Future<Output = Result<T, SessionError>>) -> Result<T, SessionError> {
        let closed = || Err(SessionError::Closed { id: self.id().cloned() });
        match self.0.closed.run_until_cancelled(work).await {
            // What the closing broke off tells of that, not of the page that went.
            Some(Err(_)) if self.0.closed.is_cancelled() => closed(),
            Some(done) => done,
            None => closed(),
        }
    }

    /// Closes its context, whatever hangs in it; its pages count as gone at once, and what it would have saved is dropped.
    /// The answer is Chromium's word that all is closed.
    pub(super) fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.closed.cancel();
        if let Some(restorer) = self.0.kept.as_ref().and_then(|kept| kept.restorer.as_ref()) {
            restorer.close();
        }
        self.0.room.close()
    }

    /// What it can be opened from again: its lease, and its last saved state, or the restored one. None for a throw-away
    /// one. Of a session that is closed; waits for a save that is being written.
    pub(super) async fn opening(&self) -> Option<Opening> {
        let _written = self.0.busy.lock().await;
        self.opening_now()
    }

    /// [`Self::opening`] as things are at this moment.
    pub(super) fn opening_now(&self) -> Option<Opening> {
        self.0.kept.as_ref().map(|kept| Opening {
            id: kept.id.clone(),
            tenant: kept.tenant.clone(),
            sessions: kept.sessions.clone(),
            lease: kept.lease.clone(),
            ttl: kept.ttl,
            saving: kept.saving,
            expired_at: kept.expired_at.clone(),
            base: Arc::new(kept.base().afresh()),
        })
    }

    /// The origins that had a document in it so far, with a slash at their ends.
    pub(super) fn visited(&self) -> BTreeSet<String> {
        self.0.room.tabs.visited()
    }

    /// Puts in place what is kept of these origins, before a document of theirs is asked for. Whether all went well.
    pub(super) async fn restore_ahead(&self, origins: &BTreeSet<String>) -> bool {
        if let Some(restorer) = self.0.kept.as_ref().and_then(|kept| kept.restorer.as_ref()) {
            for origin in origins {
                restorer.ensure(origin).await;
            }
            return restorer.done().failed.is_empty();
        }
        true
    }

    /// Whether it is what would be opened from `opening` now.
    pub(super) fn is_as(&self, opening: &Opening) -> bool {
        let stored = |base: &Base| base.stored().map(Arc::as_ptr);
        self.0.kept.as_ref().is_some_and(|kept| {
            let same = Arc::ptr_eq(&kept.lease, &opening.lease) && kept.ttl == opening.ttl;
            same && stored(&kept.opened) == stored(&opening.base) && !self.0.room.context.is_forgotten()
        })
    }

    /// Saves now; a new version if cookies or storage changed. The outcome's changes are those of this save. A throw-away
    /// session has nothing to save to: the outcome is none. With [`Saving::AtEnd`] it tells what would be written, with the
    /// version that was written last.
    pub async fn save(&self, deadline: Deadline) -> Result<Option<SessionOutcome>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        let read = async {
            let one_at_a_time = self.0.busy.clone().lock_owned().await;
            self.settled(deadline).await?;
            Ok((one_at_a_time, self.draft(deadline).await?))
        };
        let (one_at_a_time, draft) = self.unless_closed(read).await?;
        if kept.saving == Saving::AtEnd {
            let outcome = |draft: save::Draft| {
                let (changes, partial) = (draft.changes(), draft.partial());
                SessionOutcome { updated: !changes.is_empty(), changes, partial, ..kept.outcome() }
            };
            return Ok(draft.map(outcome));
        }
        // A commit is seen to its end although nobody may wait for it any more: a script that is stopped in this moment
        // would leave a version in the store that the session does not know of.
        let session = self.clone();
        let commit = tokio::spawn(async move {
            let outcome = session.commit(draft).await;
            drop(one_at_a_time);
            outcome
        });
        let outcome = commit.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(outcome.map(|(changes, outcome)| SessionOutcome { updated: !changes.is_empty(), changes, ..outcome }))
    }

    /// [`Self::save`] whose failure stands in the outcome.
    pub(super) async fn save_or_say(&self, deadline: Deadline) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        self.save(deadline).await.unwrap_or_else(|error| Some(kept.unsaved(&error)))
    }

    /// Told when its lease is lost; none for a throw-away one, which has none.
    pub(super) fn lease_lost(&self) -> Option<&CancellationToken> {
        self.0.kept.as_ref().map(|kept| kept.lease.lost())
    }

    /// Saves at the end of a run, whatever its end was; the outcome tells of the whole run. The browser may be ended as soon
    /// as `read` was called.
    pub(super) async fn save_last(&self, deadline: Deadline, read: impl FnOnce()) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        let _one_at_a_time = self.0.busy.lock().await;
        let reading = async {
            self.settle().await;
            self.draft(deadline).await
        };
        let draft = deadline.race(reading).await.unwrap_or_else(|| Err(SessionError::Late { id: kept.id.clone() }));
        read();
        let saved = match draft {
            Ok(draft) => self.commit(draft).await,
            Err(error) => Err(error),
        };
        kept.lease.release().await;
        match saved {
            Ok(outcome) => outcome.map(|(_, outcome)| outcome),
            Err(error) => Some(kept.unsaved(&error)),
        }
    }

    /// Waits until navigations under way have committed; a page that closes meanwhile is nobody's loss.
    async fn settled(&self, deadline: Deadline) -> Result<(), SessionError> {
        for page in self.0.room.tabs.pages() {
            match page.url(deadline).await {
                Err(error) if !page.is_closed() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a navigation that the last verb began (a form that signs in) commit, and gives one up whose server does not
    /// answer: until then Chromium holds back everything else that the page is asked, and the state could not be read.
    async fn settle(&self) {
        let pages = self.0.room.tabs.pages();
        futures_util::future::join_all(pages.iter().map(|page| async move {
            if page.url(Deadline::after(SETTLE_TIMEOUT)).await.is_err() {
                page.main_frame().cdp().send(StopLoadingParams::default()).forget();
            }
        }))
        .await;
    }

    /// Reads the state and works out what would be written; the browser is not needed after this.
    async fn draft(&self, deadline: Deadline) -> Result<Option<save::Draft>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        let late = || Err(SessionError::Late { id: kept.id.clone() });
        let now = deadline.race(Box::pin(snapshot(&self.0.room.context, &self.0.room.tabs, deadline))).await;
        let mut now = now.unwrap_or_else(late)?;
        let base = kept.base();
        let restored = kept.restored_names()?;
        // An origin that was visited but is not restored yet keeps what it had: its page is only about to load.
        now.origins.retain(|key, captured| {
            !matches!(captured, Captured::Read(..))
                || !base.has_part(key)
                || base.knows(key)
                || restored.contains_key(key)
        });
        Ok(Some(save::Draft::new(&base.with_names(restored.clone()), &kept.opened, &restored, now)))
    }

    /// Writes a draft, if it holds a change: answers what this save changed, and the outcome of the run so far.
    async fn commit(&self, draft: Option<save::Draft>) -> Result<Option<(Vec<Change>, SessionOutcome)>, SessionError> {
        let (Some(kept), Some(draft)) = (&self.0.kept, draft) else { return Ok(None) };
        let (now, changes, partial) = (draft.changes(), draft.changes_since_opened(), draft.partial());
        let base = Arc::new(save::commit(kept, draft).await?);
        let version = base.version();
        *kept.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        let outcome = SessionOutcome { version, updated: !changes.is_empty(), changes, partial, ..kept.outcome() };
        Ok(Some((now, outcome)))
    }

    /// Things that happened unasked in its pages.
    pub(super) fn take_notices(&self) -> Vec<String> {
        self.0.room.tabs.take_notices()
    }

    /// The cookies that would go to `url`, or all, once navigations under way have committed.
    pub async fn cookies(&self, url: Option<&str>, deadline: Deadline) -> Result<Vec<Cookie>, SessionError> {
        let read = async {
            self.settled(deadline).await?;
            Ok(cookies::read(&self.0.room.context).await?)
        };
        let all = self.unless_closed(read).await?;
        let Some(url) = url else { return Ok(all) };
        let url: url::Url =
            url.parse().map_err(|error| SessionError::Url { url: url.to_owned(), reason: format!("{error}") })?;
        Ok(all.into_iter().filter(|cookie| cookies::goes_to(cookie, &url)).collect())
    }
}

impl Kept {
    pub(super) fn base(&self) -> Arc<Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the parts held when they were restored, by storage key; an error where not all could be.
    fn restored_names(&self) -> Result<HashMap<String, Names>, SessionError> {
        let Some(restorer) = &self.restorer else { return Ok(HashMap::new()) };
        let done = restorer.done();
        if done.failed.is_empty() {
            return Ok(done.names.clone());
        }
        Err(SessionError::RestoreIncomplete { id: self.id.clone(), failed: done.failed.clone() })
    }

    /// The outcome of a session that could not be saved.
    fn unsaved(&self, error: &SessionError) -> SessionOutcome {
        SessionOutcome { save_error: Some((error.code().to_owned(), with_causes(error))), ..self.outcome() }
    }

    /// The outcome of a session that nothing happened to.
    pub(super) fn outcome(&self) -> SessionOutcome {
        SessionOutcome {
            id: self.id.clone(),
            restored: self.opened.version(),
            version: self.base().version(),
            ..SessionOutcome::unchanged(self.id.clone(), self.expired_at.clone())
        }
    }
}

impl Opening {
    /// The end of a session that was not opened again: it counts as used, and its lease is given back.
    pub(super) async fn finish(self) -> SessionOutcome {
        let version = self.base.version();
        let (records, name) = (self.sessions.records(), self.sessions.name(&self.tenant, &self.id));
        if version.is_some()
            && let Err(error) = records.touch(&name, self.ttl).await
        {
            tracing::debug!(code = error.code(), "a session was not kept from running out");
        }
        self.lease.release().await;
        SessionOutcome { restored: version, version, ..SessionOutcome::unchanged(self.id, self.expired_at) }
    }
}

/// Cookies, the first page, and the gate that holds documents: all at once.
async fn put_in_place(
    room: &Room,
    gate: &Gate,
    stored: Option<&Stored>,
    restorer: Option<&Arc<Restorer>>,
) -> Result<(), SessionError> {
    let cookies = async {
        match stored {
            Some(stored) if !stored.index.cookies.is_empty() => {
                cookies::write(&room.context, &cookies::unexpired(&stored.index.cookies)).await.map(drop)
            }
            _ => Ok(()),
        }
    };
    let storages = async {
        let Some(restorer) = restorer else { return Ok(()) };
        tokio::try_join!(gate.hold_for(restorer), restorer.prepare()).map(drop)
    };
    let (cookies, storages, page) = tokio::join!(cookies, storages, room.page());
    cookies?;
    storages?;
    page.map(drop)
}
