//! Decoding of what Chromium sends, where it sends text that is not Unicode: JavaScript strings may hold half of a
//! surrogate pair, Chromium escapes it (`\ud83d`), and no Rust string can take it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// `raw` as `T`. Lone surrogates become U+FFFD, which is what a browser shows for them.
pub(super) fn decode<T: DeserializeOwned>(raw: &RawValue) -> serde_json::Result<T> {
    serde_json::from_str(raw.get()).or_else(|error| match without_lone_surrogates(raw.get()) {
        Cow::Owned(repaired) => serde_json::from_str(&repaired),
        Cow::Borrowed(_) => Err(error),
    })
}

/// `json` with every escape of a lone surrogate replaced; borrowed where there is none.
fn without_lone_surrogates(json: &str) -> Cow<'_, str> {
    let mut repaired = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(backslash) = json[at..].find('\\').map(|found| at + found) {
        at = match (escaped_unit(json, backslash), escaped_unit(json, backslash + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => backslash + 12,
            (Some(0xD800..=0xDFFF), _) => {
                repaired.push_str(&json[copied..backslash]);
                repaired.push_str("\\ufffd");
                copied = backslash + 6;
                copied
            }
            (Some(_), _) => backslash + 6,
            // Another escape: the backslash and one ASCII character.
            (None, _) => (backslash + 2).min(json.len()),
        };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    repaired.push_str(&json[copied..]);
    Cow::Owned(repaired)
}

/// The UTF-16 unit that a `\uXXXX` at `at` stands for.
fn escaped_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<&str>) {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        assert_eq!(decode::<String>(&raw).ok().as_deref(), expected, "{json}");
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        check(r#""plain""#, Some("plain"));
        check(r#""\ud83d\ude00""#, Some("😀"));
        check(r#""a\ud83db""#, Some("a\u{fffd}b"));
        check(r#""\ude00\ud83d""#, Some("\u{fffd}\u{fffd}"));
        check(r#""\ud83d\ud83d\ude00ž""#, Some("\u{fffd}😀ž"));
        check(r#""\\ud83d""#, Some("\\ud83d"));
        check("17", None);
    }
}
