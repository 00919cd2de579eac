//! Sealing anew: a value changes its key and nothing else, and only where it is what was read.

use rhaven::base::Version;
use rhaven::store::{DocumentName, Expected, RecordName};

use super::fixture::{DAY, Session, TestStore};

pub async fn a_record_is_replaced_only_where_it_is_as_expected(store: TestStore) {
    let session = Session::new("prod");
    let (old, new, other) = (session.record("old"), session.record("new"), session.record("other"));
    let reseal = async |expected, value| store.records.reseal(&session.name, expected, value).await.unwrap();
    assert!(!reseal(&old, &new).await, "there is none");

    let taken = store.take(&session).await;
    assert!(!reseal(&old, &new).await, "a lease without a version has no record");
    let mut commit = session.commit(&taken, 1);
    commit.record = old.clone();
    store.records.commit(&session.name, &commit).await.unwrap();
    let before = store.records.read(&session.name, None).await.unwrap().unwrap();

    assert!(!reseal(&other, &new).await);
    assert!(reseal(&old, &new).await);
    assert!(reseal(&old, &new).await, "repeated, because the answer was lost");
    assert!(!reseal(&old, &other).await);
    let after = store.records.read(&session.name, None).await.unwrap().unwrap();
    assert_eq!(after.record, new);
    assert_eq!((after.version, after.fence, after.expires_at), (before.version, before.fence, before.expires_at));
    assert_eq!((after.index, after.saved_at), (before.index, before.saved_at));

    // The lease and what HEAD is for its holder are as before.
    store.records.commit(&session.name, &session.commit(&taken, 2)).await.unwrap();
    assert_eq!(store.records.read(&session.name, None).await.unwrap().unwrap().version, Version(2));
    // A commit came in between: what is there is not lost.
    assert!(!reseal(&new, &other).await);
}

pub async fn sealing_anew_and_commits_at_once_lose_neither(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    store.records.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
    let committing = async {
        for version in 2..=20 {
            store.records.commit(&session.name, &session.commit(&taken, version)).await.unwrap();
        }
    };
    let resealing = async {
        for _ in 0..20 {
            let head = store.records.read(&session.name, None).await.unwrap().unwrap();
            let context = rhaven::seal::Context::Record { tenant: &session.tenant, name: &session.name.session };
            let plain = rhaven::seal::open(&session.key, context, &head.record).unwrap();
            let anew = rhaven::seal::seal(&session.key, context, &plain).unwrap();
            store.records.reseal(&session.name, &head.record, &anew).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(committing, resealing);
    let head = store.records.read(&session.name, None).await.unwrap().unwrap();
    let context = rhaven::seal::Context::Record { tenant: &session.tenant, name: &session.name.session };
    let record = rhaven::seal::open(&session.key, context, &head.record).unwrap();
    assert_eq!((head.version, record.as_slice()), (Version(20), b"record 20".as_slice()));
}

pub async fn everything_is_listed_over_all_tenants(store: TestStore) {
    let mut sessions: Vec<Session> = ["a", "b", "c"].map(|id| Session::of("acme", id)).into();
    sessions.push(Session::of("globex", "a"));
    let mut checkpoint = None;
    for session in &sessions {
        let taken = store.take(session).await;
        store.records.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
        if checkpoint.is_none() {
            let half = session.checkpoint(taken.fence, "half");
            store.records.checkpoint(&session.name, taken.owner, taken.fence, Some(Version(1)), &half).await.unwrap();
            checkpoint = Some(half);
        }
        let document = DocumentName { tenant: session.name.tenant, kind: "secret", name: session.name.session };
        store.documents.put(&document, &Expected::Absent, &session.document("x"), None).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.records.all(after, 3).await.unwrap();
        after = page.last().map(|kept| kept.name);
        let last = page.len() < 3;
        found.extend(page);
        if last {
            break;
        }
    }
    let mut names: Vec<RecordName> = sessions.iter().map(|session| session.name).collect();
    names.sort();
    assert_eq!(found.iter().map(|kept| kept.name).collect::<Vec<_>>(), names);
    assert!(found.iter().all(|kept| kept.record.is_some() && kept.holder.is_some()));
    let states: Vec<_> = found.iter().filter_map(|kept| kept.checkpoint.clone()).collect();
    assert_eq!(states, [checkpoint.unwrap()]);

    let (mut documents, mut after) = (Vec::new(), None);
    loop {
        let page = store.documents.all(after.as_ref(), 3).await.unwrap();
        let last = page.len() < 3;
        after = page.last().cloned();
        documents.extend(page);
        if last {
            break;
        }
    }
    let places: Vec<_> = documents.iter().map(|d| RecordName { tenant: d.tenant, session: d.name }).collect();
    assert_eq!(places, names);
    assert!(documents.iter().all(|document| document.kind == "secret"));
}

pub async fn a_document_keeps_its_expiry_when_it_is_sealed_anew(store: TestStore) {
    let session = Session::new("prod");
    let name = DocumentName { tenant: session.name.tenant, kind: "token", name: session.name.session };
    let [old, new, other] = ["old", "new", "other"].map(|text| session.document(text));
    store.documents.put(&name, &Expected::Absent, &old, Some(DAY)).await.unwrap();
    let kept = store.documents.all(None, 10).await.unwrap().remove(0);
    assert!(store.documents.reseal(&kept, &new).await.unwrap());
    assert!(store.documents.reseal(&kept, &new).await.unwrap(), "repeated, because the answer was lost");
    assert!(!store.documents.reseal(&kept, &other).await.unwrap());
    assert_eq!(store.documents.get(&name).await.unwrap(), Some(new.clone()));

    store.clock.advance(DAY);
    assert_eq!(store.documents.get(&name).await.unwrap(), None);
    let kept = rhaven::store::KeptDocument { value: new, ..kept };
    assert!(!store.documents.reseal(&kept, &other).await.unwrap(), "what has run out is not revived");
    assert!(store.documents.all(None, 10).await.unwrap().is_empty());
}
