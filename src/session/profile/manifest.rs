//! The manifest of an archive: which file is made of which chunks, and in which blobs these are. What is in it is a format:
//! fields may be added, never changed in meaning.
//!
//! A manifest is authenticated, and its paths are checked all the same: none may lead out of the folder it is unpacked to.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::seal::{Context, KeyId, SealError, open_stream_among, seal_stream};
use crate::session::SessionError;
use crate::session::keys::seal_error;
use crate::session::state::{decode, encode};
use crate::store::BlobId;

use super::plan::{Chunk, Digest, Place};
use super::survey::Found;
use super::{ProfileRef, Vault};

/// The format that this Rhaven writes.
const FORMAT: u32 = 1;
const WHAT: &str = "the list of the profile's files";

/// What an archive holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The id of the data key whose content key made the digests, in hex.
    pub(super) digests_by: String,
    pub(super) blobs: Vec<Packed>,
    /// Folders before what is in them.
    pub(super) entries: Vec<Entry>,
}

/// A blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    /// Its id, in hex.
    pub(super) id: String,
    /// Bytes of its plaintext.
    pub(super) bytes: u64,
}

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Within the user-data directory; `%` and what is not UTF-8 as `%XX`.
    path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) folder: bool,
    /// Permissions.
    pub(super) mode: u32,
    /// Seconds and nanoseconds since 1970.
    pub(super) modified: (i64, u32),
    /// The content, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) chunks: Vec<ChunkAt>,
}

/// A chunk and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkAt {
    /// Position in `blobs`.
    #[serde(rename = "b")]
    pub(super) blob: usize,
    /// Where in the blob's plaintext.
    #[serde(rename = "o")]
    pub(super) offset: u64,
    #[serde(rename = "n")]
    pub(super) bytes: u32,
    #[serde(rename = "d", with = "hex32")]
    pub(super) digest: Digest,
}

impl ChunkAt {
    pub(super) fn new(chunk: Chunk, place: Place) -> Self {
        Self { blob: place.blob, offset: place.offset, bytes: chunk.bytes, digest: chunk.digest }
    }
}

impl Entry {
    pub(super) fn new(found: &Found, chunks: Vec<ChunkAt>) -> Self {
        let Found { folder, mode, modified, .. } = *found;
        Self { path: encode_path(&found.path), folder, mode, modified, chunks }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum()
    }

    /// Where it is within the directory; none where it would be elsewhere.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let path = decode_path(&self.path)?;
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        // `a//b`, `a/.` and `a/` have plain components only and are not how we write paths.
        let plain = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        (inside && plain && !path.as_os_str().is_empty() && !path.as_os_str().as_bytes().contains(&0)).then_some(path)
    }
}

impl Manifest {
    pub(super) fn new(digests_by: KeyId, blobs: Vec<Packed>, entries: Vec<Entry>) -> Self {
        Self { format: FORMAT, digests_by: digests_by.to_string(), blobs, entries }
    }

    /// Whether the content of no file differs from that in `old`, but for those that are `own`.
    pub(super) fn differs_only_in(&self, old: &Self, own: impl Fn(&Path) -> bool) -> bool {
        // By other keys nothing has the same digest.
        if self.digests_by != old.digests_by {
            return false;
        }
        let contents = |manifest: &Self| {
            let chunks = |entry: &Entry| entry.chunks.iter().map(|at| (at.bytes, at.digest)).collect::<Vec<_>>();
            let all = manifest.entries.iter().filter(|entry| !entry.chunks.is_empty());
            all.map(|entry| (entry.path.clone(), chunks(entry))).collect::<BTreeMap<_, _>>()
        };
        let (now, before) = (contents(self), contents(old));
        let differs = |path: &&String| now.get(*path) != before.get(*path);
        now.keys().chain(before.keys()).filter(differs).all(|path| decode_path(path).is_some_and(|path| own(&path)))
    }

    /// The same as it was read from the store, if it may be followed: every path leads into the folder and stands there once, below
    /// folders that are listed before, and every chunk lies in a blob.
    fn checked(self) -> Result<Self, SessionError> {
        let bad = |reason: String| SessionError::Format { what: WHAT.to_owned(), reason };
        let (mut folders, mut paths) = (HashSet::from([PathBuf::new()]), HashSet::new());
        for entry in &self.entries {
            let path = entry.path().ok_or_else(|| bad(format!("{:?} is no path within a folder", entry.path)))?;
            if !path.parent().is_some_and(|parent| folders.contains(parent)) {
                return Err(bad(format!("{:?} is in no folder of the list", entry.path)));
            }
            if !paths.insert(path.clone()) {
                return Err(bad(format!("{:?} is in it twice", entry.path)));
            }
            if entry.folder {
                folders.insert(path);
            }
            let lies = |at: &ChunkAt| {
                let end = at.offset.checked_add(at.bytes.into());
                self.blobs.get(at.blob).is_some_and(|blob| end.is_some_and(|end| end <= blob.bytes))
            };
            if !entry.chunks.iter().all(lies) || (entry.folder && !entry.chunks.is_empty()) {
                return Err(bad(format!("a piece of {:?} is in no blob", entry.path)));
            }
        }
        if let Some(blob) = self.blobs.iter().find(|blob| blob_id(&blob.id).is_none()) {
            return Err(bad(format!("{:?} is no blob's name", blob.id)));
        }
        Ok(self)
    }

    /// How it is sealed.
    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        encode(self)
    }

    /// Reads that of a profile.
    pub(super) async fn fetch(vault: &Vault<'_>, profile: &ProfileRef) -> Result<Self, SessionError> {
        let id = blob_id(&profile.manifest).ok_or_else(|| SessionError::Format {
            what: WHAT.to_owned(),
            reason: format!("{:?} is no blob's name", profile.manifest),
        })?;
        Self::read(&fetch(vault, &id, WHAT).await?)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SessionError> {
        decode::<Self>(bytes, WHAT)?.checked()
    }
}

/// A blob's plaintext; there is none unless all of it has verified.
pub(super) async fn fetch(vault: &Vault<'_>, id: &BlobId, what: &str) -> Result<Zeroizing<Vec<u8>>, SessionError> {
    let raw = vault.sessions.blobs().get(id).await?;
    let context = Context::Blob { tenant: vault.tenant, id: &id.0 };
    open_stream_among(vault.keys, context, raw).await.map_err(|error| seal_error(what, error))
}

/// Seals and writes a blob.
pub(super) async fn put(vault: &Vault<'_>, id: &BlobId, pieces: Vec<Bytes>) -> Result<(), SessionError> {
    let context = Context::Blob { tenant: vault.tenant, id: &id.0 };
    let sealed = seal_stream(vault.key, context, stream::iter(pieces.into_iter().map(Ok)));
    let sealed = sealed.map_err(|error| seal_error("the profile", error))?;
    Ok(vault.sessions.blobs().put(id, sealed).await?)
}

/// A new blob's id: random, so that it says nothing.
pub(super) fn new_id() -> Result<BlobId, SessionError> {
    let mut id = [0; 32];
    getrandom::fill(&mut id).map_err(|_| seal_error("the profile", SealError::Random))?;
    Ok(BlobId(id))
}

pub(super) fn hex(id: &BlobId) -> String {
    HEXLOWER.encode(&id.0)
}

pub(super) fn blob_id(hex: &str) -> Option<BlobId> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok().map(BlobId)
}

/// A path as text that is the same path again whatever bytes are in it.
fn encode_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text
}

fn decode_path(text: &str) -> Option<PathBuf> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(OsString::from_vec(bytes).into())
}

mod hex32 {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("not 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(paths: &[(&str, bool)]) -> Result<Manifest, SessionError> {
        let entry = |(path, folder): &(&str, bool)| Entry {
            path: (*path).to_owned(),
            folder: *folder,
            mode: 0o600,
            modified: (0, 0),
            chunks: Vec::new(),
        };
        let manifest = Manifest::new(KeyId([0; 16]), Vec::new(), paths.iter().map(entry).collect());
        Manifest::read(&manifest.to_bytes().unwrap())
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        for bad in [
            "../x",
            "/etc/passwd",
            "a/../../x",
            "a/..",
            "..",
            ".",
            "",
            "a//x",
            "a/./x",
            "a/",
            "%2E%2E/x",
            "%2Fx",
            "a%00",
            "a%zz",
            "%",
        ] {
            let error = manifest(&[("a", true), (bad, false)]).expect_err(bad);
            assert_eq!(error.code(), "decrypt_failed", "{bad}: {error}");
        }
        assert!(manifest(&[("a", true), ("a/..x", false), ("a/%25", false)]).is_ok());
    }

    #[test]
    fn a_file_is_below_folders_that_come_before_it_and_there_once() {
        assert!(manifest(&[("a/x", false)]).is_err());
        assert!(manifest(&[("a", false), ("a/x", false)]).is_err());
        assert!(manifest(&[("a", true), ("a", true)]).is_err());
    }

    #[test]
    fn a_piece_lies_in_a_blob() {
        let at = |blob, offset, bytes| ChunkAt { blob, offset, bytes, digest: [0; 32] };
        let read = |chunk: ChunkAt| {
            let mut whole = manifest(&[("a", false)]).unwrap();
            whole.blobs = vec![Packed { id: hex(&BlobId([7; 32])), bytes: 10 }];
            whole.entries[0].chunks = vec![chunk];
            Manifest::read(&whole.to_bytes().unwrap())
        };
        assert!(read(at(0, 0, 10)).is_ok());
        for bad in [at(0, 1, 10), at(1, 0, 1), at(0, u64::MAX, 1)] {
            assert_eq!(read(bad).unwrap_err().code(), "decrypt_failed");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives(name in prop::collection::vec(any::<u8>(), 1..40)) {
            let path = PathBuf::from(OsString::from_vec(name));
            prop_assert_eq!(decode_path(&encode_path(&path)), Some(path));
        }

        #[test]
        fn whatever_is_read_is_no_panic(text: String) {
            let _ = Manifest::read(text.as_bytes());
            let _ = decode_path(&text);
        }
    }
}
