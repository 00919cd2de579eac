//! Passwords in clear: before a verb types a text, the page is asked whether it goes into a password field. Only where that is
//! switched on.

use std::time::Duration;

use rhai::EvalAltResult;

use super::Call;
use crate::base::Deadline;
use crate::script::{bridge, password};

/// The longest that a verb is held up by the question; a field that comes later is asked after the verb.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same after a verb that failed: its field is there by now, or it is not.
const BRIEF: Duration = Duration::from_millis(100);

/// What was asked before a verb.
pub(super) struct Asked {
    /// The text, where nobody could say yet what it goes into.
    open: Option<String>,
}

/// Learns the text of `call` where it goes into a password field. Never fails the verb; an error is the end of the script.
pub(super) fn before(call: &Call) -> Result<Asked, Box<EvalAltResult>> {
    let none = Ok(Asked { open: None });
    if !call.host.progress.passwords.is_on() {
        return none;
    }
    let Some(text) = call.plain_input().filter(|text| !text.is_empty()) else { return none };
    match is_password(call, PATIENCE.min(call.timeout() / 4))? {
        Some(true) => call.host.learn_password(&text),
        Some(false) => {}
        // A misspelt selector is kept in a history, too.
        None if password::is_meant(&call.text("selector")) => call.host.learn_password(&text),
        None => return Ok(Asked { open: Some(text) }),
    }
    none
}

impl Asked {
    /// Asks once more where the field was not there before the verb. Also of a verb that failed: the field may have come, and
    /// have been no good for typing.
    pub fn after(self, call: &Call, done: bool) {
        let Some(text) = self.open else { return };
        if let Ok(Some(true)) = is_password(call, if done { PATIENCE } else { BRIEF }) {
            call.host.learn_password(&text);
        }
    }
}

/// None where the page cannot say.
fn is_password(call: &Call, patience: Duration) -> Result<Option<bool>, Box<EvalAltResult>> {
    let Ok(locator) = call.locator() else { return Ok(None) };
    let answer = bridge::wait(call.host, locator.is_password(Deadline::after(patience)))?;
    Ok(answer.ok())
}
