//! Going somewhere.

use rhai::Dynamic;

use super::{Answer, Call, Verb};
use crate::page::{GotoOptions, LoadState};

pub(super) const VERBS: &[(&str, Verb)] =
    &[("goto", goto), ("reload", reload), ("go_back", go_back), ("url", url), ("title", title), ("content", content)];

fn goto(call: &Call) -> Answer {
    // The deadline begins with the call, so that a browser that is still starting counts.
    let deadline = call.deadline();
    let page = call.page()?;
    call.wait(page.goto(&call.text("url"), &options(call), deadline)).map(status)
}

fn reload(call: &Call) -> Answer {
    let page = call.page()?;
    call.wait(page.reload(&options(call), call.deadline())).map(status)
}

fn go_back(call: &Call) -> Answer {
    let page = call.page()?;
    call.wait(page.go_back(&options(call), call.deadline())).map(Dynamic::from)
}

fn url(call: &Call) -> Answer {
    let page = call.page()?;
    call.wait(page.url(call.deadline())).map(Dynamic::from)
}

fn title(call: &Call) -> Answer {
    let frame = call.page()?.main_frame();
    call.wait(frame.title(call.deadline())).map(Dynamic::from)
}

fn content(call: &Call) -> Answer {
    let frame = call.page()?.main_frame();
    call.wait(frame.content(call.deadline())).map(Dynamic::from)
}

/// `wait_until` and `referer`.
pub(super) fn options(call: &Call) -> GotoOptions {
    let options = call.options();
    let wait_until = options.text("wait_until").map_or_else(LoadState::default, |word| load_state(&word));
    GotoOptions { wait_until, referer: options.text("referer"), skip_status: false }
}

/// The state by its word; the table has checked it.
pub(super) fn load_state(word: &str) -> LoadState {
    match word {
        "commit" => LoadState::Commit,
        "domcontentloaded" => LoadState::DomContentLoaded,
        "networkidle" => LoadState::NetworkIdle,
        _ => LoadState::Load,
    }
}

fn status(status: Option<u16>) -> Dynamic {
    status.map_or(Dynamic::UNIT, |status| Dynamic::from(i64::from(status)))
}
