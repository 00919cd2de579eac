//! CSS with our additions (`:has-text("..")`, `:text("..")`, `:text-is("..")`, `:visible`), cut into compounds and
//! combinators so that the injected code can match them across shadow roots. What is plain CSS stays a string for the
//! browser's own engine, which also judges whether it is valid.

use serde::Serialize;

use super::selector::{Fault, Matcher, normal, unescape};

/// A complex selector: compounds with the combinators between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Complex {
    /// The whole of it where the browser can run it natively.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<String>,
    pub parts: Vec<Compound>,
}

/// A compound selector and the combinator before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct Compound {
    /// ` `, `>`, `+`, `~`; empty for the first.
    pub c: String,
    /// What the browser matches; empty where only checks stand.
    pub css: String,
    /// Whether it is `:scope`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scope: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// What is ours in a compound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub(super) enum Check {
    HasText { m: Matcher },
    Text { m: Matcher },
    Visible,
    Not { list: Vec<Complex> },
    Is { list: Vec<Complex> },
    Has { list: Vec<Complex> },
}

/// Functional pseudo-classes of ours that take a text, and nested ones that may hold ours.
const OURS: [&str; 4] = [":has-text(", ":text(", ":text-is(", ":visible"];

/// Nesting beyond this is a mistake, and would overflow the stack.
const DEEPEST: usize = 16;

/// Reads a selector list.
pub(super) fn parse_list(source: &str) -> Result<Vec<Complex>, Fault> {
    list(source, 0, 0)
}

fn list(source: &str, base: usize, depth: usize) -> Result<Vec<Complex>, Fault> {
    if depth > DEEPEST {
        return Err((base, format!("brackets are nested more than {DEEPEST} deep")));
    }
    let mut complexes = Vec::new();
    let mut start = 0;
    for end in top_level_commas(source, base)?.into_iter().chain([source.len()]) {
        let text = &source[start..end];
        if text.trim().is_empty() {
            return Err((base + start, "a selector is missing beside the comma".into()));
        }
        let lead = text.len() - text.trim_start().len();
        complexes.push(complex(text.trim(), base + start + lead, depth)?);
        start = end + 1;
    }
    Ok(complexes)
}

fn top_level_commas(source: &str, base: usize) -> Result<Vec<usize>, Fault> {
    let mut commas = Vec::new();
    let mut at = 0;
    while at < source.len() {
        at = match source.as_bytes()[at] {
            b',' => {
                commas.push(at);
                at + 1
            }
            b'[' | b'(' | b'"' | b'\'' | b'\\' => skip(source, at, base)?,
            _ => at + 1,
        };
    }
    Ok(commas)
}

/// The place after the bracket, quote or escape that begins at `at`.
fn skip(source: &str, at: usize, base: usize) -> Result<usize, Fault> {
    let bytes = source.as_bytes();
    let mut stack = Vec::new();
    let mut i = at;
    while i < bytes.len() {
        match (stack.last().copied(), bytes[i]) {
            (_, b'\\') => i += 1 + source[i + 1..].chars().next().map_or(0, |c| c.len_utf8() - 1),
            (Some(quote @ (b'"' | b'\'')), c) if quote == c => {
                stack.pop();
            }
            (Some(b'"' | b'\''), _) => {}
            (_, c @ (b'"' | b'\'')) => stack.push(c),
            (_, b'[') => stack.push(b']'),
            (_, b'(') => stack.push(b')'),
            (Some(close), c) if close == c => {
                stack.pop();
            }
            _ => {}
        }
        i += 1;
        if stack.is_empty() {
            return Ok(i.min(bytes.len()));
        }
    }
    Err((base + at, format!("the {} that opens here is never closed", char::from(bytes[at]))))
}

fn complex(source: &str, base: usize, depth: usize) -> Result<Complex, Fault> {
    let bytes = source.as_bytes();
    let mut parts: Vec<Compound> = Vec::new();
    let (mut at, mut start, mut combinator) = (0, 0, String::new());
    let mut finish = |text: &str, start: usize, combinator: &mut String| -> Result<(), Fault> {
        if text.is_empty() {
            return Ok(());
        }
        let mut part = compound(text, base + start, depth)?;
        part.c = std::mem::take(combinator);
        if parts.is_empty() && !part.c.is_empty() {
            // A leading combinator hangs on the scope, as in `:has(> img)` and `"ul >> > li"`.
            parts.push(Compound { scope: true, ..Compound::default() });
        }
        parts.push(part);
        Ok(())
    };
    while at < bytes.len() {
        match bytes[at] {
            b'[' | b'(' | b'"' | b'\'' | b'\\' => at = skip(source, at, base)?,
            c @ (b'>' | b'+' | b'~') => {
                finish(&source[start..at], start, &mut combinator)?;
                if matches!(combinator.as_str(), ">" | "+" | "~") {
                    return Err((base + at, format!("two combinators in a row ({combinator} {})", char::from(c))));
                }
                combinator = char::from(c).to_string();
                at += 1;
                start = at;
            }
            c if c.is_ascii_whitespace() => {
                finish(&source[start..at], start, &mut combinator)?;
                if combinator.is_empty() {
                    " ".clone_into(&mut combinator);
                }
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    finish(&source[start..], start, &mut combinator)?;
    if !combinator.trim().is_empty() {
        return Err((base + source.len(), format!("a selector is missing after {combinator}")));
    }
    let native = parts.iter().all(|part| part.checks.is_empty() && !part.scope);
    Ok(Complex { plain: native.then(|| source.to_owned()), parts })
}

/// Cuts our checks out of a compound; the rest stays for the browser.
fn compound(source: &str, base: usize, depth: usize) -> Result<Compound, Fault> {
    let mut part = Compound::default();
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        if !rest.starts_with(':') || rest.starts_with("::") {
            let width = if rest.starts_with("::") { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
            let end = if rest.starts_with(['[', '(', '"', '\'', '\\']) { skip(source, at, base)? } else { at + width };
            part.css.push_str(&source[at..end]);
            at = end;
            continue;
        }
        let name_end =
            rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').map_or(rest.len(), |n| n + 1);
        let name = &rest[1..name_end];
        let open = at + name_end;
        let end = if rest[name_end..].starts_with('(') { skip(source, open, base)? } else { open };
        let inside = (end > open).then(|| &source[open + 1..end - 1]);
        match (name, inside) {
            ("scope", None) => part.scope = true,
            ("visible", None) => part.checks.push(Check::Visible),
            ("has-text", Some(text)) => {
                part.checks.push(Check::HasText { m: text_argument(text, base + open + 1, false)? });
            }
            ("text", Some(text)) => part.checks.push(Check::Text { m: text_argument(text, base + open + 1, false)? }),
            ("text-is", Some(text)) => part.checks.push(Check::Text { m: text_argument(text, base + open + 1, true)? }),
            ("has-text" | "text" | "text-is", None) => {
                return Err((base + at, format!(":{name} takes a text, as in :{name}(\"Save\")")));
            }
            ("not" | "is" | "where" | "has", Some(inner)) if OURS.iter().any(|ours| inner.contains(ours)) => {
                let list = list(inner, base + open + 1, depth + 1)?;
                part.checks.push(match name {
                    "not" => Check::Not { list },
                    "has" => Check::Has { list },
                    _ => Check::Is { list },
                });
            }
            _ => part.css.push_str(&source[at..end]),
        }
        at = end;
    }
    Ok(part)
}

fn text_argument(text: &str, at: usize, exact: bool) -> Result<Matcher, Fault> {
    let text = text.trim();
    let inner = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q).and_then(|rest| rest.strip_suffix(*q)));
    let inner = match inner {
        Some(inner) => normal(&unescape(inner)),
        None if text.starts_with('/') => return super::selector::matcher(text, at),
        None => normal(text),
    };
    match (inner.is_empty(), exact) {
        (true, _) => Err((at, "a text to look for is missing".into())),
        (false, true) => Ok(Matcher::Exact { v: inner }),
        (false, false) => Ok(Matcher::Sub { v: inner.to_lowercase() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_css_stays_whole() {
        for plain in ["#a", "a > b + c", "a:not(.b), [x='a,b']", "li:nth-child(2n+1)", ".a\\:b"] {
            let list = parse_list(plain).unwrap();
            assert!(list.iter().all(|c| c.plain.is_some()), "{plain}: {list:?}");
        }
    }

    #[test]
    fn ours_is_cut_out() {
        let list = parse_list("ul > li:has-text(\"A  b\"):visible .x").unwrap();
        let parts = &list[0].parts;
        assert_eq!(list[0].plain, None);
        assert_eq!((parts[1].c.as_str(), parts[1].css.as_str()), (">", "li"));
        assert_eq!(parts[1].checks, [Check::HasText { m: Matcher::Sub { v: "a b".into() } }, Check::Visible]);
        assert_eq!((parts[2].c.as_str(), parts[2].css.as_str()), (" ", ".x"));
    }

    #[test]
    fn nested_ones_are_read_where_they_hold_ours() {
        let list = parse_list("tr:has(> td:has-text(\"x\")):not(:visible)").unwrap();
        assert!(matches!(&list[0].parts[0].checks[..], [Check::Has { .. }, Check::Not { .. }]));
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(parse_list("a,,b").unwrap_err().0, 2);
        assert_eq!(parse_list("a > > b").unwrap_err().0, 4);
        assert!(parse_list("a >").unwrap_err().1.contains("missing after >"));
        assert!(parse_list(&format!("{}:visible{}", ":not(".repeat(40), ")".repeat(40))).is_err());
    }
}
