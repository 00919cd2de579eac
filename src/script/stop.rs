//! The one reason for which a script, or one input of a dialogue, has to stop, shared by everything that may wait or loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::SessionId;

use super::ScriptError;

/// Why a script is stopped. It cannot catch this.
#[derive(Debug, Clone)]
pub enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// The run's own time is over.
    TimeOver(Duration),
    /// Another run holds the session now.
    LeaseLost(SessionId),
    /// A limit was reached or a rule broken that no `catch` may pass over.
    Fatal(Box<ScriptError>),
}

/// Stops what runs, for the first reason given: a script once and for all, an input of a dialogue until the next one begins.
#[derive(Debug, Default)]
pub struct Stopper {
    /// Whether there is a reason: asked at every operation of the engine, so that it must not cost a lock.
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The input of a dialogue that runs now; none while a script runs, or nothing.
    input: Option<u64>,
    /// Why that input is stopped.
    reason: Option<Stop>,
    /// Why everything is stopped.
    for_good: Option<Stop>,
    token: CancellationToken,
}

impl Stopper {
    /// Stops what runs now: the input of a dialogue where there is one, otherwise all. Only the first reason counts.
    pub fn stop(&self, reason: Stop) {
        let mut state = self.state();
        let place = if state.input.is_some() { &mut state.reason } else { &mut state.for_good };
        place.get_or_insert(reason);
        self.halt(&state);
    }

    /// Stops all that runs, and all that would run later.
    pub fn stop_for_good(&self, reason: Stop) {
        let mut state = self.state();
        state.for_good.get_or_insert(reason);
        self.halt(&state);
    }

    /// Stops the input by that number if it is the one that runs.
    pub fn stop_input(&self, input: u64, reason: Stop) {
        let mut state = self.state();
        if state.input == Some(input) {
            state.reason.get_or_insert(reason);
            self.halt(&state);
        }
    }

    /// From here on an input of a dialogue runs.
    pub fn begin_input(&self, input: u64) {
        self.state().input = Some(input);
    }

    /// The input has ended: what stopped it alone is forgotten.
    pub fn reset(&self) {
        let mut state = self.state();
        state.input = None;
        state.reason = None;
        if state.for_good.is_none() && state.token.is_cancelled() {
            state.token = CancellationToken::new();
            self.stopped.store(false, Ordering::Release);
        }
    }

    /// Whether an input of a dialogue runs now.
    pub fn is_in_input(&self) -> bool {
        self.state().input.is_some()
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Stop> {
        if !self.stopped.load(Ordering::Acquire) {
            return None;
        }
        let state = self.state();
        state.reason.clone().or_else(|| state.for_good.clone())
    }

    /// Whether nothing will run any more.
    pub fn is_for_good(&self) -> bool {
        self.state().for_good.is_some()
    }

    /// Resolves when what runs now has to stop.
    pub async fn stopped(&self) {
        let token = self.state().token.clone();
        token.cancelled().await;
    }

    fn halt(&self, state: &State) {
        self.stopped.store(true, Ordering::Release);
        state.token.cancel();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_stopped_once_and_for_all() {
        let stopper = Stopper::default();
        assert!(stopper.reason().is_none());
        stopper.stop(Stop::TimeOver(Duration::ZERO));
        stopper.stop(Stop::Cancelled);
        stopper.reset();
        assert!(matches!(stopper.reason(), Some(Stop::TimeOver(_))));
    }

    #[test]
    fn an_input_is_stopped_until_the_next_one() {
        let stopper = Stopper::default();
        stopper.begin_input(1);
        stopper.stop_input(2, Stop::Cancelled);
        assert!(stopper.reason().is_none());
        stopper.stop_input(1, Stop::Cancelled);
        assert!(stopper.reason().is_some());
        stopper.reset();
        stopper.begin_input(2);
        stopper.stop_input(1, Stop::Cancelled);
        assert!(stopper.reason().is_none() && !stopper.is_for_good());
        stopper.stop_for_good(Stop::Cancelled);
        stopper.reset();
        assert!(stopper.reason().is_some());
    }
}
