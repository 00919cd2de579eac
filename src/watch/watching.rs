//! The loop: what changed, what is wanted, what runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::task::{Before, Ground, Task, Tell};
use super::{News, Order};
use crate::base::{Deadline, Redactor};
use crate::browser::LaunchOptions;
use crate::diagnose::usage_failure;
use crate::files::{FilesError, Watch};
use crate::page::ScreenshotOptions;
use crate::run::{self, Event, FINISH, Failure, Job, Report};
use crate::session::{Saving, SessionOutcome, Workspace};

/// How long a screenshot may take.
const SCREENSHOT: Duration = Duration::from_secs(10);
/// How often a script is read anew because it imports files that were not watched when it was read.
const ROUNDS: usize = 4;

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the script is run; its source does not matter.
    pub job: Job,
    /// The script.
    pub file: PathBuf,
    /// Whether each run goes on from where the last one ended. Otherwise each begins with the state from before the first,
    /// and only what the last one leaves is saved, at the end.
    pub keep_state: bool,
}

/// Runs a script, and again whenever it or what it imports has changed, in one browser. Returns when `quit` is cancelled, having
/// saved the sessions and closed the browser; dropped, it ends at once, nothing more is saved and the browser is killed.
///
/// A change while the script runs stops it at its next await. One after which it cannot run is told and changes nothing. While
/// `held` is true changes wait without a word: a person is at work in the script that runs.
pub async fn watch(
    plan: Plan,
    mut orders: mpsc::Receiver<Order>,
    mut held: watch::Receiver<bool>,
    quit: CancellationToken,
    tell: impl Fn(News) + Send + Sync + 'static,
) -> Result<Vec<SessionOutcome>, FilesError> {
    let mut watching = Watching::new(plan, Arc::new(tell))?;
    let watched = watching.watch(&mut orders, &mut held, &quit).await;
    // Also where files can be watched no more: what the last run left is not lost.
    let saved = watching.finish().await;
    watched.map(|()| saved)
}

async fn end(task: &mut Option<Task>) -> Report {
    match task {
        Some(task) => task.end().await,
        None => std::future::pending().await,
    }
}

/// The end of something that may be under way; once it has come it is under way no more.
async fn done(work: &mut Before) {
    match work {
        Some(going_on) => going_on.await,
        None => std::future::pending().await,
    }
    *work = None;
}

struct Watching {
    plan: Plan,
    tell: Tell,
    files: Watch,
    followed: BTreeSet<PathBuf>,
    workspace: Workspace,
    task: Option<Task>,
    /// What runs once the task has ended, and the changes that led to it.
    next: Option<(Job, Vec<PathBuf>)>,
    /// How the browser is to be started anew before the next run.
    launch: Option<Box<LaunchOptions>>,
    has_run: bool,
    paused: bool,
    /// Another browser is on its way in place of one that ended. The next run waits for it.
    replacing: Before,
    /// What the next run needs is being got ready. No run waits for it.
    warming: Before,
    /// Screenshots that are being taken.
    shots: JoinSet<()>,
}

impl Watching {
    fn new(mut plan: Plan, tell: Tell) -> Result<Self, FilesError> {
        plan.job.workspace.saving = if plan.keep_state { Saving::AsAsked } else { Saving::AtEnd };
        let mut files = Watch::new()?;
        let followed = BTreeSet::from([plan.file.clone()]);
        files.follow(followed.clone())?;
        Ok(Self {
            workspace: Workspace::new(plan.job.workspace.clone()),
            plan,
            tell,
            files,
            followed,
            task: None,
            next: None,
            launch: None,
            has_run: false,
            paused: false,
            replacing: None,
            warming: None,
            shots: JoinSet::new(),
        })
    }

    /// Nothing that takes its time is waited for in an arm: `quit` and orders are heard at every moment.
    async fn watch(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        held: &mut watch::Receiver<bool>,
        quit: &CancellationToken,
    ) -> Result<(), FilesError> {
        self.rerun(Vec::new()).await?;
        while !quit.is_cancelled() {
            let rests = self.task.is_none() && self.replacing.is_none();
            let is_held = *held.borrow_and_update();
            tokio::select! {
                () = quit.cancelled() => {}
                report = end(&mut self.task) => {
                    self.ended(report);
                    self.get_ready();
                }
                changed = self.files.changed(), if !self.paused && !is_held => self.rerun(changed?).await?,
                Some(order) = orders.recv() => self.obey(order).await?,
                Ok(()) = held.changed() => {}
                () = self.workspace.browser_gone(), if rests => self.replace_browser(),
                () = done(&mut self.replacing) => {}
                () = done(&mut self.warming) => {}
                Some(_) = self.shots.join_next() => {}
            }
        }
        Ok(())
    }

    /// Runs what the files hold now, if it can run.
    async fn rerun(&mut self, changed: Vec<PathBuf>) -> Result<(), FilesError> {
        match self.newest().await? {
            Ok(job) => {
                let earlier = self.next.take().map(|(_, changed)| changed).unwrap_or_default();
                let changed =
                    earlier.into_iter().filter(|file| !changed.contains(file)).chain(changed.clone()).collect();
                self.next = Some((job, changed));
                match &self.task {
                    Some(task) => task.cancel(),
                    None => self.start(),
                }
            }
            Err(report) => (self.tell)(News::Refused { changed, report }),
        }
        Ok(())
    }

    /// The script as it is now, or why it cannot run.
    async fn newest(&mut self) -> Result<Result<Job, Box<Report>>, FilesError> {
        let mut job = self.plan.job.clone();
        let mut failure = None;
        for _ in 0..ROUNDS {
            let read = self.files.read(&self.plan.file);
            let text = read.map_err(|error| error.to_string());
            let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string()));
            match text {
                Ok(text) => job.source = text,
                Err(reason) => return Ok(Err(refused(job, unreadable(&self.plan.file, &reason)))),
            }
            let checked = run::check(&job).await;
            failure = checked.failure;
            let mut followed: BTreeSet<PathBuf> = checked.imports.into_iter().collect();
            followed.insert(self.plan.file.clone());
            let is_known = followed.is_subset(&self.followed);
            self.files.follow(followed.iter().cloned())?;
            self.followed = followed;
            if is_known {
                break;
            }
            // It may have been read before it was watched.
        }
        Ok(match failure {
            Some(failure) => Err(refused(job, failure)),
            None => Ok(job),
        })
    }

    fn start(&mut self) {
        let Some((job, changed)) = self.next.take() else { return };
        let ground = match self.launch.take() {
            Some(launch) => Ground::Restarted(launch),
            None if self.has_run => Ground::PutBack,
            None => Ground::Untouched,
        };
        self.has_run = true;
        self.warming = None;
        let before = self.replacing.take();
        (self.tell)(News::Started { changed });
        self.task = Some(Task::new(&self.workspace, before, ground, job, self.plan.keep_state, self.tell.clone()));
    }

    fn ended(&mut self, report: Report) {
        self.task = None;
        let superseded = self.next.is_some();
        (self.tell)(News::Ended { report: Box::new(report), superseded });
        self.start();
    }

    /// While nothing goes on: what the next run needs of the browser, where this script has any use for one.
    fn get_ready(&mut self) {
        if self.task.is_some() {
            return;
        }
        let workspace = self.workspace.clone();
        let warm = async move {
            if workspace.browser_pid().await.is_some() {
                workspace.keep_warm().await;
            }
        };
        self.warming = Some(warm.boxed());
    }

    async fn obey(&mut self, order: Order) -> Result<(), FilesError> {
        match order {
            Order::Rerun => self.rerun(Vec::new()).await?,
            Order::Restart(launch) => {
                self.launch = Some(launch);
                self.rerun(Vec::new()).await?;
            }
            Order::Pause => {
                self.paused = !self.paused;
                (self.tell)(News::Paused(self.paused));
            }
            Order::Screenshot => self.screenshot(),
        }
        Ok(())
    }

    /// Beside everything else: a page that is stuck holds up nobody.
    fn screenshot(&mut self) {
        let tell = self.tell.clone();
        let Some(page) = self.workspace.open_page() else { return tell(News::NoPage) };
        self.shots.spawn(async move {
            match page.screenshot(&ScreenshotOptions::default(), Deadline::after(SCREENSHOT)).await {
                Ok(picture) => tell(News::Screenshot(picture)),
                Err(error) => {
                    let failure = usage_failure(error.error.code(), error.to_string(), None);
                    tell(News::ScreenshotFailed(Box::new(failure)));
                }
            }
        });
    }

    fn replace_browser(&mut self) {
        (self.tell)(News::BrowserGone);
        let workspace = self.workspace.clone();
        let replace = async move {
            workspace.restart(None).await;
            workspace.keep_warm().await;
        };
        self.replacing = Some(replace.boxed());
    }

    async fn finish(mut self) -> Vec<SessionOutcome> {
        (self.next, self.warming, self.replacing) = (None, None, None);
        if let Some(task) = &mut self.task {
            task.cancel();
            let report = task.end().await;
            self.ended(report);
        }
        self.shots.shutdown().await;
        let saved = self.workspace.finish(Deadline::after(FINISH)).await;
        let redactor = Redactor::default();
        self.plan.job.secrets.values().for_each(|secret| redactor.learn(secret));
        for text in self.workspace.take_notices() {
            (self.tell)(News::Event(Event::Notice { text: redactor.redact(&text) }));
        }
        saved
    }
}

fn unreadable(file: &std::path::Path, reason: &str) -> Failure {
    usage_failure("file_error", format!("the script {} cannot be read: {reason}", file.display()), None)
}

fn refused(job: Job, failure: Failure) -> Box<Report> {
    Box::new(Report {
        result: Value::Null,
        failure: Some(failure),
        sessions: Vec::new(),
        duration: Duration::ZERO,
        source: job.source,
        name: job.name,
    })
}
