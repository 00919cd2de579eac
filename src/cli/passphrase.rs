//! A passphrase: from the environment, or asked for on the terminal without showing it.

use std::fs::File;
use std::io::{Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::environment::Environment;
use super::error::CliError;
use crate::base::Secret;

/// Room made ahead, so that what is typed is not copied about while it grows.
const ROOM: usize = 1024;

/// The passphrase in the variable `name`, else what is typed (twice, where it is a new one); none where there is nobody to
/// ask, or nothing was typed. Blocks until it was.
pub(super) fn passphrase(
    environment: &Environment,
    name: &'static str,
    is_new: bool,
) -> Result<Option<Secret>, CliError> {
    if let Some(text) = environment.text(name)? {
        return Ok(Some(Secret::new(name, text)));
    }
    // The terminal itself: standard input may be the file that is read.
    let Ok(mut terminal) = File::options().read(true).write(true).open("/dev/tty") else { return Ok(None) };
    let Some(first) = ask(&mut terminal, "passphrase of the bundle: ") else { return Ok(None) };
    if is_new && ask(&mut terminal, "the same again: ").is_none_or(|second| *second != *first) {
        return Err(CliError::Value {
            what: "the passphrase".to_owned(),
            reason: "the two are not the same".to_owned(),
        });
    }
    Ok(Some(Secret::new(name, first.as_str().to_owned())))
}

/// A terminal that shows nothing of what is typed, until this is dropped. Ctrl-C comes as a key: a process that it ended
/// would leave the terminal mute.
struct Mute(File, Termios);

impl Mute {
    fn new(terminal: &File) -> Option<Self> {
        let before = tcgetattr(terminal).ok()?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        let mute = Self(terminal.try_clone().ok()?, before);
        tcsetattr(terminal, OptionalActions::Flush, &modes).ok()?;
        Some(mute)
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        // Where the terminal has gone there is nothing to put back.
        let _ = tcsetattr(&self.0, OptionalActions::Now, &self.1);
    }
}

fn ask(terminal: &mut File, question: &str) -> Option<Zeroizing<String>> {
    // Muted first: what is typed as soon as the question is there is not shown either.
    let mute = Mute::new(terminal)?;
    terminal.write_all(question.as_bytes()).ok()?;
    let typed = line(terminal);
    drop(mute);
    terminal.write_all(b"\n").ok()?;
    let text = std::str::from_utf8(&typed?).ok()?.to_owned();
    (!text.is_empty()).then(|| Zeroizing::new(text))
}

/// What is typed up to Enter; none where it is given up.
fn line(terminal: &mut File) -> Option<Zeroizing<Vec<u8>>> {
    let mut typed = Zeroizing::new(Vec::with_capacity(ROOM));
    loop {
        let mut key = [0];
        if terminal.read(&mut key).ok()? == 0 {
            return None;
        }
        match key[0] {
            b'\r' | b'\n' => return Some(typed),
            // Ctrl-C and Ctrl-D.
            3 | 4 => return None,
            // Backspace takes a whole character back.
            8 | 127 => while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            byte => typed.push(byte),
        }
    }
}
