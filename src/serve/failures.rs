//! From what goes wrong below to what a client is told: the contract's codes, and of a script that failed where and why.

use serde_json::{Value, json};

use crate::base::{SessionId, with_causes};
use crate::run::{ALSO, Failure, FailureKind, StackFrame};
use crate::session::{SessionError, SessionOutcome};

use super::error::{ApiError, INNER};
use super::refusals::{inner, outward, refused};

/// What each session did: as it stands beside `session` in answers.
pub(super) fn told(outcome: &SessionOutcome) -> Value {
    let mut told = json!({
        "id": outcome.id,
        "updated": outcome.updated,
        "version": outcome.version,
        "changes": outcome.changes,
    });
    let mut add = |name: &str, value: Value| {
        told[name] = value;
    };
    if let Some(from) = &outcome.forked_from {
        add("forked_from", json!(from));
    }
    if let Some(to) = &outcome.forked_to {
        add("forked_to", json!(to));
    }
    if let Some(at) = &outcome.expired_at {
        add("expired_at", json!(at));
    }
    if !outcome.partial.is_empty() {
        add("partial", json!(outcome.partial));
    }
    if outcome.recovered {
        add("recovered", json!(true));
    }
    if let Some((code, message)) = &outcome.save_error {
        add("save_error", json!({ "code": code, "message": unsaved(code, message) }));
    }
    told
}

/// Why a session was not saved, without what is the server's own; what became of it instead stays.
fn unsaved(code: &str, message: &str) -> String {
    const KEPT: &str = "; it is kept in the outbox";
    const NO_FORK: &str = ", as no fork could be made";
    if let (None, Some((told, _))) = (inner(code), message.split_once(NO_FORK)) {
        tracing::warn!(code, error = message, "told to a client in short");
        return format!("{told}{NO_FORK}");
    }
    match (inner(code), message.find(KEPT)) {
        (Some(_), Some(at)) => outward(code, message.to_owned()) + &message[at..],
        _ => outward(code, message.to_owned()),
    }
}

/// What the session did that a request names, or the fork of it; nothing, where it was not opened.
pub(super) fn told_of(id: &SessionId, outcomes: &[SessionOutcome]) -> Value {
    let is = |outcome: &&SessionOutcome| outcome.id == *id || outcome.forked_from.as_ref() == Some(id);
    outcomes.iter().find(is).map_or_else(|| untouched(id.as_str()), told)
}

/// The same of one that was named and that nothing happened to.
pub(super) fn untouched(id: &str) -> Value {
    json!({ "id": id, "updated": false, "version": null, "changes": [] })
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::Busy { expires_in, .. } => {
                let seconds = expires_in.as_secs() + 1;
                Self { retry_after: Some(seconds), ..refused(error) }
            }
            SessionError::NoIdentity { near, .. } => {
                let told = Self::new(error.code(), error.to_string());
                match near {
                    Some(near) => told.with("hint", format!("did you mean {near:?}?")),
                    None => told.with("hint", "keep one: PUT /v1/identities/NAME"),
                }
            }
            SessionError::Browser(_) | SessionError::Page(_) => of_code(error.code(), with_causes(&error)),
            SessionError::Late { .. }
            | SessionError::AuthRequired { .. }
            | SessionError::Kind { .. }
            | SessionError::ProfileNewer { .. }
            | SessionError::RestoreIncomplete { .. } => Self::new(error.code(), error.to_string()),
            _ => refused(error),
        }
    }
}

/// An error by the code that it has below.
pub(super) fn of_code(code: &str, message: String) -> ApiError {
    let message = outward(code, message);
    match code {
        "browser_not_installed" | "browser_launch_failed" | "browser_connect_failed" | "browser_gone" => {
            ApiError::new("browser_unavailable", message).with(INNER, code)
        }
        "run_timeout" => ApiError::new("timeout", message),
        // What is wrong with the store or its key is nobody's who asks.
        "wrong_key" | "key_unavailable" | "invalid_key" | "store_layout" | "store_unfit" => {
            ApiError::new("store_unavailable", message).with(INNER, code)
        }
        "decrypt_failed" | "store_corrupt" | "save_failed" => ApiError::new(code, message),
        "browser_protocol" => ApiError::internal(message).with(INNER, code),
        "invalid_argument" => ApiError::new("invalid_request", message),
        code => ApiError::new(code, message),
    }
}

/// Whether a failed script is told by the code itself: the contract has a status for it, whoever asked, as where no script is in
/// between. All else is `script_error`.
fn has_a_status(failure: &Failure) -> bool {
    let has = failure.kind == FailureKind::Store
        || matches!(
            &*failure.code,
            // That of a verb is about the script and its page.
            "run_timeout"
                | "target_blocked"
                | "proxy_unavailable"
                | "llm_unavailable"
                | "cancelled"
                | "session_busy"
                | "lease_lost"
                | "conflict"
                | "internal_error"
                | "browser_not_installed"
                | "browser_launch_failed"
                | "browser_connect_failed"
                | "browser_gone"
        );
    // A script may throw any code: what looks like ours and is none is its own matter.
    has && !failure.is_thrown
}

/// What a script is told to have failed with.
pub(super) fn of_run(failure: &Failure) -> ApiError {
    if inner(&failure.code).is_some() && !failure.causes.is_empty() {
        tracing::warn!(code = &*failure.code, causes = failure.causes.join(": "), "told to a client in short");
    }
    let told = if has_a_status(failure) {
        of_code(&failure.code, failure.message.clone())
    } else {
        let said = failure.message.clone();
        let message = if failure.is_thrown { said } else { outward(&failure.code, said) };
        ApiError::new("script_error", message).with(INNER, failure.code.clone())
    };
    detailed(told, failure)
}

/// With the place in the script, the calls that led there, and what was tried.
fn detailed(mut error: ApiError, failure: &Failure) -> ApiError {
    if let Some(place) = &failure.place {
        error = error.with("line", place.line).with("column", place.column);
        if let Some(file) = &place.file {
            error = error.with("file", file.clone());
        }
    }
    let causes: &[String] = if inner(&failure.code).is_some() { &[] } else { &failure.causes[..] };
    let (problems, causes): (Vec<_>, Vec<_>) = causes.iter().partition(|cause| cause.starts_with(ALSO));
    let problems: Vec<&str> = problems.iter().map(|problem| problem.trim_start_matches(ALSO)).collect();
    let elements = failure.elements.iter().map(|(selector, shown)| json!({ "selector": selector, "shown": shown }));
    let lists = [
        ("frame", failure.stack.iter().map(frame).collect()),
        ("log", failure.log.iter().map(|line| Value::from(line.as_str())).collect()),
        ("elements", elements.collect()),
        ("causes", causes.into_iter().map(|cause| Value::from(cause.as_str())).collect()),
        ("also", problems.into_iter().map(Value::from).collect::<Vec<Value>>()),
    ];
    for (name, values) in lists {
        if !values.is_empty() {
            error = error.with(name, values);
        }
    }
    match hint(failure) {
        Some(hint) => error.with("hint", hint),
        None => error,
    }
}

fn frame(frame: &StackFrame) -> Value {
    let mut told = json!({ "function": frame.function, "line": frame.place.line, "column": frame.place.column });
    if let Some(file) = &frame.place.file {
        told["file"] = json!(file);
    }
    told
}

/// The way out, where it is one over HTTP too.
fn hint(failure: &Failure) -> Option<String> {
    match &*failure.code {
        "secret_not_set" => Some("keep it: PUT /v1/secrets/NAME".to_owned()),
        "identity_not_found" if failure.hint.as_ref().is_none_or(|hint| hint.contains("rhaven ")) => {
            Some("keep one: PUT /v1/identities/NAME".to_owned())
        }
        "run_timeout" => Some("timeout_ms gives it more time".to_owned()),
        "env_not_allowed" => Some("a script that is sent has no environment: args gives it values".to_owned()),
        _ => failure.hint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_busy_session_tells_who_has_it_and_when_to_come_again() {
        let id = SessionId::new("acme").unwrap();
        let expires_in = std::time::Duration::from_secs(9);
        let error = ApiError::from(SessionError::Busy { id, holder: "somebody".into(), expires_in });
        assert_eq!((error.status, error.retry_after), (StatusCode::CONFLICT, Some(10)));
        assert_eq!(error.details["holder"], "somebody");
        assert_eq!(error.details["lease_ends_in_ms"], 9000);
    }

    #[test]
    fn what_is_the_servers_own_is_not_told() {
        let error = of_run(&Failure {
            kind: FailureKind::Store,
            code: "store_unavailable".to_owned(),
            message: "/srv/store: no answer".to_owned(),
            causes: vec!["/srv/store/x: permission denied".to_owned()],
            place: None,
            stack: Vec::new(),
            log: Vec::new(),
            elements: Vec::new(),
            hint: None,
            is_thrown: false,
        });
        let told = format!("{} {:?}", error.message, error.details);
        assert!(error.code == "store_unavailable" && !told.contains("/srv"), "{told}");
        let kept =
            unsaved("store_unavailable", "/srv/store: no answer; it is kept in the outbox; applied by the next run");
        assert!(!kept.contains("/srv") && kept.contains("kept in the outbox; applied"), "{kept}");
        let lost =
            unsaved("restore_incomplete", "a is not restored; it is lost, as no fork could be made: /srv/x: denied");
        assert!(!lost.contains("/srv") && lost.starts_with("a is not restored"), "{lost}");
        assert_eq!(unsaved("conflict", "another wrote it"), "another wrote it");
    }

    #[test]
    fn codes_have_the_statuses_of_the_contract() {
        let status = |code: &str| of_code(code, String::new()).status.as_u16();
        for (code, wanted) in [
            ("session_not_found", 404),
            ("conflict", 409),
            ("browser_gone", 503),
            ("store_unavailable", 503),
            ("wrong_key", 503),
            ("run_timeout", 504),
            ("target_blocked", 502),
            ("auth_required", 422),
            ("browser_protocol", 500),
        ] {
            assert_eq!(status(code), wanted, "{code}");
        }
    }
}
