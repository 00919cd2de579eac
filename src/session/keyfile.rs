//! The key file: one key per line, the first seals. Written whole under another name and moved into place, so that nobody ever
//! reads half of it; whoever changes it holds a lock, so that no key that somebody has just begun to use is written over.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::reached;
use crate::seal::{KeyId, KeyRing, RootKey};

/// Makes a key file, or reads the one that another process made at the same time.
pub(super) fn make(path: &Path) -> io::Result<RootKey> {
    let folder = folder_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let key = RootKey::generate().map_err(io::Error::other)?;
    let draft = draft(path, &format!(".{}.new", std::process::id()), &key.to_text())?;
    // Linked and not moved: the first one wins.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    File::open(folder)?.sync_all()?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = Zeroizing::new(std::fs::read_to_string(path)?);
            RootKey::parse(&text).map_err(io::Error::other)
        }
        Err(error) => Err(error),
    }
}

/// Puts a fresh key in front of those in the file; answers its id. Where `wanted` says no by the keys that are there, nothing
/// is written and there is no answer. Blocks while another process changes the file.
pub(super) fn add(path: &Path, wanted: impl FnOnce(&KeyRing) -> bool) -> io::Result<Option<KeyId>> {
    change(path, |keys, ring| {
        if !wanted(ring) {
            return Ok(None);
        }
        let key = RootKey::generate().map_err(io::Error::other)?;
        let mut text = Zeroizing::new(String::with_capacity(keys.len() + 64));
        text.push_str(&key.to_text());
        for old in keys.split_whitespace() {
            text.push('\n');
            text.push_str(old);
        }
        Ok(Some((key.id(), text)))
    })
}

/// Takes a key out of the file; answers whether it was there. The first one stays, whatever is asked: it seals.
pub(super) fn remove(path: &Path, id: KeyId) -> io::Result<bool> {
    let removed = change(path, |keys, ring| {
        if ring.current_id() == id || !ring.knows(id) {
            return Ok(None);
        }
        let mut text = Zeroizing::new(String::with_capacity(keys.len()));
        for key in keys.split_whitespace() {
            if RootKey::parse(key).map_err(io::Error::other)?.id() != id {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(key);
            }
        }
        Ok(Some((id, text)))
    });
    Ok(removed?.is_some())
}

type Changed = Option<(KeyId, Zeroizing<String>)>;

/// Replaces the file by what `by` makes of its text and keys.
fn change(path: &Path, by: impl FnOnce(&str, &KeyRing) -> io::Result<Changed>) -> io::Result<Option<KeyId>> {
    // A link is followed: what it names is changed, and not the link put in the place of the file.
    let path = path.canonicalize()?;
    let _lock = lock(&path)?;
    let text = Zeroizing::new(std::fs::read_to_string(&path)?);
    let ring = KeyRing::parse(&text).map_err(io::Error::other)?;
    let Some((id, text)) = by(&text, &ring)? else { return Ok(None) };
    // Under the lock the name is ours: what a killed process left there is written over.
    let draft = draft(&path, ".new", &text)?;
    reached("key_file.drafted");
    if let Err(error) = std::fs::rename(&draft, &path) {
        let _ = std::fs::remove_file(&draft);
        return Err(error);
    }
    reached("key_file.replaced");
    File::open(folder_of(&path))?.sync_all()?;
    Ok(Some(id))
}

/// Held by whoever changes the file, until dropped or the process ends. A file of its own: the key file is replaced.
fn lock(path: &Path) -> io::Result<File> {
    let beside = with_name(path, ".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}

/// A file beside `path` that holds `text`, for its owner only and on the disk.
fn draft(path: &Path, ending: &str, text: &str) -> io::Result<PathBuf> {
    let draft = with_name(path, ending);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(draft),
        Err(error) => {
            let _ = std::fs::remove_file(&draft);
            Err(error)
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with `ending` behind its last name.
fn with_name(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    folder_of(path).join(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ids(path: &Path) -> Vec<KeyId> {
        KeyRing::parse(&std::fs::read_to_string(path).unwrap()).unwrap().ids().collect()
    }

    #[test]
    fn a_new_key_goes_in_front_and_an_old_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = make(&path).unwrap().id();
        assert_eq!(make(&path).unwrap().id(), first);
        let second = add(&path, |ring| ring.current_id() == first).unwrap().unwrap();
        assert_eq!(add(&path, |ring| ring.current_id() == first).unwrap(), None);
        assert_eq!(ids(&path), [second, first]);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        assert!(!remove(&path, second).unwrap(), "the key that seals stays");
        assert!(remove(&path, first).unwrap());
        assert!(!remove(&path, first).unwrap());
        assert_eq!(ids(&path), [second]);
        let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "key" || name == "key.lock"), "{left:?}");
    }

    #[test]
    fn many_at_once_lose_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = make(&path).unwrap().id();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || (0..5).map(|_| add(&path, |_| true).unwrap().unwrap()).collect::<Vec<_>>())
            })
            .collect();
        let made: Vec<KeyId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let found = ids(&path);
        assert_eq!(found.len(), 41);
        assert!(made.iter().all(|id| found.contains(id)) && found.last() == Some(&first));
    }
}
