//! An error of the engine as data: code, message, place, calls.

use std::collections::BTreeMap;

use rhai::{Dynamic, EvalAltResult, Map, ParseErrorType, Position};
use serde::Serialize;

use super::stop::Stop;
use super::{Host, Parts, ScriptError, check, names, value};
use crate::base::show_duration;

/// A place in a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, where it is not the script itself.
    pub file: Option<String>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of `position` in `file`; none where the engine does not know.
    pub fn new(file: Option<&str>, position: Position) -> Option<Self> {
        let line = position.line()?;
        Some(Self { file: file.map(str::to_owned), line, column: position.position().unwrap_or(1) })
    }
}

/// One call on the script's stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackFrame {
    /// The function.
    pub function: String,
    /// Where it was called.
    pub place: Place,
}

/// Why a script failed, and where.
#[derive(Debug, Clone)]
pub struct ScriptFailure {
    /// What went wrong. Not redacted yet.
    pub error: ScriptError,
    /// Where.
    pub place: Option<Place>,
    /// The calls that led there, innermost first.
    pub stack: Vec<StackFrame>,
}

impl ScriptFailure {
    /// The failure of a script that was stopped, wherever it stood.
    pub fn stopped(reason: Stop) -> Self {
        Self { error: stopped(reason).into(), place: None, stack: Vec::new() }
    }
}

/// What is known where a failure is read: for hints, and for the places of what was defined elsewhere.
#[derive(Debug, Default)]
pub struct Known {
    /// The variables in scope.
    pub variables: Vec<String>,
    /// The functions that there are beside ours.
    pub functions: Vec<String>,
    /// The functions of the modules that are imported, by alias.
    pub modules: BTreeMap<String, Vec<String>>,
    /// The text that a function stands in, by its name, where that is not the script itself.
    pub origins: BTreeMap<String, String>,
}

impl From<ScriptError> for ScriptFailure {
    /// The failure that has no place in a script.
    fn from(error: ScriptError) -> Self {
        Self { error, place: None, stack: Vec::new() }
    }
}

/// Reads what the engine answered.
pub fn read(error: EvalAltResult, host: &Host) -> ScriptFailure {
    read_knowing(error, host, &Known::default())
}

/// As [`read`], with what is known of the surroundings.
pub fn read_knowing(error: EvalAltResult, host: &Host, known: &Known) -> ScriptFailure {
    let mut error = error;
    let mut file: Option<String> = None;
    let mut stack = Vec::new();
    loop {
        let (function, inner, inside, position) = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                let source = Some(source).filter(|source| !source.is_empty());
                (function_name(&name), inner, source.or_else(|| known.origins.get(&name).cloned()), position)
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                (format!("import {name:?}"), inner, Some(name), position)
            }
            innermost => {
                error = innermost;
                break;
            }
        };
        if let Some(place) = Place::new(file.as_deref(), position) {
            stack.push(StackFrame { function, place });
        }
        file = inside;
        error = *inner;
    }
    stack.reverse();
    let place = Place::new(file.as_deref(), error.position()).or_else(|| Some(stack.first()?.place.clone()));
    let error = ScriptError::from(parts(error, host, known));
    let place = match error.parts().position {
        Some((line, column)) => Some(Place { file, line, column }),
        None => place,
    };
    ScriptFailure { error, place, stack }
}

/// Closures have names that only the engine understands.
fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { name.to_owned() }
}

fn parts(error: EvalAltResult, host: &Host, known: &Known) -> Parts {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(&value),
        EvalAltResult::ErrorTerminated(reason, _) => {
            let reason = reason.try_cast::<Stop>().or_else(|| host.stop.reason());
            stopped(reason.unwrap_or(Stop::Cancelled))
        }
        EvalAltResult::ErrorParsing(error, _) => simple("parse_error", &parse_message(&error)),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(&signature, known).into_parts(),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            check::unknown_variable(&name, || known.variables.iter().map(String::as_str)).into_parts()
        }
        EvalAltResult::ErrorModuleNotFound(alias, _) => {
            check::unknown_module(&alias, "..", known.modules.keys().map(String::as_str)).into_parts()
        }
        EvalAltResult::ErrorDataRace(name, _) => Parts {
            hint: Some("a closure holds the very value whose method is running; let the closure take it as a parameter instead".into()),
            ..simple("script_error", &format!("{name} is in use by the call that the closure was given to"))
        },
        EvalAltResult::ErrorTooManyOperations(_) => limit(&format!("operations ({})", host.limits.operations)),
        EvalAltResult::ErrorTooManyModules(_) => limit(&format!("modules ({})", host.limits.modules)),
        EvalAltResult::ErrorTooManyVariables(_) => limit("variables"),
        EvalAltResult::ErrorStackOverflow(_) => limit(&format!("nested calls ({})", host.limits.call_depth)),
        EvalAltResult::ErrorDataTooLarge(what, _) => limit(&what.to_lowercase()),
        mut other => {
            // Told apart from the message: the place stands in a field of its own.
            let _ = other.take_position();
            simple("script_error", &lower_first(&other.to_string()))
        }
    }
}

fn unknown_function(signature: &str, known: &Known) -> ScriptError {
    let name = signature.split(['(', ' ']).next().unwrap_or(signature);
    let qualified = name.split_once("::").and_then(|(alias, name)| Some((alias, name, known.modules.get(alias)?)));
    match qualified {
        Some((alias, name, functions)) if !functions.iter().any(|known| known == name) => {
            check::not_in_module(alias, name, functions.iter().map(String::as_str))
        }
        _ => names::unknown_function(signature, known.functions.iter().map(String::as_str)),
    }
}

/// What a script threw: one of our errors, a map that says what such an error says, or anything.
fn thrown(thrown: &Dynamic) -> Parts {
    if let Some(error) = thrown.read_lock::<ScriptError>() {
        return error.parts().clone();
    }
    let map = thrown.read_lock::<Map>();
    let text = |name: &str| map.as_ref()?.get(name)?.clone().into_string().ok();
    if let (Some(code), Some(message)) = (text("code").filter(|code| is_code(code)), text("message")) {
        return Parts { code: code.into(), message, is_thrown: true, ..Parts::default() };
    }
    let message = map.as_ref().and_then(|map| map.get("message")).unwrap_or(thrown);
    let message = if message.is_unit() { Ok("the script threw ()".to_owned()) } else { value::to_line(message) };
    simple(
        "script_error",
        &message.unwrap_or_else(|_| format!("the script threw a value of type {}", thrown.type_name())),
    )
}

/// Whether a script's word can stand where our codes do, between brackets and in reports.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// Why a script was stopped.
pub fn stopped(reason: Stop) -> Parts {
    match reason {
        Stop::Cancelled => simple("cancelled", "the run was interrupted"),
        Stop::TimeOver(span) => simple("run_timeout", &format!("the run took longer than {}", show_duration(span))),
        Stop::LeaseLost(id) => {
            simple("lease_lost", &format!("another run holds the session {:?} now; nothing was written", id.as_str()))
        }
        Stop::Fatal(error) => error.into_parts(),
    }
}

/// A parse error in words.
pub fn parse_message(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::Reserved(word) => format!("{word:?} is a reserved word of Rhai and cannot be a name"),
        other => lower_first(&other.to_string()),
    }
}

fn limit(what: &str) -> Parts {
    simple("limit_exceeded", &format!("the script reached the limit of {what}"))
}

fn simple(code: &'static str, message: &str) -> Parts {
    Parts { code: code.into(), message: message.to_owned(), ..Parts::default() }
}

/// Our messages begin in lower case; names in capitals stay.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
