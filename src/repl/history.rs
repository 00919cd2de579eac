//! What was typed, kept per project: a file that only its user can read, without secrets. Several REPLs may share one.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

/// Entries that are kept.
const MOST: usize = 2_000;
/// The file is written anew once it has so many more.
const SLACK: usize = 500;

/// The file of one project's history.
#[derive(Debug, Clone)]
pub struct History {
    folder: PathBuf,
    file: PathBuf,
}

impl History {
    /// The history of `project`, a folder, below `home`. Nothing is read or made yet.
    pub fn of(home: &Path, project: &Path) -> Self {
        let digest = Sha256::digest(project.as_os_str().as_encoded_bytes());
        let folder = home.join("history");
        let file = folder.join(HEXLOWER.encode(&digest[..16]));
        Self { folder, file }
    }

    /// The entries, oldest first. Blocks on the disk.
    pub(super) fn load(&self) -> io::Result<Vec<String>> {
        let text = match std::fs::read(&self.file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(unescaped).collect();
        let surplus = entries.len().saturating_sub(MOST);
        entries.drain(..surplus);
        if surplus > SLACK {
            self.rewrite()?;
        }
        Ok(entries)
    }

    /// Adds an entry, which must hold no secret. Blocks on the disk.
    pub(super) fn add(&self, entry: &str) -> io::Result<()> {
        let _lock = self.lock()?;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&self.file)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(format!("{}\n", escaped(entry)).as_bytes())
    }

    /// Puts what `clean` makes of each entry in its place; nothing where it makes nothing of it. Blocks on the disk.
    pub(super) fn forget(&self, clean: impl Fn(&str) -> Option<String>) -> io::Result<()> {
        let changed = |entry: &str| clean(&unescaped(entry)).map(|entry| escaped(&entry));
        self.change(|lines| lines.iter().filter_map(|line| changed(line)).collect())
    }

    /// Drops what is too old.
    fn rewrite(&self) -> io::Result<()> {
        self.change(|lines| lines[lines.len().saturating_sub(MOST)..].iter().map(|&line| line.to_owned()).collect())
    }

    fn change(&self, change: impl FnOnce(&[&str]) -> Vec<String>) -> io::Result<()> {
        let _lock = self.lock()?;
        // Read now: another REPL may have added to it.
        let text = match std::fs::read(&self.file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let kept = change(&lines);
        if kept == lines {
            return Ok(());
        }
        let beside = self.file.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        let ended = if kept.is_empty() { "" } else { "\n" };
        file.write_all(format!("{}{ended}", kept.join("\n")).as_bytes())?;
        std::fs::rename(&beside, &self.file)
    }

    /// Held while the file is changed; let go with the file that is answered.
    fn lock(&self) -> io::Result<std::fs::File> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(0o700))?;
        let lock = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    }
}

/// On one line.
fn escaped(entry: &str) -> String {
    entry.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (plain, false) => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were_and_nobody_else_can_read_them() {
        let home = tempfile::tempdir().unwrap();
        let history = History::of(home.path(), Path::new("a"));
        assert!(history.load().unwrap().is_empty());
        let entries = ["let x = 1;", "fn f() {\n  \"a\\n\"\n}", "é \\\\ \r"];
        for entry in entries {
            history.add(entry).unwrap();
        }
        assert_eq!(history.load().unwrap(), entries);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&history.folder), mode(&history.file)), (0o700, 0o600));
        assert!(History::of(home.path(), Path::new("b")).load().unwrap().is_empty());
    }

    #[test]
    fn what_is_to_be_forgotten_is_gone_and_the_rest_stays() {
        let home = tempfile::tempdir().unwrap();
        let history = History::of(home.path(), Path::new("a"));
        history.forget(|entry| Some(entry.to_owned())).unwrap();
        for entry in ["let x = \"a\\n\"", "let pw = 1\n+ 2", "drop it"] {
            history.add(entry).unwrap();
        }
        let clean = |entry: &str| (entry != "drop it").then(|| entry.replace("1\n", "secret\n"));
        history.forget(clean).unwrap();
        assert_eq!(history.load().unwrap(), ["let x = \"a\\n\"", "let pw = secret\n+ 2"]);
        assert_eq!(std::fs::metadata(&history.file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_oldest_go_and_several_writers_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let history = History::of(home.path(), Path::new("a"));
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let history = &history;
                scope.spawn(move || (0..700).for_each(|n| history.add(&format!("{writer} {n}")).unwrap()));
            }
        });
        assert_eq!(history.load().unwrap().len(), MOST);
        assert_eq!(std::fs::read_to_string(&history.file).unwrap().lines().count(), MOST);
        assert_eq!(history.load().unwrap().len(), MOST);
    }
}
