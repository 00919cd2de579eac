//! Listing and removing blobs.

use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};
use data_encoding::HEXLOWER;

use super::super::{BlobId, ListedBlob, StoreError};
use super::Bucket;
use super::download::moment;
use super::failure::Failure;

/// The most that one request lists or removes.
const MOST: usize = 1_000;

pub(super) async fn list(bucket: &Bucket, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError> {
    let folder = bucket.folder();
    let mut listed: Vec<ListedBlob> = Vec::new();
    let mut after = after.map(|after| bucket.key(&after));
    while listed.len() < limit {
        let wanted = (limit - listed.len()).min(MOST);
        let request = bucket.client.list_objects_v2().bucket(&bucket.url.bucket).prefix(&folder);
        let request = request.set_start_after(after.clone()).max_keys(i32::try_from(wanted).unwrap_or(i32::MAX));
        let page = request.send().await.map_err(|error| bucket.failed(Failure::of("ListObjectsV2", &error)))?;
        let objects = page.contents.unwrap_or_default();
        // What another program has put there is none of ours.
        listed.extend(objects.iter().filter_map(|object| shown(&folder, object)));
        let last = objects.into_iter().next_back().and_then(|object| object.key);
        if page.is_truncated != Some(true) || last.is_none() {
            break;
        }
        after = last;
    }
    Ok(listed)
}

fn shown(folder: &str, object: &Object) -> Option<ListedBlob> {
    let (first, name) = object.key()?.strip_prefix(folder)?.split_once('/')?;
    let id = HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok().filter(|_| name.starts_with(first))?;
    let written_at = object.last_modified().and_then(moment)?;
    Some(ListedBlob { id: BlobId(id), bytes: u64::try_from(object.size()?).ok()?, written_at })
}

/// Removes objects; ones that are not there are no error.
pub(super) async fn delete(bucket: &Bucket, keys: &[String]) -> Result<(), StoreError> {
    if let [key] = keys {
        let answer = bucket.client.delete_object().bucket(&bucket.url.bucket).key(key).send().await;
        return match answer.map_err(|error| Failure::of("DeleteObject", &error)) {
            Err(failure) if !failure.is_absent() => Err(bucket.failed(failure)),
            _ => Ok(()),
        };
    }
    for keys in keys.chunks(MOST) {
        delete_many(bucket, keys).await.map_err(|failure| bucket.failed(failure))?;
    }
    Ok(())
}

async fn delete_many(bucket: &Bucket, keys: &[String]) -> Result<(), Failure> {
    let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect::<Result<Vec<_>, _>>();
    let all = objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
    let all = all.map_err(|error| Failure::told(error.to_string()))?;
    let answer = bucket.client.delete_objects().bucket(&bucket.url.bucket).delete(all).send().await;
    let answer = answer.map_err(|error| Failure::of("DeleteObjects", &error))?;
    let refused = answer.errors().iter().filter(|error| error.code() != Some("NoSuchKey")).collect::<Vec<_>>();
    let Some(first) = refused.first() else { return Ok(()) };
    Err(Failure::told(format!(
        "{} of {} objects were not removed ({}): {}",
        refused.len(),
        keys.len(),
        first.code().unwrap_or("no code"),
        first.message().unwrap_or("the server gave no reason")
    )))
}
