//! Versions, their parts and blobs, and the checkpoint beside them.

use std::collections::BTreeSet;

use rhaven::base::Version;
use rhaven::store::{BlobId, PartId, RecordName, StoreError};

use super::fixture::{DAY, LEASE, Session, Taken, TestStore, assert_whole, blob_id, code, granted, part_id};

pub async fn a_commit_is_what_is_read(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let commit = session.commit(&taken, 1);
    let committed = store.records.commit(&session.name, &commit).await.unwrap();
    assert!(committed.orphaned.is_empty());

    let read = store.records.read(&session.name, None).await.unwrap().unwrap();
    assert_eq!((read.version, read.fence), (Version(1), taken.fence));
    assert_eq!((&read.record, &read.index), (&commit.record, &commit.index));
    assert_eq!(read.saved_at, committed.saved_at);
    assert!(read.expires_at.unwrap() > read.saved_at);
    assert_whole(&session, &read);
    let parts = store.records.parts(&session.name, &[part_id(1)]).await.unwrap();
    assert_eq!(parts, [commit.new_parts[0].1.clone()]);

    store.release(&session, &taken).await;
    let granted = store.take(&session).await.granted;
    let head = granted.head.unwrap();
    assert_eq!((head.version, head.record, head.index), (Version(1), commit.record, commit.index));
    assert_eq!(granted.parts, commit.new_parts);
}

pub async fn versions_follow_each_other(store: TestStore) {
    let session = Session::new("prod");
    store.save_up_to(&session, 3).await;
    assert_eq!(store.versions(&session).await, [3, 2, 1]);
    for entry in store.records.history(&session.name).await.unwrap() {
        let text = session.open_index(entry.version.0, entry.fence, &entry.index).unwrap();
        assert_eq!(text, format!("index {}", entry.version.0));
        let read = store.records.read(&session.name, Some(entry.version)).await.unwrap().unwrap();
        assert_eq!((read.index, read.fence), (entry.index, entry.fence));
    }
    assert!(store.records.read(&session.name, Some(Version(4))).await.unwrap().is_none());
    assert!(store.records.read(&Session::new("test").name, None).await.unwrap().is_none());
}

pub async fn a_conflicting_commit_writes_nothing(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    store.save(&session, &taken, 1).await;
    store.save(&session, &taken, 2).await;
    let refused = async |expected: Option<u64>, version: u64| {
        let mut commit = session.commit(&taken, version);
        commit.expected = expected.map(Version);
        match store.records.commit(&session.name, &commit).await {
            Err(StoreError::Conflict { expected: told, found }) => {
                assert_eq!((told, found), (expected.map(Version), Some(Version(2))));
            }
            other => panic!("expected a conflict for {expected:?} -> {version}, found {other:?}"),
        }
    };
    refused(None, 3).await;
    refused(Some(1), 3).await;
    refused(Some(3), 4).await;
    // A number is never used twice, neither HEAD's nor an older one.
    refused(Some(2), 2).await;
    refused(Some(2), 1).await;
    assert_eq!(store.versions(&session).await, [2, 1]);
    assert!(store.records.parts(&session.name, &[part_id(3)]).await.is_err());
    store.save(&session, &taken, 3).await;
}

pub async fn a_repeated_commit_is_done(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let commit = store.save(&session, &taken, 1).await;
    store.records.commit(&session.name, &commit).await.unwrap();
    assert_eq!(store.versions(&session).await, [1]);
    // The same number with other content is another commit.
    let other = session.commit(&taken, 1);
    assert_eq!(code(store.records.commit(&session.name, &other).await), "conflict");
}

pub async fn a_part_that_is_not_there_is_refused_with_everything(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let mut commit = session.commit(&taken, 1);
    commit.parts.push(part_id(99));
    assert_eq!(code(store.records.commit(&session.name, &commit).await), "not_found");
    assert_eq!(store.head(&session).await, None);
    assert_eq!(code(store.records.parts(&session.name, &[part_id(1)]).await), "not_found");
    store.save(&session, &taken, 1).await;
    assert_eq!(code(store.records.parts(&session.name, &[part_id(1), part_id(99)]).await), "not_found");
}

pub async fn old_versions_go_with_parts_that_only_they_had(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    for version in 1..=6 {
        let mut commit = session.commit(&taken, version);
        commit.keep = 3;
        // The first part stays in use all the while.
        if version > 2 {
            commit.parts.push(part_id(1));
        }
        store.records.commit(&session.name, &commit).await.unwrap();
    }
    assert_eq!(store.versions(&session).await, [6, 5, 4]);
    assert!(store.records.read(&session.name, Some(Version(3))).await.unwrap().is_none());
    // Version 4 refers to its own part, that of 3, and the first.
    let parts = [6, 5, 4, 3, 1].map(part_id);
    let bodies = store.records.parts(&session.name, &parts).await.unwrap();
    for (version, body) in [6, 5, 4, 3, 1].iter().zip(&bodies) {
        assert!(session.open_part(*version, taken.fence, body).unwrap().starts_with(&format!("part {version} ")));
    }
    assert_eq!(code(store.records.parts(&session.name, &[part_id(2)]).await), "not_found");
}

pub async fn pinned_versions_stay_and_do_not_count(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let save = async |version: u64| {
        let mut commit = session.commit(&taken, version);
        commit.keep = 2;
        commit.blobs = vec![blob_id(u8::try_from(version).unwrap())];
        store.records.commit(&session.name, &commit).await.unwrap().orphaned
    };
    let pins = async || {
        let history = store.records.history(&session.name).await.unwrap();
        history.iter().map(|entry| (entry.version.0, entry.pinned)).collect::<Vec<_>>()
    };
    let check_orphans = |found: Vec<BlobId>, wanted: &[u8]| {
        let wanted: Vec<_> = wanted.iter().copied().map(blob_id).collect();
        assert!(store.loses_answers || found == wanted, "{found:?}");
    };
    save(1).await;
    save(2).await;
    store.records.pin(&session.name, Version(1), true).await.unwrap();
    check_orphans(save(3).await, &[]);
    check_orphans(save(4).await, &[2]);
    check_orphans(save(5).await, &[3]);
    assert_eq!(pins().await, [(5, false), (4, false), (1, true)]);
    // It is whole: its own part is there, those that only the dropped ones had are not. (4 refers to 3's.)
    store.records.parts(&session.name, &[part_id(1), part_id(3)]).await.unwrap();
    assert_eq!(code(store.records.parts(&session.name, &[part_id(2)]).await), "not_found");
    // HEAD may be pinned, and let go again.
    store.records.pin(&session.name, Version(5), true).await.unwrap();
    check_orphans(save(6).await, &[]);
    assert_eq!(pins().await, [(6, false), (5, true), (4, false), (1, true)]);
    store.records.pin(&session.name, Version(1), false).await.unwrap();
    check_orphans(save(7).await, &[1, 4]);
    assert_eq!(pins().await, [(7, false), (6, false), (5, true)]);
    assert_eq!(code(store.records.parts(&session.name, &[part_id(1)]).await), "not_found");
    assert_eq!(code(store.records.pin(&session.name, Version(1), true).await), "not_found");
    assert_eq!(code(store.records.pin(&Session::new("test").name, Version(1), true).await), "not_found");
    store.clock.advance(31 * DAY);
    assert_eq!(code(store.records.pin(&session.name, Version(7), true).await), "not_found", "it has run out");
}

pub async fn versions_that_are_named_go_before_older_ones(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let save = async |version: u64, first: &[u64]| {
        let mut commit = session.commit(&taken, version);
        commit.keep = 3;
        commit.first = first.iter().copied().map(Version).collect();
        commit.blobs = vec![blob_id(u8::try_from(version).unwrap())];
        let orphaned = store.records.commit(&session.name, &commit).await.unwrap().orphaned;
        (store.versions(&session).await, orphaned)
    };
    let check = |(versions, orphaned): (Vec<u64>, Vec<BlobId>), wanted: &[u64], gone: &[u8]| {
        assert_eq!(versions, wanted);
        let gone: Vec<_> = gone.iter().copied().map(blob_id).collect();
        assert!(store.loses_answers || orphaned == gone, "{orphaned:?}");
    };
    check(save(1, &[]).await, &[1], &[]);
    // While there is room none goes.
    check(save(2, &[1, 2]).await, &[2, 1], &[]);
    check(save(3, &[2]).await, &[3, 2, 1], &[]);
    check(save(4, &[2, 3]).await, &[4, 3, 1], &[2]);
    // (3 refers to 2's part.)
    store.records.parts(&session.name, &[part_id(1), part_id(2)]).await.unwrap();
    store.records.pin(&session.name, Version(3), true).await.unwrap();
    check(save(5, &[3]).await, &[5, 4, 3, 1], &[]);
    // Neither one that is pinned, nor one that is not kept, nor the new one.
    check(save(6, &[2, 3, 6]).await, &[6, 5, 4, 3], &[1]);
    store.records.pin(&session.name, Version(3), false).await.unwrap();
    check(save(7, &[5]).await, &[7, 6, 4], &[3, 5]);
    assert_eq!(code(store.records.parts(&session.name, &[part_id(2)]).await), "not_found");
}

pub async fn blobs_are_orphaned_when_nobody_refers_to_them(store: TestStore) {
    let (session, fork) = (Session::new("prod"), Session::new("fork"));
    let (taken, taken_fork) = (store.take(&session).await, store.take(&fork).await);
    let save = async |session: &Session, taken, version, blobs: &[u8]| {
        let mut commit = session.commit(taken, version);
        commit.blobs = blobs.iter().copied().map(blob_id).collect();
        commit.keep = 1;
        store.records.commit(&session.name, &commit).await.unwrap().orphaned
    };
    let check = |found: Vec<BlobId>, wanted: &[u8]| {
        let wanted: BTreeSet<_> = wanted.iter().copied().map(blob_id).collect();
        assert!(store.loses_answers || found.into_iter().collect::<BTreeSet<_>>() == wanted, "wanted {wanted:?}");
    };
    check(save(&session, &taken, 1, &[1, 2, 3]).await, &[]);
    check(save(&fork, &taken_fork, 1, &[2]).await, &[]);
    // 1 goes, 2 is still the fork's, 3 is still in use.
    check(save(&session, &taken, 2, &[3, 4]).await, &[1]);
    check(save(&fork, &taken_fork, 2, &[]).await, &[2]);
    check(store.records.delete(&session.name, taken.owner, taken.fence).await.unwrap(), &[3, 4]);
}

pub async fn what_refers_to_blobs_is_told_over_all_tenants(store: TestStore) {
    let sessions = [Session::new("a"), Session::new("b"), Session::of("globex", "a")];
    let save = async |session: &Session, taken: &Taken, version, keep, blobs: &[u8]| {
        let mut commit = session.commit(taken, version);
        (commit.keep, commit.blobs) = (keep, blobs.iter().copied().map(blob_id).collect());
        store.records.commit(&session.name, &commit).await.unwrap();
    };
    let all = async |limit| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.records.references(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some((last, _)) = page.last() else { return found };
            after = Some(*last);
            // A session without a version may be named; it refers to nothing.
            let referring = page.into_iter().filter(|(_, blobs)| !blobs.is_empty());
            found.extend(referring.map(|(name, blobs)| (name, blobs.iter().map(|id| id.0[0]).collect::<Vec<_>>())));
        }
    };
    let by_name = |mut wanted: Vec<(RecordName, Vec<u8>)>| {
        wanted.sort();
        wanted
    };
    let taken = store.take(&sessions[0]).await;
    save(&sessions[0], &taken, 1, 20, &[7, 3]).await;
    save(&sessions[0], &taken, 2, 20, &[1, 7]).await;
    for (session, blob) in sessions[1..].iter().zip([7, 9]) {
        let taken = store.take(session).await;
        save(session, &taken, 1, 20, &[blob]).await;
    }
    store.take(&Session::new("only opened")).await;
    let [a, b, c] = sessions.each_ref().map(|session| session.name);
    let wanted = by_name(vec![(a, vec![1, 3, 7]), (b, vec![7]), (c, vec![9])]);
    assert_eq!(all(100).await, wanted);
    assert_eq!(all(1).await, wanted);
    // What no kept version refers to any more.
    save(&sessions[0], &taken, 3, 1, &[8]).await;
    assert_eq!(all(2).await, by_name(vec![(a, vec![8]), (b, vec![7]), (c, vec![9])]));
    store.records.delete(&a, taken.owner, taken.fence).await.unwrap();
    assert_eq!(all(2).await, by_name(vec![(b, vec![7]), (c, vec![9])]));
}

pub async fn parts_are_sent_ahead_as_they_fit(store: TestStore) {
    let session = Session::new("prod");
    let taken = store.take(&session).await;
    let mut commit = session.commit(&taken, 1);
    commit.new_parts = (1..=4).map(|number| session.part(number, taken.fence, 10)).collect();
    // Noise does not compress: this one is large when it is sealed, too.
    let noise: String =
        (0_u32..2_000).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect();
    let large = PartId([9; 16]);
    commit.new_parts.push((large, session.record(&noise)));
    commit.parts = vec![part_id(3), large, part_id(1), part_id(4), part_id(2)];
    store.records.commit(&session.name, &commit).await.unwrap();
    store.release(&session, &taken).await;

    let small = commit.new_parts[0].1.len();
    let check = async |prefetch: usize, wanted: &[PartId]| {
        let mut request = session.request();
        request.prefetch = prefetch;
        let granted = granted(store.records.acquire(&session.name, &request).await.unwrap());
        let sent: Vec<_> = granted.parts.iter().map(|(part, _)| *part).collect();
        assert_eq!(sent, wanted, "prefetch {prefetch}");
        store.records.release(&session.name, request.owner, granted.fence).await.unwrap();
    };
    check(0, &[]).await;
    check(small - 1, &[]).await;
    check(2 * small, &[part_id(3), part_id(1)]).await;
    check(1 << 20, &commit.parts).await;
}

pub async fn a_checkpoint_survives_its_run_until_the_next_version(store: TestStore) {
    let session = Session::new("prod");
    let crashed = store.take(&session).await;
    store.save(&session, &crashed, 1).await;
    for text in ["early", "late"] {
        let state = session.checkpoint(crashed.fence, text);
        store.records.checkpoint(&session.name, crashed.owner, crashed.fence, Some(Version(1)), &state).await.unwrap();
    }
    store.clock.advance(LEASE);
    let seen = store.records.waiting(&session.name).await.unwrap().unwrap();
    let next = store.take(&session).await;
    let checkpoint = next.granted.checkpoint.as_ref().unwrap();
    assert_eq!((checkpoint.fence, checkpoint.base), (crashed.fence, Some(Version(1))));
    // Whoever only looked at it has seen the same and taken nothing.
    assert!(seen.fence == checkpoint.fence && seen.state == checkpoint.state && seen.saved_at == checkpoint.saved_at);
    assert_eq!(checkpoint.state.len(), session.checkpoint(crashed.fence, "late").len());
    store.save(&session, &next, 2).await;
    assert!(store.records.waiting(&session.name).await.unwrap().is_none());
    store.release(&session, &next).await;
    assert!(store.take(&session).await.granted.checkpoint.is_none());
    assert!(store.records.waiting(&Session::new("unknown").name).await.unwrap().is_none());
}

pub async fn a_release_takes_its_own_checkpoint_only(store: TestStore) {
    let session = Session::new("prod");
    let crashed = store.take(&session).await;
    let state = session.checkpoint(crashed.fence, "state");
    store.records.checkpoint(&session.name, crashed.owner, crashed.fence, None, &state).await.unwrap();
    store.clock.advance(LEASE);
    // The next one looks and leaves; what it found is still there.
    let looked = store.take(&session).await;
    store.release(&session, &looked).await;
    let third = store.take(&session).await;
    assert_eq!(third.granted.checkpoint.as_ref().unwrap().state, state);
    let own = session.checkpoint(third.fence, "own");
    store.records.checkpoint(&session.name, third.owner, third.fence, None, &own).await.unwrap();
    store.release(&session, &third).await;
    assert!(store.take(&session).await.granted.checkpoint.is_none());
}
