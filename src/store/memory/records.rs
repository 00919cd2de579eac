//! Records in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::base::{Fence, Version};
use crate::seal::{NameTag, Sealed, TenantTag};

use super::super::clock::{TRACE_LIFE, earlier, later, timestamp, until};
use super::super::{
    AcquireRequest, Acquired, BlobId, Checkpoint, Commit, Committed, Granted, Head, Held, Kept, Listed, OwnerId,
    PartId, RecordName, Records, Snapshot, StoreError, VersionEntry,
};
use super::{MemoryStore, State};

/// One session.
pub(super) struct Session {
    /// The last fence granted.
    pub(super) fence: Fence,
    pub(super) lease: Option<Lease>,
    /// Set with the first version.
    pub(super) record: Option<Sealed>,
    pub(super) expires_at: Option<u64>,
    /// When it ran out, where it was emptied and has had no version since.
    pub(super) ran_out_at: Option<u64>,
    pub(super) versions: BTreeMap<Version, Stored>,
    pub(super) parts: BTreeMap<PartId, Sealed>,
    pub(super) checkpoint: Option<Checkpoint>,
}

pub(super) struct Lease {
    owner: OwnerId,
    holder: Sealed,
    end: u64,
}

/// One version.
pub(super) struct Stored {
    pub(super) fence: Fence,
    pub(super) index: Sealed,
    pub(super) saved_at: Timestamp,
    pub(super) pinned: bool,
    pub(super) parts: Vec<PartId>,
    pub(super) blobs: Vec<BlobId>,
}

impl Session {
    pub(super) fn new(fence: Fence) -> Self {
        Self {
            fence,
            lease: None,
            record: None,
            expires_at: None,
            ran_out_at: None,
            versions: BTreeMap::new(),
            parts: BTreeMap::new(),
            checkpoint: None,
        }
    }

    fn head(&self) -> Option<Version> {
        self.versions.last_key_value().map(|(version, _)| *version)
    }

    pub(super) fn expired(&self, now: u64) -> bool {
        self.head().is_some() && self.expires_at.is_some_and(|at| at <= now)
    }

    pub(super) fn held(&self, now: u64) -> Option<Held> {
        let lease = self.lease.as_ref().filter(|lease| lease.end > now)?;
        Some(Held { owner: lease.owner, holder: lease.holder.clone(), expires_in: until(lease.end, now) })
    }

    fn holds(&self, now: u64, owner: OwnerId, fence: Fence) -> bool {
        self.fence == fence && self.held(now).is_some_and(|held| held.owner == owner)
    }

    fn show(&self, version: Version) -> Option<Head> {
        let stored = self.versions.get(&version)?;
        Some(Head {
            version,
            fence: stored.fence,
            record: self.record.clone()?,
            index: stored.index.clone(),
            saved_at: stored.saved_at,
            expires_at: self.expires_at.and_then(timestamp),
        })
    }

    fn blobs(&self) -> impl Iterator<Item = BlobId> + '_ {
        self.versions.values().flat_map(|stored| stored.blobs.iter().copied())
    }

    /// Parts of HEAD in its writer's order, leaving out those that would not fit `room` any more.
    fn prefetch(&self, mut room: usize) -> Vec<(PartId, Sealed)> {
        let head = self.versions.last_key_value().map(|(_, stored)| stored.parts.as_slice()).unwrap_or_default();
        let bodies = head.iter().filter_map(|part| Some((*part, self.parts.get(part)?.clone())));
        let fits = |(_, body): &(PartId, Sealed)| room.checked_sub(body.len()).map(|left| room = left).is_some();
        bodies.filter(fits).collect()
    }
}

impl State {
    /// The session, where `owner` holds its running lease under `fence`.
    fn held(&mut self, now: u64, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<&mut Session, StoreError> {
        self.sessions.get_mut(name).filter(|session| session.holds(now, owner, fence)).ok_or(StoreError::LeaseLost)
    }

    /// The session, where it has a version and has not run out.
    pub(super) fn living(&self, now: u64, name: &RecordName) -> Option<&Session> {
        self.sessions.get(name).filter(|session| session.head().is_some() && !session.expired(now))
    }

    /// Those of `blobs` that no session refers to.
    fn orphans(&self, blobs: impl IntoIterator<Item = BlobId>) -> Vec<BlobId> {
        let used: BTreeSet<BlobId> = self.sessions.values().flat_map(Session::blobs).collect();
        let orphaned: BTreeSet<BlobId> = blobs.into_iter().filter(|blob| !used.contains(blob)).collect();
        orphaned.into_iter().collect()
    }
}

#[async_trait]
impl Records for MemoryStore {
    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError> {
        let (mut state, now) = self.lock();
        let mut session = state.sessions.remove(name);
        let foreign = |held: &Held| held.owner != request.owner && Some(held.owner) != request.replace;
        if let Some(held) = session.as_ref().and_then(|session| session.held(now)).filter(foreign) {
            state.sessions.extend(session.map(|session| (*name, session)));
            return Ok(Acquired::Held(held));
        }
        let fence = Fence::after(session.as_ref().map(|session| session.fence), now);
        let gone = session.take_if(|session| session.expired(now));
        let mut session = session.unwrap_or_else(|| Session::new(fence));
        session.fence = fence;
        session.ran_out_at = gone.as_ref().map_or(session.ran_out_at, |gone| gone.expires_at);
        session.lease = Some(Lease {
            owner: request.owner,
            holder: request.holder.clone(),
            end: later(now, request.lease).unwrap_or(u64::MAX),
        });
        let granted = Granted {
            fence,
            head: session.head().and_then(|head| session.show(head)),
            parts: session.prefetch(request.prefetch),
            checkpoint: session.checkpoint.clone(),
            expired_at: session.ran_out_at.and_then(timestamp),
            orphaned: gone.map(|gone| state.orphans(gone.blobs())).unwrap_or_default(),
        };
        state.sessions.insert(*name, session);
        Ok(Acquired::Granted(granted))
    }

    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError> {
        let (mut state, now) = self.lock();
        let held = state.held(now, name, owner, fence)?;
        if let Some(running) = &mut held.lease {
            running.end = later(now, lease).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError> {
        let (mut state, _) = self.lock();
        let Some(session) = state.sessions.get_mut(name) else { return Ok(()) };
        if session.fence == fence && session.lease.as_ref().is_some_and(|lease| lease.owner == owner) {
            session.lease = None;
            session.checkpoint.take_if(|checkpoint| checkpoint.fence == fence);
            if session.versions.is_empty() && session.checkpoint.is_none() {
                state.sessions.remove(name);
            }
        }
        Ok(())
    }

    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError> {
        let (mut state, now) = self.lock();
        let is_same = |stored: &&Stored| stored.fence == commit.fence && stored.index == commit.index;
        let there = state.sessions.get(name).and_then(|session| session.versions.get(&commit.version));
        if let Some(stored) = there.filter(is_same) {
            return Ok(Committed { saved_at: stored.saved_at, orphaned: Vec::new() });
        }
        let session = state.held(now, name, commit.owner, commit.fence)?;
        let found = session.head();
        if found != commit.expected || found.is_some_and(|head| head >= commit.version) {
            return Err(StoreError::Conflict { expected: commit.expected, found });
        }
        let is_new = |part: &PartId| commit.new_parts.iter().any(|(new, _)| new == part);
        if commit.parts.iter().any(|part| !session.parts.contains_key(part) && !is_new(part)) {
            return Err(StoreError::NotFound("part"));
        }
        let saved_at = timestamp(now).unwrap_or(Timestamp::MAX);
        for (part, body) in &commit.new_parts {
            session.parts.entry(*part).or_insert_with(|| body.clone());
        }
        let (parts, blobs) = (commit.parts.clone(), commit.blobs.clone());
        let saved_at = commit.saved_at.unwrap_or(saved_at);
        let stored = Stored { fence: commit.fence, index: commit.index.clone(), saved_at, pinned: false, parts, blobs };
        session.versions.insert(commit.version, stored);
        session.record = Some(commit.record.clone());
        session.expires_at = commit.ttl.and_then(|ttl| later(now, ttl));
        session.ran_out_at = None;
        session.checkpoint = None;
        let unpinned = session.versions.iter().filter(|(_, stored)| !stored.pinned).map(|(version, _)| *version);
        let mut dropped = Vec::new();
        for version in commit.dropped(unpinned.collect()) {
            dropped.extend(session.versions.remove(&version).map(|stored| stored.blobs).unwrap_or_default());
        }
        let used: BTreeSet<PartId> = session.versions.values().flat_map(|stored| stored.parts.clone()).collect();
        session.parts.retain(|part, _| used.contains(part));
        Ok(Committed { saved_at, orphaned: state.orphans(dropped) })
    }

    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        sealed: &Sealed,
    ) -> Result<(), StoreError> {
        let (mut state, now) = self.lock();
        let saved_at = timestamp(now).unwrap_or(Timestamp::MAX);
        let checkpoint = Checkpoint { fence, base, state: sealed.clone(), saved_at };
        state.held(now, name, owner, fence)?.checkpoint = Some(checkpoint);
        Ok(())
    }

    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError> {
        let (state, now) = self.lock();
        let session = state.sessions.get(name).filter(|session| session.head().is_none() || !session.expired(now));
        Ok(session.and_then(|session| session.checkpoint.clone()))
    }

    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError> {
        let (state, now) = self.lock();
        let Some(session) = state.living(now, name) else { return Ok(None) };
        Ok(version.or(session.head()).and_then(|version| session.show(version)))
    }

    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError> {
        let (state, now) = self.lock();
        Ok(state.sessions.get(name).and_then(|session| session.held(now)))
    }

    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError> {
        let (state, _) = self.lock();
        let stored = state.sessions.get(name).map(|session| &session.parts);
        let find = |part| stored.and_then(|stored| stored.get(part)).cloned().ok_or(StoreError::NotFound("part"));
        parts.iter().map(find).collect()
    }

    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError> {
        let (state, now) = self.lock();
        let versions = state.living(now, name).map(|session| &session.versions);
        let entry = |(version, stored): (&Version, &Stored)| VersionEntry {
            version: *version,
            fence: stored.fence,
            index: stored.index.clone(),
            saved_at: stored.saved_at,
            pinned: stored.pinned,
        };
        Ok(versions.into_iter().flat_map(|versions| versions.iter().rev().map(entry)).collect())
    }

    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError> {
        let (mut state, now) = self.lock();
        let living = state.sessions.get_mut(name).filter(|session| !session.expired(now));
        let stored = living.and_then(|session| session.versions.get_mut(&version));
        stored.ok_or(StoreError::NotFound("version"))?.pinned = pinned;
        Ok(())
    }

    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (state, now) = self.lock();
        let of_tenant = state.sessions.iter().filter(|(name, _)| name.tenant == tenant);
        let living = of_tenant.filter(|(_, session)| !session.expired(now));
        let later = living.filter(|(name, _)| after.is_none_or(|after| name.session > after));
        let listed = later.filter_map(|(name, session)| {
            Some(Listed { name: *name, head: session.show(session.head()?)?, held: session.held(now) })
        });
        Ok(listed.take(limit).collect())
    }

    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError> {
        let (state, now) = self.lock();
        let of_tenant = state.sessions.iter().filter(|(name, _)| name.tenant == tenant);
        let is_left =
            |session: &Session| session.record.is_none() && session.checkpoint.is_some() && session.held(now).is_none();
        Ok(of_tenant.filter(|(_, session)| is_left(session)).count())
    }

    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError> {
        let (mut state, now) = self.lock();
        let living = |session: &&mut Session| session.head().is_some() && !session.expired(now);
        if let Some(session) = state.sessions.get_mut(name).filter(living) {
            session.expires_at = ttl.and_then(|ttl| later(now, ttl));
        }
        Ok(())
    }

    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError> {
        let (mut state, now) = self.lock();
        if !state.sessions.contains_key(name) {
            return Ok(Vec::new());
        }
        state.held(now, name, owner, fence)?;
        let blobs: Vec<BlobId> = state.sessions.remove(name).iter().flat_map(Session::blobs).collect();
        Ok(state.orphans(blobs))
    }

    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        let (state, now) = self.lock();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let kept = state.sessions.range((from, Bound::Unbounded)).map(|(name, session)| Kept {
            name: *name,
            record: session.record.clone(),
            holder: session.held(now).map(|held| held.holder),
            checkpoint: session.checkpoint.as_ref().map(|left| left.state.clone()),
        });
        Ok(kept.take(limit).collect())
    }

    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError> {
        let (state, _) = self.lock();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let blobs = |session: &Session| session.blobs().collect::<BTreeSet<_>>().into_iter().collect();
        let sessions = state.sessions.range((from, Bound::Unbounded));
        Ok(sessions.map(|(name, session)| (*name, blobs(session))).take(limit).collect())
    }

    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError> {
        let (mut state, _) = self.lock();
        let Some(record) = state.sessions.get_mut(name).and_then(|session| session.record.as_mut()) else {
            return Ok(false);
        };
        let same = record == expected || record == new;
        if same {
            *record = new.clone();
        }
        Ok(same)
    }

    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError> {
        let (state, now) = self.lock();
        Ok(state.living(now, name).and_then(Session::snapshot))
    }

    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let (mut state, now) = self.lock();
        Ok(state.restore(now, name, snapshot))
    }

    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError> {
        let (mut state, now) = self.lock();
        let past = earlier(now, TRACE_LIFE);
        let free = |session: &Session| session.held(now).is_none();
        let mut blobs = Vec::new();
        for session in state.sessions.values_mut().filter(|session| free(session) && session.expired(now)) {
            blobs.extend(session.blobs());
            *session = Session { ran_out_at: session.expires_at, ..Session::new(session.fence) };
        }
        let traced = |session: &Session| {
            session.ran_out_at.is_some_and(|at| at > past)
                || session.checkpoint.as_ref().and_then(|left| timestamp(past).map(|past| left.saved_at > past))
                    == Some(true)
        };
        state.sessions.retain(|_, session| !free(session) || session.head().is_some() || traced(session));
        Ok(state.orphans(blobs))
    }
}
