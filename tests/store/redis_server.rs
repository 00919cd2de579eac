//! A Redis server of a test's own: on a free port, in a folder that goes with it, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rhaven::store::{RedisStore, RedisUrl, StoreError};
use tempfile::TempDir;

/// How many ports are tried: another program may take one between the question and the answer.
const TRIES: usize = 20;

/// A running server.
pub struct RedisServer {
    pub port: u16,
    child: Child,
    settings: Vec<String>,
    /// Removed last.
    pub folder: TempDir,
}

impl RedisServer {
    /// One that keeps nothing across a restart.
    pub fn start() -> Self {
        Self::with(&["--appendonly", "no"])
    }

    /// One that keeps what it has acknowledged, also when it is killed. (With `everysec`, which is what it does by itself, it
    /// holds back writes to its file while that is being synced, for up to two seconds.)
    pub fn that_keeps() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with settings of the command line, in which `PORT` is its port.
    pub fn with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        for _ in 0..TRIES {
            let port = free_port();
            if let Some(child) = run(port, &settings, &folder) {
                return Self { port, child, settings, folder };
            }
        }
        panic!("redis-server cannot be started on any of {TRIES} ports");
    }

    pub fn url(&self) -> RedisUrl {
        self.url_as("")
    }

    /// With `user:password@` or the like before the host.
    pub fn url_as(&self, login: &str) -> RedisUrl {
        RedisUrl::parse(&format!("redis://{login}127.0.0.1:{}", self.port)).unwrap()
    }

    /// Where it is, as messages say it.
    pub fn place(&self) -> String {
        format!("Redis at 127.0.0.1:{}", self.port)
    }

    pub async fn connect(&self) -> RedisStore {
        self.try_connect().await.unwrap()
    }

    pub async fn try_connect(&self) -> Result<RedisStore, StoreError> {
        RedisStore::connect(&self.url()).await
    }

    /// A connection for what a test does behind the store's back.
    pub fn admin(&self) -> redis::Connection {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection().unwrap()
    }

    /// Runs one command, given in words, behind the store's back.
    pub fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.admin()).unwrap()
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, after [`Self::kill`].
    pub fn start_again(&mut self) {
        self.child = run(self.port, &self.settings, &self.folder).expect("the port is still free");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that accepts connections; none where it ended before, as it does where the port is taken.
fn run(port: u16, settings: &[String], folder: &TempDir) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--logfile", "", "--daemonize", "no"])
        .args(settings.iter().map(|setting| setting.replace("PORT", &port.to_string())))
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server cannot be run ({error}); .ci/install redis installs it"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("Ready to accept connections")) {
        // What it says later is read, so that it is never kept waiting.
        std::thread::spawn(move || lines.for_each(drop));
        return Some(child);
    }
    child.wait().unwrap();
    None
}
