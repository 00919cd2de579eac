//! What a session consists of and what happened to it, as values.

use serde::Serialize;

use crate::base::{SessionId, Version};

/// Something that could not be kept, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
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

impl Partial {
    /// Whether it is not kept by an archive of the profile either: that has all but what belongs to a tab.
    pub(super) fn is_lost_with_profile(&self) -> bool {
        self.store == "sessionStorage"
    }
}

/// How a named piece of state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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

/// What was saved of a profile session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// The whole profile, and its state: cookies and the storage of sites.
    Full,
    /// The state. The profile is that of before; what only a profile keeps (history, bookmarks, passwords) since then is lost.
    State,
    /// Nothing.
    None,
}

/// The archive of a session's profile.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProfileInfo {
    /// Whether what is kept is all of the session's newest version, or only its state is that new; `none` where no archive has
    /// been made yet.
    pub saved: Saved,
    /// Files in the archive.
    pub files: u64,
    /// Bytes of all of them, uncompressed.
    pub bytes: u64,
    /// The Chromium that wrote it, which an older one may not open; none where there is no archive.
    pub chromium: Option<String>,
    /// Whether nobody knows yet what cookies and storage are in it: it was imported, and no run has opened it since.
    pub unread: bool,
}

/// What a run did to one session; the report and every HTTP answer carry it.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts of a report that have nothing to do with each other")]
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
    /// It was opened to be read only: nothing of it was saved, whatever changed.
    pub read_only: bool,
    /// It is a fork, because the session that was asked for was in use: which one that was.
    pub forked_from: Option<SessionId>,
    /// The run rolled it back to what this version held, which `version` then began with; `changes` are those since.
    pub rolled_back: Option<Version>,
    /// The run deleted it: nothing of it is kept.
    pub deleted: bool,
    /// The session that a state went to which must not be saved over this one: the run's own, because it could not be restored
    /// in full; else what an earlier run had left in the outbox, because others had written the session since.
    pub forked_to: Option<SessionId>,
    /// What was saved of a profile session; none for others.
    pub saved: Option<Saved>,
    /// Why the profile was not saved, where only the state was: code and message.
    pub profile_error: Option<(String, String)>,
    /// It was opened with what a run that ended without saving had left; that is a version now.
    pub recovered: bool,
    /// What could not be saved is kept sealed on this machine, for the next run that opens the session: the store was away.
    pub kept_in_outbox: bool,
}

/// Something that a run left and that is no version yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Left {
    /// Where it is.
    pub place: LeftIn,
    /// When it was written (RFC 3339).
    pub made: String,
    /// Of which session; none where only its name in the store is known.
    #[schema(value_type = Option<String>)]
    pub id: Option<SessionId>,
}

/// Where a state waits that is no version yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftIn {
    /// Beside the newest version, by a run that ended without saving.
    Checkpoint,
    /// In a file on this machine, by a run whose store was away.
    Outbox,
}

/// What became of something that a run had left.
#[derive(Debug, Clone, Serialize)]
pub struct Taken {
    /// Where it was.
    pub from: LeftIn,
    /// When it was read from the browser (RFC 3339).
    pub made: String,
    /// The version that it is now.
    pub version: Option<Version>,
    /// The fork that it is now, because others have written the session since.
    pub forked_to: Option<SessionId>,
    /// What differs, by name.
    pub changes: Vec<Change>,
    /// Storage keys that may have changed as well, and whose state was not at hand.
    pub left_out: Vec<String>,
}

impl SessionOutcome {
    /// Of a session that nothing happened to, and that no version is known of.
    pub(super) fn unchanged(id: SessionId, expired_at: Option<String>) -> Self {
        Self {
            id,
            restored: None,
            version: None,
            updated: false,
            changes: Vec::new(),
            partial: Vec::new(),
            expired_at,
            save_error: None,
            read_only: false,
            forked_from: None,
            rolled_back: None,
            deleted: false,
            forked_to: None,
            saved: None,
            profile_error: None,
            recovered: false,
            kept_in_outbox: false,
        }
    }
}

/// A session as `rhaven session list|show` and the HTTP endpoint tell of it: names, counts, sizes; never values.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionInfo {
    /// Its id.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// Its newest version.
    pub version: Version,
    /// When that was saved (RFC 3339).
    pub saved_at: String,
    /// When it runs out unless used (RFC 3339); none for never.
    pub expires_at: Option<String>,
    /// What it tells sites: what was asked for, and beside it what the browser had that it was made in. None in what was saved
    /// before this was kept.
    pub identity: Option<super::Identity>,
    /// Its cookies.
    pub cookies: Vec<CookieInfo>,
    /// Per storage key: the key, names of localStorage keys, names of IndexedDB stores with their record counts, bytes.
    pub origins: Vec<OriginInfo>,
    /// The addresses of the tabs that were open, without queries and fragments.
    pub tabs: Vec<String>,
    /// What could not be kept.
    pub partial: Vec<Partial>,
    /// Size of the newest version's storage, as plaintext, in bytes.
    pub bytes: u64,
    /// The archive of its profile; none for a session without one.
    pub profile: Option<ProfileInfo>,
    /// Who holds it now, for people.
    pub held_by: Option<String>,
    /// What earlier runs left that is no version yet.
    pub left: Vec<Left>,
    /// The kept versions, newest first.
    pub versions: Vec<VersionInfo>,
}

/// A session as a listing shows it: what its index tells, no part of it is opened.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionSummary {
    /// Its id.
    #[schema(value_type = String)]
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
    /// Size of that storage, as plaintext, in bytes.
    pub bytes: u64,
    /// The archive of its profile; none for a session without one.
    pub profile: Option<ProfileInfo>,
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
    /// How many have no version, and something that a run left which was killed before it saved one. Nothing tells their ids, as
    /// those are in no record yet.
    pub unsaved: usize,
}

/// A cookie without its value.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CookieInfo {
    /// The host or, with a dot before it, the domain that it goes to.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// When it runs out (RFC 3339); none for session cookies.
    pub expires: Option<String>,
}

/// A kept version.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct VersionInfo {
    /// Its number.
    pub version: Version,
    /// When it was saved (RFC 3339).
    pub saved_at: String,
    /// Whether it is kept however many come after it.
    pub pinned: bool,
}

/// A kept version and what it changed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HistoryEntry {
    /// Which, when.
    #[serde(flatten)]
    pub version: VersionInfo,
    /// The kept version before it, which the changes are told against; none for the oldest.
    pub against: Option<Version>,
    /// What differs, by name; none where nothing is known of what was before, because that is not kept any more.
    pub changes: Option<Vec<Change>>,
    /// What differs of the profile; none where that is nothing, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileChange>,
}

/// What differs of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileChange {
    /// Files that the browser writes in every run by itself, and settings.
    OwnFiles,
    /// Others as well: history, bookmarks, passwords, storage.
    Files,
}

/// What differs between two versions.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct VersionDiff {
    /// The version compared with; none for nothing, which is what was before the first one.
    pub from: Option<Version>,
    /// The version that is told of.
    pub to: Version,
    /// What differs, by name.
    pub changes: Vec<Change>,
}

/// An object store without its records, or a cache without its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ObjectStoreInfo {
    /// `database/store`; the database alone where it has no store; a cache's name.
    pub name: String,
    /// How many records or entries it has.
    pub records: u64,
}

/// One origin's storage, by names and counts.
#[derive(Debug, Default, Clone, Serialize, utoipa::ToSchema)]
pub struct OriginInfo {
    /// The storage key (an origin, or a partitioned one).
    pub storage_key: String,
    /// Names of localStorage keys.
    pub local_storage: Vec<String>,
    /// Names of sessionStorage keys, of the tab that was used last.
    pub session_storage: Vec<String>,
    /// Its object stores.
    pub indexed_db: Vec<ObjectStoreInfo>,
    /// Its caches (Cache Storage) with their numbers of entries.
    pub caches: Vec<ObjectStoreInfo>,
    /// Paths in its private file system; those of directories end with a slash.
    pub files: Vec<String>,
    /// The scopes of its service workers.
    pub service_workers: Vec<String>,
    /// Size of its sealed state's plaintext in bytes.
    pub bytes: u64,
}
