//! What can go wrong between us and Chromium.

use std::time::Duration;

/// Why a browser did not do as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// No Chromium on this machine.
    #[error("no Chromium found: {tried}")]
    NotInstalled {
        /// Where it was looked for.
        tried: String,
    },
    /// No full Chromium on this machine, and the headless shell will not do.
    #[error("no full Chromium found, which windows and profile sessions need: {tried}")]
    FullNotInstalled {
        /// What there is, or where it was looked for.
        tried: String,
    },
    /// The process did not start or ended at once.
    #[error("{executable} did not start: {reason}")]
    Launch {
        /// What was started.
        executable: String,
        /// Exit status and the last lines of its stderr.
        reason: String,
    },
    /// It started and did not answer in time.
    #[error("{executable} did not answer within {}", crate::base::show_duration(*.within))]
    LaunchTimeout {
        /// What was started.
        executable: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// A remote browser could not be reached.
    #[error("the browser at {address} could not be reached: {reason}")]
    Connect {
        /// Scheme, host and port of its address; the rest may hold a key.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A Chromium could not be installed.
    #[error("Chromium could not be installed: {0}")]
    Install(String),
    /// The process ended or the connection broke while something waited for it.
    #[error("the browser is gone: {0}")]
    Gone(String),
    /// The page, frame or worker behind this CDP session has gone; the browser lives.
    #[error("the target is gone")]
    TargetGone,
    /// Chromium answered a command with an error.
    #[error("{method}: {message}")]
    Cdp {
        /// The command.
        method: String,
        /// Chromium's error code.
        code: i64,
        /// Chromium's words.
        message: String,
    },
    /// Chromium's answer is not what the protocol says.
    #[error("{method} answered what the protocol does not say: {reason}")]
    Protocol {
        /// The command.
        method: String,
        /// What did not decode.
        reason: String,
    },
    /// The browser has one way out only, and this is not of the web: local files, pages of Chromium's own.
    #[error("`{scheme}:` is refused: only http and https lead out of here")]
    Scheme {
        /// Which scheme was to be opened.
        scheme: String,
    },
    /// A page was to be opened that may not be reached, as the only way out says.
    #[error("{0}")]
    Blocked(String),
    /// The proxy to go through is away, or does not let us through.
    #[error("{0}")]
    NoProxy(String),
    /// A context was to go past the way out that its browser has.
    #[error("a context of this browser cannot have a proxy past the one that the browser goes through")]
    Proxy,
    /// A file or folder of ours (user-data directory, marker) could not be made or removed.
    #[error("{what}: {reason}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        reason: String,
    },
}

impl BrowserError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } | Self::FullNotInstalled { .. } => "browser_not_installed",
            Self::Launch { .. } | Self::LaunchTimeout { .. } | Self::Io { .. } => "browser_launch_failed",
            Self::Connect { .. } => "browser_connect_failed",
            Self::Install(_) => "browser_install_failed",
            Self::Gone(_) => "browser_gone",
            Self::TargetGone => "page_closed",
            Self::Cdp { .. } | Self::Protocol { .. } => "browser_protocol",
            Self::Scheme { .. } | Self::Blocked(_) | Self::Proxy => "target_blocked",
            Self::NoProxy(_) => "proxy_unavailable",
        }
    }
}
