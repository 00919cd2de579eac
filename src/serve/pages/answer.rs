//! What page requests are answered.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::input::FetchInput;
use super::visit::Ended;
use crate::script;
use crate::serve::error::ApiError;
use crate::serve::failures;
use crate::serve::runs::SessionTold;
use crate::serve::task::{Answer, Task};

/// What `/v1/fetch` is answered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) struct FetchAnswer {
    request_id: String,
    /// `inline`.
    mode: String,
    /// `completed`, or `partial` where something could not be had.
    status: String,
    outputs: Outputs,
    /// What was done, where there were actions.
    #[schema(required = false)]
    steps: Vec<StepTold>,
    /// What became of the session: null where none was named.
    #[schema(required = true)]
    session: Option<SessionTold>,
    /// Where the page came from in the end.
    #[schema(required = true)]
    final_url: Option<String>,
    /// The status of the document that was last gone to by its address.
    #[schema(required = true)]
    http_status: Option<u16>,
    /// What read the page for `json`, where that was a choice: `heuristic` or `llm`.
    extraction_engine: Option<String>,
    /// Where the engine took each value from.
    #[schema(required = false, value_type = Vec<Object>)]
    extraction_sources: Vec<Value>,
    diagnostics: Option<PageDiagnostics>,
    usage: Usage,
}

/// What `/v1/interact` is answered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) struct InteractAnswer {
    request_id: String,
    /// The id of the request or job.
    id: String,
    /// `interact`.
    kind: String,
    /// `inline`.
    mode: String,
    /// `completed`; `partial` where an output could not be had; `failed` where an action failed.
    status: String,
    steps: Vec<StepTold>,
    result: InteractResult,
    /// What became of the session: null where none was named.
    #[schema(required = true)]
    session: Option<SessionTold>,
    diagnostics: PageDiagnostics,
    usage: Usage,
}

/// The page after the last action.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct InteractResult {
    outputs: Outputs,
    #[schema(required = true)]
    final_url: Option<String>,
    #[schema(required = true)]
    http_status: Option<u16>,
    extraction_engine: Option<String>,
    /// Where the engine took each value from.
    #[schema(required = false, value_type = Vec<Object>)]
    extraction_sources: Vec<Value>,
}

/// What was asked for of the page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Outputs {
    html: Option<String>,
    markdown: Option<String>,
    #[schema(required = false)]
    json: Value,
    screenshot: Option<PictureTold>,
}

/// A picture, for 15 minutes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct PictureTold {
    url: String,
}

/// A step: an action that was begun.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct StepTold {
    step_id: String,
    r#type: String,
    /// `completed` or `failed`.
    status: String,
    started_at: String,
    #[schema(required = true)]
    completed_at: Option<String>,
    /// How many elements matched, where that was more than the one that was taken.
    matches: Option<u64>,
    /// Whether what was waited for came, where that was optional.
    found: Option<bool>,
    /// What JavaScript or a script answered.
    #[schema(required = false)]
    result: Value,
    screenshot: Option<PictureTold>,
    error: Option<Failure>,
}

/// What went wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Failure {
    /// The output that is missing, or lacks something.
    output: Option<String>,
    /// The step that failed.
    step_id: Option<String>,
    code: String,
    message: String,
}

/// What could not be had.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct PageDiagnostics {
    /// The answer's status again.
    outcome: Option<String>,
    output_failures: Vec<Failure>,
    #[schema(required = false)]
    step_errors: Vec<Failure>,
    /// What happened unasked, such as a dialog that was dismissed.
    #[schema(required = false)]
    notices: Vec<String>,
}

/// Nothing is charged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Usage {
    credits: u64,
}

/// What a fetch is answered.
pub(super) fn fetch(input: &FetchInput, ended: Ended) -> Result<Answer, ApiError> {
    let (seen, session, redactor) = parts(input, ended)?;
    let step_errors: Vec<Value> = seen.steps.iter().filter_map(super::steps::Step::failure).collect();
    let failures = &seen.captured.failures;
    let is_saved = session.get("save_error").is_none() && !seen.is_unsaved;
    let is_whole = step_errors.is_empty() && failures.is_empty() && is_saved;
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
        body.insert("extraction_sources".to_owned(), json!(seen.captured.sources));
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
    let is_saved = session.get("save_error").is_none() && !seen.is_unsaved;
    let status = match (step_errors.is_empty(), failures.is_empty() && is_saved) {
        (false, _) => "failed",
        (true, false) => "partial",
        (true, true) => "completed",
    };
    let mut result =
        json!({"outputs": seen.captured.outputs, "final_url": seen.final_url, "http_status": seen.http_status});
    add(&mut result, "extraction_engine", seen.captured.engine.is_none(), json!(seen.captured.engine));
    add(&mut result, "extraction_sources", seen.captured.engine.is_none(), json!(seen.captured.sources));
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
        (Some(outcome), _) => failures::told(outcome),
        (None, Some(session)) => failures::untouched(session.id.as_str()),
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
