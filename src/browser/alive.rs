//! Waiting for the end of processes, and telling which still live. A zombie is dead: where nobody reaps orphans, killed
//! helpers of Chromium stay zombies for good.

use std::io;

use rustix::process::{Pid, test_kill_process_group};

/// Waits until no process of the group lives. Nothing of it may be started any more, that is: it has been killed.
pub(super) async fn group_ended(group: Pid) {
    while let Some(member) = living_member(group) {
        if ended(member).await.is_err() {
            return;
        }
    }
}

/// As [`group_ended`] for callers without a runtime, for at most `patience`; whether all have ended.
pub(super) fn group_ended_blocking(group: Pid, patience: std::time::Duration) -> bool {
    let start = std::time::Instant::now();
    while let Some(member) = living_member(group) {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() || ended_blocking(member, left).is_err() {
            return false;
        }
    }
    true
}

/// A process of the group that still lives.
fn living_member(group: Pid) -> Option<Pid> {
    // Cheap, and mostly enough.
    if test_kill_process_group(group).is_err() { None } else { system::living(|stat| stat.group == group) }
}

/// The main process of a browser on this user-data directory, told by its command line.
pub(super) fn browser_on(user_data_dir: &std::path::Path) -> Option<Pid> {
    let flag = format!("--user-data-dir={}", user_data_dir.display());
    // Helpers have a `--type`; the main process leads its group.
    system::living(|stat| stat.group == stat.pid && system::has_arg(stat.pid, &flag))
}

/// About how much memory the living processes of the group have together, in bytes: what each has for itself, and what they share
/// once. None where the system does not tell.
pub(super) fn group_memory(group: Pid) -> Option<u64> {
    let (own, shared) = system::memory(group)?;
    Some(own.saturating_add(shared))
}

pub(super) use system::{ended, ended_blocking};

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{Pid, io};

    /// Waits for the end of a process without reaping it; at once where there is none.
    #[expect(
        deprecated,
        reason = "its successor is unsafe for descriptors that change under it; an owned one does not"
    )]
    pub(in super::super) async fn ended(pid: Pid) -> io::Result<()> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => AsyncFd::with_interest(fd, Interest::READABLE)?.readable().await.map(|_| ()),
            Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`ended`], blocking.
    pub(in super::super) fn ended_blocking(pid: Pid, patience: Duration) -> io::Result<()> {
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            fd => fd?,
        };
        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout))?;
        Ok(())
    }

    pub(super) struct Stat {
        pub(super) pid: Pid,
        pub(super) group: Pid,
    }

    /// The first living process that fits.
    pub(super) fn living(fits: impl Fn(&Stat) -> bool) -> Option<Pid> {
        let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(stat).find(fits).map(|stat| stat.pid)
    }

    fn stat(pid: i32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; after it: state, parent, group.
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let group = Pid::from_raw(fields.nth(1)?.parse().ok()?)?;
        Some(Stat { pid: Pid::from_raw(pid)?, group })
    }

    /// Bytes that the processes of the group have for themselves, and the most that one of them shares.
    pub(super) fn memory(group: Pid) -> Option<(u64, u64)> {
        let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let members = pids.filter_map(stat).filter(|stat| stat.group == group);
        let sizes = members.filter_map(|member| {
            // What a sandboxed process has in detail is told to nobody; this is.
            let text = fs::read_to_string(format!("/proc/{}/status", member.pid.as_raw_nonzero())).ok()?;
            let kib = |name: &str| -> Option<u64> {
                let line = text.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
            };
            Some((kib("RssAnon")? * 1024, (kib("RssFile")? + kib("RssShmem")?) * 1024))
        });
        Some(sizes.fold((0, 0), |(own, most), (of_one, shared)| (own + of_one, most.max(shared))))
    }

    pub(super) fn has_arg(pid: Pid, arg: &str) -> bool {
        let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        fs::read(path).is_ok_and(|line| line.split(|byte| *byte == 0).any(|part| part == arg.as_bytes()))
    }
}

/// Where there is no `/proc` and no descriptor for a process: only the main process is waited for, by its parent; that the
/// helpers have gone is left to the kill of the group.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use super::{Pid, io};

    pub(in super::super) async fn ended(_pid: Pid) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn ended_blocking(_pid: Pid, _patience: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) struct Stat {
        pub(super) pid: Pid,
        pub(super) group: Pid,
    }

    pub(super) fn living(_fits: impl Fn(&Stat) -> bool) -> Option<Pid> {
        None
    }

    pub(super) fn has_arg(_pid: Pid, _arg: &str) -> bool {
        false
    }

    pub(super) fn memory(_group: Pid) -> Option<(u64, u64)> {
        None
    }
}
