//! Floor 5: a run is a value: `run(job) -> Report`. Prints nothing and never exits; what happens on the way comes as
//! [`Event`]s.

mod dialogue;
mod failure;
mod job;
mod prepared;
mod report;
mod transfers;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use crate::script::{Attach, Event, Handing, Handover, Limits, Place, ScriptError, StackFrame};
pub use dialogue::{Change, Dialogue, Pauses, Turn};
pub use failure::ALSO;
pub use job::Job;
pub use prepared::{Prepared, prepare};
pub use report::{Failure, FailureKind, Report};
pub use transfers::tell_of_transfers;

use crate::base::{Deadline, Redactor};
use crate::script::{self, Host, Problem, Program, Progress, ScriptFailure, Stop, Stopper};
use crate::session::{SessionError, Workspace};

/// How long the saving of sessions and the closing of the browser may take.
pub const FINISH: Duration = Duration::from_secs(30);
/// How long a stopped script may take to notice. Only a single native call of the engine (sorting a huge list) takes any time
/// at all; it is then left to end by itself.
const NOTICE: Duration = Duration::from_secs(3);

/// Runs `job` to its end: check, script, save, close. `events` is called from the run's threads, in order.
///
/// Cancelling `cancel` stops the script at its next await; its sessions are saved and the browser closed all the same. To
/// give up at once (a second Ctrl-C), drop the future: the script is stopped, nothing more is saved and the browser is killed.
pub async fn run(job: Job, cancel: CancellationToken, events: impl Fn(Event) + Send + Sync + 'static) -> Report {
    let started = Instant::now();
    let redactor = redactor(&job);
    let workspace = Workspace::new(job.workspace.clone());
    let events = Arc::new(events);
    let (shown, told) = (events.clone(), events.clone());
    let _telling = tell_of_transfers(&workspace, move |text| told(Event::Notice { text }));
    let mut report = execute(&workspace, job, &redactor, cancel, move |event| shown(event)).await;
    report.sessions = failure::redacted_outcomes(workspace.finish(Deadline::after(FINISH)).await, &redactor);
    for text in workspace.take_notices() {
        events(Event::Notice { text: redactor.redact(&text) });
    }
    let unsaved = || failure::of_saving(&report.sessions).map(|failure| failure::redacted(failure, &redactor));
    report.failure = report.failure.or_else(unsaved);
    report.duration = started.elapsed();
    report
}

/// Runs `job` in a workspace that outlives it (watch mode): nothing is saved or closed at its end, and `job.workspace` does not
/// matter. The report tells of no sessions, unless they are to be saved for the next run, which then may take `saving`.
pub async fn run_in(
    workspace: &Workspace,
    job: Job,
    cancel: CancellationToken,
    saving: Option<Duration>,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> Report {
    let redactor = redactor(&job);
    let events = Arc::new(events);
    let told = events.clone();
    let _telling = tell_of_transfers(workspace, move |text| told(Event::Notice { text }));
    let mut report = execute(workspace, job, &redactor, cancel, move |event| events(event)).await;
    if let Some(saving) = saving {
        let outcomes = workspace.save_all(Deadline::after(saving)).await;
        report.sessions = failure::redacted_outcomes(outcomes, &redactor);
    }
    report
}

/// What is known of a job before it runs.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Why it would not even start: exactly what a run would answer.
    pub failure: Option<Failure>,
    /// The files that its script imports, in turn too; for a module that is missing, those that would be it.
    pub imports: Vec<PathBuf>,
}

/// Reads and checks the script of `job` without running it. Reads files.
pub async fn check(job: &Job) -> Checked {
    let (text, import_root) = (job.source.clone(), job.import_root.clone());
    let imports = script::on_thread(move || script::imported_files(&text, &import_root));
    let workspace = Workspace::new(job.workspace.clone());
    let (imports, program) = tokio::join!(imports, read(job, &workspace));
    let failure = program.err().and_then(|problems| failure::of_problems(&problems));
    let failure = failure.map(|failure| failure::redacted(failure, &redactor(job)));
    Checked { failure, imports: imports.unwrap_or_default() }
}

/// Knows the job's secrets.
fn redactor(job: &Job) -> Redactor {
    let redactor = Redactor::default();
    job.secrets.values().for_each(|secret| redactor.learn(secret));
    redactor
}

async fn execute(
    workspace: &Workspace,
    job: Job,
    redactor: &Redactor,
    cancel: CancellationToken,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> Report {
    let started = Instant::now();
    let mut report = Report {
        result: Value::Null,
        failure: None,
        sessions: Vec::new(),
        duration: Duration::ZERO,
        source: job.source.clone(),
        name: job.name.clone(),
    };
    let failure = match read(&job, workspace).await {
        Err(problems) => failure::of_problems(&problems),
        Ok(program) => match perform(program, workspace, job, redactor, cancel, events).await {
            Ok(value) => {
                report.result = script::redacted(value, redactor);
                None
            }
            Err(failed) => Some(failure::of_script(failed)),
        },
    };
    report.failure = failure.map(|failure| failure::redacted(failure, redactor));
    report.duration = started.elapsed();
    report
}

/// Reads and checks the script, on a thread whose stack suits it.
async fn read(job: &Job, workspace: &Workspace) -> Result<Program, Vec<Problem>> {
    let problem = |code, message| Problem { code, message, place: None, hint: None };
    let (text, import_root) = (job.source.clone(), job.import_root.clone());
    let given = job.secrets.keys().cloned().collect();
    let read = script::with_names(
        given,
        async |script::NamesAsked { secrets, identities }| {
            let secrets = workspace.known_secrets(secrets).await?;
            let missing_identities = workspace.missing_identities(identities).await?;
            Ok::<_, SessionError>(script::NamesTold { secrets, missing_identities })
        },
        move |has_secret, has_identity| {
            Program::read(&script::Source { text: &text, import_root: &import_root, has_secret, has_identity })
        },
    );
    match read.await {
        Ok(Some(read)) => read,
        Ok(None) => {
            let message = "the check of the script could not run to its end".to_owned();
            Err(vec![problem("internal_error".into(), message)])
        }
        Err(error) => {
            let hint = script::hint(error.code()).map(str::to_owned);
            Err(vec![Problem { hint, ..problem(error.code().into(), crate::base::with_causes(&error)) }])
        }
    }
}

/// Runs the script in its sessions.
async fn perform(
    program: Program,
    workspace: &Workspace,
    job: Job,
    redactor: &Redactor,
    cancel: CancellationToken,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Value, ScriptFailure> {
    if job.session.is_some() || program.needs_browser() {
        // The browser starts while the engine is made and the store opens.
        workspace.warm_up().await;
    }
    let wall_time = job.limits.wall_time;
    let session = job.session.clone();
    let host = Arc::new(host(workspace, job, redactor.clone(), events));
    let mut running = std::pin::pin!(program.run(host.clone(), session));
    let none = BTreeSet::new();
    let reason = tokio::select! {
        answer = &mut running => {
            host.tell_notices();
            return answer;
        }
        () = cancel.cancelled() => Stop::Cancelled,
        () = host.progress.ran_for(wall_time) => Stop::TimeOver(wall_time),
        id = workspace.lease_lost(&none) => Stop::LeaseLost(id),
    };
    host.stop.stop_for_good(reason.clone());
    let answer = tokio::time::timeout(NOTICE, running).await;
    host.tell_notices();
    answer.unwrap_or_else(|_| Err(ScriptFailure::stopped(reason)))
}

/// The world of the job's script, or of a dialogue.
fn host(workspace: &Workspace, job: Job, redactor: Redactor, events: impl Fn(Event) + Send + Sync + 'static) -> Host {
    workspace.redact_with(&redactor);
    Host {
        name: job.name,
        workspace: workspace.clone(),
        runtime: tokio::runtime::Handle::current(),
        stop: Stopper::default(),
        events: Box::new(events),
        redactor,
        secrets: job.secrets,
        args: job.args,
        env: job.env,
        limits: job.limits,
        import_root: job.import_root,
        working_folder: job.working_folder,
        slow_mo: job.slow_mo,
        pauses: job.pauses.hook(),
        handover: job.handover,
        llm: job.llm,
        progress: Progress::default(),
    }
}
