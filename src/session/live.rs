//! An open session: a browser context, its pages, what it was restored from, and its lease.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::StopLoadingParams;

use crate::base::{Deadline, SessionId, Tenant, Version, with_causes};
use crate::browser::{Browser, Context, ContextOptions};
use crate::page::Page;
use crate::store::Granted;

use super::capture::{Captured, snapshot};
use super::lease::Lease;
use super::part::Names;
use super::restorer::{Gate, Restorer};
use super::save::{self, Base};
use super::sessions::{Sessions, Stored};
use super::tabs::Tabs;
use super::{Change, Cookie, SessionError, SessionOutcome, cookies};

/// How long the end of a run waits for a navigation that is under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// An open session. Cheap to clone.
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) kept: Option<Kept>,
    context: Context,
    tabs: Tabs,
    /// Serialises saves, and opening of the first page.
    busy: Arc<tokio::sync::Mutex<()>>,
}

/// What only a named session has.
pub(super) struct Kept {
    pub(super) id: SessionId,
    pub(super) tenant: Tenant,
    pub(super) sessions: Sessions,
    pub(super) lease: Arc<Lease>,
    pub(super) ttl: Option<Duration>,
    restored: Option<Version>,
    expired_at: Option<String>,
    restorer: Option<Arc<Restorer>>,
    /// What the next save is compared with.
    base: Mutex<Arc<Base>>,
    /// What the run began with; its outcome is told against this.
    opened: Arc<Base>,
}

/// A granted lease with all that goes with it.
pub(super) struct Opening {
    pub(super) id: SessionId,
    pub(super) tenant: Tenant,
    pub(super) sessions: Sessions,
    pub(super) lease: Arc<Lease>,
    pub(super) granted: Granted,
    pub(super) ttl: Option<Duration>,
}

impl Session {
    /// A session that keeps nothing.
    pub(super) async fn throw_away(browser: &Browser, gate: &Gate) -> Result<Self, SessionError> {
        let context = browser.new_context(&ContextOptions::default()).await?;
        let tabs = Tabs::follow(context.clone(), gate.hidden());
        tabs.open_page().await?;
        Ok(Self(Arc::new(Inner { kept: None, context, tabs, busy: Arc::default() })))
    }

    /// A named session: its cookies are in place and its storages will be before a page script can look.
    pub(super) async fn start(browser: &Browser, gate: &Gate, opening: Opening) -> Result<Self, SessionError> {
        let Opening { id, tenant, sessions, lease, granted, ttl } = opening;
        let name = sessions.name(&tenant, &id);
        let stored = match &granted.head {
            Some(head) => Some(Arc::new(sessions.open_head(&tenant, &name, head)?)),
            None => None,
        };
        let context = browser.new_context(&ContextOptions::default()).await?;
        let tabs = Tabs::follow(context.clone(), gate.hidden());
        let prefetched = granted.parts.into_iter().collect();
        let restorer = stored
            .as_ref()
            .filter(|stored| !stored.index.parts.is_empty())
            .map(|stored| Restorer::new(sessions.clone(), tenant.clone(), stored.clone(), prefetched, tabs.clone()));
        Self::put_in_place(&context, &tabs, gate, stored.as_deref(), restorer.as_ref()).await?;
        let expired_at = granted.expired_at.map(|at| at.to_string());
        let version = stored.as_ref().map(|stored| stored.version);
        let base = Arc::new(Base::of(stored.as_ref()));
        let (opened, base) = (base.clone(), Mutex::new(base));
        let kept = Kept { id, tenant, sessions, lease, ttl, restored: version, expired_at, restorer, base, opened };
        Ok(Self(Arc::new(Inner { kept: Some(kept), context, tabs, busy: Arc::default() })))
    }

    /// Cookies, the first page, and the gate that holds documents: all at once.
    async fn put_in_place(
        context: &Context,
        tabs: &Tabs,
        gate: &Gate,
        stored: Option<&Stored>,
        restorer: Option<&Arc<Restorer>>,
    ) -> Result<(), SessionError> {
        let cookies = async {
            match stored {
                Some(stored) if !stored.index.cookies.is_empty() => {
                    cookies::write(context, &cookies::unexpired(&stored.index.cookies)).await.map(drop)
                }
                _ => Ok(()),
            }
        };
        let storages = async {
            let Some(restorer) = restorer else { return Ok(()) };
            tokio::try_join!(gate.hold_for(restorer), restorer.prepare()).map(drop)
        };
        let (cookies, storages, page) = tokio::join!(cookies, storages, tabs.open_page());
        cookies?;
        storages?;
        page.map(drop)
    }

    /// Its id; none for a throw-away one.
    pub fn id(&self) -> Option<&SessionId> {
        self.0.kept.as_ref().map(|kept| &kept.id)
    }

    /// The newest saved version.
    pub fn version(&self) -> Option<Version> {
        self.0.kept.as_ref().and_then(|kept| kept.base().version())
    }

    /// The current page: the oldest that is open; a new one where all have been closed.
    pub async fn page(&self) -> Result<Page, SessionError> {
        if let Some(page) = self.0.tabs.pages().into_iter().next() {
            return Ok(page);
        }
        let _one_at_a_time = self.0.busy.lock().await;
        match self.0.tabs.pages().into_iter().next() {
            Some(page) => Ok(page),
            None => self.0.tabs.open_page().await,
        }
    }

    /// The pages that are open, oldest first; popups among them.
    pub fn pages(&self) -> Vec<Page> {
        self.0.tabs.pages()
    }

    /// Saves now; a new version if cookies or storage changed. The outcome's changes are those of this save. A throw-away
    /// session has nothing to save to: the outcome is none.
    pub async fn save(&self, deadline: Deadline) -> Result<Option<SessionOutcome>, SessionError> {
        if self.0.kept.is_none() {
            return Ok(None);
        }
        let one_at_a_time = self.0.busy.clone().lock_owned().await;
        self.settled(deadline).await?;
        let draft = self.draft(deadline).await?;
        // A commit is seen to its end although nobody may wait for it any more: a script that is stopped in this moment
        // would leave a version in the store that the session does not know of.
        let session = self.clone();
        let commit = tokio::spawn(async move {
            let outcome = session.commit(draft).await;
            drop(one_at_a_time);
            outcome
        });
        let outcome = commit.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(outcome.map(|(changes, outcome)| SessionOutcome { updated: !changes.is_empty(), changes, ..outcome }))
    }

    /// Saves at the end of a run, whatever its end was; the outcome tells of the whole run. The browser may be ended as soon
    /// as `read` was called.
    pub(super) async fn save_last(&self, deadline: Deadline, read: impl FnOnce()) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        let _one_at_a_time = self.0.busy.lock().await;
        let reading = async {
            self.settle().await;
            self.draft(deadline).await
        };
        let draft = deadline.race(reading).await.unwrap_or_else(|| Err(SessionError::Late { id: kept.id.clone() }));
        read();
        let saved = match draft {
            Ok(draft) => self.commit(draft).await,
            Err(error) => Err(error),
        };
        kept.lease.release().await;
        match saved {
            Ok(outcome) => outcome.map(|(_, outcome)| outcome),
            Err(error) => Some(SessionOutcome {
                save_error: Some((error.code().to_owned(), with_causes(&error))),
                ..kept.outcome()
            }),
        }
    }

    /// Waits until navigations under way have committed; a page that closes meanwhile is nobody's loss.
    async fn settled(&self, deadline: Deadline) -> Result<(), SessionError> {
        for page in self.0.tabs.pages() {
            match page.url(deadline).await {
                Err(error) if !page.is_closed() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a navigation that the last verb began (a form that signs in) commit, and gives one up whose server does not
    /// answer: until then Chromium holds back everything else that the page is asked, and the state could not be read.
    async fn settle(&self) {
        let pages = self.0.tabs.pages();
        futures_util::future::join_all(pages.iter().map(|page| async move {
            if page.url(Deadline::after(SETTLE_TIMEOUT)).await.is_err() {
                page.main_frame().cdp().send(StopLoadingParams::default()).forget();
            }
        }))
        .await;
    }

    /// Reads the state and works out what would be written; the browser is not needed after this.
    async fn draft(&self, deadline: Deadline) -> Result<Option<save::Draft>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        let late = || Err(SessionError::Late { id: kept.id.clone() });
        let now = deadline.race(Box::pin(snapshot(&self.0.context, &self.0.tabs, deadline))).await;
        let mut now = now.unwrap_or_else(late)?;
        let base = kept.base();
        let restored = kept.restored_names()?;
        // An origin that was visited but is not restored yet keeps what it had: its page is only about to load.
        now.origins.retain(|key, captured| {
            !matches!(captured, Captured::Read(..))
                || !base.has_part(key)
                || base.knows(key)
                || restored.contains_key(key)
        });
        Ok(Some(save::Draft::new(&base.with_names(restored.clone()), &kept.opened, &restored, now)))
    }

    /// Writes a draft, if it holds a change: answers what this save changed, and the outcome of the run so far.
    async fn commit(&self, draft: Option<save::Draft>) -> Result<Option<(Vec<Change>, SessionOutcome)>, SessionError> {
        let (Some(kept), Some(draft)) = (&self.0.kept, draft) else { return Ok(None) };
        let (now, changes, partial) = (draft.changes(), draft.changes_since_opened(), draft.partial());
        let base = Arc::new(save::commit(kept, draft).await?);
        let version = base.version();
        *kept.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        let outcome = SessionOutcome { version, updated: !changes.is_empty(), changes, partial, ..kept.outcome() };
        Ok(Some((now, outcome)))
    }

    /// Things that happened unasked in its pages.
    pub(super) fn take_notices(&self) -> Vec<String> {
        self.0.tabs.take_notices()
    }

    /// The cookies that would go to `url`, or all, once navigations under way have committed.
    pub async fn cookies(&self, url: Option<&str>, deadline: Deadline) -> Result<Vec<Cookie>, SessionError> {
        self.settled(deadline).await?;
        let all = cookies::read(&self.0.context).await?;
        let Some(url) = url else { return Ok(all) };
        let url: url::Url =
            url.parse().map_err(|error| SessionError::Url { url: url.to_owned(), reason: format!("{error}") })?;
        Ok(all.into_iter().filter(|cookie| cookies::goes_to(cookie, &url)).collect())
    }
}

impl Kept {
    pub(super) fn base(&self) -> Arc<Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the parts held when they were restored, by storage key; an error where not all could be.
    fn restored_names(&self) -> Result<HashMap<String, Names>, SessionError> {
        let Some(restorer) = &self.restorer else { return Ok(HashMap::new()) };
        let done = restorer.done();
        if done.failed.is_empty() {
            return Ok(done.names.clone());
        }
        Err(SessionError::RestoreIncomplete { id: self.id.clone(), failed: done.failed.clone() })
    }

    /// The outcome of a session that nothing happened to.
    pub(super) fn outcome(&self) -> SessionOutcome {
        SessionOutcome {
            id: self.id.clone(),
            restored: self.restored,
            version: self.base().version(),
            updated: false,
            changes: Vec::new(),
            partial: Vec::new(),
            expired_at: self.expired_at.clone(),
            save_error: None,
        }
    }
}
