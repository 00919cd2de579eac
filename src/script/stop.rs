//! The one reason for which a script has to stop, shared by everything that may wait or loop.

use std::sync::OnceLock;
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

/// Stops a script once, for the first reason given.
#[derive(Debug, Default)]
pub struct Stopper {
    reason: OnceLock<Stop>,
    token: CancellationToken,
}

impl Stopper {
    /// Stops. Only the first reason counts.
    pub fn stop(&self, reason: Stop) {
        // Lost on purpose where there is a reason already.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<&Stop> {
        self.reason.get()
    }

    /// Resolves when the script has to stop.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }
}
