//! A store in a folder of its own, a session in it that an archive is committed to, and folders to pack.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::base::{SessionId, Tenant, Version};
use crate::seal::DataKey;
use crate::session::lease::{Holder, Lease};
use crate::session::profile::{About, ProfileRef, Progress, Vault, pack, unpack};
use crate::session::save::Target;
use crate::session::sessions::Stored;
use crate::session::state::{Beside, Index, Record};
use crate::session::{KeySource, SessionError, Sessions, StoreConfig};
use crate::store::BlobId;

pub(super) struct Rig {
    pub(super) home: tempfile::TempDir,
    pub(super) sessions: Sessions,
    pub(super) tenant: Tenant,
}

pub(super) fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

pub(super) fn about(state: u64) -> About {
    About {
        chromium: "156.0.7000.1".into(),
        state: Version(state),
        origins: vec!["https://a.example/".into()],
        tabs: false,
    }
}

pub(super) async fn open(home: &Path) -> Sessions {
    let (store, key) = (StoreConfig::Embedded(home.join("store")), KeySource::MadeOnFirstUse(home.join("key")));
    Sessions::open(store, key).await.unwrap()
}

impl Rig {
    pub(super) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { sessions: open(home.path()).await, tenant: Tenant::default(), home }
    }

    /// A new folder to pack from or unpack to.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// HEAD of a session.
    pub(super) async fn head(&self, session: &str) -> Option<Stored> {
        head(&self.sessions, &self.tenant, session).await
    }

    /// Packs `dir` as the next version of a session; answers the archive.
    pub(super) async fn save(&self, session: &str, dir: &Path) -> Result<ProfileRef, SessionError> {
        save(&self.sessions, &self.tenant, session, dir, &Progress::default()).await
    }

    /// Unpacks HEAD of a session.
    pub(super) async fn restore(&self, session: &str, into: &Path) -> Result<(), SessionError> {
        restore(&self.sessions, &self.tenant, session, into).await
    }

    pub(super) async fn blobs(&self) -> Vec<BlobId> {
        self.sessions.blobs().list(None, 100_000).await.unwrap().into_iter().map(|listed| listed.id).collect()
    }

    /// Bytes in the folder of the blobs.
    pub(super) fn stored_bytes(&self) -> u64 {
        tree(&self.home.path().join("store/blobs")).values().map(|entry| entry.content.len() as u64).sum()
    }
}

pub(super) async fn head(sessions: &Sessions, tenant: &Tenant, session: &str) -> Option<Stored> {
    let name = sessions.name(tenant, &id(session));
    let head = sessions.records().read(&name, None).await.unwrap()?;
    Some(sessions.open_head(tenant, &name, &head).unwrap())
}

/// Packs `dir` as the next version of a session, under its lease, as a run does.
pub(super) async fn save(
    sessions: &Sessions,
    tenant: &Tenant,
    session: &str,
    dir: &Path,
    progress: &Progress,
) -> Result<ProfileRef, SessionError> {
    let id = id(session);
    let (lease, _) =
        Lease::acquire(sessions, tenant, &id, &Holder::new("test"), None, &CancellationToken::new()).await?;
    let stored = head(sessions, tenant, session).await;
    let saved = commit(sessions, tenant, &id, stored, dir, progress, &lease).await;
    lease.release().await;
    saved
}

async fn commit(
    sessions: &Sessions,
    tenant: &Tenant,
    id: &SessionId,
    stored: Option<Stored>,
    dir: &Path,
    progress: &Progress,
    lease: &Lease,
) -> Result<ProfileRef, SessionError> {
    let (record, key) = stored.as_ref().map_or_else(
        || {
            let key = DataKey::generate().unwrap();
            (Record::new(id.clone(), &key, None), key)
        },
        |stored| (stored.record.clone(), stored.key.clone()),
    );
    let before = stored.as_ref().and_then(|stored| stored.index.beside.profile.clone());
    let expected = stored.as_ref().map(|stored| stored.version);
    let keys = record.keys()?;
    let vault = Vault { sessions, tenant, key: &key, keys: &keys };
    let profile = pack(vault, dir, before.as_ref(), about(1), progress).await?;
    let beside = Beside { profile: Some(profile.clone()), ..Beside::default() };
    let index = Index::new(Vec::new(), Vec::new(), beside);
    let target = Target { sessions, tenant, id, ttl: None, lease };
    let commit = target.commit(&record, &key, expected, &index, Vec::new())?;
    let committed = sessions.records().commit(&target.name(), &commit).await?;
    sessions.tidy(&committed.orphaned).await;
    Ok(profile)
}

pub(super) async fn restore(
    sessions: &Sessions,
    tenant: &Tenant,
    session: &str,
    into: &Path,
) -> Result<(), SessionError> {
    let stored = head(sessions, tenant, session).await.expect("there is such a session");
    let keys = stored.record.keys()?;
    let vault = Vault { sessions, tenant, key: &stored.key, keys: &keys };
    let profile = stored.index.beside.profile.as_ref().expect("it has a profile");
    unpack(vault, profile, into, &Progress::default()).await
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    /// Seconds and nanoseconds; not of a folder where it is not to be compared.
    pub(super) modified: (i64, i64),
}

/// Everything below a folder, by path; folders end with a slash, links are shown by where they lead.
pub(super) fn tree(folder: &Path) -> BTreeMap<Vec<u8>, Standing> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let mut name = path.strip_prefix(folder).unwrap().as_os_str().as_bytes().to_vec();
        let mut standing = Standing {
            content: Vec::new(),
            mode: metadata.mode() & 0o777,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if metadata.is_dir() {
            name.push(b'/');
            for (below, standing) in tree(&path) {
                all.insert([&name[..], &below].concat(), standing);
            }
        } else if metadata.is_file() {
            standing.content = fs::read(&path).unwrap();
        }
        all.insert(name, standing);
    }
    all
}

/// Bytes that do not compress, the same for the same seed.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Bytes of which no two blocks are the same, but that compress to a sixteenth: ciphers are slow in tests.
pub(super) fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + (16 << 10));
    while bytes.len() < len {
        let block = noise(seed.wrapping_mul(1 << 20) + bytes.len() as u64, 1 << 10);
        for _ in 0..16 {
            bytes.extend_from_slice(&block);
        }
    }
    bytes.truncate(len);
    bytes
}

/// Writes a file, and the folders above it.
pub(super) fn write(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Whether tests are run at length.
pub(super) fn full() -> bool {
    std::env::var_os("RHAVEN_SOAK_KILLS").is_some()
}

/// Where a blob lies.
pub(super) fn blob_path(home: &Path, id: &BlobId) -> PathBuf {
    let name = data_encoding::HEXLOWER.encode(&id.0);
    home.join("store/blobs").join(&name[..2]).join(name)
}
