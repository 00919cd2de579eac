//! The way out: what may be reached, told at servers that must hear nothing; the proxy on the wire; plain requests; and real
//! Chromium, one test for each way in which a page could try.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something is missing")]

#[path = "browser/support.rs"]
#[allow(dead_code, reason = "shared with the browser's tests")]
mod browser;
#[path = "egress/client.rs"]
mod client;
#[path = "egress/files.rs"]
mod files;
#[path = "egress/pages.rs"]
mod pages;
#[path = "egress/past.rs"]
mod past;
#[path = "egress/plain.rs"]
mod plain;
#[path = "egress/refused.rs"]
mod refused;
#[path = "egress/relay.rs"]
#[allow(dead_code, reason = "tests through a server need more of it")]
mod relay;
#[path = "egress/support.rs"]
mod support;
#[path = "egress/tunnels.rs"]
mod tunnels;
#[path = "egress/upstream.rs"]
mod upstream;
