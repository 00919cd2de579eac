//! How far a transfer is, told to whoever shows it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes of files that are done. Never less than it was before, and at the end `total`.
    pub done: u64,
    /// Bytes of all files. The same from the first to the last.
    pub total: u64,
    /// How many files.
    pub files: u64,
}

type Listener = dyn Fn(Transfer) + Send + Sync;

/// Who is told how far a transfer is; by default nobody. Told a few times for each MiB, from any thread, so whoever listens must
/// not block. Cheap to clone.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Listener>>);

impl Progress {
    /// Tells `listener`.
    pub fn new(listener: impl Fn(Transfer) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Of a transfer that begins now: tells that nothing is done yet.
    pub(super) fn begin(&self, total: u64, files: u64) -> Counter {
        let counter = Counter { listener: self.clone(), now: Mutex::new(Transfer { done: 0, total, files }) };
        counter.add(0);
        counter
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(told)" } else { "Progress(nobody)" })
    }
}

/// Adds up what is done.
pub(super) struct Counter {
    listener: Progress,
    now: Mutex<Transfer>,
}

impl Counter {
    /// So many bytes more.
    pub(super) fn add(&self, bytes: u64) {
        let Some(listener) = &self.listener.0 else { return };
        // Told under the lock: otherwise two threads could tell in the other order.
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.done += bytes;
        listener(*now);
    }
}
