//! Blobs that nothing refers to are removed once they are old, and no other ones, whatever goes on meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rhaven::base::{SessionId, Tenant};
use rhaven::session::{ImportOptions, SWEEP_GRACE, Sessions, Source, Swept};

use super::child::{ChildProcess, Task, room, tell};
use super::rig::{Rig, id};

const DAY: Duration = Duration::from_hours(24);
/// What the names of copies of records begin with.
const COPY: &str = "7268766e68656164";

async fn open(home: &Path) -> Sessions {
    let config = Rig::config_at(home);
    Sessions::open(config.store, config.key).await.unwrap()
}

/// Imports a session with a part that is a blob.
pub async fn import(sessions: &Sessions, to: &SessionId) {
    let large = "large".repeat(80_000);
    let state = serde_json::json!({"cookies": [], "origins": [
        {"origin": "https://a.example", "localStorage": [{"name": "large", "value": large}]}]});
    let source = Source::open(std::io::Cursor::new(state.to_string().into_bytes()), None).await.unwrap();
    let options = ImportOptions { replace: true, ..ImportOptions::default() };
    Box::pin(sessions.import(&Tenant::default(), to, source, &options)).await.unwrap();
}

/// In the child: imports a session and dies on its way.
pub async fn child(task: &Task) {
    import(&open(&task.home).await, &id("dying")).await;
    tell("acknowledged");
}

/// The files of the blobs, but for copies of what the records hold.
fn blobs(home: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(home.join("store/blobs")).unwrap().map(|entry| entry.unwrap().path());
    let of = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_copy = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(COPY);
    folders.filter(|path| path.is_dir()).flat_map(of).filter(|path| !is_copy(path)).collect()
}

fn age(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// A blob that nobody refers to, as old as that.
fn plant(home: &Path, number: u8, old: Duration) -> PathBuf {
    let name = format!("{number:02x}").repeat(32);
    let path = home.join("store/blobs").join(&name[..2]).join(&name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"litter").unwrap();
    age(&path, old);
    path
}

async fn is_whole(sessions: &Sessions, session: &SessionId) -> bool {
    sessions.audit(&Tenant::default(), session).await.unwrap().whole
}

#[tokio::test]
async fn what_is_old_and_referred_to_by_nothing_goes() {
    let home = tempfile::tempdir().unwrap();
    let sessions = open(home.path()).await;
    import(&sessions, &id("acme")).await;
    let [kept] = &blobs(home.path())[..] else { panic!("one blob is kept") };
    age(kept, 9 * DAY);
    let (old, young) = (plant(home.path(), 1, 2 * DAY), plant(home.path(), 2, DAY / 2));
    // A copy of a newest version has no reference and is none of the litter.
    let copy = home.path().join("store/blobs/72").join(format!("{COPY}{}", "00".repeat(24)));
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::write(&copy, b"copy").unwrap();
    age(&copy, 9 * DAY);
    let unfinished = home.path().join("store/blobs/unfinished-1");
    fs::write(&unfinished, b"..").unwrap();
    age(&unfinished, 2 * DAY);

    let swept = sessions.sweep(SWEEP_GRACE).await.unwrap();
    // Beside them lie copies of the store's own documents.
    assert_eq!(swept, Swept { removed: 1, bytes: 6, unfinished: 1, ..swept });
    assert!(!old.exists() && young.exists() && copy.exists() && kept.exists() && !unfinished.exists());
    assert!(is_whole(&sessions, &id("acme")).await);
    // Old versions refer to it until they go.
    import(&sessions, &id("acme")).await;
    assert_eq!(sessions.sweep(SWEEP_GRACE).await.unwrap().removed, 0);
    assert!(is_whole(&sessions, &id("acme")).await);
}

#[tokio::test]
async fn what_a_killed_process_left_goes_once_it_is_old() {
    let (rig, browsers) = (Rig::start().await, room());
    let task = Task::of(&rig, "sweep").dying_at("save.blob_written", 1);
    let (status, told) = ChildProcess::start(&task, browsers.path()).wait();
    assert!(!status.success() && told.is_empty(), "it died before it was done: {told:?}");
    let home = rig.home.path();
    let [orphan] = &blobs(home)[..] else { panic!("one blob is left: {:?}", blobs(home)) };
    let sessions = open(home).await;
    assert_eq!(sessions.list(&Tenant::default()).await.unwrap().sessions.len(), 0);
    assert_eq!(sessions.sweep(SWEEP_GRACE).await.unwrap().removed, 0, "it may be about to be referred to");
    age(orphan, 2 * DAY);
    assert_eq!(sessions.sweep(SWEEP_GRACE).await.unwrap().removed, 1);
    assert!(blobs(home).is_empty());
    import(&sessions, &id("dying")).await;
    assert!(is_whole(&sessions, &id("dying")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_referred_to_goes_whatever_goes_on_meanwhile() {
    const ROUNDS: usize = 25;
    let home = tempfile::tempdir().unwrap();
    let (sessions, tenant) = (open(home.path()).await, Tenant::default());
    // A blob that is as old as can be, in a session that is copied and removed again and again: names are in no order in the store.
    let name = |round: usize| id(&format!("copy-{round}"));
    import(&sessions, &name(0)).await;
    for blob in blobs(home.path()) {
        age(&blob, 9 * DAY);
    }
    let moving = async {
        for round in 0..ROUNDS {
            sessions.fork(&tenant, &name(round), &name(round + 1), None).await.unwrap();
            sessions.delete(&tenant, &name(round)).await.unwrap();
        }
    };
    // New ones, whose blobs nobody refers to for a moment.
    let other = open(home.path()).await;
    let writing = async {
        for round in 0..ROUNDS {
            import(&other, &id(&format!("new-{round}"))).await;
        }
    };
    let third = open(home.path()).await;
    let (busy, done) = tokio::sync::watch::channel(());
    let sweeping = async {
        let (mut sweeps, mut removed) = (0, 0);
        while done.has_changed().is_ok() {
            plant(home.path(), u8::try_from(sweeps % 200).unwrap(), 2 * DAY);
            removed += third.sweep(SWEEP_GRACE).await.unwrap().removed;
            sweeps += 1;
            tokio::task::yield_now().await;
        }
        (sweeps, removed)
    };
    let work = async {
        tokio::join!(moving, writing);
        drop(busy);
    };
    let ((), (sweeps, removed)) = tokio::join!(work, sweeping);
    println!("{sweeps} sweeps, {removed} blobs removed");
    assert_eq!(removed, sweeps, "what was planted went, and nothing else");
    let listed = third.list(&tenant).await.unwrap().sessions;
    assert_eq!(listed.len(), ROUNDS + 1);
    for session in listed {
        assert!(is_whole(&third, &session.id).await, "{:?}", session.id);
    }
}

#[tokio::test]
async fn blobs_of_another_store_are_never_swept() {
    let home = tempfile::tempdir().unwrap();
    let sessions = open(home.path()).await;
    import(&sessions, &id("acme")).await;
    fs::write(home.path().join("store/blobs/rhaven-store"), format!("{}\n", "ab".repeat(16))).unwrap();
    let litter = plant(home.path(), 1, 9 * DAY);
    let error = sessions.sweep(SWEEP_GRACE).await.unwrap_err();
    assert_eq!(error.code(), "store_unfit");
    assert!(error.to_string().contains("another store (abab"), "{error}");
    assert!(litter.exists());
}

#[tokio::test]
async fn a_store_is_swept_after_its_keys_were_changed() {
    let home = tempfile::tempdir().unwrap();
    let sessions = open(home.path()).await;
    import(&sessions, &id("acme")).await;
    plant(home.path(), 1, 2 * DAY);
    assert_eq!(sessions.sweep(SWEEP_GRACE).await.unwrap().removed, 1);
    let rotated = sessions.rotate(&Tenant::default()).await.unwrap();
    assert_eq!(rotated.left, Vec::<String>::new());
    let old = sessions.key_uses().await.unwrap().into_iter().find(|key| !key.seals).unwrap();
    sessions.retire(&old.id).await.unwrap();
    plant(home.path(), 1, 2 * DAY);
    assert_eq!(open(home.path()).await.sweep(SWEEP_GRACE).await.unwrap().removed, 1);
}
