//! Floor 1: Chromium over CDP: find, install, launch, transport, router, contexts, targets, and the reaping of orphans.
//!
//! Knows nothing of selectors, pages as users see them, sessions or scripts: it hands out CDP sessions.

mod alive;
mod bridge;
#[expect(clippy::module_inception, reason = "the floor and its noun have one name")]
mod browser;
mod cdp;
mod confined;
mod context;
mod dial;
mod error;
mod fetch;
mod flags;
mod hub;
mod install;
mod launch;
mod lenient;
mod process;
mod profile_dir;
mod reaper;
mod registry;
mod router;
mod target;
mod transport;
mod userdir;
mod version;

pub use bridge::Bridge;
pub use browser::{Browser, BrowserVersion, Launching};
pub use cdp::{Cdp, Events, Pending, RawEvent, RawEvents};
pub use confined::{Cause, Egress, Missed};
pub use context::{Context, ContextOptions};
pub use error::BrowserError;
pub use fetch::{DownloadProgress, InstallPlan, System, download, plan};
pub use install::{Found, find, installed, named};
pub use launch::{Flavor, LaunchOptions};
pub use profile_dir::ProfileDir;
pub use reaper::reap;
pub use target::{OwnPage, Target, TargetEvent, TargetEvents, TargetKind};
pub use version::{installed_version, version_number};
