//! Variables that nothing defines: found by the engine's own strict mode, one at a time.

use rhai::{ParseErrorType, Position, Scope};

use super::calls;
use super::scope::FileNames;
use crate::base::closest;
use crate::script::{ScriptError, engine, table};

/// How many are told of one file: who has more has one cause for all of them.
const MOST: usize = 20;

/// The undefined variables of a file that parses.
pub fn problems(text: &str, file: &FileNames) -> Vec<(ScriptError, Position)> {
    let engine = engine::strict_reader();
    let mut known = Scope::new();
    known.push("args", ());
    // A function may be named before it is defined.
    file.functions().keys().for_each(|name| {
        known.push(name.as_str(), ());
    });
    let mut found = Vec::new();
    while found.len() < MOST {
        // Strict mode ends at the first one; what it has told of is known from then on.
        let Err(error) = engine.compile_with_scope(&known, text) else { break };
        let name = match error.err_type() {
            ParseErrorType::VariableUndefined(name) => name,
            // Calls have been checked for it; this is a constant of such a module.
            ParseErrorType::ModuleUndefined(alias) if file.module(alias).is_none() => {
                found.push((calls::no_module(alias, "..", file.aliases()), error.position()));
                break;
            }
            _ => break,
        };
        if known.contains(name) {
            break;
        }
        found.push((undefined(name, || file.variables()), error.position()));
        known.push(name.as_str(), ());
    }
    found
}

/// The error for a variable that nothing defines where it stands; `known` are those that something defines somewhere.
pub fn undefined<'a, I: Iterator<Item = &'a str>>(name: &str, known: impl Fn() -> I) -> ScriptError {
    let error = ScriptError::new("unknown_variable", format!("there is no variable {name} here"));
    let near = || closest(name, known().chain(["args"])).filter(|near| *near != name);
    let hint = match name {
        "page" | "browser" | "context" | "playwright" => {
            "verbs are free functions: goto(..), click(..); a page of its own is session(\"a\").page".to_owned()
        }
        "console" => "write print(..) or log(..)".to_owned(),
        "await" | "async" => "verbs wait by themselves: leave it out".to_owned(),
        "null" | "undefined" | "None" | "nil" => "nothing is written () in Rhai".to_owned(),
        "True" | "False" => "it is written in lower case".to_owned(),
        _ if known().any(|known| known == name) => format!(
            "it is defined elsewhere: a function does not see the script's variables, only its parameters, args, and constants as global::{name}"
        ),
        _ if table::find(name).is_some() => format!("{name} is a function: {name}(..)"),
        _ => match near() {
            Some(near) => format!("did you mean {near}?"),
            None => format!("define it: let {name} = ..; text goes in double quotes"),
        },
    };
    error.with_hint(hint)
}
