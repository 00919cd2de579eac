//! A store that machines share, as its users meet it: two homes with one key, and every way in which it can be out of reach.

use std::process::Command;

use rhaven::store::RedisUrl;

use crate::home::{Home, Said, said};
use crate::redis_server::{RedisServer, free_port};
use crate::s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

const COOKIE: &str = r#"{"name": "sid", "value": "needle", "domain": "a.example", "path": "/", "expires": -1,
    "httpOnly": true, "secure": true, "sameSite": "Lax"}"#;
const WITHOUT_A_KEY: &str = "";

/// A shared store, and a home on one of its machines with the key.
struct Shared {
    redis: RedisServer,
    s3: S3Server,
    home: Home,
    key: String,
}

impl Shared {
    fn with(redis: RedisServer) -> Self {
        let home = Home::new();
        let key = home.rhaven(&["key", "new"]).ends(0).out.trim().to_owned();
        // Large enough to be a blob.
        let large = "x".repeat(400_000);
        let storage =
            format!(r#"[{{"origin": "https://a.example", "localStorage": [{{"name": "big", "value": "{large}"}}]}}]"#);
        home.write("state.json", &format!(r#"{{"cookies": [{COOKIE}], "origins": {storage}}}"#));
        Self { redis, s3: S3Server::start(), home, key }
    }

    fn new() -> Self {
        Self::with(RedisServer::start())
    }

    fn redis_url(&self) -> RedisUrl {
        self.redis.url()
    }

    /// `rhaven` on a machine of its own, called `machine`.
    fn command(&self, machine: &str, key: &str, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env("RHAVEN_HOME", self.home.path().join(machine));
        command.env("RHAVEN_STORE", self.redis_url().to_string()).env("RHAVEN_BLOBS", self.s3.url("rhaven"));
        if key != WITHOUT_A_KEY {
            command.env("RHAVEN_KEY", key);
        }
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY).env("AWS_REGION", REGION);
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(&mut self.command("one", &self.key, args))
    }

    fn import(&self, id: &str) {
        self.run(&["session", "import", id, "state.json"]).ends(0);
    }

    /// What `doctor` finds of that name: whether it fails, and what it says.
    fn doctor(&self, name: &str) -> Vec<(String, String)> {
        let told = self.run(&["doctor", "--json"]).json();
        let checks = told["checks"].as_array().expect("a list").iter().filter(|check| check["name"] == name);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        checks
            .map(|check| (text(&check["status"]), format!("{} {}", text(&check["text"]), text(&check["hint"]))))
            .collect()
    }
}

fn ids(said: &Said) -> Vec<String> {
    let listed = said.json();
    listed.as_array().expect("a list").iter().map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn two_machines_with_one_key_have_the_same_sessions() {
    let shared = Shared::new();
    shared.import("acme");
    assert!(shared.s3.keys().iter().any(|key| key.starts_with("rhaven/blobs/")), "{:?}", shared.s3.keys());
    let other = said(&mut shared.command("two", &shared.key, &["session", "show", "acme", "--json"])).ends(0).json();
    assert_eq!(
        (&other["cookies"][0]["name"], &other["origins"][0]["local_storage"][0]),
        (&"sid".into(), &"big".into())
    );
    let shown = shared.run(&["store"]).ends(0).out;
    assert!(shown.contains("redis://127.0.0.1") && shown.contains("s3://team/rhaven"), "{shown}");
    assert!(!shared.home.path().join("two/key").exists());
}

#[test]
fn a_shared_store_makes_no_key_and_takes_no_other() {
    let shared = Shared::new();
    let list = |machine: &str, key: &str| said(&mut shared.command(machine, key, &["session", "list", "--json"]));
    let none = said(&mut shared.command("two", WITHOUT_A_KEY, &["session", "list"])).ends(5);
    none.tells("error[key_unavailable]")
        .tells("none is made for the store at redis://")
        .tells("`rhaven key new` prints one");
    assert!(shared.redis.run::<Vec<String>>(&["KEYS", "*document:check*"]).is_empty(), "a key check was made");

    shared.import("acme");
    let none = said(&mut shared.command("two", WITHOUT_A_KEY, &["session", "list"])).ends(5);
    none.tells("error[key_unavailable]").tells("take it from a machine that uses it");
    assert!(!shared.home.path().join("two/key").exists(), "a key was made");
    let other = shared.home.rhaven(&["key", "new"]).ends(0).out;
    let wrong = said(&mut shared.command("two", other.trim(), &["session", "import", "other", "state.json"])).ends(5);
    wrong.tells("error[wrong_key]").tells("redis://127.0.0.1").tells("give the key that the store was made with");
    assert_eq!(ids(&list("one", &shared.key).ends(0)), ["acme"]);
}

#[test]
fn a_server_that_is_not_there_and_a_password_that_is_wrong_are_said() {
    let shared = Shared::with(RedisServer::with(&["--requirepass", "swordfish"]));
    let at = |store: &str| {
        let mut command = shared.command("one", &shared.key, &["session", "list"]);
        let told = said(command.env("RHAVEN_STORE", store)).ends(5).tells("error[store_unavailable]");
        assert!(!told.err.contains("hunter2") && !told.err.contains("swordfish"), "{}", told.err);
        told.tells("`rhaven doctor` tries the store")
    };
    let port = shared.redis.port;
    at(&format!("redis://:hunter2@127.0.0.1:{port}")).tells("it does not take this user and password");
    at(&format!("redis://127.0.0.1:{port}")).tells("NOAUTH");
    at(&format!("redis://:hunter2@127.0.0.1:{}", free_port())).tells("refused");
    at("redis://:hunter2@no-such-host.invalid").tells("no-such-host.invalid");
    let mut right = shared.command("one", &shared.key, &["session", "list"]);
    said(right.env("RHAVEN_STORE", format!("redis://:swordfish@127.0.0.1:{port}"))).ends(0);
    let mut doctor = shared.command("one", &shared.key, &["doctor"]);
    let told = said(doctor.env("RHAVEN_STORE", format!("redis://:hunter2@127.0.0.1:{port}"))).ends(1);
    assert!(told.out.contains("FAIL  redis") && !told.out.contains("hunter2"), "{}", told.out);

    // The same of the bucket.
    let denied = |name: &str, value: &str| {
        let mut command = shared.command("one", &shared.key, &["session", "list"]);
        command.env("RHAVEN_STORE", format!("redis://:swordfish@127.0.0.1:{port}")).env(name, value);
        command.env("RHAVEN_BLOBS", shared.s3.url("another"));
        let told = said(&mut command).ends(5);
        assert!(!told.err.contains("hunter2") && !told.err.contains(SECRET_KEY), "{}", told.err);
        told
    };
    denied("AWS_SECRET_ACCESS_KEY", "hunter2").tells("error[store_unavailable]");
}

#[test]
fn doctor_says_what_is_right_and_what_is_to_be_fixed() {
    let shared = Shared::new();
    let checks = || shared.redis.run::<Vec<String>>(&["KEYS", "*document:check*"]);
    let new = shared.doctor("store");
    assert!(
        new.len() == 1 && new[0].1.contains("nothing is there yet") && checks().is_empty(),
        "{new:?} {:?}",
        checks()
    );
    shared.import("acme");
    assert_eq!(checks().len(), 1);
    let one = |name: &str, status: &str, part: &str| {
        let found = shared.doctor(name);
        assert!(
            found.iter().any(|(is, text)| is == status && text.contains(part)),
            "{name} {status} {part}: {found:?}"
        );
    };
    one("redis", "ok", "answers in");
    one("writes", "ok", "condition");
    one("eviction", "ok", "noeviction");
    one("persistence", "warn", "appendonly yes");
    one("s3", "ok", "condition: If-None-Match is honoured");
    one("store", "ok", "the key fits; 1 session(s)");
    assert!(shared.s3.keys().iter().all(|key| !key.contains("probe")), "{:?}", shared.s3.keys());

    shared.redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    shared.s3.ignore_conditions();
    let told = shared.run(&["doctor"]).ends(1).out;
    for part in ["FAIL  eviction", "CONFIG SET maxmemory-policy noeviction", "FAIL  s3", "If-None-Match is ignored"] {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
    let none = said(&mut shared.command("two", WITHOUT_A_KEY, &["doctor"])).ends(1).out;
    assert!(none.contains("FAIL  key") && none.contains("`rhaven key new` prints one"), "{none}");
}

#[test]
fn a_store_moves_to_redis_and_s3_and_back() {
    let shared = Shared::new();
    let of_home = |args: &[&str]| said(shared.home.command(args).env("RHAVEN_KEY", &shared.key));
    for id in ["acme", "other", "third"] {
        of_home(&["session", "import", id, "state.json"]).ends(0);
    }
    let local = shared.home.path().join("rhaven/store").display().to_string();
    let there = shared.run(&["store", "copy", &local, "configured", "--json"]).ends(0).json();
    assert_eq!((&there["sessions"]["copied"], &there["sessions"]["verified"]), (&3.into(), &3.into()), "{there}");
    assert_eq!(there["blobs"]["copied"], 3);
    assert_eq!(ids(&shared.run(&["session", "list", "--json"]).ends(0)), ["acme", "other", "third"]);
    shared.run(&["session", "check", "acme"]).ends(0);

    // It goes on in the shared store, and comes back to another folder.
    shared.run(&["session", "import", "acme", "state.json", "--replace"]).ends(0);
    let again = shared.run(&["store", "copy", &local, "configured", "--json"]).ends(0).json();
    assert_eq!((&again["sessions"]["copied"], &again["sessions"]["there"]), (&0.into(), &3.into()), "{again}");
    shared.run(&["store", "copy", "configured", "back"]).ends(0).tells("copied 3 session(s)");
    let back = of_home(&["session", "show", "acme", "--json", "--store", "back"]).ends(0).json();
    assert_eq!((&back["version"], &back["origins"][0]["local_storage"][0]), (&2.into(), &"big".into()));
    of_home(&["session", "check", "acme", "--store", "back"]).ends(0);
}
