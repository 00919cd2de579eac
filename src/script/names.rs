//! The names of functions: ours and Rhai's own, and what somebody meant who wrote another.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Limits, ScriptError, engine, table};
use crate::base::closest;

/// Rhai's own functions that stand in no module.
const KEYWORDS: &[&str] =
    &["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "exit"];

static STOCK: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let engine = engine::reader(&Limits::default());
    let name = |info: rhai::FuncInfo| Some(info.metadata.name.to_string());
    engine.collect_fn_metadata(None, name, true).into_iter().filter(|name| is_name(name)).collect()
});

/// Whether Rhai itself has a function of that name.
pub fn is_stock(name: &str) -> bool {
    is_keyword(name) || STOCK.contains(name)
}

/// Whether the engine itself knows what to do with a call of that name.
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// The known function nearest to `name`; `more` are those of the script.
pub fn nearest<'a>(name: &str, more: impl Iterator<Item = &'a str>) -> Option<String> {
    // Ours first: of two that are equally near, ours is the likelier.
    let ours = closest(name, more.chain(table::docs().map(|entry| entry.name)));
    ours.or_else(|| closest(name, STOCK.iter().map(String::as_str))).map(str::to_owned)
}

/// The error for a call that matches no function, from the engine's words for it: `clik (&str | ImmutableString)`; `more` are the
/// functions of the script, where they are known.
pub fn unknown_function<'a>(signature: &str, more: impl Iterator<Item = &'a str>) -> ScriptError {
    let name = signature.split(['(', ' ']).next().unwrap_or(signature);
    let arguments = signature.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let arguments = arguments.replace("&str | ImmutableString | String", "text").replace("i64", "number");
    if let Some(entry) = table::find(name) {
        return ScriptError::new("invalid_argument", format!("{name} does not take ({arguments})"))
            .with_hint(format!("the ways to call it: {}", entry.signatures().join("  ")));
    }
    if is_stock(name) || !is_name(name) {
        return ScriptError::new("script_error", format!("{name} does not take ({arguments})"));
    }
    let error = ScriptError::new("unknown_function", format!("there is no function {name}({arguments})"));
    match nearest(name, more) {
        Some(meant) => error.with_hint(format!("did you mean {meant}?")),
        None => error.with_hint("rhaven docs lists all functions"),
    }
}

/// Whether it can be written as a call: operators and getters cannot.
fn is_name(name: &str) -> bool {
    name.chars().all(|char| char.is_alphanumeric() || char == '_') && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rhais_own_functions_are_known() {
        for name in ["len", "push", "to_upper", "parse_int", "keys", "print", "timestamp", "contains"] {
            assert!(is_stock(name), "{name}");
        }
        assert!(!is_stock("clik"));
    }

    #[test]
    fn an_unknown_name_leads_to_the_nearest() {
        let error = unknown_function("clik (&str | ImmutableString | String)", std::iter::empty());
        assert_eq!(error.code(), "unknown_function");
        assert_eq!(error.parts().message, "there is no function clik(text)");
        assert_eq!(error.parts().hint.as_deref(), Some("did you mean click?"));
    }

    #[test]
    fn a_known_name_with_other_arguments_shows_its_signatures() {
        let error = unknown_function("click ()", std::iter::empty());
        assert_eq!(error.code(), "invalid_argument");
        assert_eq!(error.parts().hint.as_deref(), Some("the ways to call it: click(selector)  click(selector, #{..})"));
    }
}
