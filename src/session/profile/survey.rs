//! What stands in a user-data directory: every file and folder that is kept, as it was at one moment. Blocking calls.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::session::SessionError;

use super::rules;

/// One file or folder that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Within the directory.
    pub(super) path: PathBuf,
    pub(super) folder: bool,
    /// Permissions only.
    pub(super) mode: u32,
    /// Seconds and nanoseconds since 1970.
    pub(super) modified: (i64, u32),
    /// Bytes; 0 of a folder.
    pub(super) size: u64,
    inode: u64,
}

impl Found {
    fn of(path: PathBuf, metadata: &Metadata) -> Self {
        let folder = metadata.is_dir();
        Self {
            path,
            folder,
            mode: metadata.mode() & 0o777,
            modified: (metadata.mtime(), u32::try_from(metadata.mtime_nsec()).unwrap_or_default()),
            size: if folder { 0 } else { metadata.len() },
            inode: metadata.ino(),
        }
    }

    /// Whether this is still what stands there.
    pub(super) fn is(&self, metadata: &Metadata) -> bool {
        *self == Self::of(self.path.clone(), metadata)
    }
}

/// Everything in `dir` that is kept, folders before what is in them. Links, sockets and pipes are no data and left out.
/// [`SessionError::ProfileDirty`] where a browser has the directory, or was killed there.
pub(super) fn survey(dir: &Path, tabs: bool) -> Result<Vec<Found>, SessionError> {
    let mut found = Vec::new();
    enter(dir, Path::new(""), tabs, &mut found)?;
    Ok(found)
}

fn enter(dir: &Path, folder: &Path, tabs: bool, found: &mut Vec<Found>) -> Result<(), SessionError> {
    let here = dir.join(folder);
    let names = names(&here).map_err(|source| failed(&here, "read", source))?;
    for name in &names {
        if folder.as_os_str().is_empty() && rules::is_lock(&name.to_string_lossy()) {
            let name = name.display();
            return Err(dirty(format!("{name} is there, so a browser runs on it or was killed on it")));
        }
        let path = folder.join(name);
        if rules::is_left_out(&path, &names, tabs) {
            continue;
        }
        let full = dir.join(&path);
        let metadata = match full.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(changed(&path)),
            Err(error) => return Err(failed(&full, "read", error)),
        };
        if metadata.is_file() {
            found.push(Found::of(path, &metadata));
        } else if metadata.is_dir() {
            found.push(Found::of(path.clone(), &metadata));
            enter(dir, &path, tabs, found)?;
        }
    }
    Ok(())
}

/// The names in a folder, in order.
fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = folder.read_dir()?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

pub(super) fn dirty(reason: String) -> SessionError {
    SessionError::ProfileDirty { reason }
}

pub(super) fn changed(path: &Path) -> SessionError {
    dirty(format!("{} changed while it was read, so a browser still runs on it", path.display()))
}

pub(super) fn failed(path: &Path, done: &'static str, source: io::Error) -> SessionError {
    SessionError::ProfileFile { path: path.display().to_string(), done, source }
}
