//! One writer at a time.

use std::time::Duration;

use futures_util::future::join_all;
use rhaven::base::Version;
use rhaven::store::{Acquired, OwnerId};

use super::fixture::{LEASE, Session, TestStore, code, granted, held, random};

pub async fn a_first_acquire_is_granted_and_leaves_no_session(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    assert!(taken.granted.head.is_none() && taken.granted.parts.is_empty() && taken.granted.checkpoint.is_none());
    assert_eq!(taken.granted.expired_at, None);
    assert_eq!(store.head(&session).await, None);
    assert!(store.records.list(session.name.tenant, None, 10).await.unwrap().is_empty());
    store.release(&session, &taken).await;
    assert!(store.versions(&session).await.is_empty());
}

pub async fn a_second_owner_is_told_who_holds(store: TestStore) {
    let session = Session::new("prod");
    let mut request = session.request();
    request.holder = session.holder("the first run");
    granted(store.records.acquire(&session.name, &request).await.unwrap());
    store.clock.advance(Duration::from_secs(5));
    let held = held(store.ask(&session).await);
    assert_eq!(held.owner, request.owner);
    assert_eq!(held.holder, request.holder);
    assert_eq!(held.expires_in, Duration::from_secs(10));
    // Whoever only wants to know is told the same, and nothing of a session that nobody holds.
    let known = store.records.holder(&session.name).await.unwrap().unwrap();
    assert_eq!((known.owner, known.holder), (request.owner, request.holder));
    assert!(store.records.holder(&Session::new("free").name).await.unwrap().is_none());
    store.clock.advance(LEASE);
    assert!(store.records.holder(&session.name).await.unwrap().is_none());
    // Another session, and another tenant's of the same id, are free.
    store.take(&Session::new("test")).await;
    store.take(&Session::of("globex", "prod")).await;
}

pub async fn a_lease_that_ran_out_passes_on_under_a_higher_fence(store: TestStore) {
    let session = Session::new("prod");
    let first = store.take(&session).await;
    store.save(&session, &first, 1).await;
    store.clock.advance(LEASE);
    let second = store.take(&session).await;
    assert!(second.fence > first.fence);
    assert_eq!(second.granted.head.unwrap().version, Version(1));
}

pub async fn a_dead_holder_is_replaced_at_once_and_only_it(store: TestStore) {
    let session = Session::new("prod");
    let dead = store.take(&session).await;
    let mut request = session.request();
    request.replace = Some(OwnerId(random()));
    held(store.records.acquire(&session.name, &request).await.unwrap());
    request.replace = Some(dead.owner);
    let fence = granted(store.records.acquire(&session.name, &request).await.unwrap()).fence;
    assert!(fence > dead.fence);
    // A third one, as late to know of the death, does not take it from the second.
    let mut late = session.request();
    late.replace = Some(dead.owner);
    held(store.records.acquire(&session.name, &late).await.unwrap());
}

pub async fn a_repeated_acquire_is_granted_under_a_new_fence(store: TestStore) {
    let session = Session::new("prod");
    let request = session.request();
    let first = granted(store.records.acquire(&session.name, &request).await.unwrap()).fence;
    let second = granted(store.records.acquire(&session.name, &request).await.unwrap()).fence;
    assert!(second > first);
    assert_eq!(code(store.records.renew(&session.name, request.owner, first, LEASE).await), "lease_lost");
    store.records.renew(&session.name, request.owner, second, LEASE).await.unwrap();
}

pub async fn renewing_makes_a_lease_last(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    for _ in 0..5 {
        store.clock.advance(Duration::from_secs(10));
        store.records.renew(&session.name, taken.owner, taken.fence, LEASE).await.unwrap();
    }
    assert_eq!(held(store.ask(&session).await).expires_in, LEASE);
    store.save(&session, &taken, 1).await;
}

pub async fn a_lost_lease_cannot_be_renewed(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let renew = async |owner, fence| code(store.records.renew(&session.name, owner, fence, LEASE).await);
    assert_eq!(renew(OwnerId(random()), taken.fence).await, "lease_lost", "another owner");
    store.clock.advance(LEASE);
    assert_eq!(renew(taken.owner, taken.fence).await, "lease_lost", "it ran out");
    let next = store.take(&session).await;
    assert_eq!(renew(taken.owner, taken.fence).await, "lease_lost", "it passed on");
    assert_eq!(renew(taken.owner, next.fence).await, "lease_lost", "the fence of another");
    let unknown = Session::new("unknown");
    assert_eq!(code(store.records.renew(&unknown.name, taken.owner, taken.fence, LEASE).await), "lease_lost");
}

pub async fn releasing_lets_the_next_one_in_and_only_once(store: TestStore) {
    let session = Session::new("prod");
    let first = store.take(&session).await;
    store.save(&session, &first, 1).await;
    store.release(&session, &first).await;
    let second = store.take(&session).await;
    // Late, and again: it is not the first one's any more.
    store.release(&session, &first).await;
    held(store.ask(&session).await);
    assert_eq!(code(store.records.commit(&session.name, &session.commit(&first, 2)).await), "lease_lost");
    store.save(&session, &second, 2).await;
}

pub async fn an_old_fence_writes_nothing(store: TestStore) {
    let session = Session::new("prod");
    let old = store.take(&session).await;
    store.save(&session, &old, 1).await;
    store.clock.advance(LEASE);
    let stale = session.commit(&old, 2);
    assert_eq!(code(store.records.commit(&session.name, &stale).await), "lease_lost", "it ran out");
    let new = store.take(&session).await;
    let refused = async |what: &str| {
        let name = &session.name;
        let checkpoint = session.checkpoint(old.fence, "late");
        assert_eq!(code(store.records.commit(name, &stale).await), "lease_lost", "{what}");
        let answer = store.records.checkpoint(name, old.owner, old.fence, None, &checkpoint).await;
        assert_eq!(code(answer), "lease_lost", "{what}");
        assert_eq!(code(store.records.delete(name, old.owner, old.fence).await), "lease_lost", "{what}");
    };
    refused("after the takeover").await;
    store.save(&session, &new, 2).await;
    refused("after the next version").await;
    store.release(&session, &new).await;
    refused("after the release").await;
    assert_eq!(store.versions(&session).await, [2, 1]);
    assert!(store.take(&session).await.granted.checkpoint.is_none());
}

pub async fn many_at_once_get_one_lease(store: TestStore) {
    for round in 0..10 {
        let session = Session::new(&format!("prod {round}"));
        let answers = join_all((0..20).map(|_| store.ask(&session))).await;
        let granted = answers.iter().filter(|answer| matches!(answer, Acquired::Granted(_))).count();
        assert_eq!(granted, 1, "round {round}");
    }
}
