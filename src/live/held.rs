//! What is held down: buttons, keys, fingers. Whoever held it may leave; then it is let go, or the page would go on as if it were held.

use serde_json::{Value, json};

use crate::browser::Cdp;

use super::rpc::rpc;

const MOUSE: &str = "Input.dispatchMouseEvent";
const KEY: &str = "Input.dispatchKeyEvent";
const TOUCH: &str = "Input.dispatchTouchEvent";
const DRAG: &str = "Input.dispatchDragEvent";

/// Nobody has more hands than that.
const MOST: usize = 64;

/// All that is held down.
#[derive(Default)]
pub(super) struct Held(Vec<One>);

struct One {
    cdp: Cdp,
    method: &'static str,
    name: String,
    /// What lets it go.
    release: Value,
}

impl Held {
    /// Whether a command lets go of something that is held.
    pub fn has(&self, cdp: &Cdp, method: &str, params: &Value) -> bool {
        lets_go(method, params) && self.0.iter().any(|one| one.is(cdp, method, &name(method, params)))
    }

    /// Takes note of a command that goes out; whether it lets go of something that was held.
    pub fn note(&mut self, cdp: &Cdp, method: &'static str, params: &Value) -> bool {
        if method == DRAG && matches!(kind(params), "drop" | "dragCancel") {
            // What is dragged is let go with that, and no button besides.
            self.0.retain(|one| one.method != MOUSE);
            return false;
        }
        if method == MOUSE {
            self.moved(cdp, params);
        }
        let (name, before) = (name(method, params), self.0.len());
        let release = release(method, params);
        if release.is_some() || lets_go(method, params) {
            self.0.retain(|one| !one.is(cdp, method, &name));
        }
        let was_held = self.0.len() < before;
        if let Some(release) = release.filter(|_| self.0.len() < MOST) {
            self.0.push(One { cdp: cdp.clone(), method, name, release });
        }
        was_held
    }

    /// The mouse is elsewhere: that is where its buttons would be let go.
    pub fn moved(&mut self, cdp: &Cdp, params: &Value) {
        for one in &mut self.0 {
            if one.method == MOUSE && one.cdp.session_id() == cdp.session_id() {
                one.release["x"] = params["x"].clone();
                one.release["y"] = params["y"].clone();
            }
        }
    }

    /// Lets go of everything.
    pub fn let_go(&mut self) {
        for One { cdp, method, release, .. } in self.0.drain(..) {
            cdp.send(rpc(method, release)).forget();
        }
    }
}

impl One {
    fn is(&self, cdp: &Cdp, method: &str, name: &str) -> bool {
        self.method == method && self.name == name && self.cdp.session_id() == cdp.session_id()
    }
}

/// Whether a command lets go of something.
pub(super) fn lets_go(method: &str, params: &Value) -> bool {
    matches!(
        (method, kind(params)),
        (MOUSE, "mouseReleased") | (KEY, "keyUp") | (TOUCH, "touchEnd" | "touchCancel") | (DRAG, "drop" | "dragCancel")
    )
}

fn kind(params: &Value) -> &str {
    params["type"].as_str().unwrap_or_default()
}

/// What a command presses or lets go.
fn name(method: &str, params: &Value) -> String {
    let text = |name: &str| params[name].as_str().filter(|text| !text.is_empty());
    let name = match method {
        MOUSE => text("button"),
        // A key may have another name once Shift is up.
        KEY => text("code").or(text("key")),
        _ => None,
    };
    name.unwrap_or_default().chars().take(40).collect()
}

/// What lets go of what a command presses; none where it presses nothing.
fn release(method: &str, params: &Value) -> Option<Value> {
    match (method, kind(params)) {
        (MOUSE, "mousePressed") => {
            let mut release = params.clone();
            release["type"] = "mouseReleased".into();
            release["buttons"] = 0.into();
            release["modifiers"] = 0.into();
            Some(release)
        }
        (KEY, "keyDown" | "rawKeyDown") => {
            let mut release = json!({"type": "keyUp", "modifiers": 0});
            for name in ["key", "code", "location", "isKeypad", "windowsVirtualKeyCode", "nativeVirtualKeyCode"] {
                release[name] = params[name].clone();
            }
            Some(release)
        }
        (TOUCH, "touchStart") => Some(json!({"type": "touchCancel", "touchPoints": []})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pressed_is_let_go_by_its_own_command() {
        let down = json!({"type": "keyDown", "key": "A", "code": "KeyA", "text": "A", "modifiers": 8, "location": 0,
            "isKeypad": false, "windowsVirtualKeyCode": 65, "nativeVirtualKeyCode": 65});
        let up = release(KEY, &down).unwrap();
        assert_eq!((&up["type"], &up["code"], &up["text"]), (&json!("keyUp"), &json!("KeyA"), &Value::Null));
        assert!(lets_go(KEY, &up) && !lets_go(KEY, &down));
        assert_eq!(name(KEY, &up), name(KEY, &down));
        let press = json!({"type": "mousePressed", "button": "left", "x": 1, "y": 2, "buttons": 1, "clickCount": 1});
        let up = release(MOUSE, &press).unwrap();
        assert_eq!(
            (&up["type"], &up["buttons"], name(MOUSE, &up)),
            (&json!("mouseReleased"), &json!(0), "left".to_owned())
        );
        assert_eq!(release(MOUSE, &json!({"type": "mouseMoved"})), None);
    }
}
