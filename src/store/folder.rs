//! Folders and files that nobody but their owner may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use super::StoreError;

/// Owner only.
#[cfg(unix)]
const FOLDER_MODE: u32 = 0o700;
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Makes `folder`, and those above it, unless it is there. One that is there and empty, or that holds `ours`, is closed
/// to others; one with other people's files in it is left as it is, since what we put into it is closed by itself.
pub(super) fn make_private(folder: &Path, ours: &str) -> Result<(), StoreError> {
    make(folder, ours).map_err(|source| unavailable(folder, source))
}

fn make(folder: &Path, ours: &str) -> io::Result<()> {
    if folder.is_dir() {
        let is_ours = folder.join(ours).exists() || folder.read_dir()?.next().is_none();
        return if is_ours { restrict(folder) } else { Ok(()) };
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.create(folder)
}

/// Takes from everybody but the owner what the file or folder allows them.
#[cfg(unix)]
pub(super) fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata()?.permissions().mode() & 0o7777;
    let own = mode & FOLDER_MODE;
    if mode == own { Ok(()) } else { std::fs::set_permissions(path, std::fs::Permissions::from_mode(own)) }
}

#[cfg(not(unix))]
pub(super) fn restrict(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Options for writing a file that only its owner may read.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options
}

/// Makes what was created, renamed or removed in `folder` last.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn unavailable(what: &Path, source: io::Error) -> StoreError {
    StoreError::Unavailable { what: what.display().to_string(), source: source.into() }
}
