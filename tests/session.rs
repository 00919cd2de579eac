//! Sessions against real Chromium and the embedded store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "session/again.rs"]
mod again;
#[path = "session/checkpoints.rs"]
mod checkpoints;
#[path = "session/dying.rs"]
mod dying;
#[path = "session/embedded.rs"]
mod embedded;
#[path = "session/fidelity.rs"]
mod fidelity;
#[path = "session/guards.rs"]
mod guards;
#[path = "session/history.rs"]
mod history;
#[path = "session/identity.rs"]
mod identity;
#[path = "session/large.rs"]
mod large;
#[path = "session/matrix.rs"]
mod matrix;
#[path = "session/outbox.rs"]
mod outbox;
#[path = "session/permissions.rs"]
mod permissions;
#[path = "session/portable.rs"]
mod portable;
#[path = "session/profile.rs"]
mod profile;
#[path = "session/rig.rs"]
mod rig;
#[path = "session/rotation.rs"]
mod rotation;
#[path = "session/vault.rs"]
mod vault;
#[path = "session/versions.rs"]
mod versions;
