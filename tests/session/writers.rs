//! Two processes on one session, whose holder is killed or stopped past its lease's end, again and again: no version mixes two
//! writers, what a stale holder writes is refused, nobody waits longer than the lease.
//!
//! Every round is a real run with a real browser in each process. That no two writers meet in one version is seen by the tag
//! that each save has of its own, in every name and value that it writes: names are looked at in each version, values by every
//! run that opens the session.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use rhaven::base::{Deadline, Tenant, Version};
use rhaven::session::{LeaseTimes, Mode, SessionOptions, Sessions, Workspace, WorkspaceConfig};
use rhaven::store::{RecordName, Records, SqliteStore};
use rustix::process::Signal;

use super::child::{ChildProcess, Task, room, tell, times};
use super::rig::{Rig, id, soon};
use super::tagged;

/// Rounds where `RHAVEN_SOAK_KILLS` does not say.
const ROUNDS: usize = 10;
/// Short, so that many can be waited for. It is the store that goes by them, as it does by longer ones.
const LEASE: LeaseTimes = LeaseTimes { lasts: Duration::from_millis(1_500), renewed_every: Duration::from_millis(400) };
/// How much later than it could somebody gets a lease on a busy machine.
const LATE: Duration = Duration::from_millis(750);
/// How seldom a waiter looks whether a holder has died.
const LOOKS: Duration = Duration::from_millis(250);
/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(40);

/// In the child: waits for the session, reads it, writes it twice, lets it go; over and over.
pub async fn write_for_ever(task: &Task) {
    for number in 1.. {
        let config = WorkspaceConfig { lease: LEASE, ..Rig::config_at(&task.home) };
        let workspace = Workspace::new(config);
        let wait = SessionOptions { mode: Mode::Wait(PATIENCE), ..SessionOptions::default() };
        after_you(&workspace).await;
        // The store is open: what follows is the wait and nothing else.
        tell("waits");
        let session = match workspace.session(&id("acme"), &wait).await {
            Ok(session) => session,
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        };
        tell("holds");
        let page = session.page().await.unwrap();
        let tags: Vec<String> = tagged::read(&page, &task.urls).await.into_iter().collect();
        tell(format_args!("read {} {}", session.version().map_or(0, |version| version.0), tags.join(",")));
        let tag = |save: &str| format!("{}{number}{save}", task.tag);
        let first = tag("a");
        tagged::write(&page, &task.urls, &first, 0).await;
        match session.save(soon()).await {
            Ok(outcome) => tell(format_args!("saved {first} {}", outcome.unwrap().version.unwrap().0)),
            Err(error) => tell(format_args!("refused {first} {}", error.code())),
        }
        let second = tag("b");
        tagged::write(&page, &task.urls, &second, 0).await;
        let outcome = workspace.finish(soon()).await.remove(0);
        match outcome.save_error {
            None => tell(format_args!("saved {second} {}", outcome.version.unwrap().0)),
            Some((code, _)) => tell(format_args!("refused {second} {code}")),
        }
        tell("gone");
    }
}

/// Lets the other one have the session, if it waits for it: who only looks every now and then would hardly ever be first.
async fn after_you(workspace: &Workspace) {
    let (deadline, mut looks) = (Deadline::after(LOOKS * 2), tokio::time::interval(LOOKS / 5));
    let is_free = async || workspace.list().await.unwrap().sessions.iter().all(|session| session.held_by.is_none());
    while !deadline.passed() && is_free().await {
        looks.tick().await;
    }
}

/// One of the two.
struct Writer {
    task: Task,
    process: ChildProcess,
    browsers: tempfile::TempDir,
    lives: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Away,
    Waits,
    Holds,
}

impl Writer {
    fn start(rig: &Rig, name: &str) -> Self {
        let (task, browsers) = (Task { tag: format!("{name}1x"), ..Task::of(rig, "write") }, room());
        let process = ChildProcess::start(&task, browsers.path());
        Self { task, process, browsers, lives: 1, stage: Stage::Away }
    }

    /// Killed; another with another tag takes its place.
    fn die(&mut self, name: &str, heard: &mut Heard) {
        self.lives += 1;
        self.task.tag = format!("{name}{}x", self.lives);
        let next = Task { what: "write".into(), ..self.task.clone() };
        let dead = std::mem::replace(&mut self.process, ChildProcess::start(&next, self.browsers.path()));
        // Its browser is gone before the next one's is looked for: theirs are told apart by nothing else.
        for line in dead.kill_only() {
            heard.line(&line);
        }
        self.stage = Stage::Away;
    }

    /// The next thing that it tells, within `patience`.
    fn hear(&mut self, patience: Duration, heard: &mut Heard) -> Option<String> {
        match self.process.told().recv_timeout(patience) {
            Ok(line) => {
                heard.line(&line);
                match line.as_str() {
                    "waits" => self.stage = Stage::Waits,
                    "holds" => self.stage = Stage::Holds,
                    "gone" => self.stage = Stage::Away,
                    _ => {}
                }
                Some(line)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("a writer ended by itself"),
        }
    }
}

type Tags = BTreeSet<String>;

/// What was acknowledged and what was refused.
#[derive(Debug, Default)]
struct Heard {
    saved: BTreeMap<u64, String>,
    /// What was read of a version.
    read: Vec<(u64, Tags)>,
    refused: Vec<String>,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["saved", tag, version] => {
                let twice = self.saved.insert(version.parse().unwrap(), tag.to_owned());
                assert_eq!(twice, None, "version {version} was acknowledged twice");
            }
            ["read", version, tags] => {
                let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
                self.read.push((version.parse().unwrap(), tags));
            }
            ["refused", tag, code] => {
                assert_eq!(code, "lease_lost", "{tag}");
                self.refused.push(tag.to_owned());
            }
            _ => {}
        }
    }
}

/// The session as the store itself sees it.
struct Eye {
    records: SqliteStore,
    sessions: Sessions,
    database: std::path::PathBuf,
    /// The tags of each version that was looked into.
    tags: BTreeMap<u64, Tags>,
}

impl Eye {
    async fn open(home: &Path) -> Self {
        let config = Rig::config_at(home);
        let sessions = Sessions::open(config.store, config.key).await.unwrap();
        let folder = home.join("store");
        Self {
            records: SqliteStore::open(&folder).unwrap(),
            sessions,
            database: folder.join("store.sqlite"),
            tags: BTreeMap::new(),
        }
    }

    async fn name(&self) -> Option<RecordName> {
        // The copy that is looked into is gone by now.
        self.records.all(None, 10).await.unwrap().first().map(|kept| kept.name)
    }

    /// When the running lease ends, by the store's clock.
    async fn lease_end(&self) -> Option<u64> {
        let held = self.records.holder(&self.name().await?).await.unwrap()?;
        Some(now() + micros(held.expires_in))
    }

    /// Whether somebody who has been stopped is in the middle of a write, which keeps all others from writing.
    fn is_stuck(&self) -> bool {
        let db = rusqlite::Connection::open(&self.database).unwrap();
        db.busy_timeout(Duration::from_secs(1)).unwrap();
        db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    }

    /// Looks into all new versions. One that was acknowledged has one tag, its own. Another, which a killed process had just written
    /// or of which it left a checkpoint, has beside the tags of the one before it those of one process. No holder has written
    /// after the next one was there. Answers the fences that versions were written under.
    async fn look(&mut self, heard: &Heard) -> Vec<u64> {
        let (tenant, acme, copy) = (Tenant::default(), id("acme"), id("copy"));
        let Some(name) = self.name().await else { return Vec::new() };
        let history = self.records.history(&name).await.unwrap();
        for pair in history.windows(2) {
            let (later, earlier) = (&pair[0], &pair[1]);
            assert!(earlier.fence <= later.fence, "{:?} after {:?}", earlier.fence, later.fence);
            // A fence is the time at which the lease was granted.
            let written = u64::try_from(earlier.saved_at.as_microsecond()).unwrap();
            assert!(
                earlier.fence == later.fence || written <= later.fence.0,
                "{} was written too late",
                earlier.version
            );
        }
        for entry in &history {
            let number = entry.version.0;
            if !self.tags.contains_key(&number) {
                self.sessions.fork(&tenant, &acme, &copy, Some(Version(number))).await.unwrap();
                let info = self.sessions.show(&tenant, &copy).await.unwrap();
                let tags = tagged::shown(&info);
                if tags.len() > 1 {
                    println!("version {number}: {:?} {:?}", info.cookies, info.origins);
                }
                self.sessions.delete(&tenant, &copy).await.unwrap();
                self.tags.insert(number, tags);
            }
        }
        let newest = history.first().map_or(0, |entry| entry.version.0);
        for (version, tag) in &heard.saved {
            assert!(*version <= newest, "version {version} was acknowledged, {newest} is the last");
            // One that was dropped before anybody looked cannot be asked any more.
            let found = self.tags.get(version);
            assert!(found.is_none_or(|found| found.iter().eq([tag])), "version {version} is not {tag} but {found:?}");
        }
        for (version, tags) in &self.tags {
            let (none, process) = (Tags::new(), |tag: &String| tag.split_once('x').unwrap().0.to_owned());
            let Some(before) = version.checked_sub(1).and_then(|before| self.tags.get(&before)) else { continue };
            let new: Tags = tags.difference(if tags.len() == 1 { &none } else { before }).map(process).collect();
            assert!(new.len() <= 1, "version {version} has {tags:?}, the one before {before:?}");
        }
        for (version, tags) in &heard.read {
            let found = self.tags.get(version);
            assert!(found.is_none_or(|found| found == tags), "of version {version} {tags:?} was read, not {found:?}");
        }
        history.iter().map(|entry| entry.fence.0).collect()
    }
}

fn now() -> u64 {
    micros(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}

/// What the rounds have come to.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    pauses: usize,
    stuck: usize,
    refused: usize,
    longest_millis: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_which_the_holder_is_killed_or_stopped_never_meet() {
    let rounds = times("RHAVEN_SOAK_KILLS", ROUNDS).min(200);
    let rig = Rig::start().await;
    let mut eye = Eye::open(rig.home.path()).await;
    let names = ["a", "b"];
    let mut writers = names.map(|name| Writer::start(&rig, name));
    let (mut heard, mut tally) = (Heard::default(), Tally::default());
    for round in 0..rounds {
        // At any moment of what the holder does.
        let holder = holder(&mut writers, Duration::from_millis(random() % 1_000), &mut heard);
        let since = now();
        let (free, paused) = if random().is_multiple_of(2) {
            tally.kills += 1;
            writers[holder].die(names[holder], &mut heard);
            (since + micros(LOOKS), false)
        } else {
            tally.pauses += 1;
            writers[holder].process.signal(Signal::STOP);
            (eye.lease_end().await.unwrap_or_else(now), true)
        };
        let stuck = paused && eye.is_stuck();
        if stuck {
            // Nobody can write before it goes on: no lease is looked at either.
            tally.stuck += 1;
            writers[holder].process.signal(Signal::CONT);
        }
        // The other one gets it: when, its fence will tell.
        let other = 1 - holder;
        let patience = Instant::now() + PATIENCE;
        while writers[other].stage != Stage::Holds {
            assert!(Instant::now() < patience, "round {round}: nobody got the lease");
            writers[other].hear(LOOKS, &mut heard);
        }
        if paused && !stuck {
            writers[holder].process.signal(Signal::CONT);
        }
        // A stale holder finds out, and lets go.
        while writers[holder].stage == Stage::Holds {
            assert!(writers[holder].hear(PATIENCE, &mut heard).is_some(), "round {round}: a stale holder hangs");
        }
        // The new one has written by then.
        let has_written = |line: &str| line.starts_with("saved") || line.starts_with("refused");
        while writers[other].hear(PATIENCE, &mut heard).is_some_and(|line| !has_written(&line)) {}
        let fences = eye.look(&heard).await;
        if let Some(next) = fences.iter().filter(|fence| **fence > since).min().filter(|_| !stuck) {
            let waited = next.saturating_sub(free) / 1_000;
            tally.longest_millis = tally.longest_millis.max(waited);
            assert!(
                waited <= LATE.as_millis().try_into().unwrap(),
                "round {round}: {waited} ms longer than the lease; paused {paused}, free at {free}, {fences:?}, {heard:?}"
            );
        }
    }
    let [a, b] = writers.map(|writer| writer.process.kill());
    a.iter().chain(&b).for_each(|line| heard.line(line));
    eye.look(&heard).await;
    tally.refused = heard.refused.len();
    println!("{rounds} rounds, {} versions: {tally:?}", eye.tags.len());
    assert!(eye.tags.len() >= rounds, "hardly anything was written");
}

/// Waits until one of them holds the session and the other waits for it, and then for a moment; says which holds it.
fn holder(writers: &mut [Writer; 2], moment: Duration, heard: &mut Heard) -> usize {
    let since = Instant::now();
    let mut until = None;
    loop {
        let stages = writers.each_mut().map(|writer| {
            while writer.hear(Duration::ZERO, heard).is_some() {}
            writer.stage
        });
        let found = match stages {
            [Stage::Holds, Stage::Waits] => Some(0),
            [Stage::Waits, Stage::Holds] => Some(1),
            _ => None,
        };
        if let Some(holder) = found
            && Instant::now() >= *until.get_or_insert_with(|| Instant::now() + moment)
        {
            return holder;
        }
        assert!(since.elapsed() < PATIENCE, "nobody holds the session");
        writers[0].hear(Duration::from_millis(10), heard);
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}
