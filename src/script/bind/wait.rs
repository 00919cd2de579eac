//! Waiting for the page.

use rhai::Dynamic;

use super::navigate::{load_state, options};
use super::{Answer, Call, Verb};
use crate::page::{LoadState, UrlPattern, WaitState};
use crate::script::pattern::Pattern;
use crate::script::{bridge, kind};

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("wait_for", wait_for),
    ("wait_for_url", wait_for_url),
    ("wait_for_load_state", wait_for_load_state),
    ("sleep", sleep),
];

fn wait_for(call: &Call) -> Answer {
    let deadline = call.deadline();
    let state = match call.options().text("state").as_deref() {
        Some("hidden") => WaitState::Hidden,
        Some("attached") => WaitState::Attached,
        Some("detached") => WaitState::Detached,
        _ => WaitState::Visible,
    };
    let locator = call.locator()?;
    call.wait(locator.wait_for(state, deadline)).map(Dynamic::from)
}

fn wait_for_url(call: &Call) -> Answer {
    let deadline = call.deadline();
    let pattern = call.arg("pattern").map_or_else(|| UrlPattern::Glob(String::new()), url_pattern);
    let page = call.page()?;
    call.wait(page.wait_for_url(&pattern, &options(call), deadline)).map(Dynamic::from)
}

/// A glob, or what `regex(..)` answered.
pub(super) fn url_pattern(value: &Dynamic) -> UrlPattern {
    let regex = value.read_lock::<Pattern>().map(|pattern| pattern.0.clone());
    regex.map_or_else(|| UrlPattern::Glob(kind::text(value)), UrlPattern::Regex)
}

fn wait_for_load_state(call: &Call) -> Answer {
    let deadline = call.deadline();
    let state = call.arg("state").map_or_else(LoadState::default, |word| load_state(&kind::text(word)));
    let page = call.page()?;
    call.wait(page.wait_for_load_state(state, deadline)).map(Dynamic::from)
}

fn sleep(call: &Call) -> Answer {
    let span = call.arg("time").map(kind::time).transpose()?.unwrap_or_default();
    bridge::wait(call.host, tokio::time::sleep(span)).map(Dynamic::from)
}
