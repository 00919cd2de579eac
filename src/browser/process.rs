//! The Chromium process and its group: started with a pipe pair and a bare environment, ended as a whole.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

use super::alive::{ended, group_ended, group_memory};
use super::router::lock;

/// How much of Chromium's stderr is kept for the message of a failed start.
const STDERR_KEPT: usize = 2_000;

/// After the process has ended its stderr normally ends too; a grandchild that keeps it open is not waited for.
const STDERR_PATIENCE: Duration = Duration::from_millis(200);

/// A running Chromium with its helpers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Process {
    group: Arc<Group>,
    /// The exit status once the main process has ended.
    exit: watch::Receiver<Option<ExitStatus>>,
    stderr: watch::Receiver<Tail>,
}

/// The process group. Its number is Chromium's own until the main process has been reaped.
struct Group {
    pid: Pid,
    /// Set before the main process is reaped: the number may belong to somebody else after that.
    reaped: Mutex<bool>,
}

/// The last of stderr.
#[derive(Default)]
struct Tail {
    text: String,
    ended: bool,
}

/// Our ends of the pipes.
pub(super) struct Pipes {
    pub(super) sender: pipe::Sender,
    pub(super) receiver: pipe::Receiver,
}

impl Process {
    /// Starts `executable` in a process group of its own. Must be called on a tokio runtime.
    pub(super) fn start(
        executable: &Path,
        args: &[OsString],
        environment: Vec<(OsString, OsString)>,
    ) -> io::Result<(Self, Pipes)> {
        let (to_read, ours_to_write) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ours_to_read, to_write) = pipe_with(PipeFlags::CLOEXEC)?;
        widen(&ours_to_read);
        let pipes = Pipes {
            sender: pipe::Sender::from_owned_fd(ours_to_write)?,
            receiver: pipe::Receiver::from_owned_fd(ours_to_read)?,
        };
        let mut command = Command::new(executable);
        command.args(args).env_clear().envs(environment).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
            .fd_mappings(vec![
                FdMapping { parent_fd: to_read, child_fd: 3 },
                FdMapping { parent_fd: to_write, child_fd: 4 },
            ])
            .map_err(io::Error::other)?;
        let mut child = command.spawn()?;
        // The command owns Chromium's ends; while one is open here, the end of the stream would never come.
        drop(command);
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        let group = Arc::new(Group { pid, reaped: Mutex::new(false) });
        let (exit_sender, exit) = watch::channel(None);
        let (stderr_sender, stderr) = watch::channel(Tail::default());
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(keep_tail(pipe, stderr_sender));
        }
        tokio::spawn(supervise(child, group.clone(), exit_sender));
        Ok((Self { group, exit, stderr }, pipes))
    }

    pub(super) fn pid(&self) -> u32 {
        self.group.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// About how much memory it has with its helpers, in bytes; none where the system does not tell. Blocks for a millisecond.
    pub(super) fn memory(&self) -> Option<u64> {
        group_memory(self.group.pid)
    }

    /// Kills the main process and all its helpers, without waiting for their end.
    pub(super) fn kill(&self) {
        self.group.kill();
    }

    /// Waits for the end of the main process.
    pub(super) async fn exited(&self) -> Option<ExitStatus> {
        self.exit.clone().wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// Waits until no process of the group lives.
    pub(super) async fn ended(&self) {
        self.exited().await;
        group_ended(self.group.pid).await;
    }

    /// The last lines that Chromium wrote to its stderr; complete once it has ended.
    pub(super) async fn stderr(&self) -> String {
        let mut stderr = self.stderr.clone();
        let _ = tokio::time::timeout(STDERR_PATIENCE, stderr.wait_for(|tail| tail.ended)).await;
        self.stderr.borrow().text.trim().to_owned()
    }
}

impl Group {
    fn kill(&self) {
        let reaped = lock(&self.reaped);
        if !*reaped {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Kills what is left of the group for the last time.
    fn retire(&self) {
        let mut reaped = lock(&self.reaped);
        let _ = kill_process_group(self.pid, Signal::KILL);
        *reaped = true;
    }
}

/// Waits for the end of the main process, takes its helpers with it, and reaps it.
async fn supervise(mut child: Child, group: Arc<Group>, exit: watch::Sender<Option<ExitStatus>>) {
    // Where the system can tell of an end without reaping, the group's number is still taken when the helpers are killed.
    let reaped = if ended(group.pid).await.is_ok() { None } else { Some(child.wait().await) };
    group.retire();
    let status = match reaped {
        Some(status) => status,
        None => child.wait().await,
    };
    exit.send_replace(status.ok());
}

/// Keeps the end of what Chromium writes to stderr, and reads all of it, so that Chromium never blocks on it.
async fn keep_tail(stderr: ChildStderr, tail: watch::Sender<Tail>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
        tail.send_if_modified(|tail| {
            tail.text.push_str(&String::from_utf8_lossy(&line));
            let surplus = tail.text.len().saturating_sub(STDERR_KEPT);
            let cut = (surplus..tail.text.len()).find(|at| tail.text.is_char_boundary(*at)).unwrap_or(surplus);
            tail.text.drain(..cut);
            false
        });
        line.clear();
    }
    tail.send_modify(|tail| tail.ended = true);
}

/// A screenshot in one system call instead of many: best effort.
#[cfg(target_os = "linux")]
fn widen(pipe: &OwnedFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1024 * 1024);
}

#[cfg(not(target_os = "linux"))]
fn widen(_pipe: &OwnedFd) {}
