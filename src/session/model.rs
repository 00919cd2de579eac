//! What a session consists of and what happened to it, as values.

use serde::Serialize;

use crate::base::{SessionId, Version};

/// Something that could not be kept, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Partial {
    /// The origin it belongs to.
    pub origin: String,
    /// `localStorage`, `indexedDB:NAME/STORE` ...
    pub store: String,
    /// The key within the store, as text, where there is one.
    pub key: Option<String>,
    /// Why it could not be kept.
    pub reason: String,
}

/// How a named piece of state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// Its value differs.
    Changed,
    /// It is not there any more.
    Removed,
    /// Only its expiry was moved (cookies).
    Renewed,
}

/// One change, by name, never by value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// `cookie`, `localStorage`, `indexedDB` ...
    pub store: String,
    /// The cookie's domain and path, or the origin.
    pub origin: String,
    /// The cookie's name, the storage key, or `database/store`.
    pub name: String,
}

/// What a run did to one session; the report and every HTTP answer carry it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionOutcome {
    /// Which; none for a throw-away one (nothing kept).
    pub id: SessionId,
    /// The version it was opened at; none where it was new.
    pub restored: Option<Version>,
    /// The newest version now.
    pub version: Option<Version>,
    /// Whether cookies or storage changed.
    pub updated: bool,
    /// What changed, by name.
    pub changes: Vec<Change>,
    /// What could not be kept.
    pub partial: Vec<Partial>,
    /// Set where the id had run out and started empty (RFC 3339).
    pub expired_at: Option<String>,
    /// Set where the state could not be saved: code and message.
    pub save_error: Option<(String, String)>,
}

impl SessionOutcome {
    /// Of a session that nothing happened to, and that no version is known of.
    pub(super) fn unchanged(id: SessionId, expired_at: Option<String>) -> Self {
        let (changes, partial) = (Vec::new(), Vec::new());
        Self { id, restored: None, version: None, updated: false, changes, partial, expired_at, save_error: None }
    }
}

/// A session as `rhaven session list|show` and the HTTP endpoint tell of it: names, counts, sizes; never values.
#[derive(Debug, Clone, Serialize)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its newest version.
    pub version: Version,
    /// When that was saved (RFC 3339).
    pub saved_at: String,
    /// When it runs out unless used (RFC 3339); none for never.
    pub expires_at: Option<String>,
    /// Its cookies.
    pub cookies: Vec<CookieInfo>,
    /// Per storage key: the key, names of localStorage keys, names of IndexedDB stores with their record counts, bytes.
    pub origins: Vec<OriginInfo>,
    /// What could not be kept.
    pub partial: Vec<Partial>,
    /// Who holds it now, for people.
    pub held_by: Option<String>,
    /// The kept versions, newest first.
    pub versions: Vec<VersionInfo>,
}

/// A session as a listing shows it: what its index tells, no part of it is opened.
#[derive(Debug, Clone, Serialize)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// Its newest version.
    pub version: Version,
    /// When that was saved (RFC 3339).
    pub saved_at: String,
    /// When it runs out unless used (RFC 3339); none for never.
    pub expires_at: Option<String>,
    /// How many cookies it has.
    pub cookies: usize,
    /// How many origins it keeps storage of.
    pub origins: usize,
    /// Who holds it now, for people.
    pub held_by: Option<String>,
}

/// The sessions of a tenant.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that can be opened, by id.
    pub sessions: Vec<SessionSummary>,
    /// Why others cannot; their ids stand inside what cannot be opened.
    pub damaged: Vec<super::SessionError>,
}

/// A cookie without its value.
#[derive(Debug, Clone, Serialize)]
pub struct CookieInfo {
    /// The host or, with a dot before it, the domain that it goes to.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// When it runs out (RFC 3339); none for session cookies.
    pub expires: Option<String>,
}

/// A kept version.
#[derive(Debug, Clone, Serialize)]
pub struct VersionInfo {
    /// Its number.
    pub version: Version,
    /// When it was saved (RFC 3339).
    pub saved_at: String,
}

/// An object store without its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectStoreInfo {
    /// `database/store`; the database alone where it has no store.
    pub name: String,
    /// How many records it has.
    pub records: u64,
}

/// One origin's storage, by names and counts.
#[derive(Debug, Clone, Serialize)]
pub struct OriginInfo {
    /// The storage key (an origin, or a partitioned one).
    pub storage_key: String,
    /// Names of localStorage keys.
    pub local_storage: Vec<String>,
    /// Its object stores.
    pub indexed_db: Vec<ObjectStoreInfo>,
    /// Size of its sealed state's plaintext in bytes.
    pub bytes: u64,
}
