//! Copies of HEADs beside the blobs: where records and blobs live in different stores, what opens the blobs of a version (its
//! record, its index, its small parts) is put beside them too, so that profiles are found again when the records store is lost.
//!
//! A copy is written after its version was committed and before the answer, and only for versions that refer to blobs; the one
//! before it goes then. Deleting a session deletes its copies first: the wrapped data key is in them. Copied as well are the
//! documents without which nothing that is sealed in the store can be opened: the key check with the key of the names, the salt
//! of a passphrase, the names of the tenants. Nothing of it is sealed anew or opened here, so none of it needs a key.

mod copy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::base::{Fence, Version, reached};
use crate::seal::{NameTag, Sealed, TenantTag};

use super::clock::system_clock;
use super::{
    AcquireRequest, Acquired, BlobId, Blobs, Checkpoint, Commit, Committed, DocumentName, Documents, Expected, Head,
    Held, Kept, KeptDocument, Listed, OwnerId, PartId, RecordName, Records, Snapshot, StoreError, VersionEntry,
};

pub use self::copy::{CopyOf, HeadCopy, PaperCopy};

/// What the parts in one copy may take together, in bytes. A profile has most of the state in its archive; beyond this only the
/// records store has it.
const PARTS_BYTES: usize = 4 << 20;
/// How long a save waits for its copy: it is done already.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// The kinds of documents that are copied.
const PAPERS: [&str; 3] = ["check", "kdf", "tenant"];
/// Those of them that a store begins with.
const FOUNDING: [&str; 2] = ["check", "kdf"];
/// The tenant of documents that belong to the store as a whole.
const STORE: TenantTag = TenantTag([0; 16]);
/// Ids that are listed at once.
const PAGE: usize = 1_000;

/// Records and documents of one store, with copies beside the blobs of another. Cheap to clone.
#[derive(Clone)]
pub struct Mirrored {
    records: Arc<dyn Records>,
    documents: Arc<dyn Documents>,
    copies: Copies,
}

/// The copies in a blob store. Cheap to clone.
#[derive(Clone)]
pub struct Copies {
    blobs: Arc<dyn Blobs>,
}

impl Copies {
    /// Those in `blobs`.
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs }
    }

    /// The kind of a document that is copied, as stores want it.
    pub fn kind(kind: &str) -> Option<&'static str> {
        PAPERS.into_iter().find(|paper| *paper == kind)
    }

    /// Whether this blob is the copy of a version.
    pub fn is_head(id: &BlobId) -> bool {
        copy::is_copy(id) && !copy::is_paper(id)
    }

    /// The range of ids that copies of this session have: all after the first one, up to the second one.
    pub fn range_of(name: &RecordName) -> (BlobId, BlobId) {
        copy::range(name)
    }

    /// Whether it is the copy of a document, which belongs to the store as a whole.
    pub fn is_paper(id: &BlobId) -> bool {
        copy::is_paper(id)
    }

    /// Copies those of the store's documents of which there is no copy, or another one: once it is proven whose the blobs are, and not
    /// before, or a store that was begun by mistake would hide what another has.
    pub async fn complete(&self, documents: &dyn Documents) -> Result<(), StoreError> {
        let copied = self.papers().await?;
        let is_copied = |document: &KeptDocument| {
            let same = |paper: &&PaperCopy| paper.kind == document.kind && paper.name == document.name;
            copied.iter().find(same).is_some_and(|paper| paper.value == document.value)
        };
        let mut after: Option<KeptDocument> = None;
        loop {
            let page = documents.all(after.as_ref(), PAGE).await?;
            let full = page.len() == PAGE;
            // Ordered by tenant: those of the store come first.
            let of_store: Vec<_> = page.iter().take_while(|document| document.tenant == STORE).collect();
            for document in &of_store {
                if PAPERS.contains(&document.kind.as_str()) && !is_copied(document) {
                    let (kind, name, value) = (document.kind.clone(), document.name, document.value.clone());
                    self.put_paper(&PaperCopy { kind, name, value }).await?;
                }
            }
            if !full || of_store.len() < page.len() {
                return Ok(());
            }
            after = page.into_iter().next_back();
        }
    }

    async fn range(&self, (after, last): (BlobId, BlobId)) -> Result<Vec<BlobId>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let page = self.blobs.list(Some(after), PAGE).await?;
            let full = page.len() == PAGE;
            let end = page.last().map(|listed| listed.id);
            found.extend(page.into_iter().map(|listed| listed.id).filter(|id| *id <= last));
            match end {
                Some(end) if full && end < last => after = end,
                _ => return Ok(found),
            }
        }
    }

    /// The newest copy of each document.
    pub async fn papers(&self) -> Result<Vec<PaperCopy>, StoreError> {
        let mut newest = BTreeMap::new();
        for id in self.range(copy::paper_range()).await? {
            match self.read(&id).await {
                // In order of the time.
                Ok(CopyOf::Paper(paper)) => drop(newest.insert((paper.kind.clone(), paper.name), paper)),
                // Another machine has just put a newer one in its place.
                Ok(CopyOf::Head(_)) | Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest.into_values().collect())
    }

    /// The newest copy of each session.
    pub async fn heads(&self) -> Result<Vec<BlobId>, StoreError> {
        let ids = self.range(copy::whole_range()).await?.into_iter().filter(|id| !copy::is_paper(id));
        // In order of the fence, and of the version.
        let newest: BTreeMap<_, _> = ids.map(|id| (copy::of_session(&id), id)).collect();
        Ok(newest.into_values().collect())
    }

    /// One copy. [`StoreError::NotFound`] where it has gone since.
    pub async fn read(&self, id: &BlobId) -> Result<CopyOf, StoreError> {
        copy::read(self.blobs.get(id).await?).await
    }

    /// Writes `body` as `id`, then removes the others of `range`.
    async fn replace(
        &self,
        id: BlobId,
        body: crate::seal::SealedStream,
        range: (BlobId, BlobId),
    ) -> Result<(), StoreError> {
        self.blobs.put(&id, body).await?;
        reached("mirror.copied");
        let older: Vec<_> = self.range(range).await?.into_iter().filter(|other| *other < id).collect();
        self.remove(&older).await
    }

    async fn remove(&self, ids: &[BlobId]) -> Result<(), StoreError> {
        if ids.is_empty() { Ok(()) } else { self.blobs.delete(ids).await }
    }

    async fn put_head(&self, copy: &HeadCopy) -> Result<(), StoreError> {
        self.replace(copy.id(), copy.body()?, copy::range(&copy.name)).await
    }

    async fn put_paper(&self, paper: &PaperCopy) -> Result<(), StoreError> {
        let range = PaperCopy::range(&paper.kind, &paper.name);
        self.replace(paper.id(system_clock()()), paper.body()?, range).await
    }
}

impl Mirrored {
    /// `records` and `documents`, with copies in `blobs`.
    pub fn new(records: Arc<dyn Records>, documents: Arc<dyn Documents>, blobs: Arc<dyn Blobs>) -> Self {
        Self { records, documents, copies: Copies::new(blobs) }
    }

    async fn copy_document(&self, kind: &str, name: NameTag, value: &Sealed) -> Result<(), StoreError> {
        self.copies.put_paper(&PaperCopy { kind: kind.to_owned(), name, value: value.clone() }).await
    }

    /// Copies a version that was committed. It is in the store whether this succeeds or not.
    async fn copy_commit(&self, name: &RecordName, commit: &Commit, saved_at: Timestamp) -> Result<(), StoreError> {
        let mut sealed: BTreeMap<_, _> = commit.new_parts.iter().cloned().collect();
        let carried: Vec<_> = commit.parts.iter().copied().filter(|part| !sealed.contains_key(part)).collect();
        if !carried.is_empty() {
            let bodies = self.records.parts(name, &carried).await?;
            sealed.extend(carried.into_iter().zip(bodies));
        }
        let (parts, left_out) = that_fit(&commit.parts, &sealed);
        let ttl = commit.ttl.and_then(|ttl| SignedDuration::try_from(ttl).ok());
        let copy = HeadCopy {
            name: *name,
            version: commit.version,
            fence: commit.fence,
            saved_at,
            // Counted from now: what is imported was saved long ago.
            expires_at: ttl.and_then(|ttl| Timestamp::now().checked_add(ttl).ok()),
            record: commit.record.clone(),
            index: commit.index.clone(),
            parts,
            left_out,
            blobs: commit.blobs.clone(),
        };
        self.copies.put_head(&copy).await
    }

    /// Copies the newest version of a session that was moved here.
    async fn copy_moved(&self, name: &RecordName, moved: &Snapshot) -> Result<(), StoreError> {
        let Some(newest) = moved.versions.last().filter(|newest| !newest.blobs.is_empty()) else { return Ok(()) };
        let (parts, left_out) = that_fit(&newest.parts, &moved.parts.iter().cloned().collect());
        let copy = HeadCopy {
            name: *name,
            version: newest.version,
            fence: newest.fence,
            saved_at: newest.saved_at,
            expires_at: moved.expires_at,
            record: moved.record.clone(),
            index: newest.index.clone(),
            parts,
            left_out,
            blobs: newest.blobs.clone(),
        };
        self.copies.put_head(&copy).await
    }

    /// The copy of a session follows its record.
    async fn copy_record(&self, name: &RecordName, record: &Sealed) -> Result<(), StoreError> {
        let Some(id) = self.copies.range(copy::range(name)).await?.pop() else { return Ok(()) };
        let CopyOf::Head(mut copy) = self.copies.read(&id).await? else { return Ok(()) };
        if copy.name != *name || copy.record == *record {
            return Ok(());
        }
        copy.record = record.clone();
        // What is there cannot be replaced: the next id is still below that of the next version.
        self.copies.replace(BlobId(next(id.0)), copy.body()?, copy::range(name)).await
    }
}

/// Those of `parts` that one copy has room for, and the others.
fn that_fit(parts: &[PartId], sealed: &BTreeMap<PartId, Sealed>) -> (Vec<(PartId, Sealed)>, Vec<PartId>) {
    let (mut fit, mut left_out, mut room) = (Vec::new(), Vec::new(), PARTS_BYTES);
    for part in parts {
        match sealed.get(part).and_then(|body| Some((body, room.checked_sub(body.len())?))) {
            Some((body, left)) => {
                room = left;
                fit.push((*part, body.clone()));
            }
            None => left_out.push(*part),
        }
    }
    (fit, left_out)
}

/// The id behind `id`.
fn next(mut id: [u8; 32]) -> [u8; 32] {
    for byte in id.iter_mut().rev() {
        let (sum, carried) = byte.overflowing_add(1);
        *byte = sum;
        if !carried {
            break;
        }
    }
    id
}

fn late() -> StoreError {
    StoreError::Unavailable { what: "the place of the blobs".to_owned(), source: "it took too long".into() }
}

/// A copy that failed is no reason to fail what was done: the next save makes it anew.
fn note(what: &str, copied: Result<(), StoreError>) {
    if let Err(error) = copied {
        tracing::debug!(code = error.code(), what, "no copy was made beside the blobs");
    }
}

#[async_trait]
impl Records for Mirrored {
    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError> {
        let done = self.records.commit(name, commit).await?;
        if !commit.blobs.is_empty() {
            let copied = tokio::time::timeout(COPY_TIMEOUT, self.copy_commit(name, commit, done.saved_at)).await;
            note("a version", copied.unwrap_or_else(|_| Err(late())));
        }
        Ok(done)
    }

    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError> {
        self.copies.remove(&self.copies.range(copy::range(name)).await?).await?;
        reached("mirror.copies_gone");
        self.records.delete(name, owner, fence).await
    }

    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError> {
        let done = self.records.reseal(name, expected, new).await?;
        if done {
            // Left as it was it could not be opened once the old key is gone.
            self.copy_record(name, new).await?;
        }
        Ok(done)
    }

    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let done = self.records.restore(name, snapshot).await?;
        if done {
            note("a session that was moved here", self.copy_moved(name, snapshot).await);
        }
        Ok(done)
    }

    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError> {
        self.records.acquire(name, request).await
    }

    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError> {
        self.records.renew(name, owner, fence, lease).await
    }

    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError> {
        self.records.release(name, owner, fence).await
    }

    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        state: &Sealed,
    ) -> Result<(), StoreError> {
        self.records.checkpoint(name, owner, fence, base, state).await
    }

    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError> {
        self.records.waiting(name).await
    }

    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError> {
        self.records.read(name, version).await
    }

    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError> {
        self.records.holder(name).await
    }

    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError> {
        self.records.parts(name, parts).await
    }

    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError> {
        self.records.history(name).await
    }

    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError> {
        self.records.pin(name, version, pinned).await
    }

    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.records.list(tenant, after, limit).await
    }

    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError> {
        self.records.unsaved(tenant).await
    }

    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError> {
        self.records.touch(name, ttl).await
    }

    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        self.records.all(after, limit).await
    }

    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError> {
        self.records.purge_expired().await
    }

    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError> {
        self.records.references(after, limit).await
    }

    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError> {
        self.records.snapshot(name).await
    }
}

#[async_trait]
impl Documents for Mirrored {
    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.documents.put(name, expected, value, ttl).await?;
        // A store that is being made is not proven to have these blobs: see [`Copies::complete`].
        let is_founding = matches!(expected, Expected::Absent) && FOUNDING.contains(&name.kind);
        if is_paper(name.tenant, name.kind) && !is_founding {
            self.copy_document(name.kind, name.name, value).await?;
        }
        Ok(())
    }

    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        // What a store begins with is removed only where another takes its place, whose copies these are.
        if is_paper(name.tenant, name.kind) && !FOUNDING.contains(&name.kind) {
            self.copies.remove(&self.copies.range(PaperCopy::range(name.kind, &name.name)).await?).await?;
        }
        self.documents.remove(name).await
    }

    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        let done = self.documents.reseal(kept, new).await?;
        if done && is_paper(kept.tenant, &kept.kind) {
            self.copy_document(&kept.kind, kept.name, new).await?;
        }
        Ok(done)
    }

    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        self.documents.get(name).await
    }

    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        self.documents.list(tenant, kind, after, limit).await
    }

    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        self.documents.all(after, limit).await
    }
}

fn is_paper(tenant: TenantTag, kind: &str) -> bool {
    tenant == STORE && PAPERS.contains(&kind)
}
