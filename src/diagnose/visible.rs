//! Text of pages and people on a terminal: what would steer the terminal is shown instead of obeyed. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every control character written out, tabs and ends of lines aside: a page must not be able to move the cursor,
/// change colours or answer for the keyboard.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !steering(text).any(|(_, steers)| steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (character, steers) in steering(text) {
        if steers { out.extend(character.escape_unicode()) } else { out.push(character) }
    }
    Cow::Owned(out)
}

/// As [`visible`], on one line.
pub fn visible_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if steers(other) => out.extend(other.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}

/// As [`visible`], with as many characters as before, so that places stay right.
pub fn blanked(text: &str) -> String {
    steering(text).map(|(character, steers)| if steers { '\u{fffd}' } else { character }).collect()
}

/// JSON whose strings hold nothing that steers a terminal. It means what it meant before: such a character can only stand in a
/// string, where it may be written as an escape just as well.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(steers) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if steers(character) {
            // All that steer are in the basic plane, and so take one escape. Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The characters of `text`, each with whether it steers where it stands: a return that only ends a line does not.
fn steering(text: &str) -> impl Iterator<Item = (char, bool)> {
    let next = text.chars().skip(1).map(Some).chain([None]);
    text.chars()
        .zip(next)
        .map(|(character, next)| (character, steers(character) && (character, next) != ('\r', Some('\n'))))
}

/// Control characters, and those that turn the direction of what follows.
fn steers(character: char) -> bool {
    (character.is_control() && character != '\n' && character != '\t')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The first `width` characters, with a mark where more follow.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        Some(_) => Cow::Owned(text.chars().take(width.saturating_sub(1)).chain(['…']).collect()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(visible("a\u{1b}[2Jb\u{9b}c\u{202e}d\re\r\n\t"), "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\u{d}e\r\n\t");
        assert_eq!(visible_line("a\nb\u{7}\r\n"), "a\\nb\\u{7}\\u{d}\\n");
        assert_eq!(blanked("é\u{1b}x\r\n"), "é\u{fffd}x\r\n");
        assert!(matches!(visible("plain ž\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_means_the_same_and_steers_nothing() {
        let value = serde_json::json!({"\u{9b}2J": ["\u{1b}", "\u{7f}\u{202e}ž\n"]});
        let shown = visible_json(&format!("{value:#}")).into_owned();
        assert!(!shown.chars().any(steers), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
