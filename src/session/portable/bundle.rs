//! A bundle: all of a session's newest version, or of all that are kept, in one file, sealed under a passphrase. Nothing is lost
//! in it, and nothing is in clear but how the key is made of the passphrase:
//!
//! ```text
//! magic 14 | format 1 | length 2 | Argon2id: salt and cost, as a store keeps them | objects (`frames`)
//! ```
//!
//! What stands before the objects is part of what authenticates each of them, and so is its number. The first object is a
//! manifest (JSON): settings, the index, and what follows: the parts, then every other blob that the index refers to (of a
//! profile, for one), under the name that it has there. One object is held in memory at a time.
//!
//! With all versions the manifest is of another format, so that who knows only the first one refuses it; the parts and blobs are
//! those of all of them, each once, and the versions say which parts are theirs.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use super::labels::lists;
use super::{Output, PortableError, frames};
use crate::base::{Secret, Tenant};
use crate::seal::{Context, DataKey, PassphraseKdf, SealError, seal_stream};
use crate::session::keys::seal_error;
use crate::session::sessions::{Sessions, Stored, blobs_of};
use crate::session::state::PartRef;
use crate::session::{Partial, SessionError, VersionInfo};
use crate::store::{BlobId, PartId};

pub(super) const NAME: &str = "bundle";
pub(super) const MAGIC: &[u8; 14] = b"rhaven bundle\n";
/// The format of the file.
pub(super) const FORMAT: u8 = 1;
/// The format of the manifest of one version.
const ONE: u32 = 1;
/// That of all versions, which is the newest that we read.
pub(super) const MANIFEST: u32 = 2;
/// Bytes that are handed to the seal at a time.
const PIECE: usize = 256 << 10;

/// What a bundle holds, in the order in which its objects follow.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The record's, see [`crate::session::state::Record::settings`].
    pub(super) settings: Value,
    /// The index; its list of parts is empty, since it says where they are in a store.
    pub(super) index: Value,
    pub(super) parts: Vec<Entry>,
    /// The version that it is of; only the index and a profile's archive know what that means.
    pub(super) version: u64,
    /// The names in hex that the index has for its other blobs.
    pub(super) blobs: Vec<String>,
    /// Those of them that name others.
    pub(super) lists: Vec<String>,
    /// All kept versions, oldest first, the newest included; none where only that one is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) versions: Vec<Past>,
}

/// A kept version.
#[derive(Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) version: u64,
    /// When it was saved (RFC 3339).
    pub(super) saved_at: String,
    pub(super) pinned: bool,
    /// Its index, as in [`Manifest::index`].
    pub(super) index: Value,
    /// Its parts: which of [`Manifest::parts`], and what of them could not be kept then.
    pub(super) parts: Vec<(usize, Vec<Partial>)>,
}

/// A version to be written, and what its store tells of it.
pub(super) struct Dated {
    pub(super) stored: Stored,
    pub(super) told: VersionInfo,
}

/// A part.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) storage_key: String,
    pub(super) bytes: u64,
    pub(super) partial: Vec<Partial>,
}

/// Writes a version, and all of `history` where there is one, oldest first: its last one is that version.
pub(super) async fn write(
    sessions: &Sessions,
    tenant: &Tenant,
    stored: &Stored,
    history: &[Dated],
    passphrase: &Secret,
    out: &mut Output<'_>,
) -> Result<(), SessionError> {
    let random = |error| seal_error(NAME, error);
    let kdf = PassphraseKdf::generate().map_err(random)?;
    let header = header(&kdf).map_err(random)?;
    let key = key(kdf, passphrase).await?;
    out.write_all(&header).await.map_err(PortableError::Write)?;
    let mut objects = Objects { key, header, next: 0, out };
    let all: Vec<&Stored> =
        if history.is_empty() { vec![stored] } else { history.iter().map(|one| &one.stored).collect() };
    let (parts, others) = (parts(&all), others(&all));
    objects.put(manifest(stored, history, &parts, &others)?).await?;
    for (of, part) in &parts {
        objects.put(sessions.open_part(tenant, of, part, None).await?).await?;
    }
    for (of, blob) in &others {
        objects.put(sessions.open_blob(tenant, of, blob).await?).await?;
    }
    Ok(out.flush().await.map_err(PortableError::Write)?)
}

/// The parts of versions, each once, with one that has it.
fn parts<'a>(all: &[&'a Stored]) -> Vec<(&'a Stored, &'a PartRef)> {
    let mut seen = HashSet::new();
    let parts = all.iter().flat_map(|stored| stored.index.parts.iter().map(|part| (*stored, part)));
    parts.filter(|(_, part)| seen.insert(part.part_id())).collect()
}

/// The blobs of versions that are no parts, likewise.
fn others<'a>(all: &[&'a Stored]) -> Vec<(&'a Stored, BlobId)> {
    let parts = all.iter().flat_map(|stored| &stored.index.parts);
    let mut seen: HashSet<BlobId> = parts.filter_map(PartRef::blob_id).collect();
    let blobs = all.iter().flat_map(|stored| blobs_of(&stored.index).into_iter().map(|blob| (*stored, blob)));
    blobs.filter(|(_, blob)| seen.insert(*blob)).collect()
}

fn manifest(
    stored: &Stored,
    history: &[Dated],
    all: &[(&Stored, &PartRef)],
    others: &[(&Stored, BlobId)],
) -> Result<Vec<u8>, SessionError> {
    let bad = |error: serde_json::Error| SessionError::Format { what: "the session".into(), reason: error.to_string() };
    let entry = |part: &PartRef| Entry {
        storage_key: part.storage_key.clone(),
        bytes: part.bytes,
        partial: part.partial.clone(),
    };
    let index = |stored: &Stored| serde_json::to_value(stored.index.clone().with_parts(Vec::new())).map_err(bad);
    let blobs: Vec<String> = others.iter().map(|(_, blob)| data_encoding::HEXLOWER.encode(&blob.0)).collect();
    let at: HashMap<PartId, usize> = all.iter().enumerate().map(|(at, (_, part))| (part.part_id(), at)).collect();
    let number = |part: &PartRef| at.get(&part.part_id()).map(|at| (*at, part.partial.clone()));
    let past = |Dated { stored, told }: &Dated| {
        Ok::<_, SessionError>(Past {
            version: told.version.0,
            saved_at: told.saved_at.clone(),
            pinned: told.pinned,
            index: index(stored)?,
            parts: stored.index.parts.iter().filter_map(number).collect(),
        })
    };
    let mut of_lists = lists(&stored.index.beside, &blobs)?;
    for one in history {
        of_lists.extend(lists(&one.stored.index.beside, &blobs)?);
    }
    let manifest = Manifest {
        format: if history.is_empty() { ONE } else { MANIFEST },
        version: stored.version.0,
        settings: stored.record.settings()?,
        index: index(stored)?,
        parts: all.iter().map(|(_, part)| entry(part)).collect(),
        versions: history.iter().map(past).collect::<Result<_, _>>()?,
        lists: of_lists,
        blobs,
    };
    serde_json::to_vec(&manifest).map_err(bad)
}

/// Where objects are sealed into.
struct Objects<'a, 'b> {
    key: DataKey,
    header: Vec<u8>,
    next: u64,
    out: &'a mut Output<'b>,
}

impl Objects<'_, '_> {
    async fn put(&mut self, plain: impl AsRef<[u8]> + Send + 'static) -> Result<(), SessionError> {
        let context = Context::Bundle { header: &self.header, object: self.next };
        let sealed = seal_stream(&self.key, context, pieces(plain)).map_err(|error| seal_error(NAME, error))?;
        self.next += 1;
        Ok(frames::write(self.out, sealed).await?)
    }
}

/// `plain` in pieces that are copied only when they are asked for.
pub(super) fn pieces(
    plain: impl AsRef<[u8]> + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::iter((0..).step_by(PIECE).map_while(move |at| {
        let rest = plain.as_ref().get(at..).filter(|rest| !rest.is_empty())?;
        Some(Ok(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)])))
    }))
}

fn header(kdf: &PassphraseKdf) -> Result<Vec<u8>, SealError> {
    let kdf = kdf.to_sealed()?;
    let length = u16::try_from(kdf.len()).map_err(|_| SealError::Kdf("it is too long".to_owned()))?;
    Ok([&MAGIC[..], &[FORMAT], &length.to_be_bytes(), kdf.as_bytes()].concat())
}

/// Keys that are made at a time: many requests together would take much memory otherwise.
static MAKING: Semaphore = Semaphore::const_new(1);

/// The key. Takes long and much memory on purpose, so it is made on a thread of its own, one at a time in a process.
pub(super) async fn key(kdf: PassphraseKdf, passphrase: &Secret) -> Result<DataKey, PortableError> {
    let passphrase = passphrase.clone();
    // Never closed. Held by the thread, which goes on also where nobody waits for it any more.
    let place = MAKING.acquire().await;
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        kdf.root_key(passphrase.expose())
    });
    let root = made.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    Ok(root.map_err(PortableError::Passphrase)?.bundle_key())
}
