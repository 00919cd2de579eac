//! A set of files, and what each of them held when it was last told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use sha2::{Digest as _, Sha256};

use super::FilesError;
use super::burst::Ear;
use super::places;

/// Folders come and go while they are being watched; a tree that changes more often than this in one go will be told of
/// again anyway.
const ROUNDS: usize = 8;

/// Watches files for other contents. Nothing is polled: while nothing happens it costs nothing.
///
/// Folders are watched and not files, because most editors put a new file in place of the old one. Not seen: a change
/// through another hard link, and a folder that is moved away together with one above it.
pub struct Watch {
    watcher: RecommendedWatcher,
    ear: Arc<Ear>,
    files: BTreeMap<PathBuf, Contents>,
    folders: BTreeSet<PathBuf>,
}

/// What a file holds; of its bytes the digest is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contents {
    Missing,
    /// It is there and may not be read, or is a folder.
    Unreadable,
    Bytes([u8; 32]),
}

impl Contents {
    fn of(read: &io::Result<Vec<u8>>) -> Self {
        match read {
            Ok(bytes) => Self::Bytes(Sha256::digest(bytes).into()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Self::Missing
            }
            Err(_) => Self::Unreadable,
        }
    }
}

impl Watch {
    /// Follows nothing yet.
    pub fn new() -> Result<Self, FilesError> {
        let ear = Arc::new(Ear::default());
        let hearing = ear.clone();
        let watcher = notify::recommended_watcher(move |told| hearing.hear(&told))?;
        Ok(Self { watcher, ear, files: BTreeMap::new(), folders: BTreeSet::new() })
    }

    /// Follows these files from now on and no others; they need not be there yet. What a file holds now counts as told,
    /// unless it was followed before. Reads the new ones: takes as long as the disk does.
    pub fn follow(&mut self, files: impl IntoIterator<Item = PathBuf>) -> Result<(), FilesError> {
        let before = std::mem::take(&mut self.files);
        let files: BTreeSet<PathBuf> = files.into_iter().collect();
        // Read only once they are watched: a change in between would be lost otherwise.
        self.files = files.iter().map(|file| (file.clone(), Contents::Missing)).collect();
        let watched = self.rearm(BTreeSet::new());
        for (file, contents) in &mut self.files {
            *contents = before.get(file).copied().unwrap_or_else(|| Contents::of(&std::fs::read(file)));
        }
        watched
    }

    /// Reads a file; what it holds then counts as told.
    pub fn read(&mut self, file: &Path) -> io::Result<Vec<u8>> {
        let read = std::fs::read(file);
        if let Some(contents) = self.files.get_mut(file) {
            *contents = Contents::of(&read);
        }
        read
    }

    /// Waits until followed files hold something else than was last told, and tells which: by the paths that they are followed
    /// under. A file that went counts, once. It has then been quiet for 50 ms, or restless for 500.
    ///
    /// Reads the files on the calling task, which is quick for what people write; nothing is lost where it is dropped.
    pub async fn changed(&mut self) -> Result<Vec<PathBuf>, FilesError> {
        loop {
            let burst = self.ear.burst().await;
            self.rearm(burst.gone)?;
            let mut changed = Vec::new();
            for (file, told) in &mut self.files {
                let now = Contents::of(&std::fs::read(file));
                if now != *told {
                    *told = now;
                    changed.push(file.clone());
                }
            }
            if !changed.is_empty() {
                return Ok(changed);
            }
        }
    }

    /// Watches the folders that matter now, those in `gone` anew.
    fn rearm(&mut self, mut gone: BTreeSet<PathBuf>) -> Result<(), FilesError> {
        for _ in 0..ROUNDS {
            let places: BTreeSet<PathBuf> = self.files.keys().flat_map(|file| places::of(&absolute(file))).collect();
            let folders: BTreeSet<PathBuf> =
                places.iter().filter_map(|place| Some(place.parent()?.to_owned())).collect();
            self.ear.listen(places, folders.clone());
            if folders == self.folders && gone.is_empty() {
                return Ok(());
            }
            for folder in self.folders.iter().filter(|folder| !folders.contains(*folder) || gone.contains(*folder)) {
                // The system has forgotten it already where it is gone.
                let _ = self.watcher.unwatch(folder);
            }
            self.folders.retain(|folder| folders.contains(folder) && !gone.contains(folder));
            gone.clear();
            for folder in folders {
                if self.folders.contains(&folder) {
                    continue;
                }
                match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    Ok(()) => drop(self.folders.insert(folder)),
                    // It went again: the next round looks what there is now.
                    Err(_) if !folder.is_dir() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Where the working folder cannot be told the path has to do as it is.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}
