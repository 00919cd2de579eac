//! Runs that end in the middle: this test binary again, doing what it is told line by line until it is killed, or kills itself
//! at a named point.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::session::{Mode, SessionOptions, Workspace};
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde_json::{Value, json};

use super::child::see_points;
use super::process::{Process, tell};
use super::rig::{Rig, evaluate, goto, id, soon};

/// The task, as JSON: `home`; `at`, the point to die at; `stops_at`, that to stop at; `waits`, seconds.
const TASK: &str = "RHAVEN_TEST_DYING_RUN";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a child process begins; nothing to do in the parent.
#[tokio::test(flavor = "multi_thread")]
async fn entry_of_dying_runs() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Value = serde_json::from_str(&task).unwrap();
    let point = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
    let (dies_at, stops_at, first) = (point("at"), point("stops_at"), AtomicBool::new(true));
    see_points(move |point| {
        tell(point);
        let is_first = |at: &str| point == at && first.swap(false, Ordering::SeqCst);
        if is_first(&dies_at) {
            let _ = kill_process(getpid(), Signal::KILL);
        } else if is_first(&stops_at) {
            let _ = kill_process(getpid(), Signal::STOP);
        }
    });
    let workspace = Workspace::new(Rig::config_at(Path::new(task["home"].as_str().unwrap())));
    let waits = task["waits"].as_u64().map(|seconds| Mode::Wait(Duration::from_secs(seconds)));
    let options = SessionOptions { mode: waits.unwrap_or_default(), ..SessionOptions::default() };
    let session = workspace.session(&id("acme"), &options).await.unwrap();
    workspace.take_notices().iter().for_each(|notice| tell(format_args!("notice {notice}")));
    tell(format_args!("browser {}", workspace.browser_pid().await.unwrap()));
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
                tell(format_args!("outcome {}", json!(outcomes.remove(0))));
                return;
            }
            _ => panic!("no such order: {order}"),
        }
        tell("done");
    }
    std::future::pending::<()>().await;
}

/// A run in a process of its own; killed when dropped.
pub struct Run {
    process: Process,
    orders: ChildStdin,
    seen: Vec<String>,
    browser: Option<i32>,
}

impl Run {
    /// Opens session `acme` of the rig. `at` is a point to die at; none for never.
    pub fn start(rig: &Rig, at: Option<&str>) -> Self {
        Self::begun(&json!({"home": rig.home.path(), "at": at}))
    }

    /// One that stops at a point, until it is sent on.
    pub fn stopping(rig: &Rig, at: &str) -> Self {
        Self::begun(&json!({"home": rig.home.path(), "stops_at": at}))
    }

    /// One that waits that long for a session that another has.
    pub fn waiting(rig: &Rig, seconds: u64) -> Self {
        Self::begun(&json!({"home": rig.home.path(), "waits": seconds}))
    }

    fn begun(task: &Value) -> Self {
        let mut process = Process::start("dying::entry_of_dying_runs", TASK, &task.to_string(), |command| {
            command.stdin(Stdio::piped());
        });
        let orders = process.child.stdin.take().unwrap();
        Self { process, orders, seen: Vec::new(), browser: None }
    }

    /// Sends one on that has stopped.
    pub fn go_on(&self) {
        kill_process(Pid::from_child(&self.process.child), Signal::CONT).unwrap();
    }

    /// Waits for a line that begins so; answers the rest of it. None where the run ends before.
    pub fn next(&mut self, start: &str) -> Option<String> {
        loop {
            match self.process.told.recv_timeout(PATIENCE) {
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
        assert!(self.process.wait().success());
        (serde_json::from_str(&outcome).unwrap(), std::mem::take(&mut self.seen))
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill();
        self.gone();
    }

    /// Waits for its end by its own hand.
    pub fn dies(mut self) {
        while self.next("\n").is_some() {}
        self.gone();
    }

    /// Waits until the process and its browser have ended.
    fn gone(&mut self) {
        self.process.wait();
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
