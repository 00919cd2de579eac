//! An open session's state: read as it is now, compared with what is kept, and saved; in the middle of a run, and at its end.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::StopLoadingParams;
use tokio::sync::OwnedMutexGuard;

use crate::base::{Deadline, SessionId, reached};

use super::capture::{Captured, snapshot};
use super::kept::Kept;
use super::{Change, HistoryEntry, Partial, Saved, Saving, Session, SessionError, SessionOutcome, save};

/// How long the end of a run waits for a navigation that is under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// A state that was read, compared with what is kept.
pub(super) struct Read {
    pub(super) draft: save::Draft,
    /// What could not be restored: the draft must not be saved over what is kept.
    pub(super) failed: Vec<Partial>,
}

impl Session {
    /// Saves now; a new version if cookies or storage changed. The outcome's changes are those of this save. A throw-away
    /// session has nothing to save to: the outcome is none. With [`Saving::AtEnd`] it tells what would be written, with the
    /// version that was written last.
    pub async fn save(&self, deadline: Deadline) -> Result<Option<SessionOutcome>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        if kept.lease.is_none() {
            return Err(SessionError::ReadOnly(kept.id.clone()));
        }
        let (one_at_a_time, Read { draft, failed }) = self.unless_closed(self.read_to_save(kept, deadline)).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        if kept.saving == Saving::AtEnd {
            let (changes, partial) = (draft.changes(), draft.partial());
            return Ok(Some(SessionOutcome { updated: !changes.is_empty(), changes, partial, ..kept.outcome() }));
        }
        // A commit is seen to its end although nobody may wait for it any more: a script that is stopped in this moment
        // would leave a version in the store that the session does not know of.
        let session = self.clone();
        let commit = tokio::spawn(async move {
            let outcome = match &session.0.kept {
                Some(kept) => session.commit(kept, &draft, deadline).await.map(Some),
                None => Ok(None),
            };
            drop(one_at_a_time);
            outcome
        });
        let outcome = commit.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(outcome.map(|(changes, outcome)| SessionOutcome { updated: !changes.is_empty(), changes, ..outcome }))
    }

    /// Writes a draft while nothing else is being written.
    async fn commit(
        &self,
        kept: &Kept,
        draft: &save::Draft,
        deadline: Deadline,
    ) -> Result<(Vec<Change>, SessionOutcome), SessionError> {
        let before = kept.base().version();
        let done = kept.commit(draft, deadline).await?;
        if kept.base().version() != before {
            // What comes after this has no checkpoint yet.
            self.0.checkpoints.replaced();
        }
        Ok(done)
    }

    /// What differs now from the version that it was opened with, by name; nothing is saved. None for a throw-away one.
    pub async fn changes(&self, deadline: Deadline) -> Result<Option<Vec<Change>>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        let (_one_at_a_time, read) = self.read_now(kept, deadline).await?;
        Ok(Some(read.draft.changes_since_opened()))
    }

    /// Its kept versions, newest first, as they are in the store. None for a throw-away one.
    pub async fn history(&self) -> Result<Option<Vec<HistoryEntry>>, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(None) };
        match kept.sessions.history(&kept.tenant, &kept.id).await {
            Ok(history) => history.all().await.map(Some),
            // Open and not saved yet.
            Err(SessionError::NotFound(_)) => Ok(Some(Vec::new())),
            Err(error) => Err(error),
        }
    }

    /// Keeps the state as it is now under another id as well, as that session's first version; this session is not saved by
    /// it. [`SessionError::Exists`] where there is such a session. False for a throw-away one, of which nothing is kept, and
    /// with [`Saving::AtEnd`].
    pub async fn fork(&self, new_id: &SessionId, deadline: Deadline) -> Result<bool, SessionError> {
        let Some(kept) = &self.0.kept else { return Ok(false) };
        let (one_at_a_time, Read { draft, failed }) = self.read_now(kept, deadline).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        if kept.saving == Saving::AtEnd {
            return Ok(false);
        }
        // Seen to its end, as a save is: a lease that was just taken has to be given back.
        let (session, new_id) = (self.clone(), new_id.clone());
        let fork = tokio::spawn(async move {
            let forked = match &session.0.kept {
                Some(kept) => kept.sessions.fork_draft(&kept.tenant, &new_id, draft, kept.ttl).await.map(|()| true),
                None => Ok(false),
            };
            drop(one_at_a_time);
            forked
        });
        fork.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Reads the state once navigations under way have committed; no save begins while the answer is held.
    pub(super) async fn read_now(
        &self,
        kept: &Kept,
        deadline: Deadline,
    ) -> Result<(OwnedMutexGuard<()>, Read), SessionError> {
        let read = async {
            let one_at_a_time = self.0.busy.clone().lock_owned().await;
            self.settled(deadline).await?;
            Ok((one_at_a_time, self.read(kept, deadline).await?))
        };
        self.unless_closed(read).await
    }

    /// The save of a session that is about to be closed: the outcome tells of the whole run. Of a profile session `ending` is called
    /// when its state was read, then its browser is ended and its profile kept, as at the end of a run: from there on what fails stands in
    /// the outcome, since nothing is left that could stay open.
    pub(super) async fn save_at_close(
        &self,
        deadline: Deadline,
        ending: impl FnOnce(),
    ) -> Result<SessionOutcome, SessionError> {
        let Some(kept) = &self.0.kept else { return Err(SessionError::Closed { id: None }) };
        if kept.lease.is_none() {
            kept.used().await;
            return Ok(kept.outcome());
        }
        let (_one_at_a_time, Read { draft, failed }) = self.unless_closed(self.read_to_save(kept, deadline)).await?;
        if !failed.is_empty() {
            return Err(kept.incomplete(failed));
        }
        match &kept.own {
            Some(own) if !kept.is_lost() => {
                self.0.checkpoints.stop();
                ending();
                let outcome = kept.write_last(draft, deadline).await;
                own.end().await;
                Ok(outcome)
            }
            _ => Ok(self.commit(kept, &draft, deadline).await?.1),
        }
    }

    /// Reads the state as [`Self::read_now`] does, and where a version would be written of it, once it has passed its check.
    async fn read_to_save(&self, kept: &Kept, deadline: Deadline) -> Result<(OwnedMutexGuard<()>, Read), SessionError> {
        let one_at_a_time = self.0.busy.clone().lock_owned().await;
        self.settled(deadline).await?;
        Ok((one_at_a_time, Box::pin(self.read_checked(kept, deadline)).await?))
    }

    /// Reads the state. Where it is one to be written, it is checked and then read again: a check is a visit to the site, which
    /// may change what there is.
    async fn read_checked(&self, kept: &Kept, deadline: Deadline) -> Result<Read, SessionError> {
        let read = self.read(kept, deadline).await?;
        // What it was recovered to and is no version yet is written along, so it counts as a change.
        let is_written = read.draft.is_unchanged() && kept.is_confirmed();
        if !self.is_guarded() || !read.failed.is_empty() || is_written || kept.is_lost() {
            return Ok(read);
        }
        self.check_before_saving(deadline).await?;
        self.read(kept, deadline).await
    }

    /// [`Self::save`] whose failure stands in the outcome.
    pub(super) async fn save_or_say(&self, deadline: Deadline) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        if kept.lease.is_none() {
            return Some(kept.outcome());
        }
        self.save(deadline).await.unwrap_or_else(|error| Some(kept.unsaved(&error)))
    }

    /// Saves at the end of a run, whatever its end was; the outcome tells of the whole run. The browser may be ended as soon
    /// as `read` was called; `written` is called before the lease is given back. `deadline` is for reading the state, `writing` for a store
    /// that is away.
    pub(super) async fn save_last(
        &self,
        deadline: Deadline,
        writing: Deadline,
        read: impl FnOnce(),
        written: impl FnOnce(&SessionOutcome),
    ) -> Option<SessionOutcome> {
        let kept = self.0.kept.as_ref()?;
        self.0.checkpoints.stop();
        self.0.room.tabs.wanted().stop();
        // Pages that are being opened are waited for no longer than anything else.
        let one_at_a_time = deadline.race(self.0.busy.lock()).await;
        if kept.lease.is_none() {
            read();
            let ended = async {
                if let Some(own) = &kept.own {
                    own.end().await;
                }
            };
            tokio::join!(kept.used(), ended);
            return Some(kept.outcome());
        }
        let reading = async {
            self.settle().await;
            self.0.room.tabs.storages().forget_late();
            Box::pin(self.read_checked(kept, deadline)).await
        };
        let late = || Err(SessionError::Late { id: kept.id.clone() });
        let now = if one_at_a_time.is_some() { deadline.race(reading).await.unwrap_or_else(late) } else { late() };
        read();
        if one_at_a_time.is_none() {
            // What was being written is not to find its lease gone.
            drop(writing.race(self.0.busy.lock()).await);
        }
        let mut outcome = match now {
            Ok(Read { draft, failed }) if failed.is_empty() => kept.write_last(draft, writing).await,
            Ok(Read { draft, failed }) => kept.save_aside(draft, failed).await,
            Err(error) => kept.unsaved(&error),
        };
        if let Some(own) = &kept.own {
            own.end().await;
        }
        written(&outcome);
        self.give_back(kept, &mut outcome).await;
        Some(outcome)
    }

    /// Gives the lease back after the last save, or lets it run out where a checkpoint is all that is left of the run.
    pub(super) async fn give_back(&self, kept: &Kept, outcome: &mut SessionOutcome) {
        let Some(lease) = &kept.lease else { return };
        // One that is signed out is not to come back either.
        let lost = |code: &str| matches!(code, "lease_lost" | "auth_required");
        let unsaved = outcome.save_error.as_ref().is_some_and(|(code, _)| !lost(code));
        // One that it had before is of another run.
        let is_forked = outcome.forked_to != kept.forked_to;
        if !unsaved || is_forked || !self.0.checkpoints.any() {
            return lease.release().await;
        }
        // What it had a moment ago is all that is left of this run.
        lease.let_run_out().await;
        if kept.own.is_some() {
            outcome.saved = Some(Saved::State);
        }
        if !outcome.kept_in_outbox
            && let Some((_, told)) = &mut outcome.save_error
        {
            told.push_str("; what the last checkpoint had becomes a version when the session is next opened");
        }
    }

    /// Waits until navigations under way have committed; a page that closes meanwhile is nobody's loss.
    pub(super) async fn settled(&self, deadline: Deadline) -> Result<(), SessionError> {
        for page in self.0.room.tabs.pages() {
            match page.url(deadline).await {
                Err(error) if !page.is_closed() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a navigation that the last verb began (a form that signs in) commit, and gives one up whose server does not
    /// answer: until then Chromium holds back everything else that the page is asked, and the state could not be read.
    async fn settle(&self) {
        let pages = self.0.room.tabs.pages();
        futures_util::future::join_all(pages.iter().map(|page| async move {
            if page.url(Deadline::after(SETTLE_TIMEOUT)).await.is_err() {
                page.main_frame().cdp().send(StopLoadingParams::default()).forget();
            }
        }))
        .await;
    }

    /// Reads the state and works out what would be written; the browser is not needed after this.
    async fn read(&self, kept: &Kept, deadline: Deadline) -> Result<Read, SessionError> {
        let late = || Err(SessionError::Late { id: kept.id.clone() });
        let base = kept.base();
        let spool = kept.spool(&base)?;
        let room = &self.0.room;
        let asks = self.may_permit_otherwise();
        let now = snapshot(&room.context, &room.tabs, Some(&spool), asks, deadline);
        let now = deadline.race(Box::pin(now)).await;
        let mut now = now.unwrap_or_else(late)?;
        if let Some(own) = &kept.own {
            now.cookies = own.with_lost(&self.0.room, now.cookies);
            own.learn(kept, &now).await;
        }
        reached("save.captured");
        now.beside.identity = Some(Box::new(kept.identity().clone()));
        let (restored, failed) = kept.restored();
        let has_failed =
            |key: &str| failed.iter().any(|failed| failed.origin.trim_end_matches('/') == key.trim_end_matches('/'));
        // An origin that was visited but is not restored yet keeps what it had: its page is only about to load.
        now.origins.retain(|key, captured| {
            matches!(captured, Captured::Unreadable(..))
                || !base.has_part(key)
                || base.knows(key)
                || restored.contains_key(key)
                || kept.is_in_place(key)
                || has_failed(key)
        });
        let draft = save::Draft::new(&base.with_names(restored.clone()), &kept.opened, &restored, now);
        Ok(Read { draft: draft.of_profile(kept.profile).sealed_under(spool.key), failed })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use tokio_util::sync::CancellationToken;

    use super::super::capture::Snapshot;
    use super::super::lease::{Holder, Lease};
    use super::super::part::Part;
    use super::super::save::{Base, Draft, Target};
    use super::super::state::Beside;
    use super::super::{KeySource, Sessions, StoreConfig};
    use super::*;
    use crate::base::Tenant;

    const KEY: &str = "https://a.example/";

    fn draft(base: &Base, captured: Captured) -> Draft {
        let cookie = serde_json::json!({"name": "a", "value": "1", "domain": "a.example", "path": "/"});
        let origins = BTreeMap::from([(KEY.to_owned(), captured)]);
        let now = Snapshot { cookies: vec![cookie.as_object().unwrap().clone()], beside: Beside::default(), origins };
        Draft::new(base, &Base::default(), &HashMap::new(), now)
    }

    #[tokio::test]
    async fn what_could_not_be_read_once_is_kept_once_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key).await.unwrap();
        let (tenant, id) = (Tenant::default(), SessionId::new("acme").unwrap());
        let (holder, never) = (Holder::new("a test"), CancellationToken::new());
        let (lease, _) = Lease::acquire(&sessions, &tenant, &id, &holder, None, &never).await.unwrap();
        let target = Target { sessions: &sessions, tenant: &tenant, id: &id, ttl: None, lease: &lease };
        let soon = Deadline::after(Duration::from_secs(5));
        let reason = "no time was left to read it".to_owned();
        let late = Partial { origin: KEY.to_owned(), store: "storage".into(), key: None, reason };

        let first = draft(&Base::default(), Captured::Unreadable(late));
        assert_eq!(first.partial().len(), 1);
        let base = save::commit(&target, &first, soon).await.unwrap();
        // What is kept and not known is taken for what still waits to be put in place, and what is read of it is dropped.
        assert!(base.has_part(KEY) && base.knows(KEY));
        let mut part = Part::default();
        part.push("{\"t\":\"ls\",\"k\":\"token\",\"v\":\"1\"}\n");
        let second = draft(&base, Captured::Read(part, Vec::new()));
        assert_eq!((second.changes().len(), second.partial().len()), (1, 0));
    }

    #[tokio::test]
    async fn a_version_that_is_refused_leaves_no_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key).await.unwrap();
        let (tenant, id) = (Tenant::default(), SessionId::new("acme").unwrap());
        let (holder, never) = (Holder::new("a test"), CancellationToken::new());
        let (lease, _) = Lease::acquire(&sessions, &tenant, &id, &holder, None, &never).await.unwrap();
        let target = Target { sessions: &sessions, tenant: &tenant, id: &id, ttl: None, lease: &lease };
        let soon = Deadline::after(Duration::from_secs(5));
        let blobs = async || sessions.blobs().list(None, 10).await.unwrap().len();
        let large = |letter: &str, base: &Base| {
            let mut part = Part::default();
            part.push(&format!("{{\"t\":\"ls\",\"k\":\"token\",\"v\":\"{}\"}}\n", letter.repeat(400_000)));
            draft(base, Captured::Read(part, Vec::new()))
        };
        let base = save::commit(&target, &large("a", &Base::default()), soon).await.unwrap();
        assert_eq!(blobs().await, 1);
        lease.release().await;
        let refused = save::commit(&target, &large("b", &base), soon).await.err().unwrap();
        assert_eq!((refused.code(), blobs().await), ("lease_lost", 1));
    }
}
