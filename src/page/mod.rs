//! Floor 2: verbs in plain async Rust on [`Page`], [`Frame`] and [`Locator`]: locate, actionability, act, wait, extract,
//! capture. Knows Chromium and the DOM; nothing of sessions, stores or scripts.

mod accessibility;
mod aria;
mod convert;
mod credentials;
mod css;
mod dialogs;
mod document;
mod emulation;
mod error;
mod evaluate;
mod events;
mod extract;
mod frame;
mod frames;
mod inner;
mod keyboard;
mod keys;
mod leaving;
mod locator;
mod log;
mod mouse;
mod navigation;
mod options;
mod outline;
#[allow(clippy::module_inception, reason = "the module is the floor, the file its first noun")]
mod page;
mod resolve;
mod role;
mod rpc;
mod schema;
mod screenshot;
mod scroll;
mod selector;
mod suggest;
mod tree;
mod upload;
mod verb;
mod world;

pub use credentials::Credentials;
pub use dialogs::{DialogEvent, OpenDialog};
pub use emulation::{Agent, Emulation, Geolocation, Screen};
pub use error::{PageError, VerbError};
pub use frame::Frame;
pub use keyboard::check as check_key;
pub use locator::Locator;
pub use log::CallLog;
pub use navigation::{check_glob, check_url};
pub use options::{
    ActionOptions, ClickOptions, Direction, GotoOptions, LoadState, ScreenshotOptions, ScrollOptions, Scrolled,
    SelectBy, TypeOptions, UrlPattern, WaitState,
};
pub use page::{Page, Suggestion};
pub use schema::Schema;
pub use selector::{Selector, SelectorError};
pub use upload::{InputFile, MOST_UPLOADED};
