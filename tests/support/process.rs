//! Another process for a test: the test binary, run again with a task in its environment. What it tells comes line by line.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// What begins a line meant for the parent; the test harness prints others.
const MARK: &str = "child: ";

/// Tells the parent something.
pub fn tell(line: impl Display) {
    println!("{MARK}{line}");
}

/// A child process; killed when dropped.
pub struct Process {
    pub child: Child,
    /// What it tells, up to its end.
    pub told: mpsc::Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Runs the test `entry` in a process of its own, with `task` in `variable`, and what `with` gives it besides.
    pub fn start(entry: &str, variable: &str, task: &str, with: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", entry, "--nocapture"]).env(variable, task).stdout(Stdio::piped());
        with(&mut command);
        let mut child = command.spawn().unwrap();
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

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        status
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    /// What it told and nobody has read yet.
    pub fn rest(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
