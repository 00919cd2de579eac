//! Blobs in S3 while things go wrong: nothing is lost, nothing is there twice, nothing is left behind.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rhaven::base::{Secret, with_causes};
use rhaven::seal::{Context, RawBlob, SealError, open_stream, seal_stream};
use rhaven::store::{BlobId, Blobs, S3Blobs, S3Credentials, S3Limits, S3Options, StoreError, StoreId};

use super::fixture::{Session, blob_id, code, connect, connect_as, limits, noise};
use super::s3_server::{ACCESS_KEY, Fault, Operation, S3Server, SECRET_KEY};

/// What goes wrong with a request that writes.
const WRITING: [Fault; 7] = [
    Fault::Answer(500, "InternalError"),
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(409, "ConditionalRequestConflict"),
    Fault::Silence,
    Fault::CutAnswer,
    Fault::CutRequest(0),
    Fault::CutRequest(10_000),
];

async fn opened(session: &Session, id: BlobId, raw: RawBlob) -> Result<Vec<u8>, SealError> {
    let context = Context::Blob { tenant: &session.tenant, id: &id.0 };
    open_stream(&session.key, context, raw).await.map(|plain| plain.to_vec())
}

async fn read(session: &Session, blobs: &S3Blobs, id: BlobId) -> Vec<u8> {
    opened(session, id, blobs.get(&id).await.unwrap()).await.unwrap()
}

/// Checks that a blob is there as a whole and once, and nothing beside it.
async fn assert_only(server: &S3Server, session: &Session, blobs: &S3Blobs, id: BlobId, plain: &[u8], told: &str) {
    server.heal();
    assert!(read(session, blobs, id).await == plain, "{told}");
    let listed = blobs.list(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), [id], "{told}");
    assert_eq!(server.keys().len(), 1, "{told}: {:?}", server.keys());
    assert_eq!(server.open_uploads(), 0, "{told}");
    blobs.delete(&[id]).await.unwrap();
    assert_eq!(server.keys(), [""; 0], "{told}");
}

#[tokio::test]
async fn a_short_blob_is_written_once_whatever_goes_wrong() {
    let (server, session, plain) = (S3Server::start(), Session::new("prod"), noise(100_000));
    let blobs = connect(&server, "a", limits());
    for fault in WRITING {
        server.fail(Operation::Put, fault, 2);
        blobs.put(&blob_id(1), session.seal_blob(blob_id(1), &plain)).await.unwrap();
        assert_only(&server, &session, &blobs, blob_id(1), &plain, &format!("{fault:?}")).await;
    }
}

/// A blob of two parts, whatever goes wrong with one kind of its requests.
async fn a_long_blob_is_written_once(operation: Operation) {
    let (server, session, plain) = (S3Server::start(), Session::new("prod"), noise(6 << 20));
    let blobs = connect(&server, "a", S3Limits { part_bytes: 5 << 20, ..limits() });
    for fault in WRITING {
        let told = format!("{operation:?} {fault:?}");
        match fault {
            // To one that begins or goes on there is no condition, and no such answer.
            Fault::Answer(409, _) if operation != Operation::Complete => continue,
            Fault::CutRequest(_) if operation != Operation::Part => continue,
            // Each is waited for.
            Fault::Silence => server.fail(operation, fault, 1),
            _ => server.fail(operation, fault, 2),
        }
        blobs.put(&blob_id(1), session.seal_blob(blob_id(1), &plain)).await.unwrap();
        // An upload that was begun again because its id was lost: nobody can abort it but whoever lists them.
        let begun_again = match (operation, fault) {
            (Operation::Create, Fault::Silence) => 1,
            (Operation::Create, Fault::CutAnswer) => 2,
            _ => 0,
        };
        assert_eq!(server.open_uploads(), begun_again, "{told}");
        let in_a_minute = blobs.now().await.unwrap() + Duration::from_mins(1);
        let discarded = blobs.discard_unfinished(in_a_minute).await.unwrap();
        assert_eq!(discarded, begun_again, "{told}");
        server.remove("a/rhaven-clock");
        assert_only(&server, &session, &blobs, blob_id(1), &plain, &told).await;
    }
}

#[tokio::test]
async fn a_long_blob_is_written_once_whatever_goes_wrong_with_its_begin() {
    a_long_blob_is_written_once(Operation::Create).await;
}

#[tokio::test]
async fn a_long_blob_is_written_once_whatever_goes_wrong_with_its_parts() {
    a_long_blob_is_written_once(Operation::Part).await;
}

#[tokio::test]
async fn a_long_blob_is_written_once_whatever_goes_wrong_with_its_end() {
    a_long_blob_is_written_once(Operation::Complete).await;
}

#[tokio::test]
async fn what_cannot_be_written_leaves_nothing_and_says_why() {
    let (server, session, plain) = (S3Server::start(), Session::new("prod"), noise(11 << 20));
    let limits = S3Limits { part_bytes: 5 << 20, attempts: 2, ..limits() };
    let blobs = connect(&server, "a", limits);
    let cases = [(Operation::Put, 1_000), (Operation::Create, 11 << 20), (Operation::Part, 11 << 20)];
    for (operation, len) in cases.into_iter().chain([(Operation::Complete, 11 << 20)]) {
        server.fail(operation, Fault::Answer(503, "SlowDown"), 1_000);
        let error = blobs.put(&blob_id(1), session.seal_blob(blob_id(1), &plain[..len])).await.unwrap_err();
        let text = with_causes(&error);
        assert_eq!(error.code(), "store_unavailable");
        assert!(text.contains("SlowDown, 503") && text.contains("s3://team/a?endpoint=http://127.0.0.1"), "{text}");
        server.heal();
        assert_eq!((server.keys(), server.open_uploads()), (vec![], 0), "{operation:?}");
    }
    // A body that fails on its way, when parts have been sent.
    let pieces = (0..8).map(|_| Ok(Bytes::from(noise(1 << 20)))).chain([Err(std::io::Error::other("it is gone"))]);
    let context = Context::Blob { tenant: &session.tenant, id: &blob_id(1).0 };
    let body = seal_stream(&session.key, context, stream::iter(pieces.collect::<Vec<_>>())).unwrap();
    assert_eq!(code(blobs.put(&blob_id(1), body).await), "store_unavailable");
    assert_eq!((server.keys(), server.open_uploads()), (vec![], 0));
    assert!(server.asked(Operation::Abort) > 0);
}

#[tokio::test]
async fn a_blob_that_is_given_up_on_its_way_leaves_nothing() {
    let (server, session) = (S3Server::start(), Session::new("prod"));
    let blobs = connect(&server, "a", S3Limits { part_bytes: 5 << 20, ..limits() });
    let pieces = stream::iter((0..12).map(|_| Ok(Bytes::from(noise(1 << 20)))).collect::<Vec<_>>());
    let context = Context::Blob { tenant: &session.tenant, id: &blob_id(1).0 };
    // Its source never ends.
    let body = seal_stream(&session.key, context, pieces.chain(stream::pending())).unwrap();
    let sent = async {
        while server.asked(Operation::Part) < 2 {
            tokio::task::yield_now().await;
        }
    };
    let id = blob_id(1);
    tokio::select! {
        put = blobs.put(&id, body) => panic!("{put:?}"),
        () = sent => {}
    }
    let patience = Instant::now() + Duration::from_secs(20);
    while server.open_uploads() > 0 {
        assert!(Instant::now() < patience, "the upload is not aborted");
        tokio::task::yield_now().await;
    }
    assert_eq!(server.keys(), [""; 0]);
}

#[tokio::test]
async fn a_blob_is_read_on_from_where_it_was_cut() {
    let (server, session) = (S3Server::start(), Session::new("prod"));
    let blobs = connect(&server, "a", S3Limits { part_bytes: 5 << 20, ..limits() });
    let (short, long) = (noise(300_000), noise(11 << 20));
    for (id, plain) in [(blob_id(1), &short), (blob_id(2), &long)] {
        blobs.put(&id, session.seal_blob(id, plain)).await.unwrap();
        let faults = [
            Fault::CutBody(0),
            Fault::CutBody(100_000),
            Fault::Answer(500, "InternalError"),
            Fault::Answer(503, "SlowDown"),
            Fault::Silence,
            Fault::CutAnswer,
        ];
        for fault in faults {
            server.fail(Operation::Get, fault, 2);
            assert!(read(&session, &blobs, id).await == *plain, "{fault:?}");
            server.heal();
        }
    }
    let asked = server.asked(Operation::Get);
    server.fail(Operation::Get, Fault::CutBody(0), 1_000);
    // Cut again and again without a byte: an error, and no part of it passes for the whole.
    assert_eq!(code(blobs.get(&blob_id(1)).await.map(drop)), "store_unavailable");
    assert!(server.asked(Operation::Get) - asked <= 25);
    server.heal();
    let raw = blobs.get(&blob_id(2)).await.unwrap();
    server.fail(Operation::Get, Fault::CutBody(0), 1_000);
    assert_eq!(opened(&session, blob_id(2), raw).await.unwrap_err().code(), "store_unavailable");
    server.heal();
    assert_eq!(code(blobs.get(&blob_id(9)).await.map(drop)), "not_found");
}

#[tokio::test]
async fn many_blobs_are_listed_by_page_and_removed_in_batches() {
    let server = S3Server::start();
    let blobs = connect(&server, "a", limits());
    let ids: Vec<BlobId> = (0..1_203_u32)
        .map(|number| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            BlobId(id)
        })
        .collect();
    for id in &ids {
        let name = data_encoding::HEXLOWER.encode(&id.0);
        server.plant(&format!("a/blobs/{}/{name}", &name[..2]), b"..");
    }
    // What is none of ours.
    server.plant("a/blobs/aa/note.txt", b"..");
    server.plant("a/rhaven-store", b"..");
    server.fail(Operation::List, Fault::Answer(503, "SlowDown"), 1);
    let listed: Vec<BlobId> = blobs.list(None, 5_000).await.unwrap().iter().map(|listed| listed.id).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert!(listed == sorted);
    assert_eq!(server.asked(Operation::List), 3);
    let page = blobs.list(Some(sorted[1_100]), 50).await.unwrap();
    assert!(page.iter().map(|listed| listed.id).eq(sorted[1_101..1_151].iter().copied()));

    server.fail(Operation::DeleteMany, Fault::Answer(500, "InternalError"), 1);
    server.fail(Operation::DeleteMany, Fault::CutAnswer, 1);
    let unknown = [blob_id(250), blob_id(251)];
    blobs.delete(&[&ids[..], &unknown].concat()).await.unwrap();
    assert_eq!(server.keys(), ["a/blobs/aa/note.txt", "a/rhaven-store"]);
    assert_eq!(server.asked(Operation::DeleteMany), 4, "two batches, and one twice over");
}

#[tokio::test]
async fn whoever_may_not_is_told_so_and_no_secret() {
    let (server, session) = (S3Server::start(), Session::new("prod"));
    let keys = |secret: &str| S3Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new("the key of S3", secret.to_owned()),
    };
    let options = S3Options { credentials: Some(keys("another-secret-key")), limits: limits() };
    assert!(!format!("{options:?}").contains("another-secret-key"));
    let stranger = connect_as(&server.url("a"), options);
    let error = stranger.put(&blob_id(1), session.seal_blob(blob_id(1), b"x")).await.unwrap_err();
    let text = with_causes(&error);
    assert_eq!(error.code(), "store_unavailable");
    assert!(text.contains("SignatureDoesNotMatch, 403") && text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    assert!(!text.contains("another-secret-key") && !format!("{error:?} {stranger:?}").contains("another-secret-key"));

    let blobs = connect(&server, "a", limits());
    server.fail(Operation::Get, Fault::Answer(403, "AccessDenied"), 1);
    let text = with_causes(&blobs.get(&blob_id(1)).await.map(drop).unwrap_err());
    assert!(text.contains("AccessDenied, 403") && text.contains("s3:GetObject"), "{text}");
    assert!(!text.contains(SECRET_KEY) && !format!("{blobs:?}").contains(SECRET_KEY));

    let elsewhere = server.url("a").replace("s3://team", "s3://nobodys");
    let options = S3Options { credentials: Some(keys(SECRET_KEY)), limits: limits() };
    let text = with_causes(&connect_as(&elsewhere, options).list(None, 1).await.unwrap_err());
    assert!(text.contains("NoSuchBucket, 404") && text.contains("make the bucket"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let (url, blobs) = {
        let server = S3Server::start();
        (server.url("a"), connect(&server, "a", S3Limits { attempts: 2, ..limits() }))
    };
    let began = Instant::now();
    let error = blobs.list(None, 1).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20));
    match &error {
        StoreError::Unavailable { what, .. } => assert_eq!(*what, url),
        other => panic!("{other:?}"),
    }
    let report = blobs.report().await;
    assert!(!report.is_good() && report.findings.len() == 1, "{report:?}");
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_refused_for_sharing() {
    let server = S3Server::start();
    let blobs = connect(&server, "a", limits());
    let report = blobs.report().await;
    assert!(report.is_good(), "{report:?}");
    let tried: Vec<_> = report.findings.iter().map(|finding| finding.name).collect();
    assert_eq!(tried, ["reach", "put", "condition", "get", "list", "parts", "clock", "delete"]);
    assert_eq!((server.keys(), server.open_uploads()), (vec![], 0), "a report leaves nothing");

    server.ignore_conditions();
    let report = blobs.report().await;
    let wrong: Vec<_> = report.findings.iter().filter(|finding| !finding.is_good).map(|finding| finding.name).collect();
    assert_eq!(wrong, ["condition"], "{report:?}");
    assert_eq!((server.keys(), server.open_uploads()), (vec![], 0));
    let error = blobs.claim(StoreId([1; 16])).await.unwrap_err();
    assert_eq!(error.code(), "store_unfit");
    assert!(error.to_string().contains("ignores If-None-Match"), "{error}");
    assert_eq!(server.keys(), [""; 0], "it is not marked");
}

#[tokio::test]
async fn what_may_not_be_done_is_reported() {
    let server = S3Server::start();
    let blobs = connect(&server, "a", limits());
    let cases = [
        (Operation::Put, "put", "s3:PutObject"),
        (Operation::Get, "get", "s3:GetObject"),
        (Operation::List, "list", "s3:ListBucket"),
        (Operation::Abort, "parts", "s3:AbortMultipartUpload"),
        (Operation::Delete, "delete", "s3:DeleteObject"),
    ];
    for (operation, name, action) in cases {
        server.fail(operation, Fault::Answer(403, "AccessDenied"), 1_000);
        let report = blobs.report().await;
        let wrong: Vec<_> = report.findings.iter().filter(|finding| !finding.is_good).collect();
        assert!(wrong.len() == 1 && wrong[0].name == name && wrong[0].text.contains(action), "{report:?}");
        server.heal();
    }
}

/// The most memory that this process had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[tokio::test]
async fn memory_stays_flat_however_long_a_blob_is() {
    const LEN: u64 = 64 << 20;
    let (server, session) = (S3Server::start(), Session::new("prod"));
    // Up to 15 MiB under way.
    let blobs = connect(&server, "a", S3Limits { part_bytes: 5 << 20, parallel: 2, ..S3Limits::default() });
    let id = blob_id(1);
    let context = Context::Blob { tenant: &session.tenant, id: &id.0 };
    blobs.put(&id, session.seal_blob(id, &noise(1 << 20))).await.unwrap();
    blobs.delete(&[id]).await.unwrap();
    let before = peak();
    let pieces = stream::iter((0..LEN >> 20).map(|_| Ok(Bytes::from(noise(1 << 20)))));
    blobs.put(&id, seal_stream(&session.key, context, pieces).unwrap()).await.unwrap();
    let written = peak() - before;
    let mut raw = blobs.get(&id).await.unwrap().0;
    let mut len = 0;
    while let Some(piece) = raw.next().await {
        len += piece.unwrap().len() as u64;
    }
    let read = peak() - before;
    println!("{} KiB more to write, {} KiB to write and read", written >> 10, read >> 10);
    assert!(len > LEN);
    assert!(read < 40 << 20, "{read} bytes more than before");
}
