//! What a script says while it runs: kept for the answer, told to who listens.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::run::Event;

use super::super::task::{Events, TaskEvent};
use super::input::{RunInput, RunOutput};

/// Lines that a script printed or logged are told up to this many bytes.
const MAX_LOGS: usize = 1 << 20;

/// A line that a script printed or logged.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::serve) struct LogLine {
    /// `print`, `log`, `step` or `notice`.
    kind: &'static str,
    text: String,
}

/// What a script has said so far.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    emitted: Vec<Value>,
    logs: Vec<LogLine>,
    logged: usize,
}

impl Said {
    /// Keeps it, and tells it to who listens.
    pub(super) fn hear(&self, event: Event, events: &Events) {
        let (name, data) = match event {
            Event::Print { text } => self.log("print", text),
            Event::Log { text } => self.log("log", text),
            Event::Notice { text } => self.log("notice", text),
            Event::Emit { value } => {
                self.lines(|lines| lines.emitted.push(value.clone()));
                ("emit", json!({ "value": value }))
            }
            Event::StepStarted { name } => ("step", json!({ "name": name, "state": "started" })),
            Event::StepEnded { name, millis, ok } => {
                let state = if ok { "completed" } else { "failed" };
                self.log("step", format!("{name}: {state} after {millis} ms"));
                ("step", json!({ "name": name, "state": state, "duration_ms": millis }))
            }
            Event::SessionOpened { id, version } => ("session", json!({ "id": id, "version": version })),
            // The address lets in whoever has it: for who listens, not for what is kept.
            Event::Live { session, url } => ("live", json!({ "session": session, "url": url })),
            Event::Pause { reason, url } => {
                self.log("pause", format!("waits for a person: {reason}"));
                ("pause", json!({ "reason": reason, "url": url }))
            }
            Event::PauseOver { done } => ("pause_over", json!({ "done": done })),
            Event::Verb { .. } => return,
        };
        events.tell(TaskEvent { event: name.to_owned(), data });
    }

    fn log(&self, kind: &'static str, text: String) -> (&'static str, Value) {
        let data = json!({ "text": text });
        self.lines(|lines| {
            let was = lines.logged;
            lines.logged += text.len();
            if lines.logged <= MAX_LOGS {
                lines.logs.push(LogLine { kind, text });
            } else if was <= MAX_LOGS {
                let text = format!("more than {MAX_LOGS} bytes were printed and logged: the rest is left out");
                lines.logs.push(LogLine { kind: "notice", text });
            }
        });
        (kind, data)
    }

    fn lines<T>(&self, change: impl FnOnce(&mut Lines) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn into_members(self, input: &RunInput) -> Map<String, Value> {
        let (emitted, logs) = self.lines(|lines| (std::mem::take(&mut lines.emitted), std::mem::take(&mut lines.logs)));
        let mut members = Map::new();
        if input.wants(RunOutput::Emitted) {
            members.insert("emitted".to_owned(), emitted.into());
        }
        if input.wants(RunOutput::Logs) {
            members.insert("logs".to_owned(), json!(logs));
        }
        members
    }
}
