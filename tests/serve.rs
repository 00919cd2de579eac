//! The HTTP endpoint, asked over real sockets, with real Chromium behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test says what it wants by failing"
)]

#[path = "serve/basics.rs"]
mod basics;
#[path = "serve/rig.rs"]
mod rig;
