//! A process that dies at any of its named points loses nothing that was acknowledged, leaves no browser, and holds nobody up.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rhaven::base::{Tenant, Version};
use rhaven::page::Page;
use rhaven::session::{Session, SessionOptions, Sessions, Workspace};

use super::child::{ChildProcess, Task, room, tell, times};
use super::rig::{Rig, id, soon};
use super::tagged;

/// Bytes of a part that becomes a blob.
const LARGE: usize = 300_000;

/// What a process can be about, with the points that it comes to. A point that is missing here is found all the same; one
/// that vanishes from the product is noticed.
const TASKS: &[(&str, &[&str])] = &[
    (
        "change",
        &[
            "open.leased",
            "open.index_opened",
            "open.ready",
            "restore.part_opened",
            "restore.part_written",
            "restore.done",
            "save.captured",
            "save.begun",
            "blob.written",
            "save.blob_written",
            "save.sealed",
            "store.uncommitted",
            "save.committed",
            "save.tidied",
            "lease.released",
            "purge.keys_gone",
        ],
    ),
    ("look", &["open.leased", "restore.done", "save.captured", "save.touched", "lease.released"]),
    ("rollback", &["open.leased", "rollback.sealed", "rollback.committed", "lease.released"]),
    ("fork", &["open.leased", "fork.sealed", "fork.committed", "lease.released"]),
    ("delete", &["open.leased", "delete.key_gone", "delete.blobs_gone", "lease.released"]),
    (
        "rotate",
        &[
            "key_file.drafted",
            "key_file.replaced",
            "rotate.key_added",
            "rotate.document_resealed",
            "rotate.check_resealed",
            "rotate.record_resealed",
            "rotate.passed",
        ],
    ),
    ("retire", &["key_file.drafted", "key_file.replaced"]),
];

/// The state with a number.
fn tag(number: u64) -> String {
    format!("g{number}")
}

fn number(tag: &str) -> u64 {
    tag.trim_start_matches('g').parse().unwrap()
}

/// In the child: does what it is told, and tells what was acknowledged.
pub async fn child(task: &Task) {
    let (tenant, acme, copy) = (Tenant::default(), id("acme"), id("copy"));
    let config = Rig::config_at(&task.home);
    if matches!(task.what.as_str(), "change" | "look") {
        return run(task).await;
    }
    let sessions = Sessions::open(config.store, config.key).await.unwrap();
    match task.what.as_str() {
        "rollback" => {
            let kept = sessions.history(&tenant, &acme).await.unwrap().versions();
            sessions.rollback(&tenant, &acme, kept[1].version).await.unwrap();
        }
        "fork" => drop(sessions.fork(&tenant, &acme, &copy, None).await.unwrap()),
        "delete" => sessions.delete(&tenant, &copy).await.unwrap(),
        "rotate" => assert_eq!(sessions.rotate(&tenant).await.unwrap().left, Vec::<String>::new()),
        "retire" => {
            let uses = sessions.key_uses().await.unwrap();
            for old in uses.iter().filter(|key| !key.seals) {
                sessions.retire(&old.id).await.unwrap();
            }
        }
        other => panic!("no such task: {other}"),
    }
    tell("acknowledged");
}

/// One run with a browser: tells what it found; for "change" writes the two states after it, each with a save.
async fn run(task: &Task) {
    // As every command does: ends browsers, and removes their folders, whose process has died.
    rhaven::browser::reap();
    let workspace = Workspace::new(Rig::config_at(&task.home));
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    let tags = tagged::read(&page, &task.urls).await;
    for tag in &tags {
        tell(format_args!("found {}", number(tag)));
    }
    let found = tags.iter().map(|tag| number(tag)).max().unwrap_or(0);
    workspace.take_notices().iter().for_each(|notice| tell(format_args!("notice {notice}")));
    let changes = task.what == "change";
    if changes {
        tagged::write(&page, &task.urls, &tag(found + 1), LARGE).await;
        session.save(soon()).await.unwrap();
        tell(format_args!("acknowledged {}", found + 1));
        tagged::write(&page, &task.urls, &tag(found + 2), LARGE).await;
    }
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.updated), (None, changes), "{:?}", outcome.changes);
    if changes {
        tell(format_args!("acknowledged {}", found + 2));
    }
}

/// The numbers behind the lines that begin with `word`.
fn numbers(told: &[String], word: &str) -> Vec<u64> {
    told.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
}

/// A store whose next commits drop old versions, the only ones with certain blobs.
async fn filled(rig: &Rig) {
    let browsers = room();
    for _ in 0..2 {
        ChildProcess::start(&Task::of(rig, "change"), browsers.path()).done();
    }
    let sessions = rig.sessions().await.unwrap();
    for round in 0..16 {
        let to = Version(3 + round % 2);
        let rolled = sessions.rollback(&Tenant::default(), &id("acme"), to).await.unwrap();
        assert_eq!(rolled.version, Version(5 + round));
    }
}

/// What a first run comes to: each point with how often.
fn discover(rig: &Rig, what: &str) -> BTreeMap<String, usize> {
    let browsers = room();
    let told = ChildProcess::start(&Task { tell_points: true, ..Task::of(rig, what) }, browsers.path()).done();
    let mut points = BTreeMap::new();
    // Whether a run comes to those of checkpoints depends on how long it takes; they have tests of their own.
    let by_time = |point: &&str| point.starts_with("checkpoint.") || point.starts_with("recover.");
    for point in told.iter().filter_map(|line| line.strip_prefix("point ")).filter(|point| !by_time(point)) {
        *points.entry(point.to_owned()).or_default() += 1;
    }
    points
}

/// The store after a death: opened with the keys that are there, every kept version whole.
async fn check(rig: &Rig, about: &str) {
    let sessions = rig.sessions().await.unwrap_or_else(|error| panic!("{about}: {error}"));
    let listing = sessions.list(&Tenant::default()).await.unwrap();
    assert!(listing.damaged.is_empty(), "{about}: {:?}", listing.damaged);
    for session in &listing.sessions {
        let info = sessions.show(&Tenant::default(), &session.id).await.unwrap();
        tagged::shown(&info);
        // Opens every part of every version.
        let history = sessions.history(&Tenant::default(), &session.id).await.unwrap();
        let all = history.all().await.unwrap_or_else(|error| panic!("{about}: {error}"));
        assert!(all.len() <= 20, "{about}: {} versions", all.len());
    }
}

/// Dies at each point of a task in turn, and lets the next process find what is left.
async fn die_everywhere(
    rig: &Rig,
    what: &str,
    wanted: &[&str],
    seen: &mut BTreeSet<String>,
    every_time: bool,
) -> usize {
    prepare(rig, what).await;
    let points = discover(rig, what);
    let missing: BTreeSet<_> = wanted.iter().filter(|point| !points.contains_key(**point)).collect();
    assert!(missing.is_empty(), "{what} does not come to {missing:?} any more, only to {points:?}");
    let is_run = what == "change" || what == "look";
    let look = |browsers: &Path| {
        let told = ChildProcess::start(&Task::of(rig, "look"), browsers).done();
        (numbers(&told, "found"), told)
    };
    // A change of keys goes on beside a run, which saves all the time and keeps the key that it began under from going.
    let runs = rig.workspace();
    let beside = if what == "rotate" {
        let session = runs.session(&id("beside"), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        tagged::write(&page, &[rig.url("/"), rig.other_url("/")], "r0", 0).await;
        session.save(soon()).await.unwrap();
        Some((session, page))
    } else {
        None
    };
    let mut known = if is_run { look(room().path()).0 } else { Vec::new() };
    let mut deaths = 0;
    // A look comes to nothing but one point that a change does not come to as well.
    let points: Vec<_> =
        points.iter().filter(|(point, _)| seen.insert((*point).clone()) || every_time || !is_run).collect();
    for (point, reached) in points {
        for time in 1..=if every_time { *reached } else { 1 } {
            let about = format!("{what}, {point}, time {time}");
            prepare(rig, what).await;
            let browsers = room();
            let child = ChildProcess::start(&Task::of(rig, what).dying_at(point, time), browsers.path());
            let (status, told) = child.wait();
            // How often a point is come to may differ with what was there before; that it is come to, may not.
            let died = status.signal() == Some(9);
            assert!(died || (time > 1 && status.success()), "{about}: it ended with {status}\n{told:#?}");
            deaths += usize::from(died);
            println!("{about}");
            check(rig, &about).await;
            if is_run {
                // The lease of the dead is replaced at once: the run takes no other answer than the session.
                let (found, look) = look(browsers.path());
                let acknowledged = numbers(&told, "acknowledged").last().map_or(known, |last| vec![*last]);
                let in_flight = acknowledged.iter().max().copied().unwrap_or(0) + u64::from(what == "change");
                let expected = |number: &u64| acknowledged.contains(number) || *number == in_flight;
                assert!(
                    !found.is_empty() && found.iter().all(expected),
                    "{about}: {acknowledged:?} was acknowledged, {found:?} is there"
                );
                // Half of what was being written is there only where it was taken from a checkpoint, and said.
                let said = look.iter().any(|line| line.starts_with("notice"));
                assert!(found.len() == 1 || found == acknowledged || said, "{about}: {found:?} and no word\n{look:#?}");
                known = found;
                // A folder whose owner died before it put its name there is left alone for a minute.
                let folders = browsers.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
                let left: Vec<_> = folders.filter(|folder| folder.join("owner.json").exists()).collect();
                assert!(left.is_empty(), "{about}: nobody has cleared away {left:?}");
            } else {
                recover(rig, what, beside.as_ref(), &about).await;
            }
        }
    }
    for outcome in runs.finish(soon()).await {
        assert_eq!(outcome.save_error, None);
    }
    deaths
}

/// What a task needs to be there.
async fn prepare(rig: &Rig, what: &str) {
    let (sessions, tenant) = (rig.sessions().await.unwrap(), Tenant::default());
    match what {
        "fork" => drop(sessions.delete(&tenant, &id("copy")).await),
        "delete" => drop(sessions.fork(&tenant, &id("acme"), &id("copy"), None).await),
        "retire" if sessions.key_uses().await.unwrap().len() == 1 => drop(sessions.rotate(&tenant).await.unwrap()),
        _ => {}
    }
}

/// Does once more, untouched, what a process died of, and finds it done.
async fn recover(rig: &Rig, what: &str, beside: Option<&(Session, Page)>, about: &str) {
    let (sessions, tenant) = (rig.sessions().await.unwrap(), Tenant::default());
    let shown = async |name: &str| sessions.show(&tenant, &id(name)).await.map(|info| tagged::shown(&info));
    let code = |done: Result<_, rhaven::session::SessionError>| done.map_or_else(|error| error.code(), |()| "done");
    match what {
        "rollback" => {
            let kept = sessions.history(&tenant, &id("acme")).await.unwrap().versions();
            sessions.rollback(&tenant, &id("acme"), kept[1].version).await.unwrap_or_else(|e| panic!("{about}: {e}"));
        }
        "fork" => {
            let again = code(sessions.fork(&tenant, &id("acme"), &id("copy"), None).await.map(drop));
            assert!(matches!(again, "done" | "session_exists"), "{about}: {again}");
            assert_eq!(shown("copy").await.unwrap(), shown("acme").await.unwrap(), "{about}");
        }
        "delete" => {
            let again = code(sessions.delete(&tenant, &id("copy")).await);
            assert!(matches!(again, "done" | "session_not_found"), "{about}: {again}");
            assert_eq!(shown("copy").await.unwrap_err().code(), "session_not_found", "{about}");
            // The blobs that it shared are there.
            shown("acme").await.unwrap();
        }
        _ => {
            // As long as anything refers to an older key it cannot be taken away, and that a run began under it is enough.
            for key in sessions.key_uses().await.unwrap().iter().filter(|key| !key.seals && key.given) {
                let refers = key.sessions + key.documents + key.runs > 0;
                let retired = code(sessions.retire(&key.id).await.map(drop));
                assert_eq!(retired, if refers { "key_in_use" } else { "done" }, "{about}: {key:?}");
            }
            let rotated = sessions.rotate(&tenant).await.unwrap();
            assert_eq!(rotated.left, Vec::<String>::new(), "{about}");
            if let Some((session, page)) = beside {
                tagged::write(page, &[rig.url("/"), rig.other_url("/")], &format!("r{}", rotated.key), 0).await;
                let saved = session.save(soon()).await.unwrap_or_else(|error| panic!("{about}: {error}"));
                assert!(saved.unwrap().updated, "{about}");
            }
            let mut left = 0;
            for key in sessions.key_uses().await.unwrap().iter().filter(|key| !key.seals) {
                assert_eq!((key.sessions, key.documents), (0, 0), "{about}");
                let retired = code(sessions.retire(&key.id).await.map(drop));
                assert_eq!(retired, if key.runs > 0 { "key_in_use" } else { "done" }, "{about}: {key:?}");
                left += key.runs;
            }
            assert_eq!(left, usize::from(beside.is_some()), "{about}");
        }
    }
    check(rig, about).await;
}

/// Once per point; under `make soak` (`RHAVEN_SOAK_POINTS`) each time that a point is come to.
async fn die(tasks: &[&str]) {
    let every_time = times("RHAVEN_SOAK_POINTS", 0) > 0;
    let rig = Rig::start().await;
    filled(&rig).await;
    let (mut deaths, mut seen) = (0, BTreeSet::new());
    for (what, wanted) in TASKS.iter().filter(|(what, _)| tasks.contains(what)) {
        deaths += die_everywhere(&rig, what, wanted, &mut seen, every_time).await;
    }
    let browsers = room();
    let last = ChildProcess::start(&Task::of(&rig, "look"), browsers.path()).done();
    println!("{deaths} deaths; {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_at_any_point_loses_nothing() {
    die(&["change", "look"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chore_that_dies_at_any_point_is_done_by_the_next() {
    die(&["rollback", "fork", "delete", "rotate", "retire"]).await;
}
