//! Writing what was imported: a new version, under the lease like every other.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{SessionId, Tenant, Version};
use crate::seal::{Context, DataKey, seal};
use crate::session::keys::seal_error;
use crate::session::lease::{Holder, Lease};
use crate::session::save::{KEEP_VERSIONS, Place, seal_part};
use crate::session::sessions::{Sessions, blobs_of};
use crate::session::state::{PartRef, Record, encode};
use crate::session::{SessionError, cookies};
use crate::store::{Commit, Granted};

use super::PortableError;
use super::contents::Contents;

/// Whose session, and what may happen to it.
pub(super) struct Target<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) tenant: &'a Tenant,
    pub(super) id: &'a SessionId,
    /// Whether one that is there may be written over (as a new version of it).
    pub(super) replace: bool,
    /// How long a new one is kept where the file does not say.
    pub(super) ttl: Option<Duration>,
}

impl Target<'_> {
    /// Writes `contents` as the newest version; answers the version before it, if any, and the new one.
    pub(super) async fn write(&self, contents: &Contents) -> Result<(Option<Version>, Version), SessionError> {
        let holder = Holder::new("rhaven session import");
        let given_up = CancellationToken::new();
        let (lease, granted) = Lease::acquire(self.sessions, self.tenant, self.id, &holder, None, &given_up).await?;
        let written = self.write_under(&lease, &granted, contents).await;
        lease.release().await;
        written
    }

    async fn write_under(
        &self,
        lease: &Lease,
        granted: &Granted,
        contents: &Contents,
    ) -> Result<(Option<Version>, Version), SessionError> {
        let before = granted.head.as_ref().map(|head| head.version);
        if let Some(version) = before.filter(|_| !self.replace) {
            return Err(PortableError::Exists { id: self.id.clone(), version }.into());
        }
        let (record, key) = self.record(granted, contents)?;
        let commit = self.prepare(lease, before, &record, &key, contents).await?;
        let name = self.sessions.name(self.tenant, self.id);
        let committed = self.sessions.records().commit(&name, &commit).await?;
        self.sessions.tidy(&committed.orphaned).await;
        Ok((before, commit.version))
    }

    /// The record that is there, or a new one; with the settings that came along.
    fn record(&self, granted: &Granted, contents: &Contents) -> Result<(Record, DataKey), SessionError> {
        let name = self.sessions.name(self.tenant, self.id);
        let (record, key) = if let Some(head) = &granted.head {
            let stored = self.sessions.open_head(self.tenant, &name, head)?;
            (stored.record, stored.key)
        } else {
            let key = DataKey::generate().map_err(|error| seal_error("a new key", error))?;
            (Record::new(self.id.clone(), &key, self.ttl.map(|ttl| ttl.as_secs())), key)
        };
        match &contents.settings {
            Some(settings) => Ok((record.with_settings(settings)?, key)),
            None => Ok((record, key)),
        }
    }

    /// Seals everything; blobs are complete in the store before the record points to them.
    async fn prepare(
        &self,
        lease: &Lease,
        expected: Option<Version>,
        record: &Record,
        key: &DataKey,
        contents: &Contents,
    ) -> Result<Commit, SessionError> {
        let (tenant, id, fence) = (self.tenant, self.id, lease.fence());
        let version = expected.map_or(Version(1), Version::next);
        let place = Place { sessions: self.sessions, tenant, id, fence, version };
        let (mut parts, mut new_parts) = (Vec::<PartRef>::new(), Vec::new());
        for storage in &contents.parts {
            if storage.part.is_empty() && storage.partial.is_empty() {
                continue;
            }
            let (part, sealed) = seal_part(&place, key, &storage.storage_key, &storage.part, &storage.partial).await?;
            new_parts.extend(sealed.map(|sealed| (part.part_id(), sealed)));
            parts.push(part);
        }
        parts.sort_by(|a, b| a.storage_key.cmp(&b.storage_key));
        let mut index = contents.index.clone();
        index.cookies = cookies::unexpired(&index.cookies);
        index.parts = parts;
        let name = self.sessions.name(tenant, id);
        let record_context = Context::Record { tenant, name: &name.session };
        Ok(Commit {
            owner: lease.owner(),
            fence,
            expected,
            version,
            record: seal(&self.sessions.tenant_key(tenant), record_context, &encode(record)?)
                .map_err(|error| seal_error("the session's record", error))?,
            index: seal(key, Context::Index { tenant, session: id, version, fence }, &encode(&index)?)
                .map_err(|error| seal_error("the index", error))?,
            new_parts,
            parts: index.parts.iter().filter(|part| part.blob.is_none()).map(PartRef::part_id).collect(),
            blobs: blobs_of(&index),
            keep: KEEP_VERSIONS,
            ttl: record.ttl_seconds.map(Duration::from_secs),
        })
    }
}
