//! What a named session is opened from: its lease and what is saved, in the ways that [`Mode`] names.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, reached};
use crate::store::Checkpoint;

use super::kept::{Named, Opening};
use super::lease::{Holder, Lease};
use super::options::{Mode, SessionOptions};
use super::save::Base;
use super::sessions::Prefetched;
use super::workspace::Inner;
use super::{SessionError, Sessions, Workspace, recover};

/// How long a store that is away is waited for with what was recovered.
const CONFIRM: Duration = Duration::from_secs(5);

impl Workspace {
    pub(super) async fn acquire(
        &self,
        id: &SessionId,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Opening, SessionError> {
        let wait = match options.mode {
            Mode::ReadOnly => return self.look_at(id, options).await,
            Mode::Wait(wait) => Some(Deadline::after(wait)),
            Mode::Fail | Mode::Fork => None,
        };
        match self.take(id, options, wait, given_up).await {
            Err(SessionError::Busy { holder, .. }) if options.mode == Mode::Fork => {
                self.fork(id, options, &holder).await
            }
            taken => taken,
        }
    }

    /// Takes the lease, and what is saved along with it.
    async fn take(
        &self,
        id: &SessionId,
        options: &SessionOptions,
        wait: Option<Deadline>,
        given_up: &CancellationToken,
    ) -> Result<Opening, SessionError> {
        let Inner { config, .. } = &*self.0;
        let (sessions, tenant) = (self.sessions().await?, &config.tenant);
        let (lease, granted) =
            Lease::acquire(sessions, tenant, id, &Holder::new(&config.holder), wait, given_up).await?;
        let expired_at = granted.expired_at.map(|at| at.to_string());
        if let Some(at) = &expired_at {
            self.notices().push(format!("session {id:?} had run out at {at}: it starts empty", id = id.as_str()));
        }
        let head = granted.head.map(|head| sessions.open_head(tenant, &sessions.name(tenant, id), &head));
        let stored = match head.transpose() {
            Ok(stored) => stored,
            Err(error) => {
                lease.release().await;
                return Err(error);
            }
        };
        reached("open.index_opened");
        let base = Base::of(stored, granted.parts.into_iter().collect());
        let mut opening = self.opening(sessions, id, options, Some(lease), base);
        opening.named.expired_at = expired_at;
        let checked = check_kind(&opening, options);
        let settled = match checked {
            Ok(()) => self.settle(&mut opening, granted.checkpoint, options.guard.is_some()).await,
            error => error,
        };
        if let Err(error) = settled {
            opening.release().await;
            return Err(error);
        }
        Ok(opening)
    }

    /// Takes up what earlier runs left. Of what a run left that ended without saving no version is written yet where the session
    /// is guarded: see [`Self::admit`].
    async fn settle(
        &self,
        opening: &mut Opening,
        checkpoint: Option<Checkpoint>,
        guarded: bool,
    ) -> Result<(), SessionError> {
        let Some(target) = opening.target() else { return Ok(()) };
        let settled = recover::settle(&target, Base::clone(&opening.base), checkpoint).await?;
        self.notices().extend(settled.notices);
        opening.named.forked_to = settled.taken.iter().rev().find_map(|taken| taken.forked_to.clone());
        opening.named.profile |= settled.base.stored().is_some_and(|stored| stored.is_profile());
        opening.base = Arc::new(settled.base);
        opening.named.recovered = settled.recovered.map(Arc::new);
        if guarded { Ok(()) } else { self.confirm(opening).await }
    }

    /// Makes a version of what it was recovered to, and tells so.
    pub(super) async fn confirm(&self, named: &Named) -> Result<(), SessionError> {
        let told = named.confirm(Deadline::after(CONFIRM)).await?;
        self.notices().extend(told);
        Ok(())
    }

    /// What is saved, without a lease.
    async fn look_at(&self, id: &SessionId, options: &SessionOptions) -> Result<Opening, SessionError> {
        let (sessions, tenant) = (self.sessions().await?, &self.0.config.tenant);
        let name = sessions.name(tenant, id);
        sessions.follow_keys().await?;
        let head = sessions.records().read(&name, None).await?.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let base = Base::of(Some(sessions.open_head(tenant, &name, &head)?), Prefetched::new());
        let opening = self.opening(sessions, id, options, None, base);
        check_kind(&opening, options).map(|()| opening)
    }

    /// A fork of what is saved, as another run holds the session.
    async fn fork(&self, id: &SessionId, options: &SessionOptions, by: &str) -> Result<Opening, SessionError> {
        let Inner { config, .. } = &*self.0;
        let sessions = self.sessions().await?;
        let (fork, lease, base) = sessions.fork_held(&config.tenant, id, &Holder::new(&config.holder)).await?;
        self.notices().push(format!("session {id} is in use by {by}: this run works on a fork of it, session {fork}"));
        let mut opening = self.opening(sessions, &fork, options, Some(lease), base);
        opening.named.forked_from = Some(id.clone());
        Ok(opening)
    }

    /// What a session is opened from, with what is wanted of it.
    pub(super) fn opening(
        &self,
        sessions: &Sessions,
        id: &SessionId,
        options: &SessionOptions,
        lease: Option<Lease>,
        base: Base,
    ) -> Opening {
        let Inner { config, .. } = &*self.0;
        let profile = options.profile == Some(true) || base.stored().is_some_and(|stored| stored.is_profile());
        let usual = if profile { config.profile_ttl } else { config.ttl };
        let named = Named {
            id: id.clone(),
            tenant: config.tenant.clone(),
            sessions: sessions.clone(),
            lease: lease.map(Arc::new),
            ttl: options.ttl.unwrap_or(usual),
            forked_from: None,
            saving: config.saving,
            expired_at: None,
            profile,
            rolled_back: None,
            forked_to: None,
            recovered: None,
        };
        Opening { named, base: Arc::new(base) }
    }
}

/// A profile session is one, whatever is wanted: nobody is to lose a profile for a word.
fn check_kind(opening: &Opening, options: &SessionOptions) -> Result<(), SessionError> {
    if opening.profile && options.profile == Some(false) {
        return Err(SessionError::Kind {
            id: opening.id.clone(),
            is: "is a profile session and cannot be opened as another",
        });
    }
    Ok(())
}
