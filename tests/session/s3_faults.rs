//! S3 that answers with errors, refuses, is silent after it has done as asked, or cuts connections, while sessions with something
//! large in them are saved and restored: nothing is lost, and nothing is there twice.

use serde_json::json;

use super::dying::Run;
use super::nodes::{Node, Shared, read, visit, whole, write};
use super::redis_server::RedisServer;
use super::s3_server::{Fault, Operation};

const WRITING: [Fault; 6] = [
    Fault::Answer(500, "InternalError"),
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(409, "ConditionalRequestConflict"),
    Fault::CutAnswer,
    Fault::CutRequest(0),
    Fault::CutRequest(100_000),
];
const READING: [Fault; 4] = [
    Fault::Answer(500, "InternalError"),
    Fault::Answer(503, "SlowDown"),
    Fault::CutBody(1_000),
    Fault::CutBody(200_000),
];

/// Every version opens, and there is no blob that none refers to.
fn assert_accounted(shared: &Shared, node: &Node, versions: u64) {
    assert_eq!(shared.versions(), (1..=versions).rev().collect::<Vec<_>>());
    assert_eq!(shared.s3.open_uploads(), 0);
    let before = shared.s3.keys();
    let mut eye = Run::of(node, None);
    eye.begin("sweep");
    let swept: serde_json::Value = serde_json::from_str(&eye.next("swept").expect("a sweep")).unwrap();
    assert_eq!(swept["removed"], json!(0), "{swept}: {before:#?}");
    eye.end();
    assert_eq!(shared.blobs().1, 1, "copies of HEAD: {before:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_part_is_saved_once_and_restored_whole_whatever_s3_does() {
    let shared = Shared::start(RedisServer::start()).await;
    let node = shared.node("a");
    let (mut run, mut version) = (visit(&shared, &node), 0);
    for (fault, times) in WRITING.into_iter().map(|fault| (fault, 2)).chain([(Fault::Silence, 1)]) {
        version += 1;
        run.order(&write(&format!("v{version}")));
        shared.s3.fail(Operation::Put, fault, times);
        assert_eq!(run.save(60), Ok(version), "{fault:?}");
        shared.s3.heal();
    }
    // Away for longer than a request is tried: the save waits.
    version += 1;
    run.order(&write(&format!("v{version}")));
    shared.s3.fail(Operation::Put, Fault::Answer(503, "SlowDown"), 7);
    run.begin("try-save 60");
    run.next("save.away").expect("a try that failed");
    assert_eq!(run.saved(), Ok(version));
    run.end();
    assert_eq!(shared.blobs(), (usize::try_from(version).unwrap(), 1));
    for fault in READING {
        shared.s3.fail(Operation::Get, fault, 2);
        let mut run = visit(&shared, &node);
        assert_eq!(read(&mut run), whole(&format!("v{version}")), "{fault:?}");
        shared.s3.heal();
        let (outcome, _) = run.end();
        assert_eq!((&outcome["updated"], &outcome["save_error"]), (&json!(false), &json!(null)), "{fault:?}");
    }
    assert_accounted(&shared, &node, version);
}

/// Puts a file of a little more than one part of random bytes into the site's private folder.
const FILE: &str = "evaluate async () => { const root = await navigator.storage.getDirectory(); const h = await root.getFileHandle('large', { create: true }); \
    const w = await h.createWritable(); const piece = new Uint8Array(65536); \
    for (let i = 0; i < 130; i++) { crypto.getRandomValues(piece); piece[0] = i; await w.write(piece); } await w.close(); }";
/// Its length, and whether all of it is in order.
const SEEN: &str = "read async () => { const root = await navigator.storage.getDirectory(); \
    const b = new Uint8Array(await (await (await root.getFileHandle('large')).getFile()).arrayBuffer()); \
    return [b.length, b.every((byte, at) => at % 65536 || byte === at / 65536)]; }";

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_several_parts_is_saved_once_and_restored_whole_whatever_s3_does() {
    let shared = Shared::start(RedisServer::start()).await;
    let node = shared.node("a");
    let mut run = visit(&shared, &node);
    let slow = Fault::Answer(503, "SlowDown");
    run.order(FILE);
    // One after the other; a request is tried five times.
    for (operation, fault) in [
        (Operation::Create, slow),
        (Operation::Part, slow),
        (Operation::Part, Fault::CutRequest(100_000)),
        (Operation::Part, Fault::CutAnswer),
        (Operation::Complete, slow),
        (Operation::Complete, Fault::CutAnswer),
    ] {
        shared.s3.fail(operation, fault, 1);
    }
    assert_eq!(run.save(120), Ok(1));
    let asked = [Operation::Create, Operation::Part, Operation::Complete].map(|operation| shared.s3.asked(operation));
    assert!(asked[0] >= 2 && asked[1] >= 5 && asked[2] >= 3, "not all faults came about: {asked:?}");
    run.end();
    assert_eq!(shared.blobs(), (1, 1));
    shared.s3.fail(Operation::Get, Fault::CutBody(3_000_000), 1);
    shared.s3.fail(Operation::Get, slow, 1);
    let mut run = visit(&shared, &node);
    run.begin(SEEN);
    assert_eq!(run.next("value").as_deref(), Some("[8519680,true]"));
    let (outcome, _) = run.end();
    assert_eq!((&outcome["updated"], &outcome["save_error"]), (&json!(false), &json!(null)));
    assert_accounted(&shared, &node, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_saved_once_and_restored_whole_whatever_s3_does() {
    let shared = Shared::start(RedisServer::start()).await;
    let node = Node { profile: true, ..shared.node("a") };
    for (word, faults) in [("one", &WRITING[..3]), ("two", &WRITING[3..])] {
        let mut run = visit(&shared, &node);
        run.order(&write(word));
        // One after the other, and fewer than a request is tried.
        for fault in faults {
            shared.s3.fail(Operation::Put, *fault, 1);
        }
        let (outcome, _) = run.end();
        assert_eq!((&outcome["saved"], &outcome["save_error"]), (&json!("full"), &json!(null)), "{outcome}");
        shared.s3.heal();
    }
    for fault in READING {
        shared.s3.fail(Operation::Get, fault, 1);
    }
    let mut run = visit(&shared, &node);
    shared.s3.heal();
    assert_eq!(read(&mut run), whole("two"));
    let (outcome, _) = run.end();
    assert_eq!(outcome["save_error"], json!(null), "{outcome}");
    let version = outcome["version"].as_u64().unwrap();
    assert!(version >= 2, "{outcome}");
    assert_accounted(&shared, &node, shared.versions().len() as u64);
}
