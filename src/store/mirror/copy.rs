//! What a copy looks like: a line of JSON with what the records store sees in clear (tags, numbers, times, ids), then the sealed
//! objects one after another. Its blob id tells what it is a copy of, so that copies are found by listing a range of ids.
//!
//! | bytes | of a version | of a document |
//! |---|---|---|
//! | 8 | `rhvnhead` | `rhvnhead` |
//! | 8 | the beginning of the session's tag | zeros |
//! | 8 | the fence: versions begin anew where a session has run out, fences only grow | 1 for the key check, 2 for the salt of a passphrase, 3 and what its name is for others |
//! | 8 | the version, with room for copies of the same one under another key | when it was written, in microseconds since 1970 |
//!
//! Ids of other blobs are random: that one begins like these is as likely as that two of them are the same.

use bytes::{Buf, Bytes};
use data_encoding::HEXLOWER;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::{Fence, Version};
use crate::seal::{NameTag, RawBlob, Sealed, SealedStream, TenantTag};

use super::super::{BlobId, PartId, RecordName, StoreError};

/// What the ids of copies begin with.
const MAGIC: [u8; 8] = *b"rhvnhead";
/// The first byte after [`MAGIC`] that no session's tag is looked for at: documents are there.
const DOCUMENTS: [u8; 8] = [0; 8];
/// The format that this build writes.
const FORMAT: u32 = 1;
/// How often a version can be copied again, as a power of two.
const AGAIN_BITS: u32 = 8;
/// What a copy's line of JSON may take.
const MAX_LINE: usize = 16 << 20;

/// The version that a copy is of.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadCopy {
    /// Of which session.
    pub name: RecordName,
    /// The version.
    pub version: Version,
    /// The fence it was written under.
    pub fence: Fence,
    /// When it was written, by the clock of whoever wrote it.
    pub saved_at: Timestamp,
    /// When the session runs out unless used; none for never.
    pub expires_at: Option<Timestamp>,
    /// The session's record.
    pub record: Sealed,
    /// The version's index.
    pub index: Sealed,
    /// Those of its parts that are small enough together.
    pub parts: Vec<(PartId, Sealed)>,
    /// Its other parts, which only the records store has.
    pub left_out: Vec<PartId>,
    /// The blobs that it refers to.
    pub blobs: Vec<BlobId>,
}

/// A document of the store as a whole, without which what is sealed there could not be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperCopy {
    /// What it is.
    pub kind: String,
    /// Which.
    pub name: NameTag,
    /// What it holds.
    pub value: Sealed,
}

/// The line of JSON. `objects` are the lengths of what follows it.
#[derive(Serialize, Deserialize)]
struct Line {
    format: u32,
    #[serde(flatten)]
    of: Of,
    objects: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Version {
        tenant: String,
        session: String,
        version: Version,
        fence: Fence,
        /// Microseconds since 1970, as the next one.
        saved_at: i64,
        expires_at: Option<i64>,
        parts: Vec<String>,
        left_out: Vec<String>,
        blobs: Vec<String>,
    },
    Document {
        kind: String,
        name: String,
    },
}

impl HeadCopy {
    /// Its id.
    pub(super) fn id(&self) -> BlobId {
        id(session(&self.name), self.fence.0, self.version.0 << AGAIN_BITS)
    }

    /// It as a body for a blob store: sealed objects, and beside them only what the records store sees as well.
    pub(super) fn body(&self) -> Result<SealedStream, StoreError> {
        let hex = |ids: &mut dyn Iterator<Item = &[u8]>| ids.map(|id| HEXLOWER.encode(id)).collect();
        let of = Of::Version {
            tenant: HEXLOWER.encode(&self.name.tenant.0),
            session: HEXLOWER.encode(&self.name.session.0),
            version: self.version,
            fence: self.fence,
            saved_at: self.saved_at.as_microsecond(),
            expires_at: self.expires_at.map(Timestamp::as_microsecond),
            parts: hex(&mut self.parts.iter().map(|(part, _)| &part.0[..])),
            left_out: hex(&mut self.left_out.iter().map(|part| &part.0[..])),
            blobs: hex(&mut self.blobs.iter().map(|blob| &blob.0[..])),
        };
        let parts = self.parts.iter().map(|(_, sealed)| sealed);
        body(of, [&self.record, &self.index].into_iter().chain(parts))
    }
}

impl PaperCopy {
    /// The range of ids that copies of this document have: all after the first one, up to the second one.
    pub(super) fn range(kind: &str, name: &NameTag) -> (BlobId, BlobId) {
        let number = match kind {
            "check" => 1,
            "kdf" => 2,
            // 3 and above; two of the same number would only be read one time more than is needed.
            _ => u64::from_be_bytes(first(&name.0)).max(3),
        };
        (id(DOCUMENTS, number, 0), id(DOCUMENTS, number, u64::MAX))
    }

    /// Its id where it is written at this moment.
    pub(super) fn id(&self, micros: u64) -> BlobId {
        let mut id = Self::range(&self.kind, &self.name).0;
        id.0[24..].copy_from_slice(&micros.to_be_bytes());
        id
    }

    pub(super) fn body(&self) -> Result<SealedStream, StoreError> {
        let of = Of::Document { kind: self.kind.clone(), name: HEXLOWER.encode(&self.name.0) };
        body(of, std::iter::once(&self.value))
    }
}

/// What is there as a copy.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "read one at a time, and taken apart at once")]
pub enum CopyOf {
    /// Of a version.
    Head(HeadCopy),
    /// Of a document.
    Paper(PaperCopy),
}

/// Whether this blob is a copy.
pub(super) fn is_copy(id: &BlobId) -> bool {
    id.0.starts_with(&MAGIC)
}

/// Whether it is the copy of a document.
pub(super) fn is_paper(id: &BlobId) -> bool {
    is_copy(id) && id.0[8..16] == DOCUMENTS
}

/// The range of ids of copies of this session: all after the first one, up to the second one.
pub(super) fn range(name: &RecordName) -> (BlobId, BlobId) {
    (id(session(name), 0, 0), id(session(name), u64::MAX, u64::MAX))
}

/// The range of ids of copies of documents, likewise.
pub(super) fn paper_range() -> (BlobId, BlobId) {
    (id(DOCUMENTS, 0, 0), id(DOCUMENTS, u64::MAX, u64::MAX))
}

/// The range of ids of all copies, likewise.
pub(super) fn whole_range() -> (BlobId, BlobId) {
    (id(DOCUMENTS, 0, 0), id([u8::MAX; 8], u64::MAX, u64::MAX))
}

/// What of an id says which session it is of.
pub(super) fn of_session(id: &BlobId) -> [u8; 8] {
    first(&id.0[8..])
}

/// The same of a session's name.
pub(super) fn session(name: &RecordName) -> [u8; 8] {
    first(&name.session.0)
}

fn first(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}

fn id(which: [u8; 8], number: u64, time: u64) -> BlobId {
    let mut id = [0; 32];
    for (at, part) in [MAGIC, which, number.to_be_bytes(), time.to_be_bytes()].iter().enumerate() {
        id[at * 8..][..8].copy_from_slice(part);
    }
    BlobId(id)
}

fn body<'a>(of: Of, objects: impl Iterator<Item = &'a Sealed>) -> Result<SealedStream, StoreError> {
    let objects: Vec<Sealed> = objects.cloned().collect();
    let line = Line { format: FORMAT, of, objects: objects.iter().map(Sealed::len).collect() };
    let mut line = serde_json::to_vec(&line).map_err(|error| damaged(&error.to_string()))?;
    line.push(b'\n');
    Ok(SealedStream::gathered(line, objects))
}

/// Reads a copy back.
pub(super) async fn read(raw: RawBlob) -> Result<CopyOf, StoreError> {
    let pieces: Vec<Bytes> = raw
        .0
        .try_collect()
        .await
        .map_err(|source| StoreError::Unavailable { what: "a copy of a version".to_owned(), source: source.into() })?;
    let mut bytes = Bytes::from(pieces.concat());
    let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or_else(|| damaged("it has no line"))?;
    let Line { format, of, objects } =
        serde_json::from_slice(&bytes[..end]).map_err(|error| damaged(&error.to_string()))?;
    if format > FORMAT {
        return Err(damaged(&format!("format {format}; this Rhaven reads up to {FORMAT}")));
    }
    bytes.advance(end + 1);
    let mut sealed = Vec::new();
    for len in objects {
        if len > bytes.len() {
            return Err(damaged("it ends too early"));
        }
        sealed.push(Sealed::kept(bytes.split_to(len)));
    }
    put_together(of, sealed.into_iter()).ok_or_else(|| damaged("its line and its objects do not agree"))
}

fn put_together(of: Of, mut sealed: impl Iterator<Item = Sealed>) -> Option<CopyOf> {
    let copy = match of {
        Of::Document { kind, name } => {
            CopyOf::Paper(PaperCopy { kind, name: NameTag(bytes(&name)?), value: sealed.next()? })
        }
        Of::Version { tenant, session, version, fence, saved_at, expires_at, parts, left_out, blobs } => {
            let name = RecordName { tenant: TenantTag(bytes(&tenant)?), session: NameTag(bytes(&session)?) };
            let (record, index) = (sealed.next()?, sealed.next()?);
            let ids = |all: &[String]| all.iter().map(|id| bytes(id).map(PartId)).collect::<Option<Vec<_>>>();
            let parts = ids(&parts)?.into_iter().map(|part| Some((part, sealed.next()?))).collect::<Option<_>>()?;
            let left_out = ids(&left_out)?;
            let saved_at = Timestamp::from_microsecond(saved_at).ok()?;
            let expires_at = expires_at.map(Timestamp::from_microsecond).transpose().ok()?;
            let blobs = blobs.iter().map(|id| bytes(id).map(BlobId)).collect::<Option<_>>()?;
            CopyOf::Head(HeadCopy { name, version, fence, saved_at, expires_at, record, index, parts, left_out, blobs })
        }
    };
    sealed.next().is_none().then_some(copy)
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

fn damaged(reason: &str) -> StoreError {
    StoreError::Corrupt { what: "a copy of a version".to_owned(), reason: reason.to_owned() }
}
