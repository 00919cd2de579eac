//! What a run tells while it goes: lines on stderr for people, emitted values on stdout for programs.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::terminal::Terminal;
use crate::base::show_duration;
use crate::diagnose::{Tone, harmless};
use crate::run::Event;

/// Shows events as they come. Cheap to clone; the clones share what was emitted.
#[derive(Clone)]
pub(super) struct Events {
    terminal: Terminal,
    /// Ends the run where stdout's reader has gone: nobody wants the rest.
    cancel: CancellationToken,
    /// Whether emitted values wait for a document at the end.
    keeps: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How many steps are open, for the indentation.
    depth: usize,
    /// Kept for the JSON document, where one is wanted.
    emitted: Vec<Value>,
}

impl Events {
    pub fn new(terminal: Terminal, cancel: CancellationToken) -> Self {
        let keeps = terminal.json;
        Self { terminal, cancel, keeps, state: Arc::default() }
    }

    /// Where there is no document at the end: emitted values are lines, with `--json` too.
    pub fn lines(terminal: Terminal, cancel: CancellationToken) -> Self {
        Self { keeps: false, ..Self::new(terminal, cancel) }
    }

    /// The values that were emitted, where they go into a document at the end.
    pub fn emitted(&self) -> Vec<Value> {
        self.state.lock().map(|mut state| std::mem::take(&mut state.emitted)).unwrap_or_default()
    }

    /// Shows one.
    pub fn show(&self, event: Event) {
        let terminal = &self.terminal;
        let Ok(mut state) = self.state.lock() else { return };
        let indent = "  ".repeat(state.depth);
        let (mark_start, mark_ok, mark_failed) =
            if terminal.style.unicode { ("▸", "✓", "✗") } else { (">", "ok:", "failed:") };
        // Pages write into all of it.
        match harmless(event) {
            Event::Print { text } => terminal.note(&format!("{indent}{text}")),
            Event::Log { text } => terminal.note(&format!("{indent}{} {text}", terminal.paint(Tone::Faint, "log:"))),
            Event::Emit { value } => self.emit(&mut state, value),
            Event::StepStarted { name } => {
                terminal.note(&format!("{indent}{mark_start} {}", terminal.paint(Tone::Strong, &name)));
                state.depth += 1;
            }
            Event::StepEnded { name, millis, ok } => {
                state.depth = state.depth.saturating_sub(1);
                let mark =
                    if ok { terminal.paint(Tone::Good, mark_ok) } else { terminal.paint(Tone::Bad, mark_failed) };
                let indent = "  ".repeat(state.depth);
                let span = show_duration(std::time::Duration::from_millis(millis));
                terminal.note(&format!("{indent}{mark} {name} {}", terminal.paint(Tone::Faint, &format!("({span})"))));
            }
            Event::Verb { call, line } if terminal.verbose() => {
                let line = line.map_or_else(|| "     ".to_owned(), |line| format!("{line:4} "));
                terminal.note(&format!("{}{indent}{call}", terminal.paint(Tone::Faint, &line)));
            }
            Event::SessionOpened { id, version } if terminal.verbose() => {
                let from = version.map_or_else(|| "new".to_owned(), |version| format!("restored v{version}"));
                terminal.note(&format!("session {id}: {from}"));
            }
            Event::Notice { text } => terminal.note(&format!("{} {text}", terminal.paint(Tone::Warning, "note:"))),
            Event::Live { url, .. } => terminal.note(&format!("{} {url}", terminal.paint(Tone::Faint, "watch:"))),
            Event::Pause { reason, url } => {
                terminal.note(&format!("{} {reason}", terminal.paint(Tone::Warning, "waiting for a person:")));
                terminal.note(&format!("  {url}"));
            }
            Event::Verb { .. } | Event::SessionOpened { .. } | Event::PauseOver { .. } => {}
        }
    }

    fn emit(&self, state: &mut State, value: Value) {
        if self.keeps {
            state.emitted.push(value);
        } else if !self.terminal.value_line(&value) {
            self.cancel.cancel();
        }
    }
}
