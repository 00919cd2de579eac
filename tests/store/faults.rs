//! A store that loses the first answer to every operation, after it has happened; the caller repeats it, as callers do
//! when a store is away. What the suite expects has to hold all the same. (That an operation which never reached the store
//! changed nothing needs no test.) Blobs fail visibly, before and after, since a body can be read once only.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rhaven::base::{Fence, Version};
use rhaven::seal::{NameTag, RawBlob, Sealed, SealedStream, TenantTag};
use rhaven::store::{
    AcquireRequest, Acquired, BlobId, Blobs, Checkpoint, Commit, Committed, DocumentName, Documents, Expected, Head,
    Held, Kept, KeptDocument, Listed, ListedBlob, OwnerId, PartId, RecordName, Records, Snapshot, StoreError, StoreId,
    VersionEntry,
};

use super::fixture::TestStore;

/// `store`, losing answers.
pub fn losing_answers(mut store: TestStore) -> TestStore {
    store.records = Arc::new(Forgetful { inner: store.records });
    store.documents = Arc::new(Forgetful { inner: store.documents });
    store.blobs = Arc::new(FailingBlobs { inner: store.blobs, calls: 0.into() });
    store.loses_answers = true;
    store
}

struct Forgetful<T: ?Sized> {
    inner: Arc<T>,
}

/// The first answer is lost, whatever it was, an error included; the second arrives.
macro_rules! twice {
    ($call:expr) => {{
        let _ = $call.await;
        $call.await
    }};
}

fn away() -> StoreError {
    StoreError::Unavailable { what: "the store".to_owned(), source: "it was made to fail".into() }
}

#[async_trait]
impl Records for Forgetful<dyn Records> {
    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError> {
        twice!(self.inner.acquire(name, request))
    }
    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError> {
        twice!(self.inner.renew(name, owner, fence, lease))
    }
    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError> {
        twice!(self.inner.release(name, owner, fence))
    }
    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError> {
        twice!(self.inner.commit(name, commit))
    }
    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        state: &Sealed,
    ) -> Result<(), StoreError> {
        twice!(self.inner.checkpoint(name, owner, fence, base, state))
    }
    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError> {
        twice!(self.inner.waiting(name))
    }
    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError> {
        twice!(self.inner.read(name, version))
    }
    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError> {
        twice!(self.inner.holder(name))
    }
    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError> {
        twice!(self.inner.parts(name, parts))
    }
    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError> {
        twice!(self.inner.history(name))
    }
    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError> {
        twice!(self.inner.pin(name, version, pinned))
    }
    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        twice!(self.inner.list(tenant, after, limit))
    }
    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError> {
        twice!(self.inner.unsaved(tenant))
    }
    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        twice!(self.inner.all(after, limit))
    }
    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError> {
        twice!(self.inner.references(after, limit))
    }
    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError> {
        twice!(self.inner.reseal(name, expected, new))
    }
    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError> {
        twice!(self.inner.touch(name, ttl))
    }
    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError> {
        twice!(self.inner.delete(name, owner, fence))
    }
    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError> {
        twice!(self.inner.snapshot(name))
    }
    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError> {
        twice!(self.inner.restore(name, snapshot))
    }
    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError> {
        twice!(self.inner.purge_expired())
    }
}

#[async_trait]
impl Documents for Forgetful<dyn Documents> {
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        twice!(self.inner.get(name))
    }
    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        twice!(self.inner.put(name, expected, value, ttl))
    }
    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        twice!(self.inner.remove(name))
    }
    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        twice!(self.inner.list(tenant, kind, after, limit))
    }
    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        twice!(self.inner.all(after, limit))
    }
    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        twice!(self.inner.reseal(kept, new))
    }
}

/// Fails before the blob is written, then after, then not; the caller repeats.
struct FailingBlobs {
    inner: Arc<dyn Blobs>,
    calls: std::sync::atomic::AtomicU32,
}

#[async_trait]
impl Blobs for FailingBlobs {
    async fn put(&self, id: &BlobId, body: SealedStream) -> Result<(), StoreError> {
        match self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 3 {
            0 => Err(away()),
            1 => self.inner.put(id, body).await.and(Err(away())),
            _ => self.inner.put(id, body).await,
        }
    }
    async fn get(&self, id: &BlobId) -> Result<RawBlob, StoreError> {
        twice!(self.inner.get(id))
    }
    async fn delete(&self, ids: &[BlobId]) -> Result<(), StoreError> {
        twice!(self.inner.delete(ids))
    }
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError> {
        twice!(self.inner.list(after, limit))
    }
    async fn claim(&self, store: StoreId) -> Result<StoreId, StoreError> {
        twice!(self.inner.claim(store))
    }
    async fn discard_unfinished(&self, before: Timestamp) -> Result<usize, StoreError> {
        twice!(self.inner.discard_unfinished(before))
    }
    async fn now(&self) -> Result<Timestamp, StoreError> {
        twice!(self.inner.now())
    }
}
