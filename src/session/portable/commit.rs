//! Writing what is imported: a new version, under the lease like every other.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::bundle::pieces;
use super::contents::Contents;
use super::labels::Labels;
use super::unbundle::{Bundle, Coming};
use super::{ImportOptions, PortableError};
use crate::base::{SessionId, Tenant, Version, reached};
use crate::seal::{Context, DataKey, Sealed, seal_stream};
use crate::session::keys::seal_error;
use crate::session::lease::{Holder, Lease};
use crate::session::part::Part;
use crate::session::save::{Target, seal_part};
use crate::session::sessions::{Sessions, blobs_of};
use crate::session::state::{Beside, Index, PartRef, Record};
use crate::session::{Partial, SessionError, cookies};
use crate::store::{BlobId, Commit, Granted, PartId, StoreError};

/// Whose session, and what may happen to it.
pub(super) struct Intake<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) tenant: &'a Tenant,
    pub(super) id: &'a SessionId,
    pub(super) options: &'a ImportOptions,
}

/// What is imported: read already, or read while it is written.
pub(super) enum Way {
    Contents(Contents),
    Bundle(Box<Bundle>),
}

/// What was written.
pub(super) struct Taken {
    pub(super) replaced: Option<Version>,
    pub(super) version: Version,
    /// How many were.
    pub(super) versions: usize,
    pub(super) cookies: usize,
    pub(super) origins: usize,
}

impl Intake<'_> {
    /// Writes the newest version.
    pub(super) async fn take(&self, way: &mut Way) -> Result<Taken, SessionError> {
        let Self { sessions, tenant, id, .. } = *self;
        let left = !sessions.left(tenant, id).await?.is_empty();
        let exists = sessions.records().read(&sessions.name(tenant, id), None).await?.is_some();
        if !self.options.replace && (exists || left) {
            return Err(SessionError::Exists(id.clone()));
        }
        if left {
            // A commit would drop it: it becomes a version first, which is then replaced.
            sessions.recover(tenant, id, self.options.ttl).await?;
        }
        let holder = Holder::new("rhaven session import");
        let (lease, granted) = Lease::acquire(sessions, tenant, id, &holder, None, &self.options.given_up).await?;
        let taken = self.take_under(&lease, &granted, way).await;
        lease.release().await;
        taken
    }

    async fn take_under(&self, lease: &Lease, granted: &Granted, way: &mut Way) -> Result<Taken, SessionError> {
        let Self { sessions, tenant, id, .. } = *self;
        let replaced = granted.head.as_ref().map(|head| head.version);
        if replaced.is_some() && !self.options.replace {
            return Err(SessionError::Exists(id.clone()));
        }
        let settings = if let Way::Bundle(bundle) = way { bundle.settings() } else { None };
        let (record, key) = self.record(granted, settings.as_ref())?;
        let target = Target { sessions, tenant, id, ttl: record.ttl(), lease };
        let next = replaced.map_or(Version(1), Version::next);
        let mut sealing = Sealing { target, key, next, versions: Vec::new(), blobs: Vec::new() };
        let sealed = async {
            match way {
                Way::Contents(contents) => sealing.contents(contents).await,
                Way::Bundle(bundle) => sealing.bundle(bundle).await,
            }
        };
        let sealed = self.options.given_up.run_until_cancelled(sealed).await;
        let sealed = sealed.unwrap_or_else(|| Err(PortableError::GivenUp.into()));
        if let Err(error) = sealed {
            // Nothing refers to them, nor ever will.
            sessions.tidy(&sealing.blobs).await;
            return Err(error);
        }
        // All of it has proven whole: what is left is to be written, oldest first.
        let (mut expected, mut taken) = (replaced, None);
        let versions = std::mem::take(&mut sealing.versions);
        let count = versions.len();
        for Made { index, new_parts, saved_at, pinned } in versions {
            let commit = sealing.target.commit(&record, &sealing.key, expected, &index, new_parts)?;
            // What came along is kept, also where more of it was: the next save drops what is too much.
            let commit = Commit { saved_at, keep: commit.keep + count, ..commit };
            let name = sealing.target.name();
            let committed = match sessions.records().commit(&name, &commit).await {
                Ok(committed) => committed,
                Err(error) => {
                    // Of any other error it is not known whether the version was written; earlier ones may share its blobs.
                    if expected == replaced && matches!(error, StoreError::LeaseLost | StoreError::Conflict { .. }) {
                        sessions.tidy(&sealing.blobs).await;
                    }
                    return Err(error.into());
                }
            };
            if pinned {
                sessions.records().pin(&name, commit.version, true).await?;
            }
            reached("import.committed");
            sessions.tidy(&committed.orphaned).await;
            let origins = index.parts.iter().filter(|part| part.bytes > 0).count();
            let cookies = index.cookies.len();
            expected = Some(commit.version);
            taken = Some(Taken { replaced, version: commit.version, versions: count, cookies, origins });
        }
        taken.ok_or_else(|| SessionError::NotFound(id.clone()))
    }

    /// The record that is there, or a new one; with the settings that came along.
    fn record(&self, granted: &Granted, settings: Option<&Value>) -> Result<(Record, DataKey), SessionError> {
        let name = self.sessions.name(self.tenant, self.id);
        let (record, key) = if let Some(head) = &granted.head {
            let stored = self.sessions.open_head(self.tenant, &name, head)?;
            (stored.record, stored.key)
        } else {
            let key = DataKey::generate().map_err(|error| seal_error("a new key", error))?;
            (Record::new(self.id.clone(), &key, self.options.ttl.map(|ttl| ttl.as_secs())), key)
        };
        match settings {
            Some(settings) => Ok((record.with_settings(settings)?, key)),
            None => Ok((record, key)),
        }
    }
}

/// Versions in the making. Blobs are complete in the store before a record points to them.
struct Sealing<'a> {
    target: Target<'a>,
    key: DataKey,
    /// The number of the next version.
    next: Version,
    versions: Vec<Made>,
    /// All blobs that have been written.
    blobs: Vec<BlobId>,
}

/// A version that is sealed and not written.
struct Made {
    index: Index,
    new_parts: Vec<(PartId, Sealed)>,
    saved_at: Option<Timestamp>,
    pinned: bool,
}

/// A part that is sealed.
type SealedPart = (PartRef, Option<Sealed>);

impl Sealing<'_> {
    async fn contents(&mut self, contents: &Contents) -> Result<(), SessionError> {
        let (mut parts, mut new_parts) = (Vec::new(), Vec::new());
        for storage in &contents.parts {
            let sealed = self.part(self.next, &storage.storage_key, &storage.part, &storage.partial).await?;
            if let Some((part, sealed)) = sealed {
                new_parts.extend(sealed.map(|sealed| (part.part_id(), sealed)));
                parts.push(part);
            }
        }
        let index = Index::new(cookies::unexpired(&contents.cookies), parts, Beside::default());
        self.versions.push(Made { index, new_parts, saved_at: None, pinned: false });
        Ok(())
    }

    async fn bundle(&mut self, bundle: &mut Bundle) -> Result<(), SessionError> {
        let coming = bundle.versions()?;
        let number = |at: usize| Version(self.next.0 + at as u64);
        let numbers: HashMap<u64, Version> =
            coming.iter().enumerate().map(|(at, one)| (one.version.0, number(at))).collect();
        // A part is written with the first version that has it; later ones refer to it.
        let has = |part: usize| coming.iter().position(|one| one.parts.iter().any(|(own, _)| *own == part));
        let firsts: Vec<Version> =
            (0..bundle.manifest.parts.len()).map(|part| number(has(part).unwrap_or_default())).collect();
        let mut parts: Vec<Option<SealedPart>> = Vec::new();
        for (at, first) in firsts.into_iter().enumerate() {
            let part = bundle.part(at).await?;
            let entry = &bundle.manifest.parts[at];
            parts.push(self.part(first, &entry.storage_key, &part, &entry.partial).await?);
        }
        let labels = Labels::fresh(&bundle.manifest.blobs)?;
        for name in bundle.manifest.blobs.clone() {
            let mut plain = bundle.object().await?;
            if bundle.manifest.lists.contains(&name) {
                labels.rename(&mut plain);
            }
            if let Some(id) = labels.of(&name) {
                self.blob(id, plain).await?;
            }
        }
        bundle.finish().await?;
        for Coming { mut index, parts: own, saved_at, pinned, .. } in coming {
            index.cookies = cookies::unexpired(&index.cookies);
            index.beside = labels.beside(&index.beside, &numbers)?;
            let (mut refs, mut new_parts) = (Vec::new(), Vec::new());
            for (at, partial) in own {
                let Some((part, sealed)) = &mut parts[at] else { continue };
                new_parts.extend(sealed.take().map(|sealed| (part.part_id(), sealed)));
                refs.push(PartRef { partial, ..part.clone() });
            }
            self.versions.push(Made { index: index.with_parts(refs), new_parts, saved_at, pinned });
        }
        self.prove_blobs()
    }

    /// The indexes have to refer to what came along, to all of it and to nothing else: one of a later Rhaven may keep something
    /// in blobs that this one knows nothing of, and would lose unsaid.
    fn prove_blobs(&self) -> Result<(), SessionError> {
        let named: HashSet<_> = self.versions.iter().flat_map(|made| blobs_of(&made.index)).collect();
        let written: HashSet<_> = self.blobs.iter().copied().collect();
        if named == written {
            return Ok(());
        }
        let reason = if named.is_subset(&written) {
            "it comes with more than this Rhaven knows how to keep"
        } else {
            "it refers to a blob that does not come with it"
        };
        Err(SessionError::Format { what: "the bundle's index".into(), reason: reason.to_owned() })
    }

    /// Seals a part that is written with `version`; none where nothing is in it.
    async fn part(
        &mut self,
        version: Version,
        storage_key: &str,
        part: &Part,
        partial: &[Partial],
    ) -> Result<Option<SealedPart>, SessionError> {
        if part.is_empty() && partial.is_empty() {
            return Ok(None);
        }
        let (part, sealed) = seal_part(&self.target, &self.key, version, storage_key, part, partial).await?;
        self.blobs.extend(part.blob_id());
        reached("import.part_sealed");
        Ok(Some((part, sealed)))
    }

    async fn blob(&mut self, id: BlobId, plain: impl AsRef<[u8]> + Send + 'static) -> Result<(), SessionError> {
        let context = Context::Blob { tenant: self.target.tenant, id: &id.0 };
        let sealed = seal_stream(&self.key, context, pieces(plain));
        let sealed = sealed.map_err(|error| seal_error("a blob of the bundle", error))?;
        self.target.sessions.blobs().put(&id, sealed).await?;
        self.blobs.push(id);
        reached("import.blob_written");
        Ok(())
    }
}
