//! Nodes that share a store: Redis and S3 of a test's own, one key for all, a home for each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rhaven::base::Secret;
use rhaven::seal::RootKey;
use rhaven::session::{KeySource, LeaseTimes, StoreConfig, WorkspaceConfig};
use rhaven::store::{BlobsAt, RecordsAt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dying::Run;
use super::redis_server::RedisServer;
use super::rig::Rig;
use super::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// What a process needs to open the store as one of its nodes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Where its outbox is.
    pub home: PathBuf,
    pub records: String,
    pub blobs: String,
    pub key: String,
    pub lease: LeaseSpan,
    /// Whether its session is one with a profile.
    pub profile: bool,
}

/// How long leases last, and how often they are renewed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct LeaseSpan {
    pub lasts: Duration,
    pub renewed_every: Duration,
}

impl Node {
    /// One with a key of its own and the usual leases.
    pub fn at(home: &Path, records: String, blobs: String) -> Self {
        let key = RootKey::generate().unwrap().to_text().to_string();
        let lease = LeaseSpan { lasts: Duration::from_secs(15), renewed_every: Duration::from_secs(5) };
        Self { home: home.to_owned(), records, blobs, key, lease, profile: false }
    }

    pub fn store(&self) -> StoreConfig {
        StoreConfig::Placed {
            records: RecordsAt::parse(&self.records, Path::new("/")).unwrap(),
            blobs: BlobsAt::parse(&self.blobs, Path::new("/")).unwrap(),
        }
    }

    pub fn key(&self) -> KeySource {
        KeySource::Text(Secret::new("RHAVEN_KEY", self.key.clone()))
    }

    pub fn config(&self) -> WorkspaceConfig {
        let LeaseSpan { lasts, renewed_every } = self.lease;
        WorkspaceConfig {
            store: self.store(),
            key: self.key(),
            ttl: Some(Duration::from_hours(1)),
            profile_ttl: Some(Duration::from_hours(1)),
            lease: LeaseTimes { lasts, renewed_every },
            ..Rig::config_at(&self.home)
        }
    }

    /// What of the environment its processes need.
    pub fn environment() -> [(&'static str, &'static str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            // The roles of a machine are not asked for.
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }

    /// The binary, as whoever works on this node; what it answers as JSON, and how it ended.
    pub fn rhaven(&self, args: &[&str]) -> (Value, String, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhaven"));
        command.args(args).args(["--json", "--store", &self.records, "--blobs", &self.blobs]);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("RHAVEN_HOME", &self.home).env("RHAVEN_KEY", &self.key);
        let said = command.envs(Self::environment()).output().unwrap();
        let told = String::from_utf8(said.stderr).unwrap();
        (serde_json::from_slice(&said.stdout).unwrap_or_default(), told, said.status.code().unwrap_or(-1))
    }

    /// The same for what has to succeed.
    pub fn done(&self, args: &[&str]) -> Value {
        let (answer, told, code) = self.rhaven(args);
        assert_eq!(code, 0, "{args:?}: {told}\n{answer}");
        answer
    }
}

/// Servers and a site.
pub struct Shared {
    pub redis: RedisServer,
    pub s3: S3Server,
    pub rig: Rig,
    key: String,
}

impl Shared {
    pub async fn start(redis: RedisServer) -> Self {
        let key = RootKey::generate().unwrap().to_text().to_string();
        Self { redis, s3: S3Server::start(), rig: Rig::start().await, key }
    }

    /// A node with a home of its own.
    pub fn node(&self, name: &str) -> Node {
        let home = self.rig.home.path().join(name);
        std::fs::create_dir_all(&home).unwrap();
        let records = format!("redis://127.0.0.1:{}", self.redis.port);
        Node { key: self.key.clone(), ..Node::at(&home, records, self.s3.url("rhaven")) }
    }

    /// The blobs: those that versions refer to, and the copies of HEADs.
    pub fn blobs(&self) -> (usize, usize) {
        let all = self
            .s3
            .keys()
            .into_iter()
            .filter_map(|key| key.split_once("blobs/")?.1.split_once('/').map(|(_, id)| id.to_owned()));
        let head_copy = "7268766e68656164";
        let (copied, referred): (Vec<_>, Vec<_>) = all.partition(|id| id.starts_with(head_copy));
        let heads = copied.iter().filter(|id| !id[16..].starts_with("0000000000000000")).count();
        (referred.len(), heads)
    }

    /// Every kept version of `acme`, the newest first: what each is worth was checked by opening all of it.
    pub fn versions(&self) -> Vec<u64> {
        let node = self.node("eye");
        let audit = node.done(&["session", "check", "acme"]);
        assert_ne!(audit["whole"], Value::Bool(false), "{audit}");
        let history = node.done(&["session", "history", "acme"]);
        let versions = history.as_array().or_else(|| history["versions"].as_array());
        versions.unwrap_or_else(|| panic!("{history}")).iter().map(|entry| entry["version"].as_u64().unwrap()).collect()
    }
}

/// A state of one word, with a part that is a blob.
pub fn write(word: &str) -> String {
    format!(
        "evaluate localStorage.setItem('token', '{word}'); localStorage.setItem('large', '{word}'.padEnd(300000, '.')); document.cookie = 'who={word}; max-age=9999'"
    )
}

/// The words that are there: one, three times, in a state that is whole.
const READ: &str = "read [localStorage.getItem('token'), (localStorage.getItem('large') ?? '').replace(/\\.*$/, ''), document.cookie.replace('who=', '')]";

/// What [`write`] leaves.
pub fn whole(word: &str) -> Value {
    serde_json::json!([word, word, word])
}

/// A run that is on the site.
pub fn visit(shared: &Shared, node: &Node) -> Run {
    let mut run = Run::of(node, None);
    run.order(&format!("goto {}", shared.rig.url("/")));
    run
}

/// What such a run finds.
pub fn read(run: &mut Run) -> Value {
    run.begin(READ);
    serde_json::from_str(&run.next("value").expect("a value")).unwrap()
}
