//! The program as its users meet it: the real binary, real Chromium, a practice site, a home folder of its own.

// Helpers of tests fail tests, as the tests themselves do.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "cli/attach.rs"]
mod attach;
#[path = "cli/audit.rs"]
mod audit;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/commands.rs"]
mod commands;
#[path = "cli/display.rs"]
mod display;
#[path = "cli/docs.rs"]
mod docs;
#[path = "cli/editor.rs"]
mod editor;
#[path = "cli/golden.rs"]
mod golden;
#[path = "cli/history.rs"]
mod history;
#[path = "cli/home.rs"]
mod home;
#[path = "cli/identity.rs"]
mod identity;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/key.rs"]
mod key;
#[path = "cli/kill.rs"]
mod kill;
#[path = "cli/left.rs"]
mod left;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/new.rs"]
mod new;
#[path = "cli/normal.rs"]
mod normal;
#[path = "cli/open.rs"]
mod open;
#[path = "cli/person.rs"]
mod person;
#[path = "cli/portable.rs"]
mod portable;
#[path = "cli/processes.rs"]
#[allow(dead_code, reason = "shared with the tests on a terminal, which use all of it")]
mod processes;
#[path = "cli/recover.rs"]
mod recover;
#[path = "store/redis_server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests of stores, which use all of it")]
mod redis_server;
#[path = "cli/s3.rs"]
mod s3;
#[path = "store/s3_server.rs"]
#[allow(clippy::unwrap_used, reason = "shared with the tests of stores")]
mod s3_server;
#[path = "cli/secret.rs"]
mod secret;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/shared.rs"]
mod shared;
#[path = "cli/store.rs"]
mod store;
#[path = "cli/token.rs"]
mod token;
#[path = "cli/trouble.rs"]
mod trouble;
#[path = "cli/watch.rs"]
mod watch;
