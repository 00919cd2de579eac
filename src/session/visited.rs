//! Where documents were during a run: what a save looks at.

use std::collections::BTreeSet;

use super::storage_key;

/// Where documents were, by origins with a slash at the end.
#[derive(Clone, Default)]
pub(super) struct Visited {
    /// In tabs of their own, and in frames that are or may be of the tab's site.
    pub(super) origins: BTreeSet<String>,
    /// In frames of other sites: the tab's origin, the frame's.
    pub(super) below: BTreeSet<(String, String)>,
    /// Further storage keys that were in use.
    pub(super) keys: BTreeSet<String>,
    /// Whether the address of one had a user's name or a password in it, which Chromium remembers.
    pub(super) with_password: bool,
}

impl Visited {
    /// A document of `origin`, in a tab that is at `top` or in that of its own.
    pub(super) fn add(&mut self, top: Option<&str>, origin: &str) {
        match top.filter(|top| *top != origin) {
            Some(top) if !storage_key::may_be_one_site(top, origin) => {
                self.below.insert((top.to_owned(), origin.to_owned()));
            }
            _ => drop(self.origins.insert(origin.to_owned())),
        }
    }
}

/// Whether an address has a user's name or a password in it.
pub(super) fn has_password(url: &str) -> bool {
    url.contains('@') && url::Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
}
