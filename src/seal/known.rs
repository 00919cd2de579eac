//! What has to be read before there is a key, or by who has none: sealed under a key that everybody knows, for a store takes nothing
//! that is not sealed. It keeps nothing secret and proves nothing.

use zeroize::Zeroizing;

use super::derive::KEY_LEN;
use super::envelope::{open, seal};
use super::keys::KEY_ID_LEN;
use super::{Context, DataKey, SealError, Sealed};

fn known_key() -> Result<DataKey, SealError> {
    DataKey::from_bytes(&[0; KEY_ID_LEN + KEY_LEN])
}

/// Seals what is no secret.
pub fn seal_for_all(context: Context<'_>, plain: &[u8]) -> Result<Sealed, SealError> {
    seal(&known_key()?, context, plain)
}

/// The inverse of [`seal_for_all`].
pub fn open_for_all(context: Context<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open(&known_key()?, context, sealed)
}
