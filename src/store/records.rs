//! Records: one per session, holding its lease, its versions in parts, and its checkpoint.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use jiff::Timestamp;

use crate::base::{Fence, Version};
use crate::seal::{NameTag, Sealed, TenantTag};

use super::{BlobId, Snapshot, StoreError};

/// A session's name in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName {
    /// Whose.
    pub tenant: TenantTag,
    /// Which.
    pub session: NameTag,
}

/// The beginnings of both, in hex: enough to tell sessions apart where nothing more is known of them.
impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = |bytes: &[u8]| HEXLOWER.encode(&bytes[..4]);
        write!(f, "{}/{}", beginning(&self.tenant.0), beginning(&self.session.0))
    }
}

/// One holder of one lease: random, made anew for every acquire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(pub [u8; 16]);

/// One stored part: random, made anew whenever a part is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub [u8; 16]);

/// A wish for the lease of a session.
#[derive(Debug, Clone)]
pub struct AcquireRequest {
    /// Who asks.
    pub owner: OwnerId,
    /// Who asks, for people: shown to whoever finds the session busy.
    pub holder: Sealed,
    /// How long the lease lasts unless renewed.
    pub lease: Duration,
    /// A holder known to be dead: if it is the one that holds the lease, it is replaced at once.
    pub replace: Option<OwnerId>,
    /// Parts of HEAD are sent along in the same round trip as long as they fit this many bytes in total.
    pub prefetch: usize,
}

/// The answer to an [`AcquireRequest`].
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per session that is opened, and taken apart at once")]
pub enum Acquired {
    /// The lease is yours.
    Granted(Granted),
    /// Another holder has it.
    Held(Held),
}

/// A granted lease, with what is needed to open the session.
#[derive(Debug)]
pub struct Granted {
    /// Under which to write.
    pub fence: Fence,
    /// The newest version, if there is one.
    pub head: Option<Head>,
    /// Parts of it that fitted [`AcquireRequest::prefetch`].
    pub parts: Vec<(PartId, Sealed)>,
    /// What a run that crashed left.
    pub checkpoint: Option<Checkpoint>,
    /// Set where the session had run out: its data is gone (HEAD is none) and this is when. Told again to whoever comes
    /// next if this holder goes away without a commit or a release.
    pub expired_at: Option<Timestamp>,
    /// Blobs of the session that had run out, to which nothing refers any more; the caller deletes them.
    pub orphaned: Vec<BlobId>,
}

/// A lease in another's hands.
#[derive(Debug, Clone)]
pub struct Held {
    /// By whom.
    pub owner: OwnerId,
    /// By whom, for people.
    pub holder: Sealed,
    /// When it ends unless renewed.
    pub expires_in: Duration,
}

/// One version of a session.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its number.
    pub version: Version,
    /// The fence it was written under.
    pub fence: Fence,
    /// The session's record (id, settings, wrapped data keys): one per session, the same in every `Head` of it.
    pub record: Sealed,
    /// The version's index.
    pub index: Sealed,
    /// When it was written, by the store's clock.
    pub saved_at: Timestamp,
    /// When the session runs out unless used; none for never.
    pub expires_at: Option<Timestamp>,
}

/// What a run keeps beside HEAD so that a crash loses little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The fence of the run that wrote it.
    pub fence: Fence,
    /// The version it started from.
    pub base: Option<Version>,
    /// Its state.
    pub state: Sealed,
    /// When it was written.
    pub saved_at: Timestamp,
}

/// A new version to be written.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Who writes; has to hold the lease.
    pub owner: OwnerId,
    /// The fence that was granted.
    pub fence: Fence,
    /// HEAD as the writer knows it.
    pub expected: Option<Version>,
    /// The new version's number.
    pub version: Version,
    /// The session's record; replaces the old one.
    pub record: Sealed,
    /// The new version's index.
    pub index: Sealed,
    /// Parts that are new in this version.
    pub new_parts: Vec<(PartId, Sealed)>,
    /// All parts that this version refers to, new ones included. One that is neither new nor stored is an error.
    pub parts: Vec<PartId>,
    /// All blobs that this version refers to; they have to be complete in the blob store before.
    pub blobs: Vec<BlobId>,
    /// How many versions are kept, this one included and pinned ones not counted; older ones that are not pinned go in the
    /// same step, with parts that only they had.
    pub keep: usize,
    /// Where there are more than `keep`, these go before others, the oldest first; never the new one.
    pub first: Vec<Version>,
    /// When the session runs out, counted from now; none for never.
    pub ttl: Option<Duration>,
    /// When it was saved first, where it comes from another store; none for now, by this store's clock.
    pub saved_at: Option<Timestamp>,
}

impl Commit {
    /// Which of the session's versions go with this commit, when it is written; `unpinned` are those that are not pinned, the new one
    /// among them.
    pub fn dropped(&self, mut unpinned: Vec<Version>) -> Vec<Version> {
        let over = unpinned.len().saturating_sub(self.keep.max(1));
        unpinned.retain(|version| *version != self.version);
        unpinned.sort_by_key(|version| (!self.first.contains(version), *version));
        unpinned.truncate(over);
        unpinned
    }
}

/// A version that has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// When, by the store's clock.
    pub saved_at: Timestamp,
    /// Blobs that no kept version refers to any more; the caller deletes them.
    pub orphaned: Vec<BlobId>,
}

/// A line of a session's history.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// Its number.
    pub version: Version,
    /// The fence it was written under.
    pub fence: Fence,
    /// Its index.
    pub index: Sealed,
    /// When it was written.
    pub saved_at: Timestamp,
    /// Whether it is kept however many come after it.
    pub pinned: bool,
}

/// A session as a listing shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: RecordName,
    /// Its newest version.
    pub head: Head,
    /// Who holds it now, if anyone.
    pub held: Option<Held>,
}

/// What is sealed under a tenant's key in one session: what a change of keys has to look at.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its name.
    pub name: RecordName,
    /// Its record; none before the first version.
    pub record: Option<Sealed>,
    /// Who holds the running lease, if anyone.
    pub holder: Option<Sealed>,
    /// The checkpoint beside HEAD, if there is one.
    pub checkpoint: Option<Sealed>,
}

/// Sessions at rest. Every operation is one atomic step: all of it happened, or none and an error.
#[async_trait]
pub trait Records: Send + Sync {
    /// Takes the lease, or says who holds it. A first acquire of an unknown name is granted with no HEAD and leaves no
    /// listed session until the first commit. A request that is repeated, because its answer was lost, is granted again
    /// under a new fence.
    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError>;

    /// Makes the lease last `lease` from now. [`StoreError::LeaseLost`] if it is not `owner`'s any more.
    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError>;

    /// Gives the lease back, and with it the checkpoint of this fence. No error if it was lost meanwhile.
    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError>;

    /// Writes a new version. Refused with [`StoreError::LeaseLost`] unless owner and fence are those of the running lease,
    /// with [`StoreError::Conflict`] unless HEAD is `expected`. Checkpoints of the session go: this version is later. A
    /// commit that is repeated (same fence, version and index), because its answer was lost, is answered as done, without
    /// the orphans, also where the lease has ended since.
    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError>;

    /// Replaces the checkpoint of this run; the same checks as [`Self::commit`] on owner and fence.
    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        state: &Sealed,
    ) -> Result<(), StoreError>;

    /// The checkpoint beside HEAD, of whatever run, without taking a lease; none where there is none, or where the session has
    /// run out.
    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError>;

    /// One version without taking a lease: HEAD where `version` is none. None if there is no such session (an expired one
    /// included) or version.
    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError>;

    /// Who holds the running lease, without taking it; none where nobody does, or where there is no such session.
    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError>;

    /// The given parts, in the order asked for. [`StoreError::NotFound`] if one is missing. The holder of a lease can read
    /// them even if the session runs out meanwhile.
    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError>;

    /// The kept versions, newest first.
    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError>;

    /// Pins a kept version, so that no commit drops it, or lets it go again: then the next commit may. Needs no lease, for it
    /// changes no state. [`StoreError::NotFound`] where there is no such session (an expired one included) or version.
    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError>;

    /// Sessions of a tenant that have a version and have not run out, by name, after `after`, at most `limit`.
    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// How many sessions of a tenant have no version, a checkpoint that a run left, and nobody who holds them.
    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError>;

    /// Makes the session run out `ttl` from now (never where none). No error where there is none.
    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError>;

    /// Removes the session, its record (and with it the keys) first; owner and fence have to be those of the running
    /// lease. Answers with the blobs that nothing refers to any more (forks share
    /// them), for the caller to delete. No error, and no blobs, where there is no such session.
    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError>;

    /// Every session of every tenant, by name, after `after`, at most `limit`: those that have run out and have not been
    /// removed included.
    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError>;

    /// Every session of every tenant by name, after `after`, at most `limit`, each with the blobs that any kept version of it
    /// refers to, in order and each once: those that have run out and have not been removed included. A blob that was there
    /// before this was called, and that no answer names, is one that nothing refers to, unless a commit has come between.
    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError>;

    /// Puts `new` in the place of the record `expected`, and changes nothing else: no version, no lease, no expiry. Needs no
    /// lease: what is inside has to be the same, sealed anew. Answers false, with nothing written, where the record is
    /// another by now or gone; one that is `new` already is answered as done.
    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError>;

    /// A session as it stands, to be moved to another store; none where it has no version or has run out.
    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError>;

    /// Puts a session where there is none of that name: times, versions, pins and fences as they were, without a lease. One
    /// that has run out there, or that was only asked for, is none. Answers false, with nothing written, where there is
    /// another, a checkpoint without a version, or a running lease; true where the very same is there already, as after a
    /// call whose answer was lost ([`Snapshot::is_kept_as`]). Its blobs have to be complete in the blob store before.
    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError>;

    /// Removes all sessions that have run out and are not held, and what crashed runs left of names that never got a
    /// version; answers with the blobs that nothing refers to any more. That a session ran out, and when, is told for 30
    /// more days to whoever acquires it next.
    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError>;
}
