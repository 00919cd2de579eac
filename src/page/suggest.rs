//! `Page::suggest`: what a selector that is being typed could become on this page. Here it is cut into what stands and what is
//! being typed; the injected code finds the rest.

use serde_json::{Value, json};

use super::Suggestion;
use super::resolve::{Ask, ask};
use super::selector::{Selector, engine_of};
use super::verb::Verb;
use super::world::{Arg, Shared};
use crate::base::Deadline;

/// A selector that is being typed.
#[derive(Debug, PartialEq, Eq)]
struct Typed<'a> {
    /// What stands before the compound that is being typed, as it was written.
    lead: &'a str,
    /// The selector of the elements in or beside which it looks; empty for the document.
    scope: String,
    /// How it is bound to them: a combinator, or nothing after `>>` and at the beginning.
    combinator: &'static str,
    tail: &'a str,
}

/// `Page::suggest`; nothing where the page has no answer.
pub(super) async fn suggest(
    page: &Shared,
    main: &str,
    prefix: &str,
    limit: usize,
    deadline: Deadline,
) -> Vec<Suggestion> {
    let typed = Typed::read(prefix);
    if limit == 0 || typed.is_beyond_us() {
        return Vec::new();
    }
    let engine = typed.combinator.is_empty() && engine_of(typed.tail).is_some();
    let want = json!({"tail": typed.tail, "c": typed.combinator, "engine": engine, "limit": limit});
    let mut verb = Verb::new(deadline, "the page to answer");
    let value = if typed.scope.is_empty() {
        page.settle(main, &mut verb).await;
        let request = json!({"steps": [], "token": verb.token});
        let Ok(answer) = page.call(main, "suggest", &[Arg::Value(request), Arg::Value(want)]).await else {
            return Vec::new();
        };
        answer["value"].clone()
    } else {
        let Ok(scope) = Selector::parse(&typed.scope) else { return Vec::new() };
        let args = [want];
        let mut question = Ask::new("suggest", &[], &args);
        question.once = true;
        match ask(page, main, &scope, &mut verb, &question).await {
            Ok(found) => found.answer.value,
            Err(_) => return Vec::new(),
        }
    };
    suggestions(value, typed.lead)
}

/// Only what our own parser takes is offered.
fn suggestions(value: Value, lead: &str) -> Vec<Suggestion> {
    let found: Vec<(String, String)> = serde_json::from_value(value).unwrap_or_default();
    let whole = found.into_iter().map(|(end, preview)| Suggestion { selector: format!("{lead}{end}"), preview });
    whole.filter(|one| Selector::parse(&one.selector).is_ok()).collect()
}

impl<'a> Typed<'a> {
    fn read(prefix: &'a str) -> Self {
        let (chain_end, begin) = last_part(prefix);
        let part = &prefix[begin..];
        let chain = prefix[..chain_end].trim();
        if engine_of(part).is_some() || part.starts_with(['"', '\'']) {
            return Self { lead: &prefix[..begin], scope: chain.to_owned(), combinator: "", tail: part };
        }
        let (comma, at) = last_compound(part);
        let before = &part[comma..at];
        let combinator = before.trim_end().chars().next_back();
        let head = before.trim().trim_end_matches(['>', '+', '~']).trim_end();
        let combinator = match combinator {
            Some('>') => ">",
            Some('+') => "+",
            Some('~') => "~",
            _ if head.is_empty() => "",
            _ => " ",
        };
        let scope = [chain, head].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" >> ");
        Self { lead: &prefix[..begin + at], scope, combinator, tail: &part[at..] }
    }

    /// `XPath`, texts without an engine and pseudo-classes are not completed.
    fn is_beyond_us(&self) -> bool {
        let tail = self.tail;
        let is_css = engine_of(tail).is_none();
        tail.starts_with(['/', '"', '\'']) || tail.starts_with("..") || (is_css && has_pseudo_class(tail))
    }
}

/// Whether a `:` stands outside of brackets and is not escaped.
fn has_pseudo_class(tail: &str) -> bool {
    let mut found = false;
    scan(tail, |_, c, inside| found |= c == ':' && !inside);
    found
}

/// Where the last `>>` begins, and where the part after it does.
fn last_part(prefix: &str) -> (usize, usize) {
    let (mut end, mut begin) = (0, 0);
    scan(prefix, |at, _, inside| {
        if !inside && at >= begin && prefix[at..].starts_with(">>") {
            (end, begin) = (at, at + 2);
        }
    });
    let rest = &prefix[begin..];
    (end, begin + rest.len() - rest.trim_start().len())
}

/// Where, in CSS, the last complex selector begins, and in it the last compound.
fn last_compound(part: &str) -> (usize, usize) {
    let (mut comma, mut compound) = (0, 0);
    scan(part, |at, c, inside| {
        if !inside && c == ',' {
            comma = at + 1;
        }
        if !inside && (c.is_whitespace() || matches!(c, '>' | '+' | '~' | ',')) {
            compound = at + c.len_utf8();
        }
    });
    (comma, compound)
}

/// Each character that is not escaped, and whether it stands in quotes or brackets, which need not be closed yet.
fn scan(text: &str, mut each: impl FnMut(usize, char, bool)) {
    let (mut depth, mut quote, mut escaped, mut previous) = (0_usize, None, false, ' ');
    for (at, c) in text.char_indices() {
        let before = std::mem::replace(&mut previous, c);
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => each(at, c, true),
            // As in a selector's parser: an apostrophe in a word is none.
            '"' | '\'' if c == '"' || !before.is_alphanumeric() => quote = Some(c),
            '[' | '(' => {
                each(at, c, depth > 0);
                depth += 1;
            }
            ']' | ')' => {
                depth = depth.saturating_sub(1);
                each(at, c, depth > 0);
            }
            c => each(at, c, depth > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(prefix: &str) -> (String, String, &'static str, String) {
        let typed = Typed::read(prefix);
        (typed.lead.to_owned(), typed.scope, typed.combinator, typed.tail.to_owned())
    }

    #[test]
    fn what_is_typed_is_told_from_what_stands() {
        let check = |prefix: &str, lead: &str, scope: &str, combinator: &'static str, tail: &str| {
            assert_eq!(read(prefix), (lead.into(), scope.into(), combinator, tail.into()), "{prefix}");
        };
        check("", "", "", "", "");
        check("#us", "", "", "", "#us");
        check("text=Sign in no", "", "", "", "text=Sign in no");
        check("#form .or", "#form ", "#form", " ", ".or");
        check("#form > b", "#form > ", "#form", ">", "b");
        check("#form>", "#form>", "#form", ">", "");
        check("a, ul li + ", "a, ul li + ", "ul li", "+", "");
        check("#form >> text=a b", "#form >> ", "#form", "", "text=a b");
        check("#a >> .b  c", "#a >> .b  ", "#a >> .b", " ", "c");
        check("text=\"a >> b", "", "", "", "text=\"a >> b");
        check("input[name=\"a b", "", "", "", "input[name=\"a b");
        check("text=Don't >> b", "text=Don't >> ", "text=Don't", "", "b");
        check("#a\\ b", "", "", "", "#a\\ b");
        check("role=list >> ", "role=list >> ", "role=list", "", "");
    }

    proptest! {
        #[test]
        fn anything_typed_can_be_cut(prefix in "(text=|role=|a|#|\\[name=|\"|'|\\]|\\)|>>| |>|\\\\|/|ž|,|~){0,12}|\\PC*") {
            let typed = Typed::read(&prefix);
            prop_assert_eq!(format!("{}{}", typed.lead, typed.tail), prefix.clone());
        }
    }
}
