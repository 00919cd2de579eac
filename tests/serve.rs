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
#[path = "serve/kept.rs"]
mod kept;
#[path = "serve/rig.rs"]
mod rig;
#[path = "serve/routes.rs"]
mod routes;
#[path = "serve/sessions.rs"]
mod sessions;
#[path = "serve/tokens.rs"]
mod tokens;
#[path = "serve/vault.rs"]
mod vault;
