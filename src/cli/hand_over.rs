//! Sessions of a run on live pages of this machine: `pause_for_human(..)` and `session(.., #{ live: true })` of a script that runs on a
//! command line.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use rustix::termios::{QueueSelector, tcflush};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::keys::is_ours;
use super::live_page::Shown;
use super::terminal::Terminal;
use crate::base::SessionId;
use crate::live::Paused;
use crate::page::Page;
use crate::run::{Attach, Handing, Handover, ScriptError};
use crate::serve::LiveAddress;
use crate::session::Session;

/// How a live view ends for those who look on when the script goes on without them.
const DONE: &str = "done";

/// The live pages of one run.
pub(super) struct LivePages {
    terminal: Terminal,
    shown: Mutex<Vec<(Session, Arc<Shown>)>>,
    /// Whether Enter on the terminal says that it is done, too.
    enter: bool,
    /// Whether the browser's window shows the sessions, and who sits at it needs nothing else.
    window: bool,
}

impl LivePages {
    /// For a run whose terminal is read by nobody else where `enter` is true, and whose browser has a window where `headed` is.
    pub fn new(terminal: &Terminal, enter: bool, headed: bool) -> Arc<Self> {
        let enter = enter && std::io::stdin().is_terminal();
        // With a window and no terminal only the page has a button that says when it is done.
        Arc::new(Self { terminal: terminal.clone(), shown: Mutex::default(), enter, window: headed && enter })
    }

    fn shown(&self) -> MutexGuard<'_, Vec<(Session, Arc<Shown>)>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, session: &Session) -> Option<Arc<Shown>> {
        self.shown().iter().find(|(known, _)| known.is_same(session)).map(|(_, shown)| shown.clone())
    }

    async fn open(&self, session: Session, page: Option<Page>) -> Result<String, ScriptError> {
        let known = self.find(&session);
        let shown = match known {
            Some(shown) => shown,
            // It is there already; whoever wants it to be watched means others.
            None if self.window && page.is_some() => return Ok(String::new()),
            None => {
                let bound = LiveAddress::bind(([127, 0, 0, 1], 0).into()).await;
                let address = bound.map_err(|error| ScriptError::new(error.code(), error.to_string()))?;
                let shown = Arc::new(Shown::open(session.clone(), address, true).await?);
                self.shown().push((session, shown.clone()));
                shown
            }
        };
        if let Some(page) = page {
            shown.live().bring_to_front(&page);
        }
        Ok(shown.url().to_owned())
    }

    async fn wait(&self, session: Session, reason: String) -> Result<(), ScriptError> {
        let shown = self.find(&session);
        let place =
            if shown.is_some() { "there; press Done, or Enter here," } else { "in the window; press Enter here" };
        let done = async {
            match shown {
                Some(shown) => shown.live().pause(&reason).done().await,
                None => std::future::pending().await,
            }
        };
        if self.enter {
            // What was typed before was for something else.
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
            self.terminal.say(&format!("{place} when it is done"));
        }
        let entered = async { if self.enter { enter().await } else { std::future::pending().await } };
        tokio::select! {
            ended = done => match ended {
                Paused::Done => Ok(()),
                Paused::Ended => Err(ScriptError::new("live_ended", "the live view ended before anybody said that it is done")),
            },
            () = entered => Ok(()),
        }
    }
}

/// Waits for Enter on the terminal; for ever where that is somebody else's at this time.
async fn enter() {
    if !is_ours() || line().await.is_none() {
        // The end of a terminal says nothing.
        std::future::pending::<()>().await;
    }
}

/// Waits for a line on the terminal and takes it; none at its end.
#[expect(deprecated, reason = "its successor is unsafe for descriptors that change under it; an owned one does not")]
async fn line() -> Option<usize> {
    let stdin = rustix::io::dup(std::io::stdin()).ok()?;
    let stdin = AsyncFd::with_interest(stdin, Interest::READABLE).ok()?;
    // A terminal has something to read once there is a whole line.
    stdin.readable().await.ok()?.clear_ready();
    let mut line = [0; 1024];
    rustix::io::read(stdin.get_ref(), &mut line).ok().filter(|count| *count > 0)
}

impl Handover for LivePages {
    fn attach(&self, id: SessionId) -> Handing<'_, Attach> {
        async move { Ok(Attach::Nobody(id)) }.boxed()
    }

    fn show(&self, session: Session, page: Option<Page>) -> Handing<'_, String> {
        self.open(session, page).boxed()
    }

    fn ask(&self, session: Session, reason: String) -> Handing<'_, ()> {
        self.wait(session, reason).boxed()
    }

    fn hide(&self, session: Session) -> BoxFuture<'_, ()> {
        let mut hidden = Vec::new();
        hidden.extend(self.shown().extract_if(.., |(known, _)| known.is_same(&session)));
        close(hidden).boxed()
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        let hidden = std::mem::take(&mut *self.shown());
        close(hidden).boxed()
    }
}

async fn close(hidden: Vec<(Session, Arc<Shown>)>) {
    join_all(hidden.iter().map(|(_, shown)| shown.close(DONE))).await;
}

impl fmt::Debug for LivePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LivePages({})", self.shown().len())
    }
}
