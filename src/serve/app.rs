//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::session::Sessions;

use super::ServeConfig;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: ServeConfig,
    /// The store, opened once.
    pub(super) sessions: Sessions,
    /// Cancelled when the server is told to end: nothing new is begun.
    pub(super) ending: CancellationToken,
}

impl App {
    pub(super) fn new(config: ServeConfig, sessions: Sessions) -> Self {
        Self(Arc::new(Inner { config, sessions, ending: CancellationToken::new() }))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
