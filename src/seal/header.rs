//! The header in front of every sealed object, and the key that it leads to.
//!
//! ```text
//! magic "rhaven" | form 1 | format version 1 | key id 16 | random 32 | key commitment 32
//! ```

use aes_gcm::{Aes256Gcm, KeyInit};
use subtle::ConstantTimeEq;

use super::derive::{KEY_LEN, expand, extract, push_field};
use super::keys::{KEY_ID_LEN, fill_random};
use super::{Context, DataKey, KeyId, SealError};

/// The first bytes of everything that is sealed.
const MAGIC: &[u8; 6] = b"rhaven";
/// The format that this build writes, and the newest that it reads.
const FORMAT: u8 = 1;
/// Random bytes that give each object a key of its own.
const RANDOM_LEN: usize = 32;
/// Bytes of the whole header.
pub(super) const HEADER_LEN: usize = MAGIC.len() + 2 + KEY_ID_LEN + RANDOM_LEN + KEY_LEN;

const OBJECT_KEY: &[u8] = b"rhaven 1 object key";
const COMMITMENT: &[u8] = b"rhaven 1 key commitment";

/// How the body behind the header is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One message.
    Whole,
    /// Segments.
    Stream,
}

impl Form {
    fn byte(self) -> u8 {
        match self {
            Self::Whole => b'w',
            Self::Stream => b's',
        }
    }
}

/// A header whose form has been checked; nothing is proven of it until the body is authenticated with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    form: Form,
    pub(super) key_id: KeyId,
    random: [u8; RANDOM_LEN],
    commitment: [u8; KEY_LEN],
}

impl Header {
    /// A header for a new object under `key`, and the object's cipher.
    pub(super) fn make(form: Form, key: &DataKey) -> Result<(Self, Aes256Gcm), SealError> {
        let mut random = [0; RANDOM_LEN];
        fill_random(&mut random)?;
        Ok(Self::with_random(form, key, random))
    }

    /// As [`Self::make`] with given random bytes. Two objects with the same ones would share key and nonce, which gives
    /// both away: only fixed vectors may come here with bytes that are not fresh.
    pub(super) fn with_random(form: Form, key: &DataKey, random: [u8; RANDOM_LEN]) -> (Self, Aes256Gcm) {
        let prk = extract(&random, key.secret());
        let cipher = Aes256Gcm::new((&*expand(&prk, &[OBJECT_KEY])).into());
        (Self { form, key_id: key.id(), random, commitment: *expand(&prk, &[COMMITMENT]) }, cipher)
    }

    /// Reads the header at the start of `bytes`.
    pub(super) fn parse(form: Form, bytes: &[u8]) -> Result<Self, SealError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(SealError::NotSealed("it does not begin as one"));
        }
        if bytes.len() < HEADER_LEN {
            return Err(SealError::NotSealed("it ends within the header"));
        }
        let (start, rest) = bytes[MAGIC.len()..HEADER_LEN].split_at(2);
        if start[1] > FORMAT {
            return Err(SealError::Format { found: start[1], known: FORMAT });
        }
        if start[1] == 0 {
            return Err(SealError::NotSealed("its format version is 0"));
        }
        if start[0] != form.byte() {
            return Err(SealError::NotSealed("a blob was found where a value belongs, or the reverse"));
        }
        let (id, rest) = rest.split_at(KEY_ID_LEN);
        let (random, commitment) = rest.split_at(RANDOM_LEN);
        Ok(Self { form, key_id: KeyId(array(id)), random: array(random), commitment: array(commitment) })
    }

    /// The object's cipher, once `key` is known to be the one that the header commits to.
    pub(super) fn cipher(&self, key: &DataKey) -> Result<Aes256Gcm, SealError> {
        if key.id() != self.key_id {
            return Err(SealError::ForeignKey { needed: self.key_id.to_string(), given: key.id().to_string() });
        }
        let (wanted, cipher) = Self::with_random(self.form, key, self.random);
        if bool::from(wanted.commitment.ct_eq(&self.commitment)) { Ok(cipher) } else { Err(SealError::Commitment) }
    }

    /// The header as it is stored.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[self.form.byte(), FORMAT]);
        bytes.extend_from_slice(&self.key_id.0);
        bytes.extend_from_slice(&self.random);
        bytes.extend_from_slice(&self.commitment);
        bytes
    }

    /// What the body is authenticated with besides itself: the header and the object's place.
    pub(super) fn additional_data(self, context: &Context<'_>) -> Vec<u8> {
        let mut data = self.to_bytes();
        encode(context, &mut data);
        data
    }
}

/// The context in one reading only: its kind and every field behind its length.
fn encode(context: &Context<'_>, to: &mut Vec<u8>) {
    let mut fields = |kind: &str, list: &[&[u8]]| {
        push_field(to, kind.as_bytes());
        for field in list {
            push_field(to, field);
        }
    };
    match context {
        Context::Check => fields("check", &[]),
        Context::Tenant { name } => fields("tenant", &[&name.0]),
        Context::Store { kind } => fields("store", &[kind.as_bytes()]),
        Context::Kdf => fields("kdf", &[]),
        Context::Record { tenant, name } => fields("record", &[tenant.as_str().as_bytes(), &name.0]),
        Context::Holder { tenant, session } => {
            fields("holder", &[tenant.as_str().as_bytes(), session.as_str().as_bytes()]);
        }
        Context::Index { tenant, session, version, fence } => {
            let (version, fence) = (version.0.to_be_bytes(), fence.0.to_be_bytes());
            fields("index", &[tenant.as_str().as_bytes(), session.as_str().as_bytes(), &version, &fence]);
        }
        Context::Part { tenant, session, version, fence, part } => {
            let (version, fence) = (version.0.to_be_bytes(), fence.0.to_be_bytes());
            fields("part", &[tenant.as_str().as_bytes(), session.as_str().as_bytes(), &version, &fence, part]);
        }
        Context::Checkpoint { tenant, session, fence } => {
            let fence = fence.0.to_be_bytes();
            fields("checkpoint", &[tenant.as_str().as_bytes(), session.as_str().as_bytes(), &fence]);
        }
        Context::Document { tenant, kind, name } => {
            fields("document", &[tenant.as_str().as_bytes(), kind.as_bytes(), &name.0]);
        }
        Context::Bundle { header, object } => fields("bundle", &[header, &object.to_be_bytes()]),
        Context::Blob { tenant, id } => fields("blob", &[tenant.as_str().as_bytes(), id]),
    }
}

/// `bytes` as an array of a length that the caller has already cut them to.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
