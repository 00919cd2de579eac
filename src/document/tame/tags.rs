//! Where tags, comments and raw text end, by the tokenizer's rules.

use std::borrow::Cow;
use std::ops::Range;

/// The most attributes of one tag that are read.
const MAX_ATTRIBUTES: usize = 256;

/// A tag as it stands in the text.
pub(super) struct Tag<'a> {
    /// In lower case.
    pub name: Cow<'a, str>,
    /// Behind its `>`.
    pub end: usize,
    /// Whether it ends in `/>`.
    pub closes_itself: bool,
    /// The attributes beyond the number that is read.
    pub cut: Option<Range<usize>>,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Behind the next `wanted`, or at the end.
pub(super) fn after(bytes: &[u8], from: usize, wanted: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == wanted).map_or(bytes.len(), |at| from + at + 1)
}

/// Reads the tag whose name begins at `from`.
pub(super) fn read_tag(html: &str, from: usize) -> Tag<'_> {
    let bytes = html.as_bytes();
    let at = |place: usize| bytes.get(place).copied();
    let mut place = from;
    while at(place).is_some_and(|byte| !is_space(byte) && byte != b'/' && byte != b'>') {
        place += 1;
    }
    let written = html.get(from..place).unwrap_or_default();
    let name = if written.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(written.to_ascii_lowercase())
    } else {
        Cow::Borrowed(written)
    };
    let mut attributes = 0;
    let mut beyond = None;
    let mut slash = false;
    loop {
        match at(place) {
            None | Some(b'>') => break,
            Some(b'/') => {
                slash = true;
                place += 1;
            }
            Some(byte) if is_space(byte) => place += 1,
            Some(_) => {
                slash = false;
                attributes += 1;
                if attributes == MAX_ATTRIBUTES + 1 {
                    beyond = Some(place);
                }
                place = attribute_end(bytes, place);
            }
        }
    }
    let end = (place + 1).min(bytes.len());
    let closes_itself = slash && at(place.wrapping_sub(1)) == Some(b'/');
    Tag { name, end, closes_itself, cut: beyond.map(|from| from..place) }
}

/// Behind the attribute that begins at `from`: its name, and its value where it has one.
fn attribute_end(bytes: &[u8], from: usize) -> usize {
    let at = |place: usize| bytes.get(place).copied();
    // The first character belongs to the name even where it is `=`.
    let mut place = from + 1;
    while at(place).is_some_and(|byte| !is_space(byte) && !matches!(byte, b'/' | b'>' | b'=')) {
        place += 1;
    }
    let named = place;
    while at(place).is_some_and(is_space) {
        place += 1;
    }
    if at(place) != Some(b'=') {
        return named;
    }
    place += 1;
    while at(place).is_some_and(is_space) {
        place += 1;
    }
    if let Some(quote @ (b'"' | b'\'')) = at(place) {
        return after(bytes, place + 1, quote);
    }
    while at(place).is_some_and(|byte| !is_space(byte) && byte != b'>') {
        place += 1;
    }
    place
}

/// Behind the comment whose text begins at `from`.
pub(super) fn comment_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    if rest.starts_with(b">") {
        return from + 1;
    }
    if rest.starts_with(b"->") {
        return from + 2;
    }
    let mut place = 0;
    while let Some(found) = rest.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == b'>')) {
        let end = place + found;
        let before = rest.get(..end).unwrap_or_default();
        if before.ends_with(b"--") || before.ends_with(b"--!") {
            return from + end + 1;
        }
        place = end + 1;
    }
    bytes.len()
}

/// Where the text of `<name>` that begins at `from` ends, and the place behind its end tag.
pub(super) fn raw_end(bytes: &[u8], from: usize, name: &str) -> (usize, usize) {
    let mut place = from;
    while let Some(found) = bytes.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == b'<')) {
        let start = place + found;
        let rest = bytes.get(start + 1..).unwrap_or_default();
        let named = rest.get(1..=name.len()).is_some_and(|written| written.eq_ignore_ascii_case(name.as_bytes()));
        let ended = rest.get(name.len() + 1).is_none_or(|byte| is_space(*byte) || matches!(byte, b'/' | b'>'));
        if rest.first() == Some(&b'/') && named && ended {
            return (start, after(bytes, start, b'>'));
        }
        place = start + 1;
    }
    (bytes.len(), bytes.len())
}
