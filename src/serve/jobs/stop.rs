//! Why an execution is stopped before its end.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::super::error::ApiError;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its time is over.
    Deadline,
    /// Whoever asked went away.
    ClientGone,
    /// It was cancelled.
    Cancelled,
    /// Another server took the job, as this one was not heard of for too long.
    Taken,
    /// The server ends.
    Ending,
}

/// Stops one execution, once. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stop {
    token: CancellationToken,
    why: Arc<OnceLock<Why>>,
}

impl Stop {
    /// To be stopped by itself, or with all others when `all` is cancelled as the server ends.
    pub(super) fn new(all: &CancellationToken) -> Self {
        Self { token: all.child_token(), why: Arc::default() }
    }

    /// Stops it; the first reason counts.
    pub(super) fn stop(&self, why: Why) {
        let _ = self.why.set(why);
        self.token.cancel();
    }

    /// Cancelled when it is stopped.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why, where it is stopped.
    pub(super) fn why(&self) -> Option<Why> {
        self.token.is_cancelled().then(|| *self.why.get().unwrap_or(&Why::Ending))
    }

    /// Stops it for this reason when the answer is dropped.
    pub(super) fn on_drop(&self, why: Why) -> StopOnDrop {
        StopOnDrop { stop: Some(self.clone()), why }
    }
}

/// Stops an execution unless it is kept.
pub(super) struct StopOnDrop {
    stop: Option<Stop>,
    why: Why,
}

impl StopOnDrop {
    /// It goes on without this.
    pub(super) fn keep(mut self) {
        self.stop = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            stop.stop(self.why);
        }
    }
}

impl Why {
    /// What is answered where it was stopped so; `seconds` is the time that it had.
    pub(super) fn error(self, seconds: f64) -> ApiError {
        match self {
            Self::Deadline => ApiError::new("timeout", format!("it was not done within {seconds} s")),
            Self::ClientGone | Self::Cancelled => ApiError::new("cancelled", "it was cancelled"),
            Self::Taken => interrupted("the server that ran it was not heard of for too long"),
            Self::Ending => interrupted("the server ended before it was done"),
        }
    }
}

/// A job whose server went before it was done.
pub(super) fn interrupted(why: &str) -> ApiError {
    ApiError::new(
        "interrupted",
        format!("{why}; what it had done by then is not undone, and asking again may do it twice"),
    )
}
