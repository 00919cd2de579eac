//! What our script tells from the documents.

use serde::Deserialize;

use crate::base::Secret;
use crate::browser::{Cdp, RawEvent};

use super::engine::Engine;
use super::wire::{Caret, Choice, MOST_TEXT_BYTES, PickerKind, Rect, ToViewer};

/// The isolated world that the script runs in.
pub(super) const WORLD: &str = "rhaven-live";

/// How it tells us.
pub(super) const BINDING: &str = "__rhavenTell";

/// The script.
pub(super) const SCRIPT: &str =
    concat!(include_str!("injected/head.js"), include_str!("injected/pickers.js"), include_str!("injected/told.js"));

/// What of it is in the pages' own world.
pub(super) const PAGE_SCRIPT: &str = include_str!("injected/page.js");

/// Longer texts are nothing that viewers could use.
const LONGEST: usize = 300;

/// What a page has our script tell is no more than this, in bytes; else it is not listened to.
const LARGEST: usize = 4 * MOST_TEXT_BYTES;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called {
    name: String,
    payload: String,
    execution_context_id: i64,
}

/// Where something is in its document.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Place {
    rect: Option<Rect>,
    /// Whether `rect` is in the viewport; else it is in the frame.
    known: bool,
    /// Where the pointer is in the frame.
    pointer: Option<Point>,
}

#[derive(Deserialize, Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

/// A picker that is to be drawn.
#[derive(Deserialize)]
pub(super) struct Wanted {
    pub kind: PickerKind,
    pub token: u32,
    pub value: String,
    #[serde(default)]
    pub options: Vec<Choice>,
    pub min: Option<String>,
    pub max: Option<String>,
    pub step: Option<String>,
    #[serde(flatten)]
    pub place: Place,
}

/// What is told.
#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Told {
    /// The world is ready.
    Here,
    Title {
        title: String,
        icon: String,
    },
    Cursor {
        cursor: String,
    },
    Caret {
        #[serde(default)]
        mode: String,
        #[serde(default)]
        password: bool,
        #[serde(flatten)]
        place: Place,
    },
    Picker(Wanted),
    Unpicked {
        token: u32,
    },
    Copied {
        text: String,
    },
    Password {
        origin: String,
        username: String,
        password: String,
    },
}

impl Engine {
    /// Takes `Runtime.bindingCalled`.
    pub(super) fn heard(&mut self, tab: u32, cdp: &Cdp, event: &RawEvent) {
        let Some(called) = event.decode::<Called>().filter(|called| called.name == BINDING) else { return };
        let world = (cdp.clone(), called.execution_context_id);
        if called.payload.len() > LARGEST {
            return;
        }
        let Ok(told) = serde_json::from_str::<Told>(&called.payload) else { return };
        let is_front = tab == self.active;
        match told {
            Told::Here => self.worlds.push((tab, world)),
            Told::Title { title, icon } => self.titled(tab, &title, &icon),
            Told::Cursor { cursor } if is_front && cursor != self.cursor => {
                self.cursor.clone_from(&cursor);
                self.tell(&ToViewer::Cursor { cursor });
            }
            Told::Caret { mode, password, place } if is_front => {
                let rect = self.placed_at(&place);
                self.set_caret(rect.map(|rect| Caret { rect, mode, password }));
            }
            Told::Picker(wanted) if is_front => self.open_picker(world, wanted),
            Told::Unpicked { token } => self.picker_gone(&world, token),
            Told::Copied { text } if is_front && text.len() <= MOST_TEXT_BYTES => self.copied(text),
            Told::Password { origin, username, password } => {
                self.offer(origin, username, Secret::new("password", password));
            }
            Told::Cursor { .. } | Told::Caret { .. } | Told::Picker(_) | Told::Copied { .. } => {}
        }
    }

    /// Where that is in the viewport: a frame of another site does not know where it is itself, but where in it the pointer is.
    pub(super) fn placed_at(&self, place: &Place) -> Option<Rect> {
        let mut rect = place.rect?;
        if !place.known
            && let Some(pointer) = place.pointer
        {
            rect.x += self.mouse.0 - pointer.x;
            rect.y += self.mouse.1 - pointer.y;
        }
        Some(rect)
    }

    pub(super) fn set_caret(&mut self, caret: Option<Caret>) {
        if caret != self.caret {
            self.caret.clone_from(&caret);
            self.tell(&ToViewer::Caret { at: caret });
        }
    }

    fn titled(&mut self, tab: u32, title: &str, icon: &str) {
        let Some(tab) = self.tabs.iter_mut().find(|known| known.id == tab) else { return };
        tab.title = shortened(title);
        let id = tab.id;
        self.look_for_icon(id, icon);
        self.tell_tabs();
    }
}

/// A title, as long as anybody reads.
pub(super) fn shortened(title: &str) -> String {
    title.chars().take(LONGEST).collect()
}
