//! Reading a bundle: object by object, each proven in full before anything of it is used.

use std::io;

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use super::bundle::{FORMAT, MAGIC, MANIFEST, Manifest, NAME, Past, key};
use super::frames::Frames;
use super::{Input, PortableError};
use crate::base::{Secret, Version};
use crate::seal::{Context, DataKey, PassphraseKdf, SealError, Sealed, open_stream};
use crate::session::part::Part;
use crate::session::state::{Index, decode};
use crate::session::{Partial, SessionError};

/// A version on its way in.
pub(super) struct Coming {
    /// Its number where it comes from.
    pub(super) version: Version,
    /// Without parts; other blobs by the names that the manifest lists.
    pub(super) index: Index,
    /// Which of the listed parts are its own, and what of them could not be kept.
    pub(super) parts: Vec<(usize, Vec<Partial>)>,
    /// When it was saved; none for now.
    pub(super) saved_at: Option<Timestamp>,
    pub(super) pinned: bool,
}

/// A bundle whose manifest is open.
pub(super) struct Bundle {
    key: DataKey,
    header: Vec<u8>,
    frames: Frames,
    next: u64,
    pub(super) manifest: Manifest,
}

impl Bundle {
    /// Opens it up to its manifest.
    pub(super) async fn open(mut input: Input, passphrase: &Secret) -> Result<Self, SessionError> {
        let (header, kdf) = header(&mut input).await?;
        let key = key(kdf, passphrase).await?;
        Self::open_with(input, header, key).await
    }

    pub(super) async fn open_with(input: Input, header: Vec<u8>, key: DataKey) -> Result<Self, SessionError> {
        let mut bundle = Self { key, header, frames: Frames::new(input), next: 0, manifest: Manifest::default() };
        let bytes = bundle.object().await?;
        bundle.manifest =
            serde_json::from_slice(&bytes).map_err(|error| invalid("manifest", format!("not readable: {error}")))?;
        match bundle.manifest.format {
            1..=MANIFEST => bundle.checked(),
            found => Err(PortableError::Later { found, known: MANIFEST }.into()),
        }
    }

    /// Versions that name parts which are not listed are none.
    fn checked(self) -> Result<Self, SessionError> {
        let count = self.manifest.parts.len();
        let beyond = |past: &Past| past.parts.iter().any(|(part, _)| *part >= count);
        match self.manifest.versions.iter().position(beyond) {
            Some(at) => Err(invalid(&format!("versions[{at}]"), "it names a part that is not listed")),
            None => Ok(self),
        }
    }

    /// The record's settings, where it has any.
    pub(super) fn settings(&self) -> Option<Value> {
        Some(self.manifest.settings.clone()).filter(Value::is_object)
    }

    /// The versions that come along, oldest first: one, where there is no history.
    pub(super) fn versions(&mut self) -> Result<Vec<Coming>, SessionError> {
        let index = |index: &Value| -> Result<Index, SessionError> {
            let index: Index = decode(index.to_string().as_bytes(), "the bundle's index")?;
            Ok(index.with_parts(Vec::new()))
        };
        if self.manifest.versions.is_empty() {
            let parts = self.manifest.parts.iter().map(|part| part.partial.clone()).enumerate().collect();
            let (version, index) = (Version(self.manifest.version), index(&self.manifest.index)?);
            return Ok(vec![Coming { version, index, parts, saved_at: None, pinned: false }]);
        }
        let coming = |(at, past): (usize, Past)| {
            let saved_at =
                past.saved_at.parse().map_err(|_| invalid(&format!("versions[{at}]"), "its time is none"))?;
            let (version, index) = (Version(past.version), index(&past.index)?);
            Ok(Coming { version, index, parts: past.parts, saved_at: Some(saved_at), pinned: past.pinned })
        };
        std::mem::take(&mut self.manifest.versions).into_iter().enumerate().map(coming).collect()
    }

    /// The part that is listed at `number`, which has to be the next object.
    pub(super) async fn part(&mut self, number: usize) -> Result<Part, SessionError> {
        let at = format!("parts[{number}]");
        let bytes = self.object().await?;
        let wanted = self.manifest.parts.get(number).map(|entry| entry.bytes);
        if wanted != Some(bytes.len() as u64) {
            return Err(invalid(&at, "it has another length than the manifest says"));
        }
        let part = Part::from_bytes(&bytes, &at)?;
        if part.is_whole() { Ok(part) } else { Err(invalid(&at, "it is not lines of JSON")) }
    }

    /// The next object.
    pub(super) async fn object(&mut self) -> Result<Zeroizing<Vec<u8>>, PortableError> {
        let context = Context::Bundle { header: &self.header, object: self.next };
        self.next += 1;
        open_stream(&self.key, context, self.frames.object()).await.map_err(|error| self.closed(error))
    }

    /// Proves that nothing comes after what the manifest lists.
    pub(super) async fn finish(&self) -> Result<(), PortableError> {
        match self.frames.at_end().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(PortableError::Closed("there is more than the manifest lists")),
            Err(error) => Err(PortableError::Read(error)),
        }
    }

    fn closed(&self, error: SealError) -> PortableError {
        match error {
            // Of the first object: the key that the passphrase makes is not the one that it names.
            SealError::ForeignKey { .. } | SealError::Commitment if self.next == 1 => {
                PortableError::Closed("the passphrase is another one, or its header was altered")
            }
            SealError::Format { found, known } => {
                PortableError::Later { found: u32::from(found), known: u32::from(known) }
            }
            SealError::Io(error)
                if !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
            {
                PortableError::Read(error)
            }
            _ => PortableError::Closed("it was altered or cut off"),
        }
    }
}

fn invalid(at: &str, reason: impl Into<String>) -> SessionError {
    PortableError::Invalid { format: NAME, at: at.to_owned(), reason: reason.into() }.into()
}

/// What stands in clear, and how it says that the key is made.
async fn header(input: &mut Input) -> Result<(Vec<u8>, PassphraseKdf), PortableError> {
    let mut bytes = vec![0; MAGIC.len() + 3];
    fill(input, &mut bytes).await?;
    let Some([format, high, low]) = bytes.strip_prefix(MAGIC) else {
        return Err(PortableError::Closed("it does not begin as one"));
    };
    if *format != FORMAT {
        return Err(PortableError::Later { found: u32::from(*format), known: u32::from(FORMAT) });
    }
    let mut sealed = vec![0; usize::from(u16::from_be_bytes([*high, *low]))];
    fill(input, &mut sealed).await?;
    bytes.extend_from_slice(&sealed);
    let kdf = Sealed::from_stored(sealed).and_then(|sealed| PassphraseKdf::from_sealed(&sealed)?.no_dearer());
    Ok((bytes, kdf.map_err(|_| PortableError::Closed("its header was altered"))?))
}

async fn fill(input: &mut Input, bytes: &mut [u8]) -> Result<(), PortableError> {
    input.read_exact(bytes).await.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => PortableError::Closed("it is cut off"),
        _ => PortableError::Read(error),
    })
}
