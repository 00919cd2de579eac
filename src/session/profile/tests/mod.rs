//! Archives against a real store and real folders; in `chromium`, against a real browser's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod child;
mod chromium;
mod damage;
mod dirty;
mod import;
mod kept;
mod killed;
mod memory;
mod portable;
mod refound;
mod reuse;
mod rig;
mod roundtrip;
