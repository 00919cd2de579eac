//! What a store answers when it cannot do as asked.

use crate::base::Version;

/// Why a store did not do as asked. Every error means: nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The lease has passed to another holder or has run out; the write was refused.
    #[error("the lease is lost: another run holds this session, or the lease ran out")]
    LeaseLost,
    /// HEAD is not the version that the writer started from.
    #[error("HEAD is {found}, the write expected {expected}", found = show(*found), expected = show(*expected))]
    Conflict {
        /// What the writer expected.
        expected: Option<Version>,
        /// What is there.
        found: Option<Version>,
    },
    /// A document's compare-and-set did not match.
    #[error("the document has changed since it was read")]
    DocumentChanged,
    /// There is nothing by that name.
    #[error("there is no such {0} in the store")]
    NotFound(&'static str),
    /// What is stored is damaged, as far as the store itself can tell.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// The file or row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be reached or written now.
    #[error("{what} is not available")]
    Unavailable {
        /// The file, folder or server.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot be used as it is, now or later.
    #[error("{what} cannot be used: {why}")]
    Unfit {
        /// The file, folder or server.
        what: String,
        /// Why, and the way out.
        why: String,
    },
    /// Written by a later Rhaven.
    #[error("{what} has layout {found}, this Rhaven knows up to {known}")]
    Layout {
        /// The file or server.
        what: String,
        /// Its layout version.
        found: u32,
        /// The newest one that this build knows.
        known: u32,
    },
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LeaseLost => "lease_lost",
            Self::Conflict { .. } | Self::DocumentChanged => "conflict",
            Self::NotFound(_) => "not_found",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Unavailable { .. } => "store_unavailable",
            Self::Unfit { .. } => "store_unfit",
            Self::Layout { .. } => "store_layout",
        }
    }
}

fn show(version: Option<Version>) -> String {
    version.map_or_else(|| "empty".to_owned(), |version| version.to_string())
}
