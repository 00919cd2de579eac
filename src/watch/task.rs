//! One run in the kept workspace, from putting the state back to what it came to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::News;
use crate::browser::LaunchOptions;
use crate::run::{Job, Report, run_in};
use crate::session::Workspace;

/// How long it may take to save what a run is to hand on to the next.
const SAVING: Duration = Duration::from_secs(30);

/// Whoever is told the news.
pub type Tell = Arc<dyn Fn(News) + Send + Sync>;

/// What a run finds.
pub enum Ground {
    /// Nothing has run yet.
    Untouched,
    /// The state as it was before the last run, in the same browser.
    PutBack,
    /// The same in another browser.
    Restarted(Box<LaunchOptions>),
}

/// What a run waits for before it puts its ground in order.
pub type Before = Option<BoxFuture<'static, ()>>;

/// A run under way. Dropped, it is given up.
pub struct Task {
    cancel: CancellationToken,
    running: BoxFuture<'static, Report>,
}

impl Task {
    /// A run that begins when it is first polled, once `before` is done. Where `keeps` is set, what it leaves is saved for the
    /// next one.
    pub fn new(workspace: &Workspace, before: Before, ground: Ground, job: Job, keeps: bool, tell: Tell) -> Self {
        let (workspace, cancel) = (workspace.clone(), CancellationToken::new());
        let asked = cancel.clone();
        let running = async move {
            if let Some(before) = before {
                before.await;
            }
            match ground {
                Ground::Untouched => {}
                Ground::PutBack => workspace.reset().await,
                Ground::Restarted(launch) => {
                    // What the last run asked of its sessions is nothing to this one.
                    workspace.reset().await;
                    workspace.restart(Some(*launch)).await;
                }
            }
            // A script that does not notice its end must not tell into the next run.
            let over = Arc::new(AtomicBool::new(false));
            let muted = over.clone();
            let events = move |event| {
                if !muted.load(Ordering::Acquire) {
                    tell(News::Event(event));
                }
            };
            let report = run_in(&workspace, job, asked, keeps.then_some(SAVING), events).await;
            over.store(true, Ordering::Release);
            report
        };
        Self { cancel, running: running.boxed() }
    }

    /// Asks it to end at its next await.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Its end. Nothing is lost where this is dropped.
    pub async fn end(&mut self) -> Report {
        (&mut self.running).await
    }
}
