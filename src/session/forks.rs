//! Forks: a session's state under another id. A fork has a data key of its own and seals what is small anew; blobs are shared,
//! and the keys that open them are kept behind its own.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{SessionId, Tenant, Version, reached};
use crate::seal::{DataKey, Sealed};
use crate::store::PartId;

use super::keys::seal_error;
use super::large::Large;
use super::lease::{Holder, Lease};
use super::part::Part;
use super::save::{Base, Draft, Target, seal_part};
use super::sessions::{Prefetched, Sessions, Stored, blobs_of};
use super::state::{Index, PartRef, Record};
use super::{Partial, SessionError};

/// How many forks of one session are looked for under their usual names.
const FORKS: usize = 1_000;

/// What a fork begins with.
pub(super) struct Seed {
    /// The version that the parts of `index` are of; none where nothing was saved yet.
    pub(super) source: Option<Arc<Stored>>,
    /// Cookies, and the parts that are taken over.
    pub(super) index: Index,
    /// Parts that need not be asked of the store.
    pub(super) sealed: Arc<Prefetched>,
    /// Parts that only the fork has.
    pub(super) fresh: Vec<(String, Part, Vec<Partial>)>,
    /// Those of them that are blobs already.
    pub(super) large: Vec<(String, Large, Vec<Partial>)>,
    /// What these are sealed under, where there is no source.
    pub(super) key: Option<DataKey>,
}

/// What is to become of a part that cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damaged {
    /// No fork is made.
    Refuse,
    /// The fork is made without it, and says so.
    LeaveOut,
}

impl Sessions {
    /// Makes a session `new_id` whose first version is a kept version of `id`: HEAD where `version` is none. Answers which one.
    /// The source may be in use. [`SessionError::Exists`] where there is such a session already.
    pub async fn fork(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        new_id: &SessionId,
        version: Option<Version>,
    ) -> Result<Version, SessionError> {
        let id = &self.meant(tenant, id).await?;
        let Some(seed) = self.seed(tenant, id, version).await? else {
            return Err(SessionError::NotFound(id.clone()));
        };
        let from = seed.source.as_ref().map_or(Version(1), |source| source.version);
        let ttl = seed.source.as_ref().and_then(|source| source.record.ttl());
        let lease = self.claim(tenant, new_id, &Holder::new("rhaven session fork")).await?;
        let done = self.write_fork(tenant, new_id, ttl, &lease, seed, Damaged::Refuse).await;
        lease.release().await;
        done.map(|_| from)
    }

    /// Makes a session of a run's state.
    pub(super) async fn fork_draft(
        &self,
        tenant: &Tenant,
        new_id: &SessionId,
        draft: Draft,
        ttl: Option<Duration>,
    ) -> Result<(), SessionError> {
        let lease = self.claim(tenant, new_id, &Holder::new("a fork")).await?;
        let done = self.write_fork(tenant, new_id, ttl, &lease, draft.into_seed(), Damaged::Refuse).await;
        lease.release().await;
        done.map(drop)
    }

    /// Makes a session of the state of a run on `id` that must not be saved over it, and answers its id.
    pub(super) async fn fork_aside(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        draft: Draft,
        ttl: Option<Duration>,
    ) -> Result<SessionId, SessionError> {
        let (new_id, lease) = self.claim_next(tenant, id, &Holder::new("a fork")).await?;
        let done = self.write_fork(tenant, &new_id, ttl, &lease, draft.into_seed(), Damaged::LeaveOut).await;
        lease.release().await;
        done.map(|_| new_id)
    }

    /// Makes a fork of HEAD to work on while another run holds `id`, and holds it. Where nothing is saved yet, it is empty and
    /// has no version.
    pub(super) async fn fork_held(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        holder: &Holder,
    ) -> Result<(SessionId, Lease, Base), SessionError> {
        let seed = self.seed(tenant, id, None).await?;
        let (new_id, lease) = self.claim_next(tenant, id, holder).await?;
        let Some(seed) = seed else { return Ok((new_id, lease, Base::default())) };
        let ttl = seed.source.as_ref().and_then(|source| source.record.ttl());
        match self.write_fork(tenant, &new_id, ttl, &lease, seed, Damaged::Refuse).await {
            Ok((stored, sealed)) => Ok((new_id, lease, Base::of(Some(stored), sealed))),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    /// What a fork of a kept version begins with; none where there is no such session.
    pub(super) async fn seed(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        version: Option<Version>,
    ) -> Result<Option<Seed>, SessionError> {
        let name = self.name(tenant, id);
        self.follow_keys().await?;
        let Some(head) = self.records().read(&name, version).await? else {
            return match version {
                // Says whether it is the session or the version that is not there.
                Some(version) => Err(self.missing(tenant, id, version).await),
                None => Ok(None),
            };
        };
        let source = Arc::new(self.open_head(tenant, &name, &head)?);
        let inline: Vec<PartId> =
            source.index.parts.iter().filter(|part| part.blob.is_none()).map(PartRef::part_id).collect();
        let bodies = self.records().parts(&name, &inline).await?;
        let sealed = Arc::new(inline.into_iter().zip(bodies).collect());
        Ok(Some(Seed {
            index: source.index.clone(),
            source: Some(source),
            sealed,
            fresh: Vec::new(),
            large: Vec::new(),
            key: None,
        }))
    }

    pub(super) async fn missing(&self, tenant: &Tenant, id: &SessionId, version: Version) -> SessionError {
        match self.history(tenant, id).await {
            Ok(history) => history.missing(version),
            Err(error) => error,
        }
    }

    /// The lease of a session that does not exist yet.
    pub(super) async fn claim(&self, tenant: &Tenant, id: &SessionId, holder: &Holder) -> Result<Lease, SessionError> {
        let exists = || SessionError::Exists(id.clone());
        if self.meant(tenant, id).await? != *id {
            return Err(exists());
        }
        if self.records().read(&self.name(tenant, id), None).await?.is_some() {
            return Err(exists());
        }
        let (lease, granted) = Lease::acquire(self, tenant, id, holder, None, &CancellationToken::new()).await?;
        if granted.head.is_some() {
            lease.release().await;
            return Err(exists());
        }
        Ok(lease)
    }

    /// The lease of the first of `ID.fork-1`, `ID.fork-2`, .. that does not exist and that nobody holds.
    async fn claim_next(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        holder: &Holder,
    ) -> Result<(SessionId, Lease), SessionError> {
        for number in 1..=FORKS {
            let new_id = numbered(id, number)?;
            match self.claim(tenant, &new_id, holder).await {
                Ok(lease) => return Ok((new_id, lease)),
                Err(SessionError::Exists(_) | SessionError::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SessionError::Exists(numbered(id, FORKS)?))
    }

    /// Writes a fork's first version.
    async fn write_fork(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        ttl: Option<Duration>,
        lease: &Lease,
        seed: Seed,
        damaged: Damaged,
    ) -> Result<(Stored, Prefetched), SessionError> {
        let Seed { source, mut index, sealed, fresh, large, key } = seed;
        let target = Target { sessions: self, tenant, id, ttl, lease };
        let version = Version(1);
        let key = match key.filter(|_| source.is_none()) {
            Some(key) => key,
            None => DataKey::generate().map_err(|error| seal_error("a new key", error))?,
        };
        let (mut parts, mut new_parts) = (Vec::new(), Prefetched::new());
        for part in std::mem::take(&mut index.parts) {
            let Some(source) = &source else { continue };
            let copied = match copy(&target, &key, version, source, &part, sealed.get(&part.part_id())).await {
                Err(SessionError::Seal { what, source }) if damaged == Damaged::LeaveOut => {
                    let reason = format!("{what} cannot be opened: {source}");
                    let lost = Partial { origin: part.storage_key.clone(), store: "storage".into(), key: None, reason };
                    seal_part(&target, &key, version, &part.storage_key, &Part::default(), &[lost]).await?
                }
                copied => copied?,
            };
            new_parts.extend(copied.1.map(|sealed| (copied.0.part_id(), sealed)));
            parts.push(copied.0);
        }
        for (storage_key, part, partial) in &fresh {
            let (part, sealed) = seal_part(&target, &key, version, storage_key, part, partial).await?;
            new_parts.extend(sealed.map(|sealed| (part.part_id(), sealed)));
            parts.push(part);
        }
        for (storage_key, large, partial) in &large {
            parts.push(large.part_ref(storage_key, version, lease.fence(), partial)?);
            large.keep();
        }
        let index = index.with_parts(parts);
        let shares_blobs = !blobs_of(&index).is_empty();
        let record = match &source {
            Some(source) => source.record.forked(id.clone(), &key, shares_blobs).kept_for(ttl.map(|ttl| ttl.as_secs())),
            None => Record::new(id.clone(), &key, ttl.map(|ttl| ttl.as_secs())),
        };
        let commit = target.commit(&record, &key, None, &index, new_parts.clone().into_iter().collect())?;
        reached("fork.sealed");
        self.records().commit(&target.name(), &commit).await?;
        reached("fork.committed");
        if let Some(source) = source.as_ref().filter(|_| shares_blobs) {
            self.prove_source(&target, source).await?;
        }
        Ok((Stored { record, key, version, fence: lease.fence(), index }, new_parts))
    }

    /// Blobs are shared with a version of the source. If that was dropped before the fork referred to them, they are gone or
    /// about to be, and so is the fork; if it is still there now, the store knows of both.
    async fn prove_source(&self, target: &Target<'_>, source: &Stored) -> Result<(), SessionError> {
        let Target { tenant, lease, .. } = *target;
        let name = self.name(tenant, &source.record.id);
        let now = self.records().read(&name, Some(source.version)).await?;
        if now.is_some_and(|now| now.fence == source.fence) {
            return Ok(());
        }
        let orphaned = self.records().delete(&target.name(), lease.owner(), lease.fence()).await?;
        self.tidy(&orphaned).await;
        Err(self.missing(tenant, &source.record.id, source.version).await)
    }
}

/// A part of another session for this one: sealed anew where it lives with the record, shared where it is a blob.
pub(super) async fn copy(
    target: &Target<'_>,
    key: &DataKey,
    version: Version,
    source: &Stored,
    part: &PartRef,
    sealed: Option<&Sealed>,
) -> Result<(PartRef, Option<Sealed>), SessionError> {
    if part.blob.is_some() {
        return Ok((part.clone(), None));
    }
    let opened = target.sessions.open_part(target.tenant, source, part, sealed).await?;
    seal_part(target, key, version, &part.storage_key, &opened, &part.partial).await
}

/// `ID.fork-N`; a long id is cut at its end.
fn numbered(id: &SessionId, number: usize) -> Result<SessionId, SessionError> {
    let mut stem = id.as_str();
    loop {
        match SessionId::new(format!("{stem}.fork-{number}")) {
            Ok(id) => return Ok(id),
            Err(error) => stem = stem.char_indices().next_back().and_then(|(at, _)| stem.get(..at)).ok_or(error)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_named_after_its_source_however_long_that_is() {
        let name = |id: &str, n| numbered(&SessionId::new(id).unwrap(), n).unwrap().as_str().to_owned();
        assert_eq!(name("acme", 1), "acme.fork-1");
        assert_eq!(name("acme.fork-1", 2), "acme.fork-1.fork-2");
        let long = name(&"\u{17e}".repeat(128), 12);
        assert!(long.ends_with("\u{17e}.fork-12") && long.len() >= 254, "{long}");
    }
}
