//! The keyboard: texts and chords as bursts of key events.

use std::time::Duration;

use serde_json::{Value, json};

use super::PageError;
use super::keys::{Key, SHIFT, chord, of_char};
use super::rpc::{Ack, rpc};
use super::world::Shared;

/// What goes out for one key or character.
enum Stroke {
    Event(Value),
    Pause,
}

/// Types `text` where the focus is, key after key.
pub(super) async fn type_text(page: &Shared, text: &str, delay: Option<Duration>) -> Result<(), PageError> {
    let mut strokes = Vec::with_capacity(text.len() * 2);
    // CRLF is one line break.
    for c in text.replace("\r\n", "\n").chars() {
        match of_char(c) {
            Some(key) => {
                let modifiers = if needs_shift(&key) { SHIFT } else { 0 };
                strokes.push(Stroke::Event(event("keyDown", &key, modifiers)));
                strokes.push(Stroke::Event(event("keyUp", &key, modifiers)));
            }
            // The same road as the keys, so that the order holds in one burst; `insertText` has another.
            None => strokes.push(Stroke::Event(json!({"type": "char", "text": c, "key": c, "unmodifiedText": c}))),
        }
        strokes.push(Stroke::Pause);
    }
    send(page, strokes, delay).await
}

/// Presses a key or chord where the focus is.
pub(super) async fn press(page: &Shared, source: &str, delay: Option<Duration>) -> Result<(), PageError> {
    let (held, key) = chord(source)?;
    let mut strokes = Vec::new();
    let mut modifiers = 0;
    for one in &held {
        modifiers |= one.modifier;
        strokes.push(Stroke::Event(event("rawKeyDown", one, modifiers)));
    }
    // With a command modifier held it writes nothing, and is a key like all others.
    if key.code.is_empty() && key.text.is_some() {
        strokes.push(Stroke::Event(json!({"type": "char", "text": key.text, "key": key.key})));
    } else {
        strokes.push(Stroke::Event(event(if key.text.is_some() { "keyDown" } else { "rawKeyDown" }, &key, modifiers)));
        strokes.push(Stroke::Pause);
        strokes.push(Stroke::Event(event("keyUp", &key, modifiers)));
    }
    for one in held.iter().rev() {
        modifiers &= !one.modifier;
        strokes.push(Stroke::Event(event("keyUp", one, modifiers)));
    }
    send(page, strokes, delay).await
}

/// Puts `text` in at the selection, as an input method would.
pub(super) async fn insert(page: &Shared, text: &str) -> Result<(), PageError> {
    let _turn = page.input.lock().await;
    page.target.cdp().call(rpc::<Ack>("Input.insertText", json!({"text": text}))).await?;
    Ok(())
}

/// Reads a chord without pressing it, so that a mistake is told before anything is waited for.
pub fn check(source: &str) -> Result<(), PageError> {
    chord(source).map(|_| ())
}

async fn send(page: &Shared, strokes: Vec<Stroke>, delay: Option<Duration>) -> Result<(), PageError> {
    let _turn = page.input.lock().await;
    let cdp = page.target.cdp();
    let mut sent = Vec::new();
    for stroke in strokes {
        match (stroke, delay) {
            (Stroke::Event(event), _) => sent.push(cdp.send(rpc::<Ack>("Input.dispatchKeyEvent", event))),
            // The one pause that a script asks for by name.
            (Stroke::Pause, Some(delay)) => tokio::time::sleep(delay).await,
            (Stroke::Pause, None) => {}
        }
    }
    for answer in futures_util::future::join_all(sent).await {
        answer?;
    }
    Ok(())
}

fn needs_shift(key: &Key) -> bool {
    key.key.chars().all(|c| c.is_ascii_uppercase() || "~!@#$%^&*()_+{}|:\"<>?".contains(c))
}

fn event(kind: &str, key: &Key, modifiers: i64) -> Value {
    let mut event = json!({
        "type": kind, "modifiers": modifiers, "key": key.key, "code": key.code,
        "windowsVirtualKeyCode": key.key_code, "nativeVirtualKeyCode": key.key_code, "location": key.location,
        "isKeypad": key.location == 3,
    });
    if kind == "keyDown"
        && let Some(text) = &key.text
    {
        event["text"] = Value::from(text.as_str());
        event["unmodifiedText"] = Value::from(text.as_str());
    }
    event
}
