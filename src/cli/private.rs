//! A file for its owner only: whole, or not at all, and never by accident in the place of another.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file in the making, beside its place; removed unless it is kept.
pub(super) struct PrivateFile {
    draft: PathBuf,
    path: PathBuf,
    folder: PathBuf,
}

impl PrivateFile {
    /// Makes it at mode 0600; the handle is to write to.
    pub(super) fn create(path: &Path) -> io::Result<(Self, File)> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let draft = folder.join(format!(".{name}.{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        Ok((Self { draft, path: path.to_owned(), folder: folder.to_owned() }, file))
    }

    /// Puts it in its place, for good; over what is there only where `force` says so.
    pub(super) fn keep(self, file: &File, force: bool) -> io::Result<()> {
        file.sync_all()?;
        // A link fails where something has come to be there meanwhile; a renaming would replace it.
        if force {
            fs::rename(&self.draft, &self.path)?;
        } else {
            fs::hard_link(&self.draft, &self.path)?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        // After a renaming there is none left.
        let _ = fs::remove_file(&self.draft);
    }
}
