//! `regex("..")` as a value of scripts.

use regex::Regex;

use super::ScriptError;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl Pattern {
    /// Compiles `source`.
    pub fn new(source: &str) -> Result<Self, ScriptError> {
        let invalid =
            |error: regex::Error| ScriptError::new("invalid_argument", format!("invalid regular expression: {error}"));
        Regex::new(source).map(Self).map_err(invalid)
    }
}
