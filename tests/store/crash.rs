//! A process that is killed leaves the last version that it acknowledged, or the one in flight.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rhaven::base::Version;
use rhaven::store::{Acquired, Blobs, OwnerId, Records};

use super::child::{killed, start, tell};
use super::fixture::{Session, Taken, assert_whole, open_embedded, part_id, random};

/// How often a process is killed where `RHAVEN_SOAK_KILLS` does not say.
const KILLS: usize = 20;
/// Versions that are kept; the children write many more, so that pruning is interrupted too.
const KEEP: usize = 5;
/// The owner of all children: each finds the lease of the one before it, which is dead.
const OWNER: OwnerId = OwnerId([1; 16]);
/// Every so many versions one has a blob.
const BLOB_EVERY: u64 = 3;

fn session() -> Session {
    Session::new("crashing")
}

fn kills() -> usize {
    std::env::var("RHAVEN_SOAK_KILLS").map_or(KILLS, |kills| kills.parse().expect("RHAVEN_SOAK_KILLS is a number"))
}

/// In the child: writes version after version and tells each one that was acknowledged.
pub async fn commit_for_ever(folder: &Path) {
    let session = session();
    let (records, blobs) = open_embedded(folder);
    let mut request = session.request();
    request.owner = OWNER;
    let Acquired::Granted(granted) = records.acquire(&session.name, &request).await.unwrap() else {
        panic!("the lease of a dead process is not replaced");
    };
    let mut version = granted.head.as_ref().map_or(0, |head| head.version.0);
    let taken = Taken { owner: OWNER, fence: granted.fence, granted };
    loop {
        version += 1;
        let mut commit = session.commit(&taken, version);
        commit.keep = KEEP;
        if version.is_multiple_of(BLOB_EVERY) {
            let id = rhaven::store::BlobId(random());
            let body = session.seal_blob(id, format!("blob {version} {}", "x".repeat(300_000)).as_bytes());
            blobs.put(&id, body).await.unwrap();
            commit.blobs.push(id);
        }
        let committed = records.commit(&session.name, &commit).await.unwrap();
        tell(version);
        blobs.delete(&committed.orphaned).await.unwrap();
        let state = session.checkpoint(taken.fence, &format!("after {version}"));
        records.checkpoint(&session.name, OWNER, taken.fence, Some(Version(version)), &state).await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_leaves_the_last_acknowledged_version_or_the_one_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for kill in 0..kills() {
        let child = start("commit", 0, folder.path());
        // The first ones die while they create the store or write its first versions.
        let patience = Duration::from_millis(u64::from(random::<1>()[0]) * if kill < 5 { 1 } else { 2 } / 4);
        if kill >= 3 {
            acknowledged = child.told.recv().expect("a version is acknowledged").parse().unwrap();
        }
        let until = Instant::now() + patience;
        loop {
            match child.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(version) => acknowledged = version.parse().unwrap(),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the child ended by itself"),
            }
        }
        if let Some(version) = killed(child).last() {
            acknowledged = version.parse().unwrap();
        }
        let found = check(folder.path(), acknowledged).await;
        println!("kill {kill} after {patience:?}: acknowledged {acknowledged}, found {found}");
        acknowledged = found;
    }
    assert!(acknowledged > 0, "no version was ever written");
}

/// What the next process finds: a version that is whole, whatever was going on. Answers with its number.
async fn check(folder: &Path, acknowledged: u64) -> u64 {
    let session = session();
    let (records, _) = open_embedded(folder);
    let Some(head) = records.read(&session.name, None).await.unwrap() else {
        assert_eq!(acknowledged, 0, "what was acknowledged is lost");
        return 0;
    };
    let version = head.version.0;
    assert!(version == acknowledged || version == acknowledged + 1, "acknowledged {acknowledged}, found {version}");
    assert_whole(&session, &head);
    let context = rhaven::seal::Context::Record { tenant: &session.tenant, name: &session.name.session };
    let record = rhaven::seal::open(&session.key, context, &head.record).unwrap();
    assert_eq!(*record, format!("record {version}").into_bytes());

    let history = records.history(&session.name).await.unwrap();
    let oldest = version.saturating_sub(KEEP as u64) + 1;
    assert_eq!(
        history.iter().map(|entry| entry.version.0).collect::<Vec<_>>(),
        (oldest..=version).rev().collect::<Vec<_>>()
    );
    for entry in &history {
        let number = entry.version.0;
        assert_eq!(session.open_index(number, entry.fence, &entry.index).unwrap(), format!("index {number}"));
        let part = records.parts(&session.name, &[part_id(number)]).await.unwrap().remove(0);
        assert!(session.open_part(number, entry.fence, &part).unwrap().starts_with(&format!("part {number} ")));
    }
    version
}

#[tokio::test]
async fn every_blob_that_is_listed_after_a_kill_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let session = session();
    for _ in 0..kills().div_ceil(4) {
        let child = start("commit", 0, folder.path());
        for _ in 0..=random::<1>()[0] % 16 {
            child.told.recv().expect("a version is acknowledged");
        }
        killed(child);
        let (_, blobs) = open_embedded(folder.path());
        for id in blobs.list(None, 1_000).await.unwrap().into_iter().map(|listed| listed.id) {
            let context = rhaven::seal::Context::Blob { tenant: &session.tenant, id: &id.0 };
            let raw = blobs.get(&id).await.unwrap();
            let plain = rhaven::seal::open_stream(&session.key, context, raw).await.unwrap();
            assert!(plain.starts_with(b"blob "));
        }
    }
}
