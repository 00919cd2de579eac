//! Reading a JSON document field by field, with errors that say where and what was wanted; of what was found only the kind
//! is told, for the values are secrets.

use serde_json::{Map, Value};

use super::PortableError;

const NAME: &str = "Playwright storage state";

/// A mistake at a place.
pub(super) fn invalid(at: &str, reason: impl Into<String>) -> PortableError {
    PortableError::Invalid { format: NAME, at: at.to_owned(), reason: reason.into() }
}

fn wanted(at: &str, what: &str, found: Option<&Value>) -> PortableError {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    invalid(at, format!("{what} was wanted, found {found}"))
}

/// An object and its path.
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
    pub(super) at: String,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, at: &str) -> Result<Self, PortableError> {
        let members = value.as_object().ok_or_else(|| wanted(at, "an object", Some(value)))?;
        Ok(Self { members, at: at.to_owned() })
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name)
    }

    /// The names that are not among `known`.
    pub(super) fn others(&self, known: &[&str]) -> Vec<&'a str> {
        self.members.keys().map(String::as_str).filter(|name| !known.contains(name)).collect()
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, PortableError> {
        let value = self.get(name);
        value.and_then(Value::as_str).ok_or_else(|| wanted(&self.path(name), "a text", value))
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, PortableError> {
        self.get(name).map(|_| self.text(name)).transpose()
    }

    /// True or false; false where it is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, PortableError> {
        Ok(self.maybe_flag(name)?.unwrap_or_default())
    }

    pub(super) fn maybe_flag(&self, name: &str) -> Result<Option<bool>, PortableError> {
        let value = self.get(name);
        value
            .map(|_| value.and_then(Value::as_bool).ok_or_else(|| wanted(&self.path(name), "true or false", value)))
            .transpose()
    }

    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<f64>, PortableError> {
        let value = self.get(name);
        value
            .map(|_| value.and_then(Value::as_f64).ok_or_else(|| wanted(&self.path(name), "a number", value)))
            .transpose()
    }

    /// A list with the path of each item; empty where it is missing.
    pub(super) fn list(&self, name: &str) -> Result<Vec<(String, &'a Value)>, PortableError> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| wanted(&self.path(name), "a list", Some(value)))?;
        let path = self.path(name);
        Ok(items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect())
    }

    /// The same, of objects.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, PortableError> {
        self.list(name)?.into_iter().map(|(at, item)| Self::of(item, &at)).collect()
    }
}
