//! A store in memory: throw-away runs and tests.

mod records;
mod snapshot;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::seal::{NameTag, Sealed, TenantTag};

use self::records::Session;
use super::clock::{Clock, system_clock};
use super::{BlobId, RecordName, StoreId};

/// Records, documents and blobs in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

/// Everything, under one lock: every operation is one atomic step.
#[derive(Default)]
struct State {
    sessions: BTreeMap<RecordName, Session>,
    /// Each with the moment at which it runs out.
    documents: BTreeMap<DocumentKey, (Sealed, Option<u64>)>,
    blobs: BTreeMap<BlobId, Blob>,
    /// Whose the blobs are, once somebody has claimed them.
    owner: Option<StoreId>,
}

/// A blob.
struct Blob {
    /// In the order in which they came.
    pieces: Vec<Bytes>,
    written_at: u64,
}

type DocumentKey = (TenantTag, &'static str, NameTag);

impl MemoryStore {
    /// An empty store by another clock than the system's.
    pub fn with_clock(clock: Clock) -> Self {
        Self { state: Arc::default(), clock }
    }

    /// The state and the time. A panic elsewhere cannot have left it half changed: each operation checks first.
    fn lock(&self) -> (MutexGuard<'_, State>, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state, (self.clock)())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(system_clock())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
