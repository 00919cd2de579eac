//! A store whose records are lost: profiles are found again by what lies beside their blobs.

use std::path::Path;
use std::sync::Arc;

use super::rig::{Rig, id, restore, save, tree, write};
use crate::base::Version;
use crate::session::belonging;
use crate::session::profile::Progress;
use crate::session::refound::{put_back_all, put_papers};
use crate::session::{FoundIs, KeySource, LeaseTimes, Sessions};
use crate::store::{Backends, Copies, FileBlobs, SqliteStore};

/// Records in one folder, blobs in another, as in two stores far from each other.
fn backends(home: &Path, records: &str) -> Backends {
    let sqlite = Arc::new(SqliteStore::open(&home.join(records)).unwrap());
    let blobs = Arc::new(FileBlobs::open(&home.join("blobs")).unwrap());
    Backends { records: sqlite.clone(), documents: sqlite, blobs, copies: None }.mirrored()
}

async fn open(home: &Path, records: &str) -> Sessions {
    let key = KeySource::MadeOnFirstUse(home.join("key"));
    let place = (records.to_owned(), "blobs".to_owned());
    let sessions = Sessions::over(backends(home, records), key, place, false, LeaseTimes::default()).await.unwrap();
    belonging::adopt(&sessions, "blobs", true).await.unwrap();
    sessions
}

#[tokio::test]
async fn profiles_are_found_again_when_the_records_are_lost() {
    let rig = Rig::start().await;
    let (home, tenant) = (rig.home.path(), &rig.tenant);
    let dir = rig.folder("profile");
    let sessions = open(home, "first").await;
    for (version, text) in ["one", "two"].into_iter().enumerate() {
        write(&dir, "Default/Bookmarks", text);
        sessions.before_sealing(tenant).await.unwrap();
        save(&sessions, tenant, "acme", &dir, &Progress::default()).await.unwrap();
        let copies = Copies::new(sessions.backends().blobs.clone()).heads().await.unwrap();
        assert_eq!(copies.len(), 1, "after version {}", version + 1);
    }
    save(&sessions, tenant, "gone", &dir, &Progress::default()).await.unwrap();
    sessions.delete(tenant, &id("gone")).await.unwrap();
    drop(sessions);

    // Another records store, with nothing in it.
    let new = backends(home, "second");
    assert_eq!(put_papers(&new).await.unwrap(), (true, true));
    assert_eq!(put_papers(&new).await.unwrap(), (false, true), "its keys are there by now");
    let sessions = open(home, "second").await;
    let found = put_back_all(&sessions).await.unwrap();
    assert_eq!(found.damaged, [""; 0]);
    let back: Vec<_> = found.sessions.iter().map(|found| (found.id.as_str(), found.version.0, found.is)).collect();
    assert_eq!(back, [("acme", 2, FoundIs::Restored)]);
    let into = rig.folder("back");
    restore(&sessions, tenant, "acme", &into).await.unwrap();
    assert_eq!(tree(&into), tree(&dir));
    // A second time there is nothing to do, and the next version follows.
    assert_eq!(put_back_all(&sessions).await.unwrap().sessions[0].is, FoundIs::There);
    write(&dir, "Default/Bookmarks", "three");
    save(&sessions, tenant, "acme", &dir, &Progress::default()).await.unwrap();
    assert_eq!(sessions.show(tenant, &id("acme")).await.unwrap().version, Version(3));
}
