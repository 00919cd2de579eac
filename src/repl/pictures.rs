//! Files for pictures.

use std::io;
use std::path::Path;

use crate::files::write_numbered;

/// Writes a picture into `folder` under the next free name; answers the name. Blocks on the disk.
pub(super) fn write_new(folder: &Path, bytes: &[u8]) -> io::Result<String> {
    let extension = if bytes.starts_with(&[0xff, 0xd8]) { "jpg" } else { "png" };
    write_numbered(folder, "screenshot", extension, bytes)
}

#[cfg(test)]
mod tests {
    use super::write_new;

    #[test]
    fn a_picture_is_named_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write_new(folder.path(), b"\x89PNG").unwrap(), "screenshot-1.png");
        assert_eq!(write_new(folder.path(), b"\xff\xd8\xff").unwrap(), "screenshot-1.jpg");
    }
}
