//! The way out by error code, where the failure itself knows no better one.

use crate::script;

/// What to do about an error with this code; none where there is nothing general to say. Scripts know most of them;
/// here stand those that only come up outside of one.
pub fn hint(code: &str) -> Option<&'static str> {
    script::hint(code).or(match code {
        "session_not_found" => Some("`rhaven session list` shows those that there are"),
        _ => None,
    })
}
