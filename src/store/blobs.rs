//! Blobs: large immutable sealed objects.

use std::fmt;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use crate::seal::{RawBlob, SealedStream};

use super::StoreError;

/// A blob's name. Random, or an HMAC of its content; never content in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

/// Which store of records blobs belong to: random, made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

impl StoreId {
    /// Reads what [`fmt::Display`] has written, with or without the end of a line.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        Some(Self(HEXLOWER.decode(text.trim_ascii_end()).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A blob as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its name.
    pub id: BlobId,
    /// Its length as it is stored, sealed.
    pub bytes: u64,
    /// When it was written, or when its writing began, by the store's clock.
    pub written_at: Timestamp,
}

/// Large sealed objects at rest.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes the whole body or nothing; it is on disk when this answers. One that is there already is left as it is.
    /// Of one that is given up before the answer nothing is left, as far as that is possible: nobody knows of it.
    async fn put(&self, id: &BlobId, body: SealedStream) -> Result<(), StoreError>;

    /// The body. [`StoreError::NotFound`] where there is none.
    async fn get(&self, id: &BlobId) -> Result<RawBlob, StoreError>;

    /// Removes them; ones that are not there are no error.
    async fn delete(&self, ids: &[BlobId]) -> Result<(), StoreError>;

    /// Those whose ids come after `after`, in order, at most `limit`. Fewer than `limit` are all that there are.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError>;

    /// Marks all that is here as belonging to `store`, for good, unless it belongs to one already; answers whose it is. Blobs
    /// of two stores are never together: each would take those of the other for litter. [`StoreError::Unfit`] where it cannot
    /// be marked so that no other marks it at the same time.
    async fn claim(&self, store: StoreId) -> Result<StoreId, StoreError>;

    /// Removes what writers began before `before` and never finished, as far as it is not gone by itself; answers how much.
    async fn discard_unfinished(&self, before: Timestamp) -> Result<usize, StoreError>;

    /// What time it is by the clock that tells [`ListedBlob::written_at`].
    async fn now(&self) -> Result<Timestamp, StoreError>;
}
