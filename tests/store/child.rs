//! The other processes of a test: this test binary, run again with a task in its environment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::{crash, races};

/// The task, as `TASK FOLDER ARGUMENT`.
const TASK: &str = "RHAVEN_TEST_CHILD";
/// What begins a line meant for the parent; the test harness prints others.
const MARK: &str = "child: ";

/// Where a child process begins; nothing to do in the parent.
#[tokio::test]
async fn entry_of_child_processes() {
    let Some(task) = std::env::var_os(TASK) else { return };
    let task = task.into_string().unwrap();
    let mut words = task.splitn(3, ' ');
    let mut next = || words.next().unwrap().to_owned();
    let (task, argument, folder) = (next(), next(), PathBuf::from(next()));
    match task.as_str() {
        "race" => races::race(folder.to_str().unwrap(), argument.parse().unwrap()).await,
        "count" => races::count(folder.to_str().unwrap(), argument.parse().unwrap()).await,
        "commit" => crash::commit_for_ever(&folder).await,
        _ => panic!("no such task: {task}"),
    }
}

/// Tells the parent something.
pub fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// A child process; killed when dropped.
pub struct ChildProcess {
    child: Child,
    /// What it told.
    pub told: mpsc::Receiver<String>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl ChildProcess {
    pub fn start(task: &str, argument: usize, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::child::entry_of_child_processes", "--nocapture"])
            .env(TASK, format!("{task} {argument} {}", folder.display()))
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
        Self { child, told, reader: Some(reader) }
    }

    /// Waits for its end, which has to be a good one; what it told and nobody has read yet.
    pub fn wait(mut self) -> Vec<String> {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        assert!(status.success(), "the child failed: {status}");
        self.told.try_iter().collect()
    }

    /// Ends it with SIGKILL; what it told and nobody has read yet.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.told.try_iter().collect()
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
