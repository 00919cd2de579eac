//! The folder that each browser gets for itself: in memory where there is room, readable by nobody else, marked with who
//! owns it so that a later process can tell an orphan.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::ProcessId;

use super::BrowserError;

/// What the names of our folders begin with.
const PREFIX: &str = "rhaven-browser-";

/// The marker's name in the folder.
const MARKER: &str = "owner.json";

/// Memory-backed storage is used where at least this much of it is free: a long run may fill a cache of some size.
const ROOM: u64 = 512 * 1024 * 1024;

/// A folder of ours. Not removed on drop: that waits for the end of the processes that write to it.
#[derive(Debug, Clone)]
pub(super) struct UserDir {
    /// The folder: home, temporary files and marker, and inside it the throw-away user-data directory.
    path: PathBuf,
    /// The user-data directory to keep, where one was named.
    kept: Option<PathBuf>,
}

/// Who owns the folder and which browser runs on it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) owner: ProcessId,
    /// None until it has been started.
    pub(super) browser: Option<ProcessId>,
    /// The `--user-data-dir` it is started with.
    pub(super) user_data_dir: PathBuf,
}

impl UserDir {
    /// Makes the folder and marks it as ours.
    /// Memory-backed storage is used where `bytes` and what a run needs fit.
    pub(super) fn create(kept: Option<&Path>, bytes: u64) -> Result<Self, BrowserError> {
        let parents = parents();
        let roomy = parents.iter().find(|parent| parent.is_dir() && in_memory_with_room(parent, bytes));
        let parent = roomy.cloned().unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("{PREFIX}{}", random_name()?));
        let failed = |error: io::Error| io_error(format!("make the folder {}", path.display()), &error);
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let kept = match kept {
            Some(kept) => Some(prepare_kept(kept)?),
            None => None,
        };
        let dir = Self { path, kept };
        dir.mark(None)?;
        Ok(dir)
    }

    /// Writes the marker anew; whole or not at all.
    pub(super) fn mark(&self, browser: Option<ProcessId>) -> Result<(), BrowserError> {
        let marker = Marker { owner: ProcessId::current(), browser, user_data_dir: self.user_data_dir() };
        let failed = |error: io::Error| io_error(format!("mark the folder {}", self.path.display()), &error);
        let text = serde_json::to_vec(&marker).map_err(|error| failed(error.into()))?;
        let fresh = self.path.join("owner.json.new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
        io::Write::write_all(&mut file, &text).map_err(failed)?;
        fs::rename(&fresh, self.path.join(MARKER)).map_err(failed)
    }

    /// Home and temporary folder of the browser.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What `--user-data-dir` is to be.
    pub(super) fn user_data_dir(&self) -> PathBuf {
        self.kept.clone().unwrap_or_else(|| self.path.join("profile"))
    }

    /// Whether the user-data directory is to be kept.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Removes the folder, never a kept user-data directory. Quiet where it has gone already; what cannot be removed now is
    /// left to the reaper.
    pub(super) fn remove(&self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, folder = %self.path.display(), "left to the next start");
        }
    }
}

/// Removes a folder of ours. Processes that were killed a moment ago may still finish a write, so a folder that has just
/// got a new file is gone through again.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    const ROUNDS: usize = 5;
    let mut result = Ok(());
    for _ in 0..ROUNDS {
        result = match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        };
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty) {
            break;
        }
    }
    result
}

/// Folders of ours, of this process or any other of this user.
pub(super) fn existing() -> Vec<PathBuf> {
    let me = rustix::process::geteuid().as_raw();
    let mut parents = parents();
    parents.push(std::env::temp_dir());
    parents.sort();
    parents.dedup();
    let entries = parents.iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    // `/dev/shm` and the temp dir are everybody's: another user's folder, or a link to elsewhere, is not touched.
    ours.map(|entry| entry.path())
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == me))
        .collect()
}

/// The marker of a folder; none where it is missing or not one.
pub(super) fn read_marker(folder: &Path) -> Option<Marker> {
    serde_json::from_slice(&fs::read(folder.join(MARKER)).ok()?).ok()
}

/// Where memory-backed storage may be, best first.
fn parents() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    runtime.into_iter().chain([PathBuf::from("/dev/shm")]).collect()
}

/// Free space of at least [`ROOM`] beside `bytes`, in memory.
#[cfg(target_os = "linux")]
fn in_memory_with_room(parent: &Path, bytes: u64) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    let wanted = ROOM.saturating_add(bytes);
    rustix::fs::statfs(parent).is_ok_and(|fs| {
        fs.f_type.cast_unsigned() == TMPFS && fs.f_bavail.saturating_mul(fs.f_bsize.cast_unsigned()) >= wanted
    })
}

#[cfg(not(target_os = "linux"))]
fn in_memory_with_room(_parent: &Path, _bytes: u64) -> bool {
    false
}

/// Whether Chromium can share memory through `/dev/shm`; a container's default of 64 MiB makes pages crash.
pub(super) fn shared_memory_is_small() -> bool {
    let small = |fs: rustix::fs::StatVfs| fs.f_blocks.saturating_mul(fs.f_frsize) < ROOM;
    cfg!(target_os = "linux") && rustix::fs::statvfs("/dev/shm").map_or(true, small)
}

/// A user-data directory to keep: made where it is missing, absolute since Chromium runs with a folder of its own.
fn prepare_kept(path: &Path) -> Result<PathBuf, BrowserError> {
    let failed = |error: io::Error| io_error(format!("open the user-data directory {}", path.display()), &error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    fs::canonicalize(path).map_err(failed)
}

fn random_name() -> Result<String, BrowserError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| BrowserError::Io {
        what: "name a folder for the browser".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

fn io_error(what: String, error: &io::Error) -> BrowserError {
    BrowserError::Io { what, reason: error.to_string() }
}
