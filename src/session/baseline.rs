//! What a session was opened or last saved with: what its state is told against.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Version;

use super::Cookie;
use super::emulate::KeptIdentity;
use super::part::Names;
use super::profile::{Archived, ProfileRef};
use super::sessions::{Prefetched, Stored};
use super::state::{Beside, PartRef};

/// A state to compare with: what a session was opened or last saved with.
#[derive(Clone, Default)]
pub(super) struct Base {
    pub(super) stored: Option<Arc<Stored>>,
    /// Those of its parts that are at hand.
    pub(super) sealed: Arc<Prefetched>,
    /// Names and digests of the parts that have been looked into, by storage key.
    pub(super) names: HashMap<String, Names>,
}

impl Base {
    pub(super) fn of(stored: Option<Stored>, sealed: Prefetched) -> Self {
        Self { stored: stored.map(Arc::new), sealed: Arc::new(sealed), names: HashMap::new() }
    }

    /// The same state in a browser that nothing of it has been restored to.
    pub(super) fn afresh(&self) -> Self {
        Self { stored: self.stored.clone(), sealed: self.sealed.clone(), names: HashMap::new() }
    }

    /// What is in the store; none where nothing has been saved.
    pub(super) fn stored(&self) -> Option<&Arc<Stored>> {
        self.stored.as_ref()
    }

    /// Parts that need not be asked of the store.
    pub(super) fn sealed(&self) -> &Arc<Prefetched> {
        &self.sealed
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.stored.as_ref().map(|stored| stored.version)
    }

    /// Whether something is kept of this storage key.
    pub(super) fn has_part(&self, key: &str) -> bool {
        self.parts().any(|part| part.storage_key == key)
    }

    /// Whether its part has been looked into.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.names.contains_key(key)
    }

    /// With what has been learnt of the parts since.
    pub(super) fn with_names(&self, names: HashMap<String, Names>) -> Self {
        let mut all = names;
        all.extend(self.names.clone());
        Self { stored: self.stored.clone(), sealed: self.sealed.clone(), names: all }
    }

    /// The archive of its user-data directory, where it has one.
    pub(super) fn profile(&self) -> Option<&ProfileRef> {
        self.stored.as_ref()?.index.beside.profile.as_ref()
    }

    /// What it told sites; none where nothing is known of that.
    pub(super) fn identity(&self) -> Option<&KeptIdentity> {
        self.stored.as_ref()?.index.beside.identity.as_deref()
    }

    /// What of its state is in that archive; none where there is no archive.
    pub(super) fn archived(&self) -> Option<Archived> {
        let stored = self.stored.as_ref()?;
        Archived::in_version(&stored.index, stored.version)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &PartRef> {
        self.stored.iter().flat_map(|stored| &stored.index.parts)
    }

    pub(super) fn beside(&self) -> Option<&Beside> {
        self.stored.as_ref().map(|stored| &stored.index.beside)
    }

    pub(super) fn cookies(&self) -> &[Cookie] {
        self.stored.as_ref().map_or(&[], |stored| &stored.index.cookies)
    }
}
