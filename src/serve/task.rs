//! A piece of work that a request or a job asks for, and what came of it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::base::Deadline;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::{pages, runs};

/// What can be asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "input", rename_all = "snake_case")]
pub(super) enum Work {
    /// A page's contents.
    Fetch(pages::FetchInput),
    /// Actions on a page.
    Interact(pages::InteractInput),
    /// A script.
    Run(runs::RunInput),
}

/// One execution of a piece of work.
#[derive(Clone)]
pub(super) struct Task {
    /// The id of the request or of the job.
    pub(super) id: String,
    pub(super) caller: Caller,
    /// By when it has to answer; enforced from outside too.
    pub(super) deadline: Deadline,
    /// Stops it: its client has gone, the job was cancelled, the server ends.
    pub(super) cancel: CancellationToken,
    /// Told as it happens.
    pub(super) events: Events,
}

/// Who hears of what happens on the way.
#[derive(Clone)]
pub(super) struct Events(pub(super) Arc<dyn Fn(TaskEvent) + Send + Sync>);

impl Events {
    /// Told to nobody.
    pub(super) fn nobody() -> Self {
        Self(Arc::new(|_| {}))
    }

    pub(super) fn tell(&self, event: TaskEvent) {
        (self.0)(event);
    }
}

/// Something that happened on the way: the name of the server-sent event and its data.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TaskEvent {
    /// `step`, `log`, `emit`, `screenshot`, `notice` ..
    pub(super) event: String,
    pub(super) data: Value,
}

/// What came of it: the answer but for its `request_id`.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Map<String, Value>,
}

impl Work {
    /// `fetch`, `interact` or `run`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "fetch",
            Self::Interact(_) => "interact",
            Self::Run(_) => "run",
        }
    }

    /// Does it. To be dropped by whoever sees that the deadline has passed.
    pub(super) async fn perform(self, app: &App, task: &Task) -> Result<Answer, ApiError> {
        match self {
            Self::Fetch(input) => Box::pin(pages::fetch(app, task, input)).await,
            Self::Interact(input) => Box::pin(pages::interact(app, task, input)).await,
            Self::Run(input) => Box::pin(runs::run(app, task, input)).await,
        }
    }
}
