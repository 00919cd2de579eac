//! The browser floor against real Chromium: starting and ending, sessions and targets, orphans.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something is missing")]

#[path = "browser/bridge.rs"]
mod bridge;
#[path = "browser/bridge_calls.rs"]
mod bridge_calls;
#[path = "browser/bridge_guard.rs"]
mod bridge_guard;
#[path = "browser/connect.rs"]
mod connect;
#[path = "browser/life.rs"]
mod life;
#[path = "browser/orphans.rs"]
mod orphans;
#[path = "browser/site.rs"]
mod site;
#[path = "browser/support.rs"]
mod support;
#[path = "browser/targets.rs"]
mod targets;
#[path = "browser/wire.rs"]
mod wire;
