//! What earlier runs left beside HEAD: the checkpoint of one that ended without saving, states in the outbox. Whoever takes the
//! lease next makes versions of them, or says why not; nothing of it keeps a session from being opened.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, SessionId, Tenant, Version, reached, with_causes};
use crate::store::{Checkpoint, Commit};

use super::lease::{Holder, Lease};
use super::model::{Left, LeftIn, Taken};
use super::outbox;
use super::save::{self, Base, Prepared, Target};
use super::sessions::Sessions;
use super::waiting::{Place, Waiting, not_among, not_kept};
use super::{Change, Partial, SessionError};

/// How long a store that is away is waited for where a session is opened.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state of a run that ended without saving, which a session was opened with.
pub(super) struct Recovered {
    pub(super) id: SessionId,
    /// HEAD without it.
    pub(super) before: Option<Version>,
    /// What HEAD without it is.
    base: Base,
    pub(super) version: Version,
    /// When it was read.
    made: String,
    changes: Vec<Change>,
    left_out: Vec<String>,
    /// What of it could not be read, and is not missing from the version before for the same reason.
    unread: Vec<Partial>,
    /// Sealed and not written yet.
    pending: Mutex<Option<Arc<Commit>>>,
}

/// A session after what was left has been looked at.
pub(super) struct Settled {
    /// What it is opened from.
    pub(super) base: Base,
    /// Set where that is the state of a run that ended without saving.
    pub(super) recovered: Option<Recovered>,
    /// For the user.
    pub(super) notices: Vec<String>,
    /// What became of the outbox.
    pub(super) taken: Vec<Taken>,
}

impl Recovered {
    /// Whether it is in the store as a version.
    pub(super) fn is_written(&self) -> bool {
        self.pending().is_none()
    }

    fn pending(&self) -> Option<Arc<Commit>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes it a version, unless it is one; answers what the user is told, the first time.
    pub(super) async fn write(&self, target: &Target<'_>, deadline: Deadline) -> Result<Option<String>, SessionError> {
        let Some(commit) = self.pending() else { return Ok(None) };
        save::write(target, &commit, deadline).await?;
        reached("recover.committed");
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (id, made, version) = (self.id.as_str(), &self.made, self.version);
        let (missing, unread) = (not_among(&self.left_out), not_kept(&self.unread));
        Ok(Some(format!(
            "session {id:?}: a run that ended without saving left changes from {made}: they are {version} now{missing}{unread}"
        )))
    }

    /// Has nothing come of it, unless it is a version; what the session is without it, and what the user is told.
    pub(super) async fn decline(&self, target: &Target<'_>) -> Option<(Base, String)> {
        // Never again, whoever asks meanwhile.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        drop_checkpoint(target, &self.base).await;
        let (id, made) = (self.id.as_str(), &self.made);
        let told = format!(
            "session {id:?}: what a run that ended without saving left at {made} is dropped: it is not signed in"
        );
        Some((self.base.afresh(), told))
    }

    fn taken(&self) -> Taken {
        Taken {
            from: LeftIn::Checkpoint,
            made: self.made.clone(),
            version: Some(self.version),
            forked_to: None,
            changes: self.changes.clone(),
            left_out: self.left_out.clone(),
        }
    }
}

/// Looks at what was left of a session whose lease has just been taken. What was in the outbox is a version or a fork after
/// this; a checkpoint is only prepared, for whoever opens the session may want to look at it first.
pub(super) async fn settle(
    target: &Target<'_>,
    base: Base,
    checkpoint: Option<Checkpoint>,
) -> Result<Settled, SessionError> {
    let mut settled = Settled { base, recovered: None, notices: Vec::new(), taken: Vec::new() };
    let fences = outbox::apply(target, &mut settled, Deadline::after(PATIENCE)).await?;
    let Some(checkpoint) = checkpoint else { return Ok(settled) };
    // What a run left in the outbox is later than its checkpoint.
    let superseded = fences.contains(&checkpoint.fence);
    let waiting = if superseded { Ok(None) } else { open(target, &settled.base, &checkpoint) };
    match waiting {
        Ok(Some(waiting)) => match prepare(target, &settled.base, &waiting).await {
            Ok(Some((recovered, base))) => (settled.recovered, settled.base) = (Some(recovered), base),
            Ok(None) => drop_checkpoint(target, &settled.base).await,
            Err(error @ (SessionError::Store(_) | SessionError::WrongKey { .. })) => return Err(error),
            Err(error) => {
                settled.notices.push(dropped(target.id, &checkpoint, &with_causes(&error)));
                drop_checkpoint(target, &settled.base).await;
            }
        },
        Ok(None) => drop_checkpoint(target, &settled.base).await,
        Err(reason) => {
            settled.notices.push(dropped(target.id, &checkpoint, &reason));
            drop_checkpoint(target, &settled.base).await;
        }
    }
    Ok(settled)
}

fn dropped(id: &SessionId, checkpoint: &Checkpoint, reason: &str) -> String {
    let at = checkpoint.saved_at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let id = id.as_str();
    format!("session {id:?}: what a run that ended without saving left at {at} is dropped: {reason}")
}

/// Opens a checkpoint; none where nothing is in it.
fn open(target: &Target<'_>, base: &Base, checkpoint: &Checkpoint) -> Result<Option<Waiting>, String> {
    let Target { sessions, tenant, id, .. } = *target;
    if checkpoint.base != base.version() {
        let name = |version: Option<Version>| version.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
        let (from, now) = (name(checkpoint.base), name(base.version()));
        return Err(format!("it goes on from {from}, and {now} is the newest version"));
    }
    let place = Place::Store(checkpoint.fence);
    let waiting = Waiting::open(sessions, tenant, id, base, place, &checkpoint.state);
    let waiting = waiting.map_err(|error| with_causes(&error))?;
    reached("recover.opened");
    Ok((!waiting.is_nothing()).then_some(waiting))
}

/// Seals it as a version; none where it differs in nothing.
async fn prepare(
    target: &Target<'_>,
    base: &Base,
    waiting: &Waiting,
) -> Result<Option<(Recovered, Base)>, SessionError> {
    let draft = waiting.draft(target.sessions, target.tenant, base).await?;
    if draft.is_unchanged() {
        return Ok(None);
    }
    let Prepared { commit, base: new } = save::prepare(target, &draft).await?;
    reached("recover.sealed");
    let was_told = |lost: &Partial| base.parts().any(|old| old.partial.contains(lost));
    let recovered = Recovered {
        id: target.id.clone(),
        before: base.version(),
        base: base.afresh(),
        version: commit.version,
        made: waiting.made.clone(),
        changes: draft.changes(),
        left_out: waiting.left_out.clone(),
        unread: draft.partial().into_iter().filter(|lost| !was_told(lost)).collect(),
        pending: Mutex::new(Some(Arc::new(commit))),
    };
    // Nothing of it is in a browser yet.
    Ok(Some((recovered, new.afresh())))
}

/// Has nothing come back of the checkpoint that is there: one of this lease takes its place, and goes when that is given back.
/// Where this fails the next who opens the session finds the old one again.
pub(super) async fn drop_checkpoint(target: &Target<'_>, base: &Base) {
    let Target { sessions, tenant, id, lease, .. } = *target;
    let written = async {
        let nothing = Waiting::nothing(lease.fence()).seal(sessions, tenant, id, base, Place::Store(lease.fence()))?;
        let (name, version) = (target.name(), base.version());
        Ok::<_, SessionError>(
            sessions.records().checkpoint(&name, lease.owner(), lease.fence(), version, &nothing).await?,
        )
    };
    match written.await {
        Ok(()) => reached("recover.dropped"),
        Err(error) => tracing::debug!(code = error.code(), "a checkpoint was not dropped"),
    }
}

impl Sessions {
    /// What earlier runs left of a session that is no version yet: the checkpoint of one that ended without saving, what waits in
    /// the outbox. Nothing while a run holds the session: then the checkpoint is its own.
    pub async fn left(&self, tenant: &Tenant, id: &SessionId) -> Result<Vec<Left>, SessionError> {
        let id = &self.meant(tenant, id).await?;
        let name = self.name(tenant, id);
        let mut left = outbox::left(self, tenant, id);
        let (checkpoint, holder) = tokio::try_join!(self.records().waiting(&name), self.records().holder(&name))?;
        let is_held = holder
            .is_some_and(|held| Holder::open(self, tenant, id, &held.holder).map_or(true, |holder| holder.is_alive()));
        if let Some(checkpoint) = checkpoint.filter(|_| !is_held) {
            left.push(Left {
                place: LeftIn::Checkpoint,
                made: checkpoint.saved_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                id: Some(id.clone()),
            });
        }
        Ok(left)
    }

    /// Makes versions of what earlier runs left, as the next run would; answers what became of it, and what the user is to be
    /// told. `ttl` is for a session that has no version yet. [`SessionError::Busy`] while a run holds it,
    /// [`SessionError::NotFound`] where there is neither such a session nor anything left of it.
    pub async fn recover(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        ttl: Option<Duration>,
    ) -> Result<(Vec<Taken>, Vec<String>), SessionError> {
        let id = &self.meant(tenant, id).await?;
        self.with_left(tenant, id, async |lease, base, checkpoint| {
            let ttl = base.stored().map_or(ttl, |stored| stored.record.ttl());
            let target = Target { sessions: self, tenant, id, ttl, lease };
            let mut settled = settle(&target, base, checkpoint).await?;
            if let Some(recovered) = settled.recovered {
                settled.notices.extend(recovered.write(&target, Deadline::after(PATIENCE)).await?);
                settled.taken.push(recovered.taken());
            }
            Ok((settled.taken, settled.notices))
        })
        .await
    }

    /// Drops what earlier runs left, unseen; answers how much it was. The same errors as [`Self::recover`].
    pub async fn discard_left(&self, tenant: &Tenant, id: &SessionId) -> Result<usize, SessionError> {
        let id = &self.meant(tenant, id).await?;
        self.with_left(tenant, id, async |lease, base, checkpoint| {
            let target = Target { sessions: self, tenant, id, ttl: None, lease };
            let removed = outbox::forget(self, tenant, id)?;
            if checkpoint.is_some() {
                drop_checkpoint(&target, &base).await;
            }
            Ok(removed + usize::from(checkpoint.is_some()))
        })
        .await
    }

    /// Works on a session that something is left of, under a lease.
    async fn with_left<T: Default>(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        work: impl AsyncFnOnce(&Lease, Base, Option<Checkpoint>) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        // Looked at first: taking the lease of a session that has run out would empty it.
        let name = self.name(tenant, id);
        let (head, waits) = tokio::try_join!(self.records().read(&name, None), self.records().waiting(&name))?;
        if waits.is_none() && outbox::left(self, tenant, id).is_empty() {
            return head.map(|_| T::default()).ok_or_else(|| SessionError::NotFound(id.clone()));
        }
        let holder = Holder::new("rhaven session recover");
        let (lease, granted) = Lease::acquire(self, tenant, id, &holder, None, &CancellationToken::new()).await?;
        let done = async {
            let head = granted.head.map(|head| self.open_head(tenant, &name, &head)).transpose()?;
            work(&lease, Base::of(head, granted.parts.into_iter().collect()), granted.checkpoint).await
        };
        let done = done.await;
        lease.release().await;
        done
    }
}
