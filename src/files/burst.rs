//! What the system's watcher has told since it was last listened to. A burst of any length takes the room of one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long nothing may happen before files are read. The steps of one save (truncate, write; backup, new file, rename) follow
/// each other within some milliseconds, formatters that run on save within some tens.
pub const QUIET: Duration = Duration::from_millis(50);
/// After this long files are read even where it never calms.
pub const LONGEST: Duration = Duration::from_millis(500);

/// Shared by the watcher's thread, which tells, and by whoever listens.
#[derive(Default)]
pub struct Ear {
    state: Mutex<State>,
    told: Notify,
}

#[derive(Default)]
struct State {
    places: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// All below it matters.
    below: Option<PathBuf>,
    burst: Option<Burst>,
}

/// Something happened to what is watched.
pub struct Burst {
    first: Instant,
    last: Instant,
    /// Watched folders that went or were replaced: they have to be watched anew.
    pub gone: BTreeSet<PathBuf>,
}

impl Burst {
    fn due(&self) -> Instant {
        (self.last + QUIET).min(self.first + LONGEST)
    }
}

impl Ear {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `places` matter, and the folders that they lie in.
    pub fn listen(&self, places: BTreeSet<PathBuf>, folders: BTreeSet<PathBuf>) {
        let mut state = self.state();
        state.places = places;
        state.folders = folders;
    }

    /// From now on all matters that is below `folder`.
    pub fn listen_below(&self, folder: PathBuf) {
        let mut state = self.state();
        state.folders = BTreeSet::from([folder.clone()]);
        state.below = Some(folder);
    }

    /// Takes what the watcher tells; called on its thread.
    pub fn hear(&self, told: &notify::Result<Event>) {
        let mut state = self.state();
        let mut gone = BTreeSet::new();
        match told {
            // Nobody knows what was missed: everything is looked at again.
            Err(_) => gone.extend(state.folders.iter().cloned()),
            Ok(event) if event.need_rescan() => gone.extend(state.folders.iter().cloned()),
            Ok(event) => {
                if is_reading(event.kind) || !event.paths.iter().any(|path| state.matters(path)) {
                    return;
                }
                gone.extend(event.paths.iter().filter(|path| state.folders.contains(*path)).cloned());
            }
        }
        let now = Instant::now();
        let burst = state.burst.get_or_insert_with(|| Burst { first: now, last: now, gone: BTreeSet::new() });
        burst.last = now;
        burst.gone.extend(gone);
        drop(state);
        self.told.notify_one();
    }

    /// Waits until a burst is over, or has lasted too long. Nothing is lost where it is dropped while it waits.
    pub async fn burst(&self) -> Burst {
        loop {
            let due = {
                let mut state = self.state();
                match state.burst.take() {
                    Some(burst) if burst.due() <= Instant::now() => return burst,
                    burst => {
                        state.burst = burst;
                        state.burst.as_ref().map(Burst::due)
                    }
                }
            };
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => self.told.notified().await,
            }
        }
    }
}

impl State {
    fn matters(&self, path: &PathBuf) -> bool {
        let is_below = self.below.as_ref().is_some_and(|folder| path.starts_with(folder));
        is_below || self.places.contains(path) || self.folders.contains(path)
    }
}

/// Reading changes nothing, and we do it ourselves.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
