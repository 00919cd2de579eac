//! Sessions in memory as a whole, out of a store and into one.

use super::super::clock::{micros, timestamp};
use super::super::{RecordName, Snapshot, SnapshotVersion};
use super::State;
use super::records::{Session, Stored};

impl Session {
    /// All of it but the lease; none without a version.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let versions = self.versions.iter().map(|(version, stored)| {
            let mut blobs = stored.blobs.clone();
            blobs.sort_unstable();
            blobs.dedup();
            SnapshotVersion {
                version: *version,
                fence: stored.fence,
                index: stored.index.clone(),
                saved_at: stored.saved_at,
                pinned: stored.pinned,
                parts: stored.parts.clone(),
                blobs,
            }
        });
        Some(Snapshot {
            fence: self.fence,
            record: self.record.clone()?,
            expires_at: self.expires_at.and_then(timestamp),
            versions: versions.collect(),
            parts: self.parts.iter().map(|(id, body)| (*id, body.clone())).collect(),
            checkpoint: self.checkpoint.clone(),
        })
    }

    fn of(snapshot: &Snapshot) -> Self {
        let versions = snapshot.versions.iter().map(|version| {
            let stored = Stored {
                fence: version.fence,
                index: version.index.clone(),
                saved_at: version.saved_at,
                pinned: version.pinned,
                parts: version.parts.clone(),
                blobs: version.blobs.clone(),
            };
            (version.version, stored)
        });
        Self {
            record: Some(snapshot.record.clone()),
            expires_at: snapshot.expires_at.map(micros),
            versions: versions.collect(),
            parts: snapshot.parts.iter().cloned().collect(),
            checkpoint: snapshot.checkpoint.clone(),
            ..Self::new(snapshot.fence)
        }
    }
}

impl State {
    /// Puts it there, unless another is there.
    pub(super) fn restore(&mut self, now: u64, name: &RecordName, snapshot: &Snapshot) -> bool {
        if let Some(there) = self.sessions.get(name) {
            if there.snapshot().is_some_and(|there| snapshot.is_kept_as(&there)) {
                return true;
            }
            let is_empty = there.versions.is_empty() && there.checkpoint.is_none();
            if there.held(now).is_some() || !(is_empty || there.expired(now)) {
                return false;
            }
        }
        let fence = self.sessions.get(name).map_or(snapshot.fence, |there| there.fence.max(snapshot.fence));
        self.sessions.insert(*name, Session { fence, ..Session::of(snapshot) });
        true
    }
}
