//! Reading a blob in ranges, some of them at once, and each from where it was cut.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::seal::RawBlob;

use super::super::StoreError;
use super::failure::Failure;
use super::{Bucket, S3Limits};

/// The first range now, the rest as it is asked for.
pub(super) async fn get(bucket: &Arc<Bucket>, key: String) -> Result<RawBlob, StoreError> {
    let step = bucket.limits.part_bytes as u64;
    let first = match read(bucket, &key, 0..step, None).await {
        Ok(first) => first,
        Err(failure) if failure.is_absent() => return Err(StoreError::NotFound("blob")),
        // Of an object without a byte there is no first range. No blob is so short: whoever opens it says so.
        Err(failure) if failure.is_beyond_end() => return Ok(RawBlob(Box::pin(stream::empty()))),
        Err(failure) => return Err(bucket.failed(failure)),
    };
    let ranges = (1..first.total.div_ceil(step)).map(move |at| at * step..((at + 1) * step).min(first.total));
    let (bucket, etag) = (bucket.clone(), first.etag);
    let parallel = bucket.limits.parallel;
    let rest = stream::iter(ranges).map(move |range| {
        let (bucket, key, etag) = (bucket.clone(), key.clone(), etag.clone());
        async move {
            let read = read(&bucket, &key, range, etag.as_deref()).await;
            read.map(|read| read.bytes).map_err(|failure| io::Error::other(bucket.failed(failure)))
        }
    });
    let first = stream::iter([Ok(first.bytes)]);
    Ok(RawBlob(Box::pin(first.chain(rest.buffered(parallel)))))
}

/// Bytes of an object.
struct Read {
    bytes: Bytes,
    /// How many the whole object has.
    total: u64,
    etag: Option<String>,
}

/// Reads a range, up to the object's end; where the connection is cut, the rest of it by another request. Once `etag` is known
/// all has to be of that version.
async fn read(bucket: &Bucket, key: &str, range: Range<u64>, etag: Option<&str>) -> Result<Read, Failure> {
    let mut read = Read { bytes: Bytes::new(), total: 0, etag: etag.map(str::to_owned) };
    let mut bytes = BytesMut::new();
    let mut tried = 0;
    loop {
        let had = bytes.len();
        let from = range.start + had as u64;
        let Err(failure) = read_on(bucket, key, from..range.end, &mut read, &mut bytes).await else {
            read.bytes = bytes.freeze();
            return Ok(read);
        };
        // What comes on may be cut as often as it likes.
        tried = if bytes.len() > had { 0 } else { tried + 1 };
        match failure {
            Cut::Refused(failure) => return Err(failure),
            Cut::Body(failure) if tried >= bucket.limits.attempts => return Err(failure),
            Cut::Body(failure) => {
                tracing::debug!(%failure, "a blob is read on from where it was cut");
                tokio::time::sleep(S3Limits::pause(tried)).await;
            }
        }
    }
}

/// Why a range was not read to its end.
enum Cut {
    /// The request failed, after all the tries that it has.
    Refused(Failure),
    /// It was answered, and the body ended early.
    Body(Failure),
}

/// One request: what comes is added to `bytes`, also where it is cut.
async fn read_on(
    bucket: &Bucket,
    key: &str,
    range: Range<u64>,
    read: &mut Read,
    bytes: &mut BytesMut,
) -> Result<(), Cut> {
    let request = bucket.client.get_object().bucket(&bucket.url.bucket).key(key).set_if_match(read.etag.clone());
    let request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
    let answer = request.send().await.map_err(|error| Cut::Refused(Failure::of("GetObject", &error)))?;
    let len = answer.content_length.and_then(|len| u64::try_from(len).ok()).unwrap_or_default();
    let total = answer.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
    read.total = match total {
        Some(total) => total,
        // The whole object, because it is not longer, or because the server knows no ranges.
        None if range.start == 0 && len <= range.end => len,
        None => return Err(Cut::Refused(Failure::told("GetObject was answered without the range that was asked for"))),
    };
    read.etag = read.etag.take().or(answer.e_tag);
    let mut body = answer.body;
    let mut left = len;
    if bytes.is_empty() {
        bytes.reserve(usize::try_from(len).unwrap_or_default());
    }
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| {
            let why = crate::base::with_causes(&error);
            Cut::Body(Failure::told(format!("GetObject was cut {left} bytes before its end: {why}")))
        })?;
        left = left.saturating_sub(piece.len() as u64);
        bytes.extend_from_slice(&piece);
    }
    if left > 0 { Err(Cut::Body(Failure::told(format!("GetObject ended {left} bytes early")))) } else { Ok(()) }
}

/// A short object as a whole; none where there is none.
pub(super) async fn get_short(bucket: &Bucket, key: &str) -> Result<Option<Bytes>, Failure> {
    match read(bucket, key, 0..bucket.limits.part_bytes as u64, None).await {
        Ok(read) => Ok(Some(read.bytes)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether there is such an object.
pub(super) async fn is_there(bucket: &Bucket, key: &str) -> Result<bool, Failure> {
    match head(bucket, key).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_absent() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// When the object was written, by the clock of S3.
pub(super) async fn written_at(bucket: &Bucket, key: &str) -> Result<Option<Timestamp>, Failure> {
    Ok(head(bucket, key).await?.last_modified.and_then(|at| moment(&at)))
}

async fn head(bucket: &Bucket, key: &str) -> Result<HeadObjectOutput, Failure> {
    let answer = bucket.client.head_object().bucket(&bucket.url.bucket).key(key).send().await;
    answer.map_err(|error| Failure::of("HeadObject", &error))
}

/// A moment as S3 tells it.
pub(super) fn moment(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}
