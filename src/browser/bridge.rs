//! A second client of a browser: whoever speaks CDP to it (Playwright, Puppeteer, DevTools) without knowing that we drive it too.
//!
//! Chromium gives it a session of its own on the browser (`Target.attachToBrowserTarget`), which is the client's connection; sessions
//! that are attached below it are the client's as well. Its messages go through untouched but for their ids, and for what `guard`
//! keeps from it: what leads out of the browser, onto this machine.

mod commands;
mod guard;
mod link;
mod rules;

use std::sync::Arc;

use chromiumoxide::cdp::browser_protocol::target::{
    AttachToBrowserTargetParams, DetachFromTargetParams, SessionId as TargetSession,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Browser, BrowserError};

use guard::Verdict;
pub(super) use link::Links;
use link::{Link, Queued};

/// What may wait to be written to Chromium where a client is to send more, in bytes.
const MAX_UNWRITTEN: usize = 32 << 20;

/// A client's connection to a browser. Dropped, the client's sessions end; the browser goes on.
pub struct Bridge {
    browser: Browser,
    link: Arc<Link>,
    queue: mpsc::UnboundedReceiver<Queued>,
    /// Cancelled when the client asks for the end of the browser.
    closing: CancellationToken,
}

impl Bridge {
    /// Opens one. Tabs that `hidden` says are not the client's business (by target id) are not told of.
    pub(super) async fn open(
        browser: &Browser,
        hidden: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, BrowserError> {
        let attached = browser.cdp().call(AttachToBrowserTargetParams::default()).await?;
        let (link, queue) = Link::new(attached.session_id.inner(), Box::new(hidden));
        browser.cdp().router.links.add(&link);
        Ok(Self { browser: browser.clone(), link, queue, closing: CancellationToken::new() })
    }

    /// Takes a message of the client's. What is no message of the protocol is answered as Chromium does.
    pub fn send(&self, message: &str) {
        let router = &self.browser.cdp().router;
        match guard::judge(message, router.egress.as_ref()) {
            Verdict::Pass(command) => router.links.forward(router, &self.link, command),
            Verdict::Answer(answer) => self.link.tell(answer),
            Verdict::Close(answer) => {
                self.link.tell(answer);
                self.closing.cancel();
            }
        }
    }

    /// The next message for the client; none when the browser, or the client's session on it, has ended, or where what waits for a
    /// client that does not read has grown too large. Can be dropped and asked again.
    pub async fn next(&mut self) -> Option<String> {
        let (message, counted) = tokio::select! {
            biased;
            message = self.queue.recv() => message,
            () = self.link.over().cancelled() => self.queue.try_recv().ok(),
            _ = self.browser.gone() => None,
        }?;
        self.link.taken(counted);
        Some(message)
    }

    /// Resolves once the client may send more: Chromium takes what it is sent at its own speed, and what it has not taken yet is kept here.
    /// Who reads the client's messages is to wait for this before each; what is read nonetheless is taken. An answer is not waited for: it
    /// may depend on what the client sends next.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let router = self.browser.cdp().router.clone();
        async move { router.outbox.drained(MAX_UNWRITTEN).await }
    }

    /// Whether nothing more comes because the client has let too much wait for it.
    pub fn is_too_slow(&self) -> bool {
        self.link.is_too_slow()
    }

    /// Resolves once the client has asked for the end of the browser, which is left to the caller.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let cdp = self.browser.cdp();
        cdp.router.links.remove(&self.link);
        let session = TargetSession::new(self.link.root());
        cdp.send(DetachFromTargetParams::builder().session_id(session).build()).forget();
    }
}
