//! An open session: a browser context, its pages, what it was restored from, and its lease.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Version, reached};
use crate::browser::Bridge;
use crate::page::Page;

use super::checkpoint::Checkpoints;
use super::guard::Watch;
use super::in_place::put_in_place;
use super::kept::{Kept, Named, Opening};
use super::lease::Lease;
use super::profile::{Overlay, OwnBrowser};
use super::restorer::{Gate, Restorer};
use super::room::Room;
use super::save::Base;
use super::{Cookie, SessionError, SessionOutcome, cookies};

/// Why no other client is let into a browser.
const SHARED: &str = "has no browser of its own, so no other client can be let into it";

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
    /// How often sites were given or denied something by the time when all of its own was in place.
    permissions: Option<u64>,
}

impl Session {
    /// A session that keeps nothing.
    pub(super) async fn throw_away(room: Room) -> Result<Self, SessionError> {
        room.page().await?;
        Ok(Self::of(None, room))
    }

    pub(super) fn of(kept: Option<Kept>, room: Room) -> Self {
        let (busy, checkpoints, closed) = (Arc::default(), Checkpoints::default(), CancellationToken::new());
        let (watch, successor) = (Mutex::default(), OnceLock::new());
        let permissions = room.context.browser().permissions_given();
        Self(Arc::new(Inner { kept, room, busy, checkpoints, closed, watch, successor, permissions }))
    }

    /// Whether sites may do something else by now, as far as is known, than what was put in place.
    pub(super) fn may_permit_otherwise(&self) -> bool {
        self.0.permissions.is_none() || self.0.permissions != self.0.room.context.browser().permissions_given()
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
        let saved_so_far = Mutex::default();
        let session = Self::of(Some(Kept { named, restorer, base, opened, own, identity, saved_so_far }), room);
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
    pub fn is_same(&self, other: &Self) -> bool {
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

    /// What became of it so far, as far as it is saved; none for a throw-away one.
    pub(super) fn outcome(&self) -> Option<SessionOutcome> {
        self.0.kept.as_ref().map(Kept::outcome)
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

    /// Opens its browser to another client that speaks CDP. Tabs of ours are kept from it. Only where it has a browser of its own:
    /// in another the client would see the sessions of others. [`SessionError::Kind`].
    pub async fn bridge(&self) -> Result<Bridge, SessionError> {
        let Some(own) = self.own() else {
            let id = self.id().cloned();
            return Err(id.map_or(SessionError::Closed { id: None }, |id| SessionError::Kind { id, is: SHARED }));
        };
        let hidden = self.0.room.tabs.hidden().clone();
        Ok(own.browser().bridge(move |target| hidden.contains(target, target)).await?)
    }

    /// Changes whenever a page has come, a popup or one that was opened.
    pub fn pages_added(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.room.tabs.added()
    }

    /// Opens a page beside those that are open.
    pub async fn open_another(&self) -> Result<Page, SessionError> {
        self.touched();
        let open = async {
            let _one_at_a_time = self.0.busy.lock().await;
            Box::pin(self.0.room.tabs.open_page()).await
        };
        self.unless_closed(open).await
    }

    /// Somebody does something in it past the verbs of its pages: what it keeps may change.
    pub fn touched(&self) {
        self.0.room.tabs.storages().dirty().stir();
        self.used();
    }

    /// The browser context that it is in.
    pub fn context(&self) -> &crate::browser::Context {
        &self.0.room.context
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
            let named = Named { rolled_back: None, forked_to: None, ..kept.named.clone() };
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

    /// Told when its lease is lost; none where it has none.
    pub(super) fn lease_lost(&self) -> Option<&CancellationToken> {
        self.0.kept.as_ref()?.lease.as_ref().map(|lease| lease.lost())
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
