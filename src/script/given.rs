//! Which secrets a script's check may take for set: those that were given, and those that somebody is asked for only where
//! the script names them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::program::on_thread;

/// Whether a secret is set.
type HasSecret = dyn Fn(&str) -> bool + Sync;

/// Runs `work`, which asks for secrets by name, on a thread with a stack that suits scripts. Where it asks for others than those
/// `given`, `look` is asked for these, once, and `work` runs again unless all are there. None where there is no thread or it
/// died; the error is that of `look`.
pub async fn with_secrets<T, E, L>(
    given: BTreeSet<String>,
    look: impl FnOnce(BTreeSet<String>) -> L,
    work: impl Fn(&HasSecret) -> T + Clone + Send + 'static,
) -> Result<Option<T>, E>
where
    T: Send + 'static,
    L: Future<Output = Result<BTreeSet<String>, E>>,
{
    let (asked, known) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(given));
    let (first, names, others) = (work.clone(), known.clone(), asked.clone());
    let done = on_thread(move || {
        first(&move |name| {
            if !names.contains(name) {
                others.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
            }
            true
        })
    });
    let done = done.await;
    let missing = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
    if missing.is_empty() {
        return Ok(done);
    }
    let found = look(missing.clone()).await?;
    if found == missing {
        return Ok(done);
    }
    Ok(on_thread(move || work(&move |name| known.contains(name) || found.contains(name))).await)
}
