//! Errors outside scripts as failures, so that they are shown like all others.

use std::error::Error;

use crate::base::causes;
use crate::browser::BrowserError;
use crate::run::{Failure, FailureKind};
use crate::session::SessionError;

/// A failure of a session command: store, key, lease, or an id that is not there.
pub fn session_failure(error: &SessionError) -> Failure {
    if let SessionError::Browser(error) = error {
        return browser_failure(error);
    }
    let kind = match error {
        SessionError::NotFound(_)
        | SessionError::NoVersion { .. }
        | SessionError::Exists(_)
        | SessionError::Id(_)
        | SessionError::Identity(_)
        | SessionError::NoIdentity { .. }
        | SessionError::Secret(_)
        | SessionError::Token(_)
        | SessionError::NoSecret(_) => FailureKind::Usage,
        SessionError::Portable(error) if error.is_usage() => FailureKind::Usage,
        _ => FailureKind::Store,
    };
    bare(kind, error.code(), error)
}

/// A failure to find or start a browser.
pub fn browser_failure(error: &BrowserError) -> Failure {
    bare(FailureKind::Usage, error.code(), error)
}

/// A failure of a store as a whole.
pub fn store_failure(code: &str, error: &dyn Error) -> Failure {
    bare(FailureKind::Store, code, error)
}

/// Something wrong with how the program was called or configured.
pub fn usage_failure(code: &str, message: impl Into<String>, hint: Option<String>) -> Failure {
    Failure {
        kind: FailureKind::Usage,
        code: code.to_owned(),
        message: message.into(),
        causes: Vec::new(),
        place: None,
        stack: Vec::new(),
        log: Vec::new(),
        elements: Vec::new(),
        hint,
        is_thrown: false,
    }
}

fn bare(kind: FailureKind, code: &str, error: &dyn Error) -> Failure {
    Failure { kind, causes: causes(error), ..usage_failure(code, error.to_string(), None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SessionId;
    use crate::diagnose::{Script, Style, exit_code, render};

    fn show(failure: &Failure) -> String {
        format!("{}exit {}", render(failure, &Script::NONE, Style::PLAIN), exit_code(failure.kind))
    }

    #[test]
    fn a_damaged_object_names_the_cause_and_the_way_out() {
        let error = SessionError::Seal { what: "session \"a\"".into(), source: crate::seal::SealError::Authentication };
        insta::assert_snapshot!(show(&session_failure(&error)), @r#"
        error[decrypt_failed]: session "a" cannot be opened
          because: altered, truncated or moved from its place: authentication failed
          help: what is stored was altered or damaged; nothing was overwritten; rhaven session delete starts the session anew
        exit 5
        "#);
    }

    #[test]
    fn a_missing_browser_is_usage_and_a_busy_session_is_store() {
        let missing = SessionError::Browser(BrowserError::NotInstalled { tried: "PATH".into() });
        insta::assert_snapshot!(show(&session_failure(&missing)), @r#"
        error[browser_not_installed]: no Chromium found: PATH
          help: rhaven browser install
        exit 1
        "#);
        let busy = SessionError::Busy {
            id: SessionId::new("acme").unwrap(),
            holder: "rhaven run a.rhai (pid 7)".into(),
            expires_in: std::time::Duration::from_secs(12),
        };
        insta::assert_snapshot!(show(&session_failure(&busy)), @r#"
        error[session_busy]: session acme is in use by rhaven run a.rhai (pid 7); its lease ends in 12 s unless renewed
          help: wait for the other run, or open it with session(id, #{ mode: "wait" })
        exit 5
        "#);
    }
}
