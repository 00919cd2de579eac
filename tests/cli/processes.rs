//! Which browsers live, told apart from later processes with the same pid.

use std::time::{Duration, Instant};

/// A living process; two of them are the same if pid and start time are.
#[derive(Debug, Clone)]
pub struct Process {
    pid: u32,
    parent: u32,
    started: u64,
    name: String,
}

impl PartialEq for Process {
    // Not the parent: a process whose parent has ended is given another one and lives on.
    fn eq(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    /// SIGSTOP.
    pub fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        // It may have ended with another one that was killed before.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// All living processes; ended ones that nobody has waited for are not living.
pub fn living() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let living = !matches!(*fields.first()?, "Z" | "X");
    living.then_some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        name: head.split_once('(')?.1.to_owned(),
    })
}

/// The living processes that descend from `pid` and whose names contain `name`, itself included.
pub fn family_of(pid: u32, name: &str) -> Vec<Process> {
    let all = living();
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        at += 1;
    }
    all.into_iter().filter(|process| family.contains(&process.pid) && process.name.contains(name)).collect()
}

/// The living Chromium processes that descend from `pid`.
pub fn browsers_of(pid: u32) -> Vec<Process> {
    family_of(pid, "chrom")
}

/// Waits until none of them lives; those that still do once `patience` is over.
pub fn outlived(processes: &[Process], patience: Duration) -> Vec<Process> {
    let deadline = Instant::now() + patience;
    loop {
        let left: Vec<Process> = living().into_iter().filter(|process| processes.contains(process)).collect();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        std::thread::yield_now();
    }
}

impl Process {
    /// Whether `pid` started it.
    pub fn is_child_of(&self, pid: u32) -> bool {
        self.parent == pid
    }
}

/// How many renderers `pid` has in its browsers.
pub fn renderers_of(pid: u32) -> usize {
    let is_renderer = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("--type=renderer")
    };
    browsers_of(pid).iter().filter(|process| is_renderer(process.pid)).count()
}

/// The memory of `pid` and of its browsers, in KiB: what each has for itself, and its share of what they have together.
pub fn memory_of(pid: u32) -> u64 {
    let pids = browsers_of(pid).into_iter().map(|process| process.pid).chain([pid]);
    pids.filter_map(|pid| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    })
    .sum()
}
