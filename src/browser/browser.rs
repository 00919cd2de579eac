//! A running Chromium: the handle, and its end.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chromiumoxide::cdp::browser_protocol::browser::{BrowserContextId, CloseParams, GetVersionParams};
use chromiumoxide::cdp::browser_protocol::target::GetBrowserContextsParams;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio_util::sync::CancellationToken;

use crate::base::Deadline;

use super::launch::{launch, remote};
use super::process::Process;
use super::registry::Registry;
use super::userdir::UserDir;
use super::{Bridge, BrowserError, Cdp, Context, ContextOptions, Egress, Flavor, LaunchOptions, ProfileDir};

/// A running Chromium. Cheap to clone; when the last clone goes without [`Self::close`], the process group is killed.
#[derive(Clone)]
pub struct Browser {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<Registry>,
    owned: Option<Owned>,
}

/// What we have of a browser that we started: dropping it ends it.
pub(super) struct Owned {
    pub(super) process: Process,
    pub(super) dir: UserDir,
    /// Set where somebody else removes the folder, and not before the browser has ended.
    profile: Option<ProfileDir>,
    pub(super) executable: PathBuf,
    flavor: Flavor,
    pub(super) notices: Vec<String>,
    /// Whether all of it has been ended and removed.
    over: AtomicBool,
}

impl Owned {
    pub(super) fn new(
        process: Process,
        dir: UserDir,
        profile: Option<ProfileDir>,
        (executable, flavor): (PathBuf, Flavor),
        notices: Vec<String>,
    ) -> Self {
        Self { process, dir, profile, executable, flavor, notices, over: AtomicBool::new(false) }
    }
}

/// Who a browser is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserVersion {
    /// Product and version, e.g. `HeadlessChrome/156.0.1.2`.
    pub product: String,
    /// Version of the protocol, e.g. `1.3`.
    pub protocol: String,
    /// The `User-Agent` that it sends where nothing else is set.
    pub user_agent: String,
    /// Version of the JavaScript engine.
    pub js: String,
}

impl Browser {
    pub(super) fn new(registry: Arc<Registry>, owned: Option<Owned>) -> Self {
        Self { inner: Arc::new(Inner { registry, owned }) }
    }

    /// Starts one and sets up flat auto-attach. Fails with `browser_not_installed` or `browser_launch_failed`.
    pub async fn launch(options: &LaunchOptions) -> Result<Browser, BrowserError> {
        launch(options, &CancellationToken::new()).await
    }

    /// Connects to one that runs already (`ws://..` DevTools address). Closing it closes our connection only.
    pub async fn connect(address: &str) -> Result<Browser, BrowserError> {
        remote(address).await
    }

    /// The browser's own CDP session.
    pub fn cdp(&self) -> &Cdp {
        &self.inner.registry.browser
    }

    /// A new isolated context: nothing is shared with any other.
    pub async fn new_context(&self, options: &ContextOptions) -> Result<Context, BrowserError> {
        Context::create(self, options).await
    }

    /// The context of the user-data directory itself, which a kept directory remembers. It cannot be disposed of.
    pub async fn default_context(&self) -> Result<Context, BrowserError> {
        Ok(Context::of(self, self.default_context_id().await?))
    }

    /// The same of a browser that others use: the tabs that are in it already come through [`Context::targets`], too, and run.
    pub async fn default_context_as_found(&self) -> Result<Context, BrowserError> {
        Ok(Context::as_found(self, self.default_context_id().await?))
    }

    async fn default_context_id(&self) -> Result<BrowserContextId, BrowserError> {
        let contexts = self.cdp().call(GetBrowserContextsParams::default()).await?;
        contexts.default_browser_context_id.ok_or_else(|| BrowserError::Protocol {
            method: "Target.getBrowserContexts".to_owned(),
            reason: "no default context was named".to_owned(),
        })
    }

    /// Which binary it is; empty for a remote one.
    pub fn executable(&self) -> &Path {
        self.owned().map_or(Path::new(""), |owned| &owned.executable)
    }

    /// How often somebody here has changed what sites may do, in any of its contexts. None where that changes without us as well: the
    /// headless shell decides nothing by itself and asks nobody, other browsers do.
    pub fn permissions_given(&self) -> Option<u64> {
        self.owned().filter(|owned| owned.flavor == Flavor::HeadlessShell)?;
        Some(self.cdp().router.permissions())
    }

    /// The id of its main process; none for a remote one.
    pub fn pid(&self) -> Option<u32> {
        self.owned().map(|owned| owned.process.pid())
    }

    /// The folder that it has for itself, which nobody else can read and which is removed at its end; none for a remote one.
    pub fn folder(&self) -> Option<&Path> {
        self.owned().map(|owned| owned.dir.path())
    }

    /// Its user-data directory; none for a remote one.
    pub fn user_data_dir(&self) -> Option<PathBuf> {
        self.owned().map(|owned| owned.dir.user_data_dir())
    }

    /// The only way out that it has, where it was started with one.
    pub fn egress(&self) -> Option<&Egress> {
        self.cdp().router.egress.as_ref()
    }

    /// Things that the user should be told once (sandbox off because root).
    pub fn notices(&self) -> Vec<String> {
        self.owned().map(|owned| owned.notices.clone()).unwrap_or_default()
    }

    /// Asks it who it is.
    pub async fn version(&self) -> Result<BrowserVersion, BrowserError> {
        let version = self.cdp().call(GetVersionParams::default()).await?;
        Ok(BrowserVersion {
            product: version.product,
            protocol: version.protocol_version,
            user_agent: version.user_agent,
            js: version.js_version,
        })
    }

    /// Opens the browser to another client that speaks CDP. Tabs that `hidden` knows (by target id) are kept from it.
    pub async fn bridge(&self, hidden: impl Fn(&str) -> bool + Send + Sync + 'static) -> Result<Bridge, BrowserError> {
        Bridge::open(self, hidden).await
    }

    /// Waits until the browser has gone and says why.
    pub async fn gone(&self) -> BrowserError {
        self.cdp().router.ended().await
    }

    /// Whether it has gone, or was closed.
    pub fn is_gone(&self) -> bool {
        self.cdp().router.end_reason().is_some()
    }

    /// How many contexts are in use in it.
    pub fn contexts(&self) -> usize {
        self.inner.registry.contexts()
    }

    /// The context that a target is in which is attached on the browser's own session: a tab, by the id of its main frame.
    pub fn context_of(&self, target: &str) -> Option<BrowserContextId> {
        self.inner.registry.context_of(target)
    }

    /// About how much memory its processes have together, in bytes; none for a remote one and where the system does not tell.
    /// Blocks for a millisecond or two.
    pub fn memory(&self) -> Option<u64> {
        self.owned()?.process.memory()
    }

    /// Ends it: `Browser.close` where there is a directory to keep, else at once; then the process group is killed, and a
    /// throw-away directory is removed. Answers when no process of it lives. Of a remote browser only our connection
    /// ends.
    pub async fn close(&self, deadline: Deadline) {
        if let Some(owned) = self.owned()
            && owned.dir.is_kept()
        {
            // What the profile holds is on disk only after an orderly exit.
            self.cdp().send(CloseParams::default()).forget();
            let _ = deadline.race(owned.process.exited()).await;
        }
        self.end_now().await;
    }

    /// Ends a browser on a [`ProfileDir`] in order; one that does not end by `deadline` is killed. Answers when no process of
    /// it lives: whether all that it keeps is on the disk. Only then may the directory be kept.
    pub async fn quit(&self, deadline: Deadline) -> bool {
        self.cdp().send(CloseParams::default()).forget();
        let status = match self.owned() {
            Some(owned) => deadline.race(owned.process.exited()).await.flatten(),
            None => None,
        };
        self.end_now().await;
        // Also one that was told to end by a signal answers success; but it leaves its locks.
        let unlocked = self.owned().and_then(|owned| owned.profile.as_ref()).is_some_and(|dir| !dir.has_locks());
        unlocked && status.is_some_and(|status| status.success())
    }

    /// Kills it and removes what is thrown away. Answers when no process of it lives.
    pub(super) async fn end_now(&self) {
        self.inner.registry.finish(&closed());
        if let Some(owned) = self.owned() {
            owned.process.kill();
            clean_up(owned.process.clone(), owned.dir.clone(), owned.profile.clone()).await;
            owned.over.store(true, Ordering::Release);
        }
    }

    pub(super) fn owned(&self) -> Option<&Owned> {
        self.inner.owned.as_ref()
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Browser({})", self.executable().display())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.registry.finish(&closed());
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.over.load(Ordering::Acquire) {
            return;
        }
        self.process.kill();
        // The folder can go when the processes have; where no runtime is left to wait for that, the reaper of the next
        // start removes what is still there.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                drop(runtime.spawn(clean_up(self.process.clone(), self.dir.clone(), self.profile.clone())));
            }
            Err(_) if self.profile.is_none() => self.dir.remove(),
            Err(_) => {}
        }
    }
}

/// Waits for the end of a process that was killed and removes its folder, or lets go of the one that is not its own.
async fn clean_up(process: Process, dir: UserDir, profile: Option<ProfileDir>) {
    process.ended().await;
    // Some hundred small files in memory: blocking is short, but not for a runtime's worker to do.
    let remove = move || {
        if profile.is_none() {
            dir.remove();
        }
    };
    let _ = tokio::task::spawn_blocking(remove).await;
}

fn closed() -> BrowserError {
    BrowserError::Gone("it was closed".to_owned())
}

/// A browser that is being started while its user does something else. Clones share it.
#[derive(Clone)]
pub struct Launching {
    cancel: CancellationToken,
    started: Shared<BoxFuture<'static, Result<Browser, BrowserError>>>,
}

impl Launching {
    /// Begins the start on the current tokio runtime.
    pub fn begin(options: LaunchOptions) -> Self {
        let cancel = CancellationToken::new();
        let cancelled = cancel.clone();
        let start = tokio::spawn(async move { launch(&options, &cancelled).await });
        let started = async move {
            start.await.unwrap_or_else(|error| Err(BrowserError::Gone(format!("its start broke off ({error})"))))
        };
        Self { cancel, started: started.boxed().shared() }
    }

    /// The browser, or why it did not start.
    pub async fn browser(&self) -> Result<Browser, BrowserError> {
        self.started.clone().await
    }

    /// Ends the browser, started or still starting.
    pub async fn close(&self, deadline: Deadline) {
        self.cancel.cancel();
        if let Ok(browser) = self.browser().await {
            browser.close(deadline).await;
        }
    }
}
