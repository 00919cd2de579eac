//! From the text of a page to a value: trimming, regular expressions, numbers and dates as people write them.

use jiff::civil::{Date, DateTime};
use regex::Regex;
use serde_json::Value;

/// What a field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Text,
    Html,
    Number,
    Integer,
    Bool,
    Date,
    Url,
}

const KINDS: [(&str, Kind); 7] = [
    ("text", Kind::Text),
    ("html", Kind::Html),
    ("number", Kind::Number),
    ("integer", Kind::Integer),
    ("bool", Kind::Bool),
    ("date", Kind::Date),
    ("url", Kind::Url),
];

impl Kind {
    pub fn named(name: &str) -> Result<Self, String> {
        if let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == name) {
            return Ok(*kind);
        }
        let known = KINDS.map(|(name, _)| name);
        Err(match crate::base::closest(name, known) {
            Some(near) => format!("unknown type {name:?}; did you mean {near}?"),
            None => format!("unknown type {name:?}; known are {}", known.join(", ")),
        })
    }

    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("text", |(name, _)| name)
    }
}

/// The options of a field that concern its value.
#[derive(Debug, Clone)]
pub(super) struct Convert {
    pub kind: Kind,
    pub optional: bool,
    pub default: Option<Value>,
    pub trim: bool,
    pub regex: Option<Regex>,
}

impl Default for Convert {
    fn default() -> Self {
        Self { kind: Kind::Text, optional: false, default: None, trim: true, regex: None }
    }
}

impl Convert {
    /// Whether its absence is no error.
    pub fn is_optional(&self) -> bool {
        self.optional || self.default.is_some()
    }

    /// What stands for a value that is not there.
    pub fn absent(&self) -> Value {
        self.default.clone().unwrap_or(Value::Null)
    }

    /// The value of `raw`, found in a document at `base`; or what is wrong with it.
    pub fn apply(&self, raw: &str, base: &str) -> Result<Value, String> {
        let mut text = match (self.trim, self.kind) {
            (false, _) => raw.to_owned(),
            (true, Kind::Html) => raw.trim().to_owned(),
            (true, _) => super::selector::normal(raw),
        };
        if let Some(regex) = &self.regex {
            let Some(found) = regex.captures(&text) else {
                return if self.is_optional() {
                    Ok(self.absent())
                } else {
                    Err(format!("{:?} does not match the regex {regex}", shortened(&text)))
                };
            };
            text = found.get(1).or(found.get(0)).map_or_else(String::new, |found| found.as_str().to_owned());
        }
        let converted = match self.kind {
            Kind::Text | Kind::Html => Some(Value::from(text.as_str())),
            Kind::Number => number(&text).and_then(|n| serde_json::Number::from_f64(n).map(Value::Number)),
            Kind::Integer => integer(&text).map(Value::from),
            Kind::Bool => boolean(&text).map(Value::from),
            Kind::Date => date(&text).map(Value::from),
            Kind::Url => url::Url::parse(base)
                .ok()
                .and_then(|base| base.join(text.trim()).ok())
                .map(|url| url.to_string().into()),
        };
        match converted {
            Some(value) => Ok(value),
            None if text.trim().is_empty() && self.is_optional() => Ok(self.absent()),
            None => Err(format!("{:?} is not of type {}", shortened(&text), self.kind.name())),
        }
    }
}

fn shortened(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// The first number in a text, whatever stands for thousands and decimals: `1 234,50 Kč`, `$1,234.50`, `-3`.
fn number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let before = text[..start].trim_end();
    // `.5` and `,5` begin with their decimal sign; signs may stand before a currency.
    let fraction_only =
        text[..start].ends_with(['.', ',']) && !before[..before.len() - 1].ends_with(char::is_alphanumeric);
    let negative = before.contains(['-', '−', '–']) || (before.ends_with('(') && text.contains(')'));
    let is_space = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '’');
    let rest = &text[start..];
    let mut digits = String::new();
    for (at, c) in rest.char_indices() {
        let after = &rest[at + c.len_utf8()..];
        let digit_next = after.starts_with(|c: char| c.is_ascii_digit());
        // A space goes on only before exactly three digits; `2 apples 3` is 2.
        let group = after.bytes().take_while(u8::is_ascii_digit).count() == 3;
        match c {
            '0'..='9' | '.' | ',' if c.is_ascii_digit() || digit_next => digits.push(c),
            c if is_space(c) && group => {}
            _ => break,
        }
    }
    let value: f64 = if fraction_only { format!("0.{digits}") } else { plain(&digits) }.parse().ok()?;
    Some(if negative { -value } else { value })
}

/// Digits with points and commas to digits with one decimal point.
fn plain(digits: &str) -> String {
    let (points, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let decimal = match (points, commas) {
        // Both: the later one is the decimal sign.
        (1.., 1..) => digits.rfind(['.', ',']).and_then(|at| digits[at..].chars().next()),
        // One sign, once, and not before exactly three digits (`1,234` is a thousand; `1.234` stays a decimal).
        (1, 0) => Some('.'),
        (0, 1) if digits.len() - digits.find(',').unwrap_or(0) - 1 != 3 => Some(','),
        _ => None,
    };
    digits
        .chars()
        .filter(|c| c.is_ascii_digit() || Some(*c) == decimal)
        .map(|c| if c.is_ascii_digit() { c } else { '.' })
        .collect()
}

fn integer(text: &str) -> Option<i64> {
    let value = number(text)?;
    // Beyond 2^53 an f64 has gaps.
    #[allow(clippy::cast_possible_truncation)]
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "checked" | "✓" | "✔" => Some(true),
        "false" | "no" | "off" | "0" | "" | "✗" | "✘" => Some(false),
        _ => None,
    }
}

/// Ways to write a date with a time, in the order in which they are tried.
const TIMES: [&str; 4] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M"];
/// The same without one; where day and month could be either, dots put the day first and slashes the month.
const DATES: [&str; 10] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d. %m. %Y",
    "%m/%d/%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%a, %d %b %Y",
];

/// ISO 8601 out of the common ways to write a date; a time stays with it.
fn date(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(stamp.to_string());
    }
    let time = TIMES.iter().find_map(|format| DateTime::strptime(format, text).ok()).map(|time| time.to_string());
    time.or_else(|| DATES.iter().find_map(|format| Date::strptime(format, text).ok()).map(|date| date.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let check = |text: &str, wanted: f64| {
            let got = number(text).unwrap_or_else(|| panic!("{text:?} is no number"));
            assert!((got - wanted).abs() < 1e-9, "{text:?}: {got}");
        };
        check("1 234,50 Kč", 1234.5);
        check("1\u{a0}234\u{a0}567,5 €", 1_234_567.5);
        check("$1,234.50", 1234.5);
        check("1.234,50", 1234.5);
        check("1,234", 1234.0);
        check("12,5 %", 12.5);
        check("1.234", 1.234);
        check("-3", -3.0);
        check("(42.00)", -42.0);
        check("− 7", -7.0);
        check("2 apples 3", 2.0);
        check(".5", 0.5);
        check("Total: 5.", 5.0);
        assert_eq!(number("none"), None);
        assert_eq!(integer("1,200 items"), Some(1200));
        assert_eq!(integer("1.5"), None);
    }

    #[test]
    fn dates_become_iso() {
        let check = |text: &str, wanted: &str| assert_eq!(date(text).as_deref(), Some(wanted), "{text}");
        check("2026-12-31", "2026-12-31");
        check("31.12.2026", "2026-12-31");
        check("31. 12. 2026", "2026-12-31");
        check("December 31, 2026", "2026-12-31");
        check("31 Dec 2026", "2026-12-31");
        check("2026-12-31 23:59", "2026-12-31T23:59:00");
        check("2026-12-31T23:59:00Z", "2026-12-31T23:59:00Z");
        assert_eq!(date("soon"), None);
    }

    #[test]
    fn options_apply_in_their_order() {
        let convert =
            Convert { kind: Kind::Integer, regex: Some(Regex::new(r"#(\d+)").unwrap()), ..Convert::default() };
        assert_eq!(convert.apply("  Order #1042 ", ""), Ok(Value::from(1042)));
        assert!(convert.apply("Order", "").unwrap_err().contains("does not match"));
        let url = Convert { kind: Kind::Url, ..Convert::default() };
        assert_eq!(url.apply("/x?y", "https://a.example/b/"), Ok("https://a.example/x?y".into()));
    }
}
