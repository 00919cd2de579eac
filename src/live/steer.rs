//! What who is in control does, on its way to the tab in front.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::browser::RawEvent;

use super::engine::Engine;
use super::hands::{Act, World};
use super::keys;
use super::rpc::rpc;
use super::wire::{FromViewer, ImeKind, KeyKind, MOST_TEXT_BYTES, Mouse, MouseKind, ToViewer, TouchKind, TouchPoint};

/// How long after the page took the keys what was copied may still come.
const COPY_GRACE: Duration = Duration::from_millis(300);

/// How long after a press what the page copies is taken for what that press was for: as long as Chromium lets a page copy after one.
const COPY_WITHIN: Duration = Duration::from_secs(5);

/// No wheel turns further at once.
const FARTHEST: f64 = 10_000.0;

impl Engine {
    pub(super) fn steer(&mut self, viewer: u32, message: FromViewer) {
        if is_press(&message) {
            self.pressed = Some((viewer, Instant::now()));
        }
        match message {
            FromViewer::Mouse(mouse) => self.mouse(&mouse),
            FromViewer::Wheel { x, y, dx, dy, modifiers } => self.wheel((x, y), (dx, dy), modifiers),
            FromViewer::Key(key) if key.key == "Escape" && self.drag.is_some() => {
                self.send_drag("dragCancel", 0);
                self.drag = None;
            }
            FromViewer::Key(key) => self.send("Input.dispatchKeyEvent", keys::event(&key)),
            FromViewer::Text { text } => self.send("Input.insertText", json!({"text": text})),
            FromViewer::Ime { kind, text, start, end } => self.ime(kind, &text, start, end),
            FromViewer::Touch { kind, points } => self.touch(kind, &points),
            FromViewer::Paste { text } => self.paste(text),
            FromViewer::Copy {} => self.copy(viewer, 'c'),
            FromViewer::Cut {} => self.copy(viewer, 'x'),
            FromViewer::DialogAnswer { id, accept, text } => self.answer_dialog(id, accept, text.as_deref()),
            FromViewer::Pick { id, values } => self.pick(id, &values),
            FromViewer::PickCancel { id } => self.unpick(id),
            FromViewer::Files { id, files } => self.files(viewer, id, files),
            FromViewer::Resize { width, height } => self.resize(width, height),
            FromViewer::Done {} => self.done(),
            FromViewer::Bookmark {} => self.bookmark(viewer),
            FromViewer::SavePassword { id, accept } => self.answer_offer(viewer, id, accept),
            other => self.go(viewer, other),
        }
    }

    /// A command for the tab in front, behind what was done before.
    fn send(&self, method: &'static str, params: Value) {
        if let Some(tab) = self.active_tab() {
            self.hands.act(Act::Send(tab.cdp.clone(), method, params));
        }
    }

    /// A point in the viewport: what is beyond belongs to nobody.
    fn inside(&self, x: f64, y: f64) -> (f64, f64) {
        let clamp = |value: f64, most: u32| if value.is_finite() { value.clamp(0.0, f64::from(most)) } else { 0.0 };
        (clamp(x, self.options.width), clamp(y, self.options.height))
    }

    fn mouse(&mut self, mouse: &Mouse) {
        let (x, y) = self.inside(mouse.x, mouse.y);
        self.mouse = (x, y);
        if self.drag.is_some() {
            return self.dragged(mouse);
        }
        let Some(tab) = self.active_tab() else { return };
        let (kind, button) = match mouse.kind {
            MouseKind::Move => ("mouseMoved", held(mouse.buttons)),
            MouseKind::Down => ("mousePressed", named(mouse.button)),
            MouseKind::Up => ("mouseReleased", named(mouse.button)),
        };
        let clicks = if mouse.kind == MouseKind::Move { 0 } else { mouse.clicks.clamp(1, 3) };
        let params = json!({
            "type": kind, "x": x, "y": y, "button": button, "buttons": mouse.buttons & 31, "clickCount": clicks,
            "modifiers": keys::native(mouse.modifiers), "pointerType": "mouse",
        });
        let cdp = tab.cdp.clone();
        self.hands.act(match mouse.kind {
            MouseKind::Move => Act::Move(cdp, "Input.dispatchMouseEvent", params),
            _ => Act::Send(cdp, "Input.dispatchMouseEvent", params),
        });
    }

    /// Takes `Input.dragIntercepted`: from here on the mouse drags something.
    pub(super) fn drag_began(&mut self, tab: u32, event: &RawEvent) {
        let Ok(mut params) = serde_json::from_str::<Value>(event.params.get()) else { return };
        if tab == self.active {
            self.drag = Some(params["data"].take());
            self.send_drag("dragEnter", 0);
        }
    }

    /// What is dragged follows the mouse, until it is let go.
    fn dragged(&mut self, mouse: &Mouse) {
        match mouse.kind {
            MouseKind::Move => self.send_drag("dragOver", mouse.modifiers),
            MouseKind::Down => {}
            MouseKind::Up => {
                // Once more: where it was let go may not have been told yet.
                self.send_drag("dragOver", mouse.modifiers);
                self.send_drag("drop", mouse.modifiers);
                self.drag = None;
            }
        }
    }

    fn send_drag(&self, kind: &str, modifiers: u8) {
        let ((x, y), modifiers) = (self.mouse, keys::native(modifiers));
        let params = json!({"type": kind, "x": x, "y": y, "data": self.drag, "modifiers": modifiers});
        let Some(cdp) = self.active_tab().map(|tab| tab.cdp.clone()) else { return };
        let method = "Input.dispatchDragEvent";
        self.hands.act(if kind == "dragOver" {
            Act::Move(cdp, method, params)
        } else {
            Act::Send(cdp, method, params)
        });
    }

    /// Lets go of what is held in the tab in front: who held it has left or steers no more, or it is in front no more.
    pub(super) fn let_go(&mut self) {
        if self.drag.is_some() {
            self.send_drag("dragCancel", 0);
            self.drag = None;
        }
        self.hands.act(Act::LetGo);
    }

    fn wheel(&mut self, at: (f64, f64), by: (f64, f64), modifiers: u8) {
        let (x, y) = self.inside(at.0, at.1);
        self.mouse = (x, y);
        let Some(tab) = self.active_tab() else { return };
        let bounded = |value: f64| if value.is_finite() { value.clamp(-FARTHEST, FARTHEST) } else { 0.0 };
        let params = json!({
            "type": "mouseWheel", "x": x, "y": y, "modifiers": keys::native(modifiers), "pointerType": "mouse",
        });
        self.hands.act(Act::Wheel(tab.cdp.clone(), params, (bounded(by.0), bounded(by.1))));
    }

    fn ime(&self, kind: ImeKind, text: &str, start: u32, end: u32) {
        match kind {
            ImeKind::Compose => {
                let params = json!({"text": text, "selectionStart": start, "selectionEnd": end});
                self.send("Input.imeSetComposition", params);
            }
            ImeKind::Commit => self.send("Input.insertText", json!({"text": text})),
            ImeKind::Cancel => {
                let params = json!({"text": "", "selectionStart": 0, "selectionEnd": 0});
                self.send("Input.imeSetComposition", params);
            }
        }
    }

    fn touch(&mut self, kind: TouchKind, points: &[TouchPoint]) {
        let points = &points[..points.len().min(16)];
        // Chromium tells what has changed by itself: one of several that is lifted is one that is no more among them.
        let kind = match kind {
            TouchKind::Start if !points.is_empty() => "touchStart",
            TouchKind::Move | TouchKind::End if !points.is_empty() => "touchMove",
            TouchKind::Start | TouchKind::Move => return,
            TouchKind::End => "touchEnd",
            TouchKind::Cancel => "touchCancel",
        };
        let point = |point: &TouchPoint| {
            let (x, y) = self.inside(point.x, point.y);
            let (rx, ry) = (point.rx.clamp(0.0, 1000.0), point.ry.clamp(0.0, 1000.0));
            json!({"x": x, "y": y, "id": point.id, "radiusX": rx, "radiusY": ry, "force": point.force.clamp(0.0, 1.0)})
        };
        let points: Vec<Value> = if kind == "touchCancel" { Vec::new() } else { points.iter().map(point).collect() };
        self.send("Input.dispatchTouchEvent", json!({"type": kind, "touchPoints": points}));
    }

    /// Our worlds in the documents of the tab in front.
    pub(super) fn worlds_in_front(&self) -> Vec<World> {
        self.worlds.iter().filter(|(tab, _)| *tab == self.active).map(|(_, world)| world.clone()).collect()
    }

    fn paste(&self, text: String) {
        if let Some(tab) = self.active_tab() {
            self.hands.act(Act::Paste(tab.cdp.clone(), text, self.worlds_in_front()));
        }
    }

    /// Copies or cuts as a person does; the page's answer comes as [`Engine::copied`].
    fn copy(&mut self, viewer: u32, letter: char) {
        let Some(cdp) = self.active_tab().map(|tab| tab.cdp.clone()) else { return };
        let (done, taken) = oneshot::channel();
        self.hands.act(Act::Shortcut(cdp, letter, done));
        let copy = self.number();
        self.copying = Some((viewer, copy));
        let orders = self.orders.clone();
        tokio::spawn(async move {
            let _ = taken.await;
            // The two ways from the page are not ordered.
            tokio::time::sleep(COPY_GRACE).await;
            // Nothing was selected, or it is a password.
            orders.then(move |engine| {
                if engine.copying.is_some_and(|(_, waiting)| waiting == copy) {
                    engine.copied(String::new());
                }
            });
        });
    }

    /// The page says what was copied: to who asked for it, or, where a button of the page did it, to who has just pressed that. One
    /// press is good for one text, so that a page puts nothing on anybody's clipboard by itself.
    pub(super) fn copied(&mut self, text: String) {
        let asked = self.copying.take().map(|(viewer, _)| viewer);
        let fresh = |(viewer, at): (u32, Instant)| (at.elapsed() < COPY_WITHIN).then_some(viewer);
        let holder = self.holder;
        let to = asked.or_else(|| self.pressed.take().and_then(fresh).filter(|viewer| holder == Some(*viewer)));
        if let Some(viewer) = to.filter(|_| text.len() <= MOST_TEXT_BYTES) {
            self.tell_one(viewer, ToViewer::Clipboard { text });
        }
    }

    fn resize(&mut self, width: u32, height: u32) {
        let (width, height) = within(width.clamp(100, 4096), height.clamp(100, 4096), self.options.most_pixels);
        if (width, height) == (self.options.width, self.options.height) {
            return;
        }
        (self.options.width, self.options.height) = (width, height);
        self.tabs.iter().for_each(|tab| self.fit(tab));
        self.sync_cast();
    }

    /// A command for the tab in front that nothing has to wait for.
    pub(super) fn post(&self, method: &'static str, params: Value) {
        if let Some(tab) = self.active_tab() {
            tab.cdp.send(rpc(method, params)).forget();
        }
    }
}

/// A size in the same shape that has no more than so many pixels.
fn within(width: u32, height: u32, most_pixels: u32) -> (u32, u32) {
    let pixels = width.saturating_mul(height);
    if pixels <= most_pixels {
        return (width, height);
    }
    let by = (f64::from(most_pixels) / f64::from(pixels)).sqrt();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "smaller than what it is made of")]
    let less = |side: u32| (f64::from(side) * by) as u32;
    (less(width).max(1), less(height).max(1))
}

/// Whether it is a press of something, and not only a move over it.
fn is_press(message: &FromViewer) -> bool {
    match message {
        FromViewer::Mouse(mouse) => mouse.kind != MouseKind::Move,
        FromViewer::Key(key) => key.kind == KeyKind::Down,
        FromViewer::Touch { kind, .. } => *kind != TouchKind::Move,
        FromViewer::Copy {} | FromViewer::Cut {} => true,
        _ => false,
    }
}

/// A button, by the DOM's number.
fn named(button: i8) -> &'static str {
    match button {
        0 => "left",
        1 => "middle",
        2 => "right",
        3 => "back",
        4 => "forward",
        _ => "none",
    }
}

/// The first of those that are down, by the DOM's bits.
fn held(buttons: u8) -> &'static str {
    const BITS: [(u8, i8); 5] = [(1, 0), (2, 2), (4, 1), (8, 3), (16, 4)];
    BITS.iter().find(|(bit, _)| buttons & bit != 0).map_or("none", |(_, button)| named(*button))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_size_that_is_too_large_becomes_smaller_in_its_shape() {
        let most = 1920 * 1080;
        assert_eq!(within(1920, 1080, most), (1920, 1080));
        let (width, height) = within(2560, 1300, most);
        assert!(width * height <= most && width * height > most - width - height, "{width} x {height}");
        assert!((f64::from(width) / f64::from(height) - 2560.0 / 1300.0).abs() < 0.01, "{width} x {height}");
    }
}
