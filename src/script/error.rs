//! The error value that a script catches: `catch (e) { if e.code == "timeout" { .. } }`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::base::causes;
use crate::page::{PageError, VerbError};
use crate::session::SessionError;

/// A failure of one of our functions. Cheap to clone; scripts may keep it and throw it again.
#[derive(Debug, Clone)]
pub struct ScriptError(Arc<Parts>);

/// What a [`ScriptError`] holds.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The stable code: one of ours, or what a script gave to what it threw.
    pub code: Cow<'static, str>,
    /// One line.
    pub message: String,
    /// The causes below it, outermost first.
    pub causes: Vec<String>,
    /// What the verb tried, line by line.
    pub log: Vec<String>,
    /// A selector and a preview of each element that matters here.
    pub elements: Vec<(String, String)>,
    /// The way out, where it is more than the code's own.
    pub hint: Option<String>,
    /// Line and column, where it is known better than by the engine.
    pub position: Option<(usize, usize)>,
    /// A script's own words, code included: it threw a map.
    pub is_thrown: bool,
}

impl ScriptError {
    /// An error with nothing but its code and message.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Parts { code: code.into(), message: message.into(), ..Parts::default() }.into()
    }

    /// With a way out.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Parts { hint: Some(hint.into()), ..self.into_parts() }.into()
    }

    /// With the place that it concerns.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        let position = position.line().map(|line| (line, position.position().unwrap_or(1)));
        Parts { position, ..self.into_parts() }.into()
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// All of it.
    pub fn parts(&self) -> &Parts {
        &self.0
    }

    /// All of it, to keep.
    pub fn into_parts(self) -> Parts {
        Arc::unwrap_or_clone(self.0)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl From<Parts> for ScriptError {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl From<ScriptError> for Box<EvalAltResult> {
    fn from(error: ScriptError) -> Self {
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(error), Position::NONE))
    }
}

impl From<Box<VerbError>> for ScriptError {
    fn from(failed: Box<VerbError>) -> Self {
        let VerbError { error, log, closest } = *failed;
        let elements = match &error {
            PageError::StrictViolation { matches, .. } => matches.clone(),
            _ => closest,
        };
        let log =
            log.lines().map(|(line, count)| if count > 1 { format!("{line} (x{count})") } else { line.to_owned() });
        let log = log.collect();
        Parts {
            code: error.code().into(),
            message: error.to_string(),
            causes: causes(&error),
            log,
            elements,
            ..Parts::default()
        }
        .into()
    }
}

impl From<PageError> for ScriptError {
    fn from(error: PageError) -> Self {
        Box::new(VerbError::from(error)).into()
    }
}

/// The error for an identity that nobody set, with the nearest one that there is.
pub fn no_identity(name: &str, near: Option<&str>) -> ScriptError {
    let error = ScriptError::new("identity_not_found", format!("there is no identity {name:?}"));
    match near {
        Some(near) => error.with_hint(format!("did you mean {near:?}?")),
        None => error,
    }
}

impl From<SessionError> for ScriptError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Page(verb) => verb.into(),
            SessionError::NoIdentity { name, near } => no_identity(&name, near.as_deref()),
            other => Parts {
                code: other.code().into(),
                message: other.to_string(),
                causes: causes(&other),
                ..Parts::default()
            }
            .into(),
        }
    }
}
