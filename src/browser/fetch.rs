//! Installing a Chromium: through Debian's packages, or as the vendor's download.
//!
//! The vendor publishes no checksums for its builds. What is checked is that the archive came over TLS from the vendor's
//! host and that each unpacked file has the length and CRC of the archive's directory. The SHA-256 of the binary is
//! written beside it, so that a later change of it can be noticed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::fetcher::{BrowserFetcher, BrowserFetcherOptions, BrowserKind, FetcherError};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, interval};

use super::{BrowserError, Flavor};
use crate::base::with_causes;

/// How often the growth of the archive is looked at: the fetcher does not tell of it.
const LOOK: Duration = Duration::from_millis(200);

/// A download that does not grow for this long has broken off; the fetcher itself would wait for good.
const STALLED: Duration = Duration::from_mins(1);

/// How a Chromium gets onto this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallPlan {
    /// Debian's packages: these commands, one after the other, as root. First words are programs.
    Apt(Vec<Vec<String>>),
    /// The vendor's build, put below this folder by [`download`].
    Download {
        /// Where to; a folder for each build is made in it.
        folder: PathBuf,
    },
}

/// What the plan depends on.
#[derive(Debug, Clone)]
pub struct System {
    /// The text of `/etc/os-release`; empty where there is none.
    pub os_release: String,
    /// Whether we are root.
    pub root: bool,
    /// Operating system and processor, as Rust names them: `linux`, `x86_64`.
    pub platform: (String, String),
}

impl System {
    /// This machine.
    pub fn here() -> Self {
        Self {
            os_release: std::fs::read_to_string("/etc/os-release").unwrap_or_default(),
            root: rustix::process::geteuid().is_root(),
            platform: (std::env::consts::OS.to_owned(), std::env::consts::ARCH.to_owned()),
        }
    }

    /// Debian itself: what derives from it may have a stub in place of the package (Ubuntu's installs a snap).
    fn is_debian(&self) -> bool {
        let ids = self.os_release.lines().filter_map(|line| line.trim().strip_prefix("ID="));
        ids.map(|id| id.trim_matches(['"', '\''])).any(|id| id == "debian")
    }
}

/// How to install a Chromium on `system`; downloads go below `downloads`. Fails where neither way exists.
pub fn plan(system: &System, downloads: &Path) -> Result<InstallPlan, BrowserError> {
    if system.is_debian() && system.root {
        let command = |words: &str| words.split(' ').map(str::to_owned).collect();
        return Ok(InstallPlan::Apt(vec![
            command("apt-get update"),
            command("apt-get install -y --no-install-recommends chromium chromium-headless-shell"),
        ]));
    }
    match (system.platform.0.as_str(), system.platform.1.as_str()) {
        ("linux", "x86_64") | ("macos", "x86_64" | "aarch64") => {
            Ok(InstallPlan::Download { folder: downloads.to_owned() })
        }
        (os, arch) => {
            let hint = if system.is_debian() {
                "run `apt-get install chromium chromium-headless-shell` as root"
            } else {
                "install Chromium with the system's package manager"
            };
            Err(BrowserError::Install(format!("its vendor has no build for {os} on {arch}; {hint}")))
        }
    }
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadProgress {
    /// Bytes of the archive that have come; how many there will be is not known before the end.
    Bytes(u64),
    /// All have come and are being unpacked.
    Unpacking,
}

/// Downloads the vendor's current build and puts it below `folder`, whole or not at all; answers the binary. What is
/// there already is not downloaded again. `progress` is called a few times a second.
pub async fn download(
    flavor: Flavor,
    folder: &Path,
    mut progress: impl FnMut(DownloadProgress),
) -> Result<PathBuf, BrowserError> {
    let failed = |what: &str, error: &io::Error| BrowserError::Install(format!("{what}: {error}"));
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|error| failed(&format!("make the folder {}", folder.display()), &error))?;
    // The fetcher unpacks in place; a folder of its own keeps half a browser from being taken for a whole one.
    let fresh = tempdir_in(folder).await.map_err(|error| failed("make a folder for the download", &error))?;
    let fetched = fetch(flavor, &fresh, &mut progress).await;
    let installed = match fetched {
        Ok(binary) => adopt(&fresh, folder, &binary).await.map_err(|error| failed("put it in place", &error)),
        Err(error) => Err(error),
    };
    let _ = tokio::fs::remove_dir_all(&fresh).await;
    installed
}

/// Runs the fetcher in `fresh` and watches the archive grow.
async fn fetch(
    flavor: Flavor,
    fresh: &Path,
    progress: &mut impl FnMut(DownloadProgress),
) -> Result<PathBuf, BrowserError> {
    let kind = match flavor {
        Flavor::HeadlessShell => BrowserKind::ChromeHeadlessShell,
        Flavor::Full => BrowserKind::Chrome,
    };
    let options = BrowserFetcherOptions::builder().with_kind(kind).with_path(fresh).build().map_err(|e| explain(&e))?;
    let fetcher = BrowserFetcher::new(options);
    let work = fetcher.fetch();
    tokio::pin!(work);
    let mut look = interval(LOOK);
    let (mut seen, mut grown) = (0, Instant::now());
    loop {
        tokio::select! {
            done = &mut work => return done.map(|found| found.executable_path).map_err(|error| explain(&error)),
            _ = look.tick() => {
                let (bytes, unpacking) = size(fresh).await;
                if bytes != seen {
                    (seen, grown) = (bytes, Instant::now());
                    progress(if unpacking { DownloadProgress::Unpacking } else { DownloadProgress::Bytes(bytes) });
                } else if !unpacking && grown.elapsed() > STALLED {
                    let reason = format!("nothing came for {}", crate::base::show_duration(STALLED));
                    return Err(BrowserError::Install(reason));
                }
            }
        }
    }
}

/// The size of the archive, and whether it is being unpacked.
async fn size(fresh: &Path) -> (u64, bool) {
    let Ok(mut entries) = tokio::fs::read_dir(fresh).await else { return (0, false) };
    let (mut bytes, mut unpacking) = (0, false);
    while let Ok(Some(entry)) = entries.next_entry().await {
        let Ok(found) = entry.metadata().await else { continue };
        unpacking |= found.is_dir();
        bytes += if found.is_file() { found.len() } else { 0 };
    }
    (bytes, unpacking)
}

/// Moves a finished build from `fresh` to `folder` and notes the binary's SHA-256 beside it.
async fn adopt(fresh: &Path, folder: &Path, binary: &Path) -> io::Result<PathBuf> {
    // `<fresh>/<build>/<archive>/<binary>`: two flavours of one build share its folder.
    let inside = binary.strip_prefix(fresh).map_err(io::Error::other)?;
    let archive: PathBuf = inside.components().take(2).collect();
    let target = folder.join(&archive);
    let (source, sum_of) = (fresh.join(&archive), binary.to_owned());
    let sum = tokio::task::spawn_blocking(move || sha256(&sum_of)).await??;
    let mut note = binary.as_os_str().to_owned();
    note.push(".sha256");
    tokio::fs::write(note, format!("{sum}\n")).await?;
    if let Some(parent) = target.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    if tokio::fs::try_exists(&target).await? {
        tokio::fs::remove_dir_all(&target).await?;
    }
    tokio::fs::rename(source, target).await?;
    Ok(folder.join(inside))
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(HEXLOWER.encode(&digest.finalize())),
            read => digest.update(&chunk[..read]),
        }
    }
}

/// A new folder beside the installed builds, so that moving is renaming; hidden, so that nobody takes it for one.
async fn tempdir_in(folder: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let path = folder.join(format!(".new-{}", HEXLOWER.encode(&bytes)));
    tokio::fs::create_dir(&path).await?;
    Ok(path)
}

/// The fetcher's error with its causes: its own words end at "download failed".
fn explain(error: &FetcherError) -> BrowserError {
    let text = with_causes(error);
    BrowserError::Install(format!("{text} (is the network reachable, and HTTPS_PROXY set where it needs a proxy?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(os_release: &str, root: bool, platform: (&str, &str), expected: &str) {
        let platform = (platform.0.to_owned(), platform.1.to_owned());
        let system = System { os_release: os_release.to_owned(), root, platform };
        let found = match plan(&system, Path::new("/cache")) {
            Ok(InstallPlan::Apt(commands)) => commands.last().unwrap().join(" "),
            Ok(InstallPlan::Download { folder }) => format!("download to {}", folder.display()),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{found:?} for {system:?}");
    }

    #[test]
    fn only_debian_itself_is_given_packages_and_only_to_root() {
        const DEBIAN: &str = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n";
        const UBUNTU: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n";
        check(DEBIAN, true, ("linux", "x86_64"), "install -y --no-install-recommends chromium chromium-headless-shell");
        check(DEBIAN, true, ("linux", "aarch64"), "apt-get install");
        check(DEBIAN, false, ("linux", "x86_64"), "download to /cache");
        check(DEBIAN, false, ("linux", "aarch64"), "as root");
        check(UBUNTU, true, ("linux", "x86_64"), "download to /cache");
        check("ID=fedora", true, ("linux", "aarch64"), "no build for linux on aarch64");
        check("", false, ("macos", "aarch64"), "download to /cache");
    }

    #[tokio::test]
    async fn a_build_is_moved_into_place_whole_with_its_sum() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = tempdir_in(folder.path()).await.unwrap();
        let binary = fresh.join("linux-1.2.3").join("chrome-linux64").join("chrome");
        std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
        std::fs::write(&binary, "abc").unwrap();
        let installed = adopt(&fresh, folder.path(), &binary).await.unwrap();
        assert_eq!(installed, folder.path().join("linux-1.2.3/chrome-linux64/chrome"));
        assert_eq!(
            std::fs::read_to_string(installed.with_extension("sha256")).unwrap().trim(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_failed_download_says_what_failed() {
        let error = explain(&FetcherError::UnsupportedOs("plan9", "mips"));
        assert_eq!(error.code(), "browser_install_failed");
        assert!(error.to_string().contains("plan9"), "{error}");
    }
}
