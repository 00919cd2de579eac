//! What a run's sessions are configured with, and how one of them is opened.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::{SessionId, Tenant, Version};
use crate::browser::LaunchOptions;
use crate::egress::Upstream;
use crate::store::{BlobsAt, RecordsAt, SqliteStore};

use super::emulate::Asked;
use super::identity::Identity;
use super::{Guard, KeySource};
#[cfg(doc)]
use super::{SessionError, Workspace};

/// A cookie with all its attributes, as CDP's `Network.Cookie` without what the browser derives (`size`, `session`).
pub type Cookie = serde_json::Map<String, serde_json::Value>;

/// What a run's sessions need. Nothing is opened or started before it is used.
#[derive(Debug, Clone)]
pub struct WorkspaceConfig {
    /// Whose sessions.
    pub tenant: Tenant,
    /// Where they are kept.
    pub store: StoreConfig,
    /// Under which key.
    pub key: KeySource,
    /// How to start the browser.
    pub launch: LaunchOptions,
    /// How this run is named to others that find its sessions busy, e.g. `rhaven run orders.rhai`.
    pub holder: String,
    /// How long a session is kept unused; none for ever. 30 days from the command line.
    pub ttl: Option<Duration>,
    /// The same of profile sessions: 90 days from the command line.
    pub profile_ttl: Option<Duration>,
    /// When what is saved is written.
    pub saving: Saving,
    /// How long this run's leases last. The default is right for all but tests that cannot wait for it.
    pub lease: LeaseTimes,
    /// Where states are put, sealed, that could not be saved because the store was away; none: nowhere.
    pub outbox: Option<PathBuf>,
}

/// Which store.
#[derive(Debug, Clone)]
pub enum StoreConfig {
    /// In memory, gone with the process.
    Memory,
    /// SQLite and files below this folder (0700).
    Embedded(PathBuf),
    /// Records and documents in one place, blobs in another.
    Placed {
        /// Records and documents.
        records: RecordsAt,
        /// Blobs.
        blobs: BlobsAt,
    },
}

impl StoreConfig {
    /// Whether there may be something in it. Makes nothing and asks no server.
    pub fn exists(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::Embedded(folder) | Self::Placed { records: RecordsAt::Sqlite(folder), .. } => {
                SqliteStore::exists(folder)
            }
            Self::Placed { records: RecordsAt::Redis(_), .. } => true,
        }
    }

    /// Where it is, for messages. Without passwords.
    pub fn place(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Embedded(folder) | Self::Placed { records: RecordsAt::Sqlite(folder), .. } => {
                folder.display().to_string()
            }
            Self::Placed { records, .. } => records.to_string(),
        }
    }

    /// Where its blobs are, for messages and to know the place again.
    pub(super) fn blobs_place(&self) -> String {
        self.places().map_or_else(|| "memory".to_owned(), |(_, blobs)| blobs.to_string())
    }

    /// Whether its blobs are at a place of their own, which other stores may be told of too.
    pub(super) fn keeps_blobs_apart(&self) -> bool {
        match self.places() {
            None => false,
            Some((RecordsAt::Sqlite(records), BlobsAt::File(blobs))) => records != blobs,
            Some(_) => true,
        }
    }

    /// Whether other machines may use it too. Such a store never makes a key by itself: it would be another on each of them.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Placed { records, blobs } if records.is_shared() || blobs.is_shared())
    }

    /// Both places; none for a store in memory.
    pub fn places(&self) -> Option<(RecordsAt, BlobsAt)> {
        match self {
            Self::Memory => None,
            Self::Embedded(folder) => Some((RecordsAt::Sqlite(folder.clone()), BlobsAt::File(folder.clone()))),
            Self::Placed { records, blobs } => Some((records.clone(), blobs.clone())),
        }
    }
}

/// How long a lease lasts in which nothing is heard of its holder, and how often a holder lets hear of itself. Each process has
/// its own; whoever waits goes by what the store says of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long it lasts unless renewed: 15 s.
    pub lasts: Duration,
    /// How often it is renewed: every 5 s.
    pub renewed_every: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { lasts: Duration::from_secs(15), renewed_every: Duration::from_secs(5) }
    }
}

/// When a session's saves are written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Saving {
    /// At each save and at the end.
    #[default]
    AsAsked,
    /// At the end only (watch mode): `Session::save` answers what it would have written, and nothing is, so that the state can be
    /// put back with [`Workspace::reset`].
    AtEnd,
}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// Its newest saved version.
    pub version: Option<Version>,
    /// Whether verbs without a session go to it.
    pub is_current: bool,
}

/// Options of `session(id, #{..})`.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// How long it is kept unused: none = as configured, `Some(None)` = for ever.
    pub ttl: Option<Option<Duration>>,
    /// How it is opened.
    pub mode: Mode,
    /// Whether it is to have a full Chromium and a user-data directory of its own, which is kept. None: as it was made. True makes
    /// a profile session of one that is not. [`SessionError::Kind`] for false where it is one.
    pub profile: Option<bool>,
    /// What it tells sites from now on; what is none here stays as it was.
    pub identity: Identity,
    /// What it told sites before does not count: it takes what the browser of this run has by itself.
    pub anew: bool,
    /// The upstream proxy that it goes through in this run unless its identity has one. It is not kept.
    pub through: Option<Upstream>,
    /// What shows that it is signed in: looked for before a version is written, and by [`Workspace::admit`].
    pub guard: Option<Guard>,
}

impl SessionOptions {
    /// What it is to tell sites.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { identity: &self.identity, anew: self.anew }
    }
}

/// How a session is opened, and what to do where another run holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// To be saved; [`SessionError::Busy`] where another run holds it.
    #[default]
    Fail,
    /// To be saved; where another run holds it, waits this long for it.
    Wait(Duration),
    /// To be read only, as it was last saved, whoever holds it: takes no lease, saves nothing. [`SessionError::NotFound`]
    /// where there is no such session.
    ReadOnly,
    /// To be saved; where another run holds it, a fork of what is saved is opened instead, named `ID.fork-N`, and a notice
    /// says so.
    Fork,
}
