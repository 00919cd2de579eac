//! The exit codes, one per kind of failure.

use crate::run::{FailureKind, Report};

/// The exit code of a failure of this kind.
pub fn exit_code(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Usage => 1,
        FailureKind::Parse => 2,
        FailureKind::Script => 3,
        FailureKind::Expect => 4,
        FailureKind::Store => 5,
        FailureKind::Interrupted => 130,
    }
}

/// The exit code of a whole run: that of its failure; where only the session could not be saved, that of store trouble.
pub fn report_exit_code(report: &Report) -> u8 {
    match &report.failure {
        Some(failure) => exit_code(failure.kind),
        None if report.sessions.iter().any(|session| session.save_error.is_some()) => exit_code(FailureKind::Store),
        None => 0,
    }
}
