//! What can be wrong with a file that a session is to be made from, or with writing one.

use std::io;

use crate::seal::SealError;

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
    /// A file in clear that is larger than what is taken into memory.
    #[error("the file is larger than {} MiB, which is the most that this format is read of", .limit >> 20)]
    TooLarge {
        /// The most, in bytes.
        limit: usize,
    },
    /// A bundle without its passphrase.
    #[error("a bundle is sealed under a passphrase, and none was given")]
    NoPassphrase,
    /// A passphrase that nothing should be sealed under.
    #[error(transparent)]
    Passphrase(SealError),
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
    /// Whoever asked for it does not want it any more. Nothing was written.
    #[error("the import was given up")]
    GivenUp,
    /// The file could not be read to its end.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// The file could not be written to its end.
    #[error("the file cannot be written")]
    Write(#[source] io::Error),
}

impl PortableError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unrecognised { .. } | Self::Invalid { .. } => "invalid_import",
            Self::TooLarge { .. } => "too_large",
            Self::NoPassphrase => "passphrase_required",
            Self::Passphrase(error) => error.code(),
            Self::Closed(_) | Self::Later { .. } => "decrypt_failed",
            Self::GivenUp => "cancelled",
            Self::Read(_) | Self::Write(_) => "file_error",
        }
    }

    /// Whether what was asked for cannot be, rather than what is kept being damaged.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Closed(_) | Self::Later { .. })
    }
}
