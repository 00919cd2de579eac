//! Files with numbered names, made beside others and never over one.

use std::io::{self, Write as _};
use std::path::Path;

/// Numbers that are tried.
const MOST: u32 = 100_000;

/// Writes `bytes` into `folder` as `STEM-N.EXTENSION` with the first number that is free; answers the name. Blocks on the disk.
pub fn write_numbered(folder: &Path, stem: &str, extension: &str, bytes: &[u8]) -> io::Result<String> {
    for number in 1..=MOST {
        let name = format!("{stem}-{number}.{extension}");
        match std::fs::File::create_new(folder.join(&name)) {
            Ok(mut file) => return file.write_all(bytes).map(|()| name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::write_numbered;

    #[test]
    fn no_file_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop-1.png"), "mine").unwrap();
        assert_eq!(write_numbered(folder.path(), "shop", "png", b"\x89PNG").unwrap(), "shop-2.png");
        assert_eq!(write_numbered(folder.path(), "shop", "jpg", b"\xff\xd8").unwrap(), "shop-1.jpg");
        assert_eq!(std::fs::read(folder.path().join("shop-1.png")).unwrap(), b"mine");
        assert!(write_numbered(&folder.path().join("nowhere"), "shop", "png", b"").is_err());
    }
}
