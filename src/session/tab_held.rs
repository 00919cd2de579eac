//! The sessionStorage of a tab that goes on in another CDP session: it stays where it is, so it has to be known, and to be what is kept.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::part::{Names, Part};
use super::tab_storage::{Seen, TabStorages};

/// What a tab has, by storage key; also keys that are empty now and once were not.
#[derive(Default)]
pub(super) struct Held(BTreeMap<String, BTreeMap<String, String>>);

impl TabStorages {
    /// What the tab has, once all is noted that its session has told, which is to have ended. None where it is not followed.
    pub(super) async fn held(&self, tab: &str) -> Option<Held> {
        let noted = self.state().tabs.iter().find(|known| known.id == tab)?.noted.clone();
        noted.cancelled().await;
        let state = self.state();
        let tab = state.tabs.iter().find(|known| known.id == tab)?;
        let touched = tab.seen.iter().filter(|(_, seen)| seen.touched);
        Some(Held(touched.map(|(key, seen)| (key.clone(), seen.items.clone())).collect()))
    }
}

impl Held {
    /// Whether it is what a state with these names has of the same keys.
    pub(super) fn is_in(&self, names: &HashMap<String, Names>) -> bool {
        self.0.iter().all(|(key, items)| {
            let mut held = Part::default();
            for (name, value) in items {
                held.push(&format!(r#"{{"t":"ss","k":{},"v":{}}}{}"#, json!(name), json!(value), '\n'));
            }
            let kept: Names = names
                .get(key)
                .into_iter()
                .flatten()
                .filter(|(name, _)| name.0 == "sessionStorage")
                .map(|(name, digest)| (name.clone(), *digest))
                .collect();
            held.names() == kept
        })
    }

    /// As what was seen of a tab.
    pub(super) fn seen(self) -> HashMap<String, Seen> {
        self.0.into_iter().map(|(key, items)| (key, Seen::before(items))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "https://a.example/";

    #[test]
    fn what_a_tab_has_is_what_is_kept_or_not() {
        let mut part = Part::default();
        part.push("{\"t\":\"ls\",\"k\":\"other\",\"v\":\"1\"}\n{\"t\":\"ss\",\"k\":\"step\",\"v\":\"2\\n\"}\n");
        let names = HashMap::from([(KEY.to_owned(), part.names())]);
        let held = |key: &str, items: &[(&str, &str)]| {
            let items = items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Held(BTreeMap::from([(key.to_owned(), items)]))
        };
        assert!(Held::default().is_in(&names) && held(KEY, &[("step", "2\n")]).is_in(&names));
        for other in [&[][..], &[("step", "3")], &[("step", "2\n"), ("more", "1")]] {
            assert!(!held(KEY, other).is_in(&names), "{other:?}");
        }
        // It once had something there, and so has the state nothing.
        assert!(held("https://b.example/", &[]).is_in(&names));
        assert!(!held("https://b.example/", &[("x", "1")]).is_in(&names));
        assert!(held(KEY, &[("step", "2\n")]).seen()[KEY].touched);
    }
}
