//! The folder of a live browser: what it downloads, and what viewers hand over for it to upload. Nobody else reads it; it goes with
//! the browser. All of this waits for the disk: it is no work for those who share a thread with others.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::browser::BrowserError;

/// The longest name that a file keeps, in bytes.
const LONGEST_NAME: usize = 150;

/// Files that were handed over together.
#[derive(Debug)]
pub(super) struct Kept {
    /// Where they are.
    pub paths: Vec<PathBuf>,
    /// What they have together.
    pub bytes: u64,
}

impl Kept {
    /// Removes them, each with the folder that it is alone in.
    pub fn remove(&self) {
        for folder in self.paths.iter().filter_map(|path| path.parent()) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A folder that is removed when it is dropped; with the browser's own folder, below which it is, where that does not happen.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it below `parent`, with one for each of the two kinds in it.
    pub fn make(parent: &Path) -> Result<Self, BrowserError> {
        let path = parent.join(format!("rhaven-live-{}", random_name()));
        let failed = |error: io::Error| {
            let what = format!("make the folder {}", path.display());
            BrowserError::Io { what, reason: error.to_string() }
        };
        private(&path).map_err(failed)?;
        let folder = Self(path.clone());
        private(&folder.downloads()).map_err(failed)?;
        private(&folder.uploads()).map_err(failed)?;
        Ok(folder)
    }

    /// Removes it with all that is in it; again it does nothing.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where Chromium puts downloads, by names that nobody can guess.
    pub fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    /// Writes the files that were handed over together, each under its own name as far as that goes; all of them or none.
    pub fn keep(&self, files: &[(String, Vec<u8>)]) -> io::Result<Kept> {
        let mut kept = Kept { paths: Vec::new(), bytes: 0 };
        let written = files.iter().try_for_each(|(name, content)| {
            // A folder for each: two may have one name.
            let folder = self.uploads().join(random_name());
            private(&folder)?;
            let path = folder.join(plain_name(name));
            kept.paths.push(path.clone());
            kept.bytes += content.len() as u64;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            io::Write::write_all(&mut file, content)
        });
        match written {
            Ok(()) => Ok(kept),
            Err(error) => {
                kept.remove();
                Err(error)
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

fn private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// 128 random bits.
pub(super) fn random_name() -> String {
    let mut bytes = [0; 16];
    // Without randomness the name is taken, and making the folder fails.
    let _ = getrandom::fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

/// A file's name without folders and without what has a meaning to a shell, a header or a terminal.
pub(super) fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // The end is what tells the kind.
    let last = &last[last.ceil_char_boundary(last.len().saturating_sub(LONGEST_NAME))..];
    let plain: String = last.chars().map(|c| if c.is_control() || "\"<>:|?*".contains(c) { '_' } else { c }).collect();
    let plain = plain.trim_matches([' ', '.']);
    if plain.is_empty() { "file".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere() {
        let check = |name: &str, wanted: &str| assert_eq!(plain_name(name), wanted, "{name:?}");
        check("a b.txt", "a b.txt");
        check("../../etc/passwd", "passwd");
        check("C:\\Users\\x\\ž.pdf", "ž.pdf");
        check("..", "file");
        check("", "file");
        check("a\nb\".txt", "a_b_.txt");
        // However long: it comes from whoever steers, or from a site.
        let long = plain_name(&format!("{}.png", "ž".repeat(5_000_000)));
        assert!(long.ends_with("ž.png") && long.len() <= LONGEST_NAME, "{long}");
    }

    #[test]
    fn what_was_handed_over_is_there_until_the_end() {
        let folder = Folder::make(&std::env::temp_dir()).unwrap();
        let kept = folder.keep(&[("a.txt".to_owned(), vec![1]), ("x/a.txt".to_owned(), vec![2])]).unwrap();
        assert_eq!(kept.paths.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [vec![1], vec![2]]);
        assert_eq!(kept.bytes, 2);
        let more = folder.keep(&[("b.txt".to_owned(), vec![3])]).unwrap();
        more.remove();
        let left: Vec<_> = fs::read_dir(folder.uploads()).unwrap().collect();
        assert!(left.len() == 2 && kept.paths.iter().all(|path| path.exists()), "{left:?}");
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
