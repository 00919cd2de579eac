//! The archive of a user-data directory: a folder to sealed blobs and back. Knows nothing of browsers.
//!
//! What is kept of a folder is said by `rules`. Its files are cut into chunks; a chunk that the archive before has is not
//! written again (`plan`), the others are packed into blobs of some MiB (`pack`), so that what is in memory at a time is
//! bounded, and that nothing of a blob is used before its last segment has verified (`unpack`). The `manifest`, a blob of its
//! own, says which file is made of which chunks. A version of a session refers to it by [`ProfileRef`].

mod disk;
mod import;
mod manifest;
mod open;
mod overlay;
mod pack;
mod plan;
mod progress;
mod rows;
mod rules;
mod run;
mod survey;
#[cfg(test)]
mod tests;
mod transfers;
mod unpack;

use serde::{Deserialize, Serialize};

use crate::base::{Tenant, Version};
use crate::seal::DataKey;
use crate::store::BlobId;

use super::{SessionError, Sessions};

pub use import::ImportedProfile;
pub use progress::{Progress, Transfer};
pub use transfers::ProfileTransfer;

pub(super) use overlay::{Archived, Overlay, digests};
pub(super) use run::OwnBrowser;
pub(super) use transfers::Transfers;

pub(super) use pack::{discard, pack};
pub(super) use rows::check_rows;
pub(super) use unpack::unpack;

/// The archive of a user-data directory, in a version's index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProfileRef {
    /// The manifest's blob, in hex.
    manifest: String,
    /// All blobs that it needs, the manifest included, in hex.
    blobs: Vec<String>,
    /// The version of the Chromium that wrote it: `156.0.7000.1`.
    pub(super) chromium: String,
    /// The version of the session's state that it was taken with; only a later one is laid over it.
    pub(super) state: Version,
    /// The storage keys of that state.
    pub(super) origins: Vec<String>,
    /// How many files it has.
    pub(super) files: u64,
    /// Bytes of all of them.
    pub(super) bytes: u64,
    /// Whether nothing but the browser's own files differs from the archive that it was made over.
    #[serde(default)]
    pub(super) own_files: bool,
}

impl ProfileRef {
    /// What tells it from every other archive.
    pub(super) fn manifest(&self) -> &str {
        &self.manifest
    }

    /// The blobs that it needs.
    pub(super) fn blob_ids(&self) -> impl Iterator<Item = BlobId> + '_ {
        self.blobs.iter().filter_map(|hex| manifest::blob_id(hex))
    }
}

/// What is told of an archive that is about to be made.
pub(super) struct About {
    /// The version of the Chromium that wrote the folder.
    pub(super) chromium: String,
    /// The version of the session's state that it is taken with.
    pub(super) state: Version,
    /// The storage keys of that state.
    pub(super) origins: Vec<String>,
    /// Whether the files by which Chromium opens its tabs again are kept too.
    pub(super) tabs: bool,
}

/// Where archives are kept and what seals them.
#[derive(Clone, Copy)]
pub(super) struct Vault<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) tenant: &'a Tenant,
    /// Seals.
    pub(super) key: &'a DataKey,
    /// Open: the session's, and those of the sessions that it was forked from.
    pub(super) keys: &'a [DataKey],
}

/// Whether this Chromium may open what that archive holds: one from before the last that wrote it would empty its databases.
/// The last number, patches of one build, does not count: they change no databases. [`SessionError::ProfileNewer`].
pub(super) fn may_open(profile: &ProfileRef, chromium: &str) -> Result<(), SessionError> {
    let newer = || SessionError::ProfileNewer { wrote: profile.chromium.clone(), runs: chromium.to_owned() };
    if profile.chromium == chromium {
        return Ok(());
    }
    match (build(&profile.chromium), build(chromium)) {
        (Some(wrote), Some(runs)) if wrote <= runs => Ok(()),
        _ => Err(newer()),
    }
}

/// Major, minor and build of a Chromium's version, also where it is named in front: `HeadlessChrome/156.0.7000.1`.
fn build(version: &str) -> Option<[u64; 3]> {
    let version = version.rsplit('/').next().unwrap_or(version);
    let mut numbers = version.trim().split('.').map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}
