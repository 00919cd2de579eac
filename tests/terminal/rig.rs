//! A pseudo-terminal with the binary in it: keys in, a screen out.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::home::Home;

/// How long anything on the screen may take.
const PATIENCE: Duration = Duration::from_secs(30);
const ROWS: NonZeroU16 = NonZeroU16::new(50).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).unwrap();

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const TAB: &str = "\t";
pub const UP: &str = "\x1b[A";

/// The binary on a terminal. Killed at the end if it still runs.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Screen>,
}

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Everything that was ever written, control sequences included.
    raw: Vec<u8>,
    ended: bool,
}

impl Terminal {
    /// Starts `rhaven` with these arguments in the folder of `home`.
    pub fn start(home: &Home, args: &[&str]) -> Self {
        Self::start_with(home, args, &[])
    }

    /// As [`Self::start`], with further environment variables.
    pub fn start_with(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::begin(&home.command(args), variables, home.path())
    }

    /// As [`Self::start`], in another folder.
    pub fn start_in(home: &Home, args: &[&str], folder: &Path) -> Self {
        Self::begin(&home.command(args), &[], folder)
    }

    /// Starts another program, in the world of `home`.
    pub fn start_program(home: &Home, program: &str, args: &[&str]) -> Self {
        let template = home.command(&[]);
        let mut command = std::process::Command::new(program);
        command.args(args).env_clear();
        command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::begin(&command, &[], home.path())
    }

    fn begin(template: &std::process::Command, variables: &[(&str, &str)], folder: &Path) -> Self {
        let mut command = CommandBuilder::new(template.get_program());
        command.args(template.get_args());
        command.env_clear();
        for (name, value) in template.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(folder);
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), ..PtySize::default() };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        drop(pair.slave);
        let state = State { parser: vt100::Parser::new(ROWS, COLUMNS, 2000), raw: Vec::new(), ended: false };
        let screen = Arc::new(Screen { state: Mutex::new(state), changed: Condvar::new() });
        let mut output = pair.master.try_clone_reader().expect("the terminal's output");
        let keys = pair.master.take_writer().expect("the terminal's input");
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = output.read(&mut buffer).unwrap_or(0);
                let mut state = shown.state.lock().unwrap();
                if count == 0 {
                    state.ended = true;
                } else {
                    state.parser.process(&buffer[..count]);
                    state.raw.extend_from_slice(&buffer[..count]);
                }
                shown.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { master: pair.master, keys, child, screen }
    }

    /// Sends keys as they are: text, or control sequences.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Types a line and Enter.
    pub fn line(&mut self, text: &str) {
        self.keys(&format!("{text}\r"));
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        self.screen.state.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever written to the terminal, control sequences included.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.screen.state.lock().unwrap().raw).into_owned()
    }

    /// Waits until `text` is on the screen; answers the screen.
    #[track_caller]
    pub fn sees(&self, text: &str) -> String {
        self.until(&format!("{text:?} on the screen"), |screen| screen.contents().contains(text))
    }

    /// Waits until `is_so`; answers the screen.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> String {
        let start = Instant::now();
        let mut state = self.screen.state.lock().unwrap();
        loop {
            if is_so(state.parser.screen()) {
                return state.parser.screen().contents();
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            let late = left.is_zero() || state.ended;
            assert!(!late, "waited for {what}; on the screen:\n{}", state.parser.screen().contents());
            state = self.screen.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Forgets what is on the screen, so that only what comes later is waited for. Cursor and modes stay.
    pub fn wipe(&self) {
        self.screen.state.lock().unwrap().parser.process(b"\x1b[2J\x1b[H");
    }

    /// Waits for the program's end; answers its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> u32 {
        let start = Instant::now();
        let mut state = self.screen.state.lock().unwrap();
        while !state.ended {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "it does not end; on the screen:\n{}", state.parser.screen().contents());
            state = self.screen.changed.wait_timeout(state, left).unwrap().0;
        }
        drop(state);
        self.child.wait().expect("an exit status").exit_code()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a process id")
    }

    /// Whether the terminal is as a shell wants it: lines are edited, keys echoed, Ctrl-C is a signal.
    pub fn is_sane(&self) -> bool {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;
        use rustix::termios::{LocalModes, tcgetattr};
        let name = self.master.tty_name().expect("the terminal has a name");
        let flags = i32::try_from(OFlags::NOCTTY.bits()).expect("flags of open(2) are few");
        let file = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(name);
        let Ok(modes) = file.and_then(|file| tcgetattr(&file).map_err(Into::into)) else { return false };
        modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
