//! What a text looks like, whatever language surrounds it: money, dates, numbers, addresses of all sorts; and the values that
//! are made of such texts.

use std::sync::LazyLock;

pub use super::convert::{absolute, boolean, convert};
pub use super::dates::{date, iso_date};
use regex::Regex;

/// What kind of thing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    Any,
    Money,
    Date,
    Email,
    Phone,
    Url,
    Image,
    Rating,
    Count,
    Id,
    Name,
    Time,
    Place,
    Address,
    /// When something is open.
    Hours,
    Version,
    Duration,
    /// How large a flat or a piece of land is.
    Area,
    /// Who: one line, as a name is.
    Person,
}

/// What a value is made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    #[default]
    Text,
    Number,
    Integer,
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601, with the time where there is one.
    DateTime,
    Url,
    /// A number where the text is nothing but one.
    Loose,
}

/// What is longer is no amount, date or the like, whatever stands in it.
const LONG: usize = 400;

pub fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

const CURRENCY: &str = r"(?:[$€£¥₹₽₩₺₴₫₪฿₦]|\b(?:USD|EUR|GBP|CHF|CZK|PLN|SEK|NOK|DKK|HUF|JPY|CNY|INR|AUD|CAD|NZD|BRL|MXN|ZAR|RUB|TRY|RON|BGN|UAH|KRW|SGD|HKD)\b|Kč|zł|\bkr\b|\bFt\b)";

static MONEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let number = r"\d(?:[\d.,'’\u{a0}\u{202f} ]*\d)?";
    regex(&format!(r"(?:[-−–+]?{CURRENCY}\s?[-−–]?\s?{number}|[-−–]?{number}(?:,-)?\s?{CURRENCY})"))
});
static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+"));
static PHONE: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\+?\(?\d[\d\s().\-/\u{a0}]{5,20}\d"));
static NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"[-−–]?\d+(?:[.,'’\u{a0}\u{202f} ]\d{3})*(?:[.,]\d+)?|[-−–]?\d+"));
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\b\d{1,2}[:.h]\d{2}(?::\d{2})?(?:\s?[ap]\.?m\.?)?\b|\b\d{1,2}\s?[ap]m\b"));
static PLACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"^(?:Remote|Hybrid|Online|On-?site|\p{Lu}[\p{L}.'’\- ]+,\s\p{Lu}[\p{L}.'’\- ]+)$"));
static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b\d+(?:[.,]\d+)?(?:\s?[–-]\s?\d+)?\s?(?:h|hrs?|hours?|std\.?|min\.?|mins?|minutes?|minuten|sec|secs?|seconds?|days?|weeks?|months?|tage|heures?)\b(?:[\s,]+\d+\s?(?:min|mins|minutes|m|s|sec)\b)?",
    )
});
static STREET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:street|st|road|rd|lane|avenue|ave|square|row|quay|drive|way|court|boulevard|rue|via|calle|plaza|\p{L}*stra(?:ß|ss)e|\p{L}*str\.|\p{L}*platz|\p{L}*weg|\p{L}*gasse)\b",
    )
});
static POSTCODE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b\d{5}(?:-\d{4})?\b|\b\d{4}\s?[A-Z]{2}\b|\b\d{4}\s\p{Lu}\p{Ll}+|\b\d{3}\s\d{2}\b",
    )
});
static HOURS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\d{1,2}(?:[:.]\d{2})?\s?(?:am|pm|uhr|h)?\s?(?:–|-|to|bis)\s?\d{1,2}(?:(?:[:.]\d{2})\s?(?:am|pm|uhr|h)?|\s?(?:am|pm|uhr|h)\b)",
    )
});
static AREA: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"(?i)\b\d+(?:[.,]\d+)?\s?(?:m²|m2|qm|sqm|km²|sq\.? ?(?:m|ft)|ft²|ha|hectares?|acres?)(?:\b|$)?")
});
static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"^(?i:version |v\.? ?|release )?\d+\.\d+(?:\.\d+)*(?:[-+.]?[A-Za-z]+[\w.]*)?$"));
static YEAR: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\b(?:1[5-9]|20)\d{2}\b"));
static RATING: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)(\d+(?:[.,]\d+)?)\s*(?:/|out of|of|stars?)\s*\d*|[★⭐]+"));

pub fn first(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<(usize, usize)> {
    pattern.as_ref()?.find(text).map(|found| (found.start(), found.end()))
}

/// The part of a text that is an amount of money.
pub fn money(text: &str) -> Option<(usize, usize)> {
    first(&MONEY, text)
}

/// The part of a text that is a time of the day.
pub fn time(text: &str) -> Option<(usize, usize)> {
    first(&TIME, text)
}

/// The part of a text that is an e-mail address.
pub fn email(text: &str) -> Option<(usize, usize)> {
    first(&EMAIL, text)
}

/// The part of a text that is a telephone number.
pub fn phone(text: &str) -> Option<(usize, usize)> {
    let (from, to) = first(&PHONE, text)?;
    let found = &text[from..to];
    let digits = found.bytes().filter(u8::is_ascii_digit).count();
    let telling = found.contains(['+', '(', ' ', '-']) || digits >= 9;
    ((7..=15).contains(&digits) && telling && date(found).is_none()).then_some((from, to))
}

/// The part of a text that is a length of time: `3 h 40 min`.
pub fn duration(text: &str) -> Option<(usize, usize)> {
    first(&DURATION, text)
}

/// Whether a text is where somebody lives or works.
pub fn is_address(text: &str) -> bool {
    text.len() <= 120
        && text.split(' ').count() > 2
        && text.contains([',', '\n']) | first(&STREET, text).is_some()
        && first(&POSTCODE, text).is_some()
}

/// Whether a text is when something is open: `Mon–Fri 9:00–17:30`.
pub fn is_hours(text: &str) -> bool {
    text.len() <= 48 && first(&HOURS, text).is_some()
}

/// Whether a text is a date but for the day of the week.
fn without_weekday(text: &str) -> bool {
    let Some((from, to)) = date(text) else { return false };
    let rest: String = text[..from].chars().chain(text[to..].chars()).filter(|c| c.is_alphanumeric()).collect();
    rest.chars().count() <= 10 && rest.chars().all(char::is_alphabetic)
}

/// The part of a text that is a number.
pub fn number(text: &str) -> Option<(usize, usize)> {
    first(&NUMBER, text)
}

/// A word of letters and digits that names one thing: `A-1000`, `#42`, `ISBN 978-3-16`.
pub fn is_id(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['#', '№']).trim();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "-_./:".contains(c));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    plain && digits > 0 && text.len() <= 40 && date(text).is_none()
}

/// Whether `text` can be what is asked for: 0 it cannot, up to 1 it looks just like it.
pub fn fits(kind: Kind, text: &str) -> f32 {
    if text.len() > LONG && !matches!(kind, Kind::Any | Kind::Name | Kind::Place | Kind::Url | Kind::Image) {
        return 0.0;
    }
    let covers = |found: Option<(usize, usize)>| found.map(|(from, to)| ratio(to - from, text.trim().len()));
    let digit = text.bytes().any(|byte| byte.is_ascii_digit());
    match kind {
        Kind::Any => 1.0,
        Kind::Money => match covers(money(text)) {
            Some(part) if text.len() < 80 => 0.75 + 0.25 * part,
            _ if digit && text.len() < 40 && date(text).is_none() => 0.8,
            _ if text.len() < 24 && is_free(text) => 0.8,
            _ => 0.0,
        },
        Kind::Date => match covers(date(text)) {
            Some(part) if text.len() < 80 => 0.75 + 0.25 * part,
            _ if text.len() < 24 && first(&YEAR, text).is_some() => 0.8,
            _ => 0.0,
        },
        Kind::Time if text.len() > 80 => 0.0,
        Kind::Time => match covers(date(text)).map(|_| 1.0).or(covers(time(text))) {
            Some(part) => 0.75 + 0.25 * part,
            None if duration(text).is_some() && text.len() < 24 => 0.85,
            None if text.len() < 40 && digit => 0.7,
            None => 0.0,
        },
        Kind::Email => covers(email(text)).map_or(0.0, |part| 0.7 + 0.3 * part),
        Kind::Phone => covers(phone(text)).map_or(0.0, |part| 0.7 + 0.3 * part),
        Kind::Url => {
            let link = text.starts_with("http:") || text.starts_with("https:") || text.starts_with('/');
            let host = text.contains('.') && !text.contains(' ') && !text.contains('@');
            if link || host { 1.0 } else { 0.0 }
        }
        Kind::Image => {
            if text.contains(' ') {
                0.0
            } else {
                1.0
            }
        }
        Kind::Rating => {
            if text.len() > 60 {
                0.0
            } else if first(&RATING, text).is_some() {
                1.0
            } else if digit && text.len() <= 12 {
                0.9
            } else {
                0.0
            }
        }
        Kind::Count => {
            if digit && text.len() <= 60 {
                1.0
            } else {
                0.0
            }
        }
        Kind::Id => {
            if is_id(text) {
                1.0
            } else if text.len() <= 40 && digit {
                0.85
            } else {
                0.55
            }
        }
        Kind::Duration if duration(text).is_none() && time(text).is_some() => {
            // `1:45:00`, but no list of times.
            if text.len() <= 8 { 0.7 } else { 0.2 }
        }
        Kind::Version | Kind::Duration | Kind::Area => {
            if text.len() <= 60 && digit {
                1.0
            } else {
                0.7
            }
        }
        Kind::Address | Kind::Hours => {
            if text.len() <= 200 {
                1.0
            } else {
                0.6
            }
        }
        Kind::Place => {
            if text.len() <= 120 {
                1.0
            } else {
                0.7
            }
        }
        Kind::Name | Kind::Person => {
            if text.len() <= 300 && text.chars().any(char::is_alphabetic) {
                1.0
            } else {
                0.6
            }
        }
    }
}

/// How sure the look alone makes of a kind; 0 for kinds that have no look of their own.
pub fn looks(kind: Kind, text: &str) -> f32 {
    if text.len() > LONG {
        return 0.0;
    }
    let covers = |found: Option<(usize, usize)>| found.map_or(0.0, |(from, to)| ratio(to - from, text.trim().len()));
    match kind {
        Kind::Money => covers(money(text)),
        Kind::Date => covers(date(text)).max(if without_weekday(text) { 0.9 } else { 0.0 }),
        Kind::Time => covers(time(text)),
        Kind::Address if is_address(text) => 1.0,
        Kind::Hours if is_hours(text) => 1.0,
        Kind::Version if first(&VERSION, text).is_some() => 1.0,
        Kind::Duration => covers(duration(text)),
        Kind::Area => covers(first(&AREA, text)),
        Kind::Place if first(&PLACE, text).is_some() => 1.0,
        Kind::Email => covers(email(text)),
        Kind::Phone => covers(phone(text)),
        Kind::Rating => match RATING.as_ref().and_then(|regex| regex.find(text)) {
            Some(found)
                if text[found.end()..].split(' ').all(|word| ["", "star", "stars", "points"].contains(&word)) =>
            {
                ratio(text.len() - found.start(), text.trim().len())
            }
            Some(found) => ratio(found.len(), text.trim().len()),
            None => 0.0,
        },
        _ => 0.0,
    }
}

fn is_free(text: &str) -> bool {
    ["free", "gratis", "kostenlos"].contains(&text.trim().to_lowercase().as_str())
}

#[allow(clippy::cast_precision_loss, reason = "a share, roughly")]
fn ratio(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { (part as f32 / whole as f32).min(1.0) }
}

/// The part of a text that is what is asked for, where more stands around it: `Tel.: +49 30 123456`.
pub fn core(kind: Kind, text: &str) -> &str {
    let found = match kind {
        Kind::Email => email(text),
        Kind::Phone => phone(text),
        _ => None,
    };
    found.map_or(text, |(from, to)| &text[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_seen_in_their_text() {
        let part = |found: Option<(usize, usize)>, text: &'static str| found.map(|(from, to)| &text[from..to]);
        assert_eq!(part(money("Price: $1,299.00 incl."), "Price: $1,299.00 incl."), Some("$1,299.00"));
        assert_eq!(part(money("1 234,50 Kč"), "1 234,50 Kč"), Some("1 234,50 Kč"));
        assert_eq!(money("Room 12"), None);
        assert_eq!(part(date("on March 5, 2024."), "on March 5, 2024."), Some("March 5, 2024"));
        assert_eq!(part(date("3 days ago"), "3 days ago"), Some("3 days ago"));
        assert!(phone("+49 30 1234567").is_some());
        assert!(phone("2024-03-05").is_none());
        assert!(is_id("A-1000") && is_id("#42") && !is_id("hello") && !is_id("2024-01-02"));
    }
}
