//! The values that are made of texts: numbers, dates, yes and no, addresses.

use serde_json::Value;

use super::dates::iso_date;
use super::shapes::{Output, number};

/// The value that `text` makes as `output`; none where it makes none. `commas`: decimals follow a comma, as in most of Europe.
pub fn convert(output: Output, text: &str, base: Option<&url::Url>, commas: bool) -> Option<Value> {
    let text = text.trim();
    match output {
        Output::Text => (!text.is_empty()).then(|| text.into()),
        Output::Number => numeric(text, commas).and_then(json_number),
        Output::Integer => numeric(text, commas).filter(|n| n.fract() == 0.0).and_then(json_number),
        Output::Bool => boolean(text).map(Value::from),
        Output::Date => iso_date(text).map(|date| date.chars().take(10).collect::<String>().into()),
        Output::DateTime => iso_date(text).map(Value::from),
        Output::Loose if text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            numeric(text, commas).and_then(json_number)
        }
        Output::Loose => (!text.is_empty()).then(|| text.into()),
        Output::Url if text.contains(' ') => None,
        Output::Url if is_bare_host(text) => None,
        Output::Url => absolute(text, base).map(Value::from),
    }
}

/// A name of a site without the address that it stands for.
fn is_bare_host(text: &str) -> bool {
    !text.contains("://")
        && !text.starts_with(['/', '.', '?', '#'])
        && !text.to_ascii_lowercase().ends_with("html")
        && !text.contains('/')
}

/// An address made absolute.
pub fn absolute(text: &str, base: Option<&url::Url>) -> Option<String> {
    match base {
        Some(base) => base.join(text).ok().map(|url| url.to_string()),
        None => Some(text.to_owned()),
    }
}

fn json_number(value: f64) -> Option<Value> {
    #[allow(clippy::cast_possible_truncation, reason = "checked")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some((value as i64).into());
    }
    serde_json::Number::from_f64(value).map(Value::Number)
}

/// The first number of a text, whatever stands for thousands and decimals; `1.2k` and `3M` are multiplied out. Stars count.
pub fn numeric(text: &str, commas: bool) -> Option<f64> {
    let Some((from, to)) = number(text) else {
        let stars = text.chars().filter(|c| matches!(c, '★' | '⭐')).count();
        return (stars > 0).then(|| f64::from(u32::try_from(stars).unwrap_or(0)));
    };
    let mut digits: String = text[from..to].chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    let before = text[..from].trim_end_matches(|c: char| c.is_whitespace() || "$€£¥₹".contains(c));
    let signed = |text: &str| text.ends_with(['-', '−', '–']) && text.chars().count() <= 2;
    let own = text[from..].starts_with(['-', '−', '–']) && !text[..from].ends_with(char::is_alphanumeric);
    let negative = own || signed(before);
    let last = digits.rfind(['.', ',']);
    let both = digits.contains('.') && digits.contains(',');
    let decimal = last.filter(|at| {
        let sign = &digits[*at..=*at];
        let after = digits.len() - at - 1;
        let plainly = after != 3 || digits.starts_with("0.") || digits.starts_with("0,");
        both || (digits.matches(sign).count() == 1 && (plainly || (sign == ",") == commas))
    });
    digits = digits
        .char_indices()
        .filter(|(at, c)| c.is_ascii_digit() || Some(*at) == decimal)
        .map(|(_, c)| if c.is_ascii_digit() { c } else { '.' })
        .collect();
    let value: f64 = digits.parse().ok()?;
    let rest = &text[to..];
    let unit = rest.trim_start().chars().next();
    let alone = !rest.trim_start().chars().nth(1).is_some_and(char::is_alphabetic);
    let factor = match unit {
        Some('k' | 'K') if alone => 1e3,
        Some('M') if alone => 1e6,
        _ => 1.0,
    };
    let value = value * factor;
    Some(if negative { -value } else { value })
}

/// Yes or no, in the words that pages use for it.
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_lowercase();
    let no = [
        "no",
        "false",
        "off",
        "0",
        "✗",
        "✘",
        "✕",
        "none",
        "never",
        "unavailable",
        "disabled",
        "inactive",
        "nein",
        "non",
        "nie",
        "ne",
        "nee",
    ];
    let yes = [
        "yes",
        "true",
        "on",
        "1",
        "✓",
        "✔",
        "available",
        "instock",
        "enabled",
        "active",
        "checked",
        "included",
        "ja",
        "oui",
        "sí",
        "si",
        "sì",
        "tak",
        "ano",
    ];
    if no.contains(&text.as_str()) {
        return Some(false);
    }
    if yes.contains(&text.as_str()) {
        return Some(true);
    }
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&[
        "out of stock",
        "sold out",
        "unavailable",
        "not available",
        "outofstock",
        "soldout",
        "discontinued",
        "not in",
    ]) {
        return Some(false);
    }
    has(&["in stock", "instock", "available"]).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made() {
        let check = |output: Output, text: &str, wanted: Value| {
            assert_eq!(convert(output, text, None, false), Some(wanted), "{text}");
        };
        check(Output::Number, "$1,299.00", 1299.into());
        check(Output::Number, "19,99 €", 19.99.into());
        check(Output::Number, "1 234,50 Kč", 1234.5.into());
        check(Output::Number, "1.2k", 1200.into());
        check(Output::Number, "-3", (-3).into());
        check(Output::Number, "-£23.40", (-23.4).into());
        check(Output::Date, "5th March 2024", "2024-03-05".into());
        check(Output::Date, "Mar 5, 2024", "2024-03-05".into());
        check(Output::Bool, "Out of stock", false.into());
        assert_eq!(convert(Output::Number, "14,652", None, true), Some(14.652.into()));
        assert_eq!(convert(Output::Number, "14,652", None, false), Some(14652.into()));
        check(Output::Number, "★★★★☆", 4.into());
    }
}
