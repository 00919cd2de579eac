//! Work in the background that belongs to one owner and ends with it at the latest.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Tasks that are aborted when this is dropped.
#[derive(Default)]
pub(super) struct Chores(Mutex<JoinSet<()>>);

impl Chores {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it in the background.
    pub(super) fn add(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        // Of those that are done nothing is to be kept.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Does it in the background, to its end also when nobody waits for the answer any more; none where the owner went.
    pub(super) async fn answer<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, answer) = oneshot::channel();
        self.add(async move { drop(done.send(work.await)) });
        answer.await.ok()
    }

    /// Waits until all is done.
    pub(super) async fn done(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }
}
