//! The keys of a store: where they come from, the check document that proves them, and following them where they change
//! while this process runs.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::base::{Secret, Tenant};
use crate::seal::{
    Context, DataKey, KeyId, KeyRing, NameKey, NameTag, PassphraseKdf, RootKey, SealError, Sealed, TenantTag, open,
    seal,
};
use crate::store::{DocumentName, Documents, Expected, StoreError};

use super::{SessionError, keyfile};

/// How often the store is asked for keys that nobody here has heard of.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the root key comes from. A text or a file may hold several, with white space between them (passphrases: one per line):
/// the first seals, the others only open.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Its text (`RHAVEN_KEY`).
    Text(Secret),
    /// A file (`RHAVEN_KEY_FILE`); has to be there.
    File(PathBuf),
    /// A passphrase (`RHAVEN_PASSPHRASE`), which goes through Argon2id.
    Passphrase(Secret),
    /// A file with a passphrase (`RHAVEN_PASSPHRASE_FILE`); has to be there.
    PassphraseFile(PathBuf),
    /// The user's own key file; made on first use at mode 0600 in a folder of 0700.
    MadeOnFirstUse(PathBuf),
}

impl KeySource {
    /// Where from, for messages.
    pub fn place(&self) -> String {
        match self {
            Self::Text(secret) | Self::Passphrase(secret) => secret.name().to_owned(),
            Self::File(path) | Self::PassphraseFile(path) | Self::MadeOnFirstUse(path) => path.display().to_string(),
        }
    }

    /// The key file, where keys and not passphrases come from one.
    pub(super) fn key_file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::MadeOnFirstUse(path) => Some(path),
            Self::Text(_) | Self::Passphrase(_) | Self::PassphraseFile(_) => None,
        }
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> SessionError {
        SessionError::Key { place: self.place(), reason: reason.into() }
    }
}

/// A document of the store as a whole.
pub(super) fn of_store(kind: &'static str) -> DocumentName {
    DocumentName { tenant: TenantTag([0; 16]), kind, name: NameTag([0; 32]) }
}

/// The document that every store has: the key of its names, sealed under the root key. It is the same across rotations.
pub(super) fn check_document() -> DocumentName {
    of_store("check")
}

/// The keys of an opened store.
pub(super) struct Keys {
    source: KeySource,
    /// The store, for messages.
    store: String,
    ring: RwLock<KeyRing>,
    /// The check document that was proven last.
    check: RwLock<Sealed>,
    names: NameKey,
    /// When the store was last asked for a key that is not known here.
    looked: tokio::sync::Mutex<Option<Instant>>,
}

impl Keys {
    /// Proves the keys against the store's check document, which is made where the store is new. For a `shared` store no key
    /// is made: each machine would make another.
    pub(super) async fn unlock(
        documents: &dyn Documents,
        source: KeySource,
        store: String,
        shared: bool,
    ) -> Result<Self, SessionError> {
        let name = check_document();
        // The check first: a key file that is read later knows at least the key that the check was sealed under.
        let mut check = documents.get(&name).await?;
        if let KeySource::MadeOnFirstUse(path) = &source
            && shared
            && !path.exists()
        {
            return Err(source.error(match check {
                Some(_) => {
                    format!("there is no key, and the store at {store} has one: take it from a machine that uses it")
                }
                None => format!(
                    "there is no key, and none is made for the store at {store}, which other machines may share: \
                     `rhaven key new` prints one, to be given to all of them"
                ),
            }));
        }
        let ring = read(documents, &source, check.is_some().then_some(store.as_str())).await?;
        if check.is_none() {
            match documents.put(&name, &Expected::Absent, &new_check(&ring)?, None).await {
                // Another process made it between our look and our write.
                Ok(()) | Err(StoreError::DocumentChanged) => check = documents.get(&name).await?,
                Err(error) => return Err(error.into()),
            }
        }
        let check = check.ok_or(StoreError::NotFound("key check"))?;
        let names = prove(&ring, &check, &store)?;
        let (ring, check, looked) = (RwLock::new(ring), RwLock::new(check), tokio::sync::Mutex::default());
        Ok(Self { source, store, ring, check, names, looked })
    }

    /// The root keys as they are now.
    pub(super) fn ring(&self) -> KeyRing {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn names(&self) -> &NameKey {
        &self.names
    }

    pub(super) fn source(&self) -> &KeySource {
        &self.source
    }

    /// Looks whether the store has gone on to another key, and reads the keys again where it has. To be called before
    /// anything is sealed that stays: what is sealed under a key that has been retired could never be opened. One read of
    /// the store where nothing has changed. [`SessionError::WrongKey`] where the store's key is not to be had here;
    /// [`StoreError::Unavailable`] where the store has lost what it held: what is written then nobody would find again.
    pub(super) async fn refresh(&self, documents: &dyn Documents) -> Result<(), SessionError> {
        let check = documents.get(&check_document()).await?.ok_or_else(|| self.emptied())?;
        if *self.check.read().unwrap_or_else(PoisonError::into_inner) == check {
            return Ok(());
        }
        let known = self.ring();
        let ring = if check.key_id() == known.current_id() {
            known
        } else {
            match read(documents, &self.source, Some(&self.store)).await {
                Ok(ring) if ring.knows(check.key_id()) || !known.knows(check.key_id()) => ring,
                // Its key file is damaged, which is no reason to lose what this run has: the store is still at a key of ours.
                Ok(_) => known,
                Err(_) if known.knows(check.key_id()) => known,
                Err(error) => return Err(error),
            }
        };
        let (proof, ours) = (prove(&ring, &check, &self.store)?, Tenant::default());
        if proof.tenant(&ours) != self.names.tenant(&ours) {
            return Err(self.emptied());
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        *self.check.write().unwrap_or_else(PoisonError::into_inner) = check;
        Ok(())
    }

    /// Follows the store to the key `id`, where that is not known here. The store is asked once in [`PAUSE`] at the most, whoever
    /// asks for how many; those who came before it was asked share the answer.
    pub(super) async fn look_for(&self, id: KeyId, documents: &dyn Documents) -> Result<(), SessionError> {
        let came = Instant::now();
        while !self.ring().knows(id) {
            let until = {
                let mut looked = self.looked.lock().await;
                match *looked {
                    Some(at) if at >= came => return Ok(()),
                    Some(at) if at.elapsed() < PAUSE => at + PAUSE,
                    _ => {
                        *looked = Some(Instant::now());
                        return self.refresh(documents).await;
                    }
                }
            };
            sleep_until(until).await;
        }
        Ok(())
    }

    /// Names in a store are HMACs under a key of the store's own: where that is gone, or another, nothing is where it was.
    fn emptied(&self) -> SessionError {
        let source = "it was emptied, or began anew, since it was opened: its data have to be brought back first, from a \
                      backup or with `rhaven session recover`";
        StoreError::Unavailable { what: format!("the store at {}", self.store), source: source.into() }.into()
    }

    /// Reads the keys again, whatever the store is at.
    pub(super) async fn reread(&self, documents: &dyn Documents) -> Result<(), SessionError> {
        let ring = read(documents, &self.source, Some(&self.store)).await?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }
}

/// A check document for a new store.
fn new_check(ring: &KeyRing) -> Result<Sealed, SessionError> {
    let key = DataKey::generate().map_err(|source| seal_error("a new key", source))?;
    ring.store_key(None)
        .and_then(|under| seal(&under, Context::Check, &key.to_bytes()))
        .map_err(|source| seal_error("the store's key check", source))
}

fn prove(ring: &KeyRing, check: &Sealed, store: &str) -> Result<NameKey, SessionError> {
    let opened = ring.store_key(Some(check)).and_then(|key| open(&key, Context::Check, check));
    match opened.and_then(|bytes| DataKey::from_bytes(&bytes)) {
        Ok(key) => Ok(key.name_key()),
        Err(SealError::UnknownKey { needed, given }) => {
            Err(SessionError::WrongKey { store: store.to_owned(), given, needed })
        }
        Err(source) => Err(seal_error("the store's key check", source)),
    }
}

/// Reads the keys. `existing` names the store where it has data already: then a missing key file is never made anew, for
/// a new key could open nothing.
async fn read(documents: &dyn Documents, source: &KeySource, existing: Option<&str>) -> Result<KeyRing, SessionError> {
    let parse = |text: &str| KeyRing::parse(text).map_err(|error| source.error(error.to_string()));
    let file = |path: &Path, what: &str| {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        text.map_err(|error| source.error(format!("the {what} cannot be read: {error}")))
    };
    match source {
        KeySource::Text(secret) => parse(secret.expose()),
        KeySource::File(path) => parse(&file(path, "key file")?),
        KeySource::Passphrase(secret) => derive(documents, source, secret.expose(), existing).await,
        KeySource::PassphraseFile(path) => derive(documents, source, &file(path, "passphrase file")?, existing).await,
        KeySource::MadeOnFirstUse(path) if path.exists() => parse(&file(path, "key file")?),
        KeySource::MadeOnFirstUse(path) => match existing {
            Some(store) => Err(source.error(format!(
                "the key file is missing, and the store at {store} was made with the key that was in it"
            ))),
            None => keyfile::make(path)
                .map(|key| KeyRing::new(key, Vec::new()))
                .map_err(|error| source.error(format!("the key file cannot be made: {error}"))),
        },
    }
}

/// The keys of the passphrases in `text`, one per line, by the salt and cost that the store keeps; they are made where the
/// store is new.
async fn derive(
    documents: &dyn Documents,
    source: &KeySource,
    text: &str,
    existing: Option<&str>,
) -> Result<KeyRing, SessionError> {
    let name = of_store("kdf");
    let mut kept = documents.get(&name).await?;
    if kept.is_none() {
        if let Some(store) = existing {
            return Err(SessionError::WrongKey {
                store: store.to_owned(),
                given: "a passphrase".to_owned(),
                needed: "a key, as `rhaven key new` prints one".to_owned(),
            });
        }
        let fresh = PassphraseKdf::generate().and_then(|kdf| kdf.to_sealed());
        let fresh = fresh.map_err(|source| seal_error("the store's salt", source))?;
        match documents.put(&name, &Expected::Absent, &fresh, None).await {
            Ok(()) | Err(StoreError::DocumentChanged) => kept = documents.get(&name).await?,
            Err(error) => return Err(error.into()),
        }
    }
    let kdf = PassphraseKdf::from_sealed(&kept.ok_or(StoreError::NotFound("salt"))?)
        .map_err(|source| seal_error("the store's salt", source))?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let passphrases: Vec<_> = lines.map(|line| Zeroizing::new(line.to_owned())).collect();
    if passphrases.is_empty() {
        return Err(source.error("there is no passphrase in it"));
    }
    let derived = tokio::task::spawn_blocking(move || {
        passphrases.iter().map(|words| kdf.root_key(words)).collect::<Result<Vec<RootKey>, _>>()
    });
    let derived = derived.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    let mut keys = derived.map_err(|error| source.error(error.to_string()))?;
    let current = keys.remove(0);
    Ok(KeyRing::new(current, keys))
}

/// A seal error with the name of what could not be opened or sealed.
pub(super) fn seal_error(what: &str, source: SealError) -> SessionError {
    SessionError::Seal { what: what.to_owned(), source }
}
