//! The folder of one run: what its script writes, and nothing else that is on the disk.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::super::error::ApiError;
use super::super::request_id::random_id;

/// A folder that only we can read; removed with all that is in it when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it, by a name that nobody can guess.
    pub(super) fn new() -> Result<Self, ApiError> {
        let path = std::env::temp_dir().join(format!("rhaven-run-{}", random_id()));
        let failed = |error: std::io::Error| ApiError::internal(format!("no folder for the run: {error}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
