//! The other processes of a test: this test binary, run again with a task in its environment. One can be told to die at a
//! named point, as a power cut would have it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rhaven::base::POINTS;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

pub use super::process::tell;

use super::process::Process;
use super::rig::Rig;
use super::{elsewhere, points, sweep, workers, writers};

/// The task as JSON.
const TASK: &str = "RHAVEN_TEST_CHILD";

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub what: String,
    /// The folder of store and key.
    pub home: PathBuf,
    /// The site, under its two names.
    pub urls: [String; 2],
    /// What the child writes.
    pub tag: String,
    /// Where it dies: at which time that it comes to which point.
    pub die_at: Option<(String, usize)>,
    /// Whether it tells each point that it comes to.
    pub tell_points: bool,
}

impl Task {
    pub fn of(rig: &Rig, what: &str) -> Self {
        Self {
            what: what.to_owned(),
            home: rig.home.path().to_owned(),
            urls: [rig.url("/"), rig.other_url("/")],
            tag: String::new(),
            die_at: None,
            tell_points: false,
        }
    }

    pub fn dying_at(self, point: &str, time: usize) -> Self {
        Self { die_at: Some((point.to_owned(), time)), ..self }
    }
}

/// Where a child process begins; nothing to do in the parent.
#[tokio::test(flavor = "multi_thread")]
async fn entry_of_child_processes() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    let (tells, die_at) = (task.tell_points, task.die_at.clone());
    let reached = Mutex::<BTreeMap<String, usize>>::default();
    see_points(move |point| {
        if tells {
            tell(format_args!("point {point}"));
        }
        let mut reached = reached.lock().unwrap();
        let times = reached.entry(point.to_owned()).or_default();
        *times += 1;
        if die_at.as_ref().is_some_and(|(at, time)| at == point && time == times) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    });
    match task.what.as_str() {
        "visit" => elsewhere::visit(&task).await,
        "write" => writers::write_for_ever(&task).await,
        "sweep" => sweep::child(&task).await,
        "work" => workers::work(&task).await,
        _ => points::child(&task).await,
    }
}

/// Has `see` told of each named point that this process comes to.
pub fn see_points(see: impl Fn(&str) + Send + Sync + 'static) {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Points(see))).unwrap();
}

struct Points<F>(F);

impl<S: tracing::Subscriber, F: Fn(&str) + Send + Sync + 'static> Layer<S> for Points<F> {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == POINTS {
            let mut point = Point(String::new());
            event.record(&mut point);
            (self.0)(&point.0);
        }
    }
}

struct Point(String);

impl Visit for Point {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "point" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// A child process whose browsers are told from others; killed when dropped.
pub struct ChildProcess {
    process: Process,
    /// Where its browsers have their folders.
    room: PathBuf,
}

impl ChildProcess {
    /// Starts one whose browsers live in `room`.
    pub fn start(task: &Task, room: &Path) -> Self {
        let task = serde_json::to_string(task).unwrap();
        let process = Process::start("child::entry_of_child_processes", TASK, &task, |command| {
            command.env("XDG_RUNTIME_DIR", room).env("TMPDIR", room);
        });
        Self { process, room: room.to_owned() }
    }

    /// What it tells.
    pub fn told(&self) -> &mpsc::Receiver<String> {
        &self.process.told
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).unwrap();
    }

    /// Waits for its end, and for that of its browsers; how it ended, and what it told and nobody has read yet.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.process.wait();
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(left) = browser_in(&self.room) {
            assert!(Instant::now() < deadline, "a browser outlived its process: {left}");
            std::thread::yield_now();
        }
        (status, self.process.rest())
    }

    /// [`Self::wait`] for one that has to end well.
    pub fn done(self) -> Vec<String> {
        let (status, told) = self.wait();
        assert!(status.success(), "the child failed: {status}\n{told:#?}");
        told
    }

    /// Ends it with SIGKILL; what it told and nobody has read yet. Its browsers may still be about to end.
    pub fn kill_only(mut self) -> Vec<String> {
        self.process.kill();
        self.process.rest()
    }

    /// [`Self::kill_only`], and its browsers have ended too.
    pub fn kill(mut self) -> Vec<String> {
        self.process.kill();
        self.wait().1
    }
}

/// A living process that was started with a folder in `room`.
fn browser_in(room: &Path) -> Option<String> {
    let room = room.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(room).then(|| format!("{pid}: {line}"))
    });
    processes.into_iter().next()
}

/// How often something is done, where the variable does not say.
pub fn times(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// A memory-backed folder for the browsers of a test's children.
pub fn room() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}
