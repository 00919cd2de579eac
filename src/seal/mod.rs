//! Floor 0: the encrypted envelope and its keys (`spec: sessions, "The envelope"`). The only maker of [`Sealed`], the
//! only type that a store accepts, so that plaintext cannot reach one.

mod content;
mod derive;
mod envelope;
mod error;
mod header;
mod keys;
mod names;
mod opening;
mod passphrase;
mod proof;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use content::ContentKey;
pub use envelope::{Context, Sealed, open, seal};
pub use error::SealError;
pub use keys::{DataKey, KeyId, KeyRing, RootKey};
pub use names::{NameKey, NameTag, TenantTag};
pub(crate) use opening::append;
pub use opening::{OpeningStream, open_pieces};
pub use passphrase::PassphraseKdf;
pub use stream::{RawBlob, SealedStream, open_stream, open_stream_among, seal_stream};
