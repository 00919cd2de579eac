//! What of a session's state is laid over an archive of its profile.
//!
//! With an archive is kept what of the state it has, by digest ([`Archived`]): what a later save, a rollback or a fork made of the
//! state is told by comparing, whatever the versions' numbers. What the archive has already is left alone, for it has more of it
//! than the state can: keys that cannot leave a page. Cookies without an expiry and sessionStorage are in no archive.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::cookies;
use super::super::state::{Index, PartRef};
use crate::base::Version;

/// What of the state an archive has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::session) struct Archived {
    /// The digest of the cookies.
    cookies: String,
    /// The digests of the parts, by storage key.
    origins: BTreeMap<String, String>,
}

/// What is done with the state when the browser has started.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session) struct Overlay {
    /// The browser has nothing yet: a context or a directory that is new.
    pub(in crate::session) is_new: bool,
    /// Whether the cookies are not those that the browser has.
    pub(in crate::session) cookies_differ: bool,
    /// Storage keys whose part is in place.
    pub(in crate::session) in_place: BTreeSet<String>,
    /// Storage keys that nothing is kept of any more, and that the browser still has.
    pub(in crate::session) gone: Vec<String>,
}

impl Archived {
    /// Of a directory that has these cookies and parts, but for those that are `pending`: of them it has what it had `before`.
    pub(in crate::session) fn of<'a>(
        cookies: &[super::super::Cookie],
        digests: impl Iterator<Item = (&'a str, String)>,
        pending: impl Fn(&str) -> bool,
        before: Option<&Self>,
    ) -> Self {
        let was = |key: &str| before.and_then(|before| before.origins.get(key).cloned());
        let origins =
            digests.filter_map(|(key, now)| Some((key.to_owned(), if pending(key) { was(key)? } else { now })));
        Self { cookies: cookies::digest(cookies), origins: origins.collect() }
    }

    /// What the archive of a version has; none where it has no archive.
    pub(in crate::session) fn in_version(index: &Index, version: Version) -> Option<Self> {
        let profile = index.beside.profile.as_ref()?;
        if let Some(archived) = &index.beside.archived {
            return Some(archived.clone());
        }
        // An archive that was imported.
        if profile.state == version {
            return Some(Self::of(&index.cookies, digests(&index.parts), |_| false, None));
        }
        let origins = profile.origins.iter().map(|origin| (origin.clone(), String::new()));
        Some(Self { cookies: String::new(), origins: origins.collect() })
    }

    /// Whether it has this of a storage key.
    pub(in crate::session) fn has(&self, key: &str, digest: &str) -> bool {
        self.origins.get(key).is_some_and(|has| has == digest)
    }

    /// Nothing is known any more of what it has of a storage key.
    pub(in crate::session) fn forget(&mut self, key: &str) {
        self.origins.remove(key);
    }

    /// Whether it has all of the state of a version.
    pub(in crate::session) fn has_all_of(&self, index: &Index) -> bool {
        let overlay = Overlay::over(Some(self), index);
        !overlay.cookies_differ && overlay.in_place.len() == index.parts.len() && overlay.gone.is_empty()
    }
}

impl Overlay {
    /// Everything, over nothing.
    pub(in crate::session) fn all() -> Self {
        Self { is_new: true, cookies_differ: true, in_place: BTreeSet::new(), gone: Vec::new() }
    }

    /// Over an archive that has this much of the state.
    pub(in crate::session) fn over(archived: Option<&Archived>, index: &Index) -> Self {
        let Some(archived) = archived else { return Self::all() };
        let has = |part: &&PartRef| part.bytes == 0 || archived.has(&part.storage_key, &part.digest);
        let kept: BTreeSet<&str> = index.parts.iter().map(|part| part.storage_key.as_str()).collect();
        Self {
            is_new: false,
            cookies_differ: archived.cookies != cookies::digest(&index.cookies),
            in_place: index.parts.iter().filter(has).map(|part| part.storage_key.clone()).collect(),
            gone: archived.origins.keys().filter(|key| !kept.contains(key.as_str())).cloned().collect(),
        }
    }
}

/// Of parts, by storage key.
pub(in crate::session) fn digests(parts: &[PartRef]) -> impl Iterator<Item = (&str, String)> {
    parts.iter().map(|part| (part.storage_key.as_str(), part.digest.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::Fence;
    use crate::session::Cookie;

    fn part(key: &str, digest: &str) -> PartRef {
        PartRef {
            storage_key: key.into(),
            id: [0; 16],
            digest: digest.into(),
            bytes: 7,
            version: Version(1),
            fence: Fence(1),
            blob: None,
            session: false,
            partial: vec![],
        }
    }

    fn index(sid: &str, parts: &[(&str, &str)]) -> Index {
        let cookie: Cookie = json!({"name": "sid", "value": sid}).as_object().unwrap().clone();
        Index::new(
            vec![cookie],
            parts.iter().map(|(key, digest)| part(key, digest)).collect(),
            crate::session::state::Beside::default(),
        )
    }

    fn archived(index: &Index, pending: &[&str], before: Option<&Archived>) -> Archived {
        Archived::of(&index.cookies, digests(&index.parts), |key| pending.contains(&key), before)
    }

    #[test]
    fn only_what_differs_is_laid_over() {
        let one = index("1", &[("a", "1"), ("b", "1"), ("c", "1")]);
        let has = archived(&one, &[], None);
        assert!(has.has_all_of(&one));
        let later = index("2", &[("a", "1"), ("b", "2"), ("d", "1")]);
        assert!(!has.has_all_of(&later));
        let overlay = Overlay::over(Some(&has), &later);
        assert!(overlay.cookies_differ && !overlay.is_new);
        assert_eq!(overlay.in_place, BTreeSet::from(["a".to_owned()]));
        assert_eq!(overlay.gone, ["c"]);
        assert_eq!(Overlay::over(None, &later), Overlay::all());
    }

    #[test]
    fn what_was_not_put_in_place_is_not_in_the_archive() {
        let one = archived(&index("1", &[("a", "1"), ("b", "1")]), &["b"], None);
        let later = index("1", &[("a", "1"), ("b", "1")]);
        assert_eq!(Overlay::over(Some(&one), &later).in_place, BTreeSet::from(["a".to_owned()]));
        // Of the origin that still waits the directory has what it had.
        let has_old = archived(&index("1", &[("b", "0")]), &[], None);
        let two = archived(&index("1", &[("b", "1")]), &["b"], Some(&has_old));
        assert!(two.has_all_of(&index("1", &[("b", "0")])));
    }
}
