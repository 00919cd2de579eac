//! The kept versions of a session: what each changed, going back to one, pinning one. Needs no browser.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Tenant, Version, reached};
use crate::store::{Granted, Head, StoreError, VersionEntry};

use super::lease::{Holder, Lease};
use super::model::{HistoryEntry, ProfileChange, VersionDiff, VersionInfo};
use super::part::{Names, diff};
use super::patience::patiently;
use super::profile::ProfileRef;
use super::save::{KEEP_VERSIONS, Target};
use super::sessions::{Sessions, Stored};
use super::state::{PartRef, Record};
use super::{Change, SessionError, cookies};

/// How long a store that is away is waited for with a rollback.
const PATIENCE: Duration = Duration::from_secs(5);

/// The kept versions of a session as they were when it was asked for, newest first. What a version changed is worked out only
/// when it is asked for: that takes opening the parts that differ.
pub struct History {
    sessions: Sessions,
    tenant: Tenant,
    id: SessionId,
    head: Head,
    entries: Vec<VersionEntry>,
    /// Names and digests of the parts that were opened so far, by the part's digest.
    opened: HashMap<String, Names>,
}

/// A session that was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct RolledBack {
    /// HEAD before.
    pub from: Version,
    /// The version whose content is HEAD's again.
    pub to: Version,
    /// HEAD now: a new version, or the same where HEAD was what was asked for.
    pub version: Version,
}

impl VersionInfo {
    pub(super) fn of(entry: &VersionEntry) -> Self {
        Self { version: entry.version, saved_at: entry.saved_at.to_string(), pinned: entry.pinned }
    }
}

impl History {
    /// The versions, newest first.
    pub fn versions(&self) -> Vec<VersionInfo> {
        self.entries.iter().map(VersionInfo::of).collect()
    }

    /// What a version changed against the kept one before it. Blocks while parts are read from the store.
    pub async fn entry(&mut self, version: Version) -> Result<HistoryEntry, SessionError> {
        let at = self.position(version)?;
        let info = VersionInfo::of(&self.entries[at]);
        let against = self.entries.get(at + 1).map(|entry| entry.version);
        // Before the first version there was nothing; before an older one that is gone, nobody knows.
        let changes = match against {
            None if version != Version(1) => None,
            _ => Some(self.changes(against, version).await?),
        };
        let profile = if changes.is_some() { self.profile_change(against, version)? } else { None };
        Ok(HistoryEntry { version: info, against, changes, profile })
    }

    /// What differs of the profile that a version has, told against the kept one before it.
    fn profile_change(
        &self,
        against: Option<Version>,
        version: Version,
    ) -> Result<Option<ProfileChange>, SessionError> {
        let now = self.open(version)?.index.beside;
        let before =
            against.map(|against| self.open(against)).transpose()?.and_then(|stored| stored.index.beside.profile);
        let manifest = |profile: &Option<ProfileRef>| profile.as_ref().map(|profile| profile.manifest().to_owned());
        Ok(if manifest(&now.profile) == manifest(&before) {
            None
        } else if now.own_files == Some(version) {
            Some(ProfileChange::OwnFiles)
        } else {
            Some(ProfileChange::Files)
        })
    }

    /// Every version with what it changed.
    pub async fn all(mut self) -> Result<Vec<HistoryEntry>, SessionError> {
        let mut all = Vec::with_capacity(self.entries.len());
        for version in self.entries.iter().map(|entry| entry.version).collect::<Vec<_>>() {
            all.push(self.entry(version).await?);
        }
        Ok(all)
    }

    fn position(&self, version: Version) -> Result<usize, SessionError> {
        self.entries.iter().position(|entry| entry.version == version).ok_or_else(|| self.missing(version))
    }

    pub(super) fn missing(&self, version: Version) -> SessionError {
        let kept = self.entries.iter().map(|entry| entry.version).collect();
        SessionError::NoVersion { id: self.id.clone(), version, kept }
    }

    /// Opens one of them.
    pub(super) fn open(&self, version: Version) -> Result<Stored, SessionError> {
        let entry = &self.entries[self.position(version)?];
        let VersionEntry { version, fence, index, saved_at, .. } = entry.clone();
        let head = Head { version, fence, index, saved_at, ..self.head.clone() };
        self.sessions.open_head(&self.tenant, &self.sessions.name(&self.tenant, &self.id), &head)
    }

    /// What differs between two versions; `from` none is nothing at all.
    async fn changes(&mut self, from: Option<Version>, to: Version) -> Result<Vec<Change>, SessionError> {
        let (before, after) = (from.map(|from| self.open(from)).transpose()?, self.open(to)?);
        let cookies_before = before.as_ref().map_or(&[][..], |before| &before.index.cookies);
        let mut changes = cookies::diff(cookies_before, &after.index.cookies, cookies::now());
        let mut parts: BTreeMap<&str, (Option<&PartRef>, Option<&PartRef>)> = BTreeMap::new();
        for part in before.iter().flat_map(|before| &before.index.parts) {
            parts.entry(&part.storage_key).or_default().0 = Some(part);
        }
        for part in &after.index.parts {
            parts.entry(&part.storage_key).or_default().1 = Some(part);
        }
        for (key, (old, new)) in parts {
            if old.map(|part| &part.digest) == new.map(|part| &part.digest) {
                continue;
            }
            let old = self.names(before.as_ref().unwrap_or(&after), old).await?;
            let new = self.names(&after, new).await?;
            changes.extend(diff(key, &old, &new));
        }
        Ok(changes)
    }

    async fn names(&mut self, stored: &Stored, part: Option<&PartRef>) -> Result<Names, SessionError> {
        let Some(part) = part else { return Ok(Names::new()) };
        if let Some(names) = self.opened.get(&part.digest) {
            return Ok(names.clone());
        }
        let names = self.sessions.open_part(&self.tenant, stored, part, None).await?.names();
        self.opened.insert(part.digest.clone(), names.clone());
        Ok(names)
    }
}

impl Sessions {
    /// The versions that go first when there are more than are kept: nothing but the browser's own files differed in them. None while
    /// there is room. One that cannot be opened is not among them.
    pub(super) async fn own_file_versions(
        &self,
        tenant: &Tenant,
        id: &SessionId,
    ) -> Result<Vec<Version>, SessionError> {
        let history = match self.history(tenant, id).await {
            Err(SessionError::NotFound(_)) => return Ok(Vec::new()),
            history => history?,
        };
        if history.entries.len() < KEEP_VERSIONS {
            return Ok(Vec::new());
        }
        let all = history.entries.iter().map(|entry| entry.version);
        let has_own = |version: &Version| {
            history.open(*version).is_ok_and(|stored| stored.index.beside.own_files == Some(*version))
        };
        Ok(all.filter(has_own).collect())
    }

    /// The kept versions. [`SessionError::NotFound`] where there is no such session.
    pub async fn history(&self, tenant: &Tenant, id: &SessionId) -> Result<History, SessionError> {
        self.follow_keys().await?;
        let id = &self.meant(tenant, id).await?;
        let name = self.name(tenant, id);
        let (head, entries) = tokio::try_join!(self.records().read(&name, None), self.records().history(&name))?;
        let head = head.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let (sessions, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        Ok(History { sessions, tenant, id, head, entries, opened: HashMap::new() })
    }

    /// What differs between two kept versions, by name, never by value. `to` none is HEAD; `from` none is the kept one before
    /// `to`, or nothing where `to` is the oldest.
    pub async fn diff(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        from: Option<Version>,
        to: Option<Version>,
    ) -> Result<VersionDiff, SessionError> {
        let mut history = self.history(tenant, id).await?;
        let to = to.unwrap_or(history.head.version);
        let at = history.position(to)?;
        let from = from.or_else(|| history.entries.get(at + 1).map(|entry| entry.version));
        let changes = history.changes(from, to).await?;
        Ok(VersionDiff { from, to, changes })
    }

    /// Makes the content of a kept version HEAD's again, as a new version, so that nothing is lost. Takes the lease:
    /// [`SessionError::Busy`] while a run holds it, [`SessionError::NoVersion`] where the version is not kept.
    pub async fn rollback(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        version: Version,
    ) -> Result<RolledBack, SessionError> {
        let id = &self.meant(tenant, id).await?;
        // Looked at first: taking the lease of a session that has run out would empty it.
        self.history(tenant, id).await?.position(version)?;
        let holder = Holder::new("rhaven session rollback");
        let (lease, granted) = Lease::acquire(self, tenant, id, &holder, None, &CancellationToken::new()).await?;
        let done = self.roll_back(tenant, id, version, &lease, granted).await;
        lease.release().await;
        done
    }

    async fn roll_back(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        version: Version,
        lease: &Lease,
        granted: Granted,
    ) -> Result<RolledBack, SessionError> {
        let head = granted.head.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        Ok(self.roll_back_held(tenant, id, lease, Record::ttl, (head.version, version)).await?.0)
    }

    /// As [`Self::rollback`] under a lease that is held, from HEAD `from`; also what HEAD is now, where that was written. Kept for
    /// `ttl`, which may follow the old version's.
    pub(super) async fn roll_back_held(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        lease: &Lease,
        ttl: impl FnOnce(&Record) -> Option<Duration>,
        (from, to): (Version, Version),
    ) -> Result<(RolledBack, Option<Stored>), SessionError> {
        if from == to {
            return Ok((RolledBack { from, to, version: from }, None));
        }
        let name = self.name(tenant, id);
        let Some(old) = self.records().read(&name, Some(to)).await? else {
            return Err(self.history(tenant, id).await?.missing(to));
        };
        let old = self.open_head(tenant, &name, &old)?;
        let ttl = ttl(&old.record);
        let record = old.record.kept_for(ttl.map(|ttl| ttl.as_secs()));
        let target = Target { sessions: self, tenant, id, ttl, lease };
        // The same parts at their places: what seals them names the version that they were written with.
        let commit = target.commit(&record, &old.key, Some(from), &old.index, Vec::new())?;
        reached("rollback.sealed");
        let commit = &commit;
        let committed =
            patiently(Deadline::after(PATIENCE), || async { Ok(self.records().commit(&name, commit).await?) });
        let committed = committed.await?;
        reached("rollback.committed");
        self.tidy(&committed.orphaned).await;
        let stored = Stored { record, version: commit.version, fence: lease.fence(), ..old };
        Ok((RolledBack { from, to, version: commit.version }, Some(stored)))
    }

    /// Keeps a version however many come after it, or lets it go again. Possible while a run holds the session.
    pub async fn pin(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        version: Version,
        pinned: bool,
    ) -> Result<(), SessionError> {
        let id = &self.meant(tenant, id).await?;
        match self.records().pin(&self.name(tenant, id), version, pinned).await {
            // Which of the two is not there?
            Err(StoreError::NotFound(_)) => Err(self.history(tenant, id).await?.missing(version)),
            done => Ok(done?),
        }
    }
}
