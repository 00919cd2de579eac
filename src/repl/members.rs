//! What can follow a dot: methods and properties, by the kind of what stands before it. Pure.

use super::complete::Candidate;
use super::context::{Context, is_word};
use super::knowledge::Knowledge;
use crate::script::{self, PROPERTIES, Receiver};

/// The engine's own methods that one reaches for most.
const TEXT: &[&str] = &[
    "contains(",
    "ends_with(",
    "index_of(",
    "len",
    "replace(",
    "split(",
    "starts_with(",
    "sub_string(",
    "to_float()",
    "to_int()",
    "to_lower()",
    "to_upper()",
    "trim()",
];
const LIST: &[&str] = &[
    "all(",
    "contains(",
    "filter(",
    "find(",
    "for_each(",
    "index_of(",
    "insert(",
    "len",
    "map(",
    "pop()",
    "push(",
    "reduce(",
    "remove(",
    "reverse()",
    "some(",
    "sort()",
];
const MAP: &[&str] = &["contains(", "keys()", "len", "remove(", "to_json()", "values()"];

/// The members of what stands before the dot at the cursor; empty where its kind is not known.
pub(super) fn members(context: &Context<'_>, knowledge: &Knowledge) -> Vec<Candidate> {
    let Some(kind) = kind_before(context, context.before.len().saturating_sub(1), knowledge) else { return Vec::new() };
    let own = |words: &[&str]| words.iter().map(|word| Candidate::described(*word, "")).collect::<Vec<_>>();
    let receiver = match kind.as_str() {
        "Session" => Receiver::Session,
        "Page" => Receiver::Page,
        "text" => return own(TEXT),
        "list" => return own(LIST),
        "map" => return own(MAP),
        _ => return properties(&kind).collect(),
    };
    let methods = script::docs().filter(|entry| entry.receivers.contains(&receiver)).map(|entry| Candidate {
        text: format!("{}(", entry.name),
        shown: entry.signatures().pop().unwrap_or_default(),
    });
    properties(&kind).chain(methods).collect()
}

fn properties(kind: &str) -> impl Iterator<Item = Candidate> {
    PROPERTIES
        .iter()
        .filter(move |property| property.of == kind)
        .map(|property| Candidate::described(property.name, property.doc))
}

/// The kind of the value whose last token stands before the token `dot`.
fn kind_before(context: &Context<'_>, dot: usize, knowledge: &Knowledge) -> Option<String> {
    let written = |at: usize| context.before.get(at).map(|token| &context.text[token.range.clone()]);
    let last = dot.checked_sub(1)?;
    match written(last)? {
        ")" => {
            let name = written(opening(context, last)?.checked_sub(1)?)?;
            returned(script::find(name)?.returns)
        }
        "]" if opening(context, last).is_some_and(|at| at == 0 || !is_word(written(at - 1).unwrap_or("("))) => {
            Some("list".to_owned())
        }
        text if text.starts_with(['"', '`']) => Some("text".to_owned()),
        name if is_word(name) => match last.checked_sub(1).and_then(written) {
            // Only one property has members of its own.
            Some(".") => (name == "page").then(|| "Page".to_owned()),
            _ => knowledge.kind(name).map(str::to_owned),
        },
        _ => None,
    }
}

/// Where the bracket stands that the one at `closing` closes.
fn opening(context: &Context<'_>, closing: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for at in (0..=closing).rev() {
        match &context.text[context.before.get(at)?.range.clone()] {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" | "#{" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The kind in the words of the table's `returns`.
fn returned(returns: &str) -> Option<String> {
    let first = returns.split([' ', ',']).next().unwrap_or_default();
    let kind = match first {
        "#{" | "map" => "map",
        known @ ("Session" | "Page" | "text" | "list") => known,
        _ => return None,
    };
    Some(kind.to_owned())
}
