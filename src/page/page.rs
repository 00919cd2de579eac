//! A tab: its frames, navigation, and what concerns it as a whole.

use std::fmt;

use crate::base::Deadline;
use crate::browser::Target;
use crate::document::{Link, MarkdownOptions, StructuredData, Table};

use super::inner::Inner;
use super::leaving::Leaving;
use super::verb::{Result, Verb};
use super::world::Shared;
use super::{
    Emulation, Frame, GotoOptions, LoadState, Locator, ScreenshotOptions, ScrollOptions, Scrolled, Selector,
    TypeOptions, UrlPattern, aria, document, keyboard, navigation, screenshot, scroll, suggest,
};

/// A tab. Cheap to clone.
#[derive(Clone)]
pub struct Page {
    inner: Shared,
}

/// A selector that matches something on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The selector.
    pub selector: String,
    /// What it matches, in short: `<button> Sign in`.
    pub preview: String,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:?})", self.inner.target)
    }
}

impl Page {
    /// Sets up a freshly attached target (enables, isolated worlds, frame tracking) and resumes it. Answers when everything
    /// that must be in force before a navigation has been answered by Chromium.
    pub async fn attach(target: Target) -> Result<Page> {
        Self::attach_as(target, Emulation::default()).await
    }

    /// [`Self::attach`], with what it and its frames tell otherwise than the browser by itself.
    pub async fn attach_as(target: Target, emulation: Emulation) -> Result<Page> {
        match Inner::attach(target, emulation).await {
            Ok(inner) => Ok(Self { inner }),
            Err(error) => Err(Box::new(error.into())),
        }
    }

    /// What it tells otherwise than the browser by itself.
    pub fn emulation(&self) -> Emulation {
        self.inner.emulation().clone()
    }

    /// Changes what it and its frames tell, from now on; nothing is sent where nothing differs.
    pub async fn emulate(&self, change: impl FnOnce(&mut Emulation), deadline: Deadline) -> Result<()> {
        let mut verb = Verb::new(deadline, "the page to take it");
        let main = self.main_frame();
        let work = async {
            // A page whose server does not answer takes nothing until it does.
            self.inner.settle(main.id(), &mut verb).await;
            self.inner.emulate(change).await
        };
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// The target under it.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// The frame at its root.
    pub fn main_frame(&self) -> Frame {
        let main = self.inner.tree().main.clone();
        Frame::new(self.inner.clone(), main)
    }

    /// All frames that it has now, the main one first.
    pub fn frames(&self) -> Vec<Frame> {
        let ids: Vec<String> = self.inner.tree().frames.iter().map(|node| node.id.clone()).collect();
        ids.into_iter().map(|id| Frame::new(self.inner.clone(), id)).collect()
    }

    /// Every document that was committed in any of its frames so far and from now on: (frame id, URL). For the session floor,
    /// to know which origins were visited.
    pub fn commits(&self) -> tokio::sync::mpsc::UnboundedReceiver<(String, String)> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut tree = self.inner.tree();
        for commit in &tree.commits {
            // The receiver is in our hand.
            let _ = sender.send(commit.clone());
        }
        tree.watchers.push(sender);
        receiver
    }

    /// Hands the session of every frame in a process of its own to `greeting` before the frame runs, those that run already now; may
    /// come twice for one. What `greeting` sends is in force in the first document. It must not block.
    pub fn greet_frames(&self, greeting: impl Fn(&crate::browser::Cdp) + Send + Sync + 'static) {
        let greeting: super::inner::Greeting = std::sync::Arc::new(greeting);
        self.inner.greet_with(&greeting);
    }

    /// Elements, in the main frame unless the selector steps into another.
    pub fn locator(&self, selector: &Selector) -> Locator {
        self.main_frame().locator(selector)
    }

    /// Navigates; answers the HTTP status where there is one.
    pub async fn goto(&self, url: &str, options: &GotoOptions, deadline: Deadline) -> Result<Option<u16>> {
        let mut verb = Verb::new(deadline, format!("{url} to answer"));
        let leaving = Leaving::begin(&self.inner);
        let outcome = self.inner.race(deadline, navigation::goto(&self.inner, &mut verb, url, options)).await;
        leaving.end(outcome.is_some());
        verb.end(&self.inner, outcome).await
    }

    /// Loads the page anew.
    pub async fn reload(&self, options: &GotoOptions, deadline: Deadline) -> Result<Option<u16>> {
        let mut verb = Verb::new(deadline, "the page to answer the reload");
        let leaving = Leaving::begin(&self.inner);
        let outcome = self.inner.race(deadline, navigation::reload(&self.inner, &mut verb, options)).await;
        leaving.end(outcome.is_some());
        verb.end(&self.inner, outcome).await
    }

    /// One step back in its history; false where there is none.
    pub async fn go_back(&self, options: &GotoOptions, deadline: Deadline) -> Result<bool> {
        let mut verb = Verb::new(deadline, "the page before");
        let leaving = Leaving::begin(&self.inner);
        let outcome = self.inner.race(deadline, navigation::go_back(&self.inner, &mut verb, options)).await;
        leaving.end(outcome.is_some());
        verb.end(&self.inner, outcome).await
    }

    /// The HTTP status of the document that is there now; none where it did not come over HTTP.
    pub async fn status(&self, deadline: Deadline) -> Result<Option<u16>> {
        let verb = Verb::new(deadline, "the page to answer");
        let main = self.main_frame();
        let outcome = self.inner.race(deadline, navigation::status(&self.inner, main.id())).await;
        verb.end(&self.inner, outcome).await
    }

    /// The URL of the main frame; waits for a navigation that is under way to commit.
    pub async fn url(&self, deadline: Deadline) -> Result<String> {
        let mut verb = Verb::new(deadline, "the page to answer");
        let main = self.main_frame();
        let work = async {
            self.inner.settle(main.id(), &mut verb).await;
            Ok(main.url())
        };
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// Whether a navigation is under way in it: Chromium holds back what the page is asked until that has committed.
    pub fn is_leaving(&self) -> bool {
        self.inner.tree().frames.iter().any(|node| node.pending.is_some())
    }

    /// Waits until the URL matches.
    pub async fn wait_for_url(&self, pattern: &UrlPattern, options: &GotoOptions, deadline: Deadline) -> Result<()> {
        let mut verb = Verb::new(deadline, "the URL");
        let work = navigation::wait_for_url(&self.inner, &mut verb, pattern, options);
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// Waits until the main frame has reached the state.
    pub async fn wait_for_load_state(&self, state: LoadState, deadline: Deadline) -> Result<()> {
        let mut verb = Verb::new(deadline, "the page to load");
        let work = async {
            self.inner.barrier(self.inner.target.cdp().session_id()).await;
            self.inner.reach(state, &mut verb).await;
            Ok(())
        };
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// Presses a key where the focus is.
    pub async fn keyboard_press(&self, key: &str, options: &TypeOptions, deadline: Deadline) -> Result<()> {
        let mut verb = Verb::new(deadline, "the keys to be taken");
        let main = self.main_frame();
        let work = async {
            keyboard::check(key)?;
            self.inner.settle(main.id(), &mut verb).await;
            keyboard::press(&self.inner, key, options.delay).await?;
            self.inner.caught_up(main.id()).await
        };
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// A picture of it, as PNG or JPEG bytes.
    pub async fn screenshot(&self, options: &ScreenshotOptions, deadline: Deadline) -> Result<Vec<u8>> {
        let mut verb = Verb::new(deadline, "the picture");
        let main = self.main_frame();
        let work = screenshot::take(&self.inner, main.id(), &mut verb, options);
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// The page as assistive technology sees it, as indented text in the manner of Playwright's ARIA snapshots: `- role "name"`
    /// lines, frames included; of `selector`'s one match where it is given.
    pub async fn aria_snapshot(&self, selector: Option<&Selector>, deadline: Deadline) -> Result<String> {
        let mut verb = Verb::new(deadline, "the accessibility tree");
        if let Some(selector) = selector {
            verb.log.line(format!("waiting for {:?}", selector.source()));
        }
        let main = self.main_frame();
        let work = aria::snapshot(&self.inner, main.id(), &mut verb, selector);
        let outcome = self.inner.race(deadline, work).await;
        verb.end(&self.inner, outcome).await
    }

    /// The page, or `selector`'s one match, as Markdown: what a reader sees now, open shadow roots and frames of the same origin
    /// included, with absolute links and what fields hold.
    pub async fn markdown(
        &self,
        selector: Option<&Selector>,
        options: &MarkdownOptions,
        deadline: Deadline,
    ) -> Result<String> {
        let options = *options;
        let read = move |html: &str, base: &url::Url| crate::document::markdown(html, base, &options);
        document::read(&self.inner, selector, document::Part::Shown, deadline, read).await
    }

    /// The tables of the page, or of `selector`'s one match, as a reader sees them now.
    pub async fn tables(&self, selector: Option<&Selector>, deadline: Deadline) -> Result<Vec<Table>> {
        document::read(&self.inner, selector, document::Part::Shown, deadline, crate::document::tables).await
    }

    /// What the page says for machines: JSON-LD, microdata, Open Graph and the like.
    pub async fn structured_data(&self, deadline: Deadline) -> Result<StructuredData> {
        document::read(&self.inner, None, document::Part::All, deadline, crate::document::structured_data).await
    }

    /// Where the page leads, each address once; also from parts that are not displayed now, such as menus.
    pub async fn links(&self, selector: Option<&Selector>, deadline: Deadline) -> Result<Vec<Link>> {
        document::read(&self.inner, selector, document::Part::All, deadline, crate::document::links).await
    }

    /// Its HTML as it is now, open shadow roots and frames of the same origin written into it, fields with what they hold, and the
    /// address that relative ones in it are resolved against. With `all` also what is not displayed.
    pub async fn written(&self, all: bool, deadline: Deadline) -> Result<(String, url::Url)> {
        document::whole(&self.inner, document::Part::of(all), None, deadline).await
    }

    /// The same of no more than `most` bytes; [`PageError::TooLarge`](super::PageError::TooLarge) where it has more.
    pub async fn written_within(&self, all: bool, most: usize, deadline: Deadline) -> Result<(String, url::Url)> {
        document::whole(&self.inner, document::Part::of(all), Some(most), deadline).await
    }

    /// Scrolls the page, or what `selector`'s one match scrolls in, by steps that lists which load as one scrolls take for a
    /// reader's. Where the page itself does not scroll, the largest part of it that does.
    pub async fn scroll(
        &self,
        selector: Option<&Selector>,
        options: &ScrollOptions,
        deadline: Deadline,
    ) -> Result<Scrolled> {
        scroll::scroll(&self.inner, selector, options, deadline).await
    }

    /// Selectors of elements that are on the page now and whose selector begins with `prefix` (as one would type it: `#us`, `.or`,
    /// `text=Sig`, `role=button[na`, `label=`, nothing), the most useful first, at most `limit`. For completion: one round trip,
    /// the main frame only; none where the page does not answer in time.
    pub async fn suggest(&self, prefix: &str, limit: usize, deadline: Deadline) -> Vec<Suggestion> {
        let main = self.main_frame();
        let work = async { Ok(suggest::suggest(&self.inner, main.id(), prefix, limit, deadline).await) };
        match self.inner.race(deadline, work).await {
            Some(Ok(found)) => found,
            _ => Vec::new(),
        }
    }

    /// Things that happened unasked since the last call and that the user should know (a dialog was dismissed).
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.tree().notices)
    }

    /// Whether it has been closed or has crashed.
    pub fn is_closed(&self) -> bool {
        let tree = self.inner.tree();
        tree.closed || tree.crashed
    }

    /// Closes it.
    pub async fn close(&self) -> Result<()> {
        let closed = self.inner.target.close().await;
        self.inner.change(|tree| tree.closed = true);
        closed.map_err(|error| Box::new(super::PageError::from(error).into()))
    }
}
