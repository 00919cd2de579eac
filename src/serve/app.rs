//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::session::Sessions;

use super::ServeConfig;
use super::jobs::Jobs;
use super::slots::Slots;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: ServeConfig,
    /// The store, opened once.
    pub(super) sessions: Sessions,
    /// How many pieces of work go on at a time, and the queue before them.
    pub(super) slots: Slots,
    /// What goes on.
    pub(super) jobs: Jobs,
    /// Cancelled when the server is told to end: nothing new is begun.
    pub(super) ending: CancellationToken,
    /// Cancelled when what goes on has had the time for its end: it is stopped, and saved.
    pub(super) stopping: CancellationToken,
    /// Executions: the server ends after the last of them.
    pub(super) executions: TaskTracker,
}

impl App {
    pub(super) fn new(config: ServeConfig, sessions: Sessions) -> Self {
        let (ending, stopping) = (CancellationToken::new(), CancellationToken::new());
        let (slots, jobs) = (Slots::new(config.max_concurrent, config.max_queued), Jobs::new());
        Self(Arc::new(Inner { config, sessions, slots, jobs, ending, stopping, executions: TaskTracker::new() }))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
