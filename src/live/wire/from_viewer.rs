//! What viewers say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A message from a viewer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromViewer {
    /// The picture with this number, and those before it, are drawn: the next one, please.
    Ack {
        /// Its number.
        frame: u32,
    },
    /// The mouse.
    Mouse(Mouse),
    /// The wheel. Distances in CSS pixels, positive is down and right.
    Wheel {
        /// Where the pointer is.
        x: f64,
        /// See `x`.
        y: f64,
        /// Sideways.
        dx: f64,
        /// Downwards.
        dy: f64,
        /// See [`modifiers`](super::modifiers).
        #[serde(default)]
        modifiers: u8,
    },
    /// A key.
    Key(Key),
    /// Text as if typed, for keyboards that tell of no keys.
    Text {
        /// The text.
        text: String,
    },
    /// An input method at work.
    Ime {
        /// What it does.
        kind: ImeKind,
        /// What is composed, or committed.
        #[serde(default)]
        text: String,
        /// The selection in `text`, in UTF-16 units.
        #[serde(default)]
        start: u32,
        /// Its end.
        #[serde(default)]
        end: u32,
    },
    /// Fingers.
    Touch {
        /// What they do.
        kind: TouchKind,
        /// All that are on the screen after it; for `end` and `cancel` none or those that are left.
        points: Vec<TouchPoint>,
    },
    /// Paste this text.
    Paste {
        /// The text.
        text: String,
    },
    /// Copy what is selected; answered by `clipboard`.
    Copy {},
    /// Cut what is selected; answered by `clipboard`.
    Cut {},
    /// Take a tab to an address: `http:`, `https:`, `data:` and `about:blank`; without a scheme `https:` is meant.
    Navigate {
        /// The address.
        url: String,
        /// Which tab; none for the active one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tab: Option<u32>,
    },
    /// One page back.
    Back {},
    /// One page forward.
    Forward {},
    /// Load the page again.
    Reload {},
    /// Stop loading.
    Stop {},
    /// A new tab, which becomes the active one.
    TabNew {
        /// Its address; none for an empty one.
        #[serde(default)]
        url: Option<String>,
    },
    /// Close a tab, as a person would: a page may ask before it goes.
    TabClose {
        /// Which.
        id: u32,
    },
    /// Make a tab the active one.
    TabSelect {
        /// Which.
        id: u32,
    },
    /// Answer a dialog.
    DialogAnswer {
        /// Which.
        id: u32,
        /// OK, or Cancel.
        accept: bool,
        /// What was put into a prompt.
        #[serde(default)]
        text: Option<String>,
    },
    /// Choose.
    Pick {
        /// Which picker.
        id: u32,
        /// The values; one unless the picker is `multiple`. An empty text clears a date.
        values: Vec<String>,
    },
    /// Choose nothing.
    PickCancel {
        /// Which picker.
        id: u32,
    },
    /// The files for a picker of the kind `file`.
    Files {
        /// Which picker.
        id: u32,
        /// The files, of [`MOST_FILE_BYTES`](super::MOST_FILE_BYTES) together at most.
        files: Vec<File>,
    },
    /// Be the one in control, from whoever is.
    TakeControl {},
    /// Leave control to others.
    ReleaseControl {},
    /// The size that the viewport should have.
    Resize {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// Whether the viewer's page can be seen; pictures come only while it can.
    Visible {
        /// Whether it can.
        visible: bool,
    },
    /// What a script waited for is done.
    Done {},
    /// Bookmark the page of the active tab, or take its bookmark away.
    Bookmark {},
    /// The answer to `password_offer`.
    SavePassword {
        /// Which offer.
        id: u32,
        /// Whether to keep it.
        accept: bool,
    },
    /// Answered by `pong`.
    Ping {
        /// Anything; comes back.
        t: f64,
        /// Whether a person asked for it: that is doing something.
        #[serde(default)]
        active: bool,
    },
}

impl fmt::Debug for FromViewer {
    /// Only which kind: what people type is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = serde_json::to_value(self).unwrap_or_default();
        write!(f, "FromViewer({})", whole["type"].as_str().unwrap_or("?"))
    }
}

/// What the mouse does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mouse {
    /// Moves, or a button goes down or up.
    pub kind: MouseKind,
    /// Where.
    pub x: f64,
    /// See `x`.
    pub y: f64,
    /// The button that goes down or up: 0 left, 1 middle, 2 right, 3 back, 4 forward, as the DOM has it.
    #[serde(default)]
    pub button: i8,
    /// All that are down after it, as the DOM's bits.
    #[serde(default)]
    pub buttons: u8,
    /// How many clicks one after the other this is.
    #[serde(default)]
    pub clicks: u8,
    /// See [`modifiers`](super::modifiers).
    #[serde(default)]
    pub modifiers: u8,
}

/// What the mouse does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MouseKind {
    /// It moves.
    Move,
    /// A button goes down.
    Down,
    /// A button goes up.
    Up,
}

/// A key, as the DOM's `KeyboardEvent` tells it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Down or up.
    pub kind: KeyKind,
    /// `key` of the event.
    pub key: String,
    /// `code` of the event; may be empty.
    #[serde(default)]
    pub code: String,
    /// What it types; none where it types nothing. Left out for a printable `key` without Ctrl, Alt and Meta, it is `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Which of two: 0 either, 1 left, 2 right, 3 keypad.
    #[serde(default)]
    pub location: u8,
    /// Whether it is held down.
    #[serde(default)]
    pub repeat: bool,
    /// See [`modifiers`](super::modifiers).
    #[serde(default)]
    pub modifiers: u8,
}

/// Down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Down.
    Down,
    /// Up.
    Up,
}

/// What an input method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImeKind {
    /// It shows a text that may still change.
    Compose,
    /// The text is final.
    Commit,
    /// It takes the text back.
    Cancel,
}

/// What fingers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TouchKind {
    /// One comes down.
    Start,
    /// They move.
    Move,
    /// One is lifted.
    End,
    /// The gesture is taken back.
    Cancel,
}

/// A finger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TouchPoint {
    /// Where.
    pub x: f64,
    /// See `x`.
    pub y: f64,
    /// Which finger.
    pub id: i32,
    /// Its radius sideways.
    #[serde(default = "one")]
    pub rx: f64,
    /// Its radius up and down.
    #[serde(default = "one")]
    pub ry: f64,
    /// How hard, 0 to 1.
    #[serde(default = "one")]
    pub force: f64,
}

fn one() -> f64 {
    1.0
}

/// A file of the viewer's machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name; folders in it are passed over.
    pub name: String,
    /// Its MIME type; Chromium goes by the name.
    #[serde(rename = "type", default)]
    pub mime: String,
    /// What is in it, in base64.
    pub content: String,
}
