//! What was altered in the store is `decrypt_failed`, whichever byte it is: never a panic, never part of what was in it, and
//! nothing is overwritten because of it. A session that is damaged can be deleted, and does not hide others.

use std::path::{Path, PathBuf};

use rhaven::base::{Secret, Tenant, Version};
use rhaven::session::{SessionError, SessionOptions, Sessions};
use serde_json::json;

use super::child::times;
use super::rig::{Rig, evaluate, goto, id, soon};

/// In every plaintext, and in no error.
const VALUE: &str = "swordfish";

fn tenant() -> Tenant {
    Tenant::default()
}

/// The stored bytes of a store, beside the program that has it open.
struct Bytes {
    db: rusqlite::Connection,
    folder: PathBuf,
}

/// One sealed value: a column of the row that a condition picks.
#[derive(Debug, Clone, Copy)]
struct Place {
    table: &'static str,
    column: &'static str,
    row: &'static str,
}

/// The session that has one part with its record.
const ACME: &str = "rowid = 1";

const RECORD: Place = Place { table: "session", column: "record", row: ACME };
const INDEX: Place = Place { table: "version", column: "body", row: "session = 1 AND number = 1" };
const PART: Place = Place { table: "part", column: "body", row: "session = 1" };
const SECRET: Place = Place { table: "document", column: "body", row: "kind = 'secret'" };
const CHECK: Place = Place { table: "document", column: "body", row: "kind = 'check'" };
const HOLDER: Place = Place { table: "session", column: "holder", row: ACME };

impl Bytes {
    fn open(folder: &Path) -> Self {
        let db = rusqlite::Connection::open(folder.join("store.sqlite")).unwrap();
        // The test does not ask for durability.
        db.execute_batch("PRAGMA synchronous = OFF").unwrap();
        Self { db, folder: folder.to_owned() }
    }

    fn get(&self, Place { table, column, row }: Place) -> Vec<u8> {
        let query = format!("SELECT {column} FROM {table} WHERE {row}");
        self.db.query_row(&query, [], |row| row.get(0)).unwrap()
    }

    fn set(&self, Place { table, column, row }: Place, bytes: &[u8]) {
        let done = self.db.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {row}"), [bytes]).unwrap();
        assert_eq!(done, 1);
    }

    /// All that is sealed in the database.
    fn all(&self) -> Vec<Vec<u8>> {
        let mut query = self
            .db
            .prepare(
                "SELECT record FROM session WHERE record IS NOT NULL UNION ALL SELECT body FROM version
                 UNION ALL SELECT body FROM part UNION ALL SELECT body FROM document",
            )
            .unwrap();
        let mut all: Vec<Vec<u8>> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        all.sort();
        all
    }

    /// The files of blobs, with what is in them.
    fn blobs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folders = self.folder.join("blobs").read_dir().unwrap().map(|entry| entry.unwrap().path());
        let files = folders.filter(|path| path.is_dir()).flat_map(|folder| folder.read_dir().unwrap());
        let mut blobs: Vec<_> =
            files.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        blobs.sort_by_key(|(_, bytes)| bytes.len());
        blobs
    }
}

/// Each byte in turn with one of its bits turned over; then cut and lengthened.
fn altered(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..bytes.len()).map(|at| flip(bytes, at));
    let cut = (0..bytes.len()).step_by(7).chain([bytes.len() - 1]).map(|length| bytes[..length].to_vec());
    flipped.chain(cut).chain([[bytes, &[0]].concat(), [bytes, bytes].concat()])
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << (at % 8);
    bytes
}

#[track_caller]
fn assert_failed<T>(answer: Result<T, SessionError>, about: &str) {
    let Err(error) = answer else { panic!("{about}: it was opened") };
    assert_eq!(error.code(), "decrypt_failed", "{about}: {error}");
    let told = format!("{error} {error:?} {}", rhaven::base::with_causes(&error));
    assert!(!told.contains(VALUE), "{about}: {told}");
}

/// Two sessions, one with a part beside its record, one with blobs, a small one and one of several segments; two secrets.
async fn filled() -> (Rig, Sessions, Bytes) {
    let rig = Rig::start().await;
    rig.visit(&format!("document.cookie = 'c={VALUE}; max-age=9999'; localStorage.setItem('token', '{VALUE}')")).await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("large"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, &format!("localStorage.setItem('token', '{VALUE}' + ' '.repeat(400000))")).await;
    goto(&page, &rig.other_url("/")).await;
    let random = format!(
        "(() => {{ let text = '{VALUE}'; while (text.length < 700000) text += Math.random().toString(36); localStorage.setItem('token', text); }})()"
    );
    evaluate(&page, &random).await;
    assert_eq!(workspace.finish(soon()).await.remove(0).save_error, None);
    let sessions = rig.sessions().await.unwrap();
    for name in ["ONE", "TWO"] {
        sessions.set_secret(&tenant(), name, &Secret::new(name, VALUE.into())).await.unwrap();
    }
    sessions.delete_secret(&tenant(), "TWO").await.unwrap();
    let bytes = Bytes::open(&rig.home.path().join("store"));
    (rig, sessions, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_byte_of_what_is_sealed_counts() {
    let (rig, sessions, bytes) = filled().await;
    let (acme, before) = (id("acme"), bytes.all());
    for place in [RECORD, INDEX, PART] {
        let whole = bytes.get(place);
        for (number, other) in altered(&whole).enumerate() {
            bytes.set(place, &other);
            assert_failed(sessions.show(&tenant(), &acme).await, &format!("{place:?} {number}"));
        }
        // What is damaged does not hide the others, and neither does it keep from opening them.
        if place.table != "part" {
            let listing = sessions.list(&tenant()).await.unwrap();
            assert_eq!((listing.sessions.len(), listing.damaged.len()), (1, 1));
            assert_eq!(listing.damaged[0].code(), "decrypt_failed");
        }
        bytes.set(place, &whole);
    }
    let whole = bytes.get(SECRET);
    for (number, other) in altered(&whole).enumerate() {
        bytes.set(SECRET, &other);
        assert_failed(sessions.secret(&tenant(), "ONE").await, &format!("the secret {number}"));
    }
    bytes.set(SECRET, &whole);
    let whole = bytes.get(CHECK);
    for (number, other) in altered(&whole).enumerate() {
        bytes.set(CHECK, &other);
        let opened = rig.sessions().await;
        // The key's id: this may as well be the store of another key.
        if (8..24).contains(&number) {
            assert_eq!(opened.err().unwrap().code(), "wrong_key");
        } else {
            assert_failed(opened, &format!("the key check {number}"));
        }
    }
    bytes.set(CHECK, &whole);
    assert_eq!(bytes.all(), before, "something was written over");
    let info = sessions.show(&tenant(), &acme).await.unwrap();
    assert_eq!((info.version, info.cookies.len(), info.origins.len()), (Version(1), 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_byte_of_a_blob_counts() {
    let (_rig, sessions, bytes) = filled().await;
    let large = id("large");
    let blobs = bytes.blobs();
    assert_eq!(blobs.len(), 2);
    let (path, whole) = &blobs[0];
    assert!(whole.len() < 2_000, "the small one has {} bytes", whole.len());
    for (number, other) in altered(whole).enumerate() {
        std::fs::write(path, other).unwrap();
        assert_failed(sessions.show(&tenant(), &large).await, &format!("the small blob {number}"));
    }
    std::fs::write(path, whole).unwrap();
    let (path, whole) = &blobs[1];
    assert!(whole.len() > 300_000, "the large one has {} bytes", whole.len());
    // The whole header, both sides of where segments could meet, the end; and here and there.
    let step = if times("RHAVEN_SOAK_KILLS", 0) > 0 { 997 } else { 99_991 };
    let edges = (1..whole.len() / 65_536).flat_map(|segment| [segment * 65_536 - 1, segment * 65_536]);
    let places = (0..104).chain(edges).chain((0..whole.len()).step_by(step)).chain(whole.len() - 20..whole.len());
    for at in places {
        std::fs::write(path, flip(whole, at)).unwrap();
        assert_failed(sessions.show(&tenant(), &large).await, &format!("the large blob {at}"));
    }
    for length in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        std::fs::write(path, &whole[..length]).unwrap();
        assert_failed(sessions.show(&tenant(), &large).await, &format!("the large blob cut at {length}"));
    }
    std::fs::write(path, [&whole[..], b"0"].concat()).unwrap();
    assert_failed(sessions.show(&tenant(), &large).await, "the large blob and a byte");
    // One in the other's place.
    std::fs::write(path, &blobs[0].1).unwrap();
    assert_failed(sessions.show(&tenant(), &large).await, "swapped blobs");
    std::fs::write(path, whole).unwrap();
    sessions.show(&tenant(), &large).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_and_in_another_place_is_refused() {
    let (rig, sessions, bytes) = filled().await;
    rig.visit("localStorage.setItem('token', 'newer')").await;
    let (acme, before) = (id("acme"), bytes.all());
    let of = |place: Place, row: &'static str| Place { row, ..place };
    let swaps = [
        ("another session's record", RECORD, of(RECORD, "rowid = 2")),
        ("an older index", of(INDEX, "session = 1 AND number = 2"), INDEX),
        ("another session's index", of(INDEX, "session = 1 AND number = 2"), of(INDEX, "session = 2")),
        ("an older part", of(PART, "session = 1 AND rowid = (SELECT max(rowid) FROM part)"), of(PART, "rowid = 1")),
        ("an index for a part", of(PART, "session = 1 AND rowid = (SELECT max(rowid) FROM part)"), INDEX),
        ("a secret for a record", RECORD, SECRET),
    ];
    for (about, place, other) in swaps {
        let whole = bytes.get(place);
        bytes.set(place, &bytes.get(other));
        assert_failed(sessions.show(&tenant(), &acme).await, about);
        bytes.set(place, &whole);
    }
    // As a whole the rows of a version are bound to its number and fence.
    bytes.db.execute("UPDATE version SET fence = fence - 1 WHERE session = 1 AND number = 2", []).unwrap();
    assert_failed(sessions.show(&tenant(), &acme).await, "another fence");
    bytes.db.execute("UPDATE version SET fence = fence + 1 WHERE session = 1 AND number = 2", []).unwrap();
    assert_eq!(bytes.all(), before, "something was written over");
    sessions.show(&tenant(), &acme).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_what_is_damaged_and_overwrites_nothing() {
    let (rig, sessions, bytes) = filled().await;
    let before = bytes.all();
    // The magic, the key's id, the commitment, the body.
    for place in [RECORD, INDEX] {
        let whole = bytes.get(place);
        for at in [0, 10, 60, whole.len() - 1] {
            let damaged = flip(&whole, at);
            bytes.set(place, &damaged);
            let workspace = rig.workspace();
            assert_failed(
                workspace.session(&id("acme"), &SessionOptions::default()).await.map(drop),
                &format!("{place:?} {at}"),
            );
            assert!(workspace.finish(soon()).await.is_empty());
            assert_eq!(bytes.get(place), damaged);
            // Nobody holds it: the error is the same again, and not that the session is busy.
            let fork = sessions.fork(&tenant(), &id("acme"), &id("copy"), None).await;
            assert_failed(fork, "a fork");
        }
        bytes.set(place, &whole);
    }
    let whole = bytes.get(PART);
    for at in [0, 10, 60, whole.len() - 1] {
        let damaged = flip(&whole, at);
        bytes.set(PART, &damaged);
        let outcome = rig
            .run(|_, page| {
                let url = rig.url("/");
                async move {
                    goto(&page, &url).await;
                    assert_eq!(evaluate(&page, "window.seen.token").await, json!(null));
                }
            })
            .await;
        let (code, message) = outcome.save_error.expect("a damaged session was saved over");
        assert_eq!(code, "restore_incomplete", "{message}");
        assert!(!message.contains(VALUE), "{message}");
        assert_eq!((outcome.version, outcome.updated), (Some(Version(1)), false));
        assert_eq!(bytes.get(PART), damaged);
    }
    bytes.set(PART, &whole);
    assert_eq!(bytes.all(), before, "something was written over");
    let (_, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!(VALUE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_session_can_be_deleted_and_a_damaged_holder_replaced() {
    let (rig, sessions, bytes) = filled().await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let whole = bytes.get(HOLDER);
    for at in [0, 10, 60, whole.len() - 1] {
        bytes.set(HOLDER, &flip(&whole, at));
        let busy = sessions.delete(&tenant(), &id("acme")).await.unwrap_err();
        assert_eq!(busy.code(), "session_busy", "whoever it is: {busy}");
    }
    // It goes on to hold its lease, and gives it back.
    evaluate(&session.page().await.unwrap(), "1").await;
    assert_eq!(workspace.finish(soon()).await.remove(0).save_error, None);

    let parts = Place { row: "session = 1", ..PART };
    for place in [RECORD, INDEX, parts] {
        bytes.set(place, &flip(&bytes.get(place), 0));
    }
    sessions.delete(&tenant(), &id("acme")).await.unwrap();
    let left = sessions.list(&tenant()).await.unwrap();
    assert_eq!((left.sessions.len(), left.damaged.len()), (1, 0));
}
