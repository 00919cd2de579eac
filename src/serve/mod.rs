//! Floor 7: the HTTP endpoint: the same engine, sessions and limits for anything that speaks HTTP.
//!
//! A request's way: its token says whose it is (`access`), its body is read and checked (`json`), and the work that it asks for
//! (`task`) goes through the queue (`slots`, `jobs`) to what does it: `pages` (fetch, interact), `runs` (scripts). What went wrong is an
//! `ApiError` (`error`; from below by `failures`); the answer is given its `request_id` on the way out (`request_id`), logged and
//! counted (`observe`, `metrics`). Each tenant has browsers of its own (`pools`). What another server of the store has is asked of that one
//! (`nodes`).

mod access;
mod app;
mod artifacts;
mod config;
mod cookie;
mod dashboard;
mod docs_page;
mod error;
mod failures;
mod health;
mod identities;
mod jobs;
mod json;
mod library;
mod metrics;
mod moved;
mod nodes;
mod observe;
mod openapi;
mod outgoing;
mod pages;
mod params;
mod pools;
mod refusals;
mod request_id;
mod router;
mod runs;
mod secrets;
mod server;
mod session_input;
mod session_transfer;
mod sessions;
mod slots;
mod task;
mod vm;

pub use config::ServeConfig;
pub use server::{ServeError, Server};
pub use vm::{LiveAddress, LivePage};
