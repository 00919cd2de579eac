//! What page requests are answered.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::input::FetchInput;
use super::told;
use super::visit::Ended;
use crate::script;
use crate::serve::error::ApiError;
use crate::serve::task::{Answer, Task};

/// What a fetch is answered.
pub(super) fn fetch(input: &FetchInput, ended: Ended) -> Result<Answer, ApiError> {
    let (seen, session, redactor) = parts(input, ended)?;
    let step_errors: Vec<Value> = seen.steps.iter().filter_map(super::steps::Step::failure).collect();
    let failures = &seen.captured.failures;
    let is_whole = step_errors.is_empty() && failures.is_empty() && session.get("save_error").is_none();
    let status = if is_whole { "completed" } else { "partial" };
    let mut body = Map::new();
    body.insert("mode".to_owned(), "inline".into());
    body.insert("status".to_owned(), status.into());
    body.insert("outputs".to_owned(), seen.captured.outputs.into());
    if !input.actions.is_empty() {
        body.insert("steps".to_owned(), json!(seen.steps));
    }
    body.insert("session".to_owned(), session);
    body.insert("final_url".to_owned(), json!(seen.final_url));
    body.insert("http_status".to_owned(), json!(seen.http_status));
    if let Some(engine) = seen.captured.engine {
        body.insert("extraction_engine".to_owned(), engine.into());
    }
    if !is_whole || !seen.notices.is_empty() {
        let mut diagnostics = json!({"outcome": status, "output_failures": failures});
        add(&mut diagnostics, "step_errors", step_errors.is_empty(), step_errors.into());
        add(&mut diagnostics, "notices", seen.notices.is_empty(), json!(seen.notices));
        body.insert("diagnostics".to_owned(), diagnostics);
    }
    body.insert("usage".to_owned(), json!({"credits": 0}));
    Ok(answer(body, &redactor))
}

/// What an interact is answered.
pub(super) fn interact(task: &Task, input: &FetchInput, ended: Ended) -> Result<Answer, ApiError> {
    let (seen, session, redactor) = parts(input, ended)?;
    let step_errors: Vec<Value> = seen.steps.iter().filter_map(super::steps::Step::failure).collect();
    let failures = &seen.captured.failures;
    let status = match (step_errors.is_empty(), failures.is_empty() && session.get("save_error").is_none()) {
        (false, _) => "failed",
        (true, false) => "partial",
        (true, true) => "completed",
    };
    let mut result =
        json!({"outputs": seen.captured.outputs, "final_url": seen.final_url, "http_status": seen.http_status});
    add(&mut result, "extraction_engine", seen.captured.engine.is_none(), json!(seen.captured.engine));
    let mut diagnostics = json!({"step_errors": step_errors, "output_failures": failures});
    add(&mut diagnostics, "notices", seen.notices.is_empty(), json!(seen.notices));
    let mut body = Map::new();
    body.insert("id".to_owned(), task.id.as_str().into());
    body.insert("kind".to_owned(), "interact".into());
    body.insert("mode".to_owned(), "inline".into());
    body.insert("status".to_owned(), status.into());
    body.insert("steps".to_owned(), json!(seen.steps));
    body.insert("result".to_owned(), result);
    body.insert("session".to_owned(), session);
    body.insert("diagnostics".to_owned(), diagnostics);
    body.insert("usage".to_owned(), json!({"credits": 0}));
    Ok(answer(body, &redactor))
}

fn add(to: &mut Value, name: &str, is_none: bool, value: Value) {
    if !is_none {
        to[name] = value;
    }
}

fn answer(body: Map<String, Value>, redactor: &crate::base::Redactor) -> Answer {
    let body = match script::redacted(body.into(), redactor) {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    Answer { status: StatusCode::OK, body }
}

type Parts = (super::visit::Seen, Value, crate::base::Redactor);

/// What there is to tell, and of the session; an error that tells of the session too.
fn parts(input: &FetchInput, ended: Ended) -> Result<Parts, ApiError> {
    let Ended { seen, error, session, redactor } = ended;
    let session = match (&session, &input.session) {
        (Some(outcome), _) => told::session(outcome),
        (None, Some(session)) => told::unopened(&session.id),
        (None, None) => Value::Null,
    };
    let Some(mut error) = error else { return Ok((seen, session, redactor)) };
    error.message = redactor.redact(&error.message);
    error.beside.insert("session".to_owned(), script::redacted(session, &redactor));
    if !seen.steps.is_empty() {
        error.beside.insert("steps".to_owned(), script::redacted(json!(seen.steps), &redactor));
    }
    Err(error)
}
