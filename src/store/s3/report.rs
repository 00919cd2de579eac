//! What `rhaven doctor` tells of a bucket: whether it can be reached, what may be done, whether conditions are honoured, and how
//! far its clock is from ours.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};

use crate::base::show_duration;

use super::failure::Failure;
use super::upload::IF_NONE;
use super::{Bucket, download, upload};

/// Requests of which the middle one is told as the round trip.
const ROUND_TRIPS: usize = 3;
/// A clock that is further away is told: signatures are refused from 15 minutes on, and ages are compared.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(2);

/// What was found out about a bucket.
#[derive(Debug, Clone)]
pub struct S3Report {
    /// Where it is.
    pub place: String,
    /// What was tried, in order; after one that fails others may be missing.
    pub findings: Vec<S3Finding>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Finding {
    /// `reach`, `put`, `condition`, `get`, `list`, `parts`, `delete`, `clock`.
    pub name: &'static str,
    /// Whether it is as it has to be.
    pub is_good: bool,
    /// What was found; the way out where it is not good.
    pub text: String,
}

impl S3Report {
    /// Whether all is as it has to be.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.is_good)
    }

    fn add(&mut self, name: &'static str, found: Result<String, String>) -> bool {
        let (is_good, text) = match found {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        self.findings.push(S3Finding { name, is_good, text });
        is_good
    }
}

pub(super) async fn report(bucket: &Bucket) -> S3Report {
    let mut report = S3Report { place: bucket.place.clone(), findings: Vec::new() };
    if !report.add("reach", reach(bucket).await) {
        return report;
    }
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        report.add("put", Err("the system gave no random bytes".to_owned()));
        return report;
    }
    let key = format!("{}probe-{}", bucket.url.prefix, HEXLOWER.encode(&random));
    let began = Timestamp::now();
    if !report.add("put", put(bucket, &key).await) {
        return report;
    }
    report.add("condition", condition(bucket, &key).await);
    report.add("get", get(bucket, &key).await);
    report.add("list", list(bucket, &key).await);
    report.add("parts", parts(bucket, &key).await);
    report.add("clock", clock(bucket, &key, began).await);
    let removed = super::listing::delete(bucket, &[key]).await;
    report
        .add("delete", removed.map(|()| "may be removed".to_owned()).map_err(|error| crate::base::with_causes(&error)));
    report
}

type Found = Result<String, String>;

fn told(failure: &Failure) -> String {
    failure.to_string()
}

async fn reach(bucket: &Bucket) -> Found {
    let mut took = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        // Of an object that is not there: any answer of the bucket will do.
        let there = download::is_there(bucket, &format!("{}probe", bucket.url.prefix)).await;
        match there {
            Err(failure) if !failure.is_denied() => return Err(told(&failure)),
            _ => took.push(began.elapsed()),
        }
    }
    took.sort();
    // To a head request for an object there is no word from the server; a missing bucket looks like a missing object.
    let listed = bucket.client.list_objects_v2().bucket(&bucket.url.bucket).prefix(bucket.folder()).max_keys(1);
    match listed.send().await.map_err(|error| Failure::of("ListObjectsV2", &error)) {
        Err(failure) if !failure.is_denied() => Err(told(&failure)),
        _ => Ok(format!("answers in {}", show_duration(took.get(ROUND_TRIPS / 2).copied().unwrap_or(Duration::ZERO)))),
    }
}

async fn put(bucket: &Bucket, key: &str) -> Found {
    match upload::put_whole(bucket, key, Bytes::from_static(b"rhaven doctor\n")).await {
        Ok(_) => Ok("may be written".to_owned()),
        Err(failure) => Err(told(&failure)),
    }
}

async fn condition(bucket: &Bucket, key: &str) -> Found {
    match upload::put_whole(bucket, key, Bytes::from_static(b"again\n")).await {
        Ok(false) => Ok("If-None-Match is honoured".to_owned()),
        Ok(true) => Err("If-None-Match is ignored: not fit to be shared; use a server that honours it".to_owned()),
        Err(failure) => Err(told(&failure)),
    }
}

async fn get(bucket: &Bucket, key: &str) -> Found {
    match download::get_short(bucket, key).await {
        Ok(Some(_)) => Ok("may be read".to_owned()),
        Ok(None) => Err("what was just written is not there".to_owned()),
        Err(failure) => Err(told(&failure)),
    }
}

async fn list(bucket: &Bucket, key: &str) -> Found {
    let listed = bucket.client.list_objects_v2().bucket(&bucket.url.bucket).prefix(key).send().await;
    match listed.map_err(|error| Failure::of("ListObjectsV2", &error)) {
        Ok(page) if page.contents().iter().any(|object| object.key() == Some(key)) => Ok("may be listed".to_owned()),
        Ok(_) => Err("what was just written is not listed".to_owned()),
        Err(failure) => Err(told(&failure)),
    }
}

/// An upload in parts over what is there already, which has to be refused at its end; then it is aborted.
async fn parts(bucket: &Bucket, key: &str) -> Found {
    let id = upload::begin(bucket, key).await.map_err(|failure| told(&failure))?;
    let honoured = complete(bucket, key, &id).await;
    let abort = bucket.client.abort_multipart_upload().bucket(&bucket.url.bucket).key(key).upload_id(&id);
    let aborted = abort.send().await.map_err(|error| Failure::of("AbortMultipartUpload", &error));
    match (honoured?, aborted) {
        (_, Err(failure)) if !failure.is_absent() => Err(told(&failure)),
        (true, _) => Ok("uploads in parts work, and honour If-None-Match".to_owned()),
        // Names of blobs are random: what is written twice is the same.
        (false, _) => Ok("uploads in parts work; If-None-Match is ignored with them, which does no harm".to_owned()),
    }
}

async fn complete(bucket: &Bucket, key: &str, id: &str) -> Result<bool, String> {
    let part = bucket.client.upload_part().bucket(&bucket.url.bucket).key(key).upload_id(id).part_number(1);
    let part = part.body(ByteStream::from_static(b"part\n")).send().await;
    let part = part.map_err(|error| told(&Failure::of("UploadPart", &error)))?;
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).set_checksum_crc32(part.checksum_crc32);
    let all = CompletedMultipartUpload::builder().parts(part.build()).build();
    let request = bucket.client.complete_multipart_upload().bucket(&bucket.url.bucket).key(key).upload_id(id);
    let sent = request.multipart_upload(all).if_none_match(IF_NONE).send().await;
    match sent.map_err(|error| Failure::of("CompleteMultipartUpload", &error)) {
        Ok(_) => Ok(false),
        Err(failure) if failure.is_refused_by_condition() => Ok(true),
        Err(failure) => Err(told(&failure)),
    }
}

async fn clock(bucket: &Bucket, key: &str, began: Timestamp) -> Found {
    let there = download::written_at(bucket, key).await.map_err(|failure| told(&failure))?;
    let apart = there.ok_or("the bucket tells no times")?.duration_since(began);
    let shown = show_duration(apart.unsigned_abs());
    if apart.abs() > CLOCKS_APART {
        return Err(format!("its clock and this machine's are {shown} apart: set this machine's clock"));
    }
    Ok("its clock is this machine's".to_owned())
}
