//! Finding a Chromium on this machine.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use chromiumoxide::detection::{DetectionOptions, default_executable};
use rustix::fs::{Access, access};

use super::{BrowserError, Flavor};

/// A Chromium that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The real binary, not a wrapper script.
    pub path: PathBuf,
    /// Which it is.
    pub flavor: Flavor,
    /// Where from, for people: `named`, `system`, `downloaded`.
    pub source: &'static str,
}

/// Where distributions put the headless shell.
const SHELLS: [&str; 4] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib/chromium/headless_shell",
    "/usr/lib64/chromium-browser/headless_shell",
    "/opt/google/chrome-headless-shell/chrome-headless-shell",
];

/// Where full Chromium and its kin are put.
const FULL: [&str; 10] = [
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium/chrome",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/usr/lib64/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/opt/chromium.org/chromium/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/opt/homebrew/bin/chromium",
];

/// Names of binaries beside a wrapper script, or in the folder that it names.
const NAMES: [&str; 6] =
    ["chromium-headless-shell", "chrome-headless-shell", "headless_shell", "chromium", "chrome", "chromium-browser"];

/// How much of a wrapper script is looked at.
const SCRIPT: u64 = 64 * 1024;

/// The browser to use for `flavor`, quickly: looks at well-known places and, where the vendor's download keeps them,
/// below `downloads`; starts nothing. Full Chromium stands in where there is no headless shell.
pub fn find(flavor: Flavor, downloads: Option<&Path>) -> Result<Found, BrowserError> {
    let here = || candidates(downloads);
    let fitting = here().find(|found| found.flavor == flavor);
    let fitting = fitting.or_else(|| here().find(|found| found.flavor == Flavor::Full));
    let found = fitting.or_else(detected);
    match (flavor, found) {
        (Flavor::Full, Some(found)) if found.flavor == Flavor::HeadlessShell => {
            Err(BrowserError::FullNotInstalled { tried: format!("only {} is there", found.path.display()) })
        }
        (_, Some(found)) => Ok(found),
        (Flavor::Full, None) if let Some(shell) = here().next() => {
            Err(BrowserError::FullNotInstalled { tried: format!("only {} is there", shell.path.display()) })
        }
        (_, None) => Err(BrowserError::NotInstalled { tried: tried(downloads) }),
    }
}

/// All that are here, best first.
pub fn installed(downloads: Option<&Path>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for found in candidates(downloads).chain(detected()) {
        if !all.iter().any(|known| known.path == found.path) {
            all.push(found);
        }
    }
    all
}

/// The browser that a user has named: the binary itself, or what a wrapper script starts.
pub fn named(path: &Path) -> Result<Found, BrowserError> {
    let refused =
        |reason: &str| BrowserError::Launch { executable: path.display().to_string(), reason: reason.to_owned() };
    if !path.exists() {
        return Err(BrowserError::NotInstalled { tried: format!("{} does not exist", path.display()) });
    }
    if path.is_dir() {
        return Err(refused("it is a folder, not a program"));
    }
    if access(path, Access::EXEC_OK).is_err() {
        return Err(refused("it is not executable"));
    }
    let real = resolve(path).ok_or_else(|| {
        refused("it is a script, and which Chromium it starts cannot be told; name the binary itself")
    })?;
    Ok(Found { flavor: flavor_of(&real), path: real, source: "named" })
}

/// What is at the well-known places, headless shells first.
fn candidates(downloads: Option<&Path>) -> impl Iterator<Item = Found> {
    let system = SHELLS.iter().chain(&FULL).map(|path| (PathBuf::from(path), "system"));
    let downloaded = downloads.map(downloaded).unwrap_or_default().into_iter().map(|path| (path, "downloaded"));
    system.chain(downloaded).filter_map(|(path, source)| {
        let path = resolve(&path)?;
        Some(Found { flavor: flavor_of(&path), path, source })
    })
}

/// Binaries in the vendor's download folder, newest name first: `<folder>/<build>/<archive>/<binary>`.
fn downloaded(folder: &Path) -> Vec<PathBuf> {
    let below = |folder: PathBuf| {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort_by(|a, b| b.cmp(a));
        entries
    };
    let archives = below(folder.to_owned()).into_iter().flat_map(below).filter(|path| path.is_dir());
    let mac = "Chromium.app/Contents/MacOS/Chromium";
    archives.flat_map(|archive| NAMES.iter().chain([&mac]).map(move |name| archive.join(name))).collect()
}

/// The last resort: whatever else calls itself Chrome on the search path.
fn detected() -> Option<Found> {
    let path = default_executable(DetectionOptions { msedge: true, unstable: false }).ok()?;
    let path = resolve(&path)?;
    Some(Found { flavor: flavor_of(&path), path, source: "system" })
}

/// The binary behind `path`: wrapper scripts of distributions do not replace themselves by Chromium, and a snap's stub
/// runs it where our folders cannot be seen.
fn resolve(path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    if !real.is_file() || access(&real, Access::EXEC_OK).is_err() || real.file_name()? == "snap" {
        return None;
    }
    match script(&real) {
        None => Some(real),
        Some(text) => started_by(&real, &text),
    }
}

/// The text of a wrapper script; none for anything else.
fn script(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(SCRIPT).read_to_end(&mut bytes).ok()?;
    bytes.starts_with(b"#!").then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The Chromium that a wrapper script starts: a path that it names, a known name in a folder that it names, or one beside
/// it.
fn started_by(wrapper: &Path, text: &str) -> Option<PathBuf> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ':' | ';' | '(' | ')'));
    let paths: Vec<&Path> = words.filter(|word| word.starts_with('/')).map(Path::new).collect();
    let own_name = wrapper.file_name().into_iter().map(PathBuf::from);
    let names: Vec<PathBuf> = own_name.chain(NAMES.iter().map(PathBuf::from)).collect();
    let folders = paths.iter().copied().chain(wrapper.parent());
    let inside = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let is_binary = |path: &PathBuf| {
        path.is_file()
            && path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.contains("chrom") || name.contains("headless"))
            && access(path, Access::EXEC_OK).is_ok()
            && script(path).is_none()
    };
    paths
        .iter()
        .map(|path| path.to_path_buf())
        .chain(inside)
        .find(is_binary)
        .and_then(|path| fs::canonicalize(path).ok())
}

/// Told by its name: starting it to ask would cost a start.
fn flavor_of(path: &Path) -> Flavor {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.contains("headless") { Flavor::HeadlessShell } else { Flavor::Full }
}

fn tried(downloads: Option<&Path>) -> String {
    let downloads = downloads.map_or(String::new(), |folder| format!(", below {}", folder.display()));
    format!("looked for {}, {}{downloads}, and for chrome and chromium on the search path", SHELLS[0], FULL[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn executable(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn wrapper_scripts_are_followed_to_the_binary() {
        let folder = tempfile::tempdir().unwrap();
        let (lib, bin) = (folder.path().join("lib"), folder.path().join("bin"));
        fs::create_dir_all(&lib).unwrap();
        fs::create_dir_all(&bin).unwrap();
        executable(&lib.join("chromium"), "\x7fELF");
        let wrapper = bin.join("chromium");
        let real = fs::canonicalize(lib.join("chromium")).unwrap();
        for text in [
            format!("#!/bin/sh\n{}/chromium \"$@\"\n", lib.display()),
            format!("#!/bin/sh\nLIBDIR={}\nexec $LIBDIR/$APPNAME \"$@\"\n", lib.display()),
        ] {
            executable(&wrapper, &text);
            assert_eq!(named(&wrapper).unwrap().path, real, "{text}");
        }
        executable(&wrapper, "#!/bin/sh\nexec something\n");
        assert!(named(&wrapper).unwrap_err().to_string().contains("name the binary itself"));
    }

    #[test]
    fn what_cannot_be_started_is_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "x").unwrap();
        for (path, reason) in [
            (folder.path().join("missing"), "does not exist"),
            (folder.path().to_owned(), "a folder"),
            (plain, "not executable"),
        ] {
            assert!(named(&path).unwrap_err().to_string().contains(reason), "{reason}");
        }
    }

    #[test]
    fn downloads_are_found_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        for build in ["1500000", "1600000"] {
            let archive = folder.path().join(build).join("chrome-linux");
            fs::create_dir_all(&archive).unwrap();
            executable(&archive.join("chrome"), "\x7fELF");
        }
        let all = installed(Some(folder.path()));
        let ours: Vec<_> = all.iter().filter(|found| found.source == "downloaded").collect();
        assert_eq!(ours.len(), 2);
        assert!(ours[0].path.to_string_lossy().contains("1600000"));
        assert_eq!(ours[0].flavor, Flavor::Full);
    }
}
