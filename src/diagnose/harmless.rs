//! Events and failures whose texts cannot steer a terminal: pages write into them. Pure.

use super::visible::visible;
use crate::run::{Event, Failure};

/// `event` with control characters written out in what people read. An emitted value is data and stays as it is.
pub fn harmless(event: Event) -> Event {
    match event {
        Event::Print { text: line } => Event::Print { text: text(line) },
        Event::Log { text: line } => Event::Log { text: text(line) },
        Event::Notice { text: line } => Event::Notice { text: text(line) },
        Event::Verb { call, line } => Event::Verb { call: text(call), line },
        Event::StepStarted { name } => Event::StepStarted { name: text(name) },
        Event::StepEnded { name, millis, ok } => Event::StepEnded { name: text(name), millis, ok },
        Event::Pause { reason, url } => Event::Pause { reason: text(reason), url },
        same @ (Event::Emit { .. } | Event::SessionOpened { .. } | Event::Live { .. } | Event::PauseOver { .. }) => {
            same
        }
    }
}

/// `failure` with control characters written out, but for places, which name files.
pub(super) fn harmless_failure(failure: Failure) -> Failure {
    failure.map_texts(text)
}

fn text(text: String) -> String {
    match visible(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(changed) => changed,
    }
}
