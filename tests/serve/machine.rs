//! Machines with a server as a process of its own, which can be killed; and what several of them share.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::processes::{Process, browsers_of};
use crate::redis_server::RedisServer;
use crate::s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

/// Redis and a bucket.
pub struct Common {
    pub redis: RedisServer,
    pub s3: S3Server,
}

impl Common {
    pub fn start() -> Self {
        Self { redis: RedisServer::that_keeps(), s3: S3Server::start() }
    }
}

/// A machine's folder, and what programs on it are told of the store.
pub struct Machine {
    pub home: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

#[allow(clippy::print_stderr, reason = "what a test that fails has to say")]
impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

impl Machine {
    /// With a store of its own.
    pub fn alone() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        Self { home, settings: Vec::new() }
    }

    /// On the store of all.
    pub fn on(common: &Common) -> Self {
        let settings = vec![
            ("RHAVEN_STORE", common.redis.url().to_string()),
            ("RHAVEN_BLOBS", common.s3.url("live")),
            ("RHAVEN_KEY", "17".repeat(32)),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let mut machine = Self::alone();
        machine.settings = settings;
        machine
    }

    fn command(&self, args: &[&str]) -> Command {
        let (home, mut command) = (self.home.path(), Command::new(env!("CARGO_BIN_EXE_rhaven")));
        command.args(args).current_dir(home).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home).env("RHAVEN_HOME", home.join("rhaven")).env("TMPDIR", home.join("tmp"));
        command.envs(self.settings.iter().cloned());
        command
    }

    /// A token for live browsers; it makes the store.
    pub fn token(&self) -> String {
        let args = ["token", "create", "--tenant", "acme", "--scope", "vm"];
        let made = self.command(&args).output().unwrap();
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(token.starts_with("rhvn_"), "{}", String::from_utf8_lossy(&made.stderr));
        token
    }

    pub fn serve(&self, token: &str) -> Serving {
        let log = std::fs::File::options().create(true).append(true).open(self.home.path().join("log")).unwrap();
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--no-sandbox", "--allow-private"]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http"), "{}", self.log());
        Serving { child, url: url.trim().to_owned(), token: token.to_owned() }
    }

    /// What its servers have said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// How many states of runs that go on are kept beside their sessions; of a store of its own.
    pub fn checkpoints(&self) -> i64 {
        let db = rusqlite::Connection::open(self.home.path().join("rhaven/store/store.sqlite"));
        let count = db.and_then(|db| db.query_row("SELECT count(*) FROM checkpoint", [], |row| row.get(0)));
        // Locked for a moment.
        count.unwrap_or(0)
    }
}

/// A server that runs.
pub struct Serving {
    child: Child,
    pub url: String,
    token: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Host and port.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = body.iter().fold(request, reqwest::RequestBuilder::json).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
    }

    /// A live browser.
    pub async fn made(&self, body: Value) -> Value {
        let (status, live) = self.ask(Method::POST, "/v0/vm", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{live}");
        live
    }

    pub async fn shown(&self, live: &Value) -> Value {
        let id = live["session_id"].as_str().unwrap();
        let (status, shown) = self.ask(Method::GET, &format!("/v0/vm/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
        shown
    }

    /// Why it ended, and what of it is saved.
    pub async fn end_of(&self, live: &Value) -> (Value, Value) {
        let shown = self.shown(live).await;
        (shown["termination_reason"].clone(), shown["saved"].clone())
    }

    pub async fn delete(&self, live: &Value) {
        let id = live["session_id"].as_str().unwrap();
        let (status, deleted) = self.ask(Method::DELETE, &format!("/v0/vm/{id}"), None).await;
        assert_eq!((status, deleted), (StatusCode::OK, json!({ "session_id": id })));
    }

    /// The living processes of its browsers.
    pub fn browsers(&self) -> Vec<Process> {
        browsers_of(self.child.id())
    }

    /// The user-data directories of its browsers.
    pub fn profiles(&self) -> Vec<PathBuf> {
        let folders = self.browsers().into_iter().filter_map(|browser| {
            let line = std::fs::read(format!("/proc/{}/cmdline", browser.pid())).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.split('\0').find_map(|arg| arg.strip_prefix("--user-data-dir=").map(PathBuf::from))
        });
        let mut folders: Vec<_> = folders.collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; how it ended.
    pub fn ends(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM; how it ended.
    pub fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ends()
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let (folders, files): (Vec<_>, Vec<_>) = entries.map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}
