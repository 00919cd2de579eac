//! Documents: compare-and-set, expiry, listing.

use rhaven::seal::NameTag;
use rhaven::store::{DocumentName, Expected};

use super::fixture::{DAY, Session, TestStore, code};

fn name(session: &Session, kind: &'static str, name: &str) -> DocumentName {
    DocumentName { tenant: session.name.tenant, kind, name: session.names.name(&session.tenant, kind, name) }
}

pub async fn a_document_is_written_on_its_condition(store: TestStore) {
    let session = Session::new("prod");
    let name = name(&session, "secret", "PW");
    let [a, b, c] = ["a", "b", "c"].map(|text| session.document(text));
    let put = async |expected: Expected, value| store.documents.put(&name, &expected, value, None).await;
    let get = async || store.documents.get(&name).await.unwrap();

    assert_eq!(get().await, None);
    assert_eq!(code(put(Expected::Value(a.clone()), &b).await), "conflict");
    put(Expected::Absent, &a).await.unwrap();
    assert_eq!(get().await.as_ref(), Some(&a));
    assert_eq!(code(put(Expected::Absent, &b).await), "conflict");
    assert_eq!(code(put(Expected::Value(b.clone()), &c).await), "conflict");
    put(Expected::Value(a.clone()), &b).await.unwrap();
    assert_eq!(get().await.as_ref(), Some(&b));
    put(Expected::Anything, &c).await.unwrap();
    assert_eq!(get().await.as_ref(), Some(&c));

    let was_there = store.documents.remove(&name).await.unwrap();
    assert!(was_there || store.loses_answers);
    assert_eq!(get().await, None);
    assert!(!store.documents.remove(&name).await.unwrap());
}

pub async fn a_repeated_put_is_done(store: TestStore) {
    let session = Session::new("prod");
    let name = name(&session, "secret", "PW");
    let value = session.document("a");
    for _ in 0..2 {
        store.documents.put(&name, &Expected::Absent, &value, None).await.unwrap();
    }
    // The same text sealed anew is another value.
    let again = session.document("a");
    assert_eq!(code(store.documents.put(&name, &Expected::Absent, &again, None).await), "conflict");
}

pub async fn a_document_runs_out(store: TestStore) {
    let session = Session::new("prod");
    let (short, long) = (name(&session, "token", "short"), name(&session, "token", "long"));
    let value = session.document("a");
    store.documents.put(&short, &Expected::Absent, &value, Some(DAY)).await.unwrap();
    store.documents.put(&long, &Expected::Absent, &value, None).await.unwrap();
    store.clock.advance(DAY);
    assert_eq!(store.documents.get(&short).await.unwrap(), None);
    assert!(!store.documents.remove(&short).await.unwrap());
    assert_eq!(store.documents.list(short.tenant, "token", None, 10).await.unwrap(), [(long.name, value)]);
    store.documents.put(&short, &Expected::Absent, &session.document("b"), Some(DAY)).await.unwrap();
    assert!(store.documents.get(&short).await.unwrap().is_some());
}

pub async fn documents_are_listed_in_pages_by_kind_and_tenant(store: TestStore) {
    let (session, stranger) = (Session::new("prod"), Session::of("globex", "prod"));
    let put = async |name: &DocumentName| {
        store.documents.put(name, &Expected::Absent, &session.document("a"), None).await.unwrap();
    };
    let mut names: Vec<NameTag> = Vec::new();
    for number in 0..5 {
        let document = name(&session, "secret", &number.to_string());
        put(&document).await;
        names.push(document.name);
    }
    put(&name(&session, "token", "0")).await;
    put(&name(&stranger, "secret", "0")).await;
    names.sort();

    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.documents.list(session.name.tenant, "secret", after, 2).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().map(|(name, _)| name));
    }
    assert_eq!(found, names);
}
