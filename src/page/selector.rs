//! The selector language: parsing. CSS by default, `text=`, `role=`, `label=`, `placeholder=`, `alt=`, `title=`, `testid=`,
//! `xpath=`, `visible=`, `nth=`, chained by `>>`. Knows nothing of browsers: it makes the steps that the injected code runs.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::css::{self, Complex};
use super::role::{RoleQuery, parse_role};

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid selector {selector:?} at character {at}: {reason}")]
pub struct SelectorError {
    /// As written.
    pub selector: String,
    /// Where, in characters from 0.
    pub at: usize,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// A parsed selector. Displays as it was written. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    source: Arc<str>,
    steps: Arc<Vec<Step>>,
}

/// How a text is compared. What is not exact ignores case and takes a part for the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(super) enum Matcher {
    /// A part of it, in any case, white space normalised.
    Sub { v: String },
    /// All of it.
    Exact { v: String },
    /// A JavaScript regular expression.
    Re { v: String, f: String },
}

/// One part of a chain, as the injected code takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "k", rename_all = "lowercase")]
pub(super) enum Step {
    Css { list: Vec<Complex> },
    Text { m: Matcher },
    Label { m: Matcher },
    Attr { name: &'static str, m: Matcher },
    Xpath { x: String },
    Nth { n: i64 },
    Visible { v: bool },
    Role(RoleQuery),
}

/// Engines by name, for parsing and for "did you mean".
const ENGINES: [&str; 12] =
    ["css", "text", "role", "label", "placeholder", "alt", "title", "testid", "xpath", "nth", "visible", "id"];

/// What is wrong, and where in the part that is being read (in bytes).
pub(super) type Fault = (usize, String);

impl Selector {
    /// Parses `source`.
    pub fn parse(source: &str) -> Result<Self, SelectorError> {
        let fault = |(at, reason): Fault| SelectorError {
            selector: source.to_owned(),
            at: source.get(..at).map_or(0, |before| before.chars().count()),
            reason,
        };
        let mut steps = Vec::new();
        for (at, part) in split_chain(source).map_err(fault)? {
            let lead = part.len() - part.trim_start().len();
            let step = parse_step(part.trim()).map_err(|(inner, reason)| fault((at + lead + inner, reason)))?;
            steps.push(step);
        }
        Ok(Self { source: source.into(), steps: Arc::new(steps) })
    }

    /// The steps of the chain.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// The parts between `>>`, outside quotes and brackets, each with its place in bytes.
#[allow(clippy::match_same_arms, reason = "the order of the arms is the meaning")]
fn split_chain(source: &str) -> Result<Vec<(usize, &str)>, Fault> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote, mut escaped) = (0, 0_usize, None::<(char, usize)>, false);
    let mut previous = ' ';
    for (at, c) in source.char_indices() {
        if at < start {
            continue;
        }
        let spaced = std::mem::replace(&mut previous, c);
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (_, '\\') => escaped = true,
            (Some((open, _)), _) if open == c => quote = None,
            (Some(_), _) => {}
            // An apostrophe inside a word (`text=Don't`) opens nothing.
            (None, '"' | '\'' | '`') if c == '"' || !spaced.is_alphanumeric() => {
                // A quote that never closes is one only where nothing else can be meant.
                if source[at + 1..].contains(c) {
                    quote = Some((c, at));
                } else if depth > 0 {
                    return Err((at, format!("the {c} that opens here is never closed")));
                }
            }
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, '>') if depth == 0 && source[at..].starts_with(">>") => {
                parts.push((start, &source[start..at]));
                start = at + 2;
            }
            _ => {}
        }
    }
    parts.push((start, &source[start..]));
    let only = parts.len() == 1;
    for (at, part) in &parts {
        if part.trim().is_empty() {
            let reason = if only {
                "a selector is empty; give CSS (\"#go\") or an engine (\"text=Save\")"
            } else {
                "nothing stands on this side of >>; give a selector there or leave the >> out"
            };
            return Err((*at, reason.to_owned()));
        }
    }
    Ok(parts)
}

fn parse_step(part: &str) -> Result<Step, Fault> {
    if part.starts_with("//") || part.starts_with("..") || part.starts_with("(//") {
        return Ok(Step::Xpath { x: part.to_owned() });
    }
    // As in Playwright, a quoted string alone is a text.
    if part.starts_with('"') || part.starts_with('\'') {
        return Ok(Step::Text { m: matcher(part, 0)? });
    }
    let Some((engine, body)) = engine_of(part) else {
        return css::parse_list(part).map(|list| Step::Css { list });
    };
    let lead = engine.len() + 1 + (body.len() - body.trim_start().len());
    let shift = |(at, reason): Fault| (at + lead, reason);
    let body = body.trim();
    let words = |m: Result<Matcher, Fault>| m.map_err(shift);
    Ok(match engine {
        "css" => Step::Css { list: css::parse_list(body).map_err(shift)? },
        "text" => Step::Text { m: words(matcher(body, 0))? },
        "label" => Step::Label { m: words(matcher(body, 0))? },
        "placeholder" => attribute("placeholder", body).map_err(shift)?,
        "alt" => attribute("alt", body).map_err(shift)?,
        "title" => attribute("title", body).map_err(shift)?,
        "testid" | "id" => {
            let name = if engine == "id" { "id" } else { "data-testid" };
            let m = match words(matcher(body, 0))? {
                Matcher::Sub { .. } => Matcher::Exact { v: body.to_owned() },
                other => other,
            };
            Step::Attr { name, m }
        }
        "xpath" if body.is_empty() => return Err((lead, "xpath= needs an expression, as in xpath=//button".into())),
        "xpath" => Step::Xpath { x: body.to_owned() },
        "nth" => Step::Nth {
            n: body
                .parse()
                .map_err(|_| (lead, format!("nth= takes a whole number (0 first, -1 last), found {body:?}")))?,
        },
        "visible" => match body {
            "true" => Step::Visible { v: true },
            "false" => Step::Visible { v: false },
            _ => return Err((lead, format!("visible= is true or false, found {body:?}"))),
        },
        "role" => Step::Role(parse_role(body).map_err(shift)?),
        _ => {
            let hint = crate::base::closest(engine, ENGINES)
                .map_or_else(|| format!("engines are {}", ENGINES.join(", ")), |near| format!("did you mean {near}=?"));
            return Err((0, format!("there is no engine {engine}=; {hint}")));
        }
    })
}

fn attribute(name: &'static str, body: &str) -> Result<Step, Fault> {
    Ok(Step::Attr { name, m: matcher(body, 0)? })
}

/// `name=rest` where `name` is a plain word; CSS never begins so.
pub(super) fn engine_of(part: &str) -> Option<(&str, &str)> {
    let (name, body) = part.split_once('=')?;
    let name_end = name.trim_end();
    let plain = !name_end.is_empty() && name_end.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_');
    (plain && name_end == name).then_some((name, body))
}

/// `"exact"`, `/regex/flags`, or words.
pub(super) fn matcher(body: &str, at: usize) -> Result<Matcher, Fault> {
    if body.is_empty() {
        return Err((at, "a text to look for is missing".into()));
    }
    for quote in ['"', '\''] {
        if let Some(inner) = body.strip_prefix(quote) {
            return match inner.strip_suffix(quote) {
                Some(inner) => Ok(Matcher::Exact { v: normal(&unescape(inner)) }),
                None => Err((at, format!("the {quote} that opens here has to close at the end of the text"))),
            };
        }
    }
    if let Some(inner) = body.strip_prefix('/')
        && let Some((pattern, flags)) = inner.rsplit_once('/')
        && !pattern.is_empty()
        && flags.chars().all(|c| "dgimsuvy".contains(c))
    {
        // g and y keep state between tests, which a selector must not.
        let flags = flags.chars().filter(|c| !"gyd".contains(*c)).collect();
        return Ok(Matcher::Re { v: pattern.to_owned(), f: flags });
    }
    Ok(Matcher::Sub { v: normal(body).to_lowercase() })
}

/// White space as people see it.
pub(super) fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `\"` and `\\` inside quotes.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(source: &str) -> String {
        serde_json::to_string(Selector::parse(source).unwrap().steps()).unwrap()
    }

    fn fault(source: &str) -> (usize, String) {
        let error = Selector::parse(source).unwrap_err();
        (error.at, error.reason)
    }

    #[test]
    fn engines_are_told_by_their_names() {
        assert_eq!(steps("text=Sign  In"), r#"[{"k":"text","m":{"t":"sub","v":"sign in"}}]"#);
        assert_eq!(steps("text=\"Sign in\""), r#"[{"k":"text","m":{"t":"exact","v":"Sign in"}}]"#);
        assert_eq!(steps("text=/^a/i"), r#"[{"k":"text","m":{"t":"re","v":"^a","f":"i"}}]"#);
        assert_eq!(steps("\"Save\""), r#"[{"k":"text","m":{"t":"exact","v":"Save"}}]"#);
        assert_eq!(steps("testid=a.b"), r#"[{"k":"attr","name":"data-testid","m":{"t":"exact","v":"a.b"}}]"#);
        assert_eq!(steps("//a[@b='>>']"), r#"[{"k":"xpath","x":"//a[@b='>>']"}]"#);
        assert!(steps("input[name=q]").contains("input[name=q]"));
    }

    #[test]
    fn chains_split_outside_quotes_and_brackets() {
        assert_eq!(Selector::parse("a >> b>>nth=-1").unwrap().steps().len(), 3);
        assert_eq!(Selector::parse("text=\"a >> b\"").unwrap().steps().len(), 1);
        assert_eq!(Selector::parse("text=Don't >> nth=0").unwrap().steps().len(), 2);
        assert_eq!(Selector::parse("p:has-text(\"a >> b\") >> b").unwrap().steps().len(), 2);
    }

    #[test]
    fn errors_say_where_and_what_instead() {
        assert_eq!(fault("").0, 0);
        assert_eq!(fault("a >> ").0, 4);
        assert_eq!(fault("ž >> nth=x"), (9, "nth= takes a whole number (0 first, -1 last), found \"x\"".into()));
        assert!(fault("txt=Save").1.contains("did you mean text=?"));
        assert!(fault("text=").1.contains("missing"));
        assert!(fault("div:has-text(").1.contains("never closed"));
        assert!(fault("a[href").1.contains("never closed"));
    }

    proptest! {
        #[test]
        fn never_panics(source in "\\PC*") {
            let _ = Selector::parse(&source);
        }

        #[test]
        fn never_panics_on_likely_input(
            source in "(text=|role=|nth=|a|:has-text\\(|:not\\(|:visible|\\[name=|\"|'|\\]|\\)|>>| |>|\\\\|/|ž|,|=){0,12}"
        ) {
            if let Err(error) = Selector::parse(&source) {
                prop_assert!(error.at <= source.chars().count());
            }
        }
    }
}
