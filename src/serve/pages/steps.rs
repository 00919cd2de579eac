//! The steps of a request: one per action that was begun, with when it was and what came of it.

use serde::Serialize;
use serde_json::{Value, json};

use super::actions::Action;
use crate::base::with_causes;
use crate::page::{PageError, VerbError};
use crate::serve::error::ApiError;
use crate::serve::failures;
use crate::serve::task::{Events, TaskEvent};

/// A step, as answers and events tell of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    #[serde(rename = "step_id")]
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    started_at: String,
    completed_at: Option<String>,
    /// How many elements the selector matched, where that was more than the one that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) matches: Option<usize>,
    /// Whether what was waited for came, where that was optional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<bool>,
    /// What JavaScript or a script answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    /// Where the picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) screenshot: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

impl Step {
    /// The step at this place, from 0, begins.
    pub(super) fn begin(at: usize, action: &Action, events: &Events) -> Self {
        let step = Self {
            id: format!("step_{}", at + 1),
            kind: action.name(),
            status: "running",
            started_at: now(),
            completed_at: None,
            matches: None,
            found: None,
            result: None,
            screenshot: None,
            error: None,
        };
        step.tell(events);
        step
    }

    /// It has come to its end.
    pub(super) fn end(&mut self, ended: Result<(), ApiError>, events: &Events) {
        self.completed_at = Some(now());
        self.status = if ended.is_ok() { "completed" } else { "failed" };
        self.error = ended.err().map(|error| {
            let mut told = json!({"code": error.code, "message": error.message});
            if let Some(told) = told.as_object_mut() {
                told.extend(*error.details);
            }
            told
        });
        self.tell(events);
    }

    /// Whether it is still going on.
    pub(super) fn is_running(&self) -> bool {
        self.completed_at.is_none()
    }

    /// What went wrong, for the diagnostics.
    pub(super) fn failure(&self) -> Option<Value> {
        let error = self.error.as_ref()?;
        Some(json!({"step_id": self.id, "type": self.kind, "code": error["code"], "message": error["message"]}))
    }

    fn tell(&self, events: &Events) {
        events.tell(TaskEvent { event: "step".to_owned(), data: json!(self) });
    }
}

/// An error of a verb on a page, with what it tried and what was near.
pub(super) fn of_verb(error: &VerbError) -> ApiError {
    let mut told = failures::of_code(error.error.code(), with_causes(&error.error));
    if let PageError::Navigation { reason, .. } = &error.error {
        told = told.with("reason", reason.as_str());
    }
    let counted =
        |(line, times): (&str, usize)| if times == 1 { line.to_owned() } else { format!("{line} (x{times})") };
    let log: Vec<Value> = error.log.lines().map(counted).map(Value::from).collect();
    let closest = error.closest.iter().map(|(selector, shown)| json!({"selector": selector, "shown": shown}));
    for (name, values) in [("log", log), ("elements", closest.collect())] {
        if !values.is_empty() {
            told = told.with(name, values);
        }
    }
    told
}

fn now() -> String {
    jiff::Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_else(|_| jiff::Timestamp::now()).to_string()
}
