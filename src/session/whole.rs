//! Documents of the store as a whole that are read before there is a key: one of a kind, sealed under a key that everybody knows.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::seal::{Context, Sealed, open_for_all, seal_for_all};
use crate::store::{Documents, Expected, StoreError};

use super::SessionError;
use super::keys::{of_store, seal_error};
use super::state::{decode, encode};

/// What the store keeps by that kind, and as what it stands there.
pub(super) async fn read<T: DeserializeOwned>(
    documents: &dyn Documents,
    kind: &'static str,
) -> Result<Option<(T, Sealed)>, SessionError> {
    let Some(sealed) = documents.get(&of_store(kind)).await? else { return Ok(None) };
    let what = what(kind);
    let bytes = open_for_all(Context::Store { kind }, &sealed).map_err(|error| seal_error(&what, error))?;
    Ok(Some((decode(&bytes, &what)?, sealed)))
}

/// Writes it where what is there is as it was read; false, with nothing written, where it is not.
pub(super) async fn write<T: Serialize>(
    documents: &dyn Documents,
    kind: &'static str,
    read: Option<Sealed>,
    value: &T,
) -> Result<bool, SessionError> {
    let sealed = seal_for_all(Context::Store { kind }, &encode(value)?);
    let sealed = sealed.map_err(|error| seal_error(&what(kind), error))?;
    let expected = read.map_or(Expected::Absent, Expected::Value);
    match documents.put(&of_store(kind), &expected, &sealed, None).await {
        Ok(()) => Ok(true),
        Err(StoreError::DocumentChanged) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn what(kind: &str) -> String {
    format!("a document of the store ({kind})")
}
