//! One sealed object: header, then AES-256-GCM over zstd, bound to its place by the additional data.
//!
//! The cipher's nonce is always zero: every object has a key of its own (see `header`), so no nonce can repeat under one.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm};
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::base::{Fence, SessionId, Tenant, Version};

use super::header::{Form, HEADER_LEN, Header};
use super::keys::KEY_ID_LEN;
use super::{DataKey, KeyId, NameTag, SealError};

/// Bytes of the authentication tag that ends every message.
pub(super) const TAG_LEN: usize = 16;
/// The most plaintext that one object holds, in bytes. Parts beyond 256 KiB are blobs, so that this is never near; it
/// bounds the memory that opening an object can ask for.
const MAX_PLAINTEXT: usize = 256 << 20;
/// zstd's own default: of the higher levels none pays for values of a few KiB.
pub(super) const ZSTD_LEVEL: i32 = 3;

/// What a sealed object is and where it belongs. Part of the authenticated data: an object opened under another context
/// than it was sealed under is `decrypt_failed`.
#[derive(Debug, Clone, Copy)]
pub enum Context<'a> {
    /// The store's check document (holds the name key).
    Check,
    /// A tenant of the store: its name. Sealed with the store's key, so that what a tenant has can be found again without
    /// being told its name.
    Tenant {
        /// Its name in the store.
        name: &'a NameTag,
    },
    /// What the store keeps of itself: whose its blobs are, when it was last swept. Sealed with the store's key.
    Store {
        /// What it is.
        kind: &'a str,
    },
    /// How a passphrase becomes a key. Sealed with a key that everybody knows.
    Kdf,
    /// A session's record: its id, settings and wrapped data keys. Sealed with the tenant key.
    Record {
        /// Whose.
        tenant: &'a Tenant,
        /// Its name in the store, not its id: a listing has to open the record before it knows the id.
        name: &'a NameTag,
    },
    /// Who holds a lease. Sealed with the tenant key.
    Holder {
        /// Whose.
        tenant: &'a Tenant,
        /// Which.
        session: &'a SessionId,
    },
    /// The index of a version. Sealed with the session's data key, like the parts.
    Index {
        /// Whose.
        tenant: &'a Tenant,
        /// Which.
        session: &'a SessionId,
        /// The version.
        version: Version,
        /// The fence that it is written under.
        fence: Fence,
    },
    /// One part of a version's state.
    Part {
        /// Whose.
        tenant: &'a Tenant,
        /// Which.
        session: &'a SessionId,
        /// The version that it was written with, which may be older than the one that refers to it.
        version: Version,
        /// The fence that it was written under.
        fence: Fence,
        /// The part's id.
        part: &'a [u8],
    },
    /// The checkpoint of a run.
    Checkpoint {
        /// Whose.
        tenant: &'a Tenant,
        /// Which.
        session: &'a SessionId,
        /// The run's fence.
        fence: Fence,
    },
    /// A document of the tenant. Sealed with the tenant key.
    Document {
        /// Whose.
        tenant: &'a Tenant,
        /// What it is.
        kind: &'a str,
        /// Its name in the store, for the same reason as with a record.
        name: &'a NameTag,
    },
    /// One object of a session in a file of its own, sealed with a key that a passphrase makes.
    Bundle {
        /// What stands in clear before all of them: how the key is made.
        header: &'a [u8],
        /// Which, from 0: they cannot be swapped or left out.
        object: u64,
    },
    /// A blob.
    Blob {
        /// Whose.
        tenant: &'a Tenant,
        /// Its content id.
        id: &'a [u8],
    },
}

/// Bytes that only [`super::seal`] makes. What comes back from a store is wrapped by [`Sealed::kept`] or, where its form
/// (magic, format, length) is to be checked at once, by [`Sealed::from_stored`]. Neither can prove anything; [`open`] does.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    bytes: Bytes,
    /// None where it is damaged so that it has none.
    header: Option<Header>,
}

impl Sealed {
    /// Wraps what a store gave back.
    pub fn from_stored(bytes: impl Into<Bytes>) -> Result<Self, SealError> {
        let sealed = Self::kept(bytes);
        sealed.header().map(|_| sealed.clone())
    }

    /// Wraps what a store gave back, whatever it is: damage is told by [`open`], so that one damaged object of many does not
    /// hide the others.
    pub fn kept(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let header = parse(&bytes).ok();
        Self { bytes, header }
    }

    /// Its header; what is wrong with it where it has none.
    pub(super) fn header(&self) -> Result<Header, SealError> {
        self.header.map_or_else(|| parse(&self.bytes), Ok)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, given away.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The id of the key it was sealed with; zeros where it is damaged so that it names none.
    pub fn key_id(&self) -> KeyId {
        self.header.map_or(KeyId([0; KEY_ID_LEN]), |header| header.key_id)
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is there, which only damage brings about.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under key {})", self.len(), self.key_id())
    }
}

/// Compresses and encrypts `plaintext` under a key of its own derived from `key`.
///
/// The length of the result tells that of the compressed plaintext. Do not seal a secret together with text that somebody
/// else chooses and then show them the length: compression would give the secret away piece by piece.
pub fn seal(key: &DataKey, context: Context<'_>, plaintext: &[u8]) -> Result<Sealed, SealError> {
    seal_under(Header::make(Form::Whole, key)?, context, plaintext)
}

/// [`seal`] under a header that is made already.
pub(super) fn seal_under(
    (header, cipher): (Header, Aes256Gcm),
    context: Context<'_>,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(SealError::TooLarge { limit: MAX_PLAINTEXT });
    }
    let mut body = Zeroizing::new(zstd::bulk::compress(plaintext, ZSTD_LEVEL).map_err(SealError::Compression)?);
    cipher
        .encrypt_in_place(&aes_gcm::Nonce::default(), &header.additional_data(&context), &mut *body)
        .map_err(|_| SealError::TooLarge { limit: MAX_PLAINTEXT })?;
    let mut bytes = header.to_bytes();
    bytes.reserve_exact(body.len());
    bytes.extend_from_slice(&body);
    Ok(Sealed { bytes: bytes.into(), header: Some(header) })
}

/// The header of an object that is long enough to be one.
fn parse(bytes: &[u8]) -> Result<Header, SealError> {
    let header = Header::parse(Form::Whole, bytes)?;
    if bytes.len() < HEADER_LEN + TAG_LEN {
        return Err(SealError::NotSealed("it ends before the tag"));
    }
    Ok(header)
}

/// Opens what [`seal`] made with the same key and context.
pub fn open(key: &DataKey, context: Context<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let header = sealed.header()?;
    let cipher = header.cipher(key)?;
    let mut body = Zeroizing::new(sealed.bytes[HEADER_LEN..].to_vec());
    cipher
        .decrypt_in_place(&aes_gcm::Nonce::default(), &header.additional_data(&context), &mut *body)
        .map_err(|_| SealError::Authentication)?;
    decompress(&body)
}

/// Undoes the compression, within [`MAX_PLAINTEXT`] whatever the frame says of its size.
fn decompress(frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let unsized_frame = || SealError::Compression(std::io::ErrorKind::InvalidData.into());
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or_else(unsized_frame)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_PLAINTEXT);
    let size = size.ok_or(SealError::TooLarge { limit: MAX_PLAINTEXT })?;
    zstd::bulk::decompress(frame, size).map(Zeroizing::new).map_err(SealError::Compression)
}
