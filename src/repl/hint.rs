//! What could follow, shown in grey: the parameters of the call that is being typed, else the newest input that began so. Pure.

use super::context::Context;
use crate::script::{self, Kind, Param};

/// The rest of the signature of the call that `text` ends in; none where there is nothing to say.
pub(super) fn signature(text: &str) -> Option<String> {
    if text.starts_with('.') {
        return None;
    }
    let context = Context::of(text);
    if context.commented {
        return None;
    }
    let word = context.written();
    if !context.quoted
        && let Some(entry) = script::find(word)
        && context.last() != Some("fn")
    {
        let shape = entry.shapes.first()?;
        return Some(format!("({})", show(shape)));
    }
    let (call, options) = context.call()?;
    let entry = script::find(call.function?)?;
    if let Some(map) = options {
        // The value of an option: what it may be.
        let option = entry.options.iter().find(|option| Some(option.name) == map.key)?;
        let is_empty = !map.filled && word.is_empty() && !context.quoted;
        return is_empty.then(|| option.kind.wanted());
    }
    let is_here = context.open.last() == Some(call);
    let is_empty = !call.filled && word.is_empty() && !context.quoted;
    let shape = fitting(entry.shapes, call.commas)?;
    let rest = if is_empty { shape.get(call.commas..)? } else { shape.get(call.commas + 1..)? };
    let closing = if is_here { ")" } else { return None };
    let quote = if context.quoted { "\"" } else { "" };
    Some(match (rest.is_empty(), is_empty) {
        (true, _) => format!("{quote}{closing}"),
        (false, true) => {
            let space = if text.ends_with(',') { " " } else { "" };
            format!("{space}{}{closing}", show(rest))
        }
        (false, false) => format!("{quote}, {}{closing}", show(rest)),
    })
}

/// The shortest shape that has an argument with this index.
fn fitting(shapes: &'static [&'static [Param]], index: usize) -> Option<&'static [Param]> {
    let shape = shapes.iter().filter(|shape| shape.len() > index).max_by_key(|shape| shape.len());
    shape.copied().or_else(|| shapes.iter().find(|shape| shape.is_empty() && index == 0).copied())
}

fn show(params: &[Param]) -> String {
    let name = |param: &Param| match param.kind {
        Kind::Options => "#{..}",
        Kind::Function => "|| ..",
        _ => param.name,
    };
    params.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[track_caller]
    fn check(text: &str, wanted: Option<&str>) {
        assert_eq!(signature(text).as_deref(), wanted, "{text}");
    }

    #[test]
    fn the_rest_of_the_call_is_shown() {
        check("click", Some("(selector)"));
        check("click(", Some("selector, #{..})"));
        check("click(\"#a", Some("\", #{..})"));
        check("click(\"#a\"", Some(", #{..})"));
        check("click(\"#a\",", Some(" #{..})"));
        check("fill(\"#a\", ", Some("text, #{..})"));
        check("click(\"#a\")", None);
    }

    #[test]
    fn an_option_says_what_it_may_be() {
        check("click(\"#a\", #{ force: ", Some("true or false"));
        check("click(\"#a\", #{ fo", None);
    }

    #[test]
    fn what_is_no_call_of_ours_has_no_hint() {
        for text in ["", "let x", "foo(", "// click(", ".help click", "\"click(", "x[click(\"a\")"] {
            check(text, None);
        }
    }
}
