//! Blobs: large immutable sealed objects.

use async_trait::async_trait;

use crate::seal::{RawBlob, SealedStream};

use super::StoreError;

/// A blob's name. Random, or an HMAC of its content; never content in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

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

    /// Ids after `after` in order, at most `limit`.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, StoreError>;
}
