//! What the line editor is doing, shared between its thread and the asynchronous side.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the line editor is doing.
#[derive(Default)]
pub(super) struct Editing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Whether nothing is typed.
    is_empty: bool,
    /// No line is begun any more.
    is_closed: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    /// The terminal is as it was left.
    #[default]
    Idle,
    /// The terminal's modes are about to change.
    Begun,
    /// It has the terminal: keys come one by one and unechoed.
    Raw,
}

impl Editing {
    /// A line is about to be edited; false where none may be any more.
    pub fn begin(&self) -> bool {
        let mut state = self.state();
        if !state.is_closed {
            (state.phase, state.is_empty) = (Phase::Begun, true);
        }
        !state.is_closed
    }

    /// The line was edited, and the terminal is as before.
    pub fn end(&self) {
        self.state().phase = Phase::Idle;
        self.changed.notify_all();
    }

    /// What stands on the line now.
    pub fn type_line(&self, line: &str) {
        let mut state = self.state();
        (state.phase, state.is_empty) = (Phase::Raw, line.is_empty());
        self.changed.notify_all();
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.state().is_empty
    }

    /// From now on no line is begun. Waits until it is known in which mode the terminal is: one that was begun changes it at
    /// once, and `patience` is for a machine that has no time for it.
    pub fn close(&self, patience: Duration) {
        let mut state = self.state();
        state.is_closed = true;
        drop(self.changed.wait_timeout_while(state, patience, |state| state.phase == Phase::Begun));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn no_line_is_begun_once_it_is_closed() {
        let editing = Editing::default();
        assert!(editing.begin());
        editing.end();
        editing.close(Duration::ZERO);
        assert!(!editing.begin());
    }

    #[test]
    fn closing_waits_for_the_mode_of_a_line_that_was_begun() {
        let editing = Arc::new(Editing::default());
        assert!(editing.begin());
        let other = editing.clone();
        let typing = std::thread::spawn(move || other.type_line("a"));
        editing.close(Duration::from_mins(1));
        typing.join().unwrap();
        assert!(!editing.is_empty() && editing.state().phase == Phase::Raw);
    }
}
