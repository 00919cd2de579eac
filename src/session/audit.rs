//! Opening everything that is kept of a session, to tell what of it is whole. Takes no lease and changes nothing.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::base::{SessionId, Tenant, causes};
use crate::store::{BlobId, Head, PartId, RecordName, StoreError, VersionEntry};

use super::SessionError;
use super::model::VersionInfo;
use super::sessions::{Sessions, Stored, blobs_of};
use super::state::PartRef;

/// What is whole of a session and what is damaged.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Audit {
    /// Which session.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// Whether nothing is damaged.
    pub whole: bool,
    /// Every kept version, newest first.
    pub versions: Vec<VersionAudit>,
}

/// What is whole of one version.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct VersionAudit {
    /// Which.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// How many cookies it has.
    pub cookies: usize,
    /// How many origins it keeps storage of, each a part.
    pub parts: usize,
    /// How many blobs it refers to, those that are parts among them.
    pub blobs: usize,
    /// Bytes of its parts, as plaintext.
    pub bytes: u64,
    /// What of it cannot be opened, or is not what it has to be.
    pub damaged: Vec<Damage>,
}

/// Something that is damaged.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Damage {
    /// The index, the storage of an origin, a blob.
    pub what: String,
    /// Why, as a stable code.
    pub code: &'static str,
    /// Why, in words.
    pub reason: String,
}

impl Sessions {
    /// Opens every kept version with its parts and blobs. An error is what keeps it from being looked at: the store, or a record
    /// that does not open, without which nothing does. Reads all of it, which may take long.
    pub async fn audit(&self, tenant: &Tenant, id: &SessionId) -> Result<Audit, SessionError> {
        let id = &self.meant(tenant, id).await?;
        let name = self.name(tenant, id);
        let (head, entries) = tokio::try_join!(self.records().read(&name, None), self.records().history(&name))?;
        let head = head.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let mut auditor = Auditor { sessions: self, tenant, name, seen: HashMap::new() };
        let mut versions = Vec::with_capacity(entries.len());
        for entry in &entries {
            versions.extend(auditor.version(&head, entry).await?);
        }
        Ok(Audit { id: id.clone(), whole: versions.iter().all(|version| version.damaged.is_empty()), versions })
    }
}

/// One object that versions share.
#[derive(PartialEq, Eq, Hash)]
enum Object {
    Part(PartId),
    Blob(BlobId),
}

struct Auditor<'a> {
    sessions: &'a Sessions,
    tenant: &'a Tenant,
    name: RecordName,
    /// What came of the objects that were looked at: versions share most of them.
    seen: HashMap<Object, Option<Damage>>,
}

impl Auditor<'_> {
    /// One version; none where it is not kept any more.
    async fn version(&mut self, head: &Head, entry: &VersionEntry) -> Result<Option<VersionAudit>, SessionError> {
        let version = VersionInfo::of(entry);
        let mut audit = VersionAudit { version, cookies: 0, parts: 0, blobs: 0, bytes: 0, damaged: Vec::new() };
        let old = Head { version: entry.version, fence: entry.fence, index: entry.index.clone(), ..head.clone() };
        let stored = match self.sessions.open_head(self.tenant, &self.name, &old) {
            Ok(stored) => stored,
            // The record is the same for all versions: where that does not open there is nothing to look at.
            Err(error) if self.record_opens(head) => {
                audit.damaged.push(damage(format!("the index of {}", entry.version), &error));
                return Ok(Some(audit));
            }
            Err(error) => return Err(error),
        };
        let index = &stored.index;
        audit.cookies = index.cookies.len();
        audit.parts = index.parts.len();
        audit.bytes = index.bytes();
        for part in &index.parts {
            audit.damaged.extend(self.part(&stored, part).await?);
        }
        let of_parts: BTreeSet<BlobId> = index.parts.iter().filter_map(PartRef::blob_id).collect();
        let blobs: BTreeSet<BlobId> = blobs_of(index).into_iter().collect();
        audit.blobs = blobs.len();
        for blob in blobs.difference(&of_parts) {
            audit.damaged.extend(self.blob(&stored, blob).await?);
        }
        if audit.damaged.is_empty() || self.is_kept(entry).await? { Ok(Some(audit)) } else { Ok(None) }
    }

    /// Whether it is the index and not the record that does not open.
    fn record_opens(&self, head: &Head) -> bool {
        let context = crate::seal::Context::Record { tenant: self.tenant, name: &self.name.session };
        self.sessions.open_tenant(self.tenant, context, &head.record, "the session's record").is_ok()
    }

    /// A run that saved meanwhile may have dropped the version, and with it what was to be opened.
    async fn is_kept(&self, entry: &VersionEntry) -> Result<bool, SessionError> {
        let now = self.sessions.records().read(&self.name, Some(entry.version)).await?;
        Ok(now.is_some_and(|now| now.fence == entry.fence))
    }

    async fn part(&mut self, stored: &Stored, part: &PartRef) -> Result<Option<Damage>, SessionError> {
        let object = part.blob_id().map_or(Object::Part(part.part_id()), Object::Blob);
        if let Some(seen) = self.seen.get(&object) {
            return Ok(seen.clone());
        }
        let what = format!("the storage of {}", part.storage_key);
        let opened = self.sessions.open_part(self.tenant, stored, part, None).await;
        let found = match opened {
            Ok(opened) if data_encoding::HEXLOWER.encode(&opened.digest()) != part.digest => {
                Some(unlike(what, "its digest is not the one that the index has"))
            }
            Ok(opened) if !opened.is_whole() => Some(unlike(what, "it is not lines of JSON")),
            Ok(_) => None,
            Err(error) => Some(damaged(what, error)?),
        };
        self.seen.insert(object, found.clone());
        Ok(found)
    }

    async fn blob(&mut self, stored: &Stored, blob: &BlobId) -> Result<Option<Damage>, SessionError> {
        if let Some(seen) = self.seen.get(&Object::Blob(*blob)) {
            return Ok(seen.clone());
        }
        let name = data_encoding::HEXLOWER.encode(&blob.0[..4]);
        let found = match self.sessions.open_blob(self.tenant, stored, blob).await {
            Ok(_) => None,
            Err(error) => Some(damaged(format!("the blob {name}"), error)?),
        };
        self.seen.insert(Object::Blob(*blob), found.clone());
        Ok(found)
    }
}

/// Damage, unless the error is of the store as a whole: that proves nothing of what is in it.
fn damaged(what: String, error: SessionError) -> Result<Damage, SessionError> {
    match error {
        SessionError::Seal { source: crate::seal::SealError::Io(_), .. } => Err(error),
        SessionError::Store(StoreError::NotFound(_) | StoreError::Corrupt { .. })
        | SessionError::Seal { .. }
        | SessionError::Format { .. } => Ok(damage(what, &error)),
        error => Err(error),
    }
}

fn damage(what: String, error: &SessionError) -> Damage {
    // The outer words name the object once more.
    let reason = causes(error).pop().unwrap_or_else(|| error.to_string());
    let missing = matches!(error, SessionError::Store(StoreError::NotFound(_)));
    let reason = if missing { "it is missing".to_owned() } else { reason };
    Damage { what, code: if missing { "missing" } else { error.code() }, reason }
}

fn unlike(what: String, reason: &str) -> Damage {
    Damage { what, code: "decrypt_failed", reason: reason.to_owned() }
}
