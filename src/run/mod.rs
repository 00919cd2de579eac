//! Floor 5: a run is a value: `run(job) -> Report`. Prints nothing and never exits; what happens on the way comes as
//! [`Event`]s.

mod failure;
mod job;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use crate::script::{Event, Limits, Place, StackFrame};
pub use failure::ALSO;
pub use job::Job;
pub use report::{Failure, FailureKind, Report};

use crate::base::{Deadline, Redactor};
use crate::script::{self, Host, Problem, Program, Progress, ScriptFailure, Stop, Stopper};
use crate::session::{SessionOutcome, Workspace};

/// How long the saving of sessions and the closing of the browser may take.
const FINISH: Duration = Duration::from_secs(30);
/// How long a stopped script may take to notice. Only a single native call of the engine (sorting a huge list) takes any time
/// at all; it is then left to end by itself.
const NOTICE: Duration = Duration::from_secs(3);

/// Runs `job` to its end: check, script, save, close. `events` is called from the run's threads, in order.
///
/// Cancelling `cancel` stops the script at its next await; its sessions are saved and the browser closed all the same. To
/// give up at once (a second Ctrl-C), drop the future: the script is stopped, nothing more is saved and the browser is killed.
pub async fn run(job: Job, cancel: CancellationToken, events: impl Fn(Event) + Send + Sync + 'static) -> Report {
    let started = Instant::now();
    let redactor = Redactor::default();
    job.secrets.values().for_each(|secret| redactor.learn(secret));
    let mut report = Report {
        result: Value::Null,
        failure: None,
        sessions: Vec::new(),
        duration: Duration::ZERO,
        source: job.source.clone(),
        name: job.name.clone(),
    };
    match read(&job).await {
        Err(problems) => report.failure = failure::of_problems(&problems),
        Ok(program) => {
            let (answer, sessions) = perform(program, job, &redactor, cancel, events).await;
            match answer {
                Ok(value) => report.result = script::redacted(value, &redactor),
                Err(failed) => report.failure = Some(failure::of_script(failed)),
            }
            report.failure = report.failure.or_else(|| failure::of_saving(&sessions));
            report.sessions = sessions;
        }
    }
    report.failure = report.failure.map(|failure| failure::redacted(failure, &redactor));
    report.duration = started.elapsed();
    report
}

/// Reads and checks the script, on a thread whose stack suits it.
async fn read(job: &Job) -> Result<Program, Vec<Problem>> {
    let (text, import_root) = (job.source.clone(), job.import_root.clone());
    let names: std::collections::BTreeSet<String> = job.secrets.keys().cloned().collect();
    let read = script::on_thread(move || {
        let has_secret = |name: &str| names.contains(name);
        Program::read(&script::Source { text: &text, import_root: &import_root, has_secret: &has_secret })
    });
    read.await.unwrap_or_else(|| {
        let message = "the check of the script could not run to its end".to_owned();
        Err(vec![Problem { code: "internal_error".into(), message, place: None, hint: None }])
    })
}

/// Runs the script in its sessions, and ends them whatever its end was.
async fn perform(
    program: Program,
    job: Job,
    redactor: &Redactor,
    cancel: CancellationToken,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> (Result<Value, ScriptFailure>, Vec<SessionOutcome>) {
    let workspace = Workspace::new(job.workspace);
    if job.session.is_some() || program.needs_browser() {
        // The browser starts while the engine is made and the store opens.
        workspace.warm_up().await;
    }
    let wall_time = job.limits.wall_time;
    let host = Arc::new(Host {
        workspace: workspace.clone(),
        runtime: tokio::runtime::Handle::current(),
        stop: Stopper::default(),
        events: Box::new(events),
        redactor: redactor.clone(),
        secrets: job.secrets,
        args: job.args,
        env: job.env,
        limits: job.limits,
        import_root: job.import_root,
        working_folder: job.working_folder,
        slow_mo: job.slow_mo,
        progress: Progress::default(),
    });
    let mut running = std::pin::pin!(program.run(host.clone(), job.session));
    let reason = tokio::select! {
        answer = &mut running => {
            let sessions = finish(&workspace, &host).await;
            return (answer, sessions);
        }
        () = cancel.cancelled() => Stop::Cancelled,
        () = tokio::time::sleep(wall_time) => Stop::TimeOver(wall_time),
        id = workspace.lease_lost() => Stop::LeaseLost(id),
    };
    host.stop.stop(reason.clone());
    let answer = tokio::time::timeout(NOTICE, running).await;
    let answer = answer.unwrap_or_else(|_| Err(ScriptFailure::stopped(reason)));
    let sessions = finish(&workspace, &host).await;
    (answer, sessions)
}

async fn finish(workspace: &Workspace, host: &Host) -> Vec<SessionOutcome> {
    let sessions = workspace.finish(Deadline::after(FINISH)).await;
    host.tell_notices();
    sessions
}
