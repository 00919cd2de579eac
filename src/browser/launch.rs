//! Starting a Chromium of our own and connecting to a remote one.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::GetVersionParams;
use tokio_util::sync::CancellationToken;

use super::browser::{Browser, Owned};
use super::context::deny_downloads;
use super::flags::{arguments, environment};
use super::install::{self, Found};
use super::process::{Pipes, Process};
use super::registry::Registry;
use super::router::{Router, Session};
use super::transport::{connect, read_pipe, serve_socket, write_pipe};
use super::userdir::UserDir;
use super::{BrowserError, Cdp, Egress, ProfileDir};
use crate::base::ProcessId;

/// How long a start may take where nothing else is said.
const START: Duration = Duration::from_secs(30);

/// The pipe ends a moment before the exit status is known; waiting calls are worth this much of a delay for it.
const STATUS_PATIENCE: Duration = Duration::from_millis(100);

/// Which Chromium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    /// `chromium-headless-shell`, five times quicker per page; full Chromium in headless mode where it is not installed.
    #[default]
    HeadlessShell,
    /// Full Chromium.
    Full,
}

/// How to start a browser.
#[derive(Debug, Clone, Default)]
pub struct LaunchOptions {
    /// Which one.
    pub flavor: Flavor,
    /// With a window; implies [`Flavor::Full`].
    pub headed: bool,
    /// This binary and no other. A wrapper script is followed to the binary it starts.
    pub executable: Option<PathBuf>,
    /// Where [`super::download`] has put browsers, to be looked through too.
    pub downloads: Option<PathBuf>,
    /// A user-data directory to use and keep; a throw-away one (0700, in memory-backed storage where it fits) where none.
    pub user_data_dir: Option<PathBuf>,
    /// A user-data directory that is filled before and read after; needs full Chromium.
    pub profile_dir: Option<ProfileDir>,
    /// Sandbox off although not root.
    pub no_sandbox: bool,
    /// Further flags, merged with ours (`--disable-features` values are united).
    pub args: Vec<String>,
    /// How long a start may take; 30 s where none.
    pub timeout: Option<Duration>,
    /// The only way out: nothing is sent anywhere else, no name is resolved by the browser, and pages are opened by addresses of
    /// the web only.
    pub egress: Option<Egress>,
    /// What it goes through for all that it asks for, where nothing else is said; unlike with `egress` it may do what any browser
    /// does. Without effect beside `egress`.
    pub proxy: Option<Egress>,
}

impl LaunchOptions {
    /// Which binary they come to.
    pub(super) fn find(&self) -> Result<Found, BrowserError> {
        let flavor = if self.headed { Flavor::Full } else { self.flavor };
        match &self.executable {
            Some(path) => install::named(path),
            None => install::find(flavor, self.downloads.as_deref()),
        }
    }
}

/// Starts a browser; once `cancel` is cancelled it is ended again, wholly.
pub(super) async fn launch(options: &LaunchOptions, cancel: &CancellationToken) -> Result<Browser, BrowserError> {
    let found = options.find()?;
    if options.headed && found.flavor == Flavor::HeadlessShell {
        let tried = format!("{} is the headless shell, which has no window", found.path.display());
        return Err(BrowserError::FullNotInstalled { tried });
    }
    if options.profile_dir.is_some() && found.flavor == Flavor::HeadlessShell {
        let tried = format!("{} is the headless shell, which keeps no profile", found.path.display());
        return Err(BrowserError::FullNotInstalled { tried });
    }
    let dir = match &options.profile_dir {
        Some(profile) => profile.user_dir(),
        None => UserDir::create(options.user_data_dir.as_deref(), 0)?,
    };
    let (args, notices) = arguments(options, found.flavor, &dir);
    let (process, pipes) = match Process::start(&found.path, &args, environment(&dir)) {
        Ok(started) => started,
        Err(error) => {
            if options.profile_dir.is_none() {
                dir.remove();
            }
            return Err(failed(&found.path, &error.to_string()));
        }
    };
    // From here on dropping `owned` ends the process and removes the folder.
    let owned = Owned::new(process, dir, options.profile_dir.clone(), (found.path.clone(), found.flavor), notices);
    owned.dir.mark(ProcessId::of(owned.process.pid()))?;
    let registry = route_pipes(pipes, &owned.process, options);
    let browser = Browser::new(registry, Some(owned));
    if browser.egress().is_some() {
        deny_downloads(&browser, None);
    }
    let within = options.timeout.unwrap_or(START);
    let answer = tokio::select! {
        answer = tokio::time::timeout(within, browser.cdp().call(GetVersionParams::default())) => answer,
        () = cancel.cancelled() => Ok(Err(BrowserError::Gone("its start was given up".to_owned()))),
    };
    let error = match answer {
        Ok(Ok(_)) => return Ok(browser),
        Ok(Err(_)) if !cancel.is_cancelled() => why_it_ended(&browser, &found.path).await,
        Ok(Err(error)) => error,
        Err(_) => BrowserError::LaunchTimeout { executable: found.path.display().to_string(), within },
    };
    browser.end_now().await;
    Err(error)
}

/// Connects to a remote browser.
pub(super) async fn remote(address: &str) -> Result<Browser, BrowserError> {
    let failed = |reason: String| BrowserError::Connect { address: shown(address), reason };
    let socket = connect(address).await.map_err(|error| failed(error.to_string()))?;
    let registry = registry(None, None);
    let reader = registry.clone();
    tokio::spawn(async move {
        let router = &reader.browser.router;
        let reason = serve_socket(&router.outbox, socket, |message| reader.handle(message)).await;
        reader.finish(&BrowserError::Gone(reason));
    });
    let browser = Browser::new(registry, None);
    match browser.cdp().call(GetVersionParams::default()).await {
        Ok(_) => Ok(browser),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// An address without what may be a key: hosted browsers take theirs in the query or before an `@`.
fn shown(address: &str) -> String {
    url::Url::parse(address).map_or_else(
        |_| "an address that is not a URL".to_owned(),
        |url| {
            format!(
                "{}://{}{}",
                url.scheme(),
                url.host_str().unwrap_or_default(),
                url.port().map_or(String::new(), |port| format!(":{port}"))
            )
        },
    )
}

fn registry(egress: Option<Egress>, proxy: Option<Egress>) -> Arc<Registry> {
    let router = Arc::new(Router::new(egress, proxy));
    let registry = Arc::new(Registry::new(Cdp { router, session: Session::new("") }));
    registry.begin();
    registry
}

/// Starts the tasks that move messages between Chromium and the router.
fn route_pipes(pipes: Pipes, process: &Process, options: &LaunchOptions) -> Arc<Registry> {
    let registry = registry(options.egress.clone(), options.proxy.clone());
    let router = registry.browser.router.clone();
    let Pipes { sender, receiver } = pipes;
    tokio::spawn(async move { write_pipe(&router.outbox, sender).await });
    let (reader, process) = (registry.clone(), process.clone());
    tokio::spawn(async move {
        read_pipe(receiver, |message| reader.handle(message)).await;
        let status = tokio::time::timeout(STATUS_PATIENCE, process.exited()).await.ok().flatten();
        let reason =
            status.map_or_else(|| "its connection ended".to_owned(), |status| format!("it {}", ended_with(status)));
        reader.finish(&BrowserError::Gone(reason));
    });
    registry
}

/// Why a browser ended before it answered: the exit status and the last it wrote.
async fn why_it_ended(browser: &Browser, executable: &Path) -> BrowserError {
    let Some(owned) = browser.owned() else { return failed(executable, "it ended") };
    owned.process.kill();
    let status = owned.process.exited().await;
    let stderr = owned.process.stderr().await;
    let mut reason = match status {
        Some(status) if status.code() == Some(PROFILE_IN_USE) => {
            "its user-data directory is in use by another browser".to_owned()
        }
        Some(status) => ended_with(status),
        None => "ended".to_owned(),
    };
    if stderr.contains("No usable sandbox") {
        reason.push_str(" (this system gives it no sandbox; allow one or start it without)");
    }
    if !stderr.is_empty() {
        reason.push_str(":\n");
        reason.push_str(&stderr);
    }
    failed(executable, &reason)
}

/// Chromium's exit code where another process holds the user-data directory.
const PROFILE_IN_USE: i32 = 21;

fn ended_with(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn failed(executable: &Path, reason: &str) -> BrowserError {
    BrowserError::Launch { executable: executable.display().to_string(), reason: reason.to_owned() }
}
