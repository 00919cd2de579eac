//! What the other processes of a test do here.

use std::path::{Path, PathBuf};
use std::process::Command;

pub use crate::process::{Process, tell};

use super::{crash, races, redis_tls};

/// The task, as `TASK ARGUMENT FOLDER`.
const TASK: &str = "RHAVEN_TEST_CHILD";

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
        "tls" => redis_tls::open(folder.to_str().unwrap()).await,
        _ => panic!("no such task: {task}"),
    }
}

/// Starts one.
pub fn start(task: &str, argument: usize, folder: &Path) -> Process {
    start_with(task, argument, folder, |_| {})
}

/// Starts one whose command is changed before.
pub fn start_with(task: &str, argument: usize, folder: &Path, change: impl FnOnce(&mut Command)) -> Process {
    let task = format!("{task} {argument} {}", folder.display());
    Process::start("store::child::entry_of_child_processes", TASK, &task, change)
}

/// Waits for its end, which has to be a good one; what it told and nobody has read yet.
pub fn done(mut process: Process) -> Vec<String> {
    let status = process.wait();
    assert!(status.success(), "the child failed: {status}");
    process.rest()
}

/// Ends it with SIGKILL; what it told and nobody has read yet.
pub fn killed(mut process: Process) -> Vec<String> {
    process.kill();
    process.rest()
}
