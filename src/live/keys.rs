//! Keys as Chromium wants to hear of them.

use chromiumoxide::keys::USKEYBOARD_LAYOUT;
use serde_json::{Value, json};

use super::wire::modifiers::{ALT, CTRL, META, SHIFT};
use super::wire::{Key, KeyKind};

/// Editing commands by key, with the platform's command modifier held. On macOS Chromium has them from the system, which knows
/// nothing of keys that come over CDP; elsewhere they are what it does anyway.
const COMMANDS: [(&str, bool, &str); 7] = [
    ("a", false, "selectAll"),
    ("c", false, "copy"),
    ("x", false, "cut"),
    ("v", false, "paste"),
    ("z", false, "undo"),
    ("z", true, "redo"),
    ("y", false, "redo"),
];

/// Whether the browser's own shortcuts take Command rather than Control.
const TAKES_META: bool = cfg!(target_os = "macos");

/// The parameters of `Input.dispatchKeyEvent`.
pub(super) fn event(key: &Key) -> Value {
    let modifiers = native(key.modifiers);
    let name = match key.key.as_str() {
        "Meta" if !TAKES_META => "Control",
        "OS" | "Win" => "Meta",
        name => name,
    };
    let code = match key.code.as_str() {
        "MetaLeft" if !TAKES_META => "ControlLeft",
        "MetaRight" if !TAKES_META => "ControlRight",
        code => code,
    };
    let text = if key.kind == KeyKind::Down { text_of(key, modifiers) } else { None };
    let kind = match (key.kind, &text) {
        (KeyKind::Up, _) => "keyUp",
        (KeyKind::Down, Some(_)) => "keyDown",
        (KeyKind::Down, None) => "rawKeyDown",
    };
    let number = key_code(name, code, key.location);
    let mut event = json!({
        "type": kind, "modifiers": modifiers, "key": name, "code": code, "location": key.location,
        "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number,
        "autoRepeat": key.repeat, "isKeypad": key.location == 3,
    });
    if let Some(text) = text {
        event["unmodifiedText"] = text.clone().into();
        event["text"] = text.into();
    }
    if key.kind == KeyKind::Down
        && let Some(command) = command(name, modifiers)
    {
        event["commands"] = json!([command]);
    }
    event
}

/// A press of one of the editing shortcuts, down and up.
pub(super) fn shortcut(letter: char) -> [Value; 2] {
    let held = if TAKES_META { META } else { CTRL };
    let key = |kind| Key {
        kind,
        key: letter.to_string(),
        code: format!("Key{}", letter.to_ascii_uppercase()),
        text: None,
        location: 0,
        repeat: false,
        modifiers: held,
    };
    [event(&key(KeyKind::Down)), event(&key(KeyKind::Up))]
}

/// The modifiers as they are meant here: who sits at a Mac holds Command for what is Control elsewhere.
pub(super) fn native(modifiers: u8) -> u8 {
    let modifiers = modifiers & (ALT | CTRL | META | SHIFT);
    if modifiers & META != 0 && !TAKES_META { modifiers & !META | CTRL } else { modifiers }
}

fn command(name: &str, modifiers: u8) -> Option<&'static str> {
    let held = if TAKES_META { META } else { CTRL };
    if modifiers & !SHIFT != held {
        return None;
    }
    let (name, shifted) = (name.to_ascii_lowercase(), modifiers & SHIFT != 0);
    COMMANDS.iter().find(|(letter, shift, _)| *letter == name && *shift == shifted).map(|(_, _, command)| *command)
}

fn text_of(key: &Key, modifiers: u8) -> Option<String> {
    if key.key == "Enter" {
        return Some("\r".to_owned());
    }
    if let Some(text) = &key.text {
        return Some(text.clone()).filter(|text| !text.is_empty());
    }
    let mut chars = key.key.chars();
    let prints = chars.next().is_some() && chars.next().is_none();
    (prints && modifiers & !SHIFT == 0).then(|| key.key.clone())
}

/// The number that `keyCode` tells.
fn key_code(name: &str, code: &str, location: u8) -> i64 {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && c.is_ascii_alphanumeric()
        && location != 3
    {
        return i64::from(u32::from(c.to_ascii_uppercase()));
    }
    // The table has the keypad as it is without Num Lock: by those numbers a digit would move the caret, and the point delete.
    if location == 3 {
        match name.as_bytes() {
            [digit @ b'0'..=b'9'] => return 96 + i64::from(digit - b'0'),
            b"." | b"," => return 110,
            _ => {}
        }
    }
    let by_code = USKEYBOARD_LAYOUT.iter().find(|known| !code.is_empty() && known.code == code);
    let found = by_code.or_else(|| USKEYBOARD_LAYOUT.iter().find(|known| known.key == name));
    found.map_or(0, |known| known.key_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(name: &str, code: &str, modifiers: u8) -> Value {
        let (key, code) = (name.to_owned(), code.to_owned());
        event(&Key { kind: KeyKind::Down, key, code, text: None, location: 0, repeat: false, modifiers })
    }

    #[test]
    fn printable_keys_write_and_shortcuts_do_not() {
        let plain = down("a", "KeyA", 0);
        assert_eq!((&plain["type"], &plain["text"]), (&json!("keyDown"), &json!("a")));
        assert_eq!(plain["windowsVirtualKeyCode"], 65);
        assert_eq!(down("Ž", "KeyZ", SHIFT)["text"], "Ž");
        assert_eq!(down("Enter", "Enter", 0)["text"], "\r");
        for (name, code) in [("Tab", "Tab"), ("ArrowLeft", "ArrowLeft"), ("Dead", "Equal"), ("Shift", "ShiftLeft")] {
            assert_eq!(down(name, code, 0)["type"], "rawKeyDown", "{name}");
        }
        assert_eq!(down("ArrowLeft", "ArrowLeft", 0)["windowsVirtualKeyCode"], 37);
        let all = down("a", "KeyA", CTRL);
        assert_eq!((&all["type"], &all["commands"]), (&json!("rawKeyDown"), &json!(["selectAll"])));
        assert_eq!(down("Z", "KeyZ", CTRL | SHIFT)["commands"], json!(["redo"]));
        assert_eq!(down("a", "KeyA", CTRL | ALT)["commands"], Value::Null);
    }

    #[test]
    fn the_keypad_types_digits_with_num_lock_and_moves_without() {
        let number = |name: &str, code: &str| key_code(name, code, 3);
        assert_eq!((number("1", "Numpad1"), number("0", "Numpad0"), number("9", "Numpad9")), (97, 96, 105));
        assert_eq!((number(".", "NumpadDecimal"), number(",", "NumpadDecimal")), (110, 110));
        assert_eq!((number("End", "Numpad1"), number("Delete", "NumpadDecimal")), (35, 46));
        assert_eq!((number("+", "NumpadAdd"), number("Enter", "NumpadEnter")), (107, 13));
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn command_means_control() {
        let all = down("a", "KeyA", META);
        assert_eq!((&all["modifiers"], &all["commands"]), (&json!(CTRL), &json!(["selectAll"])));
        assert_eq!(down("Meta", "MetaLeft", META)["key"], "Control");
    }
}
