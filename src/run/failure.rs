//! From what went wrong below to the failure of a report: its kind, its hint, its redaction.

use crate::base::Redactor;
use crate::script::{Parts, Problem, ScriptFailure, hint};
use crate::session::SessionOutcome;

use super::{Failure, FailureKind};

/// What stands before a cause that is none, but a further mistake of the same script.
pub const ALSO: &str = "also: ";

/// The failure of a script that was not even started.
pub fn of_problems(problems: &[Problem]) -> Option<Failure> {
    let (first, rest) = problems.split_first()?;
    let also = |problem: &Problem| match &problem.place {
        Some(place) => format!("{ALSO}line {}: {}", place.line, problem.message),
        None => format!("{ALSO}{}", problem.message),
    };
    Some(Failure {
        kind: match kind(&first.code) {
            told @ (FailureKind::Usage | FailureKind::Store) => told,
            _ => FailureKind::Parse,
        },
        code: first.code.clone().into_owned(),
        message: first.message.clone(),
        causes: rest.iter().map(also).collect(),
        place: first.place.clone(),
        stack: Vec::new(),
        log: Vec::new(),
        elements: Vec::new(),
        hint: first.hint.clone(),
        is_thrown: false,
    })
}

/// The failure of a script that ran.
pub fn of_script(failed: ScriptFailure) -> Failure {
    let error = failed.error.into_parts();
    let hint = error.hint.clone().or_else(|| way_out(&error)).or_else(|| hint(&error.code).map(str::to_owned));
    Failure {
        kind: kind(&error.code),
        message: error.message,
        causes: error.causes,
        place: failed.place,
        stack: failed.stack,
        log: error.log,
        elements: error.elements,
        hint,
        is_thrown: error.is_thrown,
        code: error.code.into_owned(),
    }
}

/// A way out that is more than the code's own, because the failure tells more.
fn way_out(error: &Parts) -> Option<String> {
    match &*error.code {
        "timeout" if !error.log.is_empty() => {
            Some(format!("what was tried stands above; {}", hint("timeout").unwrap_or_default()))
        }
        "strict_violation" => {
            let (selector, _) = error.message.rsplit_once(" matches ")?;
            let first = format!("{selector} >> nth=0");
            Some(format!("use one of the unique selectors listed, or {first:?} for the first match"))
        }
        _ => None,
    }
}

/// The failure of a run whose script succeeded and whose session could not be saved.
pub fn of_saving(sessions: &[SessionOutcome]) -> Option<Failure> {
    let (session, (code, message)) =
        sessions.iter().find_map(|session| session.save_error.as_ref().map(|error| (session, error)))?;
    Some(Failure {
        kind: FailureKind::of_saving(code),
        code: code.clone(),
        message: format!("session {:?} was not saved: {message}", session.id.as_str()),
        causes: Vec::new(),
        place: None,
        stack: Vec::new(),
        log: Vec::new(),
        elements: Vec::new(),
        hint: hint(code).map(str::to_owned),
        is_thrown: false,
    })
}

impl FailureKind {
    /// Of a session that could not be saved with this code.
    pub fn of_saving(code: &str) -> Self {
        match kind(code) {
            Self::Script => Self::Store,
            other => other,
        }
    }
}

/// `failure` without the value of any secret.
pub fn redacted(failure: Failure, redactor: &Redactor) -> Failure {
    failure.map_texts(|text| redactor.redact(&text))
}

/// What became of sessions, without the value of any secret: an address that a guard found may have one in it.
pub fn redacted_outcomes(outcomes: Vec<SessionOutcome>, redactor: &Redactor) -> Vec<SessionOutcome> {
    let redacted = |outcome: SessionOutcome| SessionOutcome {
        save_error: outcome.save_error.map(|(code, message)| (code, redactor.redact(&message))),
        ..outcome
    };
    outcomes.into_iter().map(redacted).collect()
}

/// Which exit code an error of a running script leads to.
fn kind(code: &str) -> FailureKind {
    match code {
        "browser_not_installed"
        | "browser_launch_failed"
        | "secret_not_set"
        | "env_not_allowed"
        | "identity_not_found" => FailureKind::Usage,
        "parse_error" | "module_not_found" | "module_refused" | "import_circle" => FailureKind::Parse,
        "expect_failed" | "auth_required" => FailureKind::Expect,
        "session_busy" | "session_not_found" | "lease_lost" | "conflict" | "not_found" | "store_corrupt"
        | "store_unavailable" | "store_layout" | "store_unfit" | "wrong_key" | "invalid_key" | "key_unavailable"
        | "decrypt_failed" | "save_failed" => FailureKind::Store,
        "cancelled" => FailureKind::Interrupted,
        _ => FailureKind::Script,
    }
}
