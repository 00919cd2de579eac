//! Floor 4: a session that people watch and steer while it runs: pictures of the tab in front, what people do in it, dialogs,
//! pickers, downloads, the clipboard, who is in control.
//!
//! Knows sessions and pages, not HTTP and not Rhai: what carries the messages of [`wire`] is a floor further up.

mod address;
mod cast;
mod dialogs;
mod downloads;
mod engine;
mod folder;
mod handle;
mod hands;
mod held;
mod history;
mod icons;
mod keep;
mod keys;
mod mailbox;
mod pause;
mod people;
mod pickers;
mod rpc;
mod steer;
mod tabs;
mod told;
mod undo;
mod uploads;
mod viewer;
pub mod wire;

pub use handle::{Activity, Downloaded, Live, LiveOptions};
pub use mailbox::Sent;
pub use pause::{Pause, Paused};
pub use viewer::Viewer;
