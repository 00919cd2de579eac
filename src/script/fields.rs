//! Maps with entries of their own as the value of an option: `check: #{ url: "..", visible: ".." }`.

use crate::base::closest;

use super::ScriptError;
use super::table::OptionDoc;

/// What such a map may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    /// Its entries.
    pub known: &'static [OptionDoc],
    /// The one that it cannot do without.
    pub required: &'static str,
    /// At least one of these has to be in it.
    pub any_of: &'static [&'static str],
}

impl Fields {
    /// In words, for messages.
    pub fn wanted(&self) -> String {
        format!("a map #{{ {} }}", self.names().join(", "))
    }

    /// The entry by that name.
    pub fn find(&self, name: &str) -> Option<&'static OptionDoc> {
        self.known.iter().find(|field| field.name == name)
    }

    /// The error for an entry that it does not know.
    pub fn unknown(&self, name: &str) -> ScriptError {
        let meant = closest(name, self.known.iter().map(|field| field.name));
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
        invalid(format!("there is no {name:?} in it: it knows {}{meant}", self.names().join(", ")))
    }

    /// What is missing in a map with these entries.
    pub fn missing(&self, has: impl Fn(&str) -> bool) -> Option<ScriptError> {
        if !has(self.required) {
            return Some(invalid(format!("it needs {:?}", self.required)));
        }
        let any = self.any_of.iter().any(|name| has(name));
        (!any).then(|| invalid(format!("it asks for nothing: give at least one of {}", self.any_of.join(", "))))
    }

    fn names(&self) -> Vec<&'static str> {
        self.known.iter().map(|field| field.name).collect()
    }
}

fn invalid(message: String) -> ScriptError {
    ScriptError::new("invalid_argument", message)
}
