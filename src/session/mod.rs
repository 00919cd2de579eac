//! Floor 3: sessions: a context with its pages, whose state is restored before the first page script and saved, sealed
//! and versioned, at the end. Knows nothing of Rhai.
//!
//! A session's way: [`Workspace::session`] takes the lease (`acquire`, `lease`), opens HEAD (`sessions`, `state`), starts a context
//! (`live`, `tabs`), puts cookies in place (`cookies`) and holds documents until the storage of their origin is
//! (`restorer`, in a `hidden` page, through `storage` and the scripts in `injected/`; sessionStorage by `tab_storage`). At the
//! end the state is read (`capture`), compared and sealed (`save`, `part`), and committed under the lease's fence.
//!
//! Meanwhile what changes (`dirty`) is kept beside HEAD (`checkpoint`), for a run that crashes; what cannot be written because
//! the store is away (`patience`) goes to a folder of this machine (`outbox`). Both are a state that waits (`waiting`), and the
//! next who takes the lease makes a version of it (`recover`).

mod acquire;
mod aliases;
mod aside;
mod audit;
mod baseline;
mod belonging;
mod capture;
mod checkpoint;
mod chores;
mod cookies;
mod copy_over;
mod devices;
mod dirty;
mod documents;
mod emulate;
mod endings;
mod error;
mod finish;
mod forks;
mod given;
mod guard;
mod hidden;
mod hints;
mod identities;
pub mod identity;
mod in_place;
mod jobs;
mod keepsakes;
mod kept;
mod keyfile;
mod keys;
mod known;
mod large;
mod late;
mod lease;
mod lent;
mod listing;
mod live;
mod model;
mod naming;
mod nest;
mod nodes;
mod options;
mod outbox;
mod part;
mod patience;
mod permissions;
mod plain;
mod pool;
mod pool_open;
mod portable;
mod profile;
mod proxy;
mod recover;
mod refound;
mod reopen;
mod reset;
mod restorer;
mod room;
mod rotate;
mod running;
mod save;
mod saving;
mod sent;
mod sessions;
mod state;
mod storage;
mod storage_key;
mod storage_state;
mod sweep;
mod tab_frames;
mod tab_held;
mod tab_storage;
mod tabs;
mod tenants;
mod throw_away;
mod tokens;
mod vault;
mod versions;
mod visit;
mod visited;
mod vms;
mod waiting;
mod warm;
mod warm_page;
mod way;
mod whole;
mod workspace;

pub use audit::{Audit, Damage, VersionAudit};
pub use copy_over::CopiedOver;
pub use devices::{DEVICES, Device};
pub use error::SessionError;
pub use given::check_cookies;
pub use guard::{Admission, Guard, SigningIn};
pub use identities::{IdentityInfo, identity_name};
pub use identity::{Identity, Viewport};
pub use jobs::{JobPart, Seen};
pub use keys::KeySource;
pub use listing::ListingPage;
pub use live::Session;
pub use model::{
    Change, ChangeKind, CookieInfo, HistoryEntry, Left, LeftIn, Listing, ObjectStoreInfo, OriginInfo, Partial,
    ProfileChange, ProfileInfo, Saved, SessionInfo, SessionOutcome, SessionSummary, Taken, VersionDiff, VersionInfo,
};
pub use options::{Cookie, LeaseTimes, Mode, OpenSession, Saving, SessionOptions, StoreConfig, WorkspaceConfig};
pub use plain::PlainSession;
pub use pool::{Pool, PoolConfig, PoolStats};
pub use portable::{Exported, Format, ImportOptions, Imported, PortableError, Source};
pub use profile::{ImportedProfile, ProfileTransfer, Progress, Transfer};
pub use proxy::IdentityProxy;
pub use refound::{Found, FoundIs, Refounded, refound};
pub use reopen::FirstTab;
pub use rotate::{KeyUse, Rotated};
pub use sent::{HttpCredentials, SecretRef};
pub use sessions::Sessions;
pub use storage_state::{GivenState, StorageState};
pub use sweep::{SWEEP_GRACE, Swept};
pub use tokens::{Scope, TokenInfo};
pub use vault::{SecretInfo, secret_name};
pub use versions::{History, RolledBack};
pub use vms::LivePart;
pub use way::{Way, Ways, egress};
pub use workspace::Workspace;

pub use crate::page::Geolocation;
