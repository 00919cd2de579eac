//! What a running script tells while it runs; `run` hands it on. Redacted: no secret's value is in it.

use serde::Serialize;
use serde_json::Value;

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// `print(..)`.
    Print {
        /// The line.
        text: String,
    },
    /// `log(..)`.
    Log {
        /// The line.
        text: String,
    },
    /// `emit(..)`: one JSON line of output.
    Emit {
        /// The value.
        value: Value,
    },
    /// A `step(..)` has begun.
    StepStarted {
        /// Its name.
        name: String,
    },
    /// A `step(..)` has ended.
    StepEnded {
        /// Its name.
        name: String,
        /// How long it took, in milliseconds.
        millis: u64,
        /// Whether it ended without an error.
        ok: bool,
    },
    /// A verb is about to run (`-v`): its name and arguments, secrets by name.
    Verb {
        /// `click("#go")`.
        call: String,
        /// The line in the script.
        line: Option<usize>,
    },
    /// A session has been opened.
    SessionOpened {
        /// Its id.
        id: String,
        /// The version that was restored; none where it is new.
        version: Option<u64>,
    },
    /// A session of the run is shown to people from now on, until the script ends.
    Live {
        /// The session's id; none of a throw-away one.
        session: Option<String>,
        /// Where they see and steer it. Lets in whoever has it.
        url: String,
    },
    /// The script waits for a person.
    Pause {
        /// What the person is to do.
        reason: String,
        /// Where. Lets in whoever has it.
        url: String,
    },
    /// It waits no more: somebody has said that it is done, or nobody came in time.
    PauseOver {
        /// Whether somebody has said that it is done.
        done: bool,
    },
    /// Something that the user should be told once.
    Notice {
        /// In words.
        text: String,
    },
}
