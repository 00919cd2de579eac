//! A run that is told what to do one input at a time: the REPL's. Also what a script's `pause()` opens, with the script's own
//! variables in scope.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Redactor, SessionId};
use crate::browser::LaunchOptions;
use crate::script::{Answer, Asked, Console, Event, Host, ScriptError, ScriptFailure, Shown, Stop, Variable};
use crate::session::{SessionOptions, SessionOutcome, Workspace};

use super::{Failure, Job, NOTICE, failure, tell_of_transfers};

/// A run that is told what to do one input at a time. Its workspace lives until [`Dialogue::finish`]. Where it is dropped, what
/// runs is stopped and nothing is saved; of a pause: the script goes on.
pub struct Dialogue {
    console: Console,
    /// The sessions whose loss was told already.
    lost: BTreeSet<SessionId>,
    /// The inputs so far.
    said: Vec<String>,
    /// Tells of profiles that take long.
    telling: JoinSet<()>,
}

/// What one input came to.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The value of its last expression, redacted; nothing where it failed.
    pub value: Shown,
    /// The pieces of the input that worked, as they were written: whole statements. Functions are among them even where a
    /// statement before them failed.
    pub worked: Vec<String>,
    /// What went wrong, if anything did. Its places are those of the input, or name the text that they stand in: a module, or an
    /// earlier input (see [`Dialogue::text`]).
    pub failure: Option<Failure>,
    /// Whether it changed variables or functions: then [`Dialogue::undo`] takes it back.
    pub changed: bool,
    /// Its number: the first that was said here is 1.
    pub number: usize,
    /// Whether it was given up while the engine was still busy with it: it may come to something later.
    pub late: bool,
}

/// What an input did to variables and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Something.
    Made,
    /// Nobody knows yet: it was given up.
    Open,
}

impl Turn {
    /// What can be taken back of it.
    pub fn change(&self) -> Change {
        match self {
            Self { late: true, .. } => Change::Open,
            Self { changed: true, .. } => Change::Made,
            _ => Change::None,
        }
    }
}

impl Dialogue {
    /// Opens one in `workspace`. The job's source is not run, and its wall time does not matter. The browser begins to start;
    /// only where the job names a session is it waited for, and the session opened.
    pub async fn open(
        workspace: &Workspace,
        job: Job,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Box<Failure>> {
        workspace.warm_up().await;
        let session = job.session.clone();
        let redactor = super::redactor(&job);
        let host = Arc::new(super::host(workspace, job, redactor, events));
        let told = host.clone();
        let telling = tell_of_transfers(workspace, move |text| told.tell(Event::Notice { text }));
        if let Some(id) = session {
            open_session(&host, &id).await.map_err(|error| failed(&host, error))?;
        }
        let no_thread = || ScriptError::new("internal_error", "the system gave no thread for the dialogue");
        let console = Console::start(host.clone()).ok_or_else(|| failed(&host, no_thread()))?;
        let mut dialogue = Self::over(console);
        dialogue.telling = telling;
        Ok(dialogue)
    }

    /// The dialogue that a script's `pause()` opens.
    pub(super) fn over(console: Console) -> Self {
        // What is said may be kept, in a history or a file.
        console.host().progress.learn_passwords(true);
        Self { console, lost: BTreeSet::new(), said: Vec::new(), telling: JoinSet::new() }
    }

    /// Runs one input. Where `cancel` is cancelled the verb that runs is stopped; the dialogue goes on. The same where a session
    /// is lost to another run (`lease_lost`, once for a session).
    pub async fn say(&mut self, text: &str, cancel: CancellationToken) -> Turn {
        self.said.push(text.to_owned());
        let mut asked = self.console.eval(text, cancel.is_cancelled().then_some(Stop::Cancelled));
        let workspace = self.workspace().clone();
        let reason = tokio::select! {
            biased;
            answer = asked.answer() => return self.turn(answer),
            () = cancel.cancelled() => Stop::Cancelled,
            id = workspace.lease_lost(&self.lost) => {
                self.lost.insert(id.clone());
                Stop::LeaseLost(id)
            }
        };
        self.stopped(asked, reason).await
    }

    /// Stops an input and waits for its end; not for ever, where the engine itself is busy.
    async fn stopped(&self, mut asked: Asked, reason: Stop) -> Turn {
        asked.stop(reason.clone());
        let late = Answer {
            value: Shown::Nothing,
            worked: Vec::new(),
            failed: Some(ScriptFailure::stopped(reason)),
            changed: false,
        };
        let answer = tokio::time::timeout(NOTICE, asked.answer()).await;
        let is_late = answer.is_err();
        Turn { late: is_late, ..self.turn(answer.unwrap_or(Some(late))) }
    }

    fn turn(&self, answer: Option<Answer>) -> Turn {
        let host = self.console.host();
        host.tell_notices();
        let ended = || {
            let message = "the script that this dialogue belongs to has ended";
            let reason = host.stop.reason().map(ScriptFailure::stopped);
            reason.unwrap_or_else(|| ScriptFailure::from(ScriptError::new("cancelled", message)))
        };
        let answer = answer.unwrap_or_else(|| Answer {
            value: Shown::Nothing,
            worked: Vec::new(),
            failed: Some(ended()),
            changed: false,
        });
        let failure = answer.failed.map(|failed| failure::redacted(failure::of_script(failed), &host.redactor));
        Turn {
            value: answer.value,
            worked: answer.worked,
            failure,
            changed: answer.changed,
            number: self.said.len(),
            late: false,
        }
    }

    /// Takes back what the last input that changed something did to variables and functions; false where there is nothing to take
    /// back. Pages stay as they are.
    pub async fn undo(&mut self) -> bool {
        self.console.undo().await
    }

    /// Takes back what the input by that number did, and what those after it did; false where it changed nothing or is too long
    /// ago. Waits for one that was given up.
    pub async fn undo_input(&mut self, number: usize) -> bool {
        self.console.undo_input(number).await
    }

    /// Resolves when nothing can be said any more: the script that it belongs to was stopped.
    pub async fn ended(&self) {
        self.console.ended().await;
    }

    /// The variables in scope, the newest of a name only.
    pub async fn variables(&self) -> Vec<Variable> {
        self.console.variables().await
    }

    /// The text that a failure's place names: `input 3` is the third that was said here.
    pub fn text(&self, file: &str) -> Option<&str> {
        let number: usize = file.strip_prefix("input ")?.parse().ok()?;
        self.said.get(number.checked_sub(1)?).map(String::as_str)
    }

    /// The sessions and the browser.
    pub fn workspace(&self) -> &Workspace {
        &self.console.host().workspace
    }

    /// Knows the values that nobody may see, those typed into password fields included.
    pub fn redactor(&self) -> &Redactor {
        &self.console.host().redactor
    }

    /// Whether a script's `pause()` opened it.
    pub fn is_pause(&self) -> bool {
        self.console.is_pause()
    }

    /// Another browser in place of this one: sessions are opened again as they were last saved. Variables that hold sessions or
    /// pages of the old one are of no use any more; a notice names them.
    pub async fn restart(&mut self, launch: Option<LaunchOptions>) {
        // They are opened again.
        self.lost.clear();
        let host = self.console.host();
        host.workspace.restart(launch).await;
        let stale =
            self.variables().await.into_iter().filter(|variable| ["Session", "Page"].contains(&&*variable.kind));
        let stale: Vec<String> = stale.map(|variable| variable.name).collect();
        host.tell_notices();
        if !stale.is_empty() {
            let names = stale.join(", ");
            host.tell(Event::Notice {
                text: format!("{names}: of the browser that was there before; open the session again with session(..)"),
            });
        }
    }

    /// Ends it, and where it is a pause the script, too, which runs nothing more from here on. Nothing is saved.
    pub fn abandon(self) {
        // Before the script's thread wakes: it is told by nobody else as soon.
        self.console.host().stop.stop_for_good(Stop::Cancelled);
    }

    /// Saves every named session that is open; they stay open. What failed stands in its outcome.
    pub async fn save_all(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let host = self.console.host();
        failure::redacted_outcomes(host.workspace.save_all(deadline).await, &host.redactor)
    }

    /// Ends it: sessions are saved and the browser is closed; of a pause: the script goes on, and nothing is saved.
    pub async fn finish(self, deadline: Deadline) -> Vec<SessionOutcome> {
        let host = self.console.host().clone();
        let is_pause = self.is_pause();
        // The thread ends, and with it what its variables hold.
        drop(self);
        if is_pause {
            return Vec::new();
        }
        super::end_showing(&host).await;
        let outcomes = host.workspace.finish(deadline).await;
        host.tell_notices();
        failure::redacted_outcomes(outcomes, &host.redactor)
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        // What the script itself types is kept by nobody.
        if self.is_pause() {
            self.console.host().progress.learn_passwords(false);
        }
    }
}

async fn open_session(host: &Host, id: &SessionId) -> Result<(), ScriptError> {
    let opened = host.workspace.session(id, &SessionOptions::default()).await?;
    host.announce(id.as_str(), opened.version().map(|version| version.0));
    host.tell_notices();
    Ok(())
}

fn failed(host: &Host, error: ScriptError) -> Box<Failure> {
    Box::new(failure::redacted(failure::of_script(error.into()), &host.redactor))
}

/// Who is handed the dialogue of a script's `pause()`; where there is nobody, `pause()` says so and the script goes on. The
/// script waits until the dialogue is finished or dropped. Called on the script's thread: it hands the dialogue on and returns.
#[derive(Clone, Default)]
pub struct Pauses(pub Option<Arc<dyn Fn(Dialogue) + Send + Sync>>);

impl Pauses {
    /// As the script floor knows it.
    pub(super) fn hook(self) -> Option<Box<dyn Fn(Console) + Send + Sync>> {
        let take = self.0?;
        Some(Box::new(move |console| take(Dialogue::over(console))))
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Pauses(taken)" } else { "Pauses(passed over)" })
    }
}
