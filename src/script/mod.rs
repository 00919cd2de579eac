//! Floor 4: everything that knows Rhai: engine, limits, function table, bindings, module resolver, secrets as values, the
//! check before a run, and the one bridge from the script's thread to the asynchronous floors below. Knows nothing of jobs,
//! reports, exit codes or terminals.

mod bind;
mod bridge;
mod check;
mod console;
mod cookies;
mod definitions;
mod described;
mod engine;
mod error;
mod event;
mod failure;
mod fields;
mod files;
mod given;
mod handover;
mod hint;
mod host;
mod identity;
mod imports;
mod kind;
mod limits;
mod modules;
mod names;
mod options;
mod password;
mod pattern;
mod program;
mod secret;
mod stop;
mod table;
mod tokens;
mod topics;
mod value;

pub use check::{Problem, Source, check};
pub use console::{Answer, Asked, Console, Shown, Variable};
pub use definitions::definitions;
pub use error::{Parts, ScriptError};
pub use event::Event;
pub use failure::{Place, ScriptFailure, StackFrame};
pub use given::{NamesAsked, NamesTold, with_names};
pub use handover::{Attach, Handing, Handover};
pub use hint::hint;
pub use host::{Host, Progress};
pub use imports::files as imported_files;
pub use kind::Kind;
pub use limits::Limits;
pub use modules::{STD, locate as locate_module};
pub use password::is_meant as is_about_password;
pub use program::{Program, on_thread};
pub use stop::{Stop, Stopper};
pub use table::{Entry, Group, OptionDoc, PROPERTIES, Param, Property, Receiver, docs, find};
pub use tokens::{TokenAt, TokenKind, Whole, is_whole, tokens};
pub use topics::{Topic, topic, topics};
pub use value::redacted;
