//! Watching files as editors save them: each way is one change, and what changes nothing is none.

// Helpers of tests fail tests, as the tests themselves do.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "files/folders.rs"]
mod folders;
#[path = "files/saves.rs"]
mod saves;
#[path = "files/support.rs"]
mod support;
