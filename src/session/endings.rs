//! What ends an open session before its run does: it is closed, deleted, or rolled back and opened again.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Version, reached, with_causes};

use super::kept::{Back, Kept, Named, Opening};
use super::lease::Lease;
use super::save::Base;
use super::sessions::Prefetched;
use super::versions::RolledBack;
use super::{Identity, Saving, Session, SessionError, SessionOptions, SessionOutcome, Workspace, outbox};

/// How long a store that is away is waited for with what a session was recovered to.
const PATIENCE: Duration = Duration::from_secs(5);
/// Why nothing can be done to what is kept of a session of which nothing is.
const THROW_AWAY: &str = "nothing of it is kept; session(\"acme\") opens one that is";
const READ_ONLY: &str = "it was opened read-only; leave mode: \"read_only\" out";
const AT_END: &str = "in watch mode nothing is written before its end; --keep-state writes as a run does";

impl Workspace {
    /// Saves a session as [`Session::save`] does, gives its lease back and closes its context; its outcome is told by
    /// [`Self::finish`], too. Where it cannot be saved it stays open. None for a throw-away one, which is closed. With
    /// [`Saving::AtEnd`] it stays open and is only not the current one any more. The browser of a profile session is ended, which may take
    /// seconds, and its profile is kept; what fails after that stands in the outcome.
    pub async fn close(&self, session: &Session, deadline: Deadline) -> Result<Option<SessionOutcome>, SessionError> {
        self.on_open(session, move |workspace, session| async move {
            let Some(kept) = &session.0.kept else {
                workspace.take_out(&session);
                workspace.discard(&session);
                return Ok(None);
            };
            if kept.saving == Saving::AtEnd && kept.lease.is_some() {
                let outcome = session.save(deadline).await?;
                workspace.leave(&session);
                return Ok(outcome);
            }
            // A browser that is ended on purpose is no accident: out of sight before it goes.
            let ending = || drop(workspace.take_out(&session));
            let mut outcome = session.save_at_close(deadline, ending).await?;
            workspace.take_out(&session);
            workspace.discard(&session);
            session.give_back(kept, &mut outcome).await;
            workspace.0.open.send_modify(|open| open.ended.push(outcome.clone()));
            Ok(Some(outcome))
        })
        .await
    }

    /// Deletes what is kept of a session under the lease that it holds, its key first, and closes its context. The run goes on
    /// without it: [`Self::session`] with its id begins anew.
    pub async fn delete(&self, session: &Session) -> Result<(), SessionError> {
        self.on_open(session, |workspace, session| async move {
            let (kept, lease) = session.writable("deleted")?;
            // No save is being written, nor will one begin.
            let _none_is_written = session.0.busy.lock().await;
            // Out of sight first: of a deleted session there is no lease, and that is no loss of it.
            let was = workspace.take_out(&session);
            let name = kept.sessions.name(&kept.tenant, &kept.id);
            let orphaned = match kept.sessions.records().delete(&name, lease.owner(), lease.fence()).await {
                Ok(orphaned) => orphaned,
                Err(error) => {
                    workspace.put_back(&session, was);
                    return Err(error.into());
                }
            };
            reached("delete.record_gone");
            workspace.discard(&session);
            kept.release().await;
            kept.sessions.tidy(&orphaned).await;
            kept.sessions.forget_aliases(&kept.tenant, &kept.id).await;
            // The key that opens it has gone with the record. What cannot be removed is of no use to anybody.
            if let Err(error) = outbox::forget(&kept.sessions, &kept.tenant, &kept.id) {
                let told = format!("session {:?}: {}", kept.id.as_str(), with_causes(&error));
                workspace.notices().push(told);
            }
            let outcome = SessionOutcome { version: None, updated: false, deleted: true, ..kept.outcome() };
            workspace.0.open.send_modify(|open| open.ended.push(outcome));
            Ok(())
        })
        .await
    }

    /// Makes what a kept version holds the newest version again, under the lease that the session holds, and opens the session
    /// anew as it is then; what was not saved is dropped, and its pages are closed. [`Session::latest`] of the old handle is the
    /// new session. Without a new version where `to` is the newest already.
    pub async fn roll_back(&self, session: &Session, to: Version) -> Result<RolledBack, SessionError> {
        self.on_open(session, move |workspace, session| async move {
            let (kept, lease) = session.writable("rolled back")?;
            // No save or checkpoint is being written, nor will one be.
            let _none_is_written = session.0.busy.lock().await;
            let (done, opening) = roll_back(kept, lease, to).await?;
            reached("rollback.committed");
            if done.version == done.from {
                // No commit took the place of what a checkpoint holds.
                session.0.checkpoints.stop();
                session.0.checkpoints.withdraw(kept).await;
            }
            workspace.reopen(&session, opening, Identity::default()).await?;
            Ok(done)
        })
        .await
    }

    /// Opens a session anew without what a run had left that ended without saving. Nothing where that is a version.
    pub(super) async fn fall_back(&self, session: &Session) -> Result<(), SessionError> {
        self.on_open(session, |workspace, session| async move {
            let Some(kept) = &session.0.kept else { return Ok(()) };
            let (Some(recovered), Some(target)) = (&kept.recovered, kept.target()) else { return Ok(()) };
            let _none_is_written = session.0.busy.lock().await;
            let Some((base, told)) = recovered.decline(&target).await else { return Ok(()) };
            workspace.notices().push(told);
            let named = Named { recovered: None, ..kept.named.clone() };
            let identity = kept.identity().asked();
            // What it was to tell sites was asked for a moment ago, and is no part of what is dropped.
            workspace.reopen(&session, Opening { named, base: Arc::new(base) }, identity).await
        })
        .await
    }

    /// Closes it, and opens it from `opening`; the old handle leads to the new session. Where that fails its lease stays held,
    /// and [`Self::session`] tries again.
    async fn reopen(&self, session: &Session, opening: Opening, identity: Identity) -> Result<(), SessionError> {
        let was = self.take_out(session);
        self.discard(session);
        let id = opening.id.clone();
        self.0.open.send_modify(|open| open.retained.push(opening));
        let options = SessionOptions { identity, through: session.through(), ..SessionOptions::default() };
        let never = CancellationToken::new();
        let reopened = Box::pin(self.open(&id, &options, &never)).await?;
        reopened.guard_as(session);
        // Set once: one that is open no more is not opened anew.
        let _ = session.0.successor.set(reopened);
        if !was.is_current {
            self.0.open.send_modify(|open| open.current = was.current);
        }
        Ok(())
    }

    /// Does `work` with the session as it is by now, to its end also where nobody waits for that any more. None is opened or
    /// closed meanwhile. [`SessionError::Closed`] where it is open no more.
    async fn on_open<T, F>(
        &self,
        session: &Session,
        work: impl FnOnce(Self, Session) -> F + Send + 'static,
    ) -> Result<T, SessionError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SessionError>> + Send + 'static,
    {
        let turn = self.turn().await;
        let session = session.latest();
        self.may_end(&session)?;
        let is_open = {
            let open = self.0.open.borrow();
            let mut all = open.named.iter().map(|(_, session)| session).chain(&open.throw_away);
            all.any(|open| open.is(&session))
        };
        if !is_open {
            return Err(SessionError::Closed { id: session.id().cloned() });
        }
        let workspace = self.clone();
        let task = tokio::spawn(async move {
            let done = work(workspace, session).await;
            drop(turn);
            done
        });
        task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Takes it out of those that are open; what was current before.
    fn take_out(&self, session: &Session) -> Was {
        let current = self.0.open.borrow().current.clone();
        self.leave(session);
        self.0.open.send_modify(|open| {
            open.named.retain(|(_, open)| !open.is(session));
            open.throw_away.take_if(|open| open.is(session));
            open.current.take_if(|open| open.is(session));
        });
        Was { is_current: current.as_ref().is_some_and(|current| current.is(session)), current }
    }

    /// The other way round.
    fn put_back(&self, session: &Session, was: Was) {
        let Some(id) = session.id() else { return };
        self.0.open.send_modify(|open| {
            open.named.push((id.clone(), session.clone()));
            open.current = was.current;
        });
    }

    /// Verbs without a session go to the throw-away one from here on, if they went to this one.
    fn leave(&self, session: &Session) {
        self.0.open.send_modify(|open| {
            if open.current.as_ref().is_some_and(|current| current.is(session)) {
                open.current = open.throw_away.clone();
            }
        });
    }

    /// Closes its context, whatever hangs in it.
    fn discard(&self, session: &Session) {
        let closed = session.close();
        if let Some(running) = &self.0.open.borrow().running {
            running.chores.add(closed);
        }
    }
}

/// What was there before a session was taken out.
struct Was {
    is_current: bool,
    current: Option<Session>,
}

impl Session {
    fn is(&self, other: &Session) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What only a session has of which something is kept that may be changed now.
    fn writable(&self, what: &'static str) -> Result<(&Kept, &Lease), SessionError> {
        let fixed = |why| SessionError::Fixed { id: self.id().cloned(), what, why };
        let kept = self.0.kept.as_ref().ok_or_else(|| fixed(THROW_AWAY))?;
        match &kept.lease {
            None => Err(fixed(READ_ONLY)),
            Some(_) if kept.saving == Saving::AtEnd => Err(fixed(AT_END)),
            Some(lease) => Ok((kept, lease)),
        }
    }
}

/// Writes what a version holds as the newest one; what the session is to be opened from then.
async fn roll_back(kept: &Kept, lease: &Lease, to: Version) -> Result<(RolledBack, Opening), SessionError> {
    let Named { sessions, tenant, id, ttl, .. } = &kept.named;
    // What it was recovered to is what it would go back from.
    kept.confirm(Deadline::after(PATIENCE)).await?;
    let base = kept.base();
    let Some(from) = base.version() else {
        return Err(SessionError::NoVersion { id: id.clone(), version: to, kept: Vec::new() });
    };
    sessions.before_sealing(tenant).await?;
    let (done, stored) = sessions.roll_back_held(tenant, id, lease, |_| *ttl, (from, to)).await?;
    let Some(stored) = stored else {
        return Ok((done, Opening { named: kept.named.clone(), base: Arc::new(base.afresh()) }));
    };
    let restored = kept.rolled_back.map_or(kept.opened.version(), |back| back.restored);
    let named = Named { rolled_back: Some(Back { restored, to }), ..kept.named.clone() };
    Ok((done, Opening { named, base: Arc::new(Base::of(Some(stored), Prefetched::new())) }))
}
