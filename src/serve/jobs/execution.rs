//! One execution of a piece of work: its way to a slot, its deadline, its end. Goes on by itself, whoever waits for it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Mutex, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

use crate::base::{Deadline, with_causes};

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::ApiError;
use super::super::request_id::named;
use super::super::server::SAVING;
use super::super::slots::{Full, Slot, Turn, Waiting};
use super::super::task::{Answer, Finish, SoFar, Task, TaskEvent, Work};
use super::journal::Journal;
use super::kept::{self, Claimed};
use super::live::Reserved;
use super::record::now;
use super::stop::{Stop, Why};

/// How long work that is stopped may take to notice; then its slot is given to others.
const NOTICE: Duration = Duration::from_millis(1_900);
/// How long after that it may still save and close, with no slot but alone in its session; then it is dropped.
const LINGER: Duration = Duration::from_secs(10);

/// What came of it.
pub(in crate::serve) type Outcome = Result<Answer, ApiError>;

/// What came of it and when, in microseconds since 1970; none where there was nothing to do: the job is another server's, or was
/// cancelled.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) at: i64,
}

/// What is to be done for whom.
pub(super) struct Order {
    /// The id of the request or the job.
    pub(super) id: String,
    pub(super) caller: Caller,
    pub(super) work: Work,
    pub(super) timeout: Duration,
}

/// How far it is. Held by whoever settles what it is: that it begins, or that it is a job from now on.
pub(super) enum Stage {
    /// In the queue; the job that it is, if it is one, has to be claimed before it begins.
    Waiting { job: Option<String> },
    /// In the queue, for a client that waits: it was to be a job, and the store did not answer whether it keeps it. Where it does,
    /// another server may run it.
    Unsure { job: Reserved },
    /// At work.
    Begun,
}

/// One that goes on. To be stopped, not to be dropped.
pub(super) struct Execution {
    pub(super) order: Arc<Order>,
    pub(super) stop: Stop,
    pub(super) journal: Arc<Journal>,
    pub(super) stage: Arc<Mutex<Stage>>,
    outcome: oneshot::Receiver<Option<Ended>>,
}

impl Execution {
    /// Begins it, in its place in the queue.
    pub(super) fn begin(app: &App, order: Order, waiting: Waiting, job: Option<String>) -> Self {
        let (order, stop, journal) = (Arc::new(order), Stop::new(&app.stopping), Journal::new());
        let stage = Arc::new(Mutex::new(Stage::Waiting { job }));
        let (done, outcome) = oneshot::channel();
        let going = Going {
            app: app.clone(),
            order: order.clone(),
            stop: stop.clone(),
            journal: journal.clone(),
            stage: stage.clone(),
        };
        let work = async move {
            let came = Box::pin(going.go(waiting)).await;
            // Where nobody waits for it any more it was stopped, and has saved what there was.
            drop(done.send(came));
        };
        app.executions.spawn(work.instrument(named(&order.id)));
        Self { order, stop, journal, stage, outcome }
    }

    /// Waits for its end; can be asked again where the answer was not waited for. None where there was nothing to do: the job is
    /// another server's, or was cancelled.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        let lost = || Some(Ended::now(Err(ApiError::internal("the work ended without an answer"))));
        (&mut self.outcome).await.unwrap_or_else(|_| lost())
    }
}

impl Ended {
    fn now(outcome: Outcome) -> Self {
        Self { outcome, at: now() }
    }
}

struct Going {
    app: App,
    order: Arc<Order>,
    stop: Stop,
    journal: Arc<Journal>,
    stage: Arc<Mutex<Stage>>,
}

impl Going {
    async fn go(self, waiting: Waiting) -> Option<Ended> {
        let slot = tokio::select! {
            biased;
            () = self.stop.token().cancelled() => Err(self.stopped(&SoFar::default())),
            slot = waiting => slot.map_err(refused),
        };
        let slot = match slot {
            Ok(slot) => slot,
            Err(error) => {
                self.leave().await;
                return Some(Ended::now(Err(error)));
            }
        };
        {
            let mut stage = self.stage.lock().await;
            match &*stage {
                Stage::Waiting { job: Some(job) } => {
                    // What waits as a job when the server ends is for the next start.
                    if self.app.ending.is_cancelled() || !self.take(job).await {
                        return None;
                    }
                    let data = json!({"status": "running"});
                    self.journal.tell(TaskEvent { event: "status".to_owned(), data });
                }
                Stage::Unsure { job } => match kept::withdraw(&self.app, self.order.caller.tenant(), job.id()).await {
                    Ok(Claimed::Gone) => return None,
                    Ok(Claimed::Taken | Claimed::Missing) => {}
                    // Whether it is done elsewhere cannot be known: it is not to be done twice.
                    Err(error) => return Some(Ended::now(Err(error.into()))),
                },
                Stage::Waiting { job: None } | Stage::Begun => {}
            }
            *stage = Stage::Begun;
        }
        Some(self.perform(slot).await)
    }

    /// Leaves the queue unbegun. What a client is told not to have been done is not left to another server either.
    async fn leave(&self) {
        if let Stage::Unsure { job } = &*self.stage.lock().await
            && let Err(error) = kept::withdraw(&self.app, self.order.caller.tenant(), job.id()).await
        {
            tracing::warn!(job = job.id(), code = error.code(), "what nobody waits for may be kept as a job");
        }
    }

    /// Takes the job that it is, to begin it.
    async fn take(&self, job: &str) -> bool {
        // It may have waited for long: what was revoked meanwhile runs nothing.
        let (tenant, token) = (self.order.caller.tenant(), self.order.caller.token_id());
        if !kept::may_begin(&self.app, tenant, job, token).await {
            return false;
        }
        match kept::claim(&self.app, tenant, job).await {
            Ok(claimed) => claimed == Claimed::Taken,
            Err(error) => {
                // It is found again later.
                tracing::warn!(job, code = error.code(), "a job could not be claimed: {}", with_causes(&error));
                false
            }
        }
    }

    async fn perform(self, slot: Slot) -> Ended {
        let deadline = Deadline::after(self.order.timeout);
        let (finish, so_far) = (Finish::default(), SoFar::default());
        let task = Task {
            id: self.order.id.clone(),
            caller: self.order.caller.clone(),
            deadline,
            cancel: self.stop.token().clone(),
            events: self.journal.events(),
            finish: finish.clone(),
            so_far: so_far.clone(),
        };
        let (app, work) = (self.app.clone(), self.order.work.clone());
        // A task of its own: whatever it does with its thread, the time is kept here.
        let mut working = tokio::spawn(async move { Box::pin(work.perform(&app, &task)).await }.in_current_span());
        tokio::select! {
            done = &mut working => return self.settle(done, slot),
            () = self.stop.token().cancelled() => {}
            () = tokio::time::sleep_until(deadline.instant()) => self.stop.stop(Why::Deadline),
        }
        if let Ok(done) = tokio::time::timeout(NOTICE, &mut working).await {
            return self.settle(done, slot);
        }
        // The place goes to others; what the work holds goes with it, and its session stays taken until then.
        let turn = slot.keep_session();
        if finish.give_up() {
            // It has not begun its last save and will not from now on: what it has saved by itself is all, and told.
            tracing::warn!(id = self.order.id, "work that was stopped did not notice in time; it is left to itself");
            let error = self.stopped(&so_far);
            self.abandon(working, turn);
            return Ended::now(Err(error));
        }
        let ended = self.saved(working, &so_far).await;
        drop(turn);
        ended
    }

    /// What came of work that was saving when its time was over. That is waited for: only the work knows whether there is a new version,
    /// and who is told that there is none would do it again.
    async fn saved(&self, mut working: JoinHandle<Outcome>, so_far: &SoFar) -> Ended {
        if let Ok(done) = tokio::time::timeout(self.linger(), &mut working).await {
            return Ended::now(self.came(done));
        }
        tracing::warn!(id = self.order.id, "work that was stopped could not save in time");
        working.abort();
        // It may have come to its end just then.
        match working.await {
            Ok(outcome) => Ended::now(self.came(Ok(outcome))),
            Err(_) => Ended::now(Err(self.stopped(so_far))),
        }
    }

    /// How long what was stopped may still save and close. A server that ends waits for it as long as it waits for anything.
    fn linger(&self) -> Duration {
        if self.app.ending.is_cancelled() { SAVING } else { LINGER }
    }

    /// Leaves work to itself that closes without having saved.
    fn abandon(&self, mut working: JoinHandle<Outcome>, turn: Option<Turn>) {
        let linger = self.linger();
        self.app.executions.spawn(async move {
            if tokio::time::timeout(linger, &mut working).await.is_err() {
                working.abort();
                let _ = working.await;
            }
            drop(turn);
        });
    }

    /// What came of it, by the words of why it was stopped, if it was. Frees the slot once the time of its end is known: what comes
    /// next in the session begins later than that.
    fn settle(&self, done: Result<Outcome, JoinError>, slot: Slot) -> Ended {
        let ended = Ended::now(self.came(done));
        drop(slot);
        ended
    }

    fn came(&self, done: Result<Outcome, JoinError>) -> Outcome {
        let outcome = done.unwrap_or_else(|error| {
            tracing::error!(id = self.order.id, "the work panicked: {error}");
            Err(ApiError::internal("the work ended unexpectedly; the log says more"))
        });
        match (outcome, self.stop.why()) {
            (Err(error), Some(why)) if error.code != why.error(0.0).code => {
                Err(ApiError { beside: error.beside, ..self.error(why) })
            }
            (outcome, _) => outcome,
        }
    }

    fn stopped(&self, so_far: &SoFar) -> ApiError {
        let mut error = self.error(self.stop.why().unwrap_or(Why::Cancelled));
        error.beside.extend(self.order.work.session_members(&so_far.outcomes()));
        error
    }

    fn error(&self, why: Why) -> ApiError {
        why.error(self.order.timeout.as_secs_f64())
    }
}

/// The queue is full.
pub(in crate::serve) fn refused(full: Full) -> ApiError {
    let mut error = ApiError::new("rate_limited", "all slots are in use and the queue is full: try again later");
    error.retry_after = Some(full.retry_after);
    error
}
