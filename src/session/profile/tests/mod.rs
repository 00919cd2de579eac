//! Archives against a real store and real folders; in `chromium`, against a real browser's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod rig;
mod roundtrip;
