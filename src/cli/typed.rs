//! A line that is typed and not shown: secrets, passphrases.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::terminal::Terminal;

/// How often whoever waits for a key looks whether the wait is over.
const LOOK_UP: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Whether there is somebody who can be asked.
pub(super) fn can_ask() -> bool {
    terminal_device().is_ok()
}

/// Standard input where that is the terminal; else, since it is the file that a command reads, the terminal itself.
fn terminal_device() -> io::Result<File> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(File::from(stdin.as_fd().try_clone_to_owned()?));
    }
    File::options().read(true).write(true).open("/dev/tty")
}

/// The terminal without echo, put back when dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn begin(terminal: File) -> io::Result<Self> {
        let before = termios::tcgetattr(&terminal)?;
        let mut silent = before.clone();
        // Byte by byte, and Ctrl-C as a byte too: no signal can end us while nothing is shown.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed ahead is not thrown away: it may be the value, pasted.
        termios::tcsetattr(&terminal, OptionalActions::Drain, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing to be done about a terminal that is gone.
        let _ = termios::tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// A line from the terminal without echo; none after Ctrl-C, Ctrl-D at its start, or a signal that ends programs.
pub(super) async fn typed(asks: String, terminal: Terminal) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let over = Arc::new(AtomicBool::new(false));
    let (mut terminated, mut hung_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut interrupted = signal(SignalKind::interrupt())?;
    let told = over.clone();
    let mut reading = tokio::task::spawn_blocking(move || {
        let silent = Silent::begin(terminal_device()?)?;
        // Only now: what is typed after the question is not shown.
        terminal.say(&asks);
        let line = read_line(&silent.terminal, &told);
        drop(silent);
        line
    });
    let line = tokio::select! {
        line = &mut reading => line,
        _ = terminated.recv() => { over.store(true, Ordering::Relaxed); reading.await }
        _ = hung_up.recv() => { over.store(true, Ordering::Relaxed); reading.await }
        _ = interrupted.recv() => { over.store(true, Ordering::Relaxed); reading.await }
    };
    line.map_err(io::Error::other)?
}

/// Reads until Enter; Backspace and Ctrl-U correct. Looks up every now and then whether it is `over`.
fn read_line(from: &File, over: &AtomicBool) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room enough that it does not move and leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(64 << 10));
    loop {
        let mut ready = [PollFd::new(from, PollFlags::IN)];
        match poll(&mut ready, Some(&LOOK_UP)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {
                if over.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut byte = [0];
        if rustix::io::read(from, &mut byte)? == 0 {
            return Ok(None);
        }
        match byte[0] {
            0x03 => return Ok(None),
            0x04 if line.is_empty() => return Ok(None),
            b'\r' | b'\n' | 0x04 => return Ok(Some(line)),
            0x15 => line.clear(),
            0x08 | 0x7f => backspace(&mut line),
            byte => line.push(byte),
        }
    }
}

/// Takes the last character away, which may be several bytes.
fn backspace(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backspace_takes_a_whole_character() {
        let mut line = "ab\u{e9}".as_bytes().to_vec();
        backspace(&mut line);
        assert_eq!(line, b"ab");
        backspace(&mut line);
        backspace(&mut line);
        backspace(&mut line);
        assert_eq!(line, b"");
    }
}
