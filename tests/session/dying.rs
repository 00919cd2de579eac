//! Runs that end in the middle: this test binary again, doing what it is told line by line until it is killed, or kills itself
//! at a named point.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rhaven::base::{Deadline, POINTS};
use rhaven::session::{SessionOptions, Workspace};
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::rig::{Rig, evaluate, goto, id, soon};

/// The task, as JSON: `home`, and `at`, the point to die at.
const TASK: &str = "RHAVEN_TEST_DYING_RUN";
/// What begins a line meant for the parent; the test harness prints others.
const MARK: &str = "child: ";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a child process begins; nothing to do in the parent.
#[tokio::test(flavor = "multi_thread")]
async fn entry_of_dying_runs() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Value = serde_json::from_str(&task).unwrap();
    let points = Points { at: task["at"].as_str().unwrap_or_default().to_owned(), left: AtomicUsize::new(1) };
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(points)).unwrap();
    let workspace = Workspace::new(Rig::config_at(Path::new(task["home"].as_str().unwrap())));
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    workspace.take_notices().iter().for_each(|notice| tell(&format!("notice {notice}")));
    tell(&format!("browser {}", workspace.browser_pid().await.unwrap()));
    let page = session.page().await.unwrap();
    let (send, mut orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
    while let Some(order) = orders.recv().await {
        match order.split_once(' ').unwrap_or((&order, "")) {
            ("goto", url) => goto(&page, url).await,
            ("evaluate", script) => drop(evaluate(&page, script).await),
            ("save", _) => drop(session.save(soon()).await.unwrap()),
            ("lost", _) => drop(workspace.lease_lost(&std::collections::BTreeSet::new()).await),
            ("end", patience) => {
                let patience =
                    patience.parse().map_or_else(|_| soon(), |secs| Deadline::after(Duration::from_secs(secs)));
                let mut outcomes = workspace.finish(patience).await;
                tell(&format!("outcome {}", json!(outcomes.remove(0))));
                return;
            }
            _ => panic!("no such order: {order}"),
        }
        tell("done");
    }
    std::future::pending::<()>().await;
}

#[expect(clippy::print_stdout, reason = "what the parent reads")]
fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// Tells of every named point, and dies at one.
struct Points {
    at: String,
    left: AtomicUsize,
}

impl<S: tracing::Subscriber> Layer<S> for Points {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Point(String);
        impl Visit for Point {
            fn record_str(&mut self, _: &Field, value: &str) {
                value.clone_into(&mut self.0);
            }
            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }
        if event.metadata().target() != POINTS {
            return;
        }
        let mut point = Point(String::new());
        event.record(&mut point);
        tell(&point.0);
        if point.0 == self.at && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

/// A run in a process of its own; killed when dropped.
pub struct Run {
    child: Child,
    orders: ChildStdin,
    told: mpsc::Receiver<String>,
    seen: Vec<String>,
    browser: Option<i32>,
}

impl Run {
    /// Opens session `acme` of the rig. `at` is a point to die at; none for never.
    pub fn start(rig: &Rig, at: Option<&str>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "dying::entry_of_dying_runs", "--nocapture"])
            .env(TASK, json!({"home": rig.home.path(), "at": at}).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, told) = mpsc::channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    let _ = send.send(line.to_owned());
                }
            }
        });
        let orders = child.stdin.take().unwrap();
        Self { child, orders, told, seen: Vec::new(), browser: None }
    }

    /// Waits for a line that begins so; answers the rest of it. None where the run ends before.
    pub fn next(&mut self, start: &str) -> Option<String> {
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(pid) = line.strip_prefix("browser ") {
                        self.browser = pid.parse().ok();
                    }
                    self.seen.push(line.clone());
                    if let Some(rest) = line.strip_prefix(start) {
                        return Some(rest.trim_start().to_owned());
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("no {start:?} came, only {:?}", self.seen),
            }
        }
    }

    /// Gives an order and waits until it is done.
    pub fn order(&mut self, order: &str) {
        self.begin(order);
        assert!(self.next("done").is_some(), "the run ended: {:?}", self.seen);
    }

    /// Gives an order.
    pub fn begin(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Every line so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Ends it in order; its outcome.
    pub fn end(mut self) -> (Value, Vec<String>) {
        self.begin("end");
        let outcome = self.next("outcome").expect("an outcome");
        assert!(self.child.wait().unwrap().success());
        (serde_json::from_str(&outcome).unwrap(), std::mem::take(&mut self.seen))
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.gone();
    }

    /// Waits for its end by its own hand.
    pub fn dies(mut self) {
        while self.next("\n").is_some() {}
        self.gone();
    }

    /// Waits until the process and its browser have ended.
    fn gone(&mut self) {
        self.child.wait().unwrap();
        let Some(browser) = self.browser.and_then(Pid::from_raw) else { return };
        let end = std::time::Instant::now() + PATIENCE;
        while is_living(browser) {
            assert!(std::time::Instant::now() < end, "the browser lives");
            std::thread::yield_now();
        }
    }
}

/// Ended ones that nobody has waited for are not living.
fn is_living(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
