//! What a named session has beside its browser context: what it is opened from, its lease, and how its state is written.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{SessionId, Tenant, with_causes};

use super::lease::Lease;
use super::part::Names;
use super::profile::{Archived, Own};
use super::restorer::Restorer;
use super::save::{self, Base};
use super::sessions::Sessions;
use super::{Change, Partial, Saved, Saving, SessionError, SessionOutcome, profile};
use crate::store::StoreError;

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
    pub(super) own: Option<Arc<Own>>,
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

impl Named {
    /// Whether `id` is what it was asked for by: its own, or that of the session that it is a fork of.
    pub(super) fn answers_to(&self, id: &SessionId) -> bool {
        self.id == *id || self.forked_from.as_ref() == Some(id)
    }

    /// Whether its lease was lost since.
    pub(super) fn is_lost(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.lost().is_cancelled())
    }

    /// Gives its lease back, if it has one.
    pub(super) async fn release(&self) {
        if let Some(lease) = &self.lease {
            lease.release().await;
        }
    }
}

impl Kept {
    pub(super) fn base(&self) -> Arc<Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// Writes a draft, if it holds a change: answers what this save changed, and the outcome of the run so far.
    pub(super) async fn commit(&self, draft: save::Draft) -> Result<(Vec<Change>, SessionOutcome), SessionError> {
        let lease = self.lease.as_deref().ok_or_else(|| SessionError::ReadOnly(self.id.clone()))?;
        let Named { sessions, tenant, id, ttl, .. } = &self.named;
        let (now, changes, partial) = (draft.changes(), draft.changes_since_opened(), draft.partial());
        let base = Arc::new(save::commit(&save::Target { sessions, tenant, id, ttl: *ttl, lease }, draft).await?);
        let version = base.version();
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        let outcome = SessionOutcome { version, updated: !changes.is_empty(), changes, partial, ..self.outcome() };
        Ok((now, outcome))
    }

    /// Writes what a run leaves; of a profile session its browser is ended in order, and the profile written along. Where that
    /// cannot be, the state is written alone.
    pub(super) async fn write_last(&self, draft: save::Draft) -> SessionOutcome {
        let (mut draft, mut profile_error, mut has_archive) = (draft, None, false);
        if let Some(own) = self.own.as_ref().filter(|_| !self.is_lost()) {
            let archived = self.archived(&draft);
            let (with, error) = own.archive(&self.named, &self.base(), draft, archived).await;
            (draft, has_archive) = (with, error.is_none());
            profile_error = error.map(|error| (error.code().to_owned(), with_causes(&error)));
        }
        let before = self.base();
        let made = draft.profile().filter(|_| has_archive).cloned();
        match self.commit(draft).await {
            Ok((_, outcome)) if has_archive => {
                let partial = outcome.partial.into_iter().filter(Partial::is_lost_with_profile).collect();
                SessionOutcome { saved: Some(Saved::Full), partial, ..outcome }
            }
            Ok((_, outcome)) => SessionOutcome { profile_error, ..outcome },
            Err(error) => {
                if let (Some(made), SessionError::Store(StoreError::LeaseLost | StoreError::Conflict { .. })) =
                    (&made, &error)
                {
                    // Refused for good, so nothing will ever refer to it.
                    profile::discard(&self.sessions, made, before.profile()).await;
                }
                SessionOutcome { profile_error, ..self.unsaved(&error) }
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

    /// The outcome of a session that nothing happened to.
    pub(super) fn outcome(&self) -> SessionOutcome {
        SessionOutcome {
            id: self.id.clone(),
            restored: self.opened.version(),
            version: self.base().version(),
            read_only: self.lease.is_none(),
            forked_from: self.forked_from.clone(),
            saved: self.own.as_ref().map(|_| self.saved()),
            ..SessionOutcome::unchanged(self.id.clone(), self.expired_at.clone())
        }
    }
}

impl Opening {
    /// The end of a session that was not opened again: it counts as used, and its lease is given back.
    pub(super) async fn finish(self) -> SessionOutcome {
        let version = self.base.version();
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
            restored: version,
            version,
            read_only: is_read_only,
            saved: self.profile.then_some(Saved::None),
            forked_from: self.named.forked_from,
            ..SessionOutcome::unchanged(self.named.id, self.named.expired_at)
        }
    }
}
