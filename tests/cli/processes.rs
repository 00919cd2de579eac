//! Which browsers live, told apart from later processes with the same pid.

use std::time::{Duration, Instant};

/// A living process; two of them are the same if pid and start time are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    parent: u32,
    started: u64,
    name: String,
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

/// The living Chromium processes that descend from `pid`.
pub fn browsers_of(pid: u32) -> Vec<Process> {
    let all = living();
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        at += 1;
    }
    all.into_iter().filter(|process| family.contains(&process.pid) && process.name.contains("chrom")).collect()
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
