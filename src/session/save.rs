//! Saving: what has changed against the base, what is sealed anew, and the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::stream;

use crate::base::{Deadline, Fence, SessionId, Tenant, Version, reached};
use crate::seal::{Context, DataKey, SealError, Sealed, seal, seal_stream};
use crate::store::{BlobId, Commit, PartId, RecordName, StoreError};

use super::capture::{Captured, Snapshot};
use super::forks::Seed;
use super::keys::seal_error;
use super::large::Large;
use super::lease::Lease;
use super::part::{Names, Part, diff};
use super::patience::patiently;
use super::profile::{Archived, ProfileRef, digests};
use super::sessions::{Prefetched, Sessions, Stored, blobs_of};
use super::state::{Beside, Index, PartRef, Record, encode};
use super::waiting::{Waiting, WaitingPart};
use super::{Change, Cookie, Partial, SessionError, cookies};

pub(super) use super::baseline::Base;

/// Parts up to this size live with the record, larger ones are blobs.
const INLINE_BYTES: usize = 256 << 10;
/// How many versions are kept.
pub(super) const KEEP_VERSIONS: usize = 20;

/// A new state, compared with its base.
pub(super) struct Draft {
    base: Base,
    cookies: Vec<Cookie>,
    beside: Beside,
    /// It is that of a profile session.
    is_profile: bool,
    /// The data key of a session that is new, where something is sealed under it already.
    key: Option<DataKey>,
    /// Unchanged or untouched parts, carried over.
    carried: Vec<PartRef>,
    /// Parts to be written.
    fresh: Vec<(String, Part, Vec<Partial>)>,
    /// Those that are blobs already.
    large: Vec<(String, Large, Vec<Partial>)>,
    names: HashMap<String, Names>,
    changes: Vec<Change>,
    since_opened: Vec<Change>,
    /// What could not be kept differs from before: worth a version although no value changed.
    partial_differs: bool,
    /// Another identity was asked for: likewise.
    identity_differs: bool,
}

impl Draft {
    /// Compares `now` with `base`, for the commit, and with `opened` (with what its parts held when they were `restored`), for
    /// the run's outcome.
    pub(super) fn new(base: &Base, opened: &Base, restored: &HashMap<String, Names>, now: Snapshot) -> Self {
        let seconds = cookies::now();
        let cookies = cookies::unexpired(&now.cookies);
        let mut draft = Self {
            base: base.clone(),
            changes: cookies::diff(base.cookies(), &cookies, seconds),
            since_opened: cookies::diff(opened.cookies(), &cookies, seconds),
            cookies,
            identity_differs: identity_differs(base, &now.beside),
            // A save that makes no archive leaves the one that is kept, and so with what sites are told.
            beside: Beside {
                profile: base.profile().cloned(),
                archived: base.archived(),
                identity: now.beside.identity.clone().or_else(|| base.identity().cloned().map(Box::new)),
                ..now.beside.over(base.beside())
            },
            is_profile: false,
            carried: Vec::new(),
            fresh: Vec::new(),
            large: Vec::new(),
            key: None,
            names: base.names.clone(),
            partial_differs: false,
        };
        let mut parts: BTreeMap<&str, &PartRef> = base.parts().map(|part| (part.storage_key.as_str(), part)).collect();
        for (key, captured) in now.origins {
            let old = parts.remove(key.as_str());
            match captured {
                Captured::Read(part, partial) => draft.origin(&key, old, part, partial),
                Captured::Large(large, partial) => draft.large(&key, old, large, partial),
                Captured::Unreadable(partial) => draft.unreadable(&key, old, partial),
            }
        }
        draft.carried.extend(parts.into_values().cloned());
        draft.since_opened(opened, restored);
        draft
    }

    /// What something of a new session is sealed under already.
    pub(super) fn key(&self) -> Option<&DataKey> {
        self.key.as_ref()
    }

    /// With what its large parts were sealed under.
    pub(super) fn sealed_under(mut self, key: DataKey) -> Self {
        self.key = (!self.large.is_empty()).then_some(key).or(self.key);
        self
    }

    /// Whether a part is what it was: then it is carried over.
    fn carry(&mut self, old: Option<&PartRef>, digest: [u8; 32], partial: &[Partial]) -> bool {
        let digest = HEXLOWER.encode(&digest);
        let Some(old) = old.filter(|old| old.digest == digest) else { return false };
        self.partial_differs |= old.partial != partial;
        self.carried.push(PartRef { partial: partial.to_vec(), ..old.clone() });
        true
    }

    fn changed(&mut self, key: &str, names: Names) {
        self.changes.extend(diff(key, self.names.get(key).unwrap_or(&Names::new()), &names));
        self.names.insert(key.to_owned(), names);
    }

    fn large(&mut self, key: &str, old: Option<&PartRef>, large: Large, partial: Vec<Partial>) {
        if self.carry(old, large.outline.digest(), &partial) {
            return;
        }
        self.changed(key, large.outline.names());
        self.partial_differs |= old.map(|old| &old.partial) != Some(&partial) && !partial.is_empty();
        self.large.push((key.to_owned(), large, partial));
    }

    fn origin(&mut self, key: &str, old: Option<&PartRef>, part: Part, partial: Vec<Partial>) {
        if self.carry(old, part.digest(), &partial) {
            return;
        }
        self.changed(key, part.names());
        if part.is_empty() && partial.is_empty() {
            self.partial_differs |= old.is_some_and(|old| !old.partial.is_empty());
            return;
        }
        self.partial_differs |= old.map(|old| &old.partial) != Some(&partial) && !partial.is_empty();
        self.fresh.push((key.to_owned(), part, partial));
    }

    /// What was kept before stays, with a note.
    fn unreadable(&mut self, key: &str, old: Option<&PartRef>, partial: Partial) {
        self.partial_differs |= old.is_none_or(|old| !old.partial.contains(&partial));
        if let Some(old) = old {
            self.carried.push(PartRef { partial: vec![partial], ..old.clone() });
        } else {
            // Nothing of it waits to be put in place: what can be read of it later in the run is new.
            self.names.entry(key.to_owned()).or_default();
            self.fresh.push((key.to_owned(), Part::default(), vec![partial]));
        }
    }

    /// Storage changes against the state that the run was opened with.
    fn since_opened(&mut self, opened: &Base, restored: &HashMap<String, Names>) {
        let (empty, keys) = (Names::new(), self.names.keys().collect::<BTreeSet<_>>());
        for key in keys {
            let before = restored.get(key).filter(|_| opened.has_part(key)).unwrap_or(&empty);
            self.since_opened.extend(diff(key, before, &self.names[key]));
        }
    }

    /// What differs from the last version.
    pub(super) fn changes(&self) -> Vec<Change> {
        self.changes.clone()
    }

    /// What differs from the version that the run was opened with.
    pub(super) fn changes_since_opened(&self) -> Vec<Change> {
        self.since_opened.clone()
    }

    /// What is not kept, over all origins.
    pub(super) fn partial(&self) -> Vec<Partial> {
        let carried = self.carried.iter().flat_map(|part| part.partial.clone());
        let large = self.large.iter().flat_map(|(_, _, partial)| partial.clone());
        carried.chain(self.fresh.iter().flat_map(|(_, _, partial)| partial.clone())).chain(large).collect()
    }

    /// With a new archive of the user-data directory; `key` is what it was packed under. Worth a version, although nothing of
    /// what counts has changed.
    pub(super) fn with_profile(mut self, profile: ProfileRef, archived: Archived, key: &DataKey) -> Self {
        (self.beside.profile, self.beside.archived) = (Some(profile), Some(archived));
        self.key = Some(key.clone());
        self
    }

    /// The archive of the user-data directory that it comes with.
    pub(super) fn profile(&self) -> Option<&ProfileRef> {
        self.beside.profile.as_ref()
    }

    /// The same, of a profile session.
    pub(super) fn of_profile(self, is_profile: bool) -> Self {
        Self { is_profile, ..self }
    }

    /// What of it is in a directory that has all but what is `pending`, and of that what it had `before`.
    pub(super) fn archived(&self, pending: impl Fn(&str) -> bool, before: Option<&Archived>) -> Archived {
        let fresh = self.fresh.iter().map(|(key, part, _)| (key.as_str(), HEXLOWER.encode(&part.digest())));
        let large = self.large.iter().map(|(key, large, _)| (key.as_str(), HEXLOWER.encode(&large.outline.digest())));
        Archived::of(&self.cookies, digests(&self.carried).chain(fresh).chain(large), pending, before)
    }

    /// The storage keys that it keeps something of.
    pub(super) fn origins(&self) -> Vec<String> {
        let fresh = self.fresh.iter().map(|(key, ..)| key).chain(self.large.iter().map(|(key, ..)| key));
        self.carried.iter().map(|part| &part.storage_key).chain(fresh).cloned().collect()
    }

    /// What it is told against.
    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    /// What differs from its base, for where it cannot be written now.
    pub(super) fn waiting(&self, fence: Fence) -> Waiting {
        let fresh = self.fresh.iter().map(|(key, part, partial)| WaitingPart::of(key, part, partial));
        let is_kept = |key: &str| {
            self.carried.iter().any(|part| part.storage_key == key)
                || self.fresh.iter().any(|(fresh, ..)| fresh == key)
                || self.large.iter().any(|(large, ..)| large == key)
        };
        let gone = self.base.parts().map(|part| part.storage_key.as_str()).filter(|key| !is_kept(key));
        let parts = fresh.chain(gone.map(|key| WaitingPart::of(key, &Part::default(), &[]))).collect();
        let waiting = Waiting::new(fence, &self.base, self.cookies.clone(), parts, self.beside.clone());
        let mut waiting = waiting.of_profile(self.is_profile);
        // Blobs that no version refers to would not outlive this run.
        waiting.left_out = self.large.iter().map(|(key, ..)| key.clone()).collect();
        waiting
    }

    /// The state that a fork begins with.
    pub(super) fn into_seed(self) -> Seed {
        let index = Index::new(self.cookies, self.carried, self.beside);
        let Self { base, fresh, large, key, .. } = self;
        Seed { source: base.stored.clone(), index, sealed: base.sealed, fresh, large, key }
    }

    /// Whether a version of it differs from the one before in nothing but the browser's own files.
    fn has_own_files_only(&self) -> bool {
        let differs = self.partial_differs || self.identity_differs || !self.changes.is_empty();
        let is_new = |made: &&ProfileRef| self.base.profile().is_none_or(|old| old.manifest() != made.manifest());
        !differs && self.beside.profile.as_ref().filter(is_new).is_some_and(|made| made.own_files)
    }

    /// Whether nothing was changed that a version would be made for.
    pub(super) fn is_unchanged(&self) -> bool {
        // A new session of which nothing could be kept is not made only to say so: the run's report does.
        let differs = self.partial_differs || self.identity_differs;
        self.changes.is_empty()
            && (!differs || self.base.stored.is_none())
            && self.beside.profile.as_ref().map(ProfileRef::manifest) == self.base.profile().map(ProfileRef::manifest)
    }
}

/// Whether another identity was asked for than what is kept.
fn identity_differs(base: &Base, now: &Beside) -> bool {
    now.identity.as_ref().is_some_and(|now| now.asks_otherwise(base.identity()))
}

/// Writes a draft as a new version and answers the new base; a draft without a change only keeps the session from running
/// out. A store that is away is waited for until the deadline.
pub(super) async fn commit(target: &Target<'_>, draft: &Draft, deadline: Deadline) -> Result<Base, SessionError> {
    if draft.is_unchanged() {
        if draft.base.stored.is_some() {
            let (name, records) = (&target.name(), target.sessions.records());
            patiently(deadline, || async { Ok(records.touch(name, target.ttl).await?) }).await?;
            reached("save.touched");
        }
        return Ok(Base { names: draft.names.clone(), ..draft.base.clone() });
    }
    reached("save.begun");
    let Prepared { commit, base } = patiently(deadline, || prepare(target, draft)).await?;
    // Not after the commit: where its answer is lost the store may refer to them.
    draft.large.iter().for_each(|(_, large, _)| large.keep());
    reached("save.sealed");
    let Err((error, is_refused)) = attempt(target, &commit, deadline).await else { return Ok(base) };
    if is_refused {
        // No version refers to them, nor ever will.
        let before: HashSet<BlobId> = draft.base.parts().filter_map(PartRef::blob_id).collect();
        let new = base.parts().filter_map(PartRef::blob_id).filter(|blob| !before.contains(blob));
        target.sessions.tidy(&new.collect::<Vec<_>>()).await;
        reached("save.refused");
    }
    Err(error)
}

/// Writes a version that is prepared. The very same commit may be written again: where its answer was lost it is answered as done.
pub(super) async fn write(target: &Target<'_>, commit: &Commit, deadline: Deadline) -> Result<(), SessionError> {
    attempt(target, commit, deadline).await.map_err(|(error, _)| error)
}

/// [`write`]; an error comes with whether the version is surely not in the store: it was refused, and no answer before that was lost.
async fn attempt(target: &Target<'_>, commit: &Commit, deadline: Deadline) -> Result<(), (SessionError, bool)> {
    let (name, records) = (&target.name(), target.sessions.records());
    let was_away = AtomicBool::new(false);
    let committed = patiently(deadline, || async {
        let done = records.commit(name, commit).await;
        was_away.fetch_or(matches!(done, Err(StoreError::Unavailable { .. })), Ordering::Relaxed);
        Ok(done?)
    });
    let committed = committed.await.map_err(|error| {
        let is_refused = matches!(error, SessionError::Store(StoreError::LeaseLost | StoreError::Conflict { .. }));
        (error, is_refused && !was_away.load(Ordering::Relaxed))
    })?;
    reached("save.committed");
    target.sessions.tidy(&committed.orphaned).await;
    reached("save.tidied");
    Ok(())
}

/// The session that something is written to: its lease is held.
pub(super) struct Target<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) tenant: &'a Tenant,
    pub(super) id: &'a SessionId,
    pub(super) ttl: Option<Duration>,
    pub(super) lease: &'a Lease,
}

impl Target<'_> {
    /// Its name in the store.
    pub(super) fn name(&self) -> RecordName {
        self.sessions.name(self.tenant, self.id)
    }

    /// The commit of a version whose parts are complete in the store or among `new_parts`. Seals its record and its index.
    pub(super) fn commit(
        &self,
        record: &Record,
        key: &DataKey,
        expected: Option<Version>,
        index: &Index,
        new_parts: Vec<(PartId, Sealed)>,
    ) -> Result<Commit, SessionError> {
        let (tenant, session, fence) = (self.tenant, self.id, self.lease.fence());
        let version = expected.map_or(Version(1), Version::next);
        let context = Context::Record { tenant, name: &self.name().session };
        let record = seal(&self.sessions.tenant_key(tenant), context, &encode(record)?)
            .map_err(|error| seal_error("the session's record", error))?;
        let context = Context::Index { tenant, session, version, fence };
        Ok(Commit {
            owner: self.lease.owner(),
            fence,
            expected,
            version,
            record,
            index: seal(key, context, &encode(index)?).map_err(|error| seal_error("the index", error))?,
            new_parts,
            parts: index.parts.iter().filter(|part| part.blob.is_none()).map(PartRef::part_id).collect(),
            blobs: blobs_of(index),
            keep: KEEP_VERSIONS,
            saved_at: None,
            first: Vec::new(),
            ttl: self.ttl,
        })
    }
}

/// A version that is sealed and not written yet.
pub(super) struct Prepared {
    pub(super) commit: Commit,
    /// What the next save is compared with once it is written.
    pub(super) base: Base,
}

/// Seals what is new; blobs are complete in the store before the record points to them.
pub(super) async fn prepare(target: &Target<'_>, draft: &Draft) -> Result<Prepared, SessionError> {
    target.sessions.before_sealing(target.tenant).await?;
    let expected = draft.base.version();
    let version = expected.map_or(Version(1), Version::next);
    let (record, key) = record(target, draft)?;
    let mut parts = draft.carried.clone();
    let mut new_parts = Vec::new();
    for (storage_key, part, partial) in &draft.fresh {
        let (part_ref, sealed) = seal_part(target, &key, version, storage_key, part, partial).await?;
        new_parts.extend(sealed.map(|sealed| (part_ref.part_id(), sealed)));
        parts.push(part_ref);
    }
    for (storage_key, large, partial) in &draft.large {
        parts.push(large.part_ref(storage_key, version, target.lease.fence(), partial)?);
    }
    let own_files = draft.has_own_files_only().then_some(version);
    let index = Index::new(draft.cookies.clone(), parts, Beside { own_files, ..draft.beside.clone() });
    let mut sealed: Prefetched = new_parts.iter().cloned().collect();
    let carried = index.parts.iter().map(PartRef::part_id);
    sealed.extend(carried.filter_map(|id| draft.base.sealed.get(&id).map(|part| (id, part.clone()))));
    let mut commit = target.commit(&record, &key, expected, &index, new_parts)?;
    if draft.is_profile && expected.is_some() {
        commit.first = Box::pin(target.sessions.own_file_versions(target.tenant, target.id)).await?;
        // One such version is kept beside the others, so that none makes one of them go.
        commit.keep += usize::from(own_files.is_some());
    }
    let stored = Stored { record, key, version, fence: target.lease.fence(), index };
    let base = Base { stored: Some(Arc::new(stored)), sealed: Arc::new(sealed), names: draft.names.clone() };
    Ok(Prepared { commit, base })
}

/// The session's record with the present ttl, and its data key; made new with the first version.
fn record(target: &Target<'_>, draft: &Draft) -> Result<(Record, DataKey), SessionError> {
    let ttl = target.ttl.map(|ttl| ttl.as_secs());
    if let Some(stored) = &draft.base.stored {
        return Ok((stored.record.kept_for(ttl).of_profile(draft.is_profile), stored.key.clone()));
    }
    let key = match &draft.key {
        Some(key) => key.clone(),
        None => DataKey::generate().map_err(|error| seal_error("a new key", error))?,
    };
    Ok((Record::new(target.id.clone(), &key, ttl).of_profile(draft.is_profile), key))
}

/// Seals one part, as a blob where it is large.
pub(super) async fn seal_part(
    target: &Target<'_>,
    key: &DataKey,
    version: Version,
    storage_key: &str,
    part: &Part,
    partial: &[Partial],
) -> Result<(PartRef, Option<Sealed>), SessionError> {
    let what = || format!("the storage of {storage_key}");
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| seal_error(&what(), SealError::Random))?;
    let (tenant, fence, bytes) = (target.tenant, target.lease.fence(), part.as_bytes());
    let mut part_ref = PartRef {
        storage_key: storage_key.to_owned(),
        id,
        digest: HEXLOWER.encode(&part.digest()),
        bytes: bytes.len() as u64,
        version,
        fence,
        blob: None,
        session: part.session_lines().is_some(),
        partial: partial.to_vec(),
    };
    if bytes.len() <= INLINE_BYTES {
        let context = Context::Part { tenant, session: target.id, version, fence, part: &PartId(id).0 };
        return Ok((part_ref, Some(seal(key, context, bytes).map_err(|error| seal_error(&what(), error))?)));
    }
    let mut blob = [0; 32];
    getrandom::fill(&mut blob).map_err(|_| seal_error(&what(), SealError::Random))?;
    let body = stream::iter(
        part.pieces(INLINE_BYTES).map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect::<Vec<_>>(),
    );
    let sealed =
        seal_stream(key, Context::Blob { tenant, id: &blob }, body).map_err(|error| seal_error(&what(), error))?;
    target.sessions.blobs().put(&BlobId(blob), sealed).await?;
    reached("save.blob_written");
    part_ref.blob = Some(HEXLOWER.encode(&blob));
    Ok((part_ref, None))
}
