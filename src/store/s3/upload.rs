//! Writing a blob: by one request where it is short, else in parts.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::base::reached;
use crate::seal::SealedStream;

use super::super::{Checksums, StoreError};
use super::connect::patience;
use super::failure::Failure;
use super::{Bucket, S3Limits};

/// Nothing is there.
pub(super) const IF_NONE: &str = "*";
/// The most parts that S3 takes.
const MOST_PARTS: i32 = 10_000;

/// Writes it as a whole or leaves nothing; one that is there already stays.
pub(super) async fn put(bucket: &Arc<Bucket>, key: &str, body: SealedStream) -> Result<(), StoreError> {
    let mut pieces = Pieces::new(body, bucket.limits.part_bytes);
    let first = pieces.next().await.map_err(|error| source(&error))?.unwrap_or_default();
    if pieces.is_empty() {
        return put_whole(bucket, key, first).await.map(drop).map_err(|failure| bucket.failed(failure));
    }
    let upload = Upload::begin(bucket, key).await.map_err(|failure| bucket.failed(failure))?;
    match upload.send(first, pieces).await {
        Ok(()) => Ok(()),
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

fn source(error: &io::Error) -> StoreError {
    StoreError::Unavailable { what: "the body of a blob".to_owned(), source: error.to_string().into() }
}

/// Puts an object by one request; answers whether it was this one that wrote it. Where another is there, that stays.
pub(super) async fn put_whole(bucket: &Bucket, key: &str, body: Bytes) -> Result<bool, Failure> {
    let mut tried = 0;
    loop {
        let request = bucket.client.put_object().bucket(&bucket.url.bucket).key(key).if_none_match(IF_NONE);
        let request = request.body(ByteStream::from(body.clone())).customize();
        let sent = request.config_override(patience(&bucket.limits, body.len())).send().await;
        match sent.map_err(|error| Failure::of("PutObject", &error)) {
            Ok(_) => return Ok(true),
            Err(failure) if failure.is_refused_by_condition() => return Ok(false),
            Err(failure) if failure.is_conflict() && tried < bucket.limits.attempts => {
                tokio::time::sleep(S3Limits::pause(tried)).await;
                tried += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// The bytes of a body in pieces of one length, the last of them shorter.
struct Pieces {
    body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    buffer: BytesMut,
    len: usize,
    ended: bool,
}

impl Pieces {
    fn new(body: SealedStream, len: usize) -> Self {
        Self { body: body.into_inner(), buffer: BytesMut::new(), len, ended: false }
    }

    /// Whether all of it has been given out. Known after the first piece: each is given out with a byte more at hand.
    fn is_empty(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    /// The next one. May be given up and asked for again: nothing is lost.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended && self.buffer.len() <= self.len {
            match self.body.next().await {
                Some(bytes) => {
                    let bytes = bytes?;
                    if self.buffer.is_empty() {
                        self.buffer.reserve(self.len + bytes.len());
                    }
                    self.buffer.extend_from_slice(&bytes);
                }
                None => self.ended = true,
            }
        }
        let len = self.len.min(self.buffer.len());
        Ok((len > 0).then(|| self.buffer.split_to(len).freeze()))
    }
}

/// Begins an upload in parts; its id. The checksum of its parts has to be told here: AWS refuses parts with another one.
pub(super) async fn begin(bucket: &Bucket, key: &str) -> Result<String, Failure> {
    let checksum = match bucket.url.checksums {
        Checksums::WhenSupported => Some(ChecksumAlgorithm::Crc32),
        Checksums::WhenRequired => None,
    };
    let request = bucket.client.create_multipart_upload().bucket(&bucket.url.bucket).key(key);
    let begun = request.set_checksum_algorithm(checksum).send().await;
    let begun = begun.map_err(|error| Failure::of("CreateMultipartUpload", &error))?;
    begun.upload_id.ok_or_else(|| Failure::told("CreateMultipartUpload was answered without an id"))
}

/// An upload in parts that has begun. Nothing of it is seen, and its parts are paid for, until it is complete or aborted.
struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    id: String,
    /// Whether it is neither complete nor aborted.
    is_open: AtomicBool,
}

impl Upload {
    async fn begin(bucket: &Arc<Bucket>, key: &str) -> Result<Self, Failure> {
        let id = begin(bucket, key).await?;
        Ok(Self { bucket: bucket.clone(), key: key.to_owned(), id, is_open: true.into() })
    }

    /// Sends all parts, some at once, and completes it.
    async fn send(&self, first: Bytes, pieces: Pieces) -> Result<(), StoreError> {
        let rest = stream::try_unfold(pieces, |mut pieces| async move {
            Ok(pieces.next().await.map_err(|error| source(&error))?.map(|piece| (piece, pieces)))
        });
        let numbered = stream::once(async { Ok(first) }).chain(rest).zip(stream::iter(1_i32..));
        let sent = numbered.map(|(piece, number)| Ok((piece?, number)));
        let sent =
            sent.map_ok(|(piece, number)| self.part(number, piece)).try_buffer_unordered(self.bucket.limits.parallel);
        let mut parts: Vec<CompletedPart> = sent.try_collect().await?;
        parts.sort_by_key(CompletedPart::part_number);
        reached("blob.parts_sent");
        self.complete(parts).await.map_err(|failure| self.bucket.failed(failure))
    }

    async fn part(&self, number: i32, piece: Bytes) -> Result<CompletedPart, StoreError> {
        let bucket = &self.bucket;
        if number > MOST_PARTS {
            let most = (bucket.limits.part_bytes as u64) * 10_000;
            return Err(bucket.failed(Failure::told(format!("a blob has at most {most} bytes there"))));
        }
        let request = bucket.client.upload_part().bucket(&bucket.url.bucket).key(&self.key).upload_id(&self.id);
        let len = piece.len();
        let request = request.part_number(number).body(ByteStream::from(piece)).customize();
        let sent = request.config_override(patience(&bucket.limits, len)).send().await;
        let sent = sent.map_err(|error| bucket.failed(Failure::of("UploadPart", &error)))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    /// Makes the object of its parts. Repeated where the answer is lost: then the object is there.
    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<(), Failure> {
        let bucket = &self.bucket;
        let count = parts.len();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let mut tried = 0;
        loop {
            let request = bucket.client.complete_multipart_upload().bucket(&bucket.url.bucket).key(&self.key);
            let request = request.upload_id(&self.id).multipart_upload(parts.clone()).if_none_match(IF_NONE);
            // Servers may write the object anew from its parts before they answer: a second for each.
            let long = patience(&bucket.limits, bucket.limits.slowest.saturating_mul(count));
            let sent = request.customize().config_override(long).send().await;
            let failure = match sent {
                Ok(_) => break,
                Err(error) => Failure::of("CompleteMultipartUpload", &error),
            };
            if failure.is_refused_by_condition() {
                // By an earlier request of ours, or by another writer: then ours is not needed.
                self.abort().await;
                return Ok(());
            }
            if failure.is_absent() && super::download::is_there(bucket, &self.key).await? {
                break;
            }
            if !failure.is_conflict() || tried >= bucket.limits.attempts {
                return Err(failure);
            }
            tokio::time::sleep(S3Limits::pause(tried)).await;
            tried += 1;
        }
        self.is_open.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Removes its parts. What fails is left to the bucket's own rule for uploads that were never completed.
    async fn abort(&self) {
        abort(&self.bucket, &self.key, &self.id).await;
        self.is_open.store(false, Ordering::Relaxed);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_open.load(Ordering::Relaxed) {
            return;
        }
        // Whoever asked waits no more.
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { abort(&bucket, &key, &id).await });
        }
    }
}

/// Aborts it until the server does not know it any more: a part that was under way may arrive after the first request.
async fn abort(bucket: &Bucket, key: &str, id: &str) {
    for _ in 0..bucket.limits.attempts {
        let request = bucket.client.abort_multipart_upload().bucket(&bucket.url.bucket).key(key).upload_id(id);
        if let Err(error) = request.send().await {
            let failure = Failure::of("AbortMultipartUpload", &error);
            if !failure.is_absent() {
                tracing::debug!(%failure, "an upload was not aborted");
            }
            return;
        }
    }
}

/// Aborts the uploads that were begun before `before`; how many.
pub(super) async fn discard_unfinished(bucket: &Bucket, before: Timestamp) -> Result<usize, StoreError> {
    let (mut discarded, mut key, mut id) = (0, None, None);
    loop {
        let request = bucket.client.list_multipart_uploads().bucket(&bucket.url.bucket).prefix(bucket.folder());
        let request = request.set_key_marker(key.take()).set_upload_id_marker(id.take());
        let page = request.send().await;
        let page = page.map_err(|error| bucket.failed(Failure::of("ListMultipartUploads", &error)))?;
        for upload in page.uploads() {
            let begun = upload.initiated().and_then(super::download::moment);
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            if begun.is_some_and(|begun| begun < before) {
                abort(bucket, key, id).await;
                discarded += 1;
            }
        }
        if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
            return Ok(discarded);
        }
        (key, id) = (page.next_key_marker, page.next_upload_id_marker);
    }
}
