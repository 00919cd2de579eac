//! Writing what is imported: a new version, under the lease like every other.

use std::collections::HashSet;

use serde_json::Value;

use super::bundle::pieces;
use super::contents::Contents;
use super::labels::Labels;
use super::unbundle::Bundle;
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
use crate::store::{BlobId, Granted, PartId, StoreError};

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
        let version = replaced.map_or(Version(1), Version::next);
        let mut sealing = Sealing { target, key, version, parts: Vec::new(), new_parts: Vec::new(), blobs: Vec::new() };
        let index = async {
            match way {
                Way::Contents(contents) => sealing.contents(contents).await,
                Way::Bundle(bundle) => sealing.bundle(bundle).await,
            }
        };
        let index = self.options.given_up.run_until_cancelled(index).await;
        let index = index.unwrap_or_else(|| Err(PortableError::GivenUp.into()));
        let Sealing { target, key, new_parts, blobs, .. } = sealing;
        let index = match index {
            Ok(index) => index,
            Err(error) => {
                // Nothing refers to them, nor ever will.
                sessions.tidy(&blobs).await;
                return Err(error);
            }
        };
        let commit = target.commit(&record, &key, replaced, &index, new_parts)?;
        let committed = match sessions.records().commit(&target.name(), &commit).await {
            Ok(committed) => committed,
            Err(error) => {
                // Of any other error it is not known whether the version was written.
                if matches!(error, StoreError::LeaseLost | StoreError::Conflict { .. }) {
                    sessions.tidy(&blobs).await;
                }
                return Err(error.into());
            }
        };
        reached("import.committed");
        sessions.tidy(&committed.orphaned).await;
        let origins = index.parts.iter().filter(|part| part.bytes > 0).count();
        Ok(Taken { replaced, version, cookies: index.cookies.len(), origins })
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

/// A version in the making. Blobs are complete in the store before a record points to them.
struct Sealing<'a> {
    target: Target<'a>,
    key: DataKey,
    version: Version,
    parts: Vec<PartRef>,
    new_parts: Vec<(PartId, Sealed)>,
    /// All blobs that have been written.
    blobs: Vec<BlobId>,
}

impl Sealing<'_> {
    async fn contents(&mut self, contents: &Contents) -> Result<Index, SessionError> {
        for storage in &contents.parts {
            self.part(&storage.storage_key, &storage.part, &storage.partial).await?;
        }
        let cookies = cookies::unexpired(&contents.cookies);
        Ok(Index::new(cookies, std::mem::take(&mut self.parts), Beside::default()))
    }

    async fn bundle(&mut self, bundle: &mut Bundle) -> Result<Index, SessionError> {
        let mut index = bundle.index()?;
        for number in 0..bundle.manifest.parts.len() {
            let part = bundle.part(number).await?;
            let entry = &bundle.manifest.parts[number];
            self.part(&entry.storage_key, &part, &entry.partial).await?;
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
        index.cookies = cookies::unexpired(&index.cookies);
        index.beside = labels.beside(&index.beside, Version(bundle.manifest.version), self.version)?;
        let index = index.with_parts(std::mem::take(&mut self.parts));
        self.prove_blobs(&index)?;
        Ok(index)
    }

    /// The index has to refer to what came along, to all of it and to nothing else: one of a later Rhaven may keep something
    /// in blobs that this one knows nothing of, and would lose unsaid.
    fn prove_blobs(&self, index: &Index) -> Result<(), SessionError> {
        let (named, written): (HashSet<_>, HashSet<_>) =
            (blobs_of(index).into_iter().collect(), self.blobs.iter().copied().collect());
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

    async fn part(&mut self, storage_key: &str, part: &Part, partial: &[Partial]) -> Result<(), SessionError> {
        if part.is_empty() && partial.is_empty() {
            return Ok(());
        }
        let (part, sealed) = seal_part(&self.target, &self.key, self.version, storage_key, part, partial).await?;
        self.blobs.extend(part.blob_id());
        reached("import.part_sealed");
        self.new_parts.extend(sealed.map(|sealed| (part.part_id(), sealed)));
        self.parts.push(part);
        Ok(())
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
