//! What may have changed in the tabs of one context since somebody last asked: storage keys, as navigations and Chromium's
//! events name them, and whether anything happened at all after which cookies may differ.
//!
//! It tells where to look, never that there is nothing to see: the private file system and service workers have no events,
//! those of IndexedDB come late, and a tab that has closed tells nothing any more. The save at the end therefore looks at
//! every origin that was visited, and only checkpoints go by this.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chromiumoxide::cdp::browser_protocol::storage::{
    TrackCacheStorageForStorageKeyParams, TrackIndexedDbForStorageKeyParams,
};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::browser::{Cdp, RawEvent};

/// The events of [`Dirty::track`]; whoever follows a tab hands them to [`Dirty::note`].
pub(super) const EVENTS: [&str; 4] = [
    "Storage.indexedDBContentUpdated",
    "Storage.indexedDBListUpdated",
    "Storage.cacheStorageContentUpdated",
    "Storage.cacheStorageListUpdated",
];

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Dirty(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    keys: BTreeSet<String>,
    stirred: bool,
    /// By CDP session and storage key.
    tracked: HashSet<(String, String)>,
}

/// The field of all [`EVENTS`] that matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Updated {
    storage_key: String,
}

impl Dirty {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `key` keeps may have changed.
    pub(super) fn touch(&self, key: &str) {
        let mut state = self.state();
        // A page that writes all the time costs a look each time and nothing more.
        if !state.keys.contains(key) {
            state.keys.insert(key.to_owned());
            drop(state);
            self.0.changed.notify_one();
        }
    }

    /// Something happened, perhaps to cookies only.
    pub(super) fn stir(&self) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.stirred, true) {
            drop(state);
            self.0.changed.notify_one();
        }
    }

    /// Takes one of [`EVENTS`].
    pub(super) fn note(&self, event: &RawEvent) {
        if let Some(Updated { storage_key }) = event.decode() {
            self.touch(&storage_key);
        }
    }

    /// Resolves once something has happened since [`Self::take`]. For one who waits.
    pub(super) async fn changed(&self) {
        loop {
            {
                let state = self.state();
                if state.stirred || !state.keys.is_empty() {
                    return;
                }
            }
            self.0.changed.notified().await;
        }
    }

    /// The keys that may have changed; from here on those that change after this.
    pub(super) fn take(&self) -> BTreeSet<String> {
        let mut state = self.state();
        state.stirred = false;
        std::mem::take(&mut state.keys)
    }

    /// Has Chromium tell of changes of IndexedDB and Cache Storage, unless it does for this key in this tab. Nothing is waited
    /// for: what is read later in the same tab is read after this has begun.
    pub(super) fn track(&self, tab: &Cdp, key: &str) {
        if self.state().tracked.insert((tab.session_id().to_owned(), key.to_owned())) {
            tab.send(TrackIndexedDbForStorageKeyParams::new(key)).forget();
            tab.send(TrackCacheStorageForStorageKeyParams::new(key)).forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_was_taken_is_clean_until_it_changes_again() {
        let dirty = Dirty::default();
        let is_waiting = || dirty.changed().now_or_never().is_none();
        assert!(is_waiting());
        dirty.touch("https://a.example/");
        dirty.touch("https://a.example/");
        assert!(!is_waiting() && !is_waiting());
        assert_eq!(dirty.take(), BTreeSet::from(["https://a.example/".to_owned()]));
        assert!(is_waiting());
        dirty.stir();
        assert!(!is_waiting());
        assert!(dirty.take().is_empty() && is_waiting());
    }
}
