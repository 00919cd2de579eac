//! The end of a workspace: what is open is saved, leases are given back, and the browser is ended, or given back too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use tokio::sync::Notify;

use crate::base::Deadline;

use super::kept::Opening;
use super::{SessionOutcome, Workspace};

impl Workspace {
    /// Saves every named session that is open, side by side; they stay open. What failed stands in its outcome.
    pub async fn save_all(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let named = self.0.open.borrow().named.clone();
        let saved = join_all(named.iter().map(|(_, session)| session.save_or_say(deadline))).await;
        saved.into_iter().flatten().collect()
    }

    /// Saves every named session, gives the leases back, closes the browser. Called once, whatever the script's end was.
    ///
    /// The browser is ended as soon as the states are read, while they are being written: nothing of it is needed then. That of a
    /// pool stays; the contexts in it are closed, which is not waited for.
    pub async fn finish(&self, deadline: Deadline) -> Vec<SessionOutcome> {
        let span = deadline.remaining();
        let _turn = self.turn().await;
        // What was being closed meanwhile, which may be a whole profile, is not at the expense of the others.
        let deadline = Deadline::after(span);
        let (mut named, mut retained, mut ended, mut running) = (Vec::new(), Vec::new(), Vec::new(), None);
        let mut throw_away = None;
        self.0.open.send_modify(|open| {
            ended = std::mem::take(&mut open.ended);
            named = std::mem::take(&mut open.named);
            retained = std::mem::take(&mut open.retained);
            throw_away = open.throw_away.take();
            open.lent.clear();
            (open.current, open.reopen) = (None, None);
            open.asked.clear();
            open.finishing = (ended.clone(), named.iter().map(|(_, session)| session.clone()).collect());
            open.ending = true;
            running.clone_from(&open.running);
        });
        // Some of the time is kept for writing and for ending the browser.
        let reading = Deadline::after(deadline.remaining().mul_f32(0.7));
        let unread = AtomicUsize::new(named.len());
        let all_read = Notify::new();
        let read = || {
            if unread.fetch_sub(1, Ordering::AcqRel) == 1 {
                all_read.notify_one();
            }
        };
        let write = join_all(named.iter().map(|(_, session)| async {
            // A context that stays warm needs another page for who comes next, which is made while this is saved.
            let pool = self.0.pool.as_ref().zip(running.as_ref()).filter(|(pool, _)| pool.keeps_warm());
            let ahead = Mutex::new(None);
            let read = || {
                *ahead.lock().unwrap_or_else(PoisonError::into_inner) = pool.and_then(|_| session.page_ahead());
                read();
            };
            let keep = |outcome: &SessionOutcome| {
                let ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(((pool, running), ahead)) = pool.zip(ahead) {
                    pool.keep_warm(session, outcome, running, ahead);
                }
            };
            session.save_last(reading, deadline, read, keep).await
        }));
        let give_back = join_all(retained.into_iter().map(Opening::finish));
        let close = async {
            if !named.is_empty() {
                all_read.notified().await;
            }
            if let Some(running) = running.as_ref().filter(|_| !self.shares_browser()) {
                running.close(deadline).await;
            }
        };
        let (outcomes, unopened, ()) = tokio::join!(write, give_back, close);
        if let Some(running) = running.filter(|_| self.shares_browser()) {
            // Whatever is still held of them: others use the browser.
            for session in named.iter().map(|(_, session)| session).chain(&throw_away) {
                running.chores.add(session.close());
            }
            self.part_with(&running, deadline).await;
        } else if let Some(sessions) = self.0.sessions.get() {
            sessions.purge().await;
        }
        let all: Vec<_> = ended.into_iter().chain(outcomes.into_iter().flatten()).chain(unopened).collect();
        // Nothing holds the sessions any longer.
        self.0.open.send_modify(|open| open.finishing = (all.clone(), Vec::new()));
        all
    }
}
