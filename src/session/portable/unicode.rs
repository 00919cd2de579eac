//! JavaScript's strings may hold lone surrogates, which JSON writes as escapes and which no text in Rust can hold. While a
//! document passes through here they stand as a mark and four digits.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// A character that stands for nothing in Unicode, now or ever. Where a text has it all the same it is written as its two
/// surrogates, marked.
pub(super) const MARK: char = '\u{10fffe}';
const DIGITS: usize = 4;

/// A JSON text whose escapes of lone surrogates have become marks.
pub(super) fn marked(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") && !json.contains(MARK) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(['\\', MARK]) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (text, used) = match (surrogate(from), from.get(6..).and_then(surrogate)) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) if pair(high, low) != Some(MARK) => {
                (from[..12].to_owned(), 12)
            }
            (Some(unit), _) => (mark(unit), 6),
            _ if from.starts_with(MARK) => (format!("{}{}", mark(0xdbff), mark(0xdffe)), MARK.len_utf8()),
            // Whatever it escapes, a backslash too, begins nothing itself.
            _ => {
                let end = 1 + from[1..].chars().next().map_or(0, char::len_utf8);
                (from[..end].to_owned(), end)
            }
        };
        out.push_str(&text);
        rest = &from[used..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The reverse: marks become escapes.
pub(super) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(MARK) {
        return Cow::Borrowed(json);
    }
    let mut pieces = json.split(MARK);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("\\u");
        out.push_str(piece);
    }
    Cow::Owned(out)
}

/// A marked text as a part holds it: plain, or its code units.
pub(super) fn to_node(text: &str) -> Value {
    if !text.contains(MARK) {
        return text.into();
    }
    let units = units(text);
    if let Ok(text) = String::from_utf16(&units) {
        return text.into();
    }
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    json!(["s16", data_encoding::BASE64.encode(&bytes)])
}

/// The marked text of what a part holds; none where it is no text.
pub(super) fn from_node(node: &Value) -> Option<String> {
    if let Some(text) = node.as_str() {
        return Some(if text.contains(MARK) {
            text.replace(MARK, &format!("{}{}", mark(0xdbff), mark(0xdffe)))
        } else {
            text.to_owned()
        });
    }
    let [tag, bytes] = node.as_array()?.as_slice() else { return None };
    let bytes = data_encoding::BASE64.decode(bytes.as_str()?.as_bytes()).ok()?;
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    let texts = char::decode_utf16(units).map(|unit| match unit {
        Ok(MARK) => format!("{}{}", mark(0xdbff), mark(0xdffe)),
        Ok(character) => character.to_string(),
        Err(lone) => mark(lone.unpaired_surrogate()),
    });
    (tag == "s16").then(|| texts.collect())
}

/// JavaScript's order of texts is by code units.
pub(super) fn units(text: &str) -> Vec<u16> {
    let mut pieces = text.split(MARK);
    let mut units: Vec<u16> = pieces.next().unwrap_or_default().encode_utf16().collect();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(DIGITS).unwrap_or((piece, ""));
        units.push(u16::from_str_radix(digits, 16).unwrap_or(0xfffd));
        units.extend(rest.encode_utf16());
    }
    units
}

fn mark(unit: u16) -> String {
    let mut text = String::from(MARK);
    // Writing to a string cannot fail.
    let _ = write!(text, "{unit:04x}");
    text
}

/// The surrogate that an escape at the beginning of `text` stands for.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..DIGITS)?;
    let unit = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())??;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

fn pair(high: u16, low: u16) -> Option<char> {
    char::decode_utf16([high, low]).next()?.ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lone_surrogates_come_through_and_pairs_are_left_alone() {
        let json = r#"["a\ud800b", "\ud83d\ude00", "\\ud800", "\udbff\udffe", "\udc00\ud800"]"#;
        let texts: Vec<String> = serde_json::from_str(&marked(json)).unwrap();
        assert_eq!((&*texts[1], &*texts[2]), ("😀", "\\ud800"));
        let nodes: Vec<Value> = texts.iter().map(|text| to_node(text)).collect();
        assert_eq!(nodes[0], json!(["s16", "YQAA2GIA"]));
        assert_eq!(nodes[3], json!("\u{10fffe}"));
        let back: Vec<String> = nodes.iter().map(|node| from_node(node).unwrap()).collect();
        assert_eq!(back, texts);
        let again = escaped(&serde_json::to_string(&back).unwrap()).into_owned();
        let wanted = r#"["a\ud800b","😀","\\ud800","\udbff\udffe","\udc00\ud800"]"#;
        assert_eq!(again, wanted);
    }

    proptest! {
        #[test]
        fn any_units_survive(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd800..0xe000u16], 0..8)) {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let text = from_node(&json!(["s16", data_encoding::BASE64.encode(&bytes)])).unwrap();
            prop_assert_eq!(super::units(&text), units);
            let json = serde_json::to_string(&text).unwrap();
            let back: String = serde_json::from_str(&marked(&escaped(&json))).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn hostile_text_never_panics(text in "[\\\\ud8D9cCfF0eé\u{10fffe}\"]{0,40}") {
            let text = marked(&text);
            let _ = (to_node(&text), escaped(&text).len());
        }
    }
}
