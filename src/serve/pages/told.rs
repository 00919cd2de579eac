//! What requests are told of sessions and of errors of the lower floors.

use serde_json::{Map, Value, json};

use crate::base::{SessionId, with_causes};
use crate::page::VerbError;
use crate::serve::error::ApiError;
use crate::session::{SessionError, SessionOutcome};

/// What every answer tells of the session that it named.
pub(super) fn session(outcome: &SessionOutcome) -> Value {
    let mut told = Map::new();
    told.insert("id".to_owned(), outcome.id.as_str().into());
    told.insert("updated".to_owned(), outcome.updated.into());
    told.insert("version".to_owned(), outcome.version.map(|version| version.0).into());
    told.insert("changes".to_owned(), json!(outcome.changes));
    if !outcome.partial.is_empty() {
        told.insert("partial".to_owned(), json!(outcome.partial));
    }
    if let Some((code, message)) = &outcome.save_error {
        told.insert("save_error".to_owned(), json!({"code": code, "message": message}));
    }
    if let Some(from) = &outcome.forked_from {
        told.insert("forked_from".to_owned(), from.as_str().into());
    }
    if let Some(to) = &outcome.forked_to {
        told.insert("forked_to".to_owned(), to.as_str().into());
    }
    for (name, is_so) in [("read_only", outcome.read_only), ("recovered", outcome.recovered)] {
        if is_so {
            told.insert(name.to_owned(), true.into());
        }
    }
    if let Some(at) = &outcome.expired_at {
        told.insert("expired_at".to_owned(), at.as_str().into());
    }
    told.into()
}

/// The same of a session that could not be opened.
pub(super) fn unopened(id: &str) -> Value {
    json!({"id": id, "updated": false, "version": null, "changes": []})
}

/// An error of a session.
pub(super) fn session_error(error: &SessionError) -> ApiError {
    match error {
        SessionError::Busy { id, holder, expires_in } => busy(id, holder, *expires_in, error),
        SessionError::Page(verb) => verb_error(verb),
        _ => ApiError::new(known(error.code()), with_causes(error)),
    }
}

fn busy(id: &SessionId, holder: &str, expires_in: std::time::Duration, error: &SessionError) -> ApiError {
    let seconds = expires_in.as_secs_f64().ceil();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a lease lasts seconds")]
    let retry_after = Some((seconds as u64).max(1));
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::try_from(expires_in).unwrap_or_default();
    let told = ApiError::new("session_busy", with_causes(error));
    let told = told.with("session", id.as_str()).with("holder", holder).with("lease_ends_at", ends.to_string());
    ApiError { retry_after, ..told }
}

/// An error of a verb on a page, with what it tried.
pub(super) fn verb_error(error: &VerbError) -> ApiError {
    let told = ApiError::new(known(error.error.code()), with_causes(&error.error));
    let log: Vec<Value> = error.log.lines().map(|(line, times)| Value::from(counted(line, times))).collect();
    if log.is_empty() { told } else { told.with("call_log", log) }
}

/// A code as the endpoint has it: what comes of a browser that cannot be had is one thing to who asks.
fn known(code: &'static str) -> &'static str {
    match code {
        "browser_not_installed"
        | "browser_launch_failed"
        | "browser_connect_failed"
        | "browser_gone"
        | "browser_protocol" => "browser_unavailable",
        other => other,
    }
}

fn counted(line: &str, times: usize) -> String {
    if times == 1 { line.to_owned() } else { format!("{line} (x{times})") }
}
