//! The tabs that were open when a session was saved, opened again for who asks for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::base::{Deadline, show_duration};
use crate::page::{GotoOptions, LoadState, Page, PageError};

#[cfg(doc)]
use super::Workspace;
use super::guard::shown;
use super::tabs::{Tabs, origin_of};
use super::{Session, SessionError};

impl Session {
    /// Whether it is as it was opened: none of its pages has been anywhere.
    pub fn is_untouched(&self) -> bool {
        let pages = self.pages();
        pages.len() < 2 && !pages.iter().any(|page| origin_of(&page.main_frame().url()).is_some())
    }

    /// Opens the tabs again that were open when what it was restored from was saved, those at http and https addresses. All begin to load at
    /// once, the oldest in the current page. Waits until that one has committed, no longer than to `deadline`, and for no other. One that
    /// does not load by then is a notice. To be called after [`Workspace::admit`]: the pages are to be those of who is signed in.
    ///
    /// From the call on, before anything of it is waited for, those tabs count as open at these addresses when the session is saved, until they
    /// are there, go elsewhere or are closed: one whose site is away for a while is not lost by that.
    pub fn reopen_tabs(&self, deadline: Deadline) -> impl Future<Output = Result<(), SessionError>> + Send + use<> {
        let (session, opened) = (self.clone(), self.open_tabs_again(deadline));
        async move {
            let first = opened.await?;
            session
                .unless_closed(async {
                    first.committed().await;
                    Ok(())
                })
                .await
        }
    }

    /// As [`Self::reopen_tabs`], but waits until the tabs are open, and for none of them to load.
    pub fn open_tabs_again(
        &self,
        deadline: Deadline,
    ) -> impl Future<Output = Result<FirstTab, SessionError>> + Send + use<> {
        let session = self.clone();
        let stored = self.0.kept.as_ref().and_then(|kept| kept.opened.stored());
        let urls = stored.into_iter().flat_map(|stored| stored.index.beside.tabs.iter());
        let urls: Vec<String> = urls.filter(|url| origin_of(url).is_some()).cloned().collect();
        self.0.room.tabs.wanted().expect(&urls);
        async move { session.unless_closed(session.open_again(urls, deadline)).await }
    }

    async fn open_again(&self, urls: Vec<String>, deadline: Deadline) -> Result<FirstTab, SessionError> {
        let (mut urls, tabs) = (urls.into_iter(), &self.0.room.tabs);
        let _one_at_a_time = self.0.busy.lock().await;
        let Some(url) = urls.next() else { return Ok(FirstTab(None)) };
        let page = self.0.room.page().await?;
        tabs.wanted().opened(&page);
        let first = tokio::spawn(load(page, url, tabs.clone(), deadline));
        // One after the other, so that they have the order that they had.
        for url in urls {
            let page = Box::pin(tabs.open_page()).await?;
            tabs.wanted().opened(&page);
            tokio::spawn(load(page, url, tabs.clone(), deadline));
        }
        Ok(FirstTab(Some(first)))
    }
}

/// The oldest of the tabs that were opened again, on its way; it goes on when this is dropped.
#[derive(Debug)]
pub struct FirstTab(Option<JoinHandle<()>>);

impl FirstTab {
    /// Resolves once it has committed, or will not any more.
    pub async fn committed(self) {
        if let Some(first) = self.0 {
            first.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        }
    }
}

/// Tabs that are wanted back, and are not there yet.
#[derive(Debug, Default)]
pub(super) struct Wanted(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Those that nothing has been opened for, in their order.
    next: VecDeque<String>,
    /// The others, by the id of their target.
    opened: HashMap<String, String>,
}

impl Wanted {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, urls: &[String]) {
        self.state().next = urls.iter().cloned().collect();
    }

    /// That page is for the first of those that nothing has been opened for.
    fn opened(&self, page: &Page) {
        let mut state = self.state();
        if let Some(url) = state.next.pop_front() {
            state.opened.insert(page.target().id().inner().clone(), url);
        }
    }

    /// Where the tabs are that a save keeps: those at nothing of the web are at what was wanted of them.
    pub(super) fn addresses(&self, pages: &[Page]) -> Vec<String> {
        let mut state = self.state();
        let mut addresses = Vec::new();
        for page in pages {
            let (url, id) = (page.main_frame().url(), page.target().id().inner());
            if origin_of(&url).is_some() {
                // It is there, or somebody went elsewhere with it.
                state.opened.remove(id);
            }
            addresses.push(state.opened.get(id).cloned().unwrap_or(url));
        }
        addresses.extend(state.next.iter().cloned());
        addresses
    }
}

async fn load(page: Page, url: String, tabs: Tabs, deadline: Deadline) {
    let there = GotoOptions { wait_until: LoadState::Commit, led: true, ..GotoOptions::default() };
    let Err(error) = page.goto(&url, &there, deadline).await else { return };
    let why = match error.error {
        // Whoever closed it, or went elsewhere with it, does not miss it.
        _ if page.is_closed() => return,
        PageError::Navigation { reason, .. } => reason,
        PageError::Timeout { after, .. } => format!("no answer within {}", show_duration(after)),
        error => error.code().to_owned(),
    };
    tabs.notice(vec![format!("the tab at {} could not be opened again: {why}", shown(&url))]);
}
