//! Floor 1: sealed records, documents and blobs at rest. Three traits, one backend per file, none importing another.
//!
//! A store sees only [`crate::seal::Sealed`] bytes and HMAC tags: neither ids nor values in clear. What it must do is
//! atomicity: a lease is granted to one owner at a time, and a commit checks owner, fence and expected version in the
//! same atomic step as it writes.

mod backends;
mod blobs;
mod clock;
mod documents;
mod error;
mod files;
mod folder;
mod location;
mod memory;
mod records;
mod snapshot;
mod sqlite;

pub use backends::Backends;
pub use blobs::{BlobId, Blobs, ListedBlob, StoreId};
pub use clock::Clock;
pub use documents::{DocumentName, Documents, Expected, KeptDocument};
pub use error::StoreError;
pub use files::FileBlobs;
pub use location::{BlobsAt, Checksums, LocationError, RecordsAt, RedisUrl, S3Url};
pub use memory::MemoryStore;
pub use records::{
    AcquireRequest, Acquired, Checkpoint, Commit, Committed, Granted, Head, Held, Kept, Listed, OwnerId, PartId,
    RecordName, Records, VersionEntry,
};
pub use snapshot::{Snapshot, SnapshotVersion};
pub use sqlite::SqliteStore;
