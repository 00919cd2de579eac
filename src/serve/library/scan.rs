//! What a folder of scripts has, and whether each passes its check.

use std::io;
use std::path::{Path, PathBuf};

use crate::script::{self, Source};

use super::ScriptProblem;

/// What the files of scripts end with.
pub(super) const EXTENSION: &str = ".rhai";
/// How deep folders are looked through, and how many scripts there may be.
const DEEPEST: usize = 8;
const MOST: usize = 10_000;

/// A file of the folder.
pub(super) struct Found {
    /// Its path below the folder, without the extension.
    pub(super) name: String,
    pub(super) text: String,
}

/// All scripts below `folder`, whatever folders they lie in; not those that a symbolic link leads out to, and no hidden ones. Blocks
/// on the disk.
pub(super) fn scan(folder: &Path, largest: usize) -> io::Result<Vec<Found>> {
    let root = folder.canonicalize()?;
    let mut found = Vec::new();
    let mut left = vec![(root.clone(), 0)];
    while let Some((within, depth)) = left.pop() {
        let listed = match std::fs::read_dir(&within) {
            Ok(listed) => listed,
            Err(error) if depth == 0 => return Err(error),
            // It went meanwhile, or is not for us.
            Err(_) => continue,
        };
        for entry in listed.flatten() {
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let path = entry.path();
            let leads_in = path.canonicalize().is_ok_and(|real| real.starts_with(&root));
            if is_hidden || !leads_in || found.len() >= MOST {
                continue;
            }
            if path.is_dir() && depth < DEEPEST && !path.is_symlink() {
                left.push((path, depth + 1));
            } else if let Some(script) = read(&root, &path, largest) {
                found.push(script);
            }
        }
    }
    Ok(found)
}

fn read(root: &Path, path: &Path, largest: usize) -> Option<Found> {
    let name = path.strip_prefix(root).ok()?.to_str()?.strip_suffix(EXTENSION)?.to_owned();
    let size = std::fs::metadata(path).ok()?.len();
    let fits = usize::try_from(size).is_ok_and(|size| size <= largest);
    if !fits {
        tracing::warn!(script = name, size, "a script is too large and is left out");
        return None;
    }
    Some(Found { name, text: std::fs::read_to_string(path).ok()? })
}

/// The first mistake in a script; secrets and identities count as there.
pub(super) async fn problem(text: String, import_root: PathBuf) -> Option<ScriptProblem> {
    let check = move || {
        let source =
            Source { text: &text, import_root: &import_root, has_secret: &|_| true, has_identity: &|_| Ok(()) };
        script::check(&source)
    };
    let problems = script::on_thread(check).await.unwrap_or_default();
    problems.into_iter().next().map(|problem| ScriptProblem {
        code: problem.code.into_owned(),
        message: problem.message,
        line: problem.place.as_ref().map(|place| place.line),
        column: problem.place.as_ref().map(|place| place.column),
    })
}
