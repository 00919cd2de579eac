//! A user's world for one test: a home folder, a practice site, and the binary started in them with nothing else of the
//! environment than it needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rhaven::practice::{PASSWORD, Practice};

/// Removed with all that is in it at the end.
pub struct Home {
    folder: tempfile::TempDir,
    site: Practice,
    // Dropped last: the site runs on it.
    _runtime: tokio::runtime::Runtime,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap_or(-1) }
    }

    /// Fails with everything that was said where the exit code is another.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Fails with everything that was said where `text` is not in stderr.
    #[track_caller]
    pub fn tells(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in stderr:\n{}\nstdout:\n{}", self.err, self.out);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in stdout:\n{}\n{}", self.out, self.err))
    }
}

impl Home {
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let site = runtime.block_on(Practice::start(address)).expect("a practice site");
        Self { folder: tempfile::tempdir().expect("a folder"), site, _runtime: runtime }
    }

    /// The folder that everything of this user lies in.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The practice site's address.
    pub fn site(&self) -> &str {
        self.site.url()
    }

    /// Writes a file below the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// `rhaven` with these arguments, in the folder, with the password for the practice site.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhaven"));
        command.args(args).current_dir(self.path()).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", self.path()).env("RHAVEN_HOME", self.path().join("rhaven"));
        command.env("RHAVEN_SECRET_PRACTICE_PASSWORD", PASSWORD).stdin(Stdio::null());
        command
    }

    /// Runs `rhaven` to its end.
    pub fn rhaven(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// Runs a script to its end, `args.base` being the site.
    pub fn run(&self, script: &str, args: &[&str]) -> Said {
        said(&mut self.run_command(script, args))
    }

    /// The command that runs a script.
    pub fn run_command(&self, script: &str, args: &[&str]) -> Command {
        self.write("script.rhai", script);
        let base = format!("base={}", self.site());
        let mut all = vec!["run", "script.rhai", "--arg", &base];
        all.extend(args);
        self.command(&all)
    }

    /// How often the site was asked for each page.
    pub fn visits(&self) -> serde_json::Value {
        serde_json::from_str(&self.visit("/api/visits")).expect("JSON")
    }

    /// Asks the site for a page, as somebody else; answers its body.
    pub fn visit(&self, path: &str) -> String {
        let host = self.site().trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("the site listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        body.to_owned()
    }
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    Said::of(command.output().expect("the binary starts"))
}

/// A command that is still running.
pub struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    /// What was heard of stderr.
    heard: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, out, heard: String::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it reads, where that is a pipe.
    pub fn input(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("a pipe")
    }

    /// Waits for a line on stderr with that in it.
    pub fn hears(&mut self, text: &str) -> String {
        let err = self.child.stderr.as_mut().expect("a pipe");
        let (mut line, mut byte) = (Vec::new(), [0]);
        // Byte by byte: the rest is for `end`.
        while err.read(&mut byte).expect("a byte") == 1 {
            line.push(byte[0]);
            if line.ends_with(b"\n") {
                let whole = String::from_utf8(std::mem::take(&mut line)).expect("text");
                self.heard.push_str(&whole);
                if whole.contains(text) {
                    return whole.trim_end().to_owned();
                }
            }
        }
        panic!("no {text:?} in stderr:\n{}", self.heard)
    }

    /// Waits for the next line on stdout; empty at its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for the end.
    pub fn end(mut self) -> Said {
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("the rest of stdout");
        let output = self.child.wait_with_output().expect("an end");
        let rest = Said::of(output);
        Said { out, err: self.heard + rest.err.as_str(), ..rest }
    }

    /// Goes away without reading the rest, and waits for the end.
    pub fn end_unread(self) -> Said {
        drop(self.out);
        Said::of(self.child.wait_with_output().expect("an end"))
    }

    /// SIGKILL after `moment`, `before` being called just before it; the lines that came until then.
    pub fn kill_after(self, moment: Duration, before: impl FnOnce()) -> Vec<String> {
        let Self { mut child, out, .. } = self;
        let (ended, end) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            // The last line may have been cut by the kill: then it was not acknowledged.
            let lines: Vec<String> = out
                .split(b'\n')
                .map_while(Result::ok)
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .collect();
            let _ = ended.send(());
            lines
        });
        // Nothing is ever sent before the end: this waits for the moment, or for a run that ended by itself.
        let by_itself = end.recv_timeout(moment).is_ok();
        before();
        child.kill().expect("a kill");
        let output = child.wait_with_output().expect("an end");
        assert!(!by_itself, "the run ended by itself:\n{}", String::from_utf8_lossy(&output.stderr));
        reader.join().expect("the reader")
    }
}
