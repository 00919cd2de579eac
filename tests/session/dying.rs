//! Runs that end in the middle: this test binary again, doing what it is told line by line until it is killed, or kills itself
//! at a named point.

use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rhaven::base::{Deadline, with_causes};
use rhaven::page::GotoOptions;
use rhaven::session::{Mode, SessionOptions, Sessions, Workspace};
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde_json::{Value, json};

use super::child::see_points;
use super::nodes::Node;
use super::process::{Process, tell};
use super::profile::assert_nothing_left;
use super::rig::{Rig, evaluate, id, soon};

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
            // The signal may take another thread first: this one is not to go past the point meanwhile.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
    });
    let node: Option<Node> = serde_json::from_value(task["node"].clone()).unwrap();
    let config = match &node {
        Some(node) => node.config(),
        None => Rig::config_at(Path::new(task["home"].as_str().unwrap())),
    };
    let waits = task["waits"].as_u64().map(|seconds| Mode::Wait(Duration::from_secs(seconds)));
    let profile = node.as_ref().is_some_and(|node| node.profile).then_some(true);
    let options = SessionOptions { mode: waits.unwrap_or_default(), profile, ..SessionOptions::default() };
    let workspace = Workspace::new(config);
    tell("opens");
    let session = match workspace.session(&id("acme"), &options).await {
        Ok(session) => session,
        Err(error) => return tell(format_args!("failed {} {}", error.code(), with_causes(&error))),
    };
    workspace.take_notices().iter().for_each(|notice| tell(format_args!("notice {notice}")));
    // A profile session has one of its own, which ends with it.
    if let Some(pid) = workspace.browser_pid().await {
        tell(format_args!("browser {pid}"));
    }
    let page = session.page().await.unwrap();
    let (send, mut orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
    while let Some(order) = orders.recv().await {
        match order.split_once(' ').unwrap_or((&order, "")) {
            // What is large takes its time where nothing is optimised.
            ("goto", url) => drop(page.goto(url, &GotoOptions::default(), within("60")).await.unwrap()),
            ("evaluate", script) => drop(evaluate(&page, script).await),
            ("read", script) => tell(format_args!("value {}", evaluate(&page, script).await)),
            ("save", _) => drop(session.save(soon()).await.unwrap()),
            ("try-save", patience) => match session.save(within(patience)).await {
                Ok(outcome) => tell(format_args!("saved {}", outcome.unwrap().version.unwrap().0)),
                Err(error) => tell(format_args!("refused {} {}", error.code(), with_causes(&error))),
            },
            ("sweep", _) => {
                let Some(node) = &node else { panic!("a sweep is of a shared store") };
                let sessions = Sessions::open(node.store(), node.key()).await.unwrap();
                tell(format_args!("swept {}", json!(sessions.sweep(Duration::ZERO).await.unwrap())));
            }
            ("lost", _) => drop(workspace.lease_lost(&std::collections::BTreeSet::new()).await),
            ("end", patience) => {
                let mut outcomes = workspace.finish(within(patience)).await;
                assert_nothing_left();
                tell(format_args!("outcome {}", json!(outcomes.remove(0))));
                return;
            }
            _ => panic!("no such order: {order}"),
        }
        tell("done");
    }
    std::future::pending::<()>().await;
}

/// In so many seconds.
fn within(patience: &str) -> Deadline {
    patience.parse().map_or_else(|_| soon(), |secs| Deadline::after(Duration::from_secs(secs)))
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

    /// One that stops at a point before it takes orders, until it is sent on.
    pub fn stopping(rig: &Rig, at: &str) -> Self {
        Self::begun(&json!({"home": rig.home.path(), "stops_at": at}))
    }

    /// One that waits that long for a session that another has.
    pub fn waiting(rig: &Rig, seconds: u64) -> Self {
        Self::begun(&json!({"home": rig.home.path(), "waits": seconds}))
    }

    /// Opens session `acme` of a store that is shared; waits that long for it, if at all.
    pub fn of(node: &Node, waits: Option<u64>) -> Self {
        Self::begun(&json!({ "node": node, "waits": waits }))
    }

    fn begun(task: &Value) -> Self {
        let mut process = Process::start("dying::entry_of_dying_runs", TASK, &task.to_string(), |command| {
            command.stdin(Stdio::piped()).envs(Node::environment());
        });
        let orders = process.child.stdin.take().unwrap();
        Self { process, orders, seen: Vec::new(), browser: None }
    }

    /// Sends one on that has stopped.
    pub fn go_on(&mut self) {
        self.begin("go on");
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

    /// Saves, with so many seconds for it: the version, or code and message.
    pub fn save(&mut self, patience: u64) -> Result<u64, (String, String)> {
        self.begin(&format!("try-save {patience}"));
        self.saved()
    }

    /// What comes of a save that has been begun.
    pub fn saved(&mut self) -> Result<u64, (String, String)> {
        loop {
            let told = self.next("").expect("an answer");
            match told.split_once(' ') {
                Some(("saved", version)) => return Ok(version.parse().unwrap()),
                Some(("refused", why)) => {
                    let (code, message) = why.split_once(' ').unwrap();
                    return Err((code.to_owned(), message.to_owned()));
                }
                _ => {}
            }
        }
    }

    /// What comes of an end that has been begun.
    pub fn outcome(mut self) -> Value {
        let outcome = self.next("outcome").expect("an outcome");
        assert!(self.process.wait().success());
        serde_json::from_str(&outcome).unwrap()
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
