//! A process that is killed at any named point of an archive leaves the last version that it acknowledged, or the one in
//! flight.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::base::{POINTS, Tenant};
use crate::session::profile::Progress;

use super::child::{run, tell};
use super::rig::{head, open, restore, save, tree, write};

/// Saves of one child.
const SAVES: u64 = 2;

/// What version `number` holds: some files that never change, and some that do.
fn fill(dir: &Path, number: u64) {
    for file in 0..10 {
        write(dir, &format!("Default/same {file}"), format!("same {file} ").repeat(2_000));
        write(dir, &format!("Default/new {file}"), format!("{number} {file} ").repeat(10_000));
    }
}

/// In the child: restores what there is, saves the next versions, and kills itself at the `at`-th point.
pub(super) async fn save_and_die(at: usize, home: &Path) {
    tracing::subscriber::set_global_default(Killer { at, seen: AtomicUsize::new(0) }).unwrap();
    let (sessions, tenant) = (open(home).await, Tenant::default());
    let folder = tempfile::tempdir_in(home).unwrap();
    let mut version = head(&sessions, &tenant, "acme").await.expect("there is a version").version.0;
    restore(&sessions, &tenant, "acme", &folder.path().join("restored")).await.unwrap();
    for _ in 0..SAVES {
        version += 1;
        let dir = folder.path().join(version.to_string());
        fill(&dir, version);
        save(&sessions, &tenant, "acme", &dir, &Progress::default()).await.unwrap();
        tell(&format!("saved {version}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_point_a_kill_loses_nothing_that_was_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let mut points = BTreeSet::new();
    let first = home.path().join("first");
    fill(&first, 1);
    save(&open(home.path()).await, &Tenant::default(), "acme", &first, &Progress::default()).await.unwrap();
    let mut acknowledged = 1;
    for at in 1.. {
        let (told, ended) = run("die", at, home.path());
        let saved = told.iter().filter_map(|line| line.strip_prefix("saved ")).map(|version| version.parse().unwrap());
        acknowledged = saved.max().unwrap_or(acknowledged);
        points.extend(told.iter().filter_map(|line| line.strip_prefix("at ").map(str::to_owned)));

        let (sessions, tenant) = (open(home.path()).await, Tenant::default());
        let found = head(&sessions, &tenant, "acme").await.expect("there was a version").version.0;
        assert!(found == acknowledged || found == acknowledged + 1, "killed at {at}: {found} after {acknowledged}");
        acknowledged = found;
        let folder = tempfile::tempdir().unwrap();
        let (wanted, into) = (folder.path().join("wanted"), folder.path().join("into"));
        fill(&wanted, found);
        restore(&sessions, &tenant, "acme", &into).await.unwrap();
        let contents = |path: &Path| tree(path).into_iter().map(|(path, file)| (path, file.content)).collect();
        let (wanted, found): (Vec<_>, Vec<_>) = (contents(&wanted), contents(&into));
        assert!(wanted == found, "killed at {at}: what is restored is not what was saved");
        if ended.success() {
            break;
        }
        assert_eq!(ended.signal(), Some(Signal::KILL.as_raw()), "the child failed: {ended}");
    }
    let all = ["archive.blob_read", "archive.blob_written", "archive.manifest_written", "archive.unpacked"];
    assert!(points.iter().map(String::as_str).eq(all), "{points:?}");
    assert!(acknowledged > 1 + SAVES, "no save was ever acknowledged");
}

/// Kills this process at a named point of an archive.
struct Killer {
    at: usize,
    seen: AtomicUsize,
}

impl Subscriber for Killer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == POINTS
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut At(self));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The event's fields.
struct At<'a>(&'a Killer);

impl Visit for At<'_> {
    fn record_str(&mut self, _: &Field, point: &str) {
        if point.starts_with("archive.") && self.0.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.0.at {
            tell(&format!("at {point}"));
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
