//! To which record store the blobs of a bucket belong: an object beside them that is written once.

use bytes::Bytes;
use jiff::Timestamp;

use super::super::{StoreError, StoreId};
use super::failure::Failure;
use super::{Bucket, download, upload};

/// The object's name below the prefix.
const MARK: &str = "rhaven-store";
/// An object that is written only to be told when.
const CLOCK: &str = "rhaven-clock";

/// Writes the mark unless there is one; answers whose it is. Where it is new, it is written once more to see that the condition
/// is honoured: else two stores could each take the blobs of the other for litter.
pub(super) async fn claim(bucket: &Bucket, store: StoreId) -> Result<StoreId, StoreError> {
    let key = format!("{}{MARK}", bucket.url.prefix);
    let body = Bytes::from(format!("{store}\n"));
    let put = async || upload::put_whole(bucket, &key, body.clone()).await.map_err(|failure| bucket.failed(failure));
    if put().await? && put().await? {
        super::listing::delete(bucket, &[key]).await?;
        return Err(ignores_conditions(bucket));
    }
    let kept = download::get_short(bucket, &key).await.map_err(|failure| bucket.failed(failure))?;
    let kept = kept.ok_or_else(|| bucket.failed(Failure::told("what was just written is not there")))?;
    StoreId::read(&kept).ok_or_else(|| StoreError::Corrupt {
        what: format!("{key} in {}", bucket.place),
        reason: "it does not hold the id of a store".to_owned(),
    })
}

/// What time it is by the clock that tells when blobs were written.
pub(super) async fn now(bucket: &Bucket) -> Result<Timestamp, StoreError> {
    let key = format!("{}{CLOCK}", bucket.url.prefix);
    let sent = bucket.client.put_object().bucket(&bucket.url.bucket).key(&key).send().await;
    let told = match sent.map_err(|error| Failure::of("PutObject", &error)) {
        Ok(_) => download::written_at(bucket, &key).await,
        Err(failure) => Err(failure),
    };
    let told = told.map_err(|failure| bucket.failed(failure))?;
    told.ok_or_else(|| bucket.failed(Failure::told("HeadObject was answered without a time")))
}

fn ignores_conditions(bucket: &Bucket) -> StoreError {
    StoreError::Unfit {
        what: bucket.place.clone(),
        why: "it ignores If-None-Match, so that two machines could write over each other; use a server that honours \
              conditional writes (AWS, MinIO, R2 do), or keep the blobs with --blobs file:FOLDER"
            .to_owned(),
    }
}
