//! A folder whose files are followed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaven::files::Watch;

/// How long a change may take to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of its own, and what of it is followed.
pub struct Desk {
    folder: tempfile::TempDir,
    pub watch: Watch,
}

impl Desk {
    /// With `a.rhai`, which is followed.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rhai"), "first").unwrap();
        let mut desk = Self { folder, watch: Watch::new().unwrap() };
        desk.follow(&["a.rhai"]);
        desk
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.at(from), self.at(to)).unwrap();
    }

    /// Follows these, and the file that [`Self::nothing_more`] writes.
    pub fn follow(&mut self, names: &[&str]) {
        let files: Vec<PathBuf> = names.iter().chain(&["last.rhai"]).map(|name| self.at(name)).collect();
        self.watch.follow(files).unwrap();
    }

    /// The names of what changed next.
    #[track_caller]
    pub fn changed(&mut self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let watch = &mut self.watch;
        let told = runtime.block_on(async { tokio::time::timeout(PATIENCE, watch.changed()).await });
        let told = told.expect("a change is told").unwrap();
        told.iter().map(|file| file.strip_prefix(self.folder.path()).unwrap().display().to_string()).collect()
    }

    /// The next change is this file's, and it holds `text` when it is told.
    #[track_caller]
    pub fn tells(&mut self, name: &str, text: &str) {
        assert_eq!(self.changed(), [name]);
        assert_eq!(std::fs::read_to_string(self.at(name)).unwrap(), text);
    }

    /// Nothing was told since: the next change is that of a file written now.
    #[track_caller]
    pub fn nothing_more(&mut self) {
        self.write("last.rhai", &format!("{:?}", std::time::Instant::now()));
        assert_eq!(self.changed(), ["last.rhai"]);
    }
}
