//! The other processes of a test: this test binary, run again with a task in its environment. One can be told to die at a
//! named point, as a power cut would have it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rhaven::base::POINTS;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span;

use super::rig::Rig;
use super::{elsewhere, points, sweep, writers};

/// The task as JSON.
const TASK: &str = "RHAVEN_TEST_CHILD";
/// What begins a line meant for the parent; the test harness prints others.
const MARK: &str = "child: ";

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
    let watch = Watch { task: task.clone(), reached: Mutex::default() };
    tracing::subscriber::set_global_default(watch).unwrap();
    match task.what.as_str() {
        "visit" => elsewhere::visit(&task).await,
        "write" => writers::write_for_ever(&task).await,
        "sweep" => sweep::child(&task).await,
        _ => points::child(&task).await,
    }
}

/// Tells the parent something.
pub fn tell(line: impl std::fmt::Display) {
    println!("{MARK}{line}");
}

/// Sees the named points go by, and dies at one.
struct Watch {
    task: Task,
    reached: Mutex<BTreeMap<String, usize>>,
}

impl tracing::Subscriber for Watch {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == POINTS
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut point = Point(String::new());
        event.record(&mut point);
        let Point(point) = point;
        if self.task.tell_points {
            tell(format_args!("point {point}"));
        }
        let mut reached = self.reached.lock().unwrap();
        let times = reached.entry(point.clone()).or_default();
        *times += 1;
        if self.task.die_at == Some((point, *times)) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
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

/// A child process; killed when dropped.
pub struct ChildProcess {
    child: Child,
    /// Where its browsers have their folders, so that they can be told from others.
    room: PathBuf,
    /// What it told.
    pub told: mpsc::Receiver<String>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl ChildProcess {
    /// Starts one whose browsers live in `room`.
    pub fn start(task: &Task, room: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::entry_of_child_processes", "--nocapture"])
            .env(TASK, serde_json::to_string(task).unwrap())
            .env("XDG_RUNTIME_DIR", room)
            .env("TMPDIR", room)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, told) = mpsc::channel();
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    let _ = send.send(line.to_owned());
                }
            }
        });
        Self { child, room: room.to_owned(), told, reader: Some(reader) }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and for that of its browsers; how it ended, and what it told and nobody has read yet.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(left) = browser_in(&self.room) {
            assert!(Instant::now() < deadline, "a browser outlived its process: {left}");
            std::thread::yield_now();
        }
        (status, self.told.try_iter().collect())
    }

    /// [`Self::wait`] for one that has to end well.
    pub fn done(self) -> Vec<String> {
        let (status, told) = self.wait();
        assert!(status.success(), "the child failed: {status}\n{told:#?}");
        told
    }

    /// Ends it with SIGKILL; what it told and nobody has read yet. Its browsers may still be about to end.
    pub fn kill_only(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.told.try_iter().collect()
    }

    /// [`Self::kill_only`], and its browsers have ended too.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.wait().1
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
