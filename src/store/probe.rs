//! Whether a store does what all others build on: for who looks at it before it is used.

use std::time::Duration;

use crate::seal::{Context, DataKey, NameTag, SealError, Sealed, TenantTag, seal};

use super::{DocumentName, Documents, Expected, StoreError};

/// What is written here runs out by itself, should nobody come to remove it.
const LIFE: Duration = Duration::from_mins(1);

/// Whether documents are written on their condition only. Writes one under a random name and removes it.
pub async fn honours_conditions(documents: &dyn Documents) -> Result<bool, StoreError> {
    let no_random =
        |error: SealError| StoreError::Unavailable { what: "a value to try".to_owned(), source: error.into() };
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| no_random(SealError::Random))?;
    let name = DocumentName { tenant: TenantTag([0; 16]), kind: "probe", name: NameTag(random) };
    let (first, second) = values().map_err(no_random)?;
    let put = async |expected: Expected, value: &Sealed| match documents.put(&name, &expected, value, Some(LIFE)).await
    {
        Ok(()) => Ok(true),
        Err(StoreError::DocumentChanged) => Ok(false),
        Err(error) => Err(error),
    };
    let made = put(Expected::Absent, &first).await?;
    let made_twice = put(Expected::Absent, &second).await?;
    let changed_wrongly = put(Expected::Value(second.clone()), &second).await?;
    let changed = put(Expected::Value(first), &second).await?;
    let is_there = documents.get(&name).await? == Some(second);
    documents.remove(&name).await?;
    Ok(made && !made_twice && !changed_wrongly && changed && is_there)
}

fn values() -> Result<(Sealed, Sealed), SealError> {
    let key = DataKey::generate()?;
    Ok((seal(&key, Context::Check, b"first")?, seal(&key, Context::Check, b"second")?))
}
