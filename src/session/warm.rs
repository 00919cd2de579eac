//! Warm sessions: after the last save of a session of a pool its context stays, and is the next one's that opens the session, where
//! the store has still that version. Nothing is restored then.
//!
//! What the next finds is what a restore would make: a tab as if it were fresh ([`super::warm_page`]), sessionStorage as it is kept,
//! permissions as they are kept, an empty cache. Pages of before are left, with their scripts switched off, as soon as they are read;
//! what was written after that, in storage that tells of it or in cookies, makes the context one that is not kept, and so do workers,
//! which remember, passwords in addresses, which Chromium remembers, and whatever could not be saved or restored in full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::browser::ResetPermissionsParams;
use chromiumoxide::cdp::browser_protocol::network::ClearBrowserCacheParams;
use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::base::{Deadline, reached};
use crate::browser::TargetKind;
use crate::page::Page;

use super::emulate::KeptIdentity;
use super::kept::{Kept, Named, Opening};
use super::restorer::{Gate, Restorer};
use super::room::Room;
use super::running::Running;
use super::save::Base;
use super::tab_storage::TabStorages;
use super::warm_page::{Ahead, Next};
use super::way::Way;
use super::{Cookie, Session, SessionError, SessionOutcome, cookies, permissions};

/// How long it may take until the pages of before are closed and the next is there: whoever opens the session waits for it.
const READY: Duration = Duration::from_secs(3);

/// A context that holds what a version of a session does, and a page in it that nothing has run in.
pub(super) struct Warm {
    room: Room,
    /// The version, with the names of all that is in place.
    base: Arc<Base>,
    restorer: Option<Arc<Restorer>>,
    gate: Arc<Gate>,
    /// The cookies of the context, as they were when somebody asked for it.
    found: Vec<Cookie>,
}

/// One that is warm, or on its way there. Closed where it goes.
pub(super) struct Keeping {
    pub(super) running: Arc<Running>,
    pub(super) since: Instant,
    task: JoinSet<Option<Warm>>,
}

impl Keeping {
    fn new(running: Arc<Running>, warm: impl Future<Output = Option<Warm>> + Send + 'static) -> Self {
        let mut task = JoinSet::new();
        task.spawn(warm);
        Self { running, since: Instant::now(), task }
    }

    /// One that was not used after all.
    pub(super) fn again(running: Arc<Running>, warm: Warm) -> Self {
        Self::new(running, std::future::ready(Some(warm)))
    }

    /// Takes the context of a session that was just saved, unless something of it is not as a restore would make it.
    pub(super) fn begin(
        session: &Session,
        outcome: &SessionOutcome,
        running: &Arc<Running>,
        ahead: Ahead,
    ) -> Option<Self> {
        let gate = running.now()?.as_ref().ok()?.gate.clone();
        let (kept, tabs) = (session.0.kept.as_ref()?, &session.0.room.tabs);
        let (names, failed) = kept.restored();
        let base = kept.base().with_names(names);
        let stored = base.stored()?.clone();
        let is_pending = |key: &str| kept.restorer.as_ref().is_some_and(|restorer| restorer.is_pending(key));
        let visited = tabs.visited();
        let storages = tabs.storages().clone();
        let is_whole = outcome.save_error.is_none() && outcome.partial.is_empty() && failed.is_empty();
        let is_known = |key: &str| is_pending(key) || base.knows(key);
        let is_as_restored = is_whole
            && outcome.version == Some(stored.version)
            && !kept.is_lost()
            && !tabs.is_busy()
            && storages.has_only(&base.names)
            && !visited.with_password
            && !storages.has_lost_workers()
            && !visited.origins.iter().any(|key| is_pending(key))
            && stored.index.parts.iter().all(|part| part.bytes == 0 || is_known(&part.storage_key));
        if !is_as_restored {
            return None;
        }
        let room = session.0.room.give_away(&gate)?;
        let restorer = (!stored.index.parts.is_empty()).then(|| {
            Restorer::resume(&kept.named, (&base, stored.clone()), room.tabs.clone(), kept.restorer.as_deref())
        });
        // Its hidden page goes; what it was about to put in place is the next one's.
        drop(session.close());
        let identity = base.identity().cloned().unwrap_or_default();
        let warm = Warm { room, base: Arc::new(base), restorer, gate, found: Vec::new() };
        let ready = warm.ready(identity, storages, ahead);
        Some(Self::new(running.clone(), async { Deadline::after(READY).race(ready).await.flatten() }))
    }

    /// Once it is ready; none where it came to nothing.
    pub(super) async fn warm(mut self) -> Option<Warm> {
        let mut warm = self.task.join_next().await?.ok().flatten()?;
        // What a server sent late comes unseen.
        warm.found = cookies::read(&warm.room.context).await.ok()?;
        Some(warm)
    }
}

impl Warm {
    /// Leaves nothing of who had the context before but what is kept.
    async fn ready(self, identity: KeptIdentity, before: TabStorages, mut ahead: Ahead) -> Option<Self> {
        let (context, tabs) = (&self.room.context, &self.room.tabs);
        let reset = ResetPermissionsParams { browser_context_id: Some(context.id().clone()) };
        let reset = context.browser().cdp().send(reset);
        tabs.tell_at_first(&identity).await.ok()?;
        let stored = self.base.stored()?;
        if !permissions::write(context, &stored.index.beside.permissions).await.is_empty() {
            return None;
        }
        reset.await.ok()?;
        if let Some(restorer) = &self.restorer {
            restorer.ready_tabs().await.ok()?;
        }
        let Next { page, held } = match ahead.join_next().await?.ok().flatten()? {
            next if next.held.is_in(&self.base.names) => next,
            // It has something of its own, of which no version is.
            _ => Next::fresh(tabs, tabs.own().emulation(&identity)?).await?,
        };
        let cleared = page.target().cdp().send(ClearBrowserCacheParams::default());
        self.alone(&page).await?;
        if !before.has_only(&self.base.names) {
            return None;
        }
        cleared.await.ok()?;
        tabs.begin(&page, held).await.ok()?;
        reached("warm.ready");
        Some(self)
    }

    /// Closes all pages but one, and waits until they have gone; none where a worker stays that remembers.
    async fn alone(&self, page: &Page) -> Option<()> {
        loop {
            let mut others = self.room.context.all_targets();
            others.retain(|target| target.id() != page.target().id());
            if others.is_empty() {
                return Some(());
            }
            if others.iter().any(|target| *target.kind() != TargetKind::Page) {
                return None;
            }
            let closed = join_all(others.iter().map(|target| async move {
                let closed = target.close().await;
                target.gone().await;
                closed
            }));
            // One that Chromium does not know any more is on its way out.
            drop(closed.await);
        }
    }

    /// Whether it goes out by `way`.
    pub(super) fn goes_by(&self, way: Option<&Way>) -> bool {
        Way::are_same(self.room.way.as_ref(), way)
    }

    /// Whether it holds what `opening` would be restored to.
    pub(super) fn is_as(&self, opening: &Opening) -> bool {
        let (Some(own), Some(now)) = (self.base.stored(), opening.base.stored()) else { return false };
        // A session that was deleted and made anew may have come to the same numbers, but has another key.
        let is_same = own.version == now.version && own.fence == now.fence && own.record.has_keys_of(&now.record);
        let is_clean = || cookies::diff(self.base.cookies(), &self.found, cookies::now()).is_empty();
        is_same && !self.room.context.is_forgotten() && is_clean()
    }
}

impl Session {
    /// A session that is opened from a context that stayed warm, under a new lease.
    pub(super) async fn resume(warm: Warm, named: Named) -> Result<Self, SessionError> {
        let Warm { room, base, restorer, gate, .. } = warm;
        if let Some(restorer) = restorer.as_ref().filter(|restorer| restorer.has_pending()) {
            gate.hold_for(restorer).await?;
        }
        let session = Self::of(Some(Kept::resumed(named, restorer, base)), room);
        session.identify_at_first().await?;
        reached("open.warm");
        session.0.checkpoints.begin(&session.0);
        Ok(session)
    }
}
