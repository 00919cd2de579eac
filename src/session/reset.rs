//! Starting over in one workspace: sessions are put back to what they were, in the same browser or in another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use crate::base::{Deadline, SessionId};
use crate::browser::LaunchOptions;

use super::running::Running;
use super::{Session, SessionOptions, Workspace};

/// How long a browser that is to make room for another may take to end in order; then it is killed.
const CLOSE: Duration = Duration::from_secs(5);

impl Workspace {
    /// Closes every context; what was not saved is dropped. Leases stay held, and `session(id)` opens a session again as it was
    /// last saved, or as it was restored where nothing was written. No session is current any more. The browser stays.
    ///
    /// What hangs in a page is not waited for: contexts are closed in the background. [`Session`]s and pages of before answer
    /// `session_closed` and `page_closed`.
    pub async fn reset(&self) {
        let turn = self.turn().await;
        let workspace = self.clone();
        // A task of its own, as sessions that are closed and not retained could not be opened again.
        finished(tokio::spawn(async move {
            workspace.close_all().await;
            workspace.0.open.send_modify(|open| {
                open.reopen = None;
                open.asked.clear();
            });
            drop(turn);
        }))
        .await;
    }

    /// As [`Self::reset`], in another browser: the old one is ended if it lives, the next verb starts one with `launch`, or as
    /// before. The session that was current is opened again, and current, at the next verb. Each session that was open tells what
    /// was asked of it when it is opened again, and goes out the same way, also where that is not saved: until a [`Self::reset`].
    pub async fn restart(&self, launch: Option<LaunchOptions>) {
        let turn = self.turn().await;
        let workspace = self.clone();
        finished(tokio::spawn(async move {
            let (was_current, asked) = {
                let open = workspace.0.open.borrow();
                let asked = open.named.iter().filter_map(|(id, session)| Some((id.clone(), session.asked()?)));
                (open.current.clone(), asked.collect::<Vec<_>>())
            };
            workspace.close_all().await;
            let mut running = None;
            workspace.0.open.send_modify(|open| {
                if let Some(session) = &was_current {
                    open.reopen = session.id().cloned();
                }
                open.asked.extend(asked);
                open.launch = launch.or(open.launch.take());
                // Taken before it ends: then its end is no accident.
                running = open.running.take();
            });
            if let Some(running) = running {
                workspace.part_with(&running, Deadline::after(CLOSE)).await;
            }
            drop(turn);
        }))
        .await;
    }

    /// These options, and what they leave open as it was asked of the session before a restart.
    pub(super) fn asked_again(&self, id: &SessionId, options: &SessionOptions) -> SessionOptions {
        let mut options = options.clone();
        let open = self.0.open.borrow();
        let id = open.retained.iter().find(|opening| opening.answers_to(id)).map_or(id, |opening| &opening.id);
        let Some((_, asked)) = open.asked.iter().find(|(of, _)| of == id) else { return options };
        options.through = options.through.or_else(|| asked.through.clone());
        if !options.anew {
            (options.identity, options.anew) = (options.identity.over(&asked.identity), asked.anew);
        }
        options
    }

    /// Sets up in the background, unless it is there, what the next session that is opened after a [`Self::reset`] moves into:
    /// a context with a page, or, where a named session has been opened in this workspace, that session (the first one) as it
    /// was last saved, with the storages of the origins that it has visited. A rerun then waits for none of this.
    ///
    /// For whoever is going to reset: ask once before the first run and again after each, when nothing else is going on.
    /// Starts the browser where none runs; does nothing in one with a window, nor in that of a pool.
    #[expect(clippy::unused_async, reason = "it needs a runtime, which an async function is sure of")]
    pub async fn keep_warm(&self) {
        if self.shares_browser() {
            return;
        }
        let likely = {
            let open = self.0.open.borrow();
            // A profile session is opened in a browser of its own: nothing is set up ahead of that.
            if open.named.first().is_some_and(|(_, session)| session.is_profile())
                || open.retained.first().is_some_and(|opening| opening.profile)
            {
                return;
            }
            let first = open.named.first().and_then(|(_, session)| Some((session.opening_now()?, session.visited())));
            first.or_else(|| Some((open.retained.first()?.clone(), BTreeSet::new())))
        };
        self.running().keep_spare(likely);
    }

    /// Resolves when the running browser is gone without [`Self::finish`] or [`Self::restart`]; pends while none runs.
    pub async fn browser_gone(&self) {
        let mut open = self.0.open.subscribe();
        loop {
            let (running, named) = {
                let open = open.borrow_and_update();
                let named = if open.ending { Vec::new() } else { open.named.clone() };
                (open.running.clone().filter(|_| !open.ending), named)
            };
            tokio::select! {
                () = gone(running.as_deref()) => {}
                own = own_gone(&named) => {
                    let open = open.borrow();
                    if !open.ending && open.named.iter().any(|(_, session)| session.is_same(own)) {
                        return;
                    }
                    continue;
                }
                changed = open.changed() => {
                    if changed.is_err() { std::future::pending().await }
                    continue;
                }
            }
            let open = open.borrow();
            // Not one that is being ended or was replaced in this moment.
            let same = running.zip(open.running.as_ref()).is_some_and(|(was, is)| Arc::ptr_eq(&was, is));
            if same && !open.ending {
                return;
            }
        }
    }

    /// Gives back what a reset has kept of a session and nobody will open again.
    pub(super) async fn let_go(&self, id: &SessionId) {
        let mut gone = Vec::new();
        self.0.open.send_modify(|open| gone.extend(open.retained.extract_if(.., |opening| opening.answers_to(id))));
        for opening in gone {
            opening.release().await;
        }
    }

    /// Closes every session and retains what the named ones are opened from. For whoever has the turn.
    async fn close_all(&self) {
        let (sessions, running) = {
            let open = self.0.open.borrow();
            let named = open.named.iter().map(|(_, session)| session);
            (named.chain(&open.throw_away).cloned().collect::<Vec<_>>(), open.running.clone())
        };
        let closed: Vec<_> = sessions.iter().map(Session::close).collect();
        if let Some(running) = running {
            running.chores.add(async { drop(join_all(closed).await) });
        }
        // Those with a browser of their own are opened again in another one.
        join_all(sessions.iter().filter_map(Session::own).map(|own| own.end())).await;
        let retained = join_all(sessions.iter().map(Session::opening)).await;
        self.0.open.send_modify(|open| {
            open.retained.extend(retained.into_iter().flatten());
            open.retained.retain(|opening| !opening.is_lost());
            open.named.clear();
            open.lent.clear();
            open.ended.clear();
            (open.throw_away, open.current) = (None, None);
        });
    }
}

/// Waits for the end of a browser that has started.
async fn gone(running: Option<&Running>) {
    if let Some(running) = running
        && let Ok(ready) = running.ready().await
    {
        ready.browser.gone().await;
        return;
    }
    std::future::pending::<()>().await;
}

/// Waits for the end of a browser that a session has for itself.
async fn own_gone(named: &[(SessionId, Session)]) -> &Session {
    let owners = named.iter().filter_map(|(_, session)| Some((session, session.own()?.browser().clone())));
    let mut gone: FuturesUnordered<_> = owners
        .map(|(session, browser)| async move {
            browser.gone().await;
            session
        })
        .collect();
    match gone.next().await {
        Some(session) => session,
        None => std::future::pending().await,
    }
}

async fn finished(task: tokio::task::JoinHandle<()>) {
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
}
