//! Blobs in S3, or what speaks its language: one object each, `PREFIXblobs/ab/abcdef..` by the hex of its id.
//!
//! An object is there as a whole or not at all: a short one is put by one request, a long one as an upload in parts of which
//! nothing is seen before its last request. Both are conditional (`If-None-Match`), so that a request which is repeated because
//! its answer was lost changes nothing. Objects are read in ranges of one version (`If-Match`): a connection that is cut costs
//! the rest of a range.

mod connect;
mod download;
mod failure;
mod listing;
mod owner;
mod report;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use crate::base::Secret;
use crate::seal::{RawBlob, SealedStream};

use super::{BlobId, Blobs, ListedBlob, S3Url, StoreError, StoreId};

/// Blobs in a bucket. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct S3Blobs(Arc<Bucket>);

/// A bucket and how it is spoken to.
struct Bucket {
    client: Client,
    url: S3Url,
    /// Where it is, for messages.
    place: String,
    limits: S3Limits,
}

/// What S3 is spoken to with.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// As whom; none for the usual chain of AWS: environment, profile, single sign-on, the role of the machine.
    pub credentials: Option<S3Credentials>,
    /// How much at once, and how long to wait.
    pub limits: S3Limits,
}

/// A pair of keys.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// The one that is no secret.
    pub access_key: String,
    /// The other.
    pub secret_key: Secret,
}

/// How much is sent and asked for at once, and how long is waited. The defaults are right for all but tests.
#[derive(Debug, Clone, Copy)]
pub struct S3Limits {
    /// Bytes of a part of an upload, and of a range that is read: 8 MiB. S3 takes no parts below 5 MiB but the last.
    pub part_bytes: usize,
    /// Parts, or ranges, of one blob that are under way at once: 4.
    pub parallel: usize,
    /// How often a request is tried before it has failed: 5 times.
    pub attempts: u32,
    /// How long a connection may take to come about: 5 s.
    pub connect: Duration,
    /// How long an answer may take, beyond the time that the bytes of the request need at [`Self::slowest`]: 15 s.
    pub answer: Duration,
    /// How long a body may rest without a byte: 20 s.
    pub stalled: Duration,
    /// Bytes in a second below which a connection is of no use: 64 KiB.
    pub slowest: usize,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            part_bytes: 8 << 20,
            parallel: 4,
            attempts: 5,
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            stalled: Duration::from_secs(20),
            slowest: 64 << 10,
        }
    }
}

impl S3Limits {
    /// How long one try of a request with that many bytes may take.
    fn for_bytes(&self, bytes: usize) -> Duration {
        self.answer + Duration::from_secs((bytes / self.slowest.max(1)) as u64)
    }

    /// The pause before a request that failed is tried again.
    fn pause(tried: u32) -> Duration {
        Duration::from_millis(100) * 2_u32.saturating_pow(tried.min(6))
    }
}

impl S3Blobs {
    /// Blobs in the bucket that is there already. Asks nothing of it yet; may ask for credentials elsewhere when they are needed.
    /// [`StoreError::Unavailable`] where no region is known.
    pub async fn connect(url: &S3Url, options: S3Options) -> Result<Self, StoreError> {
        connect::connect(url, options).await
    }

    /// Tries what a store needs of the bucket: that it can be reached, what may be done, whether conditions are honoured, and its
    /// clock. Writes under a name of its own and removes it.
    pub async fn report(&self) -> S3Report {
        report::report(&self.0).await
    }
}

pub use report::{S3Finding, S3Report};

impl Bucket {
    /// The key of a blob.
    fn key(&self, id: &BlobId) -> String {
        let name = HEXLOWER.encode(&id.0);
        format!("{}{}/{name}", self.folder(), &name[..2])
    }

    /// What all keys of blobs begin with.
    fn folder(&self) -> String {
        format!("{}blobs/", self.url.prefix)
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, id: &BlobId, body: SealedStream) -> Result<(), StoreError> {
        upload::put(&self.0, &self.0.key(id), body).await
    }

    async fn get(&self, id: &BlobId) -> Result<RawBlob, StoreError> {
        download::get(&self.0, self.0.key(id)).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<(), StoreError> {
        let keys: Vec<String> = ids.iter().map(|id| self.0.key(id)).collect();
        listing::delete(&self.0, &keys).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError> {
        listing::list(&self.0, after, limit).await
    }

    async fn claim(&self, store: StoreId) -> Result<StoreId, StoreError> {
        owner::claim(&self.0, store).await
    }

    async fn discard_unfinished(&self, before: Timestamp) -> Result<usize, StoreError> {
        upload::discard_unfinished(&self.0, before).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        owner::now(&self.0).await
    }
}

impl fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Blobs({})", self.0.place)
    }
}
