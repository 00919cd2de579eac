//! Rhaven: Rhai scripts drive real Chromium, and what a site remembers of you (the *session*) is kept, encrypted and
//! versioned, between runs, processes and machines.
//!
//! The library never prints, never exits and takes no setting from the environment; the binary's `cli` does. (`browser`
//! looks at it for what Chromium itself needs: the display, the locale, where temporary files go.) See
//! `ARCHITECTURE.md` for the floors and the direction in which they may import.

pub mod base;
pub mod browser;
pub mod cli;
pub mod diagnose;
pub mod document;
pub mod egress;
pub mod files;
pub mod live;
pub mod page;
pub mod practice;
pub mod repl;
pub mod run;
pub mod script;
pub mod seal;
pub mod serve;
pub mod session;
pub mod store;
pub mod watch;
