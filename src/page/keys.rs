//! Keys by name and by character, on the US layout, and chords (`Control+A`).

use chromiumoxide::keys::{KeyDefinition, USKEYBOARD_LAYOUT};

use super::PageError;

/// A key as Chromium wants to hear of it.
#[allow(clippy::struct_field_names, reason = "the names of KeyboardEvent")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub key: String,
    pub code: String,
    pub key_code: i64,
    /// What it writes, where it writes something.
    pub text: Option<String>,
    /// Modifier bit, where it is one.
    pub modifier: i64,
    pub location: i64,
}

/// Bits of `Input.dispatchKeyEvent`.
pub(super) const CONTROL: i64 = 2;
pub(super) const SHIFT: i64 = 8;

const MODIFIERS: [(&str, i64); 4] = [("Alt", 1), ("Control", CONTROL), ("Meta", 4), ("Shift", SHIFT)];

/// The bit of a modifier by name.
pub(super) fn modifier(name: &str) -> Option<i64> {
    let name = if name == "ControlOrMeta" { "Control" } else { name };
    MODIFIERS.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
}

/// What to say of a name that is none.
pub(super) fn unknown_modifier(name: &str) -> String {
    let known = ["Alt", "Control", "Meta", "Shift", "ControlOrMeta"];
    let habit = match name.to_ascii_lowercase().as_str() {
        "ctrl" | "strg" => Some("Control"),
        "cmd" | "command" | "win" | "super" => Some("Meta"),
        "opt" | "option" => Some("Alt"),
        _ => None,
    };
    match habit.or_else(|| crate::base::closest(name, known)) {
        Some(near) => format!("there is no modifier {name:?}; did you mean {near}?"),
        None => format!("there is no modifier {name:?}; known are {}", known.join(", ")),
    }
}

/// The key that writes `c` on the layout; none for other characters, which go in as text.
pub(super) fn of_char(c: char) -> Option<Key> {
    if matches!(c, '\n' | '\r') {
        return named("Enter");
    }
    if c == '\t' {
        return named("Tab");
    }
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let found = USKEYBOARD_LAYOUT.iter().find(|key| key.key == text && !key.code.starts_with("Numpad"));
    found.map(build).or_else(|| shifted(text))
}

/// Signs that the layout's table holds for the numeric pad alone, where the main block writes them with Shift.
fn shifted(sign: &str) -> Option<Key> {
    let below = match sign {
        "+" => "=",
        "*" => "8",
        _ => return None,
    };
    let found = USKEYBOARD_LAYOUT.iter().find(|key| key.key == below && !key.code.starts_with("Numpad"))?;
    Some(Key { key: sign.to_owned(), text: Some(sign.to_owned()), ..build(found) })
}

/// A key by name (`Enter`, `F5`, `ArrowLeft`), by code (`KeyA`) or by character.
fn named(name: &str) -> Option<Key> {
    let name = match name {
        "ControlOrMeta" => "Control",
        "Esc" => "Escape",
        "Space" => " ",
        "Return" => "Enter",
        name => name,
    };
    let plain = |key: &&KeyDefinition| !key.code.starts_with("Numpad");
    let by_key = USKEYBOARD_LAYOUT.iter().find(|key| key.key == name && plain(key));
    let by_code = || USKEYBOARD_LAYOUT.iter().find(|key| key.code == name);
    by_key.or_else(by_code).map(build).or_else(|| shifted(name))
}

fn build(found: &KeyDefinition) -> Key {
    let text = match (found.text, found.key) {
        (_, "Enter") => Some("\r".to_owned()),
        (Some(text), _) => Some(text.to_owned()),
        (None, key) if key.chars().count() == 1 => Some(key.to_owned()),
        _ => None,
    };
    let location = match found.code {
        code if code.starts_with("Numpad") => 3,
        code if code.ends_with("Right") && !code.starts_with("Arrow") && !code.starts_with("Bracket") => 2,
        "ShiftLeft" | "ControlLeft" | "AltLeft" | "MetaLeft" => 1,
        _ => 0,
    };
    Key {
        key: found.key.to_owned(),
        code: found.code.to_owned(),
        key_code: found.key_code,
        text,
        modifier: modifier(found.key).unwrap_or(0),
        location,
    }
}

/// Reads a chord: modifiers to hold and the key to press.
pub(super) fn chord(source: &str) -> Result<(Vec<Key>, Key), PageError> {
    // `+` itself, alone or last in a chord (`Control++`).
    let (held, last) = match source.strip_suffix('+') {
        Some(rest) => (rest.strip_suffix('+').unwrap_or(rest), "+"),
        None => source.rsplit_once('+').unwrap_or(("", source)),
    };
    let mut modifiers = Vec::new();
    for name in held.split('+').filter(|name| !name.is_empty()) {
        let known = modifier(name).and_then(|_| named(name));
        modifiers.push(known.ok_or_else(|| PageError::Argument(unknown_modifier(name)))?);
    }
    let bits: i64 = modifiers.iter().map(|key| key.modifier).sum();
    let mut key = named(last).or_else(|| single_text(last)).ok_or_else(|| unknown(last))?;
    if bits & SHIFT != 0
        && let Some(upper) = key.text.as_deref().and_then(upper)
    {
        key.key.clone_from(&upper);
        key.text = Some(upper);
    }
    // With a command modifier held, a key writes nothing.
    if bits & !SHIFT != 0 {
        key.text = None;
    }
    Ok((modifiers, key))
}

/// A single character that is not on the layout: pressing it writes it.
fn single_text(name: &str) -> Option<Key> {
    (name.chars().count() == 1).then(|| Key {
        key: name.to_owned(),
        code: String::new(),
        key_code: 0,
        text: Some(name.to_owned()),
        modifier: 0,
        location: 0,
    })
}

fn upper(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let c = chars.next().filter(char::is_ascii_lowercase)?;
    chars.next().is_none().then(|| c.to_ascii_uppercase().to_string())
}

fn unknown(name: &str) -> PageError {
    if name.is_empty() {
        return PageError::Argument("a key is missing; give one as \"Enter\", \"a\" or \"Control+A\"".to_owned());
    }
    let near = crate::base::closest(name, USKEYBOARD_LAYOUT.iter().map(|key| key.key).filter(|key| key.len() > 1));
    PageError::Argument(match near {
        Some(near) => format!("there is no key {name:?}; did you mean {near}?"),
        None => format!("there is no key {name:?}; keys are named as in KeyboardEvent.key (Enter, ArrowLeft, F5, a)"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_modifiers_and_a_key() {
        let (held, key) = chord("Control+Shift+A").unwrap();
        assert_eq!(held.iter().map(|key| key.code.as_str()).collect::<Vec<_>>(), ["ControlLeft", "ShiftLeft"]);
        assert_eq!((key.key.as_str(), key.key_code, key.text), ("A", 65, None));
        assert_eq!(chord("Enter").unwrap().1.text.as_deref(), Some("\r"));
        assert_eq!(chord("+").unwrap().1.key, "+");
        let (held, plus) = chord("Control++").unwrap();
        assert_eq!((held.len(), plus.key.as_str(), plus.code.as_str(), plus.text), (1, "+", "Equal", None));
        assert_eq!(chord("Shift+a").unwrap().1.text.as_deref(), Some("A"));
        assert_eq!(chord("ž").unwrap().1.text.as_deref(), Some("ž"));
        assert_eq!(chord("Space").unwrap().1.code, "Space");
    }

    #[test]
    fn a_mistyped_key_names_the_nearest() {
        assert!(chord("Entr").unwrap_err().to_string().contains("did you mean Enter?"));
        assert!(chord("Ctrl+A").unwrap_err().to_string().contains("no modifier \"Ctrl\"; did you mean Control?"));
        assert!(chord("Cmd+A").unwrap_err().to_string().contains("did you mean Meta?"));
        assert!(chord("").is_err());
    }

    #[test]
    fn characters_off_the_layout_have_no_key() {
        assert_eq!(of_char('a').unwrap().code, "KeyA");
        assert_eq!(of_char('A').unwrap().code, "KeyA");
        assert_eq!(of_char('1').unwrap().code, "Digit1");
        assert_eq!(of_char(' ').unwrap().code, "Space");
        assert!(of_char('ž').is_none());
        assert!(of_char('中').is_none());
    }
}
