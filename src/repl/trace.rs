//! What the last input did: its verbs, how long each took, and the call log of the one that failed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::show_duration;
use crate::diagnose::{Style, Tone};
use crate::diagnose::{visible, visible_line};
use crate::run::{Event, Failure};

/// Verbs that are kept of one input.
const MOST: usize = 500;

/// Listens to a dialogue's events. Cheap to clone; the clones share what was heard.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    verbs: Vec<(Instant, String)>,
    /// Verbs beyond those kept.
    dropped: usize,
    began: Option<Instant>,
    took: Option<Duration>,
    failure: Option<(String, Vec<String>)>,
}

impl Trace {
    /// Hears an event.
    pub fn hear(&self, event: &Event) {
        let Event::Verb { call, .. } = event else { return };
        let mut state = self.state();
        if state.verbs.len() < MOST {
            state.verbs.push((Instant::now(), call.clone()));
        } else {
            state.dropped += 1;
        }
    }

    pub(super) fn begin(&self) {
        *self.state() = State { began: Some(Instant::now()), ..State::default() };
    }

    pub(super) fn end(&self, failure: Option<&Failure>) {
        let mut state = self.state();
        state.took = state.began.map(|began| began.elapsed());
        state.failure = failure.map(|failure| (failure.code.clone(), failure.log.clone()));
    }

    /// As text; ends without a newline.
    pub(super) fn show(&self, style: Style) -> String {
        let state = self.state();
        let (Some(began), Some(took)) = (state.began, state.took) else { return "nothing has run yet".to_owned() };
        let end = began + took;
        let mut lines: Vec<String> = Vec::new();
        for (index, (start, call)) in state.verbs.iter().enumerate() {
            let next = state.verbs.get(index + 1).map_or(end, |(next, _)| *next);
            let span = millis(next.saturating_duration_since(*start));
            lines.push(format!("{} {}", style.paint(Tone::Faint, &format!("{span:>8}")), visible_line(call)));
        }
        if state.dropped > 0 {
            lines.push(format!("         and {} more verbs", state.dropped));
        }
        if state.verbs.is_empty() {
            lines.push("no verbs".to_owned());
        }
        if let Some((code, log)) = &state.failure {
            lines.push(style.paint(Tone::Bad, &format!("ended with {code}")));
            lines.extend(log.iter().map(|line| format!("    {}", visible(line))));
        }
        lines.push(style.paint(Tone::Faint, &format!("{:>8} in all", millis(took))));
        lines.join("\n")
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(span: Duration) -> String {
    show_duration(Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_come_with_their_times() {
        let trace = Trace::default();
        assert_eq!(trace.show(Style::PLAIN), "nothing has run yet");
        trace.begin();
        trace.hear(&Event::Verb { call: "click(\"#a\")".into(), line: Some(1) });
        trace.end(None);
        let shown = trace.show(Style::PLAIN);
        assert!(shown.lines().next().unwrap().ends_with(" click(\"#a\")") && shown.ends_with(" in all"), "{shown}");
        trace.begin();
        trace.end(None);
        assert!(trace.show(Style::PLAIN).starts_with("no verbs"));
    }
}
