//! The tabs that were open when a session was saved, opened again for who asks for them.

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
    pub async fn reopen_tabs(&self, deadline: Deadline) -> Result<(), SessionError> {
        self.unless_closed(self.reopen(deadline)).await
    }

    async fn reopen(&self, deadline: Deadline) -> Result<(), SessionError> {
        let Some(stored) = self.0.kept.as_ref().and_then(|kept| kept.opened.stored()) else { return Ok(()) };
        let (mut urls, tabs) =
            (stored.index.beside.tabs.iter().filter(|url| origin_of(url).is_some()), &self.0.room.tabs);
        let first = {
            let _one_at_a_time = self.0.busy.lock().await;
            let Some(url) = urls.next() else { return Ok(()) };
            let first = tokio::spawn(load(self.0.room.page().await?, url.clone(), tabs.clone(), deadline));
            // One after the other, so that they have the order that they had.
            for url in urls {
                tokio::spawn(load(Box::pin(tabs.open_page()).await?, url.clone(), tabs.clone(), deadline));
            }
            first
        };
        first.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        Ok(())
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
