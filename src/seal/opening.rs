//! A large object opened piece by piece: memory stays flat whatever its size.

use std::io;

use aead_stream::DecryptorBE32;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::array::Array;
use futures_util::StreamExt;
use zeroize::Zeroizing;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::header::{Form, HEADER_LEN, Header};
use super::stream::{MAX_PLAINTEXT, SEALED_SEGMENT_LEN, STEP_LEN};
use super::{Context, DataKey, RawBlob, SealError};

/// A blob that is being opened. Each piece is authentic and in its place, but that none is missing at the end is known only
/// once [`Self::next`] has answered none: whoever must not act on a part of the whole reads it twice.
pub struct OpeningStream {
    raw: RawBlob,
    /// Read and not opened yet.
    stored: Vec<u8>,
    /// Gone once the last segment is opened.
    decryptor: Option<DecryptorBE32<Aes256Gcm>>,
    additional: Vec<u8>,
    inflating: Inflating,
}

/// Begins to open a blob by the one of `keys` that its header names; [`SealError::ForeignKey`] where it is none of them.
pub async fn open_pieces(keys: &[DataKey], context: Context<'_>, mut raw: RawBlob) -> Result<OpeningStream, SealError> {
    let mut stored = Vec::new();
    while stored.len() < HEADER_LEN {
        let Some(chunk) = raw.0.next().await else { break };
        stored.extend_from_slice(&chunk?);
    }
    let header = Header::parse(Form::Stream, &stored)?;
    let named = keys.iter().find(|key| key.id() == header.key_id).or(keys.first());
    let key = named.ok_or(SealError::NotSealed("there is no key to open it with"))?;
    let decryptor = Some(DecryptorBE32::from_aead(header.cipher(key)?, &Array::default()));
    stored.drain(..HEADER_LEN);
    let additional = header.additional_data(&context);
    Ok(OpeningStream { raw, stored, decryptor, additional, inflating: Inflating::new()? })
}

impl OpeningStream {
    /// The next piece of plaintext, never empty; none once all of it has been verified to the end.
    pub async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        loop {
            if let Some(piece) = self.inflating.next()? {
                // Opening is work without a wait: a long stream would keep the thread for long.
                tokio::task::consume_budget().await;
                return Ok(Some(piece));
            }
            let Some(mut decryptor) = self.decryptor.take() else {
                return self.inflating.finish().map(|()| None);
            };
            // One byte more than a segment shows that it is not the last.
            if self.stored.len() > SEALED_SEGMENT_LEN {
                let mut segment = Zeroizing::new(self.stored[..SEALED_SEGMENT_LEN].to_vec());
                self.stored.drain(..SEALED_SEGMENT_LEN);
                let opened = decryptor.decrypt_next_in_place(&self.additional, &mut *segment);
                opened.map_err(|_| SealError::Authentication)?;
                self.inflating.take(segment);
            } else if let Some(chunk) = self.raw.0.next().await {
                self.stored.extend_from_slice(&chunk?);
            } else {
                let mut segment = Zeroizing::new(std::mem::take(&mut self.stored));
                let opened = decryptor.decrypt_last_in_place(&self.additional, &mut *segment);
                opened.map_err(|_| SealError::Authentication)?;
                self.inflating.take(segment);
                continue;
            }
            self.decryptor = Some(decryptor);
        }
    }
}

/// The decompressor behind the segments.
struct Inflating {
    decoder: Decoder<'static>,
    /// A verified segment, as far as it is read.
    segment: Zeroizing<Vec<u8>>,
    read: usize,
    /// Whether the decompressor may hold more than it has given.
    holds: bool,
    /// Whether the compressed frame was complete after the last step.
    complete: bool,
    scratch: Zeroizing<Vec<u8>>,
    given: usize,
}

impl Inflating {
    fn new() -> Result<Self, SealError> {
        Ok(Self {
            decoder: Decoder::new().map_err(SealError::Compression)?,
            segment: Zeroizing::default(),
            read: 0,
            holds: false,
            complete: false,
            scratch: Zeroizing::new(vec![0; STEP_LEN]),
            given: 0,
        })
    }

    /// Takes the next segment, once [`Self::next`] has answered none.
    fn take(&mut self, segment: Zeroizing<Vec<u8>>) {
        (self.segment, self.read) = (segment, 0);
    }

    /// The next step of plaintext; none where another segment is needed for it.
    fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        while self.read < self.segment.len() || self.holds {
            let mut input = InBuffer::around(&self.segment[self.read..]);
            let mut output = OutBuffer::around(&mut self.scratch[..]);
            let left = self.decoder.run(&mut input, &mut output).map_err(SealError::Compression)?;
            let (read, written) = (input.pos(), output.pos());
            self.read += read;
            self.given = self.given.saturating_add(written);
            if self.given > MAX_PLAINTEXT {
                return Err(SealError::TooLarge { limit: MAX_PLAINTEXT });
            }
            self.complete = left == 0;
            // A full buffer may mean that the decompressor holds more.
            self.holds = written == STEP_LEN && !self.complete;
            if written > 0 {
                return Ok(Some(Zeroizing::new(self.scratch[..written].to_vec())));
            }
        }
        Ok(None)
    }

    fn finish(&self) -> Result<(), SealError> {
        if self.complete { Ok(()) } else { Err(SealError::Compression(io::ErrorKind::UnexpectedEof.into())) }
    }
}

/// Appends to a buffer that must not leave copies: one that has to grow moves to a larger one and is zeroized, which a
/// plain `Vec` would not do.
pub(crate) fn append(to: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = to.len() + bytes.len();
    if needed > to.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * to.capacity())));
        larger.extend_from_slice(to);
        *to = larger;
    }
    to.extend_from_slice(bytes);
}
