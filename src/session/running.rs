//! The browser of a workspace while it runs, what belongs to it, and what is set up in it ahead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::JoinSet;

use crate::base::Deadline;
use crate::browser::{Browser, BrowserError, LaunchOptions, Launching};

use super::Session;
use super::chores::Chores;
use super::emulate::Own;
use super::kept::Opening;
use super::restorer::Gate;
use super::room::Room;
use super::visit;
use super::way::Way;

/// A browser that is starting or has started.
pub(super) struct Running {
    /// None where nothing was started, nor will be.
    launching: Option<Launching>,
    /// That of somebody else: our connection to it.
    visited: Option<Browser>,
    ready: Shared<BoxFuture<'static, Result<Ready, BrowserError>>>,
    /// Made and closed rooms.
    pub(super) chores: Arc<Chores>,
    /// At most one, finished or on its way.
    spare: Mutex<JoinSet<Option<Spare>>>,
    headed: bool,
}

/// What is set up ahead of its use. Closed when it goes.
pub(super) enum Spare {
    /// For any session.
    Room(Room),
    /// Open, and nobody's yet.
    Session(Session),
}

impl Spare {
    /// Whether it is what would be opened from `opening` now.
    pub(super) fn is_as(&self, opening: &Opening) -> bool {
        matches!(self, Self::Session(session) if session.is_as(opening))
    }
}

/// A browser that has started.
#[derive(Clone)]
pub(super) struct Ready {
    pub(super) browser: Browser,
    pub(super) gate: Arc<Gate>,
}

impl Running {
    /// Begins to start one.
    pub(super) fn begin(options: LaunchOptions) -> Arc<Self> {
        let headed = options.headed;
        let launching = Launching::begin(options);
        let launched = launching.clone();
        let ready = async move {
            let browser = launched.browser().await?;
            Ok(Ready { gate: Gate::new(browser.clone(), Own::of_browser(headed), headed), browser })
        };
        let (ready, chores, spare) = (ready.boxed().shared(), Arc::default(), Mutex::default());
        Arc::new(Self { launching: Some(launching), visited: None, ready, chores, spare, headed })
    }

    /// One that somebody else has: its tabs are used, and it goes on when this is closed.
    pub(super) fn visit(browser: Browser) -> Arc<Self> {
        let gate = Gate::new(browser.clone(), Own::of_browser(true), true);
        let ready = futures_util::future::ready(Ok(Ready { gate, browser: browser.clone() })).boxed().shared();
        let (chores, spare, visited) = (Arc::default(), Mutex::default(), Some(browser));
        Arc::new(Self { launching: None, visited, ready, chores, spare, headed: true })
    }

    /// One that never starts.
    pub(super) fn refused(why: BrowserError) -> Arc<Self> {
        let ready = futures_util::future::ready(Err(why)).boxed().shared();
        let (chores, spare) = (Arc::default(), Mutex::default());
        Arc::new(Self { launching: None, visited: None, ready, chores, spare, headed: false })
    }

    /// As it is now; none while it is still starting.
    pub(super) fn now(&self) -> Option<&Result<Ready, BrowserError>> {
        self.ready.peek()
    }

    /// Whether it did not start, or has gone since.
    pub(super) fn is_over(&self) -> bool {
        self.now().is_some_and(|ready| ready.as_ref().map_or(true, |ready| ready.browser.is_gone()))
    }

    /// Once it has started, or why it did not.
    pub(super) async fn ready(&self) -> Result<Ready, BrowserError> {
        self.ready.clone().await
    }

    /// What was set up ahead, if anything was. Where it is only on its way, it is still sooner there than anything begun now.
    pub(super) async fn spare(&self) -> Option<Spare> {
        // Dropped unused it is closed.
        let mut spare = std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner));
        spare.join_next().await.and_then(Result::ok).flatten()
    }

    /// A room for a session: the one that was set up ahead, or a new one, as one that goes out by `way` is in any case.
    pub(super) async fn room(&self, spare: Option<Spare>, way: Option<Way>) -> Result<(Ready, Room), BrowserError> {
        let ready = self.ready().await?;
        let room = match spare {
            _ if self.visited.is_some() => visit::room(&ready.gate).await?,
            Some(Spare::Room(room)) if way.is_none() && !room.context.is_forgotten() => room,
            _ => Room::open(&ready.gate, &self.chores, way).await?,
        };
        Ok((ready, room))
    }

    /// Sets up a room with a page in it, in the background, unless there is one; a whole session where `likely` says from what,
    /// with the storages of the origins that it is likely to visit. Not with a window: people would see it.
    pub(super) fn keep_spare(&self, likely: Option<(Opening, BTreeSet<String>)>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if self.headed || !spare.is_empty() {
            return;
        }
        // Not of self: what it belongs to could never end while it is at work.
        let (ready, chores) = (self.ready.clone(), self.chores.clone());
        spare.spawn(async move {
            let ready = ready.await.ok()?;
            if likely.as_ref().is_some_and(|(opening, _)| opening.has_proxy()) {
                // Its way out is found when it is opened.
                return None;
            }
            let room = Room::open(&ready.gate, &chores, None).await.ok()?;
            // Where something fails a session finds out why for itself.
            let Some((opening, origins)) = likely else {
                return room.page().await.is_ok().then_some(Spare::Room(room));
            };
            let session = Session::start(room, &ready.gate, opening, None).await.ok()?;
            session.restore_ahead(&origins).await.then_some(Spare::Session(session))
        });
    }

    /// Ends the browser, started or still starting, and all that was at work in it.
    pub(super) async fn close(&self, deadline: Deadline) {
        std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner)).abort_all();
        if let Some(launching) = &self.launching {
            launching.close(deadline).await;
        }
        if let Some(visited) = &self.visited {
            // Ours of it is the connection.
            visited.close(deadline).await;
        }
        self.chores.done().await;
    }
}
