//! Large objects: the same header, then a STREAM of AES-256-GCM segments over zstd.
//!
//! Each segment's nonce holds its number and whether it is the last, so that segments cannot be reordered, dropped or cut
//! off at the end without the tag of one failing.

use std::io;
use std::pin::Pin;

use aead_stream::EncryptorBE32;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::array::Array;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use zeroize::Zeroizing;
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

use super::envelope::{TAG_LEN, ZSTD_LEVEL};
use super::header::{Form, HEADER_LEN, Header};
use super::opening::{append, open_pieces};
use super::{Context, DataKey, SealError, Sealed};

/// Compressed bytes in each segment but the last, which has 1 to this many.
const SEGMENT_LEN: usize = 64 << 10;
/// A segment as it is stored.
pub(super) const SEALED_SEGMENT_LEN: usize = SEGMENT_LEN + TAG_LEN;
/// Plaintext that is compressed between two chances for other tasks to run.
pub(super) const STEP_LEN: usize = 64 << 10;
/// The most plaintext that one stream holds, in bytes, since [`open_stream`] gathers it in memory. Enforced on sealing too: what
/// could not be opened again is refused before it is kept.
pub(super) const MAX_PLAINTEXT: usize = 1 << 30;

type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A sealed body on its way into a blob store: one that [`seal_stream`] makes, one that another store held, or several sealed
/// objects.
pub struct SealedStream(ByteStream);

impl SealedStream {
    /// Objects that are sealed already, behind a few bytes that say what they are: a copy of what a store has, for another one.
    /// `about` is in clear, so it holds nothing but what the first store sees as well.
    pub fn gathered(about: Vec<u8>, objects: Vec<Sealed>) -> Self {
        let objects = objects.into_iter().map(super::envelope::Sealed::into_bytes);
        Self(Box::pin(stream::iter(std::iter::once(Bytes::from(about)).chain(objects).map(Ok))))
    }

    /// The bytes to store, in order. An error means that nothing may be kept of what came before.
    pub fn into_inner(self) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
        self.0
    }

    /// What one store held, on its way into another. It fails where it does not begin as what is sealed does; all else is
    /// found by whoever opens it.
    pub fn moved(held: RawBlob) -> Self {
        Self(Box::pin(stream::try_unfold(
            (held.0, BytesMut::new(), false),
            |(mut rest, mut start, begun)| async move {
                while !begun && start.len() < HEADER_LEN {
                    let Some(piece) = rest.try_next().await? else { break };
                    start.extend_from_slice(&piece);
                }
                if !begun {
                    Header::parse(Form::Stream, &start)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    return Ok(Some((start.split().freeze(), (rest, start, true))));
                }
                Ok(rest.try_next().await?.map(|piece| (piece, (rest, start, true))))
            },
        )))
    }
}

/// Bytes as a blob store gives them back: nothing is proven of them yet.
pub struct RawBlob(pub Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>);

/// Seals `plain` as it is read; memory stays flat whatever its size.
pub fn seal_stream(
    key: &DataKey,
    context: Context<'_>,
    plain: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<SealedStream, SealError> {
    seal_stream_under(Header::make(Form::Stream, key)?, context, plain)
}

/// [`seal_stream`] under a header that is made already.
pub(super) fn seal_stream_under(
    (header, cipher): (Header, Aes256Gcm),
    context: Context<'_>,
    plain: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<SealedStream, SealError> {
    let sealing = Sealing {
        plain: Box::pin(plain),
        ended: false,
        input: Bytes::new(),
        taken: 0,
        encoder: Encoder::new(ZSTD_LEVEL).map_err(SealError::Compression)?,
        finished: false,
        pending: Zeroizing::new(Vec::with_capacity(SEGMENT_LEN + STEP_LEN)),
        scratch: Zeroizing::new(vec![0; STEP_LEN]),
        encryptor: Some(EncryptorBE32::from_aead(cipher, &Array::default())),
        additional: header.additional_data(&context),
    };
    let segments = stream::try_unfold(sealing, |mut sealing| async move {
        Ok(sealing.next_segment().await?.map(|segment| (segment, sealing)))
    });
    let start = stream::iter([Ok(Bytes::from(header.to_bytes()))]);
    Ok(SealedStream(Box::pin(start.chain(segments))))
}

/// A stream in the making.
struct Sealing {
    plain: ByteStream,
    /// Whether `plain` has ended.
    ended: bool,
    /// Read, but not yet compressed.
    input: Bytes,
    /// Plaintext read so far.
    taken: usize,
    encoder: Encoder<'static>,
    /// Whether the compressor has given everything.
    finished: bool,
    /// Compressed, but not yet sealed. Never more than a segment and a step; at least one byte is held back until it is
    /// known whether more follows, since the last segment is marked.
    pending: Zeroizing<Vec<u8>>,
    scratch: Zeroizing<Vec<u8>>,
    /// Gone once the last segment is sealed.
    encryptor: Option<EncryptorBE32<Aes256Gcm>>,
    additional: Vec<u8>,
}

impl Sealing {
    /// The next segment to store; none after the last.
    async fn next_segment(&mut self) -> io::Result<Option<Bytes>> {
        let Some(mut encryptor) = self.encryptor.take() else { return Ok(None) };
        while self.pending.len() <= SEGMENT_LEN {
            if !self.input.is_empty() {
                self.compress()?;
                // Compression is work without a wait: a well compressing stream would keep the thread for long.
                tokio::task::consume_budget().await;
            } else if !self.ended {
                self.read().await?;
            } else if !self.finished {
                self.finish()?;
            } else {
                let mut segment = self.take_segment(self.pending.len());
                encryptor.encrypt_last_in_place(&self.additional, &mut segment).map_err(unsealable)?;
                return Ok(Some(segment.into()));
            }
        }
        let mut segment = self.take_segment(SEGMENT_LEN);
        encryptor.encrypt_next_in_place(&self.additional, &mut segment).map_err(unsealable)?;
        self.encryptor = Some(encryptor);
        Ok(Some(segment.into()))
    }

    /// Reads the next chunk of plaintext.
    async fn read(&mut self) -> io::Result<()> {
        match self.plain.next().await {
            Some(chunk) => self.input = chunk?,
            None => self.ended = true,
        }
        self.taken = self.taken.saturating_add(self.input.len());
        if self.taken > MAX_PLAINTEXT { Err(too_large()) } else { Ok(()) }
    }

    /// Compresses a step of the input.
    fn compress(&mut self) -> io::Result<()> {
        let step = self.input.len().min(STEP_LEN);
        let mut output = OutBuffer::around(&mut self.scratch[..]);
        let mut input = InBuffer::around(&self.input[..step]);
        self.encoder.run(&mut input, &mut output)?;
        let (read, written) = (input.pos(), output.pos());
        self.pending.extend_from_slice(&self.scratch[..written]);
        self.input.advance(read);
        Ok(())
    }

    /// Gets what the compressor still holds, as much as fits a step.
    fn finish(&mut self) -> io::Result<()> {
        let mut output = OutBuffer::around(&mut self.scratch[..]);
        self.finished = self.encoder.finish(&mut output, false)? == 0;
        let written = output.pos();
        self.pending.extend_from_slice(&self.scratch[..written]);
        Ok(())
    }

    /// The first `len` pending bytes, with room for the tag.
    fn take_segment(&mut self, len: usize) -> Vec<u8> {
        let mut segment = Vec::with_capacity(len + TAG_LEN);
        segment.extend_from_slice(&self.pending[..len]);
        self.pending.drain(..len);
        segment
    }
}

fn too_large() -> io::Error {
    io::Error::other(SealError::TooLarge { limit: MAX_PLAINTEXT })
}

/// The counter of segments ran out, which [`MAX_PLAINTEXT`] keeps far away.
fn unsealable(_: aes_gcm::Error) -> io::Error {
    too_large()
}

/// Opens a whole blob into memory; answers only after the last segment has verified.
pub async fn open_stream(key: &DataKey, context: Context<'_>, raw: RawBlob) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_stream_among(std::slice::from_ref(key), context, raw).await
}

/// [`open_stream`] by the one of `keys` that the blob's header names; [`SealError::ForeignKey`] where it is none of them.
pub async fn open_stream_among(
    keys: &[DataKey],
    context: Context<'_>,
    raw: RawBlob,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut opening = open_pieces(keys, context, raw).await?;
    let mut plaintext = Zeroizing::new(Vec::new());
    while let Some(piece) = opening.next().await? {
        append(&mut plaintext, &piece);
    }
    Ok(plaintext)
}
