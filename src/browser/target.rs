//! What Chromium attaches us to: tabs, popups, frames of other sites, workers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::page::NavigateParams;
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, TargetId};
use chromiumoxide::cdp::js_protocol::runtime::RunIfWaitingForDebuggerParams;
use tokio::sync::{mpsc, watch};

use super::hub::Hub;
use super::{BrowserError, Cdp};

/// What kind of target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// A tab or popup.
    Page,
    /// A frame of another site, in a process of its own. Its target id is its frame id.
    Iframe,
    /// Dedicated, shared, service worker or anything else, by Chromium's name.
    Other(String),
}

/// A document of Chromium's own, full Chromium's alone, whose scripts may do what no site's may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPage {
    /// `chrome.bookmarks` is there.
    Bookmarks,
    /// `chrome.passwordsPrivate` is there.
    Passwords,
}

impl OwnPage {
    /// Where it is. Not the page that people see there but a file that it is made of: that page expects to be in a window, and
    /// Chromium crashes where it is in none.
    fn address(self) -> &'static str {
        match self {
            Self::Bookmarks => "chrome://bookmarks/strings.m.js",
            Self::Passwords => "chrome://password-manager/strings.m.js",
        }
    }
}

impl TargetKind {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "page" => Self::Page,
            "iframe" => Self::Iframe,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// An attached target. Cheap to clone.
///
/// A page or frame that Chromium held at its very start waits there until [`Self::resume`]: whoever takes it from a
/// [`TargetEvents`] must resume it. Workers and everything else have been resumed by the time they are handed out.
#[derive(Clone)]
pub struct Target {
    inner: Arc<Inner>,
}

struct Inner {
    id: TargetId,
    kind: TargetKind,
    context: Option<BrowserContextId>,
    opener: Option<TargetId>,
    url: String,
    cdp: Cdp,
    /// The browser's own session: closing is asked of the browser, so that it works for a crashed page too.
    browser: Cdp,
    /// Whether Chromium holds it at its start.
    held: AtomicBool,
    children: Hub,
    gone: watch::Sender<Option<BrowserError>>,
}

/// What is known of a target at its attachment.
pub(super) struct Attachment {
    pub(super) id: TargetId,
    pub(super) kind: TargetKind,
    pub(super) context: Option<BrowserContextId>,
    pub(super) opener: Option<TargetId>,
    pub(super) url: String,
    pub(super) held: bool,
}

impl Target {
    pub(super) fn new(attachment: Attachment, cdp: Cdp, browser: Cdp) -> Self {
        let Attachment { id, kind, context, opener, url, held } = attachment;
        let held = AtomicBool::new(held);
        let gone = watch::Sender::new(None);
        Self {
            inner: Arc::new(Inner { id, kind, context, opener, url, cdp, browser, held, children: Hub::new(), gone }),
        }
    }

    /// Chromium's id; for a page also the id of its main frame.
    pub fn id(&self) -> &TargetId {
        &self.inner.id
    }

    /// What it is.
    pub fn kind(&self) -> &TargetKind {
        &self.inner.kind
    }

    /// The context it is in.
    pub fn context_id(&self) -> Option<&BrowserContextId> {
        self.inner.context.as_ref()
    }

    /// The tab that opened it, for popups.
    pub fn opener(&self) -> Option<&TargetId> {
        self.inner.opener.as_ref()
    }

    /// Its CDP session.
    pub fn cdp(&self) -> &Cdp {
        &self.inner.cdp
    }

    /// The URL it had when it was attached; often empty, since a held target has loaded nothing yet.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Frames of other sites and workers below this target, those of before included. Auto-attach on the target is set up
    /// by the browser floor.
    pub fn children(&self) -> TargetEvents {
        self.inner.children.view()
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.inner.children
    }

    /// Lets it run (`Runtime.runIfWaitingForDebugger`); what was sent before is in force by then. Again or on a target
    /// that was not held it does nothing.
    pub fn resume(&self) {
        if self.inner.held.swap(false, Ordering::AcqRel) {
            self.cdp().send(RunIfWaitingForDebuggerParams::default()).forget();
        }
    }

    /// Takes it to a document of Chromium's own, also where a browser has one way out, for which these are no addresses. For tabs of ours
    /// that nobody else has a hand in.
    pub async fn visit_own(&self, page: OwnPage) -> Result<(), BrowserError> {
        self.cdp().send_unasked(NavigateParams::new(page.address())).await.map(drop)
    }

    /// Whether it has gone.
    pub fn is_gone(&self) -> bool {
        self.inner.gone.borrow().is_some()
    }

    /// Waits until it has gone: closed, crashed (`Gone` where the whole browser went).
    pub async fn gone(&self) -> BrowserError {
        let mut gone = self.inner.gone.subscribe();
        let reason = gone.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(BrowserError::TargetGone)
    }

    /// Closes it, without asking the page (`beforeunload` does not run).
    pub async fn close(&self) -> Result<(), BrowserError> {
        match self.inner.browser.call(CloseTargetParams::new(self.id().clone())).await {
            // It went by itself in the meantime.
            Err(BrowserError::Cdp { .. }) if self.is_gone() => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// It has gone: its calls fail, its subscriptions end, and so do those of everything below it.
    pub(super) fn end(&self, error: &BrowserError) {
        self.inner.gone.send_if_modified(|gone| {
            let first = gone.is_none();
            gone.get_or_insert_with(|| error.clone());
            first
        });
        self.cdp().router.end_session(&self.cdp().session, error);
        for child in self.hub().end() {
            child.end(error);
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?}, {:?})", self.kind(), self.id().as_ref())
    }
}

/// Something happened to a target.
#[derive(Debug, Clone)]
pub enum TargetEvent {
    /// New: set it up, then resume it.
    Attached(Target),
    /// Gone.
    Detached(TargetId),
    /// Its renderer crashed. It counts as gone: its calls have failed. Only closing it is left.
    Crashed(TargetId),
}

/// A view of targets as they come and go.
pub struct TargetEvents {
    pub(super) queue: mpsc::UnboundedReceiver<TargetEvent>,
}

impl TargetEvents {
    /// The next one; none when the parent has gone.
    pub async fn next(&mut self) -> Option<TargetEvent> {
        self.queue.recv().await
    }

    /// One that has come already; none where nothing waits.
    pub fn try_next(&mut self) -> Option<TargetEvent> {
        self.queue.try_recv().ok()
    }
}
