//! Checkpoints: while a run goes on and something changed, what differs from its version is read from the tabs that are open,
//! sealed and kept beside HEAD, so that a crash loses little.
//!
//! One task per session that is to be saved. It sleeps until something may have changed ([`super::dirty`]) and then some, so
//! that a short run pays nothing; it reads only where a frame is open and free, and never waits for one: what it cannot read
//! now it looks at again later, and what it never could is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::page::FrameId;
use chromiumoxide::cdp::browser_protocol::storage::GetStorageKeyParams;
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::base::{Deadline, Version, reached};
use crate::page::Frame;
use crate::store::StoreError;

use super::capture::beside;
use super::kept::Kept;
use super::large::{Gathered, MEMORY_BYTES};
use super::live::Inner;
use super::part::Part;
use super::recover::drop_checkpoint;
use super::save::Base;
use super::storage::Door;
use super::tabs::Tabs;
use super::waiting::{Place, Waiting, WaitingPart};
use super::{Cookie, Partial, Saving, SessionError, cookies, storage_key};

/// The shortest time between two.
const PAUSE: Duration = Duration::from_secs(2);
/// What one costs is at most this part of the time between them.
const SHARE: u32 = 20;
/// Cookies have no events: where nothing else tells of a change they are looked at after this time, and then less and less
/// often, down to the second.
const LOOK: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(30));
/// How long a frame may take to show that it is free.
const FREE: Duration = Duration::from_millis(300);
/// How long reading one storage key may take.
const READ: Duration = Duration::from_secs(2);
/// Bytes of parts that go along; those that do not fit are left out and named, as a checkpoint is written again and again.
const MOST: usize = MEMORY_BYTES;

/// The checkpoints of one session; ended with it.
#[derive(Default)]
pub(super) struct Checkpoints {
    task: Mutex<Option<JoinHandle<()>>>,
    /// Whether there is one of this lease in the store.
    written: AtomicBool,
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Checkpoints {
    /// Begins to keep them, where the session is one to be saved as it goes.
    pub(super) fn begin(&self, session: &Arc<Inner>) {
        let wanted = session.kept.as_ref().is_some_and(|kept| kept.lease.is_some() && kept.saving == Saving::AsAsked);
        if wanted {
            let task = tokio::spawn(keep(Arc::downgrade(session)));
            *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
    }

    /// Begins none any more. One that is being written is finished while its session is `busy`.
    pub(super) fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// Whether one of this lease is in the store, which outlives the session unless the lease is given back.
    pub(super) fn any(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// A version was written, which takes the place of what is in the store. For whoever keeps others from being written.
    pub(super) fn replaced(&self) {
        self.written.store(false, Ordering::Release);
    }

    /// Takes back what is in the store: what it held was given up. For whoever has stopped them and is alone with the session.
    pub(super) async fn withdraw(&self, kept: &Kept) {
        if self.any()
            && let Some(target) = kept.target()
        {
            drop_checkpoint(&target, &kept.base()).await;
            self.replaced();
            reached("checkpoint.withdrawn");
        }
    }
}

/// Keeps the checkpoints of a session until it goes.
async fn keep(session: Weak<Inner>) {
    let Some(dirty) = session.upgrade().map(|session| session.room.tabs.storages().dirty()) else { return };
    dirty.changed().await;
    let (mut seen, mut pause, mut look) = (Seen::default(), PAUSE, LOOK.0);
    loop {
        tokio::time::sleep(pause).await;
        // Where nothing is told cookies are looked at all the same, though not often.
        let told = tokio::time::timeout(look, dirty.changed()).await.is_ok();
        look = if told { LOOK.0 } else { (look * 2).min(LOOK.1) };
        let Some(session) = session.upgrade() else { return };
        let began = Instant::now();
        match one(&session, &mut seen).await {
            Ok(()) => {}
            Err(SessionError::Store(StoreError::LeaseLost)) => return,
            // The store is away, or the browser: the end of the run will say so.
            Err(error) => tracing::debug!(code = error.code(), "no checkpoint was written"),
        }
        pause = PAUSE.max(began.elapsed() * SHARE);
    }
}

/// What checkpoints of one session have seen so far.
#[derive(Default)]
struct Seen {
    /// The version that it is told against.
    version: Option<Version>,
    /// Parts that differ from it, as they were when they were read last.
    parts: BTreeMap<String, (Part, Vec<Partial>)>,
    /// Keys that may have changed and could not be read since.
    missed: BTreeSet<String>,
    /// Keys whose part is too large.
    large: BTreeSet<String>,
    /// Digest of what was written last; none where nothing was.
    written: Option<[u8; 32]>,
}

/// Reads what may have changed, and writes it unless it is what was written last.
async fn one(session: &Arc<Inner>, seen: &mut Seen) -> Result<(), SessionError> {
    let Some(kept) = &session.kept else { return Ok(()) };
    let (restored, failed) = kept.restored();
    // Such a session is not saved over; nor is one whose state nobody has looked at yet.
    if !failed.is_empty() || !kept.is_confirmed() {
        return Ok(());
    }
    let base = kept.base();
    seen.rebase(&base);
    seen.missed.extend(session.room.tabs.storages().dirty().take());
    let wanted: BTreeSet<String> = seen.missed.difference(&seen.large).cloned().collect();
    let (now, read) = tokio::join!(cookies::read(&session.room.context), look(&session.room.tabs, &wanted));
    let now = cookies::unexpired(&now?);
    for (key, read) in read {
        // An origin that is not restored yet keeps what it had: its page is only about to load.
        let in_place = base.knows(&key) || restored.contains_key(&key) || kept.is_in_place(&key);
        if !base.has_part(&key) || in_place {
            seen.missed.remove(&key);
            match read {
                Some((part, partial)) => seen.take(&base, key, part, partial),
                None => seen.leave_out(key),
            }
        }
    }
    reached("checkpoint.read");
    write(session, kept, &base, seen, now).await
}

impl Seen {
    /// What a save has written since is no difference any more.
    fn rebase(&mut self, base: &Base) {
        if self.version != base.version() {
            *self = Self { version: base.version(), missed: std::mem::take(&mut self.missed), ..Self::default() };
        }
    }

    /// Too large to go along.
    fn leave_out(&mut self, key: String) {
        self.parts.remove(&key);
        self.large.insert(key);
    }

    fn take(&mut self, base: &Base, key: String, part: Part, partial: Vec<Partial>) {
        let digest = data_encoding::HEXLOWER.encode(&part.digest());
        let old = base.stored().and_then(|stored| stored.index.parts.iter().find(|old| old.storage_key == key));
        let same = old.map_or(part.is_empty(), |old| old.digest == digest);
        self.parts.remove(&key);
        let size: usize = self.parts.values().map(|(part, _)| part.as_bytes().len()).sum();
        if !same && size + part.as_bytes().len() > MOST {
            self.large.insert(key);
        } else if !same {
            self.parts.insert(key, (part, partial));
        }
    }

    /// What differs from the base; none where nothing does. And its digest.
    fn waiting(&self, kept: &Kept, base: &Base, tabs: &Tabs, now: Vec<Cookie>) -> Option<(Waiting, [u8; 32])> {
        let lease = kept.lease.as_deref()?;
        if self.parts.is_empty() && cookies::diff(base.cookies(), &now, cookies::now()).is_empty() {
            return None;
        }
        let mut digest = Sha256::new();
        digest.update(serde_json::to_vec(&now).unwrap_or_default());
        for (key, (part, _)) in &self.parts {
            digest.update(key.as_bytes());
            digest.update(part.digest());
        }
        let parts = self.parts.iter().map(|(key, (part, partial))| WaitingPart::of(key, part, partial)).collect();
        let mut kept_with = base.stored().map(|stored| stored.index.beside.clone()).unwrap_or_default();
        kept_with.tabs = beside(tabs).tabs;
        kept_with.identity = Some(Box::new(kept.identity().clone()));
        let mut waiting = Waiting::new(lease.fence(), base, now, parts, kept_with).of_profile(kept.profile);
        waiting.left_out = self.missed.union(&self.large).cloned().collect();
        Some((waiting, digest.finalize().into()))
    }
}

async fn write(
    session: &Arc<Inner>,
    kept: &Kept,
    base: &Base,
    seen: &mut Seen,
    now: Vec<Cookie>,
) -> Result<(), SessionError> {
    let (sessions, tenant, id) = (&kept.sessions, &kept.tenant, &kept.id);
    let Some(lease) = kept.lease.clone() else { return Ok(()) };
    let found = seen.waiting(kept, base, &session.room.tabs, now);
    let digest = found.as_ref().map(|(_, digest)| *digest);
    if digest == seen.written {
        return Ok(());
    }
    let fence = lease.fence();
    let waiting = found.map_or_else(|| Waiting::nothing(fence), |(waiting, _)| waiting);
    if base.stored().is_none() {
        sessions.before_sealing(tenant).await?;
    }
    let sealed = waiting.seal(sessions, tenant, id, base, Place::Store(fence))?;
    reached("checkpoint.sealed");
    // A save that is going on writes all of this, and more.
    let Ok(one_at_a_time) = session.busy.clone().try_lock_owned() else { return Ok(()) };
    if kept.base().version() != base.version() {
        return Ok(());
    }
    let (session, name, version) = (session.clone(), sessions.name(tenant, id), base.version());
    // Seen to its end, so that nothing written later can be overtaken by it.
    let written = tokio::spawn(async move {
        let Some(kept) = &session.kept else { return Ok(()) };
        session.checkpoints.written.store(true, Ordering::Release);
        let done = kept.sessions.records().checkpoint(&name, lease.owner(), fence, version, &sealed).await;
        drop(one_at_a_time);
        done
    });
    written.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    seen.written = digest;
    reached("checkpoint.written");
    Ok(())
}

/// Reads the wanted keys in frames that are open and free; those that cannot be read now are not in the answer.
///
/// None in place of a part that is too large.
async fn look(tabs: &Tabs, wanted: &BTreeSet<String>) -> Vec<(String, Option<(Part, Vec<Partial>)>)> {
    let pages: Vec<_> = tabs.pages().into_iter().filter(|page| !wanted.is_empty() && !page.is_leaving()).collect();
    let frames = pages.iter().flat_map(|page| {
        let tab = page.target().id().inner().clone();
        page.frames().into_iter().map(move |frame| (tab.clone(), frame))
    });
    let frames: Vec<_> = frames.filter(|(_, frame)| frame.url().starts_with("http")).collect();
    let deadline = Deadline::after(FREE);
    let keys = join_all(frames.iter().map(|(_, frame)| key_of(frame, deadline))).await;
    let (dirty, mut doors) = (tabs.storages().dirty(), BTreeMap::new());
    for ((tab, frame), key) in frames.iter().zip(keys) {
        let Some(key) = key.filter(|key| wanted.contains(key)) else { continue };
        let source = tabs.storages().source(&key);
        let own = source.tab.as_ref().is_none_or(|last| last == tab);
        if own || !doors.contains_key(&key) {
            dirty.track(&frame.cdp(), &key);
            doors.insert(key, (frame, source.argument(own)));
        }
    }
    let read = join_all(doors.into_iter().map(|(key, (frame, session))| async move {
        let (door, deadline) = (Door::Aside(frame), Deadline::after(READ));
        if !door.is_free(Deadline::after(FREE)).await {
            return None;
        }
        let answer = deadline.race(door.capture(&key, &session, None, false, deadline)).await?.ok()?;
        match answer.gathered {
            Gathered::Small(part) => Some((key, Some((part, answer.partial)))),
            Gathered::Large(_) | Gathered::TooLarge => Some((key, None)),
            Gathered::Torn(_) => None,
        }
    }));
    read.await.into_iter().flatten().collect()
}

/// The storage key of a frame. One that belongs to its document alone is passed over: nothing can put it back.
async fn key_of(frame: &Frame, deadline: Deadline) -> Option<String> {
    let asked = frame.cdp().send(GetStorageKeyParams { frame_id: Some(FrameId::new(frame.id())) });
    let key = deadline.race(asked).await?.ok().map(|answer| String::from(answer.storage_key))?;
    (!matches!(storage_key::place(&key), storage_key::Place::Nowhere(_))).then_some(key)
}
