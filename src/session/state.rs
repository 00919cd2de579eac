//! The sealed documents of a session: its record (keys and settings) and a version's index (cookies, list of parts).
//! What is in them is a format: fields may be added, never changed in meaning.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Fence, SessionId, Version};
use crate::seal::DataKey;
use crate::store::{BlobId, PartId};

use super::emulate::KeptIdentity;
use super::permissions::ByOrigin;
use super::profile::{Archived, ProfileRef};
use super::{Cookie, Partial, SessionError};

/// The format that this Rhaven writes; it reads this one and none later.
const FORMAT: u32 = 1;

/// What of a record is its own and no setting.
const OWN: [&str; 4] = ["format", "id", "created", "keys"];

/// A session's record: one for all its versions. Sealed under the tenant key, so that deleting it destroys the data keys.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// The id in clear; the store knows an HMAC of it only.
    pub(super) id: SessionId,
    /// When the session was made (RFC 3339).
    pub(super) created: String,
    /// How long it is kept unused, in seconds; none for ever.
    pub(super) ttl_seconds: Option<u64>,
    /// The data key first, then those of the sessions it was forked from; base64.
    keys: Vec<Zeroizing<String>>,
    /// Whether it runs in a browser of its own, whose user-data directory is kept.
    #[serde(default)]
    pub(super) profile: bool,
}

impl Record {
    /// A new session's record.
    pub(super) fn new(id: SessionId, key: &DataKey, ttl_seconds: Option<u64>) -> Self {
        let keys = vec![Zeroizing::new(data_encoding::BASE64.encode(&key.to_bytes()))];
        Self { format: FORMAT, id, created: jiff::Timestamp::now().to_string(), ttl_seconds, keys, profile: false }
    }

    /// The same with another time to live.
    pub(super) fn kept_for(&self, ttl_seconds: Option<u64>) -> Self {
        Self { ttl_seconds, ..self.clone() }
    }

    /// The same, of a profile session where it was one or is one now.
    pub(super) fn of_profile(self, is_profile: bool) -> Self {
        Self { profile: self.profile || is_profile, ..self }
    }

    /// The record of a fork: a data key of its own and, behind it, those that open the blobs which it shares, if any.
    pub(super) fn forked(&self, id: SessionId, key: &DataKey, shares_blobs: bool) -> Self {
        let mut fork = Self { profile: self.profile, ..Self::new(id, key, self.ttl_seconds) };
        if shares_blobs {
            fork.keys.extend(self.keys.iter().cloned());
        }
        fork
    }

    /// The same with the keys of another session behind its own, which open the blobs that it shares with that, if any.
    pub(super) fn with_keys_behind(&self, other: &Self, shares_blobs: bool) -> Self {
        let mut record = self.clone();
        let new = other.keys.iter().filter(|key| !self.keys.contains(key));
        record.keys.extend(new.filter(|_| shares_blobs).cloned());
        record
    }

    /// Whether both are of one session, and not of one that was made anew under the id.
    pub(super) fn has_keys_of(&self, other: &Self) -> bool {
        self.id == other.id && self.keys == other.keys
    }

    /// How long the session is kept unused; none for ever.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.ttl_seconds.map(Duration::from_secs)
    }

    /// What whoever made the session chose for it, as a bundle carries it: all but what makes it this one.
    pub(super) fn settings(&self) -> Result<serde_json::Value, SessionError> {
        let bad =
            |error: serde_json::Error| SessionError::Format { what: "the record".into(), reason: error.to_string() };
        // Its keys never become plain values: those are not wiped from memory.
        let mut settings = serde_json::to_value(Self { keys: Vec::new(), ..self.clone() }).map_err(bad)?;
        if let Some(all) = settings.as_object_mut() {
            all.retain(|name, _| !OWN.contains(&name.as_str()));
        }
        Ok(settings)
    }

    /// The same with settings of another; names that this Rhaven does not know count for nothing.
    pub(super) fn with_settings(&self, settings: &serde_json::Value) -> Result<Self, SessionError> {
        let bad =
            |error: serde_json::Error| SessionError::Format { what: "the settings".into(), reason: error.to_string() };
        let mut record = serde_json::to_value(Self { keys: Vec::new(), ..self.clone() }).map_err(bad)?;
        let given = settings.as_object().into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()));
        if let Some(all) = record.as_object_mut() {
            all.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        }
        let record: Self = serde_json::from_value(record).map_err(bad)?;
        Ok(Self { keys: self.keys.clone(), ..record })
    }

    /// The key that seals and opens what the session keeps.
    pub(super) fn data_key(&self) -> Result<DataKey, SessionError> {
        self.keys()?.into_iter().next().ok_or_else(|| bad_record("no data key in it"))
    }

    /// The data key, and those of the sessions it was forked from: their blobs are sealed with them.
    pub(super) fn keys(&self) -> Result<Vec<DataKey>, SessionError> {
        let key = |text: &Zeroizing<String>| {
            let bytes = data_encoding::BASE64.decode(text.as_bytes()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| bad_record("its data key is not base64"))?;
            DataKey::from_bytes(&bytes).map_err(|_| bad_record("its data key has the wrong length"))
        };
        self.keys.iter().map(key).collect()
    }
}

fn bad_record(reason: &str) -> SessionError {
    SessionError::Format { what: "the session's record".into(), reason: reason.into() }
}

/// A version's index: what is needed to open the session, small whatever the session's size.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Index {
    format: u32,
    /// Every cookie.
    pub(super) cookies: Vec<Cookie>,
    /// One per storage key, by storage key.
    pub(super) parts: Vec<PartRef>,
    /// What is kept with them.
    #[serde(flatten)]
    pub(super) beside: Beside,
}

/// What is kept with a version and does not count as a change.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Beside {
    /// The URLs of the tabs that were open.
    #[serde(default)]
    pub(super) tabs: Vec<String>,
    /// What was decided for origins that they may do.
    #[serde(default, skip_serializing_if = "ByOrigin::is_empty")]
    pub(super) permissions: ByOrigin,
    /// The archive of its user-data directory, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<ProfileRef>,
    /// What of the state is in that archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) archived: Option<Archived>,
    /// The version in which nothing but the browser's own files differs from the one before it, where that is this one. Under another
    /// number (a fork, a rollback) it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own_files: Option<Version>,
    /// What its browser told sites; none in what was saved before this was kept.
    #[serde(default)]
    pub(super) identity: Option<Box<KeptIdentity>>,
}

impl Beside {
    /// With what the version before has of origins that were not visited since. An origin for which nothing is decided any more has an
    /// empty entry, and none afterwards.
    pub(super) fn over(mut self, before: Option<&Self>) -> Self {
        for (origin, states) in before.iter().flat_map(|before| &before.permissions) {
            self.permissions.entry(origin.clone()).or_insert_with(|| states.clone());
        }
        self.permissions.retain(|_, states| !states.is_empty());
        self
    }
}

impl Index {
    /// An index of this format.
    pub(super) fn new(cookies: Vec<Cookie>, mut parts: Vec<PartRef>, beside: Beside) -> Self {
        parts.sort_by(|a, b| a.storage_key.cmp(&b.storage_key));
        Self { format: FORMAT, cookies, parts, beside }
    }

    /// The same with other parts.
    pub(super) fn with_parts(self, mut parts: Vec<PartRef>) -> Self {
        parts.sort_by(|a, b| a.storage_key.cmp(&b.storage_key));
        Self { parts, ..self }
    }

    /// Bytes of all parts, as plaintext.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// What could not be kept, over all parts.
    pub(super) fn partial(&self) -> Vec<Partial> {
        self.parts.iter().flat_map(|part| part.partial.clone()).collect()
    }
}

/// Where a part is and what it has to be.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PartRef {
    /// Chromium's storage key: `https://a.example/`, with `^` suffixes where partitioned.
    pub(super) storage_key: String,
    /// Its id in the store.
    #[serde(with = "hex16")]
    pub(super) id: [u8; 16],
    /// SHA-256 of its plaintext, in hex.
    pub(super) digest: String,
    /// Bytes of its plaintext.
    pub(super) bytes: u64,
    /// The version it was written in (part of what authenticates it).
    pub(super) version: Version,
    /// The fence it was written under (likewise).
    pub(super) fence: Fence,
    /// Set where it is a blob and not with the record: the blob's id in hex.
    pub(super) blob: Option<String>,
    /// Whether sessionStorage is in it, which has to be known before a tab goes anywhere.
    #[serde(default)]
    pub(super) session: bool,
    /// What of this origin could not be kept.
    pub(super) partial: Vec<Partial>,
}

impl PartRef {
    /// Its id in the store.
    pub(super) fn part_id(&self) -> PartId {
        PartId(self.id)
    }

    /// Its blob, where it is one.
    pub(super) fn blob_id(&self) -> Option<BlobId> {
        let bytes = data_encoding::HEXLOWER.decode(self.blob.as_ref()?.as_bytes()).ok()?;
        Some(BlobId(bytes.try_into().ok()?))
    }
}

/// Reads one of the documents above; `what` names it in errors.
pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, SessionError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let bad = |reason: String| SessionError::Format { what: what.to_owned(), reason };
    let Format { format } = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if format > FORMAT {
        return Err(bad(format!("format {format}; this Rhaven reads up to {FORMAT}")));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))
}

/// Writes one of the documents above.
pub(super) fn encode<T: Serialize>(document: &T) -> Result<Zeroizing<Vec<u8>>, SessionError> {
    serde_json::to_vec(document)
        .map(Zeroizing::new)
        .map_err(|error| SessionError::Format { what: "the session".into(), reason: error.to_string() })
}

mod hex16 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("not 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was written before there were tabs and sessionStorage in it.
    const OLD: &str = r#"{"format":1,"cookies":[],"parts":[{"storage_key":"https://a.example/",
        "id":"000102030405060708090a0b0c0d0e0f","digest":"00","bytes":7,"version":3,"fence":9,"blob":null,"partial":[]}]}"#;

    #[test]
    fn an_index_of_before_is_read() {
        let index: Index = decode(OLD.as_bytes(), "the index").unwrap();
        assert_eq!((index.parts.len(), index.parts[0].session, index.beside.tabs.len()), (1, false, 0));
        let again: Index = decode(&encode(&index).unwrap(), "the index").unwrap();
        assert_eq!(again.parts[0].id, index.parts[0].id);
    }
}
