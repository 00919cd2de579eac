//! A session on its way into another store: what is taken out of one is put into one as it was, and over nothing.

use rhaven::base::Version;
use rhaven::store::{DocumentName, Expected, Snapshot, SnapshotVersion};

use super::fixture::{DAY, LEASE, Session, TestStore, blob_id, code, part_id};

/// Three versions, the first of them pinned and with a blob, the last with another.
async fn filled(store: &TestStore, id: &str) -> Session {
    let session = Session::new(id);
    let taken = store.take(&session).await;
    for version in 1..=3 {
        let mut commit = session.commit(&taken, version);
        commit.blobs = match version {
            1 => vec![blob_id(1)],
            3 => vec![blob_id(3), blob_id(2)],
            _ => Vec::new(),
        };
        store.records.commit(&session.name, &commit).await.unwrap();
    }
    store.records.pin(&session.name, Version(1), true).await.unwrap();
    store.release(&session, &taken).await;
    session
}

async fn snapshot(store: &TestStore, session: &Session) -> Snapshot {
    store.records.snapshot(&session.name).await.unwrap().expect("a session")
}

async fn restore(store: &TestStore, session: &Session, snapshot: &Snapshot) -> bool {
    store.records.restore(&session.name, snapshot).await.unwrap()
}

pub async fn a_snapshot_is_all_of_a_session(store: TestStore) {
    let session = filled(&store, "prod").await;
    let head = store.records.read(&session.name, None).await.unwrap().unwrap();
    let history = store.records.history(&session.name).await.unwrap();
    let taken = snapshot(&store, &session).await;
    assert_eq!((&taken.record, taken.expires_at), (&head.record, head.expires_at));
    let kept: Vec<_> = taken.versions.iter().map(|v| (v.version, v.fence, v.saved_at, v.pinned, &v.index)).collect();
    let told = history.iter().rev().map(|v| (v.version, v.fence, v.saved_at, v.pinned, &v.index));
    assert_eq!(kept, told.collect::<Vec<_>>());
    let [first, _, last] = &taken.versions[..] else { panic!("three versions") };
    assert_eq!((&first.parts, &first.blobs), (&vec![part_id(1)], &vec![blob_id(1)]));
    assert_eq!((&last.parts, &last.blobs), (&vec![part_id(3), part_id(2)], &vec![blob_id(2), blob_id(3)]));
    let ids: Vec<_> = taken.parts.iter().map(|(id, _)| *id).collect();
    let bodies = store.records.parts(&session.name, &ids).await.unwrap();
    assert_eq!(taken.parts, ids.into_iter().zip(bodies).collect::<Vec<_>>());
    assert_eq!(taken.parts.len(), 3);
    assert_eq!(taken.checkpoint, None);
}

pub async fn what_is_not_there_has_no_snapshot(store: TestStore) {
    let none = async |session: &Session| store.records.snapshot(&session.name).await.unwrap().is_none();
    let unknown = Session::new("unknown");
    assert!(none(&unknown).await);
    let asked = Session::new("asked");
    store.take(&asked).await;
    assert!(none(&asked).await);
    let gone = filled(&store, "gone").await;
    store.records.touch(&gone.name, Some(DAY)).await.unwrap();
    store.clock.advance(DAY);
    assert!(none(&gone).await);
}

pub async fn a_restored_session_is_as_it_was(store: TestStore) {
    let session = filled(&store, "prod").await;
    let crashed = store.take(&session).await;
    let state = session.checkpoint(crashed.fence, "half");
    store.records.checkpoint(&session.name, crashed.owner, crashed.fence, Some(Version(3)), &state).await.unwrap();
    let taken = snapshot(&store, &session).await;
    assert_eq!(taken.fence, crashed.fence);
    store.clock.advance(LEASE * 2);

    let moved = Session::new("moved");
    assert!(restore(&store, &moved, &taken).await);
    assert_eq!(snapshot(&store, &moved).await, taken);
    assert_eq!(store.versions(&moved).await, [3, 2, 1]);
    assert_eq!(store.records.waiting(&moved.name).await.unwrap(), taken.checkpoint);
    assert!(store.records.holder(&moved.name).await.unwrap().is_none());
    let listed = store.records.list(moved.name.tenant, None, 10).await.unwrap();
    assert!(listed.iter().any(|listed| listed.name == moved.name && listed.head.version == Version(3)));

    // It lives on: fences grow, old versions go but for the pinned one, blobs stay as long as either refers to them.
    let next = store.take(&moved).await;
    assert!(next.fence > taken.fence && next.granted.checkpoint == taken.checkpoint);
    assert_eq!(next.granted.head.as_ref().map(|head| head.version), Some(Version(3)));
    let mut commit = moved.commit(&next, 4);
    commit.keep = 1;
    let committed = store.records.commit(&moved.name, &commit).await.unwrap();
    assert_eq!(store.versions(&moved).await, [4, 1]);
    assert!(committed.orphaned.is_empty(), "the other still refers to them");
    store.release(&moved, &next).await;
    let last = store.take(&session).await;
    let mut orphaned = store.records.delete(&session.name, last.owner, last.fence).await.unwrap();
    orphaned.sort();
    assert!(store.loses_answers || orphaned == [blob_id(2), blob_id(3)], "{orphaned:?}");
    let last = store.take(&moved).await;
    let orphaned = store.records.delete(&moved.name, last.owner, last.fence).await.unwrap();
    assert!(store.loses_answers || orphaned == [blob_id(1)], "{orphaned:?}");
}

pub async fn nothing_is_restored_over_what_is_there(store: TestStore) {
    let session = filled(&store, "prod").await;
    let taken = snapshot(&store, &session).await;
    assert!(restore(&store, &session, &taken).await, "it is there already");
    // A lease that came and went.
    let reader = store.take(&session).await;
    store.release(&session, &reader).await;
    assert!(restore(&store, &session, &taken).await);
    let later = store.take(&session).await;
    store.save(&session, &later, 4).await;
    store.release(&session, &later).await;
    assert!(!restore(&store, &session, &taken).await, "a later version");
    assert_eq!(store.head(&session).await, Some(4));
    let changed = Snapshot { record: session.record("another"), ..snapshot(&store, &session).await };
    assert!(!restore(&store, &session, &changed).await, "another record");

    let held = Session::new("held");
    let holder = store.take(&held).await;
    assert!(!restore(&store, &held, &taken).await, "somebody writes it");
    let state = held.checkpoint(holder.fence, "half");
    store.records.checkpoint(&held.name, holder.owner, holder.fence, None, &state).await.unwrap();
    store.clock.advance(LEASE);
    assert!(!restore(&store, &held, &taken).await, "a crashed run left something");
    assert_eq!(store.head(&held).await, None);
    assert!(store.records.waiting(&held.name).await.unwrap().is_some());
}

pub async fn what_ran_out_and_what_was_asked_for_are_replaced(store: TestStore) {
    let taken = snapshot(&store, &filled(&store, "prod").await).await;
    let asked = Session::new("asked");
    let crashed = store.take(&asked).await;
    store.clock.advance(LEASE);
    assert!(restore(&store, &asked, &taken).await);
    assert_eq!(store.versions(&asked).await, [3, 2, 1]);
    assert!(store.take(&asked).await.fence > crashed.fence);

    let gone = Session::new("gone");
    store.save_up_to(&gone, 2).await;
    store.records.touch(&gone.name, Some(DAY)).await.unwrap();
    store.clock.advance(DAY);
    let never = Snapshot { expires_at: None, ..taken };
    assert!(restore(&store, &gone, &never).await);
    assert_eq!(store.versions(&gone).await, [3, 2, 1]);
    let next = store.take(&gone).await;
    assert_eq!(next.granted.expired_at, None);
    store.clock.advance(100 * DAY);
    assert_eq!(store.head(&gone).await, Some(3));
}

pub async fn a_restored_session_runs_out_when_it_would_have(store: TestStore) {
    let session = filled(&store, "prod").await;
    store.records.touch(&session.name, Some(2 * DAY)).await.unwrap();
    let taken = snapshot(&store, &session).await;
    store.clock.advance(DAY);
    let moved = Session::new("moved");
    assert!(restore(&store, &moved, &taken).await);
    assert_eq!(store.head(&moved).await, Some(3));
    store.clock.advance(DAY);
    assert_eq!(store.head(&moved).await, None);
    assert_eq!(store.take(&moved).await.granted.expired_at, taken.expires_at);
    // A session that has more than fits one page of any backend.
    let many = Session::new("many");
    let version = |number| SnapshotVersion {
        version: Version(number),
        fence: taken.fence,
        index: many.index(number, taken.fence),
        saved_at: taken.versions[0].saved_at,
        pinned: number % 2 == 0,
        parts: vec![part_id(number)],
        blobs: vec![blob_id(9)],
    };
    let parts = (1..=300).map(|number| many.part(number, taken.fence, 100)).collect();
    let versions = (1..=300).map(version).collect();
    let big = Snapshot { versions, parts, expires_at: None, ..taken };
    assert!(restore(&store, &many, &big).await);
    assert_eq!(snapshot(&store, &many).await, big);
    assert_eq!(code(store.records.parts(&many.name, &[part_id(301)]).await), "not_found");
}

pub async fn a_document_tells_when_it_runs_out(store: TestStore) {
    let session = Session::new("prod");
    let name = |kind| DocumentName { tenant: session.name.tenant, kind, name: session.name.session };
    let document = session.document("x");
    store.documents.put(&name("secret"), &Expected::Absent, &document, None).await.unwrap();
    store.documents.put(&name("token"), &Expected::Absent, &document, Some(DAY)).await.unwrap();
    let listed = store.documents.all(None, 10).await.unwrap();
    let [secret, token] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((secret.kind.as_str(), secret.expires_at), ("secret", None));
    let marked = filled(&store, "marks the time").await;
    store.records.touch(&marked.name, Some(DAY)).await.unwrap();
    let in_a_day = store.records.read(&marked.name, None).await.unwrap().unwrap().expires_at;
    assert_eq!((token.kind.as_str(), token.expires_at), ("token", in_a_day));
}
