//! Documents of the store as a whole, sealed under the store's key; most kinds have one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::seal::{Context, Sealed, open, seal};
use crate::store::{Expected, StoreError};

use super::keys::{of_store, seal_error};
use super::state::{decode, encode};
use super::{SessionError, Sessions};

/// What the store keeps by that kind, and as what it stands there.
pub(super) async fn read<T: DeserializeOwned>(
    sessions: &Sessions,
    kind: &'static str,
) -> Result<Option<(T, Sealed)>, SessionError> {
    let Some(sealed) = sessions.documents().get(&of_store(kind)).await? else { return Ok(None) };
    let value = opened(sessions, kind, &sealed).await?;
    Ok(Some((value, sealed)))
}

/// What is sealed there, by that kind.
pub(super) async fn opened<T: DeserializeOwned>(
    sessions: &Sessions,
    kind: &str,
    sealed: &Sealed,
) -> Result<T, SessionError> {
    if !sessions.keys().ring().knows(sealed.key_id()) {
        sessions.follow_keys().await?;
    }
    let what = what(kind);
    let opened = sessions.keys().ring().store_key(Some(sealed));
    let opened = opened.and_then(|key| open(&key, Context::Store { kind }, sealed));
    decode(&opened.map_err(|error| seal_error(&what, error))?, &what)
}

/// Seals it by that kind, under the key that the store is at.
pub(super) async fn sealed<T: Serialize>(sessions: &Sessions, kind: &str, value: &T) -> Result<Sealed, SessionError> {
    sessions.follow_keys().await?;
    let key = sessions.keys().ring().store_key(None);
    let bytes = encode(value)?;
    let sealed = key.and_then(|key| seal(&key, Context::Store { kind }, &bytes));
    sealed.map_err(|error| seal_error(&what(kind), error))
}

/// Writes it where what is there is as it was read; false, with nothing written, where it is not.
pub(super) async fn write<T: Serialize>(
    sessions: &Sessions,
    kind: &'static str,
    read: Option<Sealed>,
    value: &T,
) -> Result<bool, SessionError> {
    let sealed = sealed(sessions, kind, value).await?;
    let expected = read.map_or(Expected::Absent, Expected::Value);
    match sessions.documents().put(&of_store(kind), &expected, &sealed, None).await {
        Ok(()) => Ok(true),
        Err(StoreError::DocumentChanged) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn what(kind: &str) -> String {
    format!("a document of the store ({kind})")
}
