//! Blobs: whole or not there.

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use rhaven::seal::{Context, seal_stream};
use rhaven::store::StoreId;

use super::fixture::{Session, TestStore, blob_id, code, noise};

pub async fn a_blob_comes_back(store: TestStore) {
    let session = Session::new("prod");
    for (number, len) in (1..).zip([0, 1, 65_536, 1_000_000]) {
        let plain = noise(len);
        store.put_blob(&session, blob_id(number), &plain).await;
        assert!(store.get_blob(&session, blob_id(number)).await.unwrap() == plain, "{len} bytes");
    }
    assert_eq!(code(store.get_blob(&session, blob_id(99)).await), "not_found");
}

pub async fn a_blob_is_written_once(store: TestStore) {
    let session = Session::new("prod");
    store.put_blob(&session, blob_id(1), b"first").await;
    store.put_blob(&session, blob_id(1), b"second").await;
    assert_eq!(store.get_blob(&session, blob_id(1)).await.unwrap(), b"first");
}

pub async fn a_blob_whose_body_fails_is_not_there(store: TestStore) {
    let session = Session::new("prod");
    let id = blob_id(1);
    // As often as it takes for the failure to reach the store itself.
    for _ in 0..3 {
        let pieces = [Ok(Bytes::from(noise(200_000))), Err(std::io::Error::other("the source is gone"))];
        let context = Context::Blob { tenant: &session.tenant, id: &id.0 };
        let body = seal_stream(&session.key, context, stream::iter(pieces)).unwrap();
        assert_eq!(code(store.blobs.put(&id, body).await), "store_unavailable");
    }
    assert_eq!(code(store.get_blob(&session, id).await), "not_found");
    assert_eq!(store.blobs.list(None, 10).await.unwrap(), []);
    store.put_blob(&session, id, b"whole").await;
    assert_eq!(store.get_blob(&session, id).await.unwrap(), b"whole");
}

pub async fn blobs_are_deleted_and_listed(store: TestStore) {
    let session = Session::new("prod");
    let numbers = [7, 1, 200, 33, 34];
    for number in numbers {
        store.put_blob(&session, blob_id(number), &[number]).await;
    }
    let list = async |after: Option<u8>, limit| {
        let ids = store.blobs.list(after.map(blob_id), limit).await.unwrap();
        ids.iter().map(|listed| listed.id.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, [1, 7, 33, 34, 200]);
    assert_eq!(list(None, 2).await, [1, 7]);
    assert_eq!(list(Some(7), 2).await, [33, 34]);
    assert_eq!(list(Some(34), 2).await, [200]);
    assert_eq!(list(Some(200), 2).await, [0_u8; 0]);
    assert_eq!(list(None, 0).await, [0_u8; 0]);

    store.blobs.delete(&[blob_id(33), blob_id(1), blob_id(99)]).await.unwrap();
    assert_eq!(list(None, 10).await, [7, 34, 200]);
    assert_eq!(code(store.get_blob(&session, blob_id(33)).await), "not_found");
}

pub async fn blobs_are_claimed_once(store: TestStore) {
    let [first, second] = [StoreId([1; 16]), StoreId([2; 16])];
    assert_eq!(store.blobs.claim(first).await.unwrap(), first);
    assert_eq!(store.blobs.claim(second).await.unwrap(), first);
    assert_eq!(store.blobs.claim(first).await.unwrap(), first);
    assert_eq!(store.blobs.list(None, 10).await.unwrap(), [], "what says so is no blob");
}

pub async fn of_many_claims_one_counts(store: TestStore) {
    let claims = (0..8).map(|number| store.blobs.claim(StoreId([number; 16])));
    let answers = futures_util::future::try_join_all(claims).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

pub async fn a_listing_says_how_large_and_how_old(store: TestStore) {
    let session = Session::new("prod");
    let plain = noise(100_000);
    store.put_blob(&session, blob_id(1), &plain).await;
    let [listed] = store.blobs.list(None, 10).await.unwrap()[..] else { panic!("one blob is listed") };
    let pieces: Vec<Bytes> = store.blobs.get(&blob_id(1)).await.unwrap().0.try_collect().await.unwrap();
    assert_eq!(listed.bytes, pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
    assert!(listed.bytes > 100_000, "it is that of what is stored");
    let age = store.blobs.now().await.unwrap().as_second() - listed.written_at.as_second();
    assert!((0..60).contains(&age), "{age} s old");
}
