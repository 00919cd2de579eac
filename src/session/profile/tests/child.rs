//! The other processes of these tests: this test binary, run again with a task in its environment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::{killed, memory};

/// The task, as `TASK NUMBER FOLDER`.
const TASK: &str = "RHAVEN_TEST_PROFILE_CHILD";
/// What begins a line meant for the parent; the test harness prints others.
const MARK: &str = "child: ";

/// Where a child process begins; nothing to do in the parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entry_of_child_processes() {
    let Some(task) = std::env::var_os(TASK) else { return };
    let task = task.into_string().unwrap();
    let mut words = task.splitn(3, ' ');
    let mut next = || words.next().unwrap().to_owned();
    let (task, number, folder) = (next(), next().parse().unwrap(), PathBuf::from(next()));
    match task.as_str() {
        "die" => killed::save_and_die(number, &folder).await,
        "pack" => memory::pack_measured(&folder).await,
        "unpack" => memory::unpack_measured(&folder).await,
        _ => panic!("no such task: {task}"),
    }
}

/// Tells the parent something.
pub(super) fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// Runs a child to its end; what it told, and how it ended.
pub(super) fn run(task: &str, number: usize, folder: &Path) -> (Vec<String>, ExitStatus) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "session::profile::tests::child::entry_of_child_processes", "--nocapture"])
        .env(TASK, format!("{task} {number} {}", folder.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The harness may have begun a line of its own.
    let told = lines.filter_map(|line| Some(line.split_once(MARK)?.1.to_owned())).collect();
    (told, child.wait().unwrap())
}
