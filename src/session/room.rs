//! Where a session lives: a browser context of its own and the tabs in it. It is closed when its last user goes, so that
//! an opening that is given up half-way leaves nothing behind in the browser.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::Either;

use crate::browser::{BrowserError, Context, ContextOptions};
use crate::page::Page;

use super::SessionError;
use super::chores::Chores;
use super::restorer::Gate;
use super::tabs::Tabs;
use super::way::Way;

/// A context and its tabs.
pub(super) struct Room {
    pub(super) context: Context,
    pub(super) tabs: Tabs,
    /// How it goes out, where not as its browser does.
    pub(super) way: Option<Way>,
    /// Whether somebody else has the context by now.
    is_given_away: AtomicBool,
}

impl Room {
    fn of(context: Context, tabs: Tabs, way: Option<Way>) -> Self {
        Self { context, tabs, way, is_given_away: AtomicBool::new(false) }
    }

    /// An empty one that goes out by `way`; as its browser does where none. It is made among the `chores`: where nobody waits for it any more it is closed again.
    pub(super) async fn open(gate: &Gate, chores: &Chores, way: Option<Way>) -> Result<Self, BrowserError> {
        let (browser, hidden, own) = (gate.browser().clone(), gate.hidden(), gate.own());
        let made = chores.answer(async move {
            let options = ContextOptions { egress: way.as_ref().map(Way::egress), ..ContextOptions::default() };
            let context = browser.new_context(&options).await?;
            let tabs = Tabs::follow(context.clone(), hidden, own);
            Ok(Self::of(context, tabs, way))
        });
        let room = made.await.unwrap_or_else(|| Err(BrowserError::Gone("it was closed".to_owned())))?;
        gate.know(&room.tabs);
        Ok(room)
    }

    /// The one of the user-data directory itself, whose browser goes out by `way`; closing it closes nothing, that is left to the end of the browser.
    pub(super) async fn of_directory(gate: &Gate, way: Option<Way>) -> Result<Self, BrowserError> {
        let context = gate.browser().default_context().await?;
        let tabs = Tabs::follow(context.clone(), gate.hidden(), gate.own());
        gate.know(&tabs);
        Ok(Self::of(context, tabs, way))
    }

    /// One of somebody else's: closing it closes nothing.
    pub(super) fn of_others(context: Context, tabs: Tabs) -> Self {
        Self { context, tabs, way: None, is_given_away: AtomicBool::new(true) }
    }

    /// Its oldest page; a new one where there is none.
    pub(super) async fn page(&self) -> Result<Page, SessionError> {
        match self.tabs.pages().into_iter().next() {
            Some(page) => Ok(page),
            None => Box::pin(self.tabs.open_page()).await,
        }
    }

    /// The same context for somebody else, with tabs of their own, which take in nothing before [`Tabs::begin`]. From now on this one
    /// closes nothing, and follows none of what comes. None where it was given away or closed before.
    pub(super) fn give_away(&self, gate: &Gate) -> Option<Self> {
        if self.context.is_forgotten() || self.is_given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.tabs.retire();
        let tabs = Tabs::follow_after(&self.tabs);
        gate.know(&tabs);
        Some(Self::of(self.context.clone(), tabs, self.way.clone()))
    }

    /// Closes it without asking its pages. All in it counts as gone at once; the answer is Chromium's word that it is.
    pub(super) fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        if self.context.is_forgotten() || self.is_given_away.load(Ordering::Acquire) {
            return Either::Left(std::future::ready(()));
        }
        let closed = self.context.discard();
        Either::Right(async move { drop(closed.await) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.close());
    }
}
