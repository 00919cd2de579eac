//! What a named session has beside its browser context: what it is opened from, its lease, and how its state is written.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{SessionId, Tenant, with_causes};
use crate::seal::DataKey;

use super::keys::seal_error;
use super::large::Spool;
use super::lease::Lease;
use super::part::Names;
use super::restorer::Restorer;
use super::save::{self, Base};
use super::sessions::Sessions;
use super::{Change, Partial, Saving, SessionError, SessionOutcome};

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
}

/// What only a named session has while it is open.
pub(super) struct Kept {
    pub(super) named: Named,
    pub(super) restorer: Option<Arc<Restorer>>,
    /// What the next save is compared with.
    pub(super) base: Mutex<Arc<Base>>,
    /// What it was opened with; its outcome is told against this.
    pub(super) opened: Arc<Base>,
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

    /// Where large parts go while they are read.
    pub(super) fn spool(&self, base: &Base) -> Result<Spool, SessionError> {
        let key = match base.stored() {
            Some(stored) => stored.key.clone(),
            None => DataKey::generate().map_err(|error| seal_error("a new key", error))?,
        };
        Ok(Spool { sessions: self.sessions.clone(), tenant: self.tenant.clone(), key })
    }

    /// What the parts held when they were restored, by storage key, and what could not be.
    pub(super) fn restored(&self) -> (HashMap<String, Names>, Vec<Partial>) {
        let Some(restorer) = &self.restorer else { return Default::default() };
        let done = restorer.done();
        (done.names.clone(), done.failed.clone())
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

    /// The outcome of a session that nothing happened to.
    pub(super) fn outcome(&self) -> SessionOutcome {
        SessionOutcome {
            id: self.id.clone(),
            restored: self.opened.version(),
            version: self.base().version(),
            read_only: self.lease.is_none(),
            forked_from: self.forked_from.clone(),
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
            forked_from: self.named.forked_from,
            ..SessionOutcome::unchanged(self.named.id, self.named.expired_at)
        }
    }
}
