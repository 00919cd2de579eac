//! A session as a store holds it, whole, on its way into another store.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::base::{Fence, Version};
use crate::seal::Sealed;

use super::{BlobId, Checkpoint, PartId};

/// A session that has a version, without its lease. Versions by number, parts and the blobs of each version by id: two
/// stores that hold the same give the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last fence granted.
    pub fence: Fence,
    /// The session's record.
    pub record: Sealed,
    /// When it runs out unless used; none for never.
    pub expires_at: Option<Timestamp>,
    /// The kept versions, oldest first. There is at least one.
    pub versions: Vec<SnapshotVersion>,
    /// The parts that they refer to.
    pub parts: Vec<(PartId, Sealed)>,
    /// What a run that crashed left.
    pub checkpoint: Option<Checkpoint>,
}

/// A version within a [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotVersion {
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
    /// Parts that it refers to, in its writer's order.
    pub parts: Vec<PartId>,
    /// Blobs that it refers to.
    pub blobs: Vec<BlobId>,
}

impl Snapshot {
    /// Whether `there`, read from a store, is this after it was put there: a lease that came and went since, and wrote
    /// nothing, makes no difference.
    pub fn is_kept_as(&self, there: &Self) -> bool {
        there.fence >= self.fence && Self { fence: self.fence, ..there.clone() } == *self
    }

    /// All blobs that its versions refer to.
    pub fn blobs(&self) -> BTreeSet<BlobId> {
        self.versions.iter().flat_map(|version| version.blobs.iter().copied()).collect()
    }
}
