//! What a deletion destroys, and what it cannot.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaven::base::{Tenant, Version};
use rhaven::session::{KeySource, SessionOptions, Sessions, StoreConfig};

use super::rig::{Rig, evaluate, goto, id, soon};

fn tenant() -> Tenant {
    Tenant::default()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The sealed records, with the wrapped data keys in them, without the headers.
fn records(store: &Path) -> Vec<Vec<u8>> {
    let db = rusqlite::Connection::open(store.join("store.sqlite")).unwrap();
    let mut query = db.prepare("SELECT record FROM session WHERE record IS NOT NULL").unwrap();
    query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(|record| record.unwrap()[88..].to_vec()).collect()
}

/// Whether any file of the store has these bytes in it.
fn is_on_disk(store: &Path, wanted: &[u8]) -> bool {
    files(store).iter().any(|path| std::fs::read(path).unwrap().windows(wanted.len()).any(|window| window == wanted))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A session with a blob and a part beside its record, kept for as long as is said.
async fn saved(rig: &Rig, ttl: Option<Duration>) {
    let workspace = rig.workspace_kept_for(ttl);
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    for (url, length) in [(rig.url("/"), 10), (rig.other_url("/"), 400_000)] {
        goto(&page, &url).await;
        evaluate(&page, &format!("localStorage.setItem('token', 'x'.repeat({length}))")).await;
    }
    // Where it runs out at once, before the lease is given back.
    session.save(soon()).await.unwrap();
    assert_eq!(workspace.finish(soon()).await.remove(0).version, Some(Version(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deleted_session_nothing_is_left_that_opens() {
    let rig = Rig::start().await;
    saved(&rig, None).await;
    let (store, backup) = (rig.home.path().join("store"), rig.home.path().join("backup"));
    let [record] = &records(&store)[..] else { panic!("one record") };
    copy(&store, &backup);
    let blobs = files(&backup.join("blobs"));
    assert_eq!(blobs.len(), 1);
    {
        let sessions = rig.sessions().await.unwrap();
        sessions.delete(&tenant(), &id("acme")).await.unwrap();
        // At once, while the store is open, in the log as well as in the database.
        assert!(!is_on_disk(&store, record), "the wrapped data key is still there");
        assert_eq!(files(&store.join("blobs")), Vec::<PathBuf>::new());
        // Blobs that somebody has kept are of no use without the record.
        copy(&backup.join("blobs"), &store.join("blobs"));
        assert_eq!(sessions.show(&tenant(), &id("acme")).await.unwrap_err().code(), "session_not_found");
    }
    // A copy of the whole store opens with the root key, as backups do ..
    let of_copy = async || Sessions::open(StoreConfig::Embedded(backup.clone()), KeySource::File(rig.key_path())).await;
    of_copy().await.unwrap().show(&tenant(), &id("acme")).await.unwrap();
    // .. until that has been changed and its last copy is gone.
    let sessions = rig.sessions().await.unwrap();
    let old = sessions.key_uses().await.unwrap().remove(0).id;
    sessions.rotate(&tenant()).await.unwrap();
    of_copy().await.unwrap().show(&tenant(), &id("acme")).await.unwrap();
    sessions.retire(&old).await.unwrap();
    assert_eq!(of_copy().await.err().unwrap().code(), "wrong_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_session_that_ran_out_nothing_is_left_that_opens() {
    let rig = Rig::start().await;
    let store = rig.home.path().join("store");
    for purged in [true, false] {
        // Somebody has the store open all the time, so that nothing is tidied up by closing it.
        let open = rig.sessions().await.unwrap();
        let workspace = rig.workspace_kept_for(Some(Duration::from_millis(1)));
        let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.other_url("/")).await;
        evaluate(&page, "localStorage.setItem('token', 'x'.repeat(400000))").await;
        session.save(soon()).await.unwrap();
        let [record] = &records(&store)[..] else { panic!("one record") };
        assert!(is_on_disk(&store, record));
        if purged {
            // The end of any run removes what has run out.
            workspace.finish(soon()).await;
        } else {
            // So does whoever comes next: this one was not given back, as of a run that was killed.
            drop((workspace, session, page));
            let db = rusqlite::Connection::open(store.join("store.sqlite")).unwrap();
            db.execute("UPDATE session SET owner = NULL, lease_end = NULL", []).unwrap();
            let next = rig.workspace();
            next.session(&id("acme"), &SessionOptions::default()).await.unwrap();
            assert!(next.take_notices().iter().any(|notice| notice.contains("had run out")));
            assert!(!is_on_disk(&store, record), "the wrapped data key is still there");
            next.finish(soon()).await;
        }
        assert!(!is_on_disk(&store, record), "the wrapped data key is still there");
        assert_eq!(files(&store.join("blobs")), Vec::<PathBuf>::new());
        assert!(open.list(&tenant()).await.unwrap().sessions.is_empty());
    }
}
