//! What can be wrong with a file that a session is to be made from, or with writing one.

use crate::base::{SessionId, Version};

/// Why a session could not be exported or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortableError {
    /// None of the formats that we read.
    #[error("the file is none of the formats that a session is imported from: {found}")]
    Unrecognised {
        /// What it looks like.
        found: String,
    },
    /// A file of a known format with something in it that cannot be.
    #[error("the file is not a readable {format}: {at}: {reason}")]
    Invalid {
        /// `Playwright storage state`, `cookies.txt` ...
        format: &'static str,
        /// Where: the path of a field (`cookies[3].domain`) or a line.
        at: String,
        /// What was wanted, and what was found (its kind, never its value).
        reason: String,
    },
    /// A bundle without its passphrase.
    #[error("a bundle is sealed under a passphrase, and none was given")]
    NoPassphrase,
    /// A passphrase that nothing should be sealed under.
    #[error("the passphrase is too short: {found} characters, at least {wanted} are wanted")]
    WeakPassphrase {
        /// Its length in characters.
        found: usize,
        /// The least.
        wanted: usize,
    },
    /// A bundle that does not open.
    #[error("the bundle cannot be opened: {0}")]
    Closed(&'static str),
    /// A bundle of a later Rhaven.
    #[error("the bundle is of format {found}; this Rhaven reads up to {known}")]
    Later {
        /// Its format.
        found: u32,
        /// The newest that we read.
        known: u32,
    },
    /// A session that would have been written over.
    #[error("session {id} is there already, at version {version}")]
    Exists {
        /// Which.
        id: SessionId,
        /// Its newest version.
        version: Version,
    },
}

impl PortableError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unrecognised { .. } | Self::Invalid { .. } => "invalid_import",
            Self::NoPassphrase => "passphrase_required",
            Self::WeakPassphrase { .. } => "passphrase_too_short",
            Self::Closed(_) | Self::Later { .. } => "decrypt_failed",
            Self::Exists { .. } => "session_exists",
        }
    }

    /// Whether what was asked for cannot be, rather than what is kept being damaged.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Closed(_) | Self::Later { .. })
    }
}
