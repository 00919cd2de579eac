//! An isolated browser context and the targets in it.

use std::fmt;
use std::sync::Arc;

use chromiumoxide::cdp::browser_protocol::browser::{
    BrowserContextId, SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
};
use chromiumoxide::cdp::browser_protocol::target::{
    AttachToTargetParams, CreateBrowserContextParams, CreateTargetParams, DetachFromTargetParams,
    DisposeBrowserContextParams, SessionId, TargetId,
};

use serde_json::Value;

use super::registry::ContextTargets;
use super::{Browser, BrowserError, Egress, Pending, Target, TargetEvent, TargetEvents, confined};

/// How to make a context.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// Upstream proxy of this context, as Chromium's `--proxy-server`. Refused (`target_blocked`) in a browser with an
    /// [`egress`](super::LaunchOptions::egress).
    pub proxy: Option<String>,
    /// The way out of this context, in place of that of its browser, and as tight as that: who may not do as he likes is a browser
    /// with an [`egress`](super::LaunchOptions::egress).
    pub egress: Option<Egress>,
}

/// A browser context: cookies, storages and permissions of its own. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    browser: Browser,
    id: BrowserContextId,
    targets: Arc<ContextTargets>,
}

impl Context {
    pub(super) async fn create(browser: &Browser, options: &ContextOptions) -> Result<Self, BrowserError> {
        let egress = options.egress.as_ref().or(browser.egress());
        if browser.egress().is_some() && options.proxy.is_some() {
            return Err(BrowserError::Proxy);
        }
        let params = CreateBrowserContextParams {
            // A context of a remote browser must not outlive our connection.
            dispose_on_detach: Some(true),
            proxy_server: egress.map(confined::server).or_else(|| options.proxy.clone()),
            proxy_bypass_list: egress.map(|_| confined::BYPASS.to_owned()),
            ..CreateBrowserContextParams::default()
        };
        let id = browser.cdp().call(params).await?.browser_context_id;
        if browser.egress().is_some() {
            deny_downloads(browser, Some(id.clone()));
        }
        let context = Self::of(browser, id);
        if let Some(own) = &options.egress {
            context.targets.go_out_by(own);
        }
        Ok(context)
    }

    pub(super) fn of(browser: &Browser, id: BrowserContextId) -> Self {
        let targets = browser.registry().follow(&id);
        Self { browser: browser.clone(), id, targets }
    }

    /// One that others have made, with what is in it.
    pub(super) fn as_found(browser: &Browser, id: BrowserContextId) -> Self {
        let targets = browser.registry().follow_as_found(&id);
        Self { browser: browser.clone(), id, targets }
    }

    /// Chromium's id.
    pub fn id(&self) -> &BrowserContextId {
        &self.id
    }

    /// The browser it is in.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Opens a tab at `about:blank`. The tab itself arrives through [`Self::targets`], waiting to be resumed. It is asked for now: tabs
    /// stand in the order of the calls, whoever waits for which.
    pub fn new_target(&self) -> impl Future<Output = Result<TargetId, BrowserError>> + Send + use<> {
        let params =
            CreateTargetParams { browser_context_id: Some(self.id.clone()), ..CreateTargetParams::new("about:blank") };
        let asked = self.browser.cdp().send(params);
        async move { Ok(asked.await?.target_id) }
    }

    /// Opens a tab at `about:blank` that is in no window, for a browser that has windows: people do not see it. It runs
    /// already, and does not come through [`Self::targets`]. Chromium refuses where this context has no window at all.
    pub async fn new_hidden_target(&self) -> Result<Target, BrowserError> {
        let mut others = self.workers();
        let mut params = CreateTargetParams::new("about:blank");
        (params.browser_context_id, params.hidden) = (Some(self.id.clone()), Some(true));
        let id = self.browser.cdp().call(params).await?.target_id;
        while let Some(event) = others.next().await {
            if let TargetEvent::Attached(target) = event
                && *target.id() == id
            {
                return Ok(target);
            }
        }
        Err(BrowserError::TargetGone)
    }

    /// The same tab in another CDP session; the one of `tab` ends. Whatever was set in that one (overrides, headers, scripts for new
    /// documents, subscriptions) Chromium takes back, and for who still holds `tab` it has gone. The new one runs, and does not come
    /// through [`Self::targets`].
    pub async fn renew(&self, tab: &Target) -> Result<Target, BrowserError> {
        let (registry, cdp) = (self.browser.registry(), self.browser.cdp());
        let renewed = registry.renewal(tab.id());
        let attach = AttachToTargetParams { target_id: tab.id().clone(), flatten: Some(true) };
        // Chromium tells of the session before it answers.
        if let Err(error) = cdp.call(attach).await {
            registry.no_renewal(tab.id());
            return Err(error);
        }
        let target = renewed.await.map_err(|_| BrowserError::TargetGone)?;
        let old = SessionId::new(tab.cdp().session_id());
        let ended = cdp.send(DetachFromTargetParams { session_id: Some(old) });
        ended.await?;
        // The event that says so comes before the answer.
        Ok(target)
    }

    /// Pages and popups of this context, those of before included. Each call has a view of its own, but a target is to be
    /// set up and resumed by one of them only.
    pub fn targets(&self) -> TargetEvents {
        self.targets.pages.view()
    }

    /// Service and shared workers of this context, those of before included. They run already.
    pub fn workers(&self) -> TargetEvents {
        self.targets.workers.view()
    }

    /// The tabs, shared and service workers that are in it now, whoever made them.
    pub fn all_targets(&self) -> Vec<Target> {
        self.browser.registry().targets_in(&self.id)
    }

    /// Commands that every worker made in it from now on gets before it runs, whoever makes it.
    pub fn before_workers(&self, commands: Vec<(&'static str, Value)>) {
        self.targets.before_workers(commands);
    }

    /// Closes all its tabs and forgets it. The browser's default context cannot be disposed of.
    pub async fn dispose(&self) -> Result<(), BrowserError> {
        let answer = self.browser.cdp().call(DisposeBrowserContextParams::new(self.id.clone())).await;
        if answer.is_ok() {
            self.browser.registry().forget(&self.id);
        }
        answer.map(|_| ())
    }

    /// Whether it was disposed of or discarded, or its browser has gone.
    pub fn is_forgotten(&self) -> bool {
        !self.browser.registry().knows(&self.id)
    }

    /// [`Self::dispose`] without waiting: everything in it counts as gone from now on, whatever hangs there, and Chromium is
    /// told to close it.
    pub fn discard(&self) -> Pending<DisposeBrowserContextParams> {
        self.browser.registry().forget(&self.id);
        self.browser.cdp().send(DisposeBrowserContextParams::new(self.id.clone()))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?})", self.id.as_ref())
    }
}

/// From here on pages leave no files behind, in this context or in the default one: those of a confined browser are anybody's, and
/// the disk is not theirs. Not waited for, as commands are done in their order and the first page comes after it.
pub(super) fn deny_downloads(browser: &Browser, context: Option<BrowserContextId>) {
    let mut params = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::Deny);
    params.browser_context_id = context;
    browser.cdp().send(params).forget();
}
