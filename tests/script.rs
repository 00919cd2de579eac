//! The script and run floors, through `run`: what a script can do, what it is told when it cannot.

// Helpers outside of test functions, too: what fails here fails the test.
#![allow(clippy::unwrap_used)]

#[path = "script/browser.rs"]
mod browser;
#[path = "script/check.rs"]
mod check;
#[path = "script/console.rs"]
mod console;
#[path = "script/described.rs"]
mod described;
#[path = "script/emulate.rs"]
mod emulate;
#[path = "script/endings.rs"]
mod endings;
#[path = "script/flow.rs"]
mod flow;
#[path = "script/guards.rs"]
mod guards;
#[path = "script/hostile.rs"]
mod hostile;
#[path = "script/limits.rs"]
mod limits;
#[path = "script/modules.rs"]
mod modules;
#[path = "script/passwords.rs"]
mod passwords;
#[path = "script/pauses.rs"]
mod pauses;
#[path = "script/reading.rs"]
mod reading;
#[path = "script/rig.rs"]
mod rig;
#[path = "script/secrets.rs"]
mod secrets;
#[path = "script/states.rs"]
mod states;
#[path = "script/talk.rs"]
mod talk;
