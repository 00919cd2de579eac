//! Expiry, deletion and listing.

use std::time::Duration;

use rhaven::store::Listed;

use super::fixture::{DAY, LEASE, Session, TestStore, blob_id, code, part_id};

/// A second less than a day.
const ALMOST_A_DAY: Duration = Duration::from_secs(24 * 60 * 60 - 1);

async fn save_with_ttl(store: &TestStore, session: &Session, ttl: Option<Duration>) {
    let taken = store.take(session).await;
    let mut commit = session.commit(&taken, 1);
    commit.ttl = ttl;
    commit.blobs = vec![blob_id(1)];
    store.records.commit(&session.name, &commit).await.unwrap();
    store.release(session, &taken).await;
}

pub async fn what_has_run_out_is_gone_and_says_so(store: TestStore) {
    let session = Session::new("prod");
    save_with_ttl(&store, &session, Some(DAY)).await;
    let expires_at = store.records.read(&session.name, None).await.unwrap().unwrap().expires_at;
    store.clock.advance(ALMOST_A_DAY);
    assert_eq!(store.head(&session).await, Some(1));
    store.clock.advance(Duration::from_secs(1));
    assert_eq!(store.head(&session).await, None);
    assert!(store.versions(&session).await.is_empty());
    assert!(store.records.list(session.name.tenant, None, 10).await.unwrap().is_empty());

    let taken = store.take(&session).await;
    assert!(taken.granted.head.is_none() && taken.granted.parts.is_empty());
    assert_eq!(taken.granted.expired_at, expires_at);
    assert!(store.loses_answers || taken.granted.orphaned == [blob_id(1)]);
    assert_eq!(code(store.records.parts(&session.name, &[part_id(1)]).await), "not_found");
    store.save(&session, &taken, 1).await;
    assert_eq!(store.head(&session).await, Some(1));
}

pub async fn running_out_is_told_until_a_version_is_written(store: TestStore) {
    let session = Session::new("prod");
    save_with_ttl(&store, &session, Some(DAY)).await;
    store.clock.advance(DAY);
    let crashed = store.take(&session).await;
    assert!(crashed.granted.expired_at.is_some());
    store.clock.advance(LEASE);
    let next = store.take(&session).await;
    assert_eq!(next.granted.expired_at, crashed.granted.expired_at);
    store.save(&session, &next, 1).await;
    store.release(&session, &next).await;
    assert_eq!(store.take(&session).await.granted.expired_at, None);
}

pub async fn touching_prolongs_and_never_revives(store: TestStore) {
    let session = Session::new("prod");
    save_with_ttl(&store, &session, Some(DAY)).await;
    for _ in 0..3 {
        store.clock.advance(DAY / 2);
        store.records.touch(&session.name, Some(DAY)).await.unwrap();
    }
    assert_eq!(store.head(&session).await, Some(1));
    store.records.touch(&session.name, None).await.unwrap();
    store.clock.advance(10_000 * DAY);
    assert_eq!(store.head(&session).await, Some(1));
    assert_eq!(store.records.read(&session.name, None).await.unwrap().unwrap().expires_at, None);
    // Longer than any calendar: the same as never.
    store.records.touch(&session.name, Some(Duration::MAX)).await.unwrap();
    assert_eq!(store.head(&session).await, Some(1));

    store.records.touch(&session.name, Some(DAY)).await.unwrap();
    store.clock.advance(DAY);
    store.records.touch(&session.name, Some(DAY)).await.unwrap();
    assert_eq!(store.head(&session).await, None);
    let unknown = Session::new("unknown");
    store.records.touch(&unknown.name, Some(DAY)).await.unwrap();
    assert_eq!(store.head(&unknown).await, None);
}

pub async fn a_holder_outlives_the_expiry(store: TestStore) {
    let session = Session::new("prod");
    save_with_ttl(&store, &session, Some(DAY)).await;
    store.clock.advance(ALMOST_A_DAY);
    let taken = store.take(&session).await;
    store.clock.advance(Duration::from_secs(2));
    // It reads its parts on first touch, however late that is.
    store.records.parts(&session.name, &[part_id(1)]).await.unwrap();
    store.records.purge_expired().await.unwrap();
    store.save(&session, &taken, 2).await;
    assert_eq!(store.versions(&session).await, [2, 1]);
}

pub async fn deleting_leaves_nothing(store: TestStore) {
    let session = Session::new("prod");
    save_with_ttl(&store, &session, None).await;
    let taken = store.take(&session).await;
    let state = session.checkpoint(taken.fence, "state");
    store.records.checkpoint(&session.name, taken.owner, taken.fence, None, &state).await.unwrap();
    let blobs = store.records.delete(&session.name, taken.owner, taken.fence).await.unwrap();
    assert!(store.loses_answers || blobs == [blob_id(1)]);
    assert_eq!(store.head(&session).await, None);
    assert_eq!(code(store.records.parts(&session.name, &[part_id(1)]).await), "not_found");
    assert_eq!(code(store.records.commit(&session.name, &session.commit(&taken, 2)).await), "lease_lost");
    store.release(&session, &taken).await;
    let fresh = store.take(&session).await.granted;
    assert!(fresh.head.is_none() && fresh.checkpoint.is_none() && fresh.expired_at.is_none());
    // What is not there is deleted already.
    let unknown = Session::new("unknown");
    assert_eq!(store.records.delete(&unknown.name, taken.owner, taken.fence).await.unwrap(), []);
}

pub async fn purging_takes_what_ran_out_and_nothing_else(store: TestStore) {
    let sessions = ["gone", "held", "living", "for ever"].map(Session::new);
    let [gone, held, living, for_ever] = &sessions;
    for (session, ttl) in [(gone, Some(DAY)), (held, Some(DAY)), (living, Some(2 * DAY)), (for_ever, None)] {
        save_with_ttl(&store, session, ttl).await;
    }
    // A name that a crashed run asked for and never wrote.
    store.take(&Session::new("asked for")).await;
    store.clock.advance(ALMOST_A_DAY);
    let taken = store.take(held).await;
    store.clock.advance(Duration::from_secs(2));
    // The blob is still the others'.
    assert_eq!(store.records.purge_expired().await.unwrap(), []);
    assert_eq!(code(store.records.parts(&gone.name, &[part_id(1)]).await), "not_found");
    store.save(held, &taken, 2).await;
    assert_eq!(store.head(held).await, Some(2));
    assert_eq!((store.head(living).await, store.head(for_ever).await), (Some(1), Some(1)));
}

pub async fn what_was_purged_is_told_for_a_while(store: TestStore) {
    let (soon, late) = (Session::new("soon"), Session::new("late"));
    for session in [&soon, &late] {
        save_with_ttl(&store, session, Some(DAY)).await;
    }
    store.clock.advance(DAY);
    store.records.purge_expired().await.unwrap();
    let taken = store.take(&soon).await;
    assert!(taken.granted.head.is_none() && taken.granted.expired_at.is_some());
    store.save(&soon, &taken, 1).await;
    store.clock.advance(31 * DAY);
    store.records.purge_expired().await.unwrap();
    assert_eq!(store.take(&late).await.granted.expired_at, None);
}

pub async fn a_checkpoint_without_a_version_is_not_kept_for_ever(store: TestStore) {
    let session = Session::new("prod");
    let crashed = store.take(&session).await;
    let state = session.checkpoint(crashed.fence, "state");
    store.records.checkpoint(&session.name, crashed.owner, crashed.fence, None, &state).await.unwrap();
    for kept in [true, false] {
        store.clock.advance(20 * DAY);
        store.records.purge_expired().await.unwrap();
        let taken = store.take(&session).await;
        assert_eq!(taken.granted.checkpoint.is_some(), kept);
        store.release(&session, &taken).await;
    }
}

pub async fn listing_pages_in_order_and_by_tenant(store: TestStore) {
    let sessions: Vec<_> = (0..7).map(|number| Session::new(&format!("session {number}"))).collect();
    for session in &sessions {
        store.save_up_to(session, 2).await;
    }
    store.save_up_to(&Session::of("globex", "other"), 1).await;
    let taken = store.take(&sessions[3]).await;

    let mut names: Vec<_> = sessions.iter().map(|session| session.name).collect();
    names.sort();
    let (mut found, mut after): (Vec<Listed>, _) = (Vec::new(), None);
    loop {
        let page = store.records.list(names[0].tenant, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(last.name.session);
        found.extend(page);
    }
    assert_eq!(found.iter().map(|listed| listed.name).collect::<Vec<_>>(), names);
    for listed in &found {
        assert_eq!(listed.head.version.0, 2);
        let holder = listed.held.as_ref().map(|held| held.owner);
        assert_eq!(holder, (listed.name == sessions[3].name).then_some(taken.owner));
    }
}
