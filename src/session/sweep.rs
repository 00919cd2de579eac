//! Removing blobs that nothing refers to: of runs that died between a blob and the commit that would have referred to it, and of
//! deletions that failed.
//!
//! A blob is written before the commit that refers to it, and its name is random: a blob that is older than the grace period
//! and that no version refers to will never be referred to, unless by a copy of a version that does. So the old blobs are
//! listed *first*, then the references of all sessions are read, twice: while they are read page by page a fork may be made
//! behind the reader and its source deleted before it. The age is told by the clock of the blobs themselves.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::reached;
use crate::store::{BlobId, Copies, CopyOf, StoreError};

use super::{SessionError, Sessions, belonging, whole};

/// How old a blob has to be before it counts as litter, unless told otherwise. No save takes that long: its deadline is shorter.
pub const SWEEP_GRACE: Duration = Duration::from_hours(24);
/// The kind of the document that says when a sweep was last done.
pub(super) const KIND: &str = "sweep";
/// How often a store is swept by itself.
const EVERY: Duration = Duration::from_hours(24);
/// After this a sweep that was begun and not ended is begun again.
const PATIENCE: Duration = Duration::from_hours(1);
/// How often a process that lives for long looks.
const HOUSEKEEPING: Duration = Duration::from_mins(1);
/// A run that is shorter than this does not begin one.
const AFTER: Duration = Duration::from_secs(10);
/// How many blobs or sessions are read at a time, and removed.
const PAGE: usize = 1_000;
/// How old a copy has to be that is of no session any more: what it tells may be all that is left of one.
const COPY_GRACE: Duration = Duration::from_hours(24 * 30);
/// How often all references are read before anything is removed.
const PASSES: usize = 2;

/// What a sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Blobs that there were.
    pub blobs: usize,
    /// Blobs that were removed.
    pub removed: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Uploads that were begun and never finished, removed as well.
    pub unfinished: usize,
}

/// When the store was swept, in seconds since 1970 by the clock of whoever did.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Turn {
    format: u32,
    begun: i64,
    done: i64,
}

impl Turn {
    fn is_due(&self, now: i64) -> bool {
        let since = |at: i64| Duration::from_secs(now.abs_diff(at));
        since(self.done) >= EVERY && since(self.begun) >= PATIENCE
    }
}

/// What there is to look at.
#[derive(Default)]
struct Found {
    /// Blobs by name, with their lengths.
    old: BTreeMap<BlobId, u64>,
    copies: BTreeMap<BlobId, AgedCopy>,
}

/// The copy of a version.
struct AgedCopy {
    bytes: u64,
    written_at: Timestamp,
    /// Whether there is such a session.
    lives: bool,
}

impl Sessions {
    /// Removes blobs that are older than `grace` and that no version of any session refers to, and uploads as old that were never
    /// finished. Runs may go on meanwhile. With a grace of less than the longest save it would take what a save is about to refer to.
    /// [`StoreError::Unfit`] where the blobs are another store's.
    pub async fn sweep(&self, grace: Duration) -> Result<Swept, SessionError> {
        belonging::prove(self, self.blobs_place(), true).await?;
        let now = self.blobs().now().await?;
        let before = now.checked_sub(grace).unwrap_or(Timestamp::MIN);
        belonging::copy_papers(self).await?;
        let unfinished = self.blobs().discard_unfinished(before).await.unwrap_or_else(|error| {
            // Not every server tells of uploads that were begun, nor may everybody ask.
            tracing::debug!(code = error.code(), "unfinished uploads were not removed");
            0
        });
        let mut swept = Swept { unfinished, ..Swept::default() };
        let Found { mut old, mut copies } = self.found(before, &mut swept).await?;
        reached("sweep.listed");
        for _ in 0..PASSES {
            if old.is_empty() && copies.is_empty() {
                break;
            }
            self.spare_referred(&mut old, &mut copies).await?;
            reached("sweep.compared");
        }
        let copies_before = now.checked_sub(COPY_GRACE).unwrap_or(Timestamp::MIN);
        let mut litter = self.spare_copied(&mut old, copies, copies_before).await?;
        litter.extend(old);
        for litter in litter.chunks(PAGE) {
            let ids: Vec<BlobId> = litter.iter().map(|(id, _)| *id).collect();
            self.blobs().delete(&ids).await?;
            swept.removed += litter.len();
            swept.bytes += litter.iter().map(|(_, bytes)| bytes).sum::<u64>();
            reached("sweep.removed");
        }
        Ok(swept)
    }

    /// The blobs that were written before `before`, and all copies of versions.
    async fn found(&self, before: Timestamp, swept: &mut Swept) -> Result<Found, SessionError> {
        let (mut found, mut after) = (Found::default(), None);
        loop {
            let page = self.blobs().list(after, PAGE).await?;
            swept.blobs += page.len();
            for blob in page.iter().filter(|blob| !Copies::is_paper(&blob.id)) {
                if Copies::is_head(&blob.id) {
                    found
                        .copies
                        .insert(blob.id, AgedCopy { bytes: blob.bytes, written_at: blob.written_at, lives: false });
                } else if blob.written_at < before {
                    found.old.insert(blob.id, blob.bytes);
                }
            }
            after = page.last().map(|blob| blob.id);
            if page.len() < PAGE {
                return Ok(found);
            }
        }
    }

    /// Takes out of `old` what a copy of a version refers to: where an older backup of the records was put back, or records were lost,
    /// it is all that there is of it. Answers those copies that are of no session and older than `before`.
    async fn spare_copied(
        &self,
        old: &mut BTreeMap<BlobId, u64>,
        copies: BTreeMap<BlobId, AgedCopy>,
        before: Timestamp,
    ) -> Result<Vec<(BlobId, u64)>, SessionError> {
        let mut litter = Vec::new();
        let Some(known) = &self.backends().copies else { return Ok(litter) };
        for (id, copy) in copies {
            if !copy.lives && copy.written_at < before {
                litter.push((id, copy.bytes));
            } else if !old.is_empty() {
                match known.read(&id).await {
                    Ok(CopyOf::Head(head)) => old.retain(|blob, _| !head.blobs.contains(blob)),
                    // Gone meanwhile with its session, or damaged: nothing could be put back by it.
                    Ok(CopyOf::Paper(_)) | Err(StoreError::NotFound(_) | StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(litter)
    }

    /// Takes out of `old` what any version of any session refers to, and tells which `copies` are of sessions that there are.
    async fn spare_referred(
        &self,
        old: &mut BTreeMap<BlobId, u64>,
        copies: &mut BTreeMap<BlobId, AgedCopy>,
    ) -> Result<(), SessionError> {
        let mut after = None;
        loop {
            let page = self.records().references(after, PAGE).await?;
            after = page.last().map(|(name, _)| *name);
            for (name, blobs) in &page {
                for blob in blobs {
                    old.remove(blob);
                }
                let (after, last) = Copies::range_of(name);
                for (_, copy) in copies.range_mut((Bound::Excluded(after), Bound::Included(last))) {
                    copy.lives = true;
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// From now on sessions that have run out are removed each minute, and blobs that nothing refers to when it is time, in the
    /// background, until the last clone goes. For who lives longer than a run; asked again it does nothing. On a runtime.
    pub fn keep_house(&self) {
        self.in_the_background(|sessions| async move {
            loop {
                tokio::time::sleep(HOUSEKEEPING).await;
                let Some(sessions) = sessions.upgrade() else { return };
                sessions.purge().await;
                sessions.sweep_if_due().await;
            }
        });
    }

    /// Removes sessions that have run out. Quick where there is none; what fails is tried again at the next end of a run.
    pub(super) async fn purge(&self) {
        match self.records().purge_expired().await {
            Ok(blobs) => {
                reached("purge.keys_gone");
                self.tidy(&blobs).await;
            }
            Err(error) => tracing::debug!(code = error.code(), "sessions that have run out were not removed"),
        }
    }

    /// Deletes blobs that nothing refers to any more. What fails is litter and no reason to fail what came before it.
    pub(super) async fn tidy(&self, orphaned: &[BlobId]) {
        if orphaned.is_empty() {
            return;
        }
        if let Err(error) = self.blobs().delete(orphaned).await {
            tracing::debug!(code = error.code(), "unreferenced blobs were not deleted");
        }
    }

    /// Sweeps where that was not done for a day. What fails is tried again an hour later.
    pub(super) async fn sweep_if_due(&self) {
        match self.sweep_in_turn().await {
            Ok(Some(Swept { blobs, removed, .. })) => {
                tracing::debug!(blobs, removed, "unreferenced blobs were removed");
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(code = error.code(), "unreferenced blobs were not removed"),
        }
    }

    /// None where it is not due, or another has just begun.
    async fn sweep_in_turn(&self) -> Result<Option<Swept>, SessionError> {
        let read = whole::read::<Turn>(self, KIND).await?;
        let (turn, sealed) = read.map_or((Turn::default(), None), |(turn, sealed)| (turn, Some(sealed)));
        let now = Timestamp::now().as_second();
        if !turn.is_due(now) {
            return Ok(None);
        }
        let begun = Turn { format: 1, begun: now, ..turn };
        if !whole::write(self, KIND, sealed, &begun).await? {
            return Ok(None);
        }
        reached("sweep.begun");
        let swept = self.sweep(SWEEP_GRACE).await?;
        let sealed = whole::read::<Turn>(self, KIND).await?.map(|(_, sealed)| sealed);
        whole::write(self, KIND, sealed, &Turn { done: now, ..begun }).await?;
        Ok(Some(swept))
    }
}

/// Sweeps where that is due, once a run has lasted for a while.
pub(super) async fn in_a_while(sessions: Sessions) {
    tokio::time::sleep(AFTER).await;
    sessions.sweep_if_due().await;
}
