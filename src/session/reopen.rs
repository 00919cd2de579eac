//! The tabs that were open when a session was saved, opened again for who asks for them.

use std::collections::{HashMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, show_duration};
use crate::page::{GotoOptions, LoadState, Page, PageError};

#[cfg(doc)]
use super::Workspace;
use super::guard::shown;
use super::tabs::{Tabs, origin_of};
use super::{Session, SessionError};

/// So many tabs are opened at once, and whoever saves may have to wait for them.
const AT_ONCE: usize = 8;

/// How long they may take: one that hangs keeps nobody from saving for longer.
const OPENS: Duration = Duration::from_secs(30);

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

    /// As [`Self::reopen_tabs`], but waits until the tabs are open, and for none of them to load. Once they are being opened that goes on when
    /// nobody waits for it any more, until the session is saved for the last time: those that are not open by then stay kept.
    pub fn open_tabs_again(
        &self,
        deadline: Deadline,
    ) -> impl Future<Output = Result<FirstTab, SessionError>> + Send + use<> {
        let session = self.clone();
        let stored = self.0.kept.as_ref().and_then(|kept| kept.opened.stored());
        let urls = stored.into_iter().flat_map(|stored| stored.index.beside.tabs.iter());
        let urls: Vec<String> = urls.filter(|url| origin_of(url).is_some()).cloned().collect();
        self.0.room.tabs.wanted().expect(&urls);
        async move {
            let opened = tokio::spawn(async move {
                let stop = session.0.room.tabs.wanted().stop.clone();
                let opened = session.unless_closed(session.open_again(urls, deadline));
                stop.run_until_cancelled(Box::pin(opened)).await.unwrap_or(Ok(FirstTab(None)))
            });
            let Some(opened) = deadline.race(opened).await else { return Ok(FirstTab(None)) };
            opened.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))
        }
    }

    async fn open_again(&self, urls: Vec<String>, deadline: Deadline) -> Result<FirstTab, SessionError> {
        let (mut urls, tabs) = (urls.into_iter(), &self.0.room.tabs);
        let Some(url) = urls.next() else { return Ok(FirstTab(None)) };
        let open = |page: Page, url| {
            tabs.wanted().opened(&page);
            // Of its own: opening them may have taken long.
            tokio::spawn(load(page, url, tabs.clone(), Deadline::after(deadline.span())))
        };
        let page = {
            let _one_at_a_time = self.0.busy.lock().await;
            self.0.room.page().await?
        };
        let first = FirstTab(Some(open(page, url)));
        while urls.len() > 0 {
            // Whoever saves has its turn between them.
            let _one_at_a_time = self.0.busy.lock().await;
            let count = urls.len().min(AT_ONCE);
            let opened = tabs.open_pages(count, |page| {
                if let Some(url) = urls.next() {
                    open(page, url);
                }
            });
            let Some(opened) = Deadline::after(OPENS).race(Box::pin(opened)).await else {
                let text = format!(
                    "{} tabs were not opened again, since the browser takes too long; they stay kept",
                    urls.len()
                );
                tabs.notice(vec![text]);
                break;
            };
            opened?;
        }
        Ok(first)
    }
}

/// The oldest of the tabs that were opened again, on its way; it goes on when this is dropped.
#[derive(Debug)]
pub struct FirstTab(Option<JoinHandle<()>>);

impl FirstTab {
    /// Resolves once it has committed, or will not any more.
    pub async fn committed(self) {
        if let Some(first) = self.0 {
            first.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
        }
    }
}

/// Tabs that are wanted back, and are not there yet.
#[derive(Default)]
pub(super) struct Wanted {
    state: Mutex<State>,
    /// Cancelled when none is to be opened any more.
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Those that nothing has been opened for, in their order.
    next: VecDeque<String>,
    /// The others, by the id of their target.
    opened: HashMap<String, Opened>,
}

/// A tab that was opened for an address, and has not been anywhere yet.
struct Opened {
    url: String,
    /// What has been committed in it since.
    commits: UnboundedReceiver<(String, String)>,
}

impl Opened {
    /// Whether it has been somewhere by now: where it was wanted, at what Chromium shows in place of that, or where somebody took it.
    fn has_been_somewhere(&mut self, main: &str) -> bool {
        std::iter::from_fn(|| self.commits.try_recv().ok()).any(|(frame, _)| frame == main)
    }
}

impl Wanted {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, urls: &[String]) {
        self.state().next = urls.iter().cloned().collect();
    }

    /// Opens none any more, whoever is at it: the session is saved for the last time.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// That page is for the first of those that nothing has been opened for.
    fn opened(&self, page: &Page) {
        let mut commits = page.commits();
        // The empty document that it was opened with.
        while commits.try_recv().is_ok() {}
        let mut state = self.state();
        if let Some(url) = state.next.pop_front() {
            state.opened.insert(page.target().id().inner().clone(), Opened { url, commits });
        }
    }

    /// Forgets what was wanted of a page once that has been somewhere.
    fn look_at(&self, page: &Page) {
        let (mut state, id) = (self.state(), page.target().id().inner());
        let is_at_site = origin_of(&page.main_frame().url()).is_some();
        if state.opened.get_mut(id).is_some_and(|opened| is_at_site || opened.has_been_somewhere(id)) {
            state.opened.remove(id);
        }
    }

    /// Where the tabs are that a save keeps: those that have not been anywhere yet are at what was wanted of them.
    pub(super) fn addresses(&self, pages: &[Page]) -> Vec<String> {
        let mut addresses = Vec::new();
        for page in pages {
            self.look_at(page);
            let wanted = self.state().opened.get(page.target().id().inner()).map(|opened| opened.url.clone());
            addresses.push(wanted.unwrap_or_else(|| page.main_frame().url()));
        }
        addresses.extend(self.state().next.iter().cloned());
        addresses
    }
}

async fn load(page: Page, url: String, tabs: Tabs, deadline: Deadline) {
    let there = GotoOptions { wait_until: LoadState::Commit, led: true, ..GotoOptions::default() };
    let went = page.goto(&url, &there, deadline).await;
    tabs.wanted().look_at(&page);
    let Err(error) = went else { return };
    let why = match error.error {
        // Whoever closed it, or went elsewhere with it, does not miss it.
        _ if page.is_closed() => return,
        PageError::Navigation { reason, .. } => reason,
        PageError::Timeout { after, .. } => format!("no answer within {}", show_duration(after)),
        error => error.code().to_owned(),
    };
    tabs.notice(vec![format!("the tab at {} could not be opened again: {why}", shown(&url))]);
}
