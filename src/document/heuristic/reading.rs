//! A page as a reader of its text has it, and whether something stands on it.

use std::collections::HashSet;

use url::Url;

use super::super::DocumentError;
use super::dom::Dom;
use super::shapes;

/// What stands on a page.
pub struct Reading {
    /// Letters and digits of all that it says, for people and machines.
    letters: String,
    digits: String,
    links: HashSet<String>,
}

impl Reading {
    /// Reads a page; `base` is what addresses are relative to.
    pub fn of(html: &str, base: Option<&Url>) -> Result<Self, DocumentError> {
        let dom = Dom::parse(html)?;
        let mut all = dom.all_text().to_owned();
        let mut links = HashSet::new();
        for element in &dom.elements {
            for (name, value) in &element.attrs {
                if matches!(
                    name.as_str(),
                    "href" | "src" | "content" | "value" | "datetime" | "alt" | "title" | "aria-label"
                ) {
                    all.push(' ');
                    all.push_str(value);
                    if matches!(name.as_str(), "href" | "src") {
                        links.extend(shapes::absolute(value, base));
                    }
                }
            }
        }
        for linked in &dom.linked {
            all.push(' ');
            all.push_str(linked);
        }
        links.extend(base.map(Url::to_string));
        Ok(Self { letters: letters(&all), digits: digits(&all), links })
    }

    /// Whether a text stands on the page, be it with other spaces, signs and capitals; addresses and dates in any form.
    pub fn has_text(&self, text: &str) -> bool {
        let plain = letters(text);
        let date = || {
            let parts: Vec<&str> = text.get(..10)?.split('-').collect();
            let [year, month, day] = parts.as_slice() else { return None };
            let number = |part: &str| part.parse::<u32>().ok().map(|n| n.to_string());
            number(month)?;
            Some(self.digits.contains(*year) && self.digits.contains(&number(day)?))
        };
        (!plain.is_empty() && self.letters.contains(&plain)) || self.links.contains(text) || date().unwrap_or(false)
    }

    /// Whether a number stands on the page.
    pub fn has_number(&self, number: &serde_json::Number) -> bool {
        let text = number.to_string();
        let plain = digits(text.strip_suffix(".0").unwrap_or(&text));
        !plain.is_empty() && self.digits.contains(&plain)
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Digits with what only groups them taken out, one space for all else.
fn digits(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            out.push(c);
        } else if !matches!(c, '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}' | ' ') && !out.ends_with('|')
        {
            out.push('|');
        }
    }
    out
}
