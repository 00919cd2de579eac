//! A run in steps, for who does something between the check of the script and its start: open the session that it is to have,
//! and tell what is wrong with that apart from what is wrong with the script.

use std::time::Instant;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Event, Failure, Job, Report, failure, perform, read, redactor, tell_of_transfers};
use crate::base::{Deadline, Redactor};
use crate::script::{self, Program};
use crate::session::Workspace;

/// A job whose script was read and checked.
pub struct Prepared {
    job: Job,
    program: Program,
    redactor: Redactor,
}

/// Reads and checks the script of `job`, which is to run in `workspace`; `job.workspace` does not matter. Starts no browser.
pub async fn prepare(workspace: &Workspace, job: Job) -> Result<Prepared, Box<Failure>> {
    let redactor = redactor(&job);
    match read(&job, workspace).await {
        Ok(program) => Ok(Prepared { job, program, redactor }),
        Err(problems) => {
            let failure =
                failure::of_problems(&problems).unwrap_or_else(|| Failure::internal("the script was not read"));
            Err(Box::new(failure::redacted(failure, &redactor)))
        }
    }
}

impl Prepared {
    /// Whether it may need a browser at all.
    pub fn needs_browser(&self) -> bool {
        self.job.session.is_some() || self.program.needs_browser()
    }

    /// Runs the script, in sessions of `workspace` that may be open already, saves them, and ends the workspace. `events` is called
    /// from the run's threads, in order. Cancelling `cancel` stops the script. `finish_by` is asked when the script has ended: by when
    /// the rest is to be done; soon where it was stopped, for a page may be what hangs.
    pub async fn run(
        self,
        workspace: &Workspace,
        cancel: CancellationToken,
        finish_by: impl FnOnce() -> Deadline + Send,
        events: impl Fn(Event) + Clone + Send + Sync + 'static,
    ) -> Report {
        let started = Instant::now();
        let Self { job, program, redactor } = self;
        let (name, source) = (job.name.clone(), job.source.clone());
        let told = events.clone();
        let _telling = tell_of_transfers(workspace, move |text| told(Event::Notice { text }));
        let done = perform(program, workspace, job, &redactor, cancel, events.clone()).await;
        let sessions = failure::redacted_outcomes(workspace.finish(finish_by()).await, &redactor);
        for text in workspace.take_notices() {
            events(Event::Notice { text: redactor.redact(&text) });
        }
        let (result, failure) = match done {
            Ok(value) => (script::redacted(value, &redactor), failure::of_saving(&sessions)),
            Err(failed) => (Value::Null, Some(failure::of_script(failed))),
        };
        let failure = failure.map(|failure| failure::redacted(failure, &redactor));
        Report { result, failure, sessions, duration: started.elapsed(), source, name }
    }
}
