//! A whole store into another: everything, once, and nothing over what is there.

use std::time::Duration;

use futures_util::TryStreamExt;
use rhaven::base::{Deadline, Version};
use rhaven::seal::{Context, DataKey, NameTag, Sealed, TenantTag, seal};
use rhaven::store::{
    Backends, BlobId, Copied, CopyError, CopyPlan, DocumentName, Expected, RecordName, StoreError, copy,
    honours_conditions, plan,
};

use super::faults;
use super::fixture::{DAY, LEASE, Session, TestStore, blob_id};

fn parts(store: &TestStore) -> Backends {
    let (records, documents, blobs) = (store.records.clone(), store.documents.clone(), store.blobs.clone());
    Backends { records, documents, blobs, copies: None }
}

fn check() -> DocumentName {
    DocumentName { tenant: TenantTag([0; 16]), kind: "check", name: NameTag([0; 32]) }
}

fn check_of(key: u8) -> Sealed {
    seal(&DataKey::from_bytes(&[key; 48]).unwrap(), Context::Check, b"names").unwrap()
}

/// A store with the key check, a secret, a token that runs out, and five sessions with blobs: one of them is shared by all.
async fn filled(store: &TestStore) -> Vec<Session> {
    store.documents.put(&check(), &Expected::Absent, &check_of(7), None).await.unwrap();
    let sessions: Vec<Session> = (0..5).map(|number| Session::new(&format!("session {number}"))).collect();
    let shared = Session::of("globex", "shared");
    for (kind, ttl) in [("secret", None), ("token", Some(10_000 * DAY))] {
        let name = DocumentName { tenant: sessions[0].name.tenant, kind, name: sessions[0].name.session };
        store.documents.put(&name, &Expected::Absent, &sessions[0].document(kind), ttl).await.unwrap();
    }
    let mut sessions = sessions;
    sessions.push(shared);
    for (number, session) in (1_u8..).zip(&sessions) {
        store.put_blob(session, blob_id(100), b"a blob of all").await;
        store.put_blob(session, blob_id(number), &vec![number; 200_000]).await;
        let taken = store.take(session).await;
        store.save(session, &taken, 1).await;
        let mut commit = session.commit(&taken, 2);
        // For ever: the stores' clock stands in the past.
        (commit.blobs, commit.ttl) = (vec![blob_id(number), blob_id(100)], None);
        store.records.commit(&session.name, &commit).await.unwrap();
        store.records.pin(&session.name, Version(1), true).await.unwrap();
        store.release(session, &taken).await;
    }
    sessions
}

async fn try_copy(from: &TestStore, to: &TestStore) -> Result<(CopyPlan, Copied), CopyError> {
    let (from, to) = (parts(from), parts(to));
    let planned = plan(&from, &to).await?;
    let done = copy(&from, &to, &planned, Deadline::after(Duration::ZERO), |_| ()).await?;
    Ok((planned, done))
}

/// A blob as it is stored: it is under its first owner's tenant, whoever refers to it.
async fn raw(store: &TestStore, blob: BlobId) -> Vec<u8> {
    store.blobs.get(&blob).await.unwrap().0.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// What both hold is the same.
async fn assert_copied(from: &TestStore, to: &TestStore, sessions: &[Session]) {
    for session in sessions {
        let here = from.records.snapshot(&session.name).await.unwrap().unwrap();
        let there = to.records.snapshot(&session.name).await.unwrap().unwrap();
        assert_eq!(here, there);
        for blob in here.blobs() {
            assert!(raw(from, blob).await == raw(to, blob).await);
        }
    }
    assert_eq!(from.documents.all(None, 100).await.unwrap().len(), to.documents.all(None, 100).await.unwrap().len());
    assert_eq!(to.documents.get(&check()).await.unwrap(), from.documents.get(&check()).await.unwrap());
}

#[tokio::test]
async fn everything_is_copied_and_once_more_is_nothing() {
    let (from, to) = (TestStore::embedded(), TestStore::memory());
    let sessions = filled(&from).await;
    let (planned, done) = try_copy(&from, &to).await.unwrap();
    assert_eq!((done.copied.len(), done.there, done.verified), (6, 0, 6));
    assert_eq!((done.documents, done.blobs, planned.unsaved), (3, 7, 0));
    assert!(done.bytes > 0 && done.held.is_empty() && done.failed.is_empty());
    assert_copied(&from, &to, &sessions).await;
    let expiring = to.documents.all(None, 100).await.unwrap().into_iter().find(|kept| kept.kind == "token");
    assert!(expiring.is_some_and(|kept| kept.expires_at.is_some()));

    let (_, again) = try_copy(&from, &to).await.unwrap();
    assert_eq!((again.copied.len(), again.there, again.verified), (0, 6, 6));
    assert_eq!((again.documents, again.documents_there, again.blobs, again.bytes), (0, 3, 0, 0));

    // One more session, and one that went on in the target: the first is copied, the other left as it is.
    from.save_up_to(&Session::new("later"), 1).await;
    let taken = to.take(&sessions[0]).await;
    to.save(&sessions[0], &taken, 3).await;
    to.release(&sessions[0], &taken).await;
    let (_, again) = try_copy(&from, &to).await.unwrap();
    assert_eq!((again.copied.len(), again.there, again.verified), (1, 6, 7));
    assert_eq!(to.head(&sessions[0]).await, Some(3));
}

#[tokio::test]
async fn a_copy_that_is_cut_off_goes_on() {
    let (from, to) = (TestStore::memory(), TestStore::embedded());
    let sessions = filled(&from).await;
    // Two of three writes of a blob fail, one of them after it happened.
    let to = faults::losing_answers(to);
    let mut cut = 0;
    let done = loop {
        match try_copy(&from, &to).await {
            Ok((_, done)) => break done,
            Err(CopyError::Store(StoreError::Unavailable { .. })) => cut += 1,
            Err(error) => panic!("{error}"),
        }
        // No record points to a blob that is not there.
        for session in &sessions {
            for blob in
                to.records.snapshot(&session.name).await.unwrap().iter().flat_map(rhaven::store::Snapshot::blobs)
            {
                assert!(raw(&to, blob).await == raw(&from, blob).await);
            }
        }
        assert!(cut < 50, "it does not go on");
    };
    assert!(cut > 0 && done.there + done.copied.len() == 6 && done.verified == 6);
    assert_copied(&from, &to, &sessions).await;
}

#[tokio::test]
async fn nothing_is_mixed_with_another_store() {
    let from = TestStore::memory();
    assert!(matches!(try_copy(&from, &TestStore::memory()).await, Err(CopyError::Nothing)));
    let sessions = filled(&from).await;

    let other = TestStore::memory();
    other.documents.put(&check(), &Expected::Absent, &check_of(8), None).await.unwrap();
    assert!(matches!(try_copy(&from, &other).await, Err(CopyError::Mismatch)), "another key");
    let records = TestStore::memory();
    records.save_up_to(&Session::new("other"), 1).await;
    assert!(matches!(try_copy(&from, &records).await, Err(CopyError::Mismatch)), "records without a check");
    let blobs = TestStore::memory();
    blobs.put_blob(&sessions[0], blob_id(9), b"somebody's").await;
    assert!(matches!(try_copy(&from, &blobs).await, Err(CopyError::Mismatch)), "somebody's blobs");
    for store in [other, records, blobs] {
        assert!(store.records.snapshot(&sessions[1].name).await.unwrap().is_none());
        assert!(store.documents.all(None, 10).await.unwrap().len() < 2);
    }
}

#[tokio::test]
async fn a_name_with_another_content_refuses_the_whole() {
    let (from, to) = (TestStore::memory(), TestStore::memory());
    let sessions = filled(&from).await;
    to.documents
        .put(&check(), &Expected::Absent, &from.documents.get(&check()).await.unwrap().unwrap(), None)
        .await
        .unwrap();
    to.save_up_to(&sessions[2], 1).await;
    let name = DocumentName { tenant: sessions[0].name.tenant, kind: "secret", name: sessions[0].name.session };
    to.documents.put(&name, &Expected::Absent, &sessions[0].document("another"), None).await.unwrap();
    let (here, there) = (parts(&from), parts(&to));
    let planned = plan(&here, &there).await.unwrap();
    assert_eq!(planned.differing, [sessions[2].name]);
    let error = copy(&here, &there, &planned, Deadline::after(Duration::ZERO), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::Differs { sessions: 1, documents: 1 }), "{error}");
    assert_eq!(error.code(), "store_mismatch");
    assert!(to.records.snapshot(&sessions[0].name).await.unwrap().is_none());
    assert!(to.blobs.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_run_holds_is_left_out_and_what_was_never_saved_is_told() {
    let (from, to) = (TestStore::memory(), TestStore::memory());
    let sessions = filled(&from).await;
    let _held = from.take(&sessions[3]).await;
    let unsaved = Session::new("never saved");
    let crashed = from.take(&unsaved).await;
    let state = unsaved.checkpoint(crashed.fence, "half");
    from.records.checkpoint(&unsaved.name, crashed.owner, crashed.fence, None, &state).await.unwrap();
    let (planned, done) = try_copy(&from, &to).await.unwrap();
    assert_eq!((planned.unsaved, done.copied.len(), done.held), (1, 5, vec![sessions[3].name]));
    assert_eq!(to.head(&sessions[3]).await, None);

    from.clock.advance(LEASE);
    let (_, done) = try_copy(&from, &to).await.unwrap();
    assert_eq!((done.copied, done.held), (vec![sessions[3].name], Vec::<RecordName>::new()));
    assert_copied_sessions(&from, &to, &sessions).await;
}

async fn assert_copied_sessions(from: &TestStore, to: &TestStore, sessions: &[Session]) {
    for session in sessions {
        let (here, there) =
            tokio::try_join!(from.records.snapshot(&session.name), to.records.snapshot(&session.name)).unwrap();
        let (here, there) = (here.unwrap(), there.unwrap());
        assert!(there.versions == here.versions && there.parts == here.parts);
    }
}

#[tokio::test]
async fn a_damaged_session_is_named_and_the_others_are_copied() {
    let (from, to) = (TestStore::memory(), TestStore::memory());
    let sessions = filled(&from).await;
    from.blobs.delete(&[blob_id(2)]).await.unwrap();
    let (_, done) = try_copy(&from, &to).await.unwrap();
    let [(name, reason)] = &done.failed[..] else { panic!("{:?}", done.failed) };
    assert_eq!((*name, reason.as_str()), (sessions[1].name, "there is no such blob in the store"));
    assert_eq!((done.copied.len(), done.verified), (5, 5));
}

#[tokio::test]
async fn what_a_store_holds_is_counted() {
    let store = TestStore::embedded();
    assert_eq!(parts(&store).contents().await.unwrap(), rhaven::store::Contents::default());
    filled(&store).await;
    let found = parts(&store).contents().await.unwrap();
    assert_eq!((found.tenants, found.sessions, found.versions), (2, 6, 12));
    assert_eq!((found.documents, found.blobs), (3, 7));
    assert!(found.session_bytes > 1000 && found.document_bytes > 100 && found.blob_bytes > 600);
}

#[tokio::test]
async fn a_store_that_writes_on_conditions_is_known() {
    for store in [TestStore::memory(), TestStore::embedded()] {
        assert!(honours_conditions(&*store.documents).await.unwrap());
        assert!(store.documents.all(None, 10).await.unwrap().is_empty(), "nothing is left");
    }
}
