//! Floor 7: the REPL: a person, or a pipe, tells a run what to do one input at a time. Draws through the [`Screen`] that it is
//! handed; only the line editor, which has to own the terminal while a line is typed, writes to it by itself. Never ends for
//! an error of an input, and never closes the browser for one.

mod answers;
mod assistant;
mod code;
mod commands;
mod complete;
mod context;
mod conversation;
mod doubt;
mod editing;
mod help;
mod helper;
mod highlight;
mod hint;
mod history;
mod input;
mod keeping;
mod knowledge;
mod members;
mod pictures;
mod recipe;
mod show;
mod showing;
mod trace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::base::{Secret, SessionId};
use crate::browser::LaunchOptions;
use crate::diagnose::Style;
use crate::run::{Dialogue, Failure};

pub use assistant::Assistant;
pub use complete::{Candidate, Completion, complete};
pub use history::History;
pub use knowledge::Knowledge;
pub use trace::Trace;

/// Where the REPL writes.
pub trait Screen: Send + Sync {
    /// Values: a line or several, for stdout. False where nobody reads any more.
    fn value(&self, text: &str) -> bool;
    /// Words for people: a line or several, for stderr.
    fn say(&self, text: &str);
    /// How text for people looks.
    fn style(&self) -> Style;
}

/// What the system asks of us meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C: stop what runs.
    Interrupt,
    /// End well.
    Terminate,
    /// Nobody reads stdout any more: stop what runs and end.
    Unread,
}

/// Where inputs come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A person, at the terminal that is stdin.
    Terminal {
        /// Where what was typed is kept.
        history: Option<History>,
        /// Whether to colour.
        color: bool,
        /// Whether stdout is not the terminal: lines are typed on the process's controlling one.
        apart: bool,
    },
    /// The lines of stdin.
    Pipe,
}

/// Answers how to start a browser with a window, or without one.
pub type Launches = Arc<dyn Fn(bool) -> Result<LaunchOptions, Box<Failure>> + Send + Sync>;

/// Says more of a failure than it tells by itself, where the program knows more.
pub type Explain = Arc<dyn Fn(&mut Failure) + Send + Sync>;

/// What a conversation needs beside its dialogue.
#[derive(Clone)]
pub struct Setup {
    /// Where it writes.
    pub screen: Arc<dyn Screen>,
    /// Where inputs come from.
    pub source: Source,
    /// Files are written below it, and paths that are typed begin there.
    pub working_folder: PathBuf,
    /// The folder that imports resolve below.
    pub import_root: PathBuf,
    /// The session that the dialogue was opened with.
    pub session: Option<SessionId>,
    /// The names of the arguments that it was given.
    pub args: Vec<String>,
    /// The secrets that it may use.
    pub secrets: BTreeMap<String, Secret>,
    /// The names of the environment variables that scripts may read.
    pub env: Vec<String>,
    /// Hears the dialogue's events: whoever opened it passes them on.
    pub trace: Trace,
    /// How to start another browser.
    pub launches: Launches,
    /// Asked before a failure is shown.
    pub explain: Explain,
    /// Whether the browser has a window now.
    pub headed: bool,
    /// Values as lines of JSON, on a terminal too.
    pub json: bool,
    /// Nothing is said but errors and answers.
    pub quiet: bool,
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The exit code of the first input that failed; 0 where none did. A person's mistakes do not count.
    pub code: u8,
    /// Whether a signal ended it, or the end of the terminal, or `.quit` in a script's `pause()`.
    pub terminated: bool,
}

/// Talks until there is nothing more to say. The dialogue is left open, and the terminal as it was found.
pub async fn converse(dialogue: &mut Dialogue, setup: Setup, signals: &mut UnboundedReceiver<Signal>) -> End {
    Box::pin(conversation::Conversation::hold(dialogue, setup, signals)).await
}
