//! The tab of a session that stays warm. The next who opens the session begins in the same tab, and so in the same process of Chromium,
//! where all that a page needs has been loaded and compiled: in a process of its own a page costs twice as much.
//!
//! What the tab had of before goes: its document, emptied with scripts switched off; its history and its name; and with the
//! CDP session that it was driven by all that was set there (overrides, headers, scripts, subscriptions), and all handles of before.
//! What a tab holds beyond that is sessionStorage ([`super::tab_held`]). Where any of it does not come about, there is a fresh tab.

use std::collections::BTreeMap;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::emulation::SetScriptExecutionDisabledParams;
use chromiumoxide::cdp::browser_protocol::network::SetCacheDisabledParams;
use chromiumoxide::cdp::browser_protocol::page::{
    FrameId, NavigateParams, ResetNavigationHistoryParams, SetDocumentContentParams,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::base::{Deadline, reached};
use crate::page::{Emulation, Page};

use super::kept::Kept;
use super::tab_held::Held;
use super::tabs::Tabs;
use super::{Saving, Session};

/// How long a tab may take to be emptied; one whose process is at work on something else goes.
const EMPTIED: Duration = Duration::from_secs(1);
const EMPTY: &str = "about:blank";

/// A page for the next who opens a session, on its way.
pub(super) type Ahead = JoinSet<Option<Next>>;

/// A page that nothing has run in, as far as a site can tell, and what its tab holds.
pub(super) struct Next {
    pub(super) page: Page,
    pub(super) held: Held,
}

/// The fields of `Page.frameNavigated` that matter here.
#[derive(Deserialize)]
struct Navigated {
    frame: NavigatedFrame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NavigatedFrame {
    parent_id: Option<String>,
    url: String,
}

impl Next {
    /// In a tab of its own.
    pub(super) async fn fresh(tabs: &Tabs, emulation: Emulation) -> Option<Self> {
        Some(Self { page: tabs.set_up_aside(emulation).await.ok()?, held: Held::default() })
    }

    /// In the tab of `page`, whose scripts are switched off.
    async fn in_tab_of(page: &Page, tabs: &Tabs, emulation: Emulation) -> Option<Self> {
        let (cdp, tab) = (page.target().cdp(), page.target().id().inner());
        let mut documents = cdp.raw_events(&["Page.frameNavigated"]);
        forget_listeners(page).await?;
        cdp.call(NavigateParams::new(EMPTY)).await.ok()?;
        let is_empty = |Navigated { frame }: Navigated| frame.parent_id.is_none() && frame.url == EMPTY;
        while !documents.next().await?.decode().is_some_and(is_empty) {}
        let page = tabs.renew(page, emulation).await.ok()?;
        let held = tabs.storages().held(tab).await?;
        let cdp = page.target().cdp();
        let history = cdp.send(ResetNavigationHistoryParams::default());
        let name = cdp.send(EvaluateParams::new("name = ''"));
        // The process keeps what documents were made of, beside the cache; this empties it.
        let forgotten = cdp.send(SetCacheDisabledParams::new(true));
        let again = cdp.send(SetCacheDisabledParams::new(false));
        history.await.ok()?;
        let (name, ..) = (name.await.ok()?, forgotten.await.ok()?, again.await.ok()?);
        reached("warm.emptied");
        name.exception_details.is_none().then_some(Self { page, held })
    }
}

/// Empties the documents of a page, from the innermost out. With what is in them go those who listen: switched off or not, scripts
/// hear that their document goes.
async fn forget_listeners(page: &Page) -> Option<()> {
    for frame in page.frames().iter().rev() {
        let params = SetDocumentContentParams::new(FrameId::new(frame.id()), "");
        // One within another goes with that.
        if frame.cdp().call(params).await.is_err() && !frame.is_detached() {
            return None;
        }
    }
    Some(())
}

impl Session {
    /// Leaves its pages, where its context may stay warm, and makes one for the next who opens it, which tells what the session is
    /// kept with. For when it was read: what costs time then costs nobody's.
    pub(super) fn page_ahead(&self) -> Option<Ahead> {
        let kept = self.0.kept.as_ref().filter(|kept| may_stay(kept))?;
        let stays = self.leave_pages();
        let (tabs, identity) = (self.0.room.tabs.clone(), kept.identity().clone());
        let mut ahead = Ahead::new();
        ahead.spawn(async move {
            let emulation = tabs.own().emulation(&identity)?;
            if let Some(page) = stays {
                let emptied = Next::in_tab_of(&page, &tabs, emulation.clone());
                if let Some(next) = Deadline::after(EMPTIED).race(emptied).await.flatten() {
                    return Some(next);
                }
            }
            Next::fresh(&tabs, emulation).await
        });
        Some(ahead)
    }

    /// Switches scripts off in its pages, as what was read is to stay as it is, and closes them without a word, but the one whose tab
    /// may go on.
    fn leave_pages(&self) -> Option<Page> {
        let mut stays = None;
        for page in self.0.room.tabs.pages() {
            let frames = page.frames();
            let sessions: BTreeMap<_, _> =
                frames.iter().map(|frame| (frame.cdp().session_id().to_owned(), frame.cdp())).collect();
            for cdp in sessions.values() {
                cdp.send(SetScriptExecutionDisabledParams::new(true)).forget();
            }
            // A popup belongs to who has opened it.
            if stays.is_none() && page.target().opener().is_none() {
                stays = Some(page);
            } else {
                self.0.room.tabs.shut(page.target());
            }
        }
        stays
    }
}

/// Whether the context of such a session may be kept.
fn may_stay(kept: &Kept) -> bool {
    let is_plain = kept.own.is_none() && kept.saving == Saving::AsAsked && kept.lease.is_some() && !kept.is_lost();
    // Chromium remembers what it has given a site, and the vault may have another password by the next time.
    let has_password = kept.identity().whole().http_credentials.is_some();
    let has_history = kept.recovered.is_some() || kept.rolled_back.is_some() || kept.forked_from.is_some();
    is_plain && !has_password && !has_history && kept.forked_to.is_none()
}
