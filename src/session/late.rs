//! What pages did after their session's state began to be read: where it is not in what was read, their context holds more than is
//! kept. Chromium tells of a change some time after it was made, so what is told is compared, and not merely counted.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::part::{Names, Part};

/// Changes of localStorage that were told of, by storage key, and whether a document came.
#[derive(Default)]
pub(super) struct Late {
    areas: BTreeMap<String, Area>,
    has_moved: bool,
}

#[derive(Default)]
struct Area {
    was_emptied: bool,
    items: BTreeMap<String, Option<String>>,
}

impl Late {
    /// A document of the web came into a tab.
    pub(super) fn moved(&mut self) {
        self.has_moved = true;
    }

    /// An item changed or, without a value, went; without a name all did.
    pub(super) fn changed(&mut self, storage_key: &str, name: Option<String>, value: Option<String>) {
        let area = self.areas.entry(storage_key.to_owned()).or_default();
        match name {
            Some(name) => drop(area.items.insert(name, value)),
            None => *area = Area { was_emptied: true, ..Area::default() },
        }
    }

    /// Whether all of it is in what was read, of which these are the names.
    pub(super) fn is_in(&self, names: &HashMap<String, Names>) -> bool {
        let nothing = Names::new();
        !self.has_moved && self.areas.iter().all(|(key, area)| area.is_in(names.get(key).unwrap_or(&nothing)))
    }
}

impl Area {
    fn is_in(&self, names: &Names) -> bool {
        let mut told = Part::default();
        for (name, value) in &self.items {
            if let Some(value) = value {
                told.push(&format!(r#"{{"t":"ls","k":{},"v":{}}}{}"#, json!(name), json!(value), '\n'));
            }
        }
        let (told, local) = (told.names(), "localStorage".to_owned());
        let gone =
            self.items.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| (local.clone(), name.clone()));
        let is_emptied = || names.keys().all(|name| name.0 != local || told.contains_key(name));
        told.iter().all(|(name, digest)| names.get(name) == Some(digest))
            && gone.into_iter().all(|name| !names.contains_key(&name))
            && (!self.was_emptied || is_emptied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "https://a.example/";

    #[test]
    fn what_was_read_already_is_nothing_new() {
        let mut part = Part::default();
        part.push("{\"t\":\"ls\",\"k\":\"a \\\"b\\\"\",\"v\":\"1\\n\u{2028}\"}\n");
        let names = HashMap::from([(KEY.to_owned(), part.names())]);
        let told = |changes: &[(Option<&str>, Option<&str>)]| {
            let mut late = Late::default();
            for (name, value) in changes {
                late.changed(KEY, name.map(str::to_owned), value.map(str::to_owned));
            }
            late.is_in(&names)
        };
        let own = (Some("a \"b\""), Some("1\n\u{2028}"));
        assert!(told(&[]) && told(&[own]) && told(&[(Some("a \"b\""), Some("0")), own]));
        assert!(told(&[(None, None), own]) && told(&[(Some("gone"), Some("1")), (Some("gone"), None)]));
        assert!(!told(&[(None, None)]) && !told(&[(Some("new"), Some("1"))]) && !told(&[(Some("a \"b\""), None)]));
        let mut late = Late::default();
        late.changed("https://b.example/", Some("x".into()), Some("1".into()));
        assert!(!late.is_in(&names));
        let mut moved = Late::default();
        moved.moved();
        assert!(!moved.is_in(&names) && Late::default().is_in(&names));
    }
}
