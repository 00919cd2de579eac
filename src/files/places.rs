//! The places at which something has to happen for a path to show other contents: the name itself, every symbolic link on
//! the way to it, and, while a folder is missing, the name under which that folder would appear.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// As many links as the system itself follows before it speaks of a circle.
const LINKS: usize = 40;

/// Names whose appearing, changing or going matters to `file`. Each lies directly in a folder that exists, and that folder
/// has its real path: a watched folder is told under one name only. Looks at the disk.
pub fn of(file: &Path) -> BTreeSet<PathBuf> {
    let mut places = BTreeSet::new();
    let mut left = vec![file.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(path) = left.pop() {
        if seen.len() > LINKS || !seen.insert(path.clone()) {
            continue;
        }
        places.extend(place(&path));
        for link in path.ancestors() {
            let Ok(target) = std::fs::read_link(link) else { continue };
            places.extend(place(link));
            let below = path.strip_prefix(link).unwrap_or(Path::new(""));
            let target = link.parent().unwrap_or(Path::new("/")).join(target);
            // Joining nothing would leave a slash behind, and with it a folder where a file is meant.
            left.push(if below.as_os_str().is_empty() { target } else { target.join(below) });
        }
    }
    places
}

/// `path` as a name in an existing folder; where folders are missing, the first of them.
fn place(path: &Path) -> Option<PathBuf> {
    let (mut folder, mut name) = (path.parent()?, path.file_name()?);
    loop {
        match folder.canonicalize() {
            Ok(real) if real.is_dir() => return Some(real.join(name)),
            _ => (folder, name) = (folder.parent()?, folder.file_name()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(file: &Path, root: &Path, expected: &[&str]) {
        let root = root.canonicalize().unwrap();
        let expected: BTreeSet<PathBuf> = expected.iter().map(|name| root.join(name)).collect();
        assert_eq!(of(file), expected);
    }

    #[test]
    fn a_file_is_itself_whether_it_is_there_or_not() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        check(&at("a.rhai"), root.path(), &["a.rhai"]);
        check(&at("deep/er/a.rhai"), root.path(), &["deep"]);
        std::fs::create_dir_all(at("deep/er")).unwrap();
        check(&at("deep/er/a.rhai"), root.path(), &["deep/er/a.rhai"]);
    }

    #[test]
    fn links_on_the_way_matter_too() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("one/real")).unwrap();
        std::fs::write(at("one/real/b.rhai"), "").unwrap();
        symlink("one", at("now")).unwrap();
        symlink("real/b.rhai", at("one/a.rhai")).unwrap();
        check(&at("now/a.rhai"), root.path(), &["now", "one/a.rhai", "one/real/b.rhai"]);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        check(&root.path().join("a"), root.path(), &["a", "b"]);
    }
}
