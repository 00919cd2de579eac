//! Keeping a job while it goes on here: its claim is renewed, a wish to cancel it is seen, and its end is written.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::base::{Deadline, Tenant, with_causes};
use crate::session::SessionError;

use super::super::app::App;
use super::super::task::TaskEvent;
use super::execution::{Ended, Execution, Stage};
use super::journal::Asked;
use super::live::Live;
use super::record::JobStatus;
use super::stop::Why;
use super::{kept, live};

/// How often the job of this server is looked at: another may have been asked to cancel it.
const LOOK: Duration = Duration::from_millis(700);
/// How often a claim is renewed.
const BEAT: Duration = Duration::from_secs(3);
/// How long a store that is away is waited for with what came of a job.
const PATIENCE: Duration = Duration::from_mins(1);

/// Keeps the job `id` until its execution has ended, then what came of it.
pub(super) async fn keep(app: App, live: Arc<Live>, id: String, mut execution: Execution) {
    let tenant = execution.order.caller.tenant().clone();
    let came = follow(&app, &tenant, &id, &mut execution).await;
    let begun = matches!(&*execution.stage.lock().await, Stage::Begun);
    let why = execution.stop.why();
    match came {
        // Left to whoever starts next, or ended already by whoever cancelled it.
        Some(_) if !begun => {}
        Some(ended) if why != Some(Why::Taken) => {
            let status = JobStatus::of(&ended.outcome, why == Some(Why::Cancelled));
            write(&app, &tenant, &id, status, &ended).await;
        }
        _ => {}
    }
    if let Ok(Some(record)) = kept::read(&app, &tenant, &id).await {
        let data = json!({"status": record.status});
        execution.journal.tell(TaskEvent { event: "status".to_owned(), data });
    }
    execution.journal.close();
    live.ended();
    live::prune(&app);
}

/// Waits for the end; none where the job is not this server's to end.
async fn follow(app: &App, tenant: &Tenant, id: &str, execution: &mut Execution) -> Option<Ended> {
    let (stage, stop) = (execution.stage.clone(), execution.stop.clone());
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beaten = Instant::now();
    let mut asked = execution.journal.asked();
    loop {
        tokio::select! {
            came = execution.ended() => return came,
            _ = look.tick() => {}
            Ok(()) = asked.changed() => {
                let now = asked.borrow_and_update().clone();
                say_asked(app, tenant, id, now).await;
            }
        }
        // Of a job that waits nothing is to be said; its claim shows whether it is still to be done.
        let begun = stage.try_lock().is_ok_and(|stage| matches!(&*stage, Stage::Begun));
        if !begun {
            continue;
        }
        // Also of one that was stopped: as long as it saves nobody else is to end it.
        let looked = if beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            kept::beat(app, tenant, id).await
        } else {
            let read = kept::read(app, tenant, id).await;
            read.map(|record| record.map_or(Some(Why::Taken), |record| kept::wanted(&record, app.jobs.node())))
        };
        match looked {
            Ok(Some(why)) => stop.stop(why),
            Ok(None) => {}
            Err(error) => tracing::warn!(job = id, code = error.code(), "a job could not be looked at"),
        }
    }
}

/// Keeps what a person is asked to do, for who looks at the job. A store that is away is not waited for: the events say it too.
async fn say_asked(app: &App, tenant: &Tenant, id: &str, asked: Option<Asked>) {
    let node = app.jobs.node();
    let said = kept::update(app, tenant, id, |record| {
        let changes = record.is_run_by(node) && record.pause != asked;
        if changes {
            record.pause.clone_from(&asked);
        }
        changes
    });
    if let Err(error) = said.await {
        tracing::warn!(job = id, code = error.code(), "whom a job waits for could not be kept");
    }
}

/// Keeps what came of it, also where the store is away for a while.
async fn write(app: &App, tenant: &Tenant, id: &str, status: JobStatus, ended: &Ended) {
    let patience = Deadline::after(PATIENCE);
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match kept::end(app, tenant, id, status, ended).await {
            Ok(()) => return,
            Err(error @ SessionError::Store(_)) if !patience.passed() => error,
            Err(error) => {
                tracing::error!(job = id, code = error.code(), "what came of a job is lost: {}", with_causes(&error));
                return;
            }
        };
        tracing::warn!(job = id, code = error.code(), "what came of a job could not be written yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
