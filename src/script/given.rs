//! What scripts name that is kept outside of them: secrets and identities. A check takes those for there that were given, and
//! somebody is asked only for others that the script names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::program::on_thread;

/// Whether a secret is set.
pub type HasSecret<'a> = dyn Fn(&str) -> bool + Sync + 'a;
/// Whether there is an identity; where there is none, the nearest name.
pub type HasIdentity<'a> = dyn Fn(&str) -> Result<(), Option<String>> + Sync + 'a;

/// What a script names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NamesAsked {
    /// Secrets that were not given.
    pub secrets: BTreeSet<String>,
    /// Identities.
    pub identities: BTreeSet<String>,
}

/// The answer to it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NamesTold {
    /// Those of the secrets that are there.
    pub secrets: BTreeSet<String>,
    /// Those of the identities that are not, each with the nearest name that there is.
    pub missing_identities: BTreeMap<String, Option<String>>,
}

/// Runs `work`, which asks for secrets and identities by name, on a thread with a stack that suits scripts. Where it asks for
/// others than the secrets `given`, `look` is asked for these, once, and `work` runs again unless all are there. None where
/// there is no thread or it died; the error is that of `look`.
pub async fn with_names<T, E, L>(
    given: BTreeSet<String>,
    look: impl FnOnce(NamesAsked) -> L,
    work: impl Fn(&HasSecret<'_>, &HasIdentity<'_>) -> T + Clone + Send + 'static,
) -> Result<Option<T>, E>
where
    T: Send + 'static,
    L: Future<Output = Result<NamesTold, E>>,
{
    let (asked, known) = (Arc::new(Mutex::new(NamesAsked::default())), Arc::new(given));
    let (first, names, others) = (work.clone(), known.clone(), asked.clone());
    let done = on_thread(move || {
        let asked = || others.lock().unwrap_or_else(PoisonError::into_inner);
        let has_secret = |name: &str| {
            if !names.contains(name) {
                asked().secrets.insert(name.to_owned());
            }
            true
        };
        let has_identity = |name: &str| {
            asked().identities.insert(name.to_owned());
            Ok(())
        };
        first(&has_secret, &has_identity)
    });
    let done = done.await;
    let asked = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
    if asked == NamesAsked::default() {
        return Ok(done);
    }
    let told = look(asked.clone()).await?;
    if told.secrets == asked.secrets && told.missing_identities.is_empty() {
        return Ok(done);
    }
    let again = move || {
        let has_secret = |name: &str| known.contains(name) || told.secrets.contains(name);
        let has_identity = |name: &str| told.missing_identities.get(name).map_or(Ok(()), |near| Err(near.clone()));
        work(&has_secret, &has_identity)
    };
    Ok(on_thread(again).await)
}
