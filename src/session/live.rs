//! An open session: a browser context, its pages, what it was restored from, and its lease.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::StopLoadingParams;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Version, reached};
use crate::page::Page;

use super::capture::{Captured, snapshot};
use super::checkpoint::Checkpoints;
use super::guard::Watch;
use super::kept::{Kept, Named, Opening};
use super::lease::Lease;
use super::profile::{Overlay, OwnBrowser};
use super::restorer::{Gate, Restorer};
use super::room::Room;
use super::save::{self, Base};
use super::sessions::Stored;
use super::{
    Change, Cookie, HistoryEntry, Partial, Saving, SessionError, SessionOutcome, cookies, permissions, storage,
};

/// How long the end of a run waits for a navigation that is under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// An open session. Cheap to clone.
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) kept: Option<Kept>,
    pub(super) room: Room,
    /// Serialises saves, writing of checkpoints, and opening of the first page.
    pub(super) busy: Arc<tokio::sync::Mutex<()>>,
    pub(super) checkpoints: Checkpoints,
    /// Cancelled when it is closed under whoever holds it.
    closed: CancellationToken,
    /// What shows that it is signed in.
    pub(super) watch: Mutex<Watch>,
    /// What stands in for it since it was rolled back.
    pub(super) successor: OnceLock<Session>,
}

/// A state that was read, compared with what is kept.
struct Read {
    draft: save::Draft,
    /// What could not be restored: the draft must not be saved over what is kept.
    failed: Vec<Partial>,
}

impl Session {
    /// A session that keeps nothing.
    pub(super) async fn throw_away(room: Room) -> Result<Self, SessionError> {
        room.page().await?;
        Ok(Self::of(None, room))
    }

    fn of(kept: Option<Kept>, room: Room) -> Self {
        let (busy, checkpoints, closed) = (Arc::default(), Checkpoints::default(), CancellationToken::new());
        let (watch, successor) = (Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { kept, room, busy, checkpoints, closed, watch, successor }))
    }

    /// A named session: its cookies are in place and its storages will be before a page script can look.
    pub(super) async fn start(
        room: Room,
        gate: &Gate,
        opening: Opening,
        own: Option<Arc<OwnBrowser>>,
    ) -> Result<Self, SessionError> {
        let Opening { named, base } = opening;
        let (stored, all) = (base.stored(), Overlay::all());
        let overlay = own.as_ref().map_or(&all, |own| &own.overlay);
        let restorer = stored.filter(|stored| !stored.index.parts.is_empty()).map(|stored| {
            let (sessions, tenant, sealed) = (named.sessions.clone(), named.tenant.clone(), base.sealed().clone());
            Restorer::new(sessions, tenant, stored.clone(), sealed, room.tabs.clone(), overlay)
        });
        let identity = base.identity().cloned().unwrap_or_default();
        // Pages have it from the start where it is known what the browser tells by itself.
        room.tabs.tell_at_first(&identity).await?;
        put_in_place(&room, gate, stored.map(|stored| &**stored), restorer.as_ref(), overlay).await?;
        if let Some(own) = &own {
            own.keep_cookies(&room).await?;
        }
        let (opened, base, identity) = (base.clone(), Mutex::new(base), Mutex::new(identity));
        let session = Self::of(Some(Kept { named, restorer, base, opened, own, identity }), room);
        session.identify_at_first().await?;
        reached("open.ready");
        session.0.checkpoints.begin(&session.0);
        Ok(session)
    }

    /// Its id; none for a throw-away one.
    pub fn id(&self) -> Option<&SessionId> {
        self.0.kept.as_ref().map(|kept| &kept.id)
    }

    /// Whether `id` is what it was asked for by: its own, or that of the session that it is a fork of.
    pub(super) fn answers_to(&self, id: &SessionId) -> bool {
        self.0.kept.as_ref().is_some_and(|kept| kept.answers_to(id))
    }

    /// Whether nothing of it is saved because it was opened so; a throw-away one was not.
    pub fn is_read_only(&self) -> bool {
        self.0.kept.as_ref().is_some_and(|kept| kept.lease.is_none())
    }

    /// Whether it has a browser of its own, whose user-data directory is kept.
    pub fn is_profile(&self) -> bool {
        self.own().is_some()
    }

    /// Whether both are one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its own browser, of a profile session.
    pub(super) fn own(&self) -> Option<&Arc<OwnBrowser>> {
        self.0.kept.as_ref()?.own.as_ref()
    }

    /// Whether it was opened with something that was saved.
    pub(super) fn is_restored(&self) -> bool {
        self.0.kept.as_ref().is_some_and(|kept| kept.opened.version().is_some())
    }

    /// The session that it is by now: another where it was rolled back since it was got.
    #[must_use]
    pub fn latest(&self) -> Session {
        self.0.successor.get().map_or_else(|| self.clone(), Session::latest)
    }

    /// The newest saved version.
    pub fn version(&self) -> Option<Version> {
        self.0.kept.as_ref().and_then(|kept| kept.base().version())
    }

    /// The current page: the oldest that is open; a new one where all have been closed.
    pub async fn page(&self) -> Result<Page, SessionError> {
        // Whoever asks is about to do something.
        self.0.room.tabs.storages().dirty().stir();
        self.used();
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

    /// Resolves once none of its pages is open any more: the last window was closed, or the browser has gone.
    pub async fn left(&self) {
        self.0.room.tabs.emptied().await;
    }

    /// `work`, unless the session is or gets closed.
    pub(super) async fn unless_closed<T>(
        &self,
        work: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
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
        self.0.checkpoints.stop();
        if let Some(restorer) = self.0.kept.as_ref().and_then(|kept| kept.restorer.as_ref()) {
            restorer.close();
        }
        self.0.room.close()
    }

    /// What it can be opened from again: its lease, and its last saved state, or the restored one. None for a throw-away
    /// one. Of a session that is closed; waits for a save that is being written.
    pub(super) async fn opening(&self) -> Option<Opening> {
        let _written = self.0.busy.lock().await;
        if let Some(kept) = &self.0.kept {
            self.0.checkpoints.withdraw(kept).await;
        }
        self.opening_now()
    }

    /// [`Self::opening`] as things are at this moment.
    pub(super) fn opening_now(&self) -> Option<Opening> {
        let of = |kept: &Kept| {
            let named = Named { rolled_back: None, ..kept.named.clone() };
            Opening { named, base: Arc::new(kept.base().afresh()) }
        };
        self.0.kept.as_ref().map(of)
    }

    /// The origins that had a document in it so far, with a slash at their ends.
    pub(super) fn visited(&self) -> BTreeSet<String> {
        self.0.room.tabs.visited().origins
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
            let lease = |lease: &Option<Arc<Lease>>| lease.as_ref().map(Arc::as_ptr);
            let same = kept.id == opening.id && lease(&kept.lease) == lease(&opening.lease) && kept.ttl == opening.ttl;
            same && stored(&kept.opened) == stored(&opening.base) && !self.0.room.context.is_forgotten()
        })
    }

    /// Saves now; a new version if cookies or storage changed. The outcome's changes are those of this save. A throw-away
    /// session has nothing to save to: the outcome is none. With [`Saving::AtEnd`] it tells what would be written, with the
    /// version that was written last.
    pub async fn save(&self, deadline: Deadline) -> Result<Option<SessionOutcome>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        if kept.lease.is_none() {
            return Err(SessionError::ReadOnly(kept.id.clone()));
        }
        let (one_at_a_time, Read { draft, failed }) = self.unless_closed(self.read_to_save(kept, deadline)).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        if kept.saving == Saving::AtEnd {
            let (changes, partial) = (draft.changes(), draft.partial());
            return Ok(Some(SessionOutcome { updated: !changes.is_empty(), changes, partial, ..kept.outcome() }));
        }
        // A commit is seen to its end although nobody may wait for it any more: a script that is stopped in this moment
        // would leave a version in the store that the session does not know of.
        let session = self.clone();
        let commit = tokio::spawn(async move {
            let outcome = match &session.0.kept {
                Some(kept) => kept.commit(&draft, deadline).await.map(Some),
                None => Ok(None),
            };
            drop(one_at_a_time);
            outcome
        });
        let outcome = commit.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(outcome.map(|(changes, outcome)| SessionOutcome { updated: !changes.is_empty(), changes, ..outcome }))
    }

    /// What differs now from the version that it was opened with, by name; nothing is saved. None for a throw-away one.
    pub async fn changes(&self, deadline: Deadline) -> Result<Option<Vec<Change>>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        let (_one_at_a_time, read) = self.read_now(kept, deadline).await?;
        Ok(Some(read.draft.changes_since_opened()))
    }

    /// Its kept versions, newest first, as they are in the store. None for a throw-away one.
    pub async fn history(&self) -> Result<Option<Vec<HistoryEntry>>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        match kept.sessions.history(&kept.tenant, &kept.id).await {
            Ok(history) => history.all().await.map(Some),
            // Open and not saved yet.
            Err(SessionError::NotFound(_)) => Ok(Some(Vec::new())),
            Err(error) => Err(error),
        }
    }

    /// Keeps the state as it is now under another id as well, as that session's first version; this session is not saved by
    /// it. [`SessionError::Exists`] where there is such a session. False for a throw-away one, of which nothing is kept, and
    /// with [`Saving::AtEnd`].
    pub async fn fork(&self, new_id: &SessionId, deadline: Deadline) -> Result<bool, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(false) };
        let (one_at_a_time, Read { draft, failed }) = self.read_now(kept, deadline).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        if kept.saving == Saving::AtEnd {
            return Ok(false);
        }
        // Seen to its end, as a save is: a lease that was just taken has to be given back.
        let (session, new_id) = (self.clone(), new_id.clone());
        let fork = tokio::spawn(async move {
            let forked = match &session.0.kept {
                Some(kept) => kept.sessions.fork_draft(&kept.tenant, &new_id, draft, kept.ttl).await.map(|()| true),
                None => Ok(false),
            };
            drop(one_at_a_time);
            forked
        });
        fork.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Reads the state once navigations under way have committed; no save begins while the answer is held.
    async fn read_now(&self, kept: &Kept, deadline: Deadline) -> Result<(OwnedMutexGuard<()>, Read), SessionError> {
        let read = async {
            let one_at_a_time = self.0.busy.clone().lock_owned().await;
            self.settled(deadline).await?;
            Ok((one_at_a_time, self.read(kept, deadline).await?))
        };
        self.unless_closed(read).await
    }

    /// The save of a session that is about to be closed: the outcome tells of the whole run.
    pub(super) async fn save_at_close(&self, deadline: Deadline) -> Result<SessionOutcome, SessionError> {
        let Some(kept) = &self.0.kept else { return Err(SessionError::Closed { id: None }) };
        if kept.lease.is_none() {
            kept.used().await;
            return Ok(kept.outcome());
        }
        let (_one_at_a_time, Read { draft, failed }) = self.unless_closed(self.read_to_save(kept, deadline)).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        Ok(kept.commit(&draft, deadline).await?.1)
    }

    /// Reads the state as [`Self::read_now`] does, and where a version would be written of it, once it has passed its check.
    async fn read_to_save(&self, kept: &Kept, deadline: Deadline) -> Result<(OwnedMutexGuard<()>, Read), SessionError> {
        let one_at_a_time = self.0.busy.clone().lock_owned().await;
        self.settled(deadline).await?;
        Ok((one_at_a_time, Box::pin(self.read_checked(kept, deadline)).await?))
    }

    /// Reads the state. Where it is one to be written, it is checked and then read again: a check is a visit to the site, which
    /// may change what there is.
    async fn read_checked(&self, kept: &Kept, deadline: Deadline) -> Result<Read, SessionError> {
        let read = self.read(kept, deadline).await?;
        if !self.is_guarded() || !read.failed.is_empty() || read.draft.is_unchanged() || kept.is_lost() {
            return Ok(read);
        }
        self.check_before_saving(deadline).await?;
        self.read(kept, deadline).await
    }

    /// [`Self::save`] whose failure stands in the outcome.
    pub(super) async fn save_or_say(&self, deadline: Deadline) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        if kept.lease.is_none() {
            return Some(kept.outcome());
        }
        self.save(deadline).await.unwrap_or_else(|error| Some(kept.unsaved(&error)))
    }

    /// Told when its lease is lost; none where it has none.
    pub(super) fn lease_lost(&self) -> Option<&CancellationToken> {
        self.0.kept.as_ref()?.lease.as_ref().map(|lease| lease.lost())
    }

    /// Saves at the end of a run, whatever its end was; the outcome tells of the whole run. The browser may be ended as soon
    /// as `read` was called. `deadline` is for reading the state, `writing` for a store that is away.
    pub(super) async fn save_last(
        &self,
        deadline: Deadline,
        writing: Deadline,
        read: impl FnOnce(),
    ) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        self.0.checkpoints.stop();
        let _one_at_a_time = self.0.busy.lock().await;
        let Some(lease) = &kept.lease else {
            read();
            let ended = async {
                if let Some(own) = &kept.own {
                    own.end().await;
                }
            };
            tokio::join!(kept.used(), ended);
            return Some(kept.outcome());
        };
        let reading = async {
            self.settle().await;
            Box::pin(self.read_checked(kept, deadline)).await
        };
        let now = deadline.race(reading).await.unwrap_or_else(|| Err(SessionError::Late { id: kept.id.clone() }));
        read();
        let mut outcome = match now {
            Ok(Read { draft, failed }) if failed.is_empty() => kept.write_last(draft, writing).await,
            Ok(Read { draft, failed }) => kept.save_aside(draft, failed).await,
            Err(error) => kept.unsaved(&error),
        };
        if let Some(own) = &kept.own {
            own.end().await;
        }
        // One that is signed out is not to come back either.
        let lost = |code: &str| matches!(code, "lease_lost" | "auth_required");
        let unsaved = outcome.save_error.as_ref().is_some_and(|(code, _)| !lost(code));
        if unsaved && outcome.forked_to.is_none() && self.0.checkpoints.any() {
            // What it had a moment ago is all that is left of this run.
            lease.let_run_out().await;
            if !outcome.kept_in_outbox
                && let Some((_, told)) = &mut outcome.save_error
            {
                told.push_str("; what the last checkpoint had becomes a version when the session is next opened");
            }
        } else {
            lease.release().await;
        }
        Some(outcome)
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
    async fn read(&self, kept: &Kept, deadline: Deadline) -> Result<Read, SessionError> {
        let late = || Err(SessionError::Late { id: kept.id.clone() });
        let base = kept.base();
        let spool = kept.spool(&base)?;
        let room = &self.0.room;
        let now = deadline.race(Box::pin(snapshot(&room.context, &room.tabs, Some(&spool), deadline))).await;
        let mut now = now.unwrap_or_else(late)?;
        if let Some(own) = &kept.own {
            now.cookies = own.with_lost(&self.0.room, now.cookies);
            own.learn(kept, &now).await;
        }
        reached("save.captured");
        now.beside.identity = Some(kept.identity().clone());
        let (restored, failed) = kept.restored();
        let has_failed =
            |key: &str| failed.iter().any(|failed| failed.origin.trim_end_matches('/') == key.trim_end_matches('/'));
        // An origin that was visited but is not restored yet keeps what it had: its page is only about to load.
        now.origins.retain(|key, captured| {
            matches!(captured, Captured::Unreadable(..))
                || !base.has_part(key)
                || base.knows(key)
                || restored.contains_key(key)
                || kept.is_in_place(key)
                || has_failed(key)
        });
        let draft = save::Draft::new(&base.with_names(restored.clone()), &kept.opened, &restored, now);
        Ok(Read { draft: draft.of_profile(kept.profile).sealed_under(spool.key), failed })
    }

    /// Things that happened unasked in its pages.
    pub(super) fn take_notices(&self) -> Vec<String> {
        let mut notices = self.0.room.tabs.take_notices();
        if let Some(restorer) = self.0.kept.as_ref().and_then(|kept| kept.restorer.as_ref()) {
            notices.extend(restorer.take_warnings());
        }
        notices
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

/// Cookies, the first page, and the gate that holds documents: all at once.
async fn put_in_place(
    room: &Room,
    gate: &Gate,
    stored: Option<&Stored>,
    restorer: Option<&Arc<Restorer>>,
    overlay: &Overlay,
) -> Result<(), SessionError> {
    if gate.hidden().are_unseen() {
        // Pages in no window are made only where there is a window.
        room.page().await?;
        room.tabs.keep_unseen().await?;
    }
    let cookies = async {
        let kept = stored.map_or(&[][..], |stored| &stored.index.cookies);
        let mut kept = cookies::unexpired(kept);
        if !overlay.cookies_differ {
            kept.retain(cookies::is_of_session);
        } else if !overlay.is_new {
            cookies::clear(&room.context).await?;
        }
        if kept.is_empty() { Ok(()) } else { cookies::write(&room.context, &kept).await.map(drop) }
    };
    let storages = async {
        let Some(restorer) = restorer else { return Ok(()) };
        let held = async {
            if restorer.has_pending() {
                tokio::try_join!(gate.hold_for(restorer), restorer.prepare())?;
            }
            Ok(())
        };
        tokio::try_join!(held, restorer.ready_tabs()).map(drop)
    };
    let permissions = async {
        if let Some(stored) = stored {
            room.tabs.notice(permissions::write(&room.context, &stored.index.beside.permissions).await);
        }
    };
    let (cookies, storages, page, ()) = tokio::join!(cookies, storages, room.page(), permissions);
    cookies?;
    storages?;
    let page = page?;
    for key in &overlay.gone {
        storage::clear(page.target().cdp(), key).await?;
    }
    Ok(())
}
