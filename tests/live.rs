//! Live browsers: a session that people watch and steer, against full Chromium.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where something is not as it says")]

#[path = "live/input.rs"]
mod input;
#[path = "live/outside.rs"]
mod outside;
#[path = "live/people.rs"]
mod people;
#[path = "live/pictures.rs"]
mod pictures;
#[path = "live/stage.rs"]
mod stage;
#[path = "live/tabs.rs"]
mod tabs;
