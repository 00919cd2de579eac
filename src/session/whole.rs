//! Documents of the store as a whole, one of a kind, sealed under the store's key.

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
    if !sessions.keys().ring().knows(sealed.key_id()) {
        sessions.follow_keys().await?;
    }
    let what = what(kind);
    let opened = sessions.keys().ring().store_key(Some(&sealed));
    let opened = opened.and_then(|key| open(&key, Context::Store { kind }, &sealed));
    let value = decode(&opened.map_err(|error| seal_error(&what, error))?, &what)?;
    Ok(Some((value, sealed)))
}

/// Writes it where what is there is as it was read; false, with nothing written, where it is not.
pub(super) async fn write<T: Serialize>(
    sessions: &Sessions,
    kind: &'static str,
    read: Option<Sealed>,
    value: &T,
) -> Result<bool, SessionError> {
    sessions.follow_keys().await?;
    let sealed = sessions.keys().ring().store_key(None);
    let bytes = encode(value)?;
    let sealed = sealed.and_then(|key| seal(&key, Context::Store { kind }, &bytes));
    let sealed = sealed.map_err(|error| seal_error(&what(kind), error))?;
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
