//! Blobs under other names. A blob that comes with a bundle gets a name of its own here, since the one that it had may be
//! another's; whatever refers to it has to follow: the index, and blobs that list others (a profile's manifest).
//!
//! Names are 64 hex digits in quotes wherever they stand, and random, so that nothing else is like one.

use std::collections::{BTreeSet, HashMap};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::base::Version;
use crate::seal::SealError;
use crate::session::SessionError;
use crate::session::keys::seal_error;
use crate::session::state::Beside;
use crate::store::BlobId;

/// Digits of a name.
const NAME_LEN: usize = 64;
/// How a list of other blobs is called where the index refers to it.
const LIST: &str = "manifest";

/// New names by old ones.
pub(super) struct Labels(HashMap<String, BlobId>);

impl Labels {
    /// Fresh names for all of them.
    pub(super) fn fresh(old: &[String]) -> Result<Self, SessionError> {
        let mut labels = HashMap::new();
        for name in old {
            let mut id = [0; 32];
            getrandom::fill(&mut id).map_err(|_| seal_error("a blob of the bundle", SealError::Random))?;
            labels.insert(name.clone(), BlobId(id));
        }
        Ok(Self(labels))
    }

    /// The new name.
    pub(super) fn of(&self, old: &str) -> Option<BlobId> {
        self.0.get(old).copied()
    }

    /// Puts new names for old ones in text. Nothing is moved, as they are of one length.
    pub(super) fn rename(&self, text: &mut [u8]) {
        for at in 0..text.len() {
            let (Some(b'"'), Some(b'"')) = (text.get(at), text.get(at + NAME_LEN + 1)) else { continue };
            let name = &mut text[at + 1..=at + NAME_LEN];
            if let Some(new) = std::str::from_utf8(name).ok().and_then(|old| self.of(old)) {
                name.copy_from_slice(HEXLOWER.encode(&new.0).as_bytes());
            }
        }
    }

    /// What is kept with a version of the source; `numbers` are those here of versions that come along.
    pub(super) fn beside(&self, beside: &Beside, numbers: &HashMap<u64, Version>) -> Result<Beside, SessionError> {
        let mut value = serde_json::to_value(beside).map_err(unreadable)?;
        // A profile says which state it was taken with, and a later one is laid over it. Any is later than none.
        if let Some(state) = value.pointer_mut("/profile/state") {
            *state = json!(state.as_u64().and_then(|state| numbers.get(&state)).map_or(0, |version| version.0));
        }
        let mut text = serde_json::to_vec(&value).map_err(unreadable)?;
        self.rename(&mut text);
        serde_json::from_slice(&text).map_err(unreadable)
    }
}

/// Those of `blobs` that list others, as `beside` refers to them.
pub(super) fn lists(beside: &Beside, blobs: &[String]) -> Result<Vec<String>, SessionError> {
    fn look(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get(LIST).and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| look(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| look(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    look(&serde_json::to_value(beside).map_err(unreadable)?, &mut found);
    Ok(found.into_iter().filter(|name| blobs.contains(name)).collect())
}

#[allow(clippy::needless_pass_by_value, reason = "as it is mapped")]
fn unreadable(error: serde_json::Error) -> SessionError {
    SessionError::Format { what: "what is kept with the session".into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_where_they_stand_whole() {
        let old = "ab".repeat(32);
        let labels = Labels(HashMap::from([(old.clone(), BlobId([0xcd; 32]))]));
        let new = "cd".repeat(32);
        let mut text = format!(r#"{{"id":"{old}","not":"{old}0","nor":"0{old}","list":["{old}"],"last":"{old}""#);
        let wanted = format!(r#"{{"id":"{new}","not":"{old}0","nor":"0{old}","list":["{new}"],"last":"{new}""#);
        let mut bytes = std::mem::take(&mut text).into_bytes();
        labels.rename(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
        let mut short = b"\"".to_vec();
        labels.rename(&mut short);
    }
}
