//! Floor 4: a session that people watch and steer while it runs: pictures of the tab in front, what people do in it, dialogs,
//! pickers, downloads, the clipboard, who is in control.
//!
//! Knows sessions and pages, not HTTP and not Rhai: what carries the messages of [`wire`] is a floor further up.

pub mod wire;
