//! What can go wrong with a session.

use crate::base::{IdError, SessionId, Version};
use crate::browser::BrowserError;
use crate::egress::EgressError;
use crate::page::VerbError;
use crate::seal::SealError;
use crate::store::StoreError;

use super::{Partial, PortableError};

/// Why a session could not be opened, saved, listed or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Another run holds it.
    #[error("session {id} is in use by {holder}; its lease ends in {} unless renewed", crate::base::show_duration(*.expires_in))]
    Busy {
        /// Which.
        id: SessionId,
        /// Who, for people: command, pid, host.
        holder: String,
        /// Until when at least.
        expires_in: std::time::Duration,
    },
    /// No session by that id.
    #[error("there is no session {0}")]
    NotFound(SessionId),
    /// Another session has that id.
    #[error("there is a session {0} already")]
    Exists(SessionId),
    /// The session has no such version (any more).
    #[error("session {id} has no version {version}; kept are {}", listed(.kept))]
    NoVersion {
        /// Which session.
        id: SessionId,
        /// Which version.
        version: Version,
        /// The versions that are kept, newest first.
        kept: Vec<Version>,
    },
    /// It was opened to be read only.
    #[error("session {0} was opened read-only: nothing of it is saved")]
    ReadOnly(SessionId),
    /// It is open in this run for writing, and was asked for to be read only.
    #[error("session {0} is open in this run already, and not read-only")]
    OpenForWriting(SessionId),
    /// It is a profile session and was asked for to be none, or is open in this run without a profile and was asked for with one.
    #[error("session {id} {is}")]
    Kind {
        /// Which.
        id: SessionId,
        /// What it is instead.
        is: &'static str,
    },
    /// The browser is somebody else's, who opens and saves what is in it.
    #[error("session {0} cannot be opened here: the browser is that of a live browser, which has a session of its own")]
    Visiting(SessionId),
    /// A name that cannot be.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The key that is given is not the one that the store was made with.
    #[error("the key {given} is not the one that the store at {store} was made with ({needed})")]
    WrongKey {
        /// The store.
        store: String,
        /// The id of the key that was given.
        given: String,
        /// The id of the key that is needed.
        needed: String,
    },
    /// The key could not be read or made.
    #[error("{place}: {reason}")]
    Key {
        /// Where the key was to come from.
        place: String,
        /// Why it did not.
        reason: String,
    },
    /// A secret's name or value that cannot be.
    #[error("{0}")]
    Secret(String),
    /// A token that cannot be: one that opens nothing, or whose end is beyond the calendar.
    #[error("{0}")]
    Token(String),
    /// An identity that cannot be: an unknown device or time zone, a size out of bounds ..
    #[error("{0}")]
    Identity(String),
    /// No identity by that name.
    #[error("there is no identity {name:?}")]
    NoIdentity {
        /// The name.
        name: String,
        /// The nearest one that there is.
        near: Option<String>,
    },
    /// No secret by that name in the vault.
    #[error("there is no secret {0:?} in the vault")]
    NoSecret(String),
    /// A key that is still needed.
    #[error("key {id} is still needed: {why}")]
    KeyInUse {
        /// Its id.
        id: String,
        /// What refers to it.
        why: String,
    },
    /// A sealed object of the session cannot be opened.
    #[error("{what} cannot be opened")]
    Seal {
        /// Which object.
        what: String,
        /// Why.
        #[source]
        source: SealError,
    },
    /// What was opened is not what this version writes.
    #[error("{what} is not readable: {reason}")]
    Format {
        /// Which object.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was kept could not all be put back; the session is not saved over, so nothing of it is lost.
    #[error("session {id} was not restored in full ({}), so it is not saved over", first(.failed))]
    RestoreIncomplete {
        /// Which.
        id: SessionId,
        /// What could not be restored.
        failed: Vec<Partial>,
    },
    /// The browser did not answer in time, so its state could not be read.
    #[error("the state of session {id} could not be read in time: the browser does not answer")]
    Late {
        /// Which.
        id: SessionId,
    },
    /// It was closed under whoever held it, by a reset or with its browser.
    #[error("{} was closed; what is open now is got with session(\"..\")", named(.id.as_ref()))]
    Closed {
        /// Which; none for a throw-away one.
        id: Option<SessionId>,
    },
    /// What shows that it is signed in was not there.
    #[error("session {id} is not signed in: {what}{}", stays(*.saving, *.version))]
    AuthRequired {
        /// Which.
        id: SessionId,
        /// What was looked for, and what was found.
        what: String,
        /// It was looked for before a save, which was not made.
        saving: bool,
        /// The version that is the newest, if there is one.
        version: Option<Version>,
    },
    /// What is done to what is kept of it cannot be done to this one.
    #[error("{} cannot be {what}: {why}", named(.id.as_ref()))]
    Fixed {
        /// Which; none for a throw-away one.
        id: Option<SessionId>,
        /// `rolled back`, `deleted`.
        what: &'static str,
        /// Why not, and the way out.
        why: &'static str,
    },
    /// A cookie that no browser would take.
    #[error("{0}")]
    Cookie(String),
    /// A user-data directory as no archive may be made of it.
    #[error("the profile is not in a state to be kept: {reason}")]
    ProfileDirty {
        /// What is wrong with it.
        reason: String,
    },
    /// A later Chromium wrote the profile.
    #[error(
        "the profile was written by Chromium {wrote} and this is {runs}, which would empty what it does not know; use {wrote} or later, \
         or go back to a version of before: `rhaven session rollback`"
    )]
    ProfileNewer {
        /// The version that wrote it.
        wrote: String,
        /// The version that was to open it.
        runs: String,
    },
    /// Values in a profile are encrypted for one machine.
    #[error(
        "{file} holds values that only the keyring of the machine they were written on opens ({scheme}); sign in again in a browser \
         started with --password-store=basic and take its profile"
    )]
    ProfileKeyring {
        /// The database, within the profile.
        file: String,
        /// The mark of such values: `v11`.
        scheme: String,
    },
    /// A file of a profile could not be read or written.
    #[error("{path}: a file of the profile cannot be {done}")]
    ProfileFile {
        /// Which.
        path: String,
        /// What was to be done with it: `read`, `written`.
        done: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a URL.
    #[error("{url:?} is not a URL: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that a session is exported to or imported from.
    #[error(transparent)]
    Portable(#[from] PortableError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The browser.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// A way out that could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// A page.
    #[error(transparent)]
    Page(#[from] Box<VerbError>),
}

impl SessionError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "session_busy",
            Self::NotFound(_) => "session_not_found",
            Self::Exists(_) => "session_exists",
            Self::NoVersion { .. } => "version_not_found",
            Self::ReadOnly(_) | Self::OpenForWriting(_) | Self::Fixed { id: Some(_), .. } => "session_read_only",
            Self::AuthRequired { .. } => "auth_required",
            Self::Kind { .. } | Self::Visiting(_) => "session_kind",
            Self::Late { .. } => "timeout",
            Self::ProfileDirty { .. } => "profile_dirty",
            Self::ProfileNewer { .. } => "profile_newer",
            Self::ProfileKeyring { .. } => "profile_keyring",
            Self::ProfileFile { .. } => "file_error",
            Self::Closed { .. } => "session_closed",
            Self::RestoreIncomplete { .. } => "restore_incomplete",
            Self::Id(_)
            | Self::Url { .. }
            | Self::Secret(_)
            | Self::Token(_)
            | Self::Cookie(_)
            | Self::Identity(_)
            | Self::Fixed { id: None, .. } => "invalid_argument",
            Self::WrongKey { .. } => "wrong_key",
            Self::NoSecret(_) => "secret_not_set",
            Self::NoIdentity { .. } => "identity_not_found",
            Self::KeyInUse { .. } => "key_in_use",
            Self::Key { .. } => "key_unavailable",
            Self::Seal { source, .. } => source.code(),
            Self::Format { .. } => "decrypt_failed",
            Self::Portable(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Browser(error) => error.code(),
            Self::Egress(error) => error.code(),
            Self::Page(error) => error.error.code(),
        }
    }
}

/// Versions in words.
fn listed(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "none, as it was not saved yet".to_owned();
    }
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a save that was not made leaves, in words.
fn stays(saving: bool, version: Option<Version>) -> String {
    match version {
        _ if !saving => String::new(),
        None => "; nothing of it was saved".to_owned(),
        Some(version) => format!("; {version} stays the newest"),
    }
}

/// The session in words.
fn named(id: Option<&SessionId>) -> String {
    id.map_or_else(|| "the throw-away session".to_owned(), |id| format!("session {id}"))
}

/// The first thing that failed, in words, and how many there are.
fn first(failed: &[Partial]) -> String {
    match failed {
        [] => "nothing".to_owned(),
        [one, rest @ ..] => {
            let key = one.key.as_deref().map(|key| format!(" {key}")).unwrap_or_default();
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("{} {}{key}: {}{more}", one.origin, one.store, one.reason)
        }
    }
}
