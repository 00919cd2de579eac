//! A display without a screen, with hands in front of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A display that nobody looks at.
pub struct Display {
    server: Child,
    /// What `DISPLAY` says of it.
    pub name: String,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Display {
    pub fn start() -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
        let mut server =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("no Xvfb: .ci/install windows");
        let mut number = String::new();
        BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut number).expect("a display");
        Self { server, name: format!(":{}", number.trim()) }
    }

    /// What a hand does on it; answers what xdotool says.
    pub fn hand(&self, args: &[&str]) -> String {
        self.tries(args).unwrap_or_else(|error| panic!("xdotool {args:?}: {error}\nis it there? .ci/install windows"))
    }

    /// The same, or what xdotool complains of.
    fn tries(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new("timeout");
        command.args(["60", "xdotool"]).args(args).env("DISPLAY", &self.name);
        let output = command.output().expect("timeout");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }

    /// Waits for a window by its title.
    pub fn window(&self, title: &str) -> String {
        let search = ["search", "--sync", "--onlyvisible", "--name", title];
        let given_up = Instant::now() + Duration::from_mins(1);
        let found = loop {
            match self.tries(&search) {
                // It asks for one window after the other, and ends where one of them has gone meanwhile: a browser that
                // starts makes and drops some.
                Err(error) if error.contains("BadWindow") && Instant::now() < given_up => {}
                found => break found,
            }
        };
        let found =
            found.unwrap_or_else(|error| panic!("no window {title:?}: {error}\nis xdotool there? .ci/install windows"));
        found.lines().next().expect("a window").to_owned()
    }
}
