//! A passphrase: from the environment, or asked for on the terminal without showing it.

use super::environment::Environment;
use super::error::CliError;
use super::terminal::Terminal;
use super::typed::{can_ask, typed};
use crate::base::Secret;

/// What came of asking.
pub(super) enum Answer {
    /// This.
    Given(Secret),
    /// Whoever was asked does not want to.
    GivenUp,
    /// Nothing is set and there is nobody to ask.
    Nobody,
}

/// The passphrase in the variable `name`, else what is typed (twice, where it is a new one). Blocks until it was.
pub(super) async fn passphrase(
    environment: &Environment,
    name: &'static str,
    is_new: bool,
    terminal: &Terminal,
) -> Result<Answer, CliError> {
    if let Some(text) = environment.text(name)? {
        return Ok(Answer::Given(Secret::new(name, text)));
    }
    if !can_ask() {
        return Ok(Answer::Nobody);
    }
    let bad = |reason: &str| CliError::Value { what: "the passphrase".to_owned(), reason: reason.to_owned() };
    let ask =
        async |asks: &str| typed(asks.to_owned(), terminal.clone()).await.map_err(|error| bad(&error.to_string()));
    let Some(first) = ask("passphrase of the bundle, which is not shown; Enter ends it:").await? else {
        return Ok(Answer::GivenUp);
    };
    if is_new {
        let Some(second) = ask("the same again:").await? else { return Ok(Answer::GivenUp) };
        if *second != *first {
            return Err(bad("the two are not the same"));
        }
    }
    let text = str::from_utf8(&first).map_err(|_| bad("text in UTF-8 is wanted, found other bytes"))?;
    Ok(Answer::Given(Secret::new(name, text.to_owned())))
}
