//! Opening tabs: they are asked for, claimed once they have come, and made pages of. What nobody waits for any more is a page that opened
//! itself, or is closed again.

use std::collections::HashMap;

use futures_util::future::join_all;

use crate::browser::{BrowserError, Target};
use crate::page::{Emulation, Page};

use super::super::SessionError;
use super::Tabs;

impl Tabs {
    /// Opens a tab without making a page of it.
    pub(super) fn open_target(&self) -> impl Future<Output = Result<Target, BrowserError>> + Send + '_ {
        self.state().outstanding += 1;
        let (asked, id) = (Asked(self), self.0.context.new_target());
        async move {
            let _asked = asked;
            let id = id.await?;
            let gone = self.0.context.browser().gone();
            tokio::pin!(gone);
            loop {
                let arrived = self.0.arrived.notified();
                tokio::pin!(arrived);
                // Registered before looking, so that an arrival in between is not missed.
                arrived.as_mut().enable();
                let claimed = self.state().unclaimed.remove(id.inner());
                if let Some(target) = claimed {
                    return Ok(target);
                }
                tokio::select! {
                    () = arrived => {}
                    error = &mut gone => return Err(error),
                }
            }
        }
    }

    /// Sets up a page that is in none of the tabs, for [`Self::begin`] of who comes after; it tells `emulation`.
    pub(in crate::session) async fn set_up_aside(&self, emulation: Emulation) -> Result<Page, SessionError> {
        Ok(Page::attach_as(self.open_target().await?, emulation).await?)
    }

    /// Opens a page.
    pub(in crate::session) async fn open_page(&self) -> Result<Page, SessionError> {
        Ok(self.set_up(self.open_target()).await?.list())
    }

    /// Opens so many pages at once, and hands each to `take` in the order that they have.
    pub(in crate::session) async fn open_pages(
        &self,
        count: usize,
        mut take: impl FnMut(Page),
    ) -> Result<(), SessionError> {
        let asked: Vec<_> = (0..count).map(|_| self.open_target()).collect();
        for page in join_all(asked.into_iter().map(|target| self.set_up(target))).await {
            take(page?.list());
        }
        Ok(())
    }

    async fn set_up(
        &self,
        target: impl Future<Output = Result<Target, BrowserError>>,
    ) -> Result<Unlisted<'_>, SessionError> {
        let tab = Claimed { tabs: self, target: Some(target.await?) };
        let Some(target) = tab.target.clone() else { return Err(BrowserError::TargetGone.into()) };
        let asked = self.own().ask(&target, &self.0.context);
        let told = self.told().now().clone();
        let page = Page::attach_as(target, told).await?;
        if let Some(asked) = asked {
            self.own().learn(asked.await?);
        }
        self.storages().follow(&page).await?;
        Ok(Unlisted { page, tab })
    }
}

/// A tab that nobody has yet: closed again where it becomes no page, be it that nobody waits for that any more.
struct Claimed<'a> {
    tabs: &'a Tabs,
    target: Option<Target>,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if let Some(target) = &self.target {
            self.tabs.shut(target);
        }
    }
}

/// A page that scripts cannot see yet.
struct Unlisted<'a> {
    page: Page,
    tab: Claimed<'a>,
}

impl Unlisted<'_> {
    fn list(mut self) -> Page {
        self.tab.tabs.add(&self.page);
        self.tab.target = None;
        self.page
    }
}

/// One tab that has been asked for; also when whoever asked does not wait for it any more.
struct Asked<'a>(&'a Tabs);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.outstanding -= 1;
        let strangers = if state.outstanding == 0 { std::mem::take(&mut state.unclaimed) } else { HashMap::new() };
        let takes_in = state.takes_in;
        drop(state);
        // At the very end of the program nobody can set them up any more.
        if takes_in && tokio::runtime::Handle::try_current().is_ok() {
            for target in strangers.into_values() {
                self.0.adopt(target);
            }
        }
    }
}
