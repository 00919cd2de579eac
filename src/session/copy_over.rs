//! Saving one session over another that is opened then: what the one holds becomes the other's newest version, under a lease that stays
//! held from then on. Nobody else can write in between, so that what was written can be taken back as long as nothing has come of it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Tenant, Version, reached};
use crate::store::{Checkpoint, Commit, Committed, StoreError};

use super::forks::{Seed, copy};
use super::kept::Opening;
use super::lease::{Holder, Lease};
use super::options::SessionOptions;
use super::patience::patiently;
use super::recover::settle;
use super::save::{Base, Target};
use super::sessions::{Prefetched, Stored, blobs_of};
use super::state::Record;
use super::{SessionError, Sessions, Workspace};

/// How long a store that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of copying a session over another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedOver {
    /// The other one.
    pub onto: SessionId,
    /// The version that was its newest before.
    pub before: Version,
    /// Its newest version by now.
    pub version: Version,
}

impl Workspace {
    /// Makes what the newest version of `id` holds the newest version of `onto`, which has to exist; what that held is a version before
    /// it. [`Self::session`] opens `onto` then, with the same `options`, under the lease that this has taken.
    /// [`SessionError::Busy`] where somebody else has `onto`. Where it fails, `onto` holds what it held.
    pub async fn copy_over(
        &self,
        id: &SessionId,
        onto: &SessionId,
        options: &SessionOptions,
    ) -> Result<CopiedOver, SessionError> {
        let turn = self.turn().await;
        let (workspace, id, onto, options) = (self.clone(), id.clone(), onto.clone(), options.clone());
        // A task of its own: a lease that was just taken has to be given back, whoever goes away.
        let copied = tokio::spawn(async move {
            let copied = Box::pin(workspace.copied_over(&id, &onto, &options)).await;
            drop(turn);
            copied
        });
        copied.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    async fn copied_over(
        &self,
        id: &SessionId,
        onto: &SessionId,
        options: &SessionOptions,
    ) -> Result<CopiedOver, SessionError> {
        let (sessions, config) = (self.sessions().await?, &self.0.config);
        let tenant = &config.tenant;
        let (id, onto) = (sessions.meant(tenant, id).await?, sessions.meant(tenant, onto).await?);
        let seed = sessions.seed(tenant, &id, None).await?.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let (holder, never) = (Holder::new(&config.holder), CancellationToken::new());
        let (lease, granted) = Lease::acquire(sessions, tenant, &onto, &holder, None, &never).await?;
        let written = async {
            let head = granted.head.as_ref().ok_or_else(|| SessionError::NotFound(onto.clone()))?;
            let mut over = sessions.open_head(tenant, &sessions.name(tenant, &onto), head)?;
            if granted.checkpoint.is_some() {
                over = sessions.caught_up(tenant, &onto, &lease, over, granted.checkpoint).await?;
            }
            let before = over.version;
            Ok::<_, SessionError>((before, sessions.write_over(tenant, &onto, &lease, seed, over).await?))
        };
        let (before, (stored, sealed)) = match written.await {
            Ok(written) => written,
            Err(error) => {
                lease.release().await;
                return Err(error);
            }
        };
        let copied = CopiedOver { onto: onto.clone(), before, version: stored.version };
        let opening = self.opening(sessions, &onto, options, Some(lease), Base::of(Some(stored), sealed));
        self.0.open.send_modify(|open| open.retained.push(opening));
        Ok(copied)
    }

    /// Makes what `onto` held before it was copied over its newest version again, under the lease that is held since; what was not saved
    /// is dropped, and all sessions of this workspace are closed. For who could not begin what it was copied for, before
    /// [`Self::finish`]. [`StoreError::LeaseLost`] where it is held no more: then it
    /// is somebody else's what is made of it.
    pub async fn take_back(&self, copied: &CopiedOver) -> Result<(), SessionError> {
        // Closed, and with it its lease and what it was last saved as.
        self.reset().await;
        let _turn = self.turn().await;
        let opening = self.0.open.borrow().retained.iter().find(|opening| opening.id == copied.onto).cloned();
        let lost = || SessionError::from(StoreError::LeaseLost);
        let opening = opening.filter(|opening| !opening.is_lost()).ok_or_else(lost)?;
        let (Some(lease), Some(newest)) = (&opening.lease, opening.base.version()) else { return Err(lost()) };
        let Opening { named, .. } = &opening;
        let (sessions, tenant) = (&named.sessions, &named.tenant);
        sessions.before_sealing(tenant).await?;
        sessions.roll_back_held(tenant, &named.id, lease, Record::ttl, (newest, copied.before)).await?;
        reached("copy.taken_back");
        Ok(())
    }
}

impl Sessions {
    /// Makes a version of what a run that was killed has left of a session: the next commit would drop it. The newest version by then.
    async fn caught_up(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        lease: &Lease,
        over: Stored,
        left: Option<Checkpoint>,
    ) -> Result<Stored, SessionError> {
        let target = Target { sessions: self, tenant, id, ttl: over.record.ttl(), lease };
        let settled = settle(&target, Base::of(Some(over), Prefetched::new()), left).await?;
        if let Some(recovered) = settled.recovered {
            recovered.write(&target, Deadline::after(PATIENCE)).await?;
        }
        let head = self.records().read(&target.name(), None).await?;
        self.open_head(tenant, &target.name(), &head.ok_or_else(|| SessionError::NotFound(id.clone()))?)
    }

    /// Writes a version whose content is another session's, and answers it.
    async fn write_over(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        lease: &Lease,
        seed: Seed,
        over: Stored,
    ) -> Result<(Stored, Prefetched), SessionError> {
        let Seed { source, mut index, sealed, .. } = seed;
        let Some(source) = source else { return Err(SessionError::NotFound(id.clone())) };
        let target = Target { sessions: self, tenant, id, ttl: over.record.ttl(), lease };
        let (version, mut new_parts, mut parts) = (over.version.next(), Prefetched::new(), Vec::new());
        for part in std::mem::take(&mut index.parts) {
            let prefetched = sealed.get(&part.part_id());
            let (part, sealed) = copy(&target, &over.key, version, &source, &part, prefetched).await?;
            new_parts.extend(sealed.map(|sealed| (part.part_id(), sealed)));
            parts.push(part);
        }
        let index = index.with_parts(parts);
        let shares_blobs = !blobs_of(&index).is_empty();
        let record = over.record.with_keys_behind(&source.record, shares_blobs).of_profile(source.record.profile);
        let sealed_parts = new_parts.clone().into_iter().collect();
        let commit = target.commit(&record, &over.key, Some(over.version), &index, sealed_parts)?;
        reached("copy.sealed");
        let committed = self.committed(&target, &commit).await?;
        reached("copy.committed");
        // As of a fork: where the source's version went meanwhile, its blobs may have gone too.
        if shares_blobs && let Err(error) = self.is_kept(tenant, &source).await {
            // What it held is what it holds again: the same parts at their places.
            let mut back = target.commit(&over.record, &over.key, Some(version), &over.index, Vec::new())?;
            // Nobody could open the version between: it goes, and nothing else does.
            let unpinned = self.records().history(&target.name()).await?.iter().filter(|entry| !entry.pinned).count();
            (back.keep, back.first) = (unpinned, vec![version]);
            let back = self.committed(&target, &back).await?;
            self.tidy(&committed.orphaned).await;
            self.tidy(&back.orphaned).await;
            return Err(error);
        }
        self.tidy(&committed.orphaned).await;
        Ok((Stored { record, key: over.key, version: commit.version, fence: lease.fence(), index }, new_parts))
    }

    /// Commits it, also where the store is away for a moment: the very same commit may be written again.
    async fn committed(&self, target: &Target<'_>, commit: &Commit) -> Result<Committed, SessionError> {
        let name = target.name();
        patiently(Deadline::after(PATIENCE), || async { Ok(self.records().commit(&name, commit).await?) }).await
    }

    /// Fails where that version of a session is there no more.
    async fn is_kept(&self, tenant: &Tenant, source: &Arc<Stored>) -> Result<(), SessionError> {
        let now = self.records().read(&self.name(tenant, &source.record.id), Some(source.version)).await?;
        match now {
            Some(now) if now.fence == source.fence => Ok(()),
            _ => Err(self.missing(tenant, &source.record.id, source.version).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::base::Deadline;
    use crate::browser::LaunchOptions;
    use crate::session::{ImportOptions, KeySource, LeaseTimes, Saving, Source, StoreConfig, Ways, WorkspaceConfig};

    fn id(text: &str) -> SessionId {
        SessionId::new(text).unwrap()
    }

    /// A session with a cookie that is called as it is.
    async fn made(sessions: &Sessions, name: &str) {
        let state =
            format!(r#"{{"cookies": [{{"name": "{name}", "value": "1", "domain": "a.example", "path": "/"}}]}}"#);
        let source = Source::open(Cursor::new(state.into_bytes()), None).await.unwrap();
        let options = ImportOptions::default();
        Box::pin(sessions.import(&Tenant::default(), &id(name), source, &options)).await.unwrap();
    }

    async fn cookies(sessions: &Sessions, name: &str) -> Vec<String> {
        let shown = sessions.show(&Tenant::default(), &id(name)).await.unwrap();
        shown.cookies.into_iter().map(|cookie| cookie.name).collect()
    }

    #[tokio::test]
    async fn what_nothing_comes_of_is_taken_back_and_nobody_writes_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key.clone()).await.unwrap();
        let (tenant, options) = (Tenant::default(), SessionOptions::default());
        made(&sessions, "a").await;
        made(&sessions, "b").await;
        let config = WorkspaceConfig {
            tenant: tenant.clone(),
            store: StoreConfig::Memory,
            key,
            launch: LaunchOptions::default(),
            holder: "a test".to_owned(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        };
        let workspace = || Workspace::going_out(config.clone(), Some(sessions.clone()), Ways::free());
        let one = workspace();
        let copied = one.copy_over(&id("a"), &id("b"), &options).await.unwrap();
        assert_eq!((copied.before, copied.version), (Version(1), Version(2)));
        assert_eq!(cookies(&sessions, "b").await, ["a"]);
        let busy = workspace().copy_over(&id("a"), &id("b"), &options).await.unwrap_err();
        assert_eq!(busy.code(), "session_busy");
        one.take_back(&copied).await.unwrap();
        assert_eq!(cookies(&sessions, "b").await, ["b"]);
        assert_eq!(sessions.rollback(&tenant, &id("b"), Version(2)).await.unwrap_err().code(), "session_busy");
        one.finish(Deadline::after(std::time::Duration::from_secs(10))).await;

        // Somebody else has it now: what they have made of it stays.
        let again = workspace().copy_over(&id("a"), &id("b"), &options).await.unwrap();
        assert_eq!((again.before, again.version), (Version(3), Version(4)));
        assert_eq!(one.take_back(&copied).await.unwrap_err().code(), "lease_lost");
        assert_eq!(cookies(&sessions, "b").await, ["a"]);
        let missing = workspace().copy_over(&id("a"), &id("c"), &options).await.unwrap_err();
        assert_eq!(missing.code(), "session_not_found");
    }
}
