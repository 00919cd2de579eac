//! The page floor against real Chromium: finding, waiting, clicking, typing, navigating, reading.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where something is not as it says")]

#[path = "page/support.rs"]
mod support;

#[path = "page/aria.rs"]
mod aria;
#[path = "page/clicks.rs"]
mod clicks;
#[path = "page/documents.rs"]
mod documents;
#[path = "page/fields.rs"]
mod fields;
#[path = "page/finding.rs"]
mod finding;
#[path = "page/giving_up.rs"]
mod giving_up;
#[path = "page/navigation.rs"]
mod navigation;
#[path = "page/reading.rs"]
mod reading;
#[path = "page/scrolling.rs"]
mod scrolling;
#[path = "page/suggest.rs"]
mod suggest;
#[path = "page/upload.rs"]
mod upload;
