//! The exit codes, one per kind of failure.

use crate::run::{FailureKind, Report};
use crate::session::SessionOutcome;

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

/// The exit code of a whole run: that of its failure; where only a session could not be saved, that of why not.
pub fn report_exit_code(report: &Report) -> u8 {
    report.failure.as_ref().map_or_else(|| saving_exit_code(&report.sessions), |failure| exit_code(failure.kind))
}

/// The exit code of what became of sessions at the end: 0 where all that was to be saved is.
pub fn saving_exit_code(sessions: &[SessionOutcome]) -> u8 {
    let mut errors = sessions.iter().filter_map(|session| session.save_error.as_ref());
    errors.next().map_or(0, |(code, _)| exit_code(FailureKind::of_saving(code)))
}
