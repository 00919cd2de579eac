//! A bundle: all of a session in one file, sealed under a passphrase. Nothing is lost in it, and nothing is in clear but
//! how the key is made of the passphrase:
//!
//! ```text
//! magic 14 | format 1 | Argon2id: memory in KiB 4, passes 4, lanes 4 | salt 16 | sealed stream
//! ```
//!
//! What stands before the stream is part of what authenticates it. In the stream: a manifest, one line of JSON, and
//! behind it the parts that it lists, one after the other.

use argon2::{Algorithm, Argon2, Params};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::contents::{Contents, Storage};
use super::{PortableError, Read, Written};
use crate::base::Secret;
use crate::seal::{Context, DataKey, RawBlob, SealError, open_stream, seal_stream};
use crate::session::keys::seal_error;
use crate::session::part::Part;
use crate::session::state::decode;
use crate::session::{Partial, SessionError};

const NAME: &str = "bundle";
const MAGIC: &[u8; 14] = b"rhaven bundle\n";
/// The format of what stands before the stream.
const FORMAT: u8 = 1;
/// The format of the manifest.
const MANIFEST: u32 = 1;
const SALT_LEN: usize = 16;
const HEADER_LEN: usize = MAGIC.len() + 1 + 3 * 4 + SALT_LEN;
/// 64 MiB and three passes: some tenths of a second for whoever knows the passphrase.
const COST: Cost = Cost { memory_kib: 64 << 10, passes: 3, lanes: 1 };
/// What a file may ask for, so that one that nobody has proven anything of cannot exhaust the machine.
const MOST: Cost = Cost { memory_kib: 1 << 20, passes: 16, lanes: 16 };
/// The least characters of a passphrase.
const SHORTEST: usize = 8;
/// A bundle has one key only; its id tells nothing.
const KEY_ID: &[u8; 16] = b"rhaven bundle 01";
const KEY_LEN: usize = 32;
/// Bytes that are handed to the seal at a time.
const PIECE: usize = 256 << 10;

/// How hard it is to try a passphrase.
#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What the file says before anything of it is proven.
struct Header {
    cost: Cost,
    salt: [u8; SALT_LEN],
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    settings: Value,
    index: Value,
    parts: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    storage_key: String,
    bytes: usize,
    partial: Vec<Partial>,
}

/// Whether `bytes` begin as a bundle does.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Seals everything.
pub(super) async fn write(contents: &Contents, passphrase: &Secret) -> Result<Written, SessionError> {
    let found = passphrase.expose().chars().count();
    if found < SHORTEST {
        return Err(PortableError::WeakPassphrase { found, wanted: SHORTEST }.into());
    }
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt).map_err(|_| seal_error(NAME, SealError::Random))?;
    let bytes = write_at(contents, passphrase, Header { cost: COST, salt }).await?;
    let (cookies, origins) = (contents.index.cookies.len(), contents.origins());
    Ok(Written { bytes, cookies, origins, lost: Vec::new() })
}

async fn write_at(
    contents: &Contents,
    passphrase: &Secret,
    header: Header,
) -> Result<Zeroizing<Vec<u8>>, SessionError> {
    let mut bytes = header.to_bytes();
    let key = header.key(passphrase).await?;
    let pieces = pieces(contents)?;
    let sealed = seal_stream(&key, Context::Bundle { header: &bytes }, stream::iter(pieces.into_iter().map(Ok)))
        .map_err(|error| seal_error(NAME, error))?;
    let chunks: Vec<Bytes> =
        sealed.into_inner().try_collect().await.map_err(|error| seal_error(NAME, SealError::Io(error)))?;
    for chunk in &chunks {
        bytes.extend_from_slice(chunk);
    }
    Ok(Zeroizing::new(bytes))
}

/// The manifest and the parts.
fn pieces(contents: &Contents) -> Result<Vec<Bytes>, SessionError> {
    let bad = |error: serde_json::Error| SessionError::Format { what: "the session".into(), reason: error.to_string() };
    let mut index = contents.index.clone();
    // They say where parts are in a store, which means nothing in another.
    index.parts.clear();
    let entry = |part: &Storage| Entry {
        storage_key: part.storage_key.clone(),
        bytes: part.part.as_bytes().len(),
        partial: part.partial.clone(),
    };
    let manifest = Manifest {
        format: MANIFEST,
        settings: contents.settings.clone().unwrap_or(Value::Null),
        index: serde_json::to_value(index).map_err(bad)?,
        parts: contents.parts.iter().map(entry).collect(),
    };
    let mut line = serde_json::to_vec(&manifest).map_err(bad)?;
    line.push(b'\n');
    let parts = contents.parts.iter().flat_map(|part| part.part.pieces(PIECE));
    Ok(std::iter::once(Bytes::from(line)).chain(parts.map(|piece| Bytes::copy_from_slice(piece.as_bytes()))).collect())
}

/// Opens a bundle. Nothing is looked at before all of it is proven.
pub(super) async fn read(bytes: &[u8], passphrase: &Secret) -> Result<Read, SessionError> {
    let header = Header::parse(bytes)?;
    let (place, body) = bytes.split_at(HEADER_LEN);
    let key = header.key(passphrase).await?;
    let body = RawBlob(stream::iter([Ok(Bytes::copy_from_slice(body))]).boxed());
    let opened = open_stream(&key, Context::Bundle { header: place }, body).await;
    let plain = opened.map_err(|error| match error {
        SealError::Commitment => PortableError::Closed("the passphrase is another one, or its header was altered"),
        SealError::Format { found, known } => PortableError::Later { found: u32::from(found), known: u32::from(known) },
        _ => PortableError::Closed("it was altered or cut off"),
    })?;
    contents(&plain)
}

fn contents(plain: &[u8]) -> Result<Read, SessionError> {
    let end = plain.iter().position(|byte| *byte == b'\n').ok_or_else(|| invalid("manifest", "it has no end"))?;
    let (line, mut rest) = (&plain[..end], &plain[end + 1..]);
    let manifest: Manifest =
        serde_json::from_slice(line).map_err(|error| invalid("manifest", format!("it is not readable: {error}")))?;
    if manifest.format > MANIFEST {
        return Err(PortableError::Later { found: manifest.format, known: MANIFEST }.into());
    }
    let mut index: crate::session::state::Index = decode(manifest.index.to_string().as_bytes(), "the bundle's index")?;
    index.parts.clear();
    let mut parts = Vec::with_capacity(manifest.parts.len());
    for (number, entry) in manifest.parts.into_iter().enumerate() {
        let at = format!("parts[{number}]");
        let (bytes, after) = rest.split_at_checked(entry.bytes).ok_or_else(|| invalid(&at, "it is cut off"))?;
        rest = after;
        let part = Part::from_bytes(bytes, &at)?;
        if !part.is_whole() {
            return Err(invalid(&at, "it is not lines of JSON"));
        }
        parts.push(Storage { storage_key: entry.storage_key, part, partial: entry.partial });
    }
    if !rest.is_empty() {
        return Err(invalid("parts", "there is more than the manifest lists"));
    }
    let settings = Some(manifest.settings).filter(Value::is_object);
    Ok(Read { contents: Contents { settings, index, parts }, lost: Vec::new() })
}

fn invalid(at: &str, reason: impl Into<String>) -> SessionError {
    PortableError::Invalid { format: NAME, at: at.to_owned(), reason: reason.into() }.into()
}

impl Header {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.push(FORMAT);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, PortableError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(PortableError::Closed("it does not begin as one"))?;
        let (format, rest) = rest.split_first().ok_or(PortableError::Closed("it is cut off"))?;
        match *format {
            FORMAT => {}
            0 => return Err(PortableError::Closed("its format is 0")),
            found => return Err(PortableError::Later { found: u32::from(found), known: u32::from(FORMAT) }),
        }
        let (memory_kib, rest) = number(rest)?;
        let (passes, rest) = number(rest)?;
        let (lanes, rest) = number(rest)?;
        let salt = rest.first_chunk().ok_or(PortableError::Closed("it is cut off"))?;
        if memory_kib > MOST.memory_kib || passes > MOST.passes || lanes > MOST.lanes {
            return Err(PortableError::Closed("its header asks for more work than any bundle is made with"));
        }
        Ok(Self { cost: Cost { memory_kib, passes, lanes }, salt: *salt })
    }

    /// The key. Takes long and much memory on purpose, so it is made on a thread of its own.
    async fn key(&self, passphrase: &Secret) -> Result<DataKey, SessionError> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let (salt, passphrase) = (self.salt, passphrase.clone());
        let made = tokio::task::spawn_blocking(move || {
            let mut stored = Zeroizing::new([0; KEY_ID.len() + KEY_LEN]);
            stored[..KEY_ID.len()].copy_from_slice(KEY_ID);
            let params = Params::new(memory_kib, passes, lanes, Some(KEY_LEN)).ok()?;
            let argon = Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params);
            argon.hash_password_into(passphrase.expose().as_bytes(), &salt, &mut stored[KEY_ID.len()..]).ok()?;
            DataKey::from_bytes(&*stored).ok()
        });
        let key = made.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        Ok(key.ok_or(PortableError::Closed("its header asks for work that cannot be done"))?)
    }
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), PortableError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(PortableError::Closed("it is cut off"))?;
    Ok((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CHEAP: Header = Header { cost: Cost { memory_kib: 8, passes: 1, lanes: 1 }, salt: [7; SALT_LEN] };

    fn phrase(text: &str) -> Secret {
        Secret::new("RHAVEN_BUNDLE_PASSPHRASE", text.to_owned())
    }

    fn sample() -> Contents {
        let cookie = json!({"name": "sid", "value": "needle-cookie", "domain": "a.example", "path": "/"});
        let line = "{\"t\":\"ls\",\"k\":\"token\",\"v\":\"needle-storage\"}\n";
        let part = Part::from_bytes(line.as_bytes(), "it").unwrap();
        let partial =
            vec![Partial { origin: "o".into(), store: "s".into(), key: None, reason: "it cannot be kept".into() }];
        let storage = Storage { storage_key: "https://a.example/".into(), part, partial };
        let mut contents = Contents::of(vec![cookie.as_object().unwrap().clone()], vec![storage]);
        contents.settings = Some(json!({"ttl_seconds": 60}));
        contents
    }

    #[tokio::test]
    async fn all_comes_back_and_nothing_is_in_clear() {
        let bytes = write_at(&sample(), &phrase("correct horse"), CHEAP).await.unwrap();
        assert!(recognise(&bytes));
        for needle in [&b"needle"[..], b"token", b"a.example", b"ttl"] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
        let back = read(&bytes, &phrase("correct horse")).await.unwrap().contents;
        assert_eq!(back.index.cookies, sample().index.cookies);
        assert_eq!(back.parts[0].part.as_bytes(), sample().parts[0].part.as_bytes());
        assert_eq!((&back.parts[0].partial, back.settings), (&sample().parts[0].partial, sample().settings));
    }

    #[tokio::test]
    async fn a_wrong_passphrase_is_refused_and_a_short_one_never_used() {
        let bytes = write_at(&sample(), &phrase("correct horse"), CHEAP).await.unwrap();
        let error = read(&bytes, &phrase("wrong horse")).await.err().unwrap();
        assert_eq!(error.code(), "decrypt_failed");
        assert!(error.to_string().contains("the passphrase is another one"), "{error}");
        let short = write(&sample(), &phrase("short")).await.err().unwrap();
        assert_eq!(short.code(), "passphrase_too_short");
    }

    #[tokio::test]
    async fn any_flipped_bit_and_any_cut_is_refused() {
        let bytes = write_at(&sample(), &phrase("correct horse"), CHEAP).await.unwrap();
        for at in 0..bytes.len() {
            // Two bits of each byte: the lowest and the highest.
            for bit in [0x01, 0x80] {
                let mut altered = bytes.to_vec();
                altered[at] ^= bit;
                let error = read(&altered, &phrase("correct horse")).await.err();
                assert_eq!(error.map(|error| error.code()), Some("decrypt_failed"), "byte {at}, bit {bit:#x}");
            }
            let error = read(&bytes[..at], &phrase("correct horse")).await.err();
            assert_eq!(error.map(|error| error.code()), Some("decrypt_failed"), "cut at {at}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(read(&longer, &phrase("correct horse")).await.is_err());
    }

    #[tokio::test]
    async fn a_header_that_asks_for_all_memory_is_refused_at_once() {
        let greedy = Header { cost: Cost { memory_kib: u32::MAX, passes: 1, lanes: 1 }, salt: [0; SALT_LEN] };
        let error = read(&greedy.to_bytes(), &phrase("correct horse")).await.err().unwrap();
        assert!(error.to_string().contains("more work than any bundle"), "{error}");
    }

    #[test]
    fn what_opens_and_is_nonsense_is_named() {
        let told = |text: &str| contents(text.as_bytes()).err().unwrap().to_string();
        assert!(told("no end").contains("manifest: it has no end"));
        assert!(told("{}\n").contains("manifest: it is not readable"));
        let manifest = |bytes: usize| {
            let index = json!({"format": 1, "cookies": [], "parts": []});
            let entry = json!({"storage_key": "k", "bytes": bytes, "partial": []});
            json!({"format": 1, "settings": {}, "index": index, "parts": [entry]}).to_string()
        };
        assert!(told(&format!("{}\nxx", manifest(9))).contains("parts[0]: it is cut off"));
        assert!(told(&format!("{}\nxx", manifest(2))).contains("parts[0]: it is not lines of JSON"));
        assert!(told(&format!("{}\nxx", manifest(0))).contains("parts: there is more than the manifest lists"));
    }
}
