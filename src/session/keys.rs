//! The root key: where it comes from, how it is made on first use, and the store's check document that proves it.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::Secret;
use crate::seal::{Context, DataKey, KeyRing, NameKey, NameTag, RootKey, SealError, Sealed, TenantTag, open, seal};
use crate::store::{DocumentName, Documents, Expected, StoreError};

use super::SessionError;

/// Where the root key comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Its text (`RHAVEN_KEY`).
    Text(Secret),
    /// A file (`RHAVEN_KEY_FILE`); has to be there.
    File(PathBuf),
    /// The user's own key file; made on first use at mode 0600 in a folder of 0700.
    MadeOnFirstUse(PathBuf),
}

impl KeySource {
    /// Where from, for messages.
    fn place(&self) -> String {
        match self {
            Self::Text(secret) => secret.name().to_owned(),
            Self::File(path) | Self::MadeOnFirstUse(path) => path.display().to_string(),
        }
    }
}

/// The document that every store has: the key of its names, sealed under the root key. It is the same across rotations.
fn check_document() -> DocumentName {
    DocumentName { tenant: TenantTag([0; 16]), kind: "check", name: NameTag([0; 32]) }
}

/// The keys of a store, proven against its check document; the document is made where the store is new.
pub(super) async fn unlock(
    documents: &dyn Documents,
    source: &KeySource,
    store: &str,
) -> Result<(KeyRing, NameKey), SessionError> {
    let name = check_document();
    if let Some(check) = documents.get(&name).await? {
        let ring = KeyRing::new(read(source, Some(store))?, Vec::new());
        let names = prove(&ring, &check, store)?;
        return Ok((ring, names));
    }
    let ring = KeyRing::new(read(source, None)?, Vec::new());
    let key = DataKey::generate().map_err(|source| seal_error("a new key", source))?;
    let under = ring.store_key(None).map_err(|source| seal_error("the store's key check", source))?;
    let check =
        seal(&under, Context::Check, &key.to_bytes()).map_err(|source| seal_error("the store's key check", source))?;
    match documents.put(&name, &Expected::Absent, &check, None).await {
        Ok(()) => Ok((ring, key.name_key())),
        // Another process made it between our look and our write.
        Err(StoreError::DocumentChanged) => {
            let check = documents.get(&name).await?.ok_or(StoreError::NotFound("key check"))?;
            let names = prove(&ring, &check, store)?;
            Ok((ring, names))
        }
        Err(error) => Err(error.into()),
    }
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

/// Reads the key. `existing` names the store where it has data already: then a missing key file is never made anew, for
/// a new key could open nothing.
fn read(source: &KeySource, existing: Option<&str>) -> Result<RootKey, SessionError> {
    let bad = |reason: String| SessionError::Key { place: source.place(), reason };
    let parse = |text: &str| RootKey::parse(text).map_err(|error| bad(error.to_string()));
    let from_file = |path: &Path| {
        let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new);
        parse(&text.map_err(|error| bad(format!("the key file cannot be read: {error}")))?)
    };
    match source {
        KeySource::Text(secret) => parse(secret.expose()),
        KeySource::File(path) => from_file(path),
        KeySource::MadeOnFirstUse(path) if path.exists() => from_file(path),
        KeySource::MadeOnFirstUse(path) => match existing {
            Some(store) => Err(bad(format!(
                "the key file is missing, and the store at {store} was made with the key that was in it"
            ))),
            None => make(path).map_err(|error| bad(format!("the key file cannot be made: {error}"))),
        },
    }
}

/// Makes a key file, or reads the one that another process made at the same time.
fn make(path: &Path) -> std::io::Result<RootKey> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let key = RootKey::generate().map_err(std::io::Error::other)?;
    // Written whole under another name and linked into place: nobody ever reads half a key, and the first one wins.
    let draft = folder.join(format!(".key.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(key.to_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    std::fs::File::open(folder)?.sync_all()?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let text = zeroize::Zeroizing::new(std::fs::read_to_string(path)?);
            RootKey::parse(&text).map_err(std::io::Error::other)
        }
        Err(error) => Err(error),
    }
}

/// A seal error with the name of what could not be opened or sealed.
pub(super) fn seal_error(what: &str, source: SealError) -> SessionError {
    SessionError::Seal { what: what.to_owned(), source }
}
