//! Blobs belong to one store of records, and are never taken for another's litter.

use std::path::Path;

use rhaven::base::Tenant;
use rhaven::session::{SWEEP_GRACE, SessionError, Sessions, StoreConfig, refound};
use rhaven::store::{BlobsAt, RecordsAt};

use super::rig::{Rig, id};
use super::sweep::import;

fn config(home: &Path, records: &str, blobs: &str) -> StoreConfig {
    StoreConfig::Placed { records: RecordsAt::Sqlite(home.join(records)), blobs: BlobsAt::File(home.join(blobs)) }
}

async fn open(home: &Path, records: &str, blobs: &str) -> Result<Sessions, SessionError> {
    Sessions::open(config(home, records, blobs), Rig::config_at(home).key).await
}

fn refused(opened: Result<Sessions, SessionError>) {
    let error = opened.err().expect("the blobs are another store's");
    assert_eq!(error.code(), "store_unfit");
    let text = error.to_string();
    assert!(text.contains("--blobs") && text.contains("rhaven session recover"), "{text}");
}

#[tokio::test]
async fn two_stores_do_not_share_a_place_of_blobs() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path(), "first", "blobs").await.unwrap();
    import(&first, &id("acme")).await;
    for _ in 0..2 {
        refused(open(home.path(), "second", "blobs").await);
    }
    // It is not spoiled by that.
    let second = open(home.path(), "second", "others").await.unwrap();
    import(&second, &id("acme")).await;
    assert_eq!(open(home.path(), "second", "others").await.unwrap().sweep(SWEEP_GRACE).await.unwrap().removed, 0);
    // Not even where both have been proven before.
    std::fs::copy(home.path().join("blobs/blobs/rhaven-store"), home.path().join("mark")).unwrap();
    std::fs::copy(home.path().join("mark"), home.path().join("others/blobs/rhaven-store")).unwrap();
    assert_eq!(second.sweep(SWEEP_GRACE).await.unwrap_err().code(), "store_unfit");
    assert_eq!(first.sweep(SWEEP_GRACE).await.unwrap().removed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_first_starts_at_once_are_of_one_store() {
    let home = tempfile::tempdir().unwrap();
    let starts = (0..8).map(|_| open(home.path(), "store", "blobs"));
    let opened = futures_util::future::join_all(starts).await;
    for sessions in opened {
        sessions.unwrap().sweep(SWEEP_GRACE).await.unwrap();
    }
}

#[tokio::test]
async fn lost_records_are_not_begun_anew_beside_blobs_that_are_there() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path(), "store", "blobs").await.unwrap();
    import(&first, &id("acme")).await;
    drop(first);
    std::fs::remove_dir_all(home.path().join("store")).unwrap();
    refused(open(home.path(), "store", "blobs").await);
    let (store, key) = (config(home.path(), "store", "blobs"), Rig::config_at(home.path()).key);
    let (again, _) = refound(store, key).await.unwrap();
    assert!(again.audit(&Tenant::default(), &id("acme")).await.unwrap().whole, "its copy was beside the blobs");
    let again = open(home.path(), "store", "blobs").await.unwrap();
    import(&again, &id("acme")).await;
    // Records that have blobs of their own never take others over.
    std::fs::write(home.path().join("blobs/blobs/rhaven-store"), format!("{}\n", "cd".repeat(16))).unwrap();
    let (store, key) = (config(home.path(), "store", "blobs"), Rig::config_at(home.path()).key);
    refused(refound(store, key).await.map(|(sessions, _)| sessions));
}
