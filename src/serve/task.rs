//! A piece of work that a request or a job asks for, and what came of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Tenant};
use crate::session::{SessionOutcome, Workspace};

use utoipa::ToSchema;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::{jobs, json, pages, runs};

/// What can be asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
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
    /// Whether it saves, or was given up before.
    pub(super) finish: Finish,
    /// What it has saved by itself on the way.
    pub(super) so_far: SoFar,
}

/// The sessions that work has open, for who has to tell of it without its answer: it may have saved on the way. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct SoFar(Arc<OnceLock<Workspace>>);

impl SoFar {
    /// They are those of `workspace`.
    pub(super) fn are_of(&self, workspace: &Workspace) {
        // There is one for each piece of work.
        let _ = self.0.set(workspace.clone());
    }

    /// What became of each so far.
    pub(super) fn outcomes(&self) -> Vec<SessionOutcome> {
        self.0.get().map(Workspace::outcomes).unwrap_or_default()
    }
}

/// Settles between work that begins to save and whoever gives it up which of them came first: of work that was given up nothing more
/// is saved, so that what it has saved by then can be told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Finish(Arc<OnceLock<bool>>);

impl Finish {
    /// The work begins to save; answers whether it may.
    fn begin(&self) -> bool {
        *self.0.get_or_init(|| true)
    }

    /// Gives the work up; answers whether that came in time: it does not save, and will not.
    pub(super) fn give_up(&self) -> bool {
        !*self.0.get_or_init(|| false)
    }
}

/// Who hears of what happens on the way.
#[derive(Clone)]
pub(super) struct Events(pub(super) Arc<dyn Fn(TaskEvent) + Send + Sync>);

impl Events {
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

/// How long saving and closing may take once the work is done, and once it was stopped: then it is left alone after two seconds.
const FINISH: (Duration, Duration) = (Duration::from_secs(30), Duration::from_millis(1_500));

impl Task {
    /// By when what is left to do, saving and closing, has to be done; to be asked when that begins. Now, where the work was given up.
    pub(super) fn finish_by(&self) -> Deadline {
        if !self.finish.begin() {
            return Deadline::after(Duration::ZERO);
        }
        let stopped = self.cancel.is_cancelled() || self.deadline.passed();
        Deadline::after(if stopped { FINISH.1 } else { FINISH.0 })
    }
}

impl Work {
    /// The input of that kind, as its request would have it; what is wrong with it is told with its place.
    pub(super) fn read(app: &App, kind: jobs::JobKind, input: &Value) -> Result<Self, ApiError> {
        let input = input.to_string();
        let work = match kind {
            jobs::JobKind::Fetch => json::read(input.as_bytes()).map(Self::Fetch),
            jobs::JobKind::Interact => json::read(input.as_bytes()).map(Self::Interact),
            jobs::JobKind::Run => json::read(input.as_bytes()).map(Self::Run),
        };
        work.and_then(|work| work.check(app).map(|()| work)).map_err(|error| error.within("input"))
    }

    /// What can be told to be wrong with it before it is begun.
    fn check(&self, app: &App) -> Result<(), ApiError> {
        match self {
            Self::Fetch(input) => input.check(),
            Self::Interact(input) => input.check(),
            Self::Run(input) => input.check(app),
        }
    }

    /// The same, in the session that is meant: what is told of it, and who waits for whom, goes by its own id.
    pub(super) async fn meant(mut self, app: &App, tenant: &Tenant) -> Result<Self, ApiError> {
        let session = match &mut self {
            Self::Fetch(input) => input.session_mut(),
            Self::Interact(input) => input.session_mut(),
            Self::Run(input) => input.session.as_mut(),
        };
        if let Some(session) = session {
            session.id = app.sessions.meant(tenant, &session.id).await?;
        }
        Ok(self)
    }

    /// `fetch`, `interact` or `run`.
    fn kind(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "fetch",
            Self::Interact(_) => "interact",
            Self::Run(_) => "run",
        }
    }

    /// The session that it works in; of one there is one at a time.
    pub(super) fn session_id(&self) -> Option<&str> {
        match self {
            Self::Fetch(input) => input.session_id(),
            Self::Interact(input) => input.session_id(),
            Self::Run(input) => input.session_id(),
        }
    }

    /// What its answer tells of sessions, where they have come to this.
    pub(super) fn session_members(&self, outcomes: &[SessionOutcome]) -> Map<String, Value> {
        match self {
            Self::Fetch(input) => input.session_members(outcomes),
            Self::Interact(input) => input.session_members(outcomes),
            Self::Run(input) => input.session_members(outcomes),
        }
    }

    /// How long its input is, as JSON.
    pub(super) fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |bytes| bytes.len())
    }

    /// How long it may take.
    pub(super) fn timeout(&self, app: &App) -> Result<Duration, ApiError> {
        match self {
            Self::Fetch(input) => Ok(input.timeout()),
            Self::Interact(input) => Ok(input.timeout()),
            Self::Run(input) => input.timeout(app),
        }
    }

    /// Does it. To be dropped by whoever sees that the deadline has passed.
    pub(super) async fn perform(self, app: &App, task: &Task) -> Result<Answer, ApiError> {
        let kind = self.kind();
        let done = match self {
            Self::Fetch(input) => Box::pin(pages::fetch(app, task, input)).await,
            Self::Interact(input) => Box::pin(pages::interact(app, task, input)).await,
            Self::Run(input) => Box::pin(runs::run(app, task, input)).await,
        };
        app.metrics.worked(kind, if done.is_ok() { "completed" } else { "failed" });
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_does_not_save_and_what_saves_is_not_given_up() {
        let (given_up, saving) = (Finish::default(), Finish::default());
        assert!(given_up.give_up() && !given_up.begin() && given_up.give_up());
        assert!(saving.begin() && !saving.give_up() && saving.begin());
    }
}
