//! A user-data directory that is filled before its browser starts and read after it has ended. It stands in a folder of
//! ours, like a throw-away one: in memory where there is room, readable by nobody else, known to the reaper.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::BrowserError;
use super::userdir::UserDir;

/// A user-data directory for one browser at a time. Cheap to clone; removed with the last clone, which a browser that runs
/// on it has too.
#[derive(Debug, Clone)]
pub struct ProfileDir(Arc<Folder>);

#[derive(Debug)]
struct Folder(UserDir);

impl ProfileDir {
    /// Makes an empty one, in memory-backed storage where `bytes` fit beside what a browser needs.
    pub fn create(bytes: u64) -> Result<Self, BrowserError> {
        let dir = Self(Arc::new(Folder(UserDir::create(None, bytes)?)));
        let failed = |error: std::io::Error| BrowserError::Io {
            what: format!("make the user-data directory {}", dir.path().display()),
            reason: error.to_string(),
        };
        DirBuilder::new().mode(0o700).create(dir.path()).map_err(failed)?;
        Ok(dir)
    }

    /// The directory.
    pub fn path(&self) -> PathBuf {
        self.0.0.user_data_dir()
    }

    /// Whether a browser on it has left its locks: it did not end in order, and what it kept may not be on the disk.
    pub(super) fn has_locks(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.path()) else { return true };
        entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("Singleton")))
    }

    /// Removes it now, whoever still has a clone. Blocks; for large ones not to be called on a runtime's worker.
    pub fn remove(&self) {
        self.0.0.remove();
    }

    pub(super) fn user_dir(&self) -> UserDir {
        self.0.0.clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.0.remove();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_last_user() {
        let dir = ProfileDir::create(1 << 20).unwrap();
        let (path, again) = (dir.path(), dir.clone());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!dir.has_locks());
        fs::write(path.join("SingletonLock"), "").unwrap();
        assert!(dir.has_locks());
        drop(dir);
        assert!(path.exists());
        drop(again);
        assert!(!path.parent().unwrap().exists());
    }
}
