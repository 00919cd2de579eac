//! An archive into a folder. A blob's content is written only once all of it has verified, no path leads out of the folder,
//! nothing that stands there is written over, and where it fails all that was made is removed again.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use zeroize::Zeroizing;

use crate::base::reached;
use crate::seal::ContentKey;
use crate::session::SessionError;

use super::disk::blocking;
use super::manifest::{self, Manifest};
use super::plan::Chunk;
use super::progress::Counter;
use super::survey::failed;
use super::{ProfileRef, Progress, Vault};

/// Blobs that are fetched and written at a time.
const AT_A_TIME: usize = 2;
/// Only the owner, until all is there.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Puts the archive's files into the folder `into`, which is made (0700) unless it is there. Files that are there already stay; one
/// that would have to be written over is an error. Where this fails nothing of the archive is left there.
pub(in crate::session) async fn unpack(
    vault: Vault<'_>,
    profile: &ProfileRef,
    into: &Path,
    progress: &Progress,
) -> Result<(), SessionError> {
    let manifest = Manifest::fetch(&vault, profile).await?;
    let tree = Arc::new(Tree::of(into, &manifest)?);
    let making = tree.clone();
    // Removed again when it is dropped on the way.
    let mut made = blocking(move || making.make()).await?;
    let counter = progress.begin(manifest.entries.iter().map(manifest::Entry::size).sum(), tree.files());
    let filled = async {
        Filling { vault, key: key(&vault, &manifest), tree: tree.clone(), counter }.fill(&manifest).await?;
        blocking(move || tree.finish()).await
    };
    // Boxed: whoever awaits this need not be as large as it is.
    let filled = Box::pin(filled).await;
    if filled.is_err() {
        return blocking(move || {
            made.remove();
            filled
        })
        .await;
    }
    made.keep();
    reached("archive.unpacked");
    Ok(())
}

/// What the digests were made with; none where that key is not at hand, which proves nothing: what seals a blob authenticates it.
fn key(vault: &Vault<'_>, manifest: &Manifest) -> Option<Arc<ContentKey>> {
    let by = vault.keys.iter().find(|key| key.id().to_string() == manifest.digests_by)?;
    Some(Arc::new(by.content_key()))
}

/// The files and folders to be, below `root`.
struct Tree {
    root: PathBuf,
    leaves: Vec<Leaf>,
}

struct Leaf {
    path: PathBuf,
    folder: bool,
    mode: u32,
    modified: SystemTime,
    size: u64,
}

/// What was made on the disk so far. Removed again unless it is kept.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Made {
    fn remove(&mut self) {
        remove(std::mem::take(&mut self.files), std::mem::take(&mut self.folders));
    }

    fn keep(&mut self) {
        self.files.clear();
        self.folders.clear();
    }
}

impl Drop for Made {
    /// Given up half-way. What removes it blocks, so it is not done here where there is another thread for it.
    fn drop(&mut self) {
        let (files, folders) = (std::mem::take(&mut self.files), std::mem::take(&mut self.folders));
        if files.is_empty() && folders.is_empty() {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove(files, folders))),
            Err(_) => remove(files, folders),
        }
    }
}

/// Removes files and then folders, each after those in it, as far as that is possible.
fn remove(files: Vec<PathBuf>, folders: Vec<PathBuf>) {
    // A folder whose mode was given to it already may not be writable.
    for folder in &folders {
        let _ = fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE));
    }
    for file in files {
        let _ = fs::remove_file(file);
    }
    for folder in folders.into_iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

impl Tree {
    fn of(root: &Path, manifest: &Manifest) -> Result<Self, SessionError> {
        let leaf = |entry: &manifest::Entry| {
            Some(Leaf {
                path: root.join(entry.path()?),
                folder: entry.folder,
                mode: entry.mode & 0o777,
                modified: time(entry.modified)?,
                size: entry.size(),
            })
        };
        let leaves = manifest.entries.iter().map(leaf).collect::<Option<_>>().ok_or_else(|| SessionError::Format {
            what: "the list of the profile's files".to_owned(),
            reason: "a path or a time in it cannot be".to_owned(),
        })?;
        Ok(Self { root: root.to_owned(), leaves })
    }

    fn files(&self) -> u64 {
        self.leaves.iter().filter(|leaf| !leaf.folder).count() as u64
    }

    /// Makes all folders, and all files with their size and without content.
    fn make(&self) -> Result<Made, SessionError> {
        let mut made = Made::default();
        let done = self.make_all(&mut made);
        if done.is_err() {
            made.remove();
        }
        done.map(|()| made)
    }

    fn make_all(&self, made: &mut Made) -> Result<(), SessionError> {
        make_folder(&self.root, made).map_err(|error| failed(&self.root, "written", error))?;
        for leaf in &self.leaves {
            let done = if leaf.folder { make_folder(&leaf.path, made) } else { make_file(leaf, made) };
            done.map_err(|error| failed(&leaf.path, "written", error))?;
        }
        Ok(())
    }

    /// Gives files and folders their modes and times; a folder's comes after those of what is in it.
    fn finish(&self) -> Result<(), SessionError> {
        for leaf in self.leaves.iter().rev() {
            let finish = || {
                let file = File::open(&leaf.path)?;
                file.set_permissions(Permissions::from_mode(leaf.mode))?;
                file.set_times(FileTimes::new().set_modified(leaf.modified))
            };
            finish().map_err(|error| failed(&leaf.path, "written", error))?;
        }
        Ok(())
    }
}

/// A folder that nobody else may read; one that is there is left as it is, a link to one is refused.
fn make_folder(path: &Path, made: &mut Made) -> std::io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => made.folders.push(path.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.symlink_metadata()?.is_dir() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// A file that was not there.
fn make_file(leaf: &Leaf, made: &mut Made) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&leaf.path)?;
    made.files.push(leaf.path.clone());
    if leaf.size > 0 { file.set_len(leaf.size) } else { Ok(()) }
}

fn time((seconds, nanoseconds): (i64, u32)) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let second = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    second?.checked_add(Duration::from_nanos(nanoseconds.into()))
}

/// A piece of a file that comes out of a blob.
struct Target {
    /// Position in the tree.
    leaf: usize,
    to: u64,
    /// Where in the blob.
    from: usize,
    chunk: Chunk,
}

/// Files on their way from blobs to the disk.
struct Filling<'a> {
    vault: Vault<'a>,
    key: Option<Arc<ContentKey>>,
    tree: Arc<Tree>,
    counter: Counter,
}

impl Filling<'_> {
    async fn fill(&self, manifest: &Manifest) -> Result<(), SessionError> {
        let mut running = FuturesUnordered::new();
        for (blob, targets) in manifest.blobs.iter().zip(targets(manifest)) {
            let Some(id) = manifest::blob_id(&blob.id).filter(|_| !targets.is_empty()) else { continue };
            if running.len() >= AT_A_TIME {
                running.next().await.transpose()?;
            }
            running.push(self.blob(id, targets));
        }
        while running.next().await.transpose()?.is_some() {}
        Ok(())
    }

    async fn blob(&self, id: crate::store::BlobId, targets: Vec<Target>) -> Result<(), SessionError> {
        let content = manifest::fetch(&self.vault, &id, "a part of the profile").await?;
        let (tree, key) = (self.tree.clone(), self.key.clone());
        let bytes = blocking(move || write(&tree, &targets, &content, key.as_deref())).await?;
        reached("archive.blob_read");
        self.counter.add(bytes);
        Ok(())
    }
}

/// What comes out of each blob, file after file.
fn targets(manifest: &Manifest) -> Vec<Vec<Target>> {
    let mut targets: Vec<Vec<Target>> = manifest.blobs.iter().map(|_| Vec::new()).collect();
    for (leaf, entry) in manifest.entries.iter().enumerate() {
        let mut to = 0;
        for at in &entry.chunks {
            let chunk = Chunk { digest: at.digest, bytes: at.bytes };
            let from = usize::try_from(at.offset).unwrap_or(usize::MAX);
            targets[at.blob].push(Target { leaf, to, from, chunk });
            to += u64::from(at.bytes);
        }
    }
    targets
}

/// Writes the pieces of one blob; answers how many bytes.
fn write(
    tree: &Tree,
    targets: &[Target],
    content: &Zeroizing<Vec<u8>>,
    key: Option<&ContentKey>,
) -> Result<u64, SessionError> {
    let wrong = || SessionError::Format {
        what: "a part of the profile".to_owned(),
        reason: "it is not what the list of files says".to_owned(),
    };
    let (mut bytes, mut open) = (0, None::<(usize, File)>);
    for Target { leaf, to, from, chunk } in targets {
        let piece = content.get(*from..from.saturating_add(chunk.bytes as usize)).ok_or_else(wrong)?;
        if key.is_some_and(|key| key.digest(piece) != chunk.digest) {
            return Err(wrong());
        }
        let path = &tree.leaves[*leaf].path;
        let unwritten = |error| failed(path, "written", error);
        if open.as_ref().is_none_or(|(file, _)| file != leaf) {
            open = Some((*leaf, OpenOptions::new().write(true).open(path).map_err(unwritten)?));
        }
        if let Some((_, file)) = &open {
            file.write_all_at(piece, *to).map_err(unwritten)?;
        }
        bytes += u64::from(chunk.bytes);
    }
    Ok(bytes)
}
