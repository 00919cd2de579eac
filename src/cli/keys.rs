//! Single keys from a terminal, without Enter. The terminal is put back whenever nobody reads, and at every way out.

use std::io::{IsTerminal as _, PipeWriter, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// The key that hands the terminal back to the shell.
pub(super) const CTRL_Z: char = '\u{1a}';

/// What the reading thread is told, one byte each.
const STOP: u8 = b's';
const LOOK: u8 = b'l';
/// How long whoever reads in our place may take to have the terminal its own way again after Ctrl-Z, and how often that is
/// looked at.
const SETTLES: Duration = Duration::from_millis(100);
const LOOKS: u32 = 20;
/// How often a process in the background looks whether it still is: a shell that fetches it back tells it nothing.
const BACKGROUND: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The keys of a terminal that is ours. Dropped, the terminal is as it was.
pub(super) struct Keys {
    pressed: mpsc::UnboundedReceiver<char>,
    shared: Arc<Shared>,
    wake: PipeWriter,
    thread: Option<JoinHandle<()>>,
    /// Ctrl-Z: a signal, so that it is told of whatever reads the terminal.
    stopped: Signal,
    /// `fg`, or `bg`.
    continued: Signal,
}

/// What the thread and everybody else look at.
struct Shared {
    /// The terminal as it was found.
    found: Termios,
    /// How many do not want keys to be read at this time.
    suspended: Mutex<usize>,
}

/// While it lives the terminal is as it was found, and somebody else may read it.
pub(super) struct Suspended {
    shared: Arc<Shared>,
    wake: PipeWriter,
}

impl Keys {
    /// Begins to read keys; none where stdin is no terminal, or that of somebody else: reading would stop a process in the
    /// background.
    pub fn open() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !is_ours() {
            return None;
        }
        let caught = |kind: process::Signal| signal(SignalKind::from_raw(kind.as_raw())).ok();
        // From here on Ctrl-Z does nothing by itself, and so cannot leave the terminal as we have it.
        let (stopped, continued) = (caught(process::Signal::TSTP)?, caught(process::Signal::CONT)?);
        let found = tcgetattr(&stdin).ok()?;
        let (woken, wake) = std::io::pipe().ok()?;
        let (press, pressed) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { found, suspended: Mutex::new(0) });
        shared.apply(0);
        let reading = shared.clone();
        let body = move || read(&reading, &woken, &press);
        let thread = std::thread::Builder::new().name("keys".into()).spawn(body).ok();
        let keys = Self { pressed, shared, wake, thread, stopped, continued };
        // Without its thread nobody would read: dropping it puts the terminal back.
        keys.thread.is_some().then_some(keys)
    }

    /// The next key; pends for ever once there is no terminal any more.
    pub async fn next(&mut self) -> char {
        loop {
            tokio::select! {
                Some(key) = self.pressed.recv() => return key,
                Some(()) = self.stopped.recv() => return CTRL_Z,
                Some(()) = self.continued.recv() => self.resume(),
                else => std::future::pending().await,
            }
        }
    }

    /// Waits for Ctrl-Z while somebody else reads the terminal, who sends it as a signal.
    pub async fn stopped(&mut self) {
        if self.stopped.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Does what [`CTRL_Z`] means: the process stands still until the shell lets it go on.
    pub fn stand_still(&self) {
        let handed_over = self.suspend();
        stop();
        drop(handed_over);
    }

    /// The same while somebody else reads the terminal: it then is again as they had it.
    pub async fn stand_still_suspended(&self) {
        // A line editor puts it back before it sends the signal and takes it again after; nothing says when. Where none reads
        // at this time it stays put back.
        for _ in 0..LOOKS {
            if modes().is_some_and(|modes| !modes.local_modes.contains(LocalModes::ICANON)) {
                break;
            }
            tokio::time::sleep(SETTLES / LOOKS).await;
        }
        let theirs = modes();
        self.shared.count(|count| count);
        stop();
        if let Some(theirs) = theirs.filter(|_| is_ours()) {
            // A terminal that has gone needs nothing.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &theirs);
        }
    }

    /// Forgets what was pressed until now: it was meant for whoever had the terminal.
    pub fn forget(&mut self) {
        while self.pressed.try_recv().is_ok() {}
        while let Some(Some(())) = self.stopped.recv().now_or_never() {}
    }

    /// Hands the terminal to somebody else.
    pub fn suspend(&self) -> Option<Suspended> {
        let wake = self.wake.try_clone().ok()?;
        let suspended = Suspended { shared: self.shared.clone(), wake };
        suspended.shared.count(|count| count + 1);
        // Not waited for: the thread looks at the count before each key that it takes.
        poke(&suspended.wake, LOOK);
        Some(suspended)
    }

    /// The process goes on after it had been stopped: the shell may have changed the terminal.
    fn resume(&self) {
        self.shared.count(|count| count);
        poke(&self.wake, LOOK);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        poke(&self.wake, STOP);
        if let Some(thread) = self.thread.take() {
            // It only waits for what it has just been sent.
            let _ = thread.join();
        }
        // Not reached from above by whoever still holds a Suspended.
        self.shared.count(|_| usize::MAX / 2);
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.shared.count(|count| count.saturating_sub(1));
        poke(&self.wake, LOOK);
    }
}

impl Shared {
    /// Changes how many want no keys, and the terminal with it.
    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut suspended = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        *suspended = change(*suspended);
        self.apply(*suspended);
    }

    fn apply(&self, suspended: usize) {
        // Whoever sets another's terminal from the background is stopped.
        if !is_ours() {
            return;
        }
        let mut modes = self.found.clone();
        if suspended == 0 {
            // Keys come one by one and are not shown. Ctrl-C stays a signal, so that it works whatever we are doing; Ctrl-\ would
            // end us without putting anything back.
            modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
        }
        // A terminal that has gone needs nothing.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
    }

    fn is_wanted(&self) -> bool {
        *self.suspended.lock().unwrap_or_else(PoisonError::into_inner) == 0
    }

    fn reads(&self) -> bool {
        self.is_wanted() && is_ours()
    }

    fn is_in_background(&self) -> bool {
        self.is_wanted() && !is_ours()
    }
}

/// Whether this process is in the terminal's foreground.
pub(super) fn is_ours() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == process::getpgrp())
}

/// All threads stop in this call. Where the system refuses, we just go on.
fn stop() {
    let _ = process::kill_process(process::getpid(), process::Signal::STOP);
}

fn modes() -> Option<Termios> {
    tcgetattr(std::io::stdin()).ok()
}

fn poke(mut wake: &PipeWriter, byte: u8) {
    // Nobody listens any more at the end.
    let _ = wake.write_all(&[byte]);
}

/// Reads until it is told to stop or the terminal is gone. Nothing is read while somebody else may.
fn read(shared: &Shared, woken: &std::io::PipeReader, press: &mpsc::UnboundedSender<char>) {
    let stdin = std::io::stdin();
    loop {
        let mut sources = vec![PollFd::new(woken, PollFlags::IN)];
        if shared.reads() {
            sources.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
        }
        let again = shared.is_in_background().then_some(BACKGROUND);
        match poll(&mut sources, again.as_ref()) {
            // Perhaps in the foreground again by now.
            Ok(0) => shared.count(|count| count),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let has = |index: usize| sources.get(index).is_some_and(|source| !source.revents().is_empty());
        let (told, typed) = (has(0), has(1));
        drop(sources);
        if told {
            let mut bytes = [0; 16];
            match rustix::io::read(woken, &mut bytes) {
                Ok(count) if count > 0 && !bytes[..count].contains(&STOP) => continue,
                _ => return,
            }
        }
        if typed && shared.reads() {
            let mut bytes = [0; 64];
            match rustix::io::read(stdin.as_fd(), &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    for key in keys_of(&bytes[..count]) {
                        // Nobody waits for it at the end.
                        let _ = press.send(key);
                    }
                }
            }
        }
    }
}

/// The characters among `bytes`. An arrow or another key that sends a sequence is one key, an unknown one.
fn keys_of(bytes: &[u8]) -> Vec<char> {
    match bytes.first() {
        Some(0x1b) => vec!['\u{1b}'],
        _ => String::from_utf8_lossy(bytes).chars().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::keys_of;

    #[test]
    fn a_sequence_is_one_key() {
        assert_eq!(keys_of(b"rq"), ['r', 'q']);
        assert_eq!(keys_of(b"\x1b[A"), ['\u{1b}']);
    }
}
