//! The tabs of a session: those that we open, popups that open themselves, and which documents were ever in them.

mod opening;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::target::CloseTargetParams;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, watch};

use crate::base::Deadline;
use crate::browser::{BrowserError, Context, Target, TargetEvent};
use crate::page::{Emulation, Page};

use super::SessionError;
use super::aside::{Guest, GuestTab, HiddenIds, HiddenTab};
use super::emulate::{KeptIdentity, Own, Told, grant_geolocation};
use super::permissions::Permissions;
use super::reopen::Wanted;
use super::storage_key::Position;
use super::tab_held::Held;
use super::tab_storage::TabStorages;
use super::visited::{Visited, has_password};

/// How long a popup may take to take another identity.
const LATE_TIMEOUT: Duration = Duration::from_secs(10);

/// The tabs of one browser context. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tabs(Arc<Inner>);

/// Tabs that somebody else keeps.
pub(super) struct WeakTabs(Weak<Inner>);

impl WeakTabs {
    /// The tabs, unless they have gone.
    pub(super) fn upgrade(&self) -> Option<Tabs> {
        self.0.upgrade().map(Tabs)
    }
}

struct Inner {
    context: Context,
    hidden: HiddenIds,
    own: Own,
    told: Told,
    storages: TabStorages,
    wanted: Wanted,
    state: Mutex<State>,
    arrived: Notify,
    /// Counts the pages that came.
    added: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Whether tabs that come are these.
    takes_in: bool,
    /// Whether somebody else answers the dialogs of their pages.
    leaves_dialogs: bool,
    /// Tabs that have been asked for and not yet been claimed.
    outstanding: usize,
    /// Attached tabs that may be among those asked for: attaching and the answer to the request come in either order.
    unclaimed: HashMap<String, Target>,
    /// Popups that are being made pages of.
    adopting: usize,
    /// A tab in no window, kept for when there is none any more.
    unseen: Option<Target>,
    /// Pages that scripts can see, oldest first.
    pages: Vec<Page>,
    /// The documents committed in each page, not yet looked at.
    commits: Vec<Commits>,
    /// Origins (with a slash at the end) of http and https documents seen so far.
    visited: Visited,
    /// What an origin may that nobody has met, by whether it is secure.
    strangers: HashMap<bool, Permissions>,
    notices: Vec<String>,
    /// The main frames of tabs that scripts do not see, and whose documents are loaded as those of the others.
    guests: HashSet<String>,
}

/// The documents of a page.
struct Commits {
    /// The main frame.
    main: String,
    /// The origin that it is at.
    top: Option<String>,
    queue: UnboundedReceiver<(String, String)>,
}

impl Tabs {
    /// Follows the tabs of `context`.
    pub(super) fn follow(context: Context, hidden: HiddenIds, own: Own) -> Self {
        Self::follow_as(context, hidden, own, State { takes_in: true, ..State::default() })
    }

    /// Follows the tabs of a browser that is somebody else's, who sees to its dialogs.
    pub(super) fn visit(context: Context, hidden: HiddenIds, own: Own) -> Self {
        Self::follow_as(context, hidden, own, State { takes_in: true, leaves_dialogs: true, ..State::default() })
    }

    /// Wakes who waits for it whenever a tab has come, or has become a page.
    pub(super) fn arrived(&self) -> &Notify {
        &self.0.arrived
    }

    /// Follows the tabs of a context that others were in; takes in nothing before [`Self::begin`].
    pub(super) fn follow_after(before: &Self) -> Self {
        let Inner { context, hidden, own, .. } = &*before.0;
        let strangers = before.state().strangers.clone();
        Self::follow_as(context.clone(), hidden.clone(), own.clone(), State { strangers, ..State::default() })
    }

    fn follow_as(context: Context, hidden: HiddenIds, own: Own, state: State) -> Self {
        let mut events = context.targets();
        let tabs = Self(Arc::new(Inner {
            context,
            hidden,
            own,
            told: Told::default(),
            storages: TabStorages::default(),
            wanted: Wanted::default(),
            state: Mutex::new(state),
            arrived: Notify::new(),
            added: watch::Sender::new(0),
        }));
        // Weak: the browser ends with its last user, and following alone is no use of it.
        let follower = Arc::downgrade(&tabs.0);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let Some(tabs) = follower.upgrade().map(Self) else { return };
                if let TargetEvent::Attached(target) = event {
                    tabs.attached(target);
                }
            }
            // Whoever waits for a tab that will never come looks at the context once more.
            if let Some(tabs) = follower.upgrade() {
                tabs.arrived.notify_waiters();
            }
        });
        tabs
    }

    /// Does not keep them.
    pub(super) fn downgrade(&self) -> WeakTabs {
        WeakTabs(Arc::downgrade(&self.0))
    }

    /// Whose they are.
    pub(super) fn context_id(&self) -> &BrowserContextId {
        self.0.context.id()
    }

    /// Takes in no tab any more but those that were asked for: somebody else does.
    pub(super) fn retire(&self) {
        self.state().takes_in = false;
    }

    /// Takes in what comes from now on, beginning with `page`, which is set up already; its tab has `held`.
    pub(super) async fn begin(&self, page: &Page, held: Held) -> Result<(), BrowserError> {
        self.storages().follow_holding(page, held).await?;
        self.add(page);
        self.state().takes_in = true;
        Ok(())
    }

    /// The hidden pages of their browser.
    pub(super) fn hidden(&self) -> &HiddenIds {
        &self.0.hidden
    }

    /// Closes a tab that is no page of theirs, unless it has gone.
    pub(super) fn shut(&self, tab: &Target) {
        if !tab.is_gone() {
            self.0.context.browser().cdp().send(CloseTargetParams::new(tab.id().clone())).forget();
        }
    }

    pub(super) fn forget_guest(&self, tab: &str) {
        self.state().guests.remove(tab);
    }

    /// Whether a popup is being made a page of, or a page is open that scripts do not see.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        state.adopting > 0 || !state.guests.is_empty()
    }

    /// The sessionStorage of the tabs.
    pub(super) fn storages(&self) -> &TabStorages {
        &self.0.storages
    }

    /// Those of them that are wanted back.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.0.wanted
    }

    /// What the browser tells sites by itself.
    pub(super) fn own(&self) -> &Own {
        &self.0.own
    }

    /// What the tabs tell otherwise.
    pub(super) fn told(&self) -> &Told {
        &self.0.told
    }

    /// What tabs are to tell from their start; nothing where it is not known what the browser tells by itself. For a context
    /// without tabs, or with one that nothing has run in.
    pub(super) async fn tell_at_first(&self, identity: &KeptIdentity) -> Result<(), BrowserError> {
        let Some(emulation) = self.own().emulation(identity).filter(|_| self.pages().is_empty()) else { return Ok(()) };
        if emulation.geolocation.is_some() {
            grant_geolocation(&self.0.context).await?;
        }
        self.0.context.before_workers(emulation.worker_commands());
        *self.told().now() = emulation;
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attached(&self, target: Target) {
        let mut state = self.state();
        // One that came before, and is known or has gone, or that is somebody else's.
        let is_known = |page: &Page| page.target().id() == target.id();
        if target.is_gone() || state.pages.iter().any(is_known) {
            return;
        }
        if state.outstanding > 0 && target.opener().is_none() {
            state.unclaimed.insert(target.id().inner().clone(), target);
            drop(state);
            self.0.arrived.notify_waiters();
        } else if state.takes_in {
            drop(state);
            self.adopt(target);
        }
    }

    /// Makes a page of a popup.
    fn adopt(&self, target: Target) {
        let tabs = self.clone();
        self.state().adopting += 1;
        tokio::spawn(async move {
            // A popup that is gone before it is set up is nobody's loss.
            let told = tabs.told().now().clone();
            if let Ok(page) = Page::attach_as(target, told.clone()).await {
                // What is not followed has the sessionStorage that its documents tell at the end.
                let followed = tabs.storages().follow(&page).await;
                tabs.add(&page);
                let now = tabs.told().now().clone();
                if now != told {
                    // It was changed while the popup was being set up; a popup that does not take it tells so by itself.
                    let _ = page.emulate(|emulation| *emulation = now, Deadline::after(LATE_TIMEOUT)).await;
                }
                drop(followed);
            }
            tabs.state().adopting -= 1;
            tabs.0.arrived.notify_waiters();
        });
    }

    /// Resolves once no page is open: each was closed, or the browser has gone.
    pub(super) async fn emptied(&self) {
        loop {
            let arrived = self.0.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if let Some(page) = self.pages().into_iter().next() {
                page.target().gone().await;
            } else if self.state().adopting > 0 {
                arrived.await;
            } else {
                return;
            }
        }
    }

    /// Opens a tab at `about:blank` that scripts do not see, in a window.
    pub(super) async fn open_blank(&self) -> Result<HiddenTab, BrowserError> {
        let target = self.open_target().await?;
        target.resume();
        Ok(HiddenTab::new(target, self.clone()))
    }

    /// Sees to it that a tab in no window can be had when there is none any more. To be called while there is one.
    pub(super) async fn keep_unseen(&self) -> Result<(), BrowserError> {
        let target = self.0.context.new_hidden_target().await?;
        self.0.hidden.add(target.id().inner());
        self.state().unseen = Some(target);
        Ok(())
    }

    fn add(&self, page: &Page) {
        let mut state = self.state();
        let main = page.target().id().inner().clone();
        if state.leaves_dialogs {
            page.keep_dialogs(Some(Box::new(|_| true)));
        }
        state.commits.push(Commits { main, top: None, queue: page.commits() });
        state.pages.push(page.clone());
        drop(state);
        self.0.added.send_modify(|count| *count += 1);
    }

    /// Changes whenever a page has come that scripts can see.
    pub(super) fn added(&self) -> watch::Receiver<u64> {
        self.0.added.subscribe()
    }

    /// Opens a tab that stays hidden from scripts.
    pub(super) async fn open_hidden(&self) -> Result<HiddenTab, BrowserError> {
        // Chromium makes none that is in no window where there is no window at all.
        let unseen = if self.0.hidden.are_unseen() { self.0.context.new_hidden_target().await.ok() } else { None };
        let target = match unseen.or_else(|| self.state().unseen.take()) {
            Some(target) => target,
            None => self.open_target().await?,
        };
        Ok(HiddenTab::new(target, self.clone()))
    }

    /// The tab of `page`, which is to be at an empty document, as a page that nobody has a handle of: for [`Self::begin`] of who comes
    /// after; it tells `emulation`.
    pub(super) async fn renew(&self, page: &Page, emulation: Emulation) -> Result<Page, SessionError> {
        Ok(Page::attach_as(self.0.context.renew(page.target()).await?, emulation).await?)
    }

    /// Opens a page that scripts do not see: it has the storages that they have, and a copy of their sessionStorage.
    pub(super) async fn open_guest(&self) -> Result<Guest, SessionError> {
        let tab = GuestTab::new(self.open_target().await?, self.clone());
        self.state().guests.insert(tab.target().id().inner().clone());
        let told = self.told().now().clone();
        let page = Page::attach_as(tab.target().clone(), told).await?;
        self.storages().copy_to(&page).await?;
        let main = page.target().id().inner().clone();
        self.state().commits.push(Commits { main, top: None, queue: page.commits() });
        Ok(tab.with(page))
    }

    /// The pages that are open, oldest first.
    pub(super) fn pages(&self) -> Vec<Page> {
        let mut state = self.state();
        state.pages.retain(|page| !page.is_closed());
        state.pages.clone()
    }

    /// Where a document is that is asked for in `frame`.
    pub(super) fn position_of(&self, frame: &str) -> Position {
        let state = self.state();
        if state.guests.contains(frame) || state.pages.iter().any(|page| page.target().id().inner() == frame) {
            return Position::InTab;
        }
        let page = state.pages.iter().find(|page| page.frames().iter().any(|known| known.id() == frame));
        page.and_then(|page| origin_of(&page.main_frame().url())).map_or(Position::Unknown, Position::Below)
    }

    /// What an origin may here that nobody has met, where it is known: in a secure context or not.
    pub(super) fn stranger(&self, secure: bool) -> Option<Permissions> {
        self.state().strangers.get(&secure).cloned()
    }

    pub(super) fn know_stranger(&self, secure: bool, states: Permissions) {
        self.state().strangers.insert(secure, states);
    }

    /// Notes a storage key that the documents alone do not tell of.
    pub(super) fn used(&self, key: &str) {
        self.state().visited.keys.insert(key.to_owned());
    }

    /// Every origin that had a document in one of the tabs so far.
    pub(super) fn visited(&self) -> Visited {
        let mut state = self.state();
        let State { commits, visited, pages, .. } = &mut *state;
        for Commits { main, top, queue } in commits {
            while let Ok((frame, url)) = queue.try_recv() {
                let origin = origin_of(&url);
                visited.with_password |= has_password(&url);
                if frame == *main {
                    top.clone_from(&origin);
                }
                if let Some(origin) = origin {
                    visited.add(top.as_deref().filter(|_| frame != *main), &origin);
                }
            }
        }
        // What is open now may not have come through the channel yet.
        for page in pages {
            let top = origin_of(&page.main_frame().url());
            for frame in page.frames() {
                if let Some(origin) = origin_of(&frame.url()) {
                    visited.add(top.as_deref(), &origin);
                }
            }
        }
        visited.clone()
    }

    /// Something that the user should know.
    pub(super) fn notice(&self, texts: Vec<String>) {
        self.state().notices.extend(texts);
    }

    /// Notices of the pages since the last call.
    pub(super) fn take_notices(&self) -> Vec<String> {
        let mut state = self.state();
        let mut notices = std::mem::take(&mut state.notices);
        notices.extend(state.pages.iter().flat_map(Page::take_notices));
        notices
    }
}

/// The origin of an http or https URL with a slash at its end, which is also its first-party storage key.
pub(super) fn origin_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| format!("{}/", url.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn only_the_web_has_storage() {
        assert_eq!(origin_of("https://a.example/x?y"), Some("https://a.example/".into()));
        assert_eq!(origin_of("http://127.0.0.1:8080/x"), Some("http://127.0.0.1:8080/".into()));
        assert_eq!(origin_of("https://a.example:443"), Some("https://a.example/".into()));
        for url in ["about:blank", "data:text/html,x", "chrome-error://chromewebdata/", "nonsense"] {
            assert_eq!(origin_of(url), None, "{url}");
        }
    }
}
