//! The REPL and watch mode as a person has them: the real binary on a real pseudo-terminal, whose screen is read.

// Helpers of tests fail tests, as the tests themselves do.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "cli/display.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line, which use all of it")]
mod display;
#[path = "terminal/hand_over.rs"]
mod hand_over;
#[path = "cli/home.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line, which use all of it")]
mod home;
#[path = "cli/person.rs"]
#[allow(dead_code, reason = "as above")]
mod person;
#[path = "cli/processes.rs"]
#[allow(dead_code, reason = "as above")]
mod processes;
#[path = "terminal/repl.rs"]
mod repl;
#[path = "terminal/repl_commands.rs"]
mod repl_commands;
#[path = "terminal/repl_ends.rs"]
mod repl_ends;
#[path = "terminal/repl_history.rs"]
mod repl_history;
#[path = "terminal/repl_pauses.rs"]
mod repl_pauses;
#[path = "terminal/repl_pipe.rs"]
mod repl_pipe;
#[path = "terminal/rig.rs"]
mod rig;
#[path = "terminal/secret.rs"]
mod secret;
#[path = "terminal/watch.rs"]
mod watch;
#[path = "terminal/watch_ends.rs"]
mod watch_ends;
#[path = "terminal/watch_state.rs"]
mod watch_state;
#[path = "terminal/watch_texts.rs"]
mod watch_texts;
