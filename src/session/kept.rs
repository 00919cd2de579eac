//! What a named session has beside its browser context: what it is opened from, its lease, and how its state is written.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Deadline, SessionId, Tenant, Version, reached, with_causes};
use crate::seal::DataKey;

use super::emulate::KeptIdentity;
use super::keys::seal_error;
use super::large::Spool;
use super::lease::Lease;
use super::part::Names;
use super::patience::is_away;
use super::profile::{Archived, OwnBrowser};
use super::recover::Recovered;
use super::restorer::Restorer;
use super::save::{self, Base, Target};
use super::sessions::Sessions;
use super::waiting::Place;
use super::{Change, Partial, Saved, Saving, SessionError, SessionOutcome, outbox, profile};

/// The codes of commits that will never be done.
const REFUSED: [&str; 2] = ["lease_lost", "conflict"];

/// A named session, wherever it is: opened, or about to be. Cheap to clone.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) id: SessionId,
    pub(super) tenant: Tenant,
    pub(super) sessions: Sessions,
    /// None where it is only read.
    pub(super) lease: Option<Arc<Lease>>,
    pub(super) ttl: Option<Duration>,
    /// The session that was asked for, where that was in use and this is a fork of it.
    pub(super) forked_from: Option<SessionId>,
    pub(super) saving: Saving,
    /// Set where the id had run out when the lease was taken.
    pub(super) expired_at: Option<String>,
    /// Whether it runs in a browser of its own, whose user-data directory is kept.
    pub(super) profile: bool,
    /// Set where it was opened with what a run that ended without saving had left.
    pub(super) recovered: Option<Arc<Recovered>>,
    /// Set where the run has rolled it back.
    pub(super) rolled_back: Option<Back>,
    /// Where a state of an earlier run went that waited in the outbox, as others had written the session since.
    pub(super) forked_to: Option<SessionId>,
}

/// What a rollback in the middle of a run leaves to be told.
#[derive(Clone, Copy)]
pub(super) struct Back {
    /// The version that the run had begun with.
    pub(super) restored: Option<Version>,
    /// The version whose content was taken.
    pub(super) to: Version,
}

/// What only a named session has while it is open.
pub(super) struct Kept {
    pub(super) named: Named,
    pub(super) restorer: Option<Arc<Restorer>>,
    /// What the next save is compared with.
    pub(super) base: Mutex<Arc<Base>>,
    /// What it was opened with; its outcome is told against this.
    pub(super) opened: Arc<Base>,
    /// Its own browser, of a profile session.
    pub(super) own: Option<Arc<OwnBrowser>>,
    /// What its pages tell sites, to be kept with the next version.
    pub(super) identity: Mutex<KeptIdentity>,
    /// What the run has saved of it so far: what changed since it was opened, and what could not be kept.
    pub(super) saved_so_far: Mutex<(Vec<Change>, Vec<Partial>)>,
}

/// All that a named session is opened from: its lease, if it is to be saved, and its state as it is in the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) named: Named,
    pub(super) base: Arc<Base>,
}

impl Deref for Kept {
    type Target = Named;

    fn deref(&self) -> &Named {
        &self.named
    }
}

impl Deref for Opening {
    type Target = Named;

    fn deref(&self) -> &Named {
        &self.named
    }
}

impl Opening {
    /// Whether it is kept with a proxy.
    pub(super) fn has_proxy(&self) -> bool {
        self.base.identity().is_some_and(|identity| identity.asked().proxy.is_some())
    }
}

impl Named {
    /// Whether `id` is what it was asked for by: its own, or that of the session that it is a fork of.
    pub(super) fn answers_to(&self, id: &SessionId) -> bool {
        self.id == *id || self.forked_from.as_ref() == Some(id)
    }

    /// Whether its lease was lost since.
    pub(super) fn is_lost(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.lost().is_cancelled())
    }

    /// Where its versions are written; none where it is only read.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        let Self { sessions, tenant, id, ttl, .. } = self;
        self.lease.as_deref().map(|lease| Target { sessions, tenant, id, ttl: *ttl, lease })
    }

    /// Makes what it was recovered to a version, unless it is one; answers what the user is told, the first time. Where the
    /// session has a guard, for when that has passed; nothing else of it is written before.
    pub(super) async fn confirm(&self, deadline: Deadline) -> Result<Option<String>, SessionError> {
        match (&self.recovered, self.target()) {
            (Some(recovered), Some(target)) => recovered.write(&target, deadline).await,
            _ => Ok(None),
        }
    }

    /// Whether it was opened from a version that is in the store.
    pub(super) fn is_confirmed(&self) -> bool {
        self.recovered.as_ref().is_none_or(|recovered| recovered.is_written())
    }

    /// The newest version that is in the store, of what it is opened from or was saved to since.
    fn written_of(&self, base: &Base) -> Option<Version> {
        match self.recovered.as_ref().filter(|recovered| !recovered.is_written()) {
            Some(recovered) => recovered.before,
            None => base.version(),
        }
    }

    /// Whether it was recovered, to what is a version now.
    fn is_recovered(&self) -> bool {
        self.recovered.as_ref().is_some_and(|recovered| recovered.id == self.id && recovered.is_written())
    }

    /// Gives its lease back, if it has one.
    pub(super) async fn release(&self) {
        if let Some(lease) = &self.lease {
            lease.release().await;
        }
    }
}

impl Kept {
    /// Of a session whose context holds what `base` says, but for what the restorer has still to put in place.
    pub(super) fn resumed(named: Named, restorer: Option<Arc<Restorer>>, base: Arc<Base>) -> Self {
        let identity = Mutex::new(base.identity().cloned().unwrap_or_default());
        let saved_so_far = Mutex::default();
        Self { named, restorer, base: Mutex::new(base.clone()), opened: base, own: None, identity, saved_so_far }
    }

    pub(super) fn base(&self) -> Arc<Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where large parts go while they are read.
    pub(super) fn spool(&self, base: &Base) -> Result<Spool, SessionError> {
        let key = match base.stored() {
            Some(stored) => stored.key.clone(),
            None => DataKey::generate().map_err(|error| seal_error("a new key", error))?,
        };
        Ok(Spool { sessions: self.sessions.clone(), tenant: self.tenant.clone(), key })
    }

    /// What its pages tell sites. Never held over an await.
    pub(super) fn identity(&self) -> MutexGuard<'_, KeptIdentity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the parts held when they were restored, by storage key, and what could not be.
    pub(super) fn restored(&self) -> (HashMap<String, Names>, Vec<Partial>) {
        let (mut names, failed) = match &self.restorer {
            Some(restorer) => {
                let done = restorer.done();
                (done.names.clone(), done.failed.clone())
            }
            None => Default::default(),
        };
        names.extend(self.own.iter().flat_map(|own| own.learnt()));
        (names, failed)
    }

    /// Whether what is kept of this storage key was there when the browser had started.
    pub(super) fn is_in_place(&self, key: &str) -> bool {
        self.own.as_ref().is_some_and(|own| own.overlay.in_place.contains(key))
    }

    /// What of the state of `draft` an archive of the directory has that is made now.
    pub(super) fn archived(&self, draft: &save::Draft) -> Archived {
        let pending = |key: &str| self.restorer.as_ref().is_some_and(|restorer| restorer.is_pending(key));
        draft.archived(pending, self.base().archived().as_ref())
    }

    pub(super) fn incomplete(&self, failed: Vec<Partial>) -> SessionError {
        SessionError::RestoreIncomplete { id: self.id.clone(), failed }
    }

    /// Writes a draft, if it holds a change: answers what this save changed, and the outcome of the run so far. A store that is
    /// away is waited for until the deadline.
    pub(super) async fn commit(
        &self,
        draft: &save::Draft,
        deadline: Deadline,
    ) -> Result<(Vec<Change>, SessionOutcome), SessionError> {
        let target = self.target().ok_or_else(|| SessionError::ReadOnly(self.id.clone()))?;
        let (now, changes, partial) = (draft.changes(), draft.changes_since_opened(), draft.partial());
        self.confirm(deadline).await?;
        let base = Arc::new(save::commit(&target, draft, deadline).await?);
        let version = base.version();
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        *self.saved_so_far.lock().unwrap_or_else(PoisonError::into_inner) = (changes, partial);
        Ok((now, SessionOutcome { version, ..self.outcome() }))
    }

    /// Writes what a run leaves; of a profile session its browser is ended in order, and the profile written along. Where that
    /// cannot be, the state is written alone.
    pub(super) async fn write_last(&self, draft: save::Draft, deadline: Deadline) -> SessionOutcome {
        let Some(own) = self.own.as_ref().filter(|_| !self.is_lost()) else {
            return self.commit_last(&draft, deadline).await;
        };
        self.set_aside(&draft).await;
        let (before, archived) = (self.base(), self.archived(&draft));
        let (draft, error) = own.archive(&self.named, &before, draft, archived).await;
        if let Some(error) = error {
            let profile_error = Some((error.code().to_owned(), with_causes(&error)));
            return SessionOutcome { profile_error, ..self.commit_last(&draft, deadline).await };
        }
        let outcome = self.commit_last(&draft, deadline).await;
        match &outcome.save_error {
            None => {
                let partial = outcome.partial.into_iter().filter(Partial::is_lost_with_profile).collect();
                SessionOutcome { saved: Some(Saved::Full), partial, ..outcome }
            }
            Some((code, _)) => {
                if let Some(made) = draft.profile().filter(|_| REFUSED.contains(&code.as_str())) {
                    // Refused for good, so nothing will ever refer to it.
                    profile::discard(&self.sessions, made, before.profile()).await;
                }
                outcome
            }
        }
    }

    /// Keeps what is about to be written beside HEAD: until a browser has ended and its directory is packed it may take long, and
    /// whoever is killed in that time is to lose nothing of the state.
    async fn set_aside(&self, draft: &save::Draft) {
        let base = self.base();
        // What an earlier run left stays where it is until it is a version.
        let Some(lease) = self.lease.as_ref().filter(|_| self.written_version() == base.version()) else { return };
        if draft.is_unchanged() {
            return;
        }
        let aside = async {
            if base.stored().is_none() {
                self.sessions.before_sealing(&self.tenant).await?;
            }
            let (fence, name) = (lease.fence(), self.sessions.name(&self.tenant, &self.id));
            let waiting = draft.waiting(fence);
            let state = waiting.seal(&self.sessions, &self.tenant, &self.id, &base, Place::Store(fence))?;
            let records = self.sessions.records();
            Ok::<_, SessionError>(records.checkpoint(&name, lease.owner(), fence, base.version(), &state).await?)
        };
        match aside.await {
            Ok(()) => reached("save.set_aside"),
            // The save itself may still come to its end.
            Err(error) => tracing::debug!(code = error.code(), "the state was not set aside"),
        }
    }

    /// Whether the lease was lost to nobody: it ended while the store was away, and the session is as it was.
    async fn is_unclaimed(&self, error: &SessionError) -> bool {
        if error.code() != "lease_lost" {
            return false;
        }
        let (name, records) = (&self.sessions.name(&self.tenant, &self.id), self.sessions.records());
        let now = tokio::try_join!(records.holder(name), records.read(name, None));
        now.is_ok_and(|(holder, head)| holder.is_none() && head.map(|head| head.version) == self.base().version())
    }

    /// The last save of a run: what cannot be written because the store is away goes to the outbox.
    async fn commit_last(&self, draft: &save::Draft, deadline: Deadline) -> SessionOutcome {
        let error = match self.commit(draft, deadline).await {
            Ok((_, outcome)) => return outcome,
            Err(error) => error,
        };
        let outcome = self.unsaved(&error);
        let Some(lease) = self.lease.as_ref().filter(|_| !draft.is_unchanged()) else { return outcome };
        if !is_away(&error) && !self.is_unclaimed(&error).await {
            return outcome;
        }
        let tell = |told: String| Some((error.code().to_owned(), format!("{}; {told}", with_causes(&error))));
        match outbox::put(&self.sessions, &self.tenant, &self.id, draft, lease.fence()).await {
            Ok(Some(left_out)) => {
                let lost = match &*left_out {
                    [] => String::new(),
                    keys => format!("; what changed at {} is lost, as it is too large for that", keys.join(", ")),
                };
                let told =
                    format!("it is kept in the outbox; applied by the next run of this session on this machine{lost}");
                let (changes, partial) = (draft.changes_since_opened(), draft.partial());
                SessionOutcome { save_error: tell(told), kept_in_outbox: true, changes, partial, ..outcome }
            }
            Ok(None) => outcome,
            Err(error) => {
                let told = format!("nor could it be kept in the outbox: {}", with_causes(&error));
                SessionOutcome { save_error: tell(told), ..outcome }
            }
        }
    }

    /// The end of a session that was not restored in full: HEAD stays as it is, and what the run changed goes to a fork.
    pub(super) async fn save_aside(&self, draft: save::Draft, failed: Vec<Partial>) -> SessionOutcome {
        let error = self.incomplete(failed);
        let outcome = self.unsaved(&error);
        // Whoever lost the lease writes nothing.
        if draft.is_unchanged() || self.lease.is_none() || self.is_lost() {
            return outcome;
        }
        let message = with_causes(&error);
        let tell = |told: String| Some((error.code().to_owned(), format!("{message}; {told}")));
        match self.sessions.fork_aside(&self.tenant, &self.id, draft, self.ttl).await {
            Ok(fork) => {
                let told = format!("what this run left is in session {fork}");
                SessionOutcome { save_error: tell(told), forked_to: Some(fork), ..outcome }
            }
            Err(error) => {
                let told = format!("what this run left is lost, as no fork could be made: {}", with_causes(&error));
                SessionOutcome { save_error: tell(told), ..outcome }
            }
        }
    }

    /// Counts as used, for a session that is only read.
    pub(super) async fn used(&self) {
        let base = self.base();
        let Some(stored) = base.stored() else { return };
        let name = self.sessions.name(&self.tenant, &self.id);
        if let Err(error) = self.sessions.records().touch(&name, stored.record.ttl()).await {
            tracing::debug!(code = error.code(), "a session was not kept from running out");
        }
    }

    /// The outcome of a session that could not be saved.
    pub(super) fn unsaved(&self, error: &SessionError) -> SessionOutcome {
        SessionOutcome { save_error: Some((error.code().to_owned(), with_causes(error))), ..self.outcome() }
    }

    /// What of a profile session has been saved so far: while it runs only its state is.
    fn saved(&self) -> Saved {
        if self.base().version() == self.opened.version() { Saved::None } else { Saved::State }
    }

    /// The newest version that is in the store.
    fn written_version(&self) -> Option<Version> {
        self.written_of(&self.base())
    }

    /// The outcome of what was saved so far; of a session that was not, that nothing happened.
    pub(super) fn outcome(&self) -> SessionOutcome {
        let (changes, partial) = self.saved_so_far.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SessionOutcome {
            id: self.id.clone(),
            restored: self.rolled_back.map_or(self.opened.version(), |back| back.restored),
            version: self.written_version(),
            updated: !changes.is_empty() || self.rolled_back.is_some(),
            changes,
            partial,
            rolled_back: self.rolled_back.map(|back| back.to),
            read_only: self.lease.is_none(),
            forked_from: self.forked_from.clone(),
            forked_to: self.forked_to.clone(),
            saved: self.own.as_ref().map(|_| self.saved()),
            recovered: self.is_recovered(),
            ..SessionOutcome::unchanged(self.id.clone(), self.expired_at.clone())
        }
    }
}

impl Opening {
    /// The end of a session that was not opened again: it counts as used, and its lease is given back.
    pub(super) async fn finish(self) -> SessionOutcome {
        let version = self.written_of(&self.base);
        let (records, name) = (self.sessions.records(), self.sessions.name(&self.tenant, &self.id));
        let is_read_only = self.lease.is_none();
        let ttl = if is_read_only { self.base.stored().and_then(|stored| stored.record.ttl()) } else { self.ttl };
        if version.is_some()
            && let Err(error) = records.touch(&name, ttl).await
        {
            tracing::debug!(code = error.code(), "a session was not kept from running out");
        }
        self.release().await;
        SessionOutcome {
            restored: self.rolled_back.map_or(self.base.version(), |back| back.restored),
            version,
            updated: self.rolled_back.is_some(),
            rolled_back: self.rolled_back.map(|back| back.to),
            read_only: is_read_only,
            saved: self.profile.then_some(Saved::None),
            recovered: self.is_recovered(),
            forked_from: self.named.forked_from,
            forked_to: self.named.forked_to,
            ..SessionOutcome::unchanged(self.named.id, self.named.expired_at)
        }
    }
}
