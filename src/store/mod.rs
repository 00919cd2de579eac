//! Floor 1: sealed records, documents and blobs at rest. Three traits, one backend per file, none importing another.
//!
//! A store sees only [`crate::seal::Sealed`] bytes and HMAC tags: neither ids nor values in clear. What it must do is
//! atomicity: a lease is granted to one owner at a time, and a commit checks owner, fence and expected version in the
//! same atomic step as it writes.

mod backends;
mod blobs;
mod clock;
mod contents;
mod copy;
mod documents;
mod error;
mod files;
mod folder;
mod location;
mod memory;
mod mirror;
mod probe;
mod records;
mod redis;
mod s3;
mod snapshot;
mod sqlite;

pub use backends::Backends;
pub use blobs::{BlobId, Blobs, ListedBlob, StoreId};
pub use clock::Clock;
pub use contents::Contents;
pub use copy::{Copied, CopyError, CopyPlan, CopyProgress, copy, plan};
pub use documents::{DocumentName, Documents, Expected, KeptDocument};
pub use error::StoreError;
pub use files::FileBlobs;
pub use location::{BlobsAt, Checksums, LocationError, RecordsAt, RedisUrl, S3Url};
pub use memory::MemoryStore;
pub use mirror::{Copies, CopyOf, HeadCopy, Mirrored, PaperCopy};
pub use probe::honours_conditions;
pub use records::{
    AcquireRequest, Acquired, Checkpoint, Commit, Committed, Granted, Head, Held, Kept, Listed, OwnerId, PartId,
    RecordName, Records, VersionEntry,
};
pub use redis::{RedisReport, RedisStore};
pub use s3::{S3Blobs, S3Credentials, S3Finding, S3Limits, S3Options, S3Report};
pub use snapshot::{Snapshot, SnapshotVersion};
pub use sqlite::SqliteStore;
