//! Which process on which host: enough to tell, later and from another process, whether it still lives.

use serde::{Deserialize, Serialize};

/// A process, told apart from a later one with the same pid by its start time, and from one on another machine by the
/// host. Written into leases and into the marker of a browser's user-data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The host's name and boot, so that a container with a reused name is another host.
    pub host: String,
    /// The pid on that host.
    pub pid: u32,
    /// When it started, in clock ticks since boot (`/proc/PID/stat`, field 22); 0 where the system does not tell.
    pub started: u64,
}

impl ProcessId {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { host: host(), pid, started: started(pid).unwrap_or(0) }
    }

    /// The living process with this number on this host; none where there is none, or only a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        started(pid).map(|started| Self { host: host(), pid, started })
    }

    /// Whether it runs on this host, so that [`Self::alive`] can tell.
    pub fn is_local(&self) -> bool {
        self.host == host()
    }

    /// Whether it still lives. A process of another host counts as alive: nobody here can know. A zombie is dead.
    pub fn alive(&self) -> bool {
        !self.is_local() || started(self.pid).is_some_and(|started| self.started == 0 || started == self.started)
    }
}

/// `name/boot-id/pid-namespace`: pids of another container on one host mean nothing here.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{name}/{}/{}", boot.trim(), namespace.display())
}

/// The start time of a living process, none if there is none or it is a zombie.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name stands in parentheses and may hold anything, so fields are counted from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Without `/proc` only life itself can be asked.
#[cfg(not(target_os = "linux"))]
fn started(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::test_kill_process(pid).is_ok().then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_until_it_ends() {
        assert!(ProcessId::current().alive());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        assert!(id.alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!id.alive());
        assert_eq!(ProcessId::of(id.pid), None);
    }

    #[test]
    fn a_reused_pid_is_another_process_and_a_foreign_host_is_not_judged() {
        let here = ProcessId::current();
        assert!(!ProcessId { started: here.started + 1, ..here.clone() }.alive());
        assert!(ProcessId { host: "elsewhere".into(), pid: u32::MAX, started: 1 }.alive());
    }
}
