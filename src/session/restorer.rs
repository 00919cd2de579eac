//! Restore on first touch: a request for a document of an origin is held until what the session keeps of that origin is
//! in place. Nothing is restored for an origin that a run never visits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::{
    ContinueRequestParams, DisableParams, EnableParams, FulfillRequestParams, HeaderEntry, RequestPattern,
};
use chromiumoxide::cdp::browser_protocol::network::ResourceType;
use futures_util::future::join_all;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::base::{Deadline, Tenant, reached, with_causes};
use crate::browser::{Browser, BrowserError, RawEvent};

use super::aside::HiddenIds;
use super::emulate::Own;
use super::hidden::HiddenPage;
use super::kept::Named;
use super::large::MEMORY_BYTES;
use super::part::{Names, Outline, Part};
use super::profile::Overlay;
use super::save::Base;
use super::sessions::{Prefetched, Sessions, Stored};
use super::state::PartRef;
use super::storage::{self, Door, PIECE_BYTES};
use super::storage_key::{self, Place, Position};
use super::tabs::{Tabs, WeakTabs, origin_of};
use super::{Partial, SessionError};

/// How long restoring one origin may take: this, and more for what is large, at the least speed that counts as coming on. Where
/// nothing comes on at all, the limit of a single piece ends it long before.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long making the hidden page ahead may take: who needs one waits for it.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(5);
const BYTES_PER_SECOND: u64 = 64 << 10;

/// What a session keeps and has not put in place yet.
pub(super) struct Restorer {
    sessions: Sessions,
    tenant: Tenant,
    stored: Arc<Stored>,
    prefetched: Arc<Prefetched>,
    tabs: Tabs,
    /// Whether an origin may hold something in the browser, which has to go before its own is put in place.
    clears: bool,
    pending: Mutex<HashMap<String, PartRef>>,
    done: Mutex<Done>,
    /// The hidden page, made ahead; one origin at a time.
    hidden: tokio::sync::Mutex<Option<HiddenPage>>,
}

/// What has been put in place, and what could not be.
#[derive(Default)]
pub(super) struct Done {
    /// By storage key: the names in the part, to tell changes from.
    pub(super) names: HashMap<String, Names>,
    /// What could not be restored. Where this is not empty the session is not saved over.
    pub(super) failed: Vec<Partial>,
    /// The scopes of the service workers that were put in place.
    scopes: Vec<String>,
    /// What is not in place, and is no reason not to save: for the user.
    warnings: Vec<String>,
}

impl Restorer {
    /// Of all that is kept, but for what the overlay says is in place.
    pub(super) fn new(
        sessions: Sessions,
        tenant: Tenant,
        stored: Arc<Stored>,
        prefetched: Arc<Prefetched>,
        tabs: Tabs,
        overlay: &Overlay,
    ) -> Arc<Self> {
        let clears = !overlay.is_new;
        let parts = stored.index.parts.iter().filter(|part| !overlay.in_place.contains(&part.storage_key));
        // An empty part only names what could not be kept: there is nothing to put in place.
        let (empty, pending): (Vec<_>, Vec<_>) = parts.partition(|part| part.bytes == 0);
        let names = empty.into_iter().map(|part| (part.storage_key.clone(), Names::new())).collect();
        let pending = pending.into_iter().map(|part| (part.storage_key.clone(), part.clone())).collect();
        let done = Mutex::new(Done { names, ..Done::default() });
        let (pending, hidden) = (Mutex::new(pending), tokio::sync::Mutex::default());
        Arc::new(Self { sessions, tenant, stored, prefetched, tabs, clears, pending, done, hidden })
    }

    /// Of a session whose context holds what `base` knows: what `before` had still to put in place is left, in other tabs.
    pub(super) fn resume(
        named: &Named,
        (base, stored): (&Base, Arc<Stored>),
        tabs: Tabs,
        before: Option<&Self>,
    ) -> Arc<Self> {
        let is_left = |key: &str| before.is_some_and(|before| before.is_pending(key));
        let left = base.parts().filter(|part| part.bytes > 0 && is_left(&part.storage_key));
        let pending = left.map(|part| (part.storage_key.clone(), part.clone())).collect();
        let scopes = before.map(|before| before.done().scopes.clone()).unwrap_or_default();
        let done = Mutex::new(Done { names: base.names.clone(), scopes, ..Done::default() });
        let (sessions, tenant) = (named.sessions.clone(), named.tenant.clone());
        let (pending, hidden) = (Mutex::new(pending), tokio::sync::Mutex::default());
        let prefetched = base.sealed().clone();
        Arc::new(Self { sessions, tenant, stored, prefetched, tabs, clears: false, pending, done, hidden })
    }

    /// Makes the hidden page ahead of its use, in the background, and goes where the run is likely to: to an empty document, and
    /// nothing is put in place. What fails is tried again, and told, where it is needed.
    pub(super) fn prepare(self: &Arc<Self>) {
        let restorer = self.clone();
        tokio::spawn(async move {
            let mut hidden = restorer.hidden.lock().await;
            if hidden.is_some() || !restorer.has_pending() {
                return;
            }
            let prepared = async {
                let mut page = HiddenPage::prepare(restorer.tabs.open_hidden().await?).await?;
                if let Some(likely) = restorer.likely().filter(|key| storage_key::place(key) == Place::Tab) {
                    page.visit(&likely).await?;
                }
                Ok::<_, BrowserError>(page)
            };
            *hidden = Deadline::after(PREPARE_TIMEOUT).race(prepared).await.and_then(Result::ok);
        });
    }

    /// What is to be put in place first, where that can be told: a wrong guess costs more than a right one saves.
    fn likely(&self) -> Option<String> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.keys().next().filter(|_| pending.len() == 1).cloned()
    }

    /// Makes sessionStorage ready in the tabs. Where a part cannot be opened, its origin's restoring will say so.
    pub(super) async fn ready_tabs(&self) -> Result<(), SessionError> {
        let parts = self.stored.index.parts.iter().filter(|part| part.session);
        let opened = join_all(parts.map(|part| async move { (part, self.session_lines(part).await) })).await;
        let lines = opened.into_iter().filter_map(|(part, lines)| Some((part.storage_key.clone(), lines?)));
        Ok(self.tabs.storages().keep(lines.collect()).await?)
    }

    async fn session_lines(&self, part: &PartRef) -> Option<Zeroizing<String>> {
        if is_large(part) {
            return self.sessions.outline(&self.tenant, &self.stored, part).await.ok()?.session_lines();
        }
        self.open(part).await.ok()?.session_lines()
    }

    async fn open(&self, part: &PartRef) -> Result<Part, SessionError> {
        self.sessions.open_part(&self.tenant, &self.stored, part, self.prefetched.get(&part.part_id())).await
    }

    /// What the user should be told.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.done().warnings)
    }

    /// Whether a service worker that was put in place should answer for `url`.
    fn controls(&self, url: &str) -> bool {
        self.done().scopes.iter().any(|scope| url.starts_with(scope))
    }

    /// Its session is closed: nothing is left to put in place, nor the page to do it in.
    pub(super) fn close(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Where somebody is at work in it, that work fails now, and lets go of the page.
        if let Ok(mut hidden) = self.hidden.try_lock() {
            *hidden = None;
        }
    }

    fn pending(&self, key: &str) -> Option<PartRef> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The storage keys that a document of `origin` which is asked for there may use, and that are not in place yet.
    fn pending_for(&self, origin: &str, position: &Position) -> Vec<String> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.keys().filter(|key| storage_key::may_use(key, origin, position)).cloned().collect()
    }

    /// Puts in place what a document of `origin` finds there.
    async fn ensure_for(&self, origin: &str, position: &Position) {
        for key in self.pending_for(origin, position) {
            self.ensure(&key).await;
        }
    }

    /// Whether what is kept under this storage key is not in place yet.
    pub(super) fn is_pending(&self, key: &str) -> bool {
        self.pending(key).is_some()
    }

    /// Whether something is not in place yet.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What has been restored so far.
    pub(super) fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in place what is kept under a storage key, unless it is. What fails is noted, and the page loads all the same.
    pub(super) async fn ensure(&self, key: &str) {
        if self.pending(key).is_none() {
            return;
        }
        let mut hidden = self.hidden.lock().await;
        // Another request for the same origin may have been first.
        let Some(part) = self.pending(key) else { return };
        let deadline = Deadline::after(RESTORE_TIMEOUT + Duration::from_secs(part.bytes / BYTES_PER_SECOND));
        let restored = deadline
            .race(self.restore(&mut hidden, &part, deadline))
            .await
            .unwrap_or_else(|| Err(SessionError::Late { id: self.stored.record.id.clone() }));
        if restored.is_err() {
            // Whatever went wrong in it, the next origin gets a page of its own.
            *hidden = None;
        }
        let mut done = self.done();
        match restored {
            Ok((names, failed)) => {
                done.names.insert(key.to_owned(), names);
                for lost in failed {
                    if lost.store == "serviceWorker" {
                        let scope = lost.key.unwrap_or_default();
                        done.warnings.push(format!("the service worker of {scope} was not put back: {}", lost.reason));
                    } else {
                        done.failed.push(lost);
                    }
                }
            }
            Err(error) => {
                let reason = with_causes(&error);
                done.failed.push(Partial { origin: key.to_owned(), store: "storage".into(), key: None, reason });
            }
        }
        drop(done);
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        reached("restore.done");
    }

    async fn restore(
        &self,
        hidden: &mut Option<HiddenPage>,
        part: &PartRef,
        deadline: Deadline,
    ) -> Result<(Names, Vec<Partial>), SessionError> {
        // Nothing is written before the whole is verified.
        let opened = if is_large(part) {
            Opened::Large(Box::new(self.sessions.outline(&self.tenant, &self.stored, part).await?))
        } else {
            Opened::Small(self.open(part).await?)
        };
        reached("restore.part_opened");
        let page = match hidden {
            Some(page) => page,
            None => hidden.insert(HiddenPage::prepare(self.tabs.open_hidden().await?).await?),
        };
        page.visit(&part.storage_key).await?;
        if self.clears {
            storage::clear(page.cdp(), &part.storage_key).await?;
        }
        if storage_key::place(&part.storage_key) == Place::Between {
            self.tabs.used(&part.storage_key);
        }
        let door = Door::Hidden(page);
        let failed = match &opened {
            Opened::Small(whole) => door.restore(&part.storage_key, whole, deadline).await?,
            Opened::Large(_) => {
                let (sessions, stored) = (&self.sessions, &self.stored);
                let mut lines = sessions.open_lines(&self.tenant, stored, part, PIECE_BYTES).await?;
                while let Some(piece) = lines.next().await? {
                    door.write(&piece, deadline).await?;
                }
                door.written(&part.storage_key, deadline).await?
            }
        };
        reached("restore.part_written");
        let (workers, scopes, names) = match opened {
            Opened::Small(part) => (part.worker_lines(), part.scopes(), part.names()),
            Opened::Large(outline) => (outline.worker_lines(), outline.scopes(), outline.names()),
        };
        let away = failed.iter().filter(|lost| lost.store == "serviceWorker").filter_map(|lost| lost.key.clone());
        let away: Vec<_> = away.collect();
        if let (Some(lines), false) = (workers, away.is_empty()) {
            self.tabs.storages().keep_workers(&part.storage_key, lines);
        }
        self.done().scopes.extend(scopes.into_iter().filter(|scope| !away.contains(scope)));
        Ok((names, failed))
    }
}

/// A part that is verified, as a whole where it is small.
enum Opened {
    Small(Part),
    Large(Box<Outline>),
}

/// Whether it is opened piece by piece.
fn is_large(part: &PartRef) -> bool {
    part.blob.is_some() && part.bytes > MEMORY_BYTES as u64
}

/// Holds documents of one browser while any of its sessions has something left to restore.
pub(super) struct Gate {
    browser: Browser,
    own: Own,
    hidden: HiddenIds,
    restorers: Mutex<Vec<Weak<Restorer>>>,
    /// The tabs of every context, to tell whose a frame is.
    rooms: Mutex<Vec<WeakTabs>>,
    /// How many contexts there ever were.
    opened: AtomicUsize,
    /// Set while holding is on; the async lock keeps switching on and off in order.
    holding: tokio::sync::Mutex<bool>,
}

/// The fields of `Fetch.requestPaused` that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paused {
    request_id: String,
    frame_id: String,
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    url: String,
}

impl Gate {
    /// A gate that holds nothing yet; its hidden pages are `unseen` where they are to be in no window.
    pub(super) fn new(browser: Browser, own: Own, unseen: bool) -> Arc<Self> {
        let gate = Arc::new(Self {
            browser,
            own,
            hidden: HiddenIds::new(unseen),
            restorers: Mutex::default(),
            rooms: Mutex::default(),
            opened: AtomicUsize::new(0),
            holding: tokio::sync::Mutex::new(false),
        });
        let mut events = gate.browser.cdp().raw_events(&["Fetch.requestPaused"]);
        let weak = Arc::downgrade(&gate);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let Some(gate) = weak.upgrade() else { break };
                tokio::spawn(async move { gate.pass(event).await });
            }
        });
        gate
    }

    /// Whose documents it holds.
    pub(super) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The hidden pages of this browser: what they ask for is never held.
    pub(super) fn hidden(&self) -> HiddenIds {
        self.hidden.clone()
    }

    /// Knows the tabs of a context that was just made.
    pub(super) fn know(&self, tabs: &Tabs) {
        self.opened.fetch_add(1, Ordering::AcqRel);
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|room| room.upgrade().is_some());
        rooms.push(tabs.downgrade());
    }

    /// How many contexts it has known.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Acquire)
    }

    /// Whose a frame is; none where it is not announced yet.
    fn tabs_of(&self, frame: &str) -> Option<Tabs> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let rooms: Vec<Tabs> = rooms.iter().filter_map(WeakTabs::upgrade).collect();
        // A popup is attached before it asks for anything, and followed as a page some time later.
        if let Some(context) = self.browser.context_of(frame) {
            return rooms.into_iter().find(|tabs| tabs.context_id() == &context);
        }
        rooms.into_iter().find(|tabs| tabs.position_of(frame) != Position::Unknown)
    }

    /// What the browser tells sites by itself.
    pub(super) fn own(&self) -> Own {
        self.own.clone()
    }

    /// Holds documents from now on, until `restorer` has nothing left. Answers when Chromium has confirmed it.
    pub(super) async fn hold_for(&self, restorer: &Arc<Restorer>) -> Result<(), BrowserError> {
        {
            let mut restorers = self.restorers();
            restorers.retain(|restorer| restorer.upgrade().is_some_and(|restorer| restorer.has_pending()));
            restorers.push(Arc::downgrade(restorer));
        }
        let mut holding = self.holding.lock().await;
        if !*holding {
            let documents = RequestPattern::builder().url_pattern("*").resource_type(ResourceType::Document).build();
            self.browser.cdp().call(EnableParams::builder().pattern(documents).build()).await?;
            *holding = true;
        }
        Ok(())
    }

    fn restorers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Restorer>>> {
        self.restorers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a held request go once its origin's storage is in place.
    async fn pass(&self, event: RawEvent) {
        let Some(paused) = event.decode::<Paused>() else { return };
        let url = &paused.request.url;
        let origin = origin_of(url).filter(|_| !self.hidden.contains(&paused.frame_id, url));
        let mut again = false;
        if let Some(origin) = origin {
            let mut owners: Vec<_> = self.restorers().iter().filter_map(Weak::upgrade).collect();
            let position = match self.tabs_of(&paused.frame_id) {
                Some(tabs) => {
                    owners.retain(|restorer| restorer.tabs.context_id() == tabs.context_id());
                    tabs.position_of(&paused.frame_id)
                }
                // A frame belongs to nobody that we know where it is not announced yet; restoring for all is never wrong, only
                // rarely needed.
                None => Position::Unknown,
            };
            let waited = owners.iter().any(|restorer| !restorer.pending_for(&origin, &position).is_empty());
            join_all(owners.iter().map(|restorer| restorer.ensure_for(&origin, &position))).await;
            again = waited && owners.iter().any(|restorer| restorer.controls(&paused.request.url));
        }
        // Its answer may never come: the tab can be closed meanwhile.
        if again {
            // Whether a service worker answers was decided before this one was there: the request is sent to itself, so that
            // it is decided anew.
            let mut redirect = FulfillRequestParams::new(paused.request_id, 307);
            redirect.response_headers = Some(vec![HeaderEntry::new("Location", paused.request.url)]);
            drop(self.browser.cdp().send(redirect));
        } else {
            drop(self.browser.cdp().send(ContinueRequestParams::new(paused.request_id)));
        }
        self.open_if_done().await;
    }

    /// Switches holding off when nothing is left: from then on documents cost nothing.
    async fn open_if_done(&self) {
        let mut holding = self.holding.lock().await;
        let left = self.restorers().iter().filter_map(Weak::upgrade).any(|restorer| restorer.has_pending());
        if *holding && !left {
            // Requests that are held at this moment are let go by Chromium when the domain is switched off.
            *holding = false;
            drop(self.browser.cdp().send(DisableParams::default()));
        }
    }
}
