//! What can go wrong on the way out: for one connection, and while the way is set up.

use std::time::Duration;

use super::Refusal;

/// Why a connection was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The policy forbids it.
    #[error("{0}")]
    Refused(Refusal),
    /// The name has no address.
    #[error("{host} has no address ({reason})")]
    NoAddress {
        /// The name.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// None of its addresses answered.
    #[error("{host}:{port} cannot be reached ({reason})")]
    NotReached {
        /// Name or address.
        host: String,
        /// Its port.
        port: u16,
        /// The system's words.
        reason: String,
    },
    /// It did not answer in time.
    #[error("{host}:{port} did not answer within {}", crate::base::show_duration(*.within))]
    TimedOut {
        /// Name or address.
        host: String,
        /// Its port.
        port: u16,
        /// How long it was waited for.
        within: Duration,
    },
    /// The upstream proxy cannot be reached, may not be, or does not let us through.
    #[error("the upstream proxy {0}")]
    Upstream(String),
}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NoAddress { .. } | Self::NotReached { .. } | Self::TimedOut { .. } => "navigation_failed",
            Self::Upstream(_) => "proxy_unavailable",
        }
    }

    /// In words, for a navigation of which Chromium says `net_error`; what could not be reached begins with the name that Chromium
    /// would have for it without a proxy in between.
    pub fn told_as(&self, net_error: &str) -> String {
        match self {
            Self::Refused(_) | Self::Upstream(_) => self.to_string(),
            fault => format!("{} ({fault})", fault.net_error().unwrap_or(net_error)),
        }
    }

    fn net_error(&self) -> Option<&'static str> {
        match self {
            Self::NoAddress { .. } => Some("net::ERR_NAME_NOT_RESOLVED"),
            Self::NotReached { reason, .. } if reason.contains("refused") => Some("net::ERR_CONNECTION_REFUSED"),
            Self::NotReached { reason, .. } if reason.contains("unreachable") => Some("net::ERR_ADDRESS_UNREACHABLE"),
            Self::TimedOut { .. } => Some("net::ERR_CONNECTION_TIMED_OUT"),
            Self::NotReached { .. } | Self::Refused(_) | Self::Upstream(_) => None,
        }
    }
}

/// Why the way out could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// An `--allow-host` or `--deny-host` that cannot be read.
    #[error("`{pattern}` is no HOST or HOST:PORT to allow or deny: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An upstream proxy's address that cannot be used. The address is not told: it may hold a password.
    #[error("the address of the upstream proxy {0}; it should look like http://user:password@proxy.example:3128")]
    Upstream(&'static str),
    /// No port to listen on, or no client to be made.
    #[error("the outgoing proxy could not be started: {0}")]
    Start(String),
}

impl EgressError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pattern { .. } | Self::Upstream(_) => "invalid_argument",
            Self::Start(_) => "proxy_unavailable",
        }
    }
}
