//! What happened, as a value. Redacted: no secret's value is in it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::script::{Place, StackFrame};
use crate::session::SessionOutcome;

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The value of the script's last expression; null where it failed.
    pub result: Value,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// What happened to each named session.
    pub sessions: Vec<SessionOutcome>,
    /// From start to end.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub duration: Duration,
    /// The script's text, for excerpts.
    #[serde(skip)]
    pub source: String,
    /// The script's name, for excerpts.
    pub name: String,
}

/// Which of the exit codes a failure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Usage or configuration, no browser: 1.
    Usage,
    /// The script does not parse or resolve: 2.
    Parse,
    /// The script failed: 3.
    Script,
    /// An `expect` failed, or a guard (`auth_required`): 4.
    Expect,
    /// Store, key, lease: 5.
    Store,
    /// Interrupted: 130.
    Interrupted,
}

/// A failure as data; `diagnose` makes text of it.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// For the exit code.
    pub kind: FailureKind,
    /// The stable code.
    pub code: String,
    /// One line.
    pub message: String,
    /// The causes below it, outermost first.
    pub causes: Vec<String>,
    /// Where in the script.
    pub place: Option<Place>,
    /// The script's calls that led there, innermost first.
    pub stack: Vec<StackFrame>,
    /// What the verb tried, line by line.
    pub log: Vec<String>,
    /// A selector and a preview of each: the matches of an ambiguous selector, or what is closest to one without a match.
    pub elements: Vec<(String, String)>,
    /// The way out.
    pub hint: Option<String>,
    /// Whether code and message are the script's own words, and none of ours.
    #[serde(skip)]
    pub is_thrown: bool,
}

impl Failure {
    /// A fault of ours.
    pub(super) fn internal(message: &str) -> Self {
        Self {
            kind: FailureKind::Script,
            code: "internal_error".to_owned(),
            message: message.to_owned(),
            causes: Vec::new(),
            place: None,
            stack: Vec::new(),
            log: Vec::new(),
            elements: Vec::new(),
            hint: None,
            is_thrown: false,
        }
    }

    /// The same with every text in it changed but for places, which name files. The code is one: a script may have made it.
    #[must_use]
    pub fn map_texts(self, text: impl Fn(String) -> String) -> Self {
        let lines = |lines: Vec<String>| lines.into_iter().map(&text).collect();
        Self {
            code: text(self.code),
            message: text(self.message),
            causes: lines(self.causes),
            log: lines(self.log),
            elements: self.elements.into_iter().map(|(selector, preview)| (text(selector), text(preview))).collect(),
            hint: self.hint.map(&text),
            ..self
        }
    }
}

fn millis<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(span.as_millis())
}
