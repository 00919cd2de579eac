//! A folder with all that is below it: whether anything there may have changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::FilesError;
use super::burst::Ear;

/// Watches a folder and all folders below it, those that are made later too. Nothing is polled.
pub struct Tree {
    /// Ends the watching as it goes.
    watcher: RecommendedWatcher,
    ear: Arc<Ear>,
    root: PathBuf,
}

impl Tree {
    /// Begins to watch; fails where there is no such folder.
    pub fn watch(folder: &Path) -> Result<Self, FilesError> {
        let root = folder.canonicalize().map_err(|error| FilesError::Unavailable(error.to_string()))?;
        let ear = Arc::new(Ear::default());
        ear.listen_below(root.clone());
        let hearing = ear.clone();
        let mut watcher = notify::recommended_watcher(move |told| hearing.hear(&told))?;
        watcher.watch(&root, RecursiveMode::Recursive)?;
        Ok(Self { watcher, ear, root })
    }

    /// Waits until something happened to a file below that is more than being read. It has then been quiet for 50 ms, or restless
    /// for 500. Nothing is lost where it is dropped while it waits.
    pub async fn changed(&mut self) -> Result<(), FilesError> {
        let burst = self.ear.burst().await;
        if !burst.gone.is_empty() && self.root.is_dir() {
            // Another folder by the same name may stand there now.
            let _ = self.watcher.unwatch(&self.root);
            self.watcher.watch(&self.root, RecursiveMode::Recursive)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_happens_below_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::watch(folder.path()).unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        tree.changed().await.unwrap();
        std::fs::write(folder.path().join("deep/a.rhai"), "1").unwrap();
        tree.changed().await.unwrap();
        std::fs::remove_file(folder.path().join("deep/a.rhai")).unwrap();
        tree.changed().await.unwrap();
        assert!(Tree::watch(&folder.path().join("nowhere")).is_err());
    }
}
