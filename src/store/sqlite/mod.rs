//! Records and documents in one SQLite database: WAL, `synchronous=FULL`, several processes at once.
//!
//! Leases and times are written without waiting for the disk: they are in force for every process at once, and a machine that loses power
//! loses the processes that they are of, too. What is written after them and waited for takes them along.
//!
//! One thread owns the connection and runs one transaction after the other; it ends with the last clone of the store.
//! Every write is one `BEGIN IMMEDIATE` transaction, so that what it checks still holds when it writes.

mod documents;
mod failure;
mod lease;
mod schema;
mod sessions;
mod snapshot;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::base::{Fence, Version, reached};
use crate::seal::{NameTag, Sealed, TenantTag};

use self::failure::Failure;
use super::clock::{Clock, system_clock};
use super::{
    AcquireRequest, Acquired, BlobId, Checkpoint, Commit, Committed, DocumentName, Documents, Expected, Head, Held,
    Kept, KeptDocument, Listed, OwnerId, PartId, RecordName, Records, Snapshot, StoreError, VersionEntry,
};

/// Work for the thread that owns the connection.
type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// Sealed records and documents in a folder's database. Clones share one connection; dropping the last of them waits for
/// what is under way and closes it.
#[derive(Clone)]
pub struct SqliteStore {
    worker: Arc<Worker>,
    clock: Clock,
}

struct Worker {
    /// The database, for messages.
    path: PathBuf,
    /// Taken when dropped: its end is what ends the thread.
    work: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported to whoever waited for its work.
            let _ = thread.join();
        }
    }
}

impl SqliteStore {
    /// Opens the store in `folder`, and makes it where there is none. Blocks for some milliseconds.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::with_clock(folder, system_clock())
    }

    /// Whether there is a store in `folder`. Makes nothing.
    pub fn exists(folder: &Path) -> bool {
        folder.join(schema::FILE).exists()
    }

    /// [`Self::open`] by another clock than the system's. All processes that use a folder need the same one.
    pub fn with_clock(folder: &Path, clock: Clock) -> Result<Self, StoreError> {
        let mut db = schema::open(folder)?;
        let path = folder.join(schema::FILE);
        let (work, todo) = mpsc::channel::<Work>();
        let thread = std::thread::Builder::new()
            .name("rhaven-store".to_owned())
            .spawn(move || todo.into_iter().for_each(|work| work(&mut db)))
            .map_err(|source| super::folder::unavailable(&path, source))?;
        Ok(Self { worker: Arc::new(Worker { path, work: Some(work), thread: Some(thread) }), clock })
    }

    /// Runs `work` in a transaction of its own, with the time at its start. It happens as a whole even where the caller
    /// does not wait for the answer.
    async fn transaction<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        waits: bool,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let work: Work = Box::new(move |db| {
            let done = wait_for_disk(db, waits).map_err(Failure::from).and_then(|()| {
                let tx = db.transaction_with_behavior(behavior)?;
                // Read under the lock: times then go up in the order of the writes.
                let value = work(&tx, clock())?;
                tx.commit()?;
                Ok(value)
            });
            // Whoever asked may have gone away.
            let _ = answer.send(done);
        });
        let gone = || StoreError::Unavailable {
            what: self.worker.path.display().to_string(),
            source: "the store's thread has ended".into(),
        };
        self.worker.work.as_ref().ok_or_else(gone)?.send(work).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(|failure| failure.into_store_error(&self.worker.path))
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_waiting(true, work).await
    }

    /// [`Self::write`], without waiting for the disk: for what need not outlive the machine.
    async fn write_lightly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_waiting(false, work).await
    }

    async fn write_waiting<T: Send + 'static>(
        &self,
        waits: bool,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = move |tx: &Transaction<'_>, now| {
            let done = work(tx, now)?;
            reached("store.uncommitted");
            Ok(done)
        };
        self.transaction(TransactionBehavior::Immediate, waits, work).await
    }

    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transaction(TransactionBehavior::Deferred, true, work).await
    }

    /// Moves everything from the write-ahead log into the database and empties it, so that nothing of what was deleted
    /// is left there. Best effort: where another process reads, its next checkpoint does it.
    async fn empty_log(&self) {
        let (done, wait) = oneshot::channel();
        let work: Work = Box::new(move |db| {
            let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = done.send(());
        });
        if self.worker.work.as_ref().is_some_and(|queue| queue.send(work).is_ok()) {
            let _ = wait.await;
        }
    }
}

/// Whether the next transaction is to be on the disk when it counts as done.
fn wait_for_disk(db: &Connection, waits: bool) -> rusqlite::Result<()> {
    db.pragma_update(None, "synchronous", if waits { "FULL" } else { "NORMAL" })
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.worker.path.display())
    }
}

#[async_trait]
impl Records for SqliteStore {
    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError> {
        let (name, request) = (*name, request.clone());
        let acquired = self.write_lightly(move |tx, now| lease::acquire(tx, now, &name, &request)).await?;
        if matches!(&acquired, Acquired::Granted(granted) if granted.expired_at.is_some()) {
            // It was emptied just now, or by a purge whose process died before it came to this.
            self.empty_log().await;
        }
        Ok(acquired)
    }

    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError> {
        let name = *name;
        self.write_lightly(move |tx, now| lease::renew(tx, now, &name, owner, fence, lease)).await
    }

    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError> {
        let name = *name;
        // What a run took back of a checkpoint must not come back.
        let waits = self.look(move |tx, now| lease::waiting(tx, now, &name)).await?.is_some();
        self.write_waiting(waits, move |tx, _| lease::release(tx, &name, owner, fence)).await
    }

    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError> {
        let (name, commit) = (*name, commit.clone());
        self.write(move |tx, now| versions::commit(tx, now, &name, &commit)).await
    }

    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        state: &Sealed,
    ) -> Result<(), StoreError> {
        let (name, state) = (*name, state.clone());
        self.write(move |tx, now| versions::checkpoint(tx, now, &name, owner, fence, base, &state)).await
    }

    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError> {
        let name = *name;
        self.look(move |tx, now| lease::waiting(tx, now, &name)).await
    }

    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError> {
        let name = *name;
        self.look(move |tx, now| versions::read(tx, now, &name, version)).await
    }

    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError> {
        let name = *name;
        self.look(move |tx, now| lease::holder(tx, now, &name)).await
    }

    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError> {
        let (name, parts) = (*name, parts.to_vec());
        self.look(move |tx, _| versions::parts(tx, &name, &parts)).await
    }

    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError> {
        let name = *name;
        self.look(move |tx, now| versions::history(tx, now, &name)).await
    }

    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError> {
        let name = *name;
        self.write(move |tx, now| versions::pin(tx, now, &name, version, pinned)).await
    }

    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.look(move |tx, now| sessions::list(tx, now, tenant, after, limit)).await
    }

    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError> {
        self.look(move |tx, now| sessions::unsaved(tx, now, tenant)).await
    }

    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError> {
        let name = *name;
        self.write_lightly(move |tx, now| sessions::touch(tx, now, &name, ttl)).await
    }

    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError> {
        let name = *name;
        let blobs = self.write(move |tx, now| sessions::delete(tx, now, &name, owner, fence)).await?;
        self.empty_log().await;
        Ok(blobs)
    }

    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        self.look(move |tx, now| sessions::all(tx, now, after.as_ref(), limit)).await
    }

    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError> {
        self.look(move |tx, _| sessions::references(tx, after.as_ref(), limit)).await
    }

    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError> {
        let (name, expected, new) = (*name, expected.clone(), new.clone());
        self.write(move |tx, _| sessions::reseal(tx, &name, &expected, &new)).await
    }

    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError> {
        let name = *name;
        self.look(move |tx, now| snapshot::take(tx, now, &name)).await
    }

    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let (name, snapshot) = (*name, snapshot.clone());
        self.write(move |tx, now| snapshot::restore(tx, now, &name, &snapshot)).await
    }

    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError> {
        let (purged, blobs) = self.write(sessions::purge_expired).await?;
        if purged {
            self.empty_log().await;
        }
        Ok(blobs)
    }
}

#[async_trait]
impl Documents for SqliteStore {
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        let name = name.clone();
        self.look(move |tx, now| documents::get(tx, now, &name)).await
    }

    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let (name, expected, value) = (name.clone(), expected.clone(), value.clone());
        self.write(move |tx, now| documents::put(tx, now, &name, &expected, &value, ttl)).await
    }

    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.write(move |tx, now| documents::remove(tx, now, &name)).await
    }

    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        self.look(move |tx, now| documents::list(tx, now, tenant, kind, after, limit)).await
    }

    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        let after = after.cloned();
        self.look(move |tx, now| documents::all(tx, now, after.as_ref(), limit)).await
    }

    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        let (kept, new) = (kept.clone(), new.clone());
        self.write(move |tx, now| documents::reseal(tx, now, &kept, &new)).await
    }
}
