//! What can go wrong inside a transaction, and which error of the store that is.

use std::path::Path;

use bytes::Bytes;
use rusqlite::ErrorCode;

use crate::seal::{SealError, Sealed};

use super::super::StoreError;

/// Why nothing could be written for [`super::schema::BUSY_TIMEOUT`], which is a thousand times as long as a write takes.
const BUSY: &str = "another process has been writing to it for 10 s; it may be stopped (SIGSTOP, Ctrl-Z) in the middle of that: \
                    it has to go on or to end";

/// Any error inside a transaction: each rolls it back.
pub(super) enum Failure {
    /// Of SQLite.
    Sql(rusqlite::Error),
    /// A stored value that is no sealed object.
    Damaged(&'static str, SealError),
    /// Of the store's own rules.
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// As the store's callers see it; `file` is the database.
    pub(super) fn into_store_error(self, file: &Path) -> StoreError {
        let what = file.display().to_string();
        match self {
            Self::Store(error) => error,
            Self::Damaged(value, error) => StoreError::Corrupt { what, reason: format!("{value}: {error}") },
            Self::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                StoreError::Unavailable { what, source: BUSY.into() }
            }
            Self::Sql(error) if away(&error) => StoreError::Unavailable { what, source: error.into() },
            Self::Sql(error) => StoreError::Corrupt { what, reason: error.to_string() },
        }
    }
}

/// Whether the same call may succeed later or elsewhere. Everything else means that the file does not hold what this
/// build has written.
fn away(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
        )
    )
}

/// A stored value. Where it is damaged, whoever opens it says so.
pub(super) fn sealed(bytes: Vec<u8>) -> Sealed {
    Sealed::kept(Bytes::from(bytes))
}

/// A stored id of fixed length.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Failure> {
    bytes.try_into().map_err(|_| Failure::Damaged("an id", SealError::NotSealed("it has another length")))
}
