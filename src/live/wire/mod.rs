//! What a live browser and its viewers say to each other: the one contract between the engine, the socket that carries it and the
//! page that draws it.
//!
//! Text frames are JSON objects whose `type` names the message: [`ToViewer`] out, [`FromViewer`] in. Binary frames go out only and are
//! pictures: a [`FrameHead`] of 20 bytes, then the picture. Coordinates and sizes are CSS pixels of the remote viewport, whose size
//! every picture tells. Unknown fields are passed over on both sides, so that fields may be added; `hello` tells the [`VERSION`].
//!
//! The rules: a viewer gets the next picture once it has sent `ack` for the last (on a far link two may be under way at once; `ack` of one
//! is of those before it too), and always the newest there is.
//! Only the viewer that is in control steers; what others send that would steer is answered by `error` with the code
//! `not_in_control`. `ack`, `visible`, `ping`, `take_control` and `release_control` are for everybody.

mod frame;
mod from_viewer;
mod to_viewer;

use serde::{Deserialize, Serialize};

pub use frame::{Format, FrameHead};
pub use from_viewer::{File, FromViewer, ImeKind, Key, KeyKind, Mouse, MouseKind, TouchKind, TouchPoint};
pub use to_viewer::{
    Caret, Choice, Dialog, DialogKind, Download, DownloadState, Picker, PickerKind, Rect, Tab, ToViewer, WarningKind,
};

/// The version of this protocol.
pub const VERSION: u32 = 1;

/// The most bytes that the files of one `files` message may have together, before base64.
pub const MOST_FILE_BYTES: usize = 32 << 20;

/// The most bytes of `text`, `paste`, an address or an answer to a dialog.
pub const MOST_TEXT_BYTES: usize = 1 << 20;

/// Bits of `modifiers`, as CDP has them. What a viewer's Meta means (macOS) is the engine's business: send it as it is.
pub mod modifiers {
    /// Alt, or Option.
    pub const ALT: u8 = 1;
    /// Control.
    pub const CTRL: u8 = 2;
    /// Meta: Command, or the Windows key.
    pub const META: u8 = 4;
    /// Shift.
    pub const SHIFT: u8 = 8;
}

/// What a viewer may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look on.
    View,
    /// Look on, and steer when in control.
    Control,
}
