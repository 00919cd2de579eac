//! What the embedded store leaves in its folder: nothing in clear, nothing that others may read; and what it says when
//! the folder or the database is not as it should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rhaven::seal::{Context, seal};
use rhaven::store::{Blobs, DocumentName, Documents, Expected, FileBlobs, Records, SqliteStore, StoreError};

use super::fixture::{LEASE, Session, Taken, blob_id, granted, held, open_embedded, part_id, random};

const ID: &str = "acme-production-session";
const VALUE: &str = "cookie-value-swordfish";

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

/// Everything that a store can be given, with ids and values that are easily found.
pub async fn fill(records: &(impl Records + Documents), blobs: &impl Blobs) -> Session {
    let session = Session::of("tenant-initech", ID);
    let mut request = session.request();
    request.holder = session.holder(VALUE);
    let fence = granted(records.acquire(&session.name, &request).await.unwrap()).fence;
    let context = Context::Part {
        tenant: &session.tenant,
        session: &session.id,
        version: rhaven::base::Version(1),
        fence,
        part: &part_id(1).0,
    };
    let sealed = seal(&session.key, context, VALUE.as_bytes()).unwrap();
    let body = session.seal_blob(blob_id(1), VALUE.repeat(1_000).as_bytes());
    blobs.put(&blob_id(1), body).await.unwrap();
    let commit = rhaven::store::Commit {
        owner: request.owner,
        fence,
        expected: None,
        version: rhaven::base::Version(1),
        record: session.record(&format!("{ID} {VALUE}")),
        index: session.record(VALUE),
        new_parts: vec![(part_id(1), sealed)],
        parts: vec![part_id(1)],
        blobs: vec![blob_id(1)],
        keep: 20,
        saved_at: None,
        first: Vec::new(),
        ttl: None,
    };
    records.commit(&session.name, &commit).await.unwrap();
    let state = session.checkpoint(fence, VALUE);
    records.checkpoint(&session.name, request.owner, fence, None, &state).await.unwrap();
    let name = DocumentName {
        tenant: session.name.tenant,
        kind: "secret",
        name: session.names.name(&session.tenant, "secret", "PASSWORD-OF-INITECH"),
    };
    records.put(&name, &Expected::Absent, &session.document(VALUE), None).await.unwrap();
    session
}

#[tokio::test]
async fn nothing_is_in_clear_and_nobody_else_may_read() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("home/store");
    let (records, blobs) = open_embedded(&folder);
    let session = fill(&records, &blobs).await;
    // The log is there while the store is open; once it is closed everything is in the database.
    assert!(folder.join("store.sqlite-wal").exists());
    assert_private(&folder, &session);
    drop(records);
    assert!(!folder.join("store.sqlite-wal").exists());
    assert_private(&folder, &session);
}

fn assert_private(folder: &Path, session: &Session) {
    for path in files(folder).iter().map(PathBuf::as_path).chain([folder]) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        let bytes = if path.is_file() { fs::read(path).unwrap() } else { Vec::new() };
        assert_sealed(&bytes, session, &path.display().to_string());
    }
}

/// Where nothing of what [`fill`] has stored is in clear in `bytes`, nor a key.
pub fn assert_sealed(bytes: &[u8], session: &Session, place: &str) {
    let key = session.key.to_bytes();
    for marker in [ID.as_bytes(), VALUE.as_bytes(), b"swordfish", b"initech", &key[..], &key[16..]] {
        let clear = bytes.windows(marker.len()).any(|window| window.eq_ignore_ascii_case(marker));
        assert!(!clear, "{place} holds {:?}", String::from_utf8_lossy(marker));
    }
}

#[tokio::test]
async fn what_is_deleted_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (records, _) = open_embedded(folder.path());
    let session = Session::new("prod");
    let request = session.request();
    let grant = granted(records.acquire(&session.name, &request).await.unwrap());
    let taken = Taken { owner: request.owner, fence: grant.fence, granted: grant };
    let commit = session.commit(&taken, 1);
    records.commit(&session.name, &commit).await.unwrap();
    let on_disk = || {
        let wanted = &commit.record.as_bytes()[24..];
        files(folder.path()).iter().filter(|path| path.is_file()).any(|path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        })
    };
    assert!(on_disk());
    records.delete(&session.name, taken.owner, taken.fence).await.unwrap();
    assert!(!on_disk(), "the record, and in it the wrapped key, is still in a file");
}

#[test]
fn a_database_that_is_none_is_named_with_the_reason() {
    let check = |content: &[u8], wanted: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("store.sqlite"), content).unwrap();
        match SqliteStore::open(folder.path()).unwrap_err() {
            StoreError::Corrupt { what, reason } => {
                assert!(what.ends_with("store.sqlite"), "{what}");
                assert!(reason.contains(wanted), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(folder.path().join("store.sqlite")).unwrap(), content, "nothing was written over it");
    };
    check(&b"this is a text file and no database at all. ".repeat(100), "file is not a database");
    check(b"short", "file is not a database");
}

#[tokio::test]
async fn a_damaged_database_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (records, blobs) = open_embedded(folder.path());
    let session = fill(&records, &blobs).await;
    drop(records);
    let path = folder.path().join("store.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    // Everything behind the first page, which tells that it is a database.
    for byte in &mut bytes[4_096..] {
        *byte = !*byte;
    }
    fs::write(&path, bytes).unwrap();
    let records = SqliteStore::open(folder.path()).unwrap();
    match records.read(&session.name, None).await.unwrap_err() {
        StoreError::Corrupt { what, reason } => {
            assert!(what.ends_with("store.sqlite"), "{what}");
            assert!(reason.contains("malformed"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_truncated_database_is_an_error_and_no_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let (records, blobs) = open_embedded(folder.path());
    let session = fill(&records, &blobs).await;
    drop(records);
    let path = folder.path().join("store.sqlite");
    let whole = fs::read(&path).unwrap();
    for kept in [100, 5_000, whole.len() / 2, whole.len() - 4_096] {
        fs::write(&path, &whole[..kept]).unwrap();
        let answer = match SqliteStore::open(folder.path()) {
            Ok(records) => records.read(&session.name, None).await.map(|head| head.is_some()),
            Err(error) => Err(error),
        };
        let code = answer.map_err(|error| error.code());
        assert_eq!(code, Err("store_corrupt"), "{kept} of {} bytes", whole.len());
    }
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE places (url TEXT)").unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert_eq!(error.code(), "store_corrupt");
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn a_later_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let path = folder.path().join("store.sqlite");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    match SqliteStore::open(folder.path()).unwrap_err() {
        StoreError::Layout { found: 9, known: 2, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_brought_up_with_all_that_it_holds() {
    let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (records, blobs) = open_embedded(new.path());
    let session = fill(&records, &blobs).await;
    drop(records);
    // The tables as the first layout had them, with the rows of a store that was just filled.
    let db = rusqlite::Connection::open(old.path().join("store.sqlite")).unwrap();
    // Rows come table by table.
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF").unwrap();
    db.execute_batch(include_str!("layout_1.sql")).unwrap();
    db.execute("ATTACH ?1 AS new", [new.path().join("store.sqlite").to_str().unwrap()]).unwrap();
    for table in ["session", "part", "version_part", "version_blob", "checkpoint", "document"] {
        db.execute(&format!("INSERT INTO main.{table} SELECT * FROM new.{table}"), []).unwrap();
    }
    let columns = "session, number, fence, saved_at, body";
    db.execute(&format!("INSERT INTO main.version ({columns}) SELECT {columns} FROM new.version"), []).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);

    // Two at once, as two commands may be the first ones after an update.
    let (one, two) = std::thread::scope(|scope| {
        let open = || SqliteStore::open(old.path());
        let (one, two) = (scope.spawn(open), scope.spawn(open));
        (one.join().unwrap().unwrap(), two.join().unwrap().unwrap())
    });
    let head = one.read(&session.name, None).await.unwrap().unwrap();
    assert_eq!(head.version.0, 1);
    assert_eq!(two.parts(&session.name, &[part_id(1)]).await.unwrap().len(), 1);
    assert!(!one.history(&session.name).await.unwrap()[0].pinned);
    one.pin(&session.name, head.version, true).await.unwrap();
    assert!(two.history(&session.name).await.unwrap()[0].pinned);
}

#[test]
fn a_folder_that_cannot_be_made_is_unavailable() {
    // A file in the way of a folder stops root as well.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let inside = folder.path().join("file/store");
    assert_eq!(SqliteStore::open(&inside).unwrap_err().code(), "store_unavailable");
    assert_eq!(FileBlobs::open(&inside).unwrap_err().code(), "store_unavailable");
}

#[tokio::test]
async fn a_store_opens_again_with_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let (records, blobs) = open_embedded(folder.path());
    let session = fill(&records, &blobs).await;
    drop(records);
    let (records, _) = open_embedded(folder.path());
    assert_eq!(records.read(&session.name, None).await.unwrap().unwrap().version.0, 1);
    // The holder died with its store; its lease runs out by itself.
    let by = held(records.acquire(&session.name, &session.request()).await.unwrap());
    assert!(by.expires_in <= LEASE);
}

#[test]
fn unfinished_blobs_of_a_crash_are_removed_once_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    FileBlobs::open(folder.path()).unwrap();
    let (old, fresh) = (folder.path().join("blobs/unfinished-old"), folder.path().join("blobs/unfinished-fresh"));
    for path in [&old, &fresh] {
        fs::write(path, random::<16>()).unwrap();
    }
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_hours(48);
    fs::File::options().write(true).open(&old).unwrap().set_modified(yesterday).unwrap();
    FileBlobs::open(folder.path()).unwrap();
    assert!(!old.exists() && fresh.exists());
}

#[tokio::test]
async fn a_blob_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(folder.path()).unwrap();
    let (session, id) = (Session::new("prod"), blob_id(1));
    // At a hundred moments of the way, the last steps of which are taken on another thread.
    for number in 0..100_u32 {
        let patience = std::time::Duration::from_micros(20) * number;
        match tokio::time::timeout(patience, blobs.put(&id, session.seal_blob(id, b"short"))).await {
            Ok(put) => {
                put.unwrap();
                blobs.delete(&[id]).await.unwrap();
            }
            Err(_) => assert_eq!(blobs.list(None, 10).await.unwrap(), [], "{number}"),
        }
    }
}
