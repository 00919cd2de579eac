//! Floor 7: the HTTP endpoint: the same engine, sessions and limits for anything that speaks HTTP.
//!
//! A request's way: its token says whose it is (`access`), its body is read and checked (`json`), and the work that it asks for
//! (`task`) goes through the queue (`jobs`) to what does it: `pages` (fetch, interact), `runs` (scripts). What went wrong is an
//! `ApiError` (`error`); the answer is given its `request_id` on the way out (`request_id`).

mod access;
mod app;
mod config;
mod error;
mod health;
mod identities;
mod jobs;
mod json;
mod pages;
mod params;
mod refusals;
mod request_id;
mod router;
mod runs;
mod secrets;
mod server;
mod session_transfer;
mod sessions;
mod task;

pub use config::ServeConfig;
pub use server::{ServeError, Server};
