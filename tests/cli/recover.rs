//! `rhaven session recover` without an id: Redis has lost everything, and what has its profile in S3 comes back.

use std::process::Command;

use crate::home::{Home, Said, said};
use crate::redis_server::RedisServer;
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const KEEP: &str = "session(\"acme\", #{profile: true}); goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('kept', 'a value')\"); ()";
const LOOK: &str = "session(\"acme\"); goto(args.base + \"/form\"); evaluate(\"localStorage.getItem('kept')\")";

/// A machine that uses the shared store.
struct Node {
    home: Home,
    redis: RedisServer,
    s3: S3Server,
    /// The variable of the key and what it holds.
    key: (&'static str, String),
}

impl Node {
    fn new(redis: RedisServer, key: Option<(&'static str, &str)>) -> Self {
        let home = Home::new();
        let key = match key {
            Some((name, words)) => (name, words.to_owned()),
            None => ("RHAVEN_KEY", home.rhaven(&["key", "new"]).ends(0).out.trim().to_owned()),
        };
        Self { home, redis, s3: S3Server::start(), key }
    }

    fn with(&self, mut command: Command) -> Said {
        command.env("RHAVEN_STORE", format!("redis://127.0.0.1:{}", self.redis.port));
        command.env("RHAVEN_BLOBS", self.s3.url("team")).env(self.key.0, &self.key.1);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        said(command.env("AWS_EC2_METADATA_DISABLED", "true"))
    }

    fn rhaven(&self, args: &[&str]) -> Said {
        self.with(self.home.command(args))
    }

    fn run(&self, script: &str) -> Said {
        self.with(self.home.run_command(script, &[]))
    }

    /// An ordinary run is refused, says the way out, and changes nothing of what it needs.
    fn is_refused(&self) {
        let before = self.s3.keys();
        for script in [LOOK, KEEP] {
            self.run(script).ends(5).tells("holds the blobs of another store").tells("rhaven session recover");
        }
        self.rhaven(&["session", "list"]).ends(5).tells("rhaven session recover");
        assert_eq!(self.s3.keys(), before);
    }

    /// The session is found again, as in `is`, and with it, or not, the keys of the store.
    fn recovers(&self, is: &str, version: u64, keys: bool) {
        let found = self.rhaven(&["session", "recover", "--json"]).ends(0).json();
        let sessions = found["sessions"].as_array().expect("a list");
        let told: Vec<_> =
            sessions.iter().map(|session| (&session["id"], &session["version"], &session["is"])).collect();
        assert_eq!(told, [(&"acme".into(), &version.into(), &is.into())], "{found}");
        assert_eq!((&found["keys"], &found["damaged"]), (&keys.into(), &serde_json::json!([])), "{found}");
    }

    /// The session opens with its profile, and goes on.
    fn opens(&self) {
        let shown = self.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
        assert!(shown["profile"].is_object(), "{shown}");
        let found = self.run(LOOK).ends(0).tells("restored v1");
        assert!(found.out.contains("a value"), "{}", found.out);
        self.rhaven(&["session", "check", "acme"]).ends(0);
    }
}

#[test]
fn what_was_flushed_comes_back_with_its_profile() {
    let mut node = Node::new(RedisServer::start(), None);
    node.run(KEEP).ends(0);
    node.redis.run::<()>(&["FLUSHALL"]);
    node.is_refused();
    // Somebody else's key opens nothing, and is in nobody's way.
    let other = node.home.rhaven(&["key", "new"]).ends(0).out;
    let ours = std::mem::replace(&mut node.key.1, other.trim().to_owned());
    node.rhaven(&["session", "recover"]).ends(5).tells("key");
    node.key.1 = ours;
    // What proves the key was put back before it was looked at.
    node.recovers("restored", 1, false);
    node.opens();
    node.recovers("there", 2, false);
}

#[test]
fn a_store_that_was_started_anew_is_founded_again_by_its_passphrase() {
    let mut node = Node::new(RedisServer::start(), Some(("RHAVEN_PASSPHRASE", "correct horse battery staple")));
    node.run(KEEP).ends(0);
    node.redis.kill();
    node.redis.start_again();
    // At once, and after a run was refused.
    node.recovers("restored", 1, true);
    node.redis.kill();
    node.redis.start_again();
    node.is_refused();
    node.recovers("restored", 1, true);
    node.opens();
}
