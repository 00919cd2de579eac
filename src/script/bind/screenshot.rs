//! `screenshot`, and the rule that files are written below the working folder only.

use std::path::{Component, Path, PathBuf};

use rhai::Dynamic;

use super::{Answer, Call, Verb};
use crate::page::ScreenshotOptions;
use crate::script::ScriptError;

pub(super) const VERBS: &[(&str, Verb)] = &[("screenshot", screenshot)];

fn screenshot(call: &Call) -> Answer {
    let deadline = call.deadline();
    let path = call.arg("path").map(|_| call.text("path"));
    let target = path.as_deref().map(|path| place(&call.host.working_folder, path)).transpose()?;
    let options = call.options();
    let by_path = path.as_deref().map(Path::new).and_then(Path::extension).and_then(|extension| extension.to_str());
    let jpeg = match options.text("type") {
        Some(kind) => kind == "jpeg",
        None => by_path.is_some_and(|extension| matches!(extension.to_lowercase().as_str(), "jpg" | "jpeg")),
    };
    let options = ScreenshotOptions {
        selector: options.selectors("selector").pop(),
        full_page: options.flag("full_page"),
        mask: options.selectors("mask"),
        jpeg,
    };
    let page = call.page()?;
    let picture = call.wait(page.screenshot(&options, deadline))?;
    match (path, target) {
        (Some(path), Some(target)) => {
            write(&target, &picture).map_err(|error| ScriptError::new("file_error", format!("{path}: {error}")))?;
            Ok(path.into())
        }
        _ => Ok(Dynamic::from_blob(picture)),
    }
}

/// Where `path` lies below `folder`. Refuses what leads out of it, also by a symbolic link.
fn place(folder: &Path, path: &str) -> Result<PathBuf, ScriptError> {
    let refuse = |why: &str| {
        let message = format!("{path:?} {why}; files are written below {} only", folder.display());
        ScriptError::new("path_refused", message)
    };
    let failed = |error: std::io::Error| ScriptError::new("file_error", format!("{path}: {error}"));
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.is_empty() || path.ends_with('/') || !Path::new(path).components().all(plain) {
        return Err(refuse("is not a plain relative path of a file"));
    }
    let folder = folder.canonicalize().map_err(failed)?;
    let target = folder.join(path);
    let parent = target.parent().unwrap_or(&folder);
    // The part that is there already must not lead out, before anything is made in it.
    let standing = parent.ancestors().find(|part| part.exists()).unwrap_or(&folder);
    if !standing.canonicalize().map_err(failed)?.starts_with(&folder) {
        return Err(refuse("leads out through a symbolic link"));
    }
    std::fs::create_dir_all(parent).map_err(failed)?;
    if target.is_dir() {
        return Err(refuse("is a folder"));
    }
    Ok(target)
}

/// Whole or not at all; a symbolic link at the target is replaced, not followed.
fn write(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, target));
    if written.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        for good in ["a.png", "./a.png", "deep/er/a.png"] {
            let target = place(folder.path(), good).unwrap();
            write(&target, b"picture").unwrap();
            assert_eq!(std::fs::read(folder.path().join(good)).unwrap(), b"picture");
        }
        for bad in ["", "../a.png", "a/../../b.png", "/tmp/a.png", "link/a.png", "link/new/a.png", "deep/", "deep"] {
            assert_eq!(place(folder.path(), bad).unwrap_err().code(), "path_refused", "{bad:?}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
