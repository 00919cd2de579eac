//! `rhaven store`: where sessions are, and copying all of them elsewhere.

use crate::home::{Home, Said, said};

const STATE: &str = r#"{"cookies": [{"name": "sid", "value": "needle", "domain": "a.example", "path": "/", "expires": -1,
    "httpOnly": true, "secure": true, "sameSite": "Lax"}], "origins": []}"#;

/// A home with session `acme` of two versions, session `other` and a secret.
fn filled() -> Home {
    let home = Home::new();
    home.write("state.json", STATE);
    for args in [&["acme"][..], &["other"], &["acme", "--replace"]] {
        home.rhaven(&[&["session", "import", args[0], "state.json"], &args[1..]].concat()).ends(0);
    }
    home
}

/// What the sessions at a place are called.
fn sessions(home: &Home, place: &str) -> Vec<String> {
    let listed = home.rhaven(&["session", "list", "--json", "--store", place]).ends(0).json();
    let ids = listed.as_array().expect("a list").iter();
    ids.map(|session| format!("{} v{}", session["id"].as_str().expect("an id"), session["version"])).collect()
}

fn copy(home: &Home, to: &str) -> Said {
    home.rhaven(&["store", "copy", "configured", to, "--json"])
}

#[test]
fn it_shows_where_it_is_and_what_it_holds() {
    let home = Home::new();
    let none = home.rhaven(&["store"]).ends(0);
    assert!(none.out.contains("rhaven/store") && none.out.contains("nothing is there yet"), "{}", none.out);
    assert!(!home.path().join("rhaven/store").exists(), "it was made for the question");
    let home = filled();
    let shown = home.rhaven(&["store"]).ends(0).out;
    assert!(shown.contains("sessions   2 of 1 tenant(s), 3 version(s)"), "{shown}");
    let json = home.rhaven(&["store", "--json"]).ends(0).json();
    assert_eq!((&json["holds"]["sessions"]["count"], &json["shared"]), (&2.into(), &false.into()));
    assert!(json["store"].as_str().is_some_and(|place| place.starts_with("sqlite:")), "{json}");
}

#[test]
fn a_copy_is_opened_by_the_same_key_and_goes_on() {
    let home = filled();
    let done = copy(&home, "backup").ends(0).json();
    assert_eq!(
        (&done["ok"], &done["sessions"]["copied"], &done["sessions"]["verified"]),
        (&true.into(), &2.into(), &2.into())
    );
    assert_eq!(sessions(&home, "backup"), ["acme v2", "other v1"]);
    let shown = home.rhaven(&["session", "show", "acme", "--json", "--store", "backup"]).ends(0).json();
    assert_eq!(shown["cookies"][0]["name"], "sid");

    home.rhaven(&["session", "import", "third", "state.json"]).ends(0);
    let again = copy(&home, "backup").ends(0).json();
    assert_eq!((&again["sessions"]["copied"], &again["sessions"]["there"]), (&1.into(), &2.into()));
    let told = home.rhaven(&["store", "copy", "configured", "backup"]).ends(0);
    told.tells("copied 0 session(s)").tells("3 session(s) verified");
    home.rhaven(&["store", "copy", "backup", "moved", "--to-blobs", "large"]).ends(0);
    assert_eq!(sessions(&home, "moved"), ["acme v2", "other v1", "third v1"]);
    assert!(home.path().join("large/blobs").is_dir());
}

#[test]
fn a_copy_is_never_mixed_with_what_is_there() {
    let home = filled();
    copy(&home, "backup").ends(0);
    // Both have gone on.
    for store in ["rhaven/store", "backup"] {
        home.rhaven(&["session", "import", "acme", "state.json", "--replace", "--store", store]).ends(0);
    }
    let refused = copy(&home, "backup").ends(5).json();
    assert_eq!(refused["failure"]["code"], "store_mismatch");
    assert_eq!(refused["differing"], serde_json::json!(["default/acme"]));
    let told = home.rhaven(&["store", "copy", "configured", "backup"]).ends(5);
    told.tells("session default/acme: another content").tells("1 session(s) and 0 document(s) of the same name");

    let other = home.path().join("elsewhere");
    let elsewhere = |args: &[&str]| said(home.command(args).env("RHAVEN_HOME", &other));
    elsewhere(&["session", "import", "acme", "state.json"]).ends(0);
    let place = other.join("store").display().to_string();
    copy(&home, &place).ends(5);
    home.rhaven(&["store", "copy", "configured", &place]).ends(5).tells("error[store_mismatch]").tells("another store");
    assert_eq!(elsewhere(&["session", "list", "--json"]).ends(0).json()[0]["version"], 1);
}

#[test]
fn a_place_that_cannot_be_is_said_without_its_password() {
    let home = filled();
    let wrong = |args: &[&str], part: &str| {
        let told = home.rhaven(args).ends(1).tells(part);
        assert!(!told.err.contains("hunter2") && !told.out.contains("hunter2"), "{}", told.err);
    };
    wrong(&["session", "list", "--store", "reddis://u:hunter2@h"], "did you mean redis:?");
    wrong(&["session", "list", "--store", "redis://u:hunter2@h"], "redis://u:***@h:6379 keeps no blobs");
    wrong(&["session", "list", "--store", "redis://u:hunter2@h:x"], "redis://USER:PASSWORD@HOST:PORT/NUMBER is wanted");
    wrong(&["session", "list", "--blobs", "s3://key:hunter2@b"], "AWS_ACCESS_KEY_ID");
    wrong(&["session", "list", "--store", "s3://bucket"], "give it with --blobs");
    wrong(&["store", "copy", "nowhere", "x"], "there is no store at");
    wrong(&["store", "copy", "configured", "memory:"], "TO: a store in memory is gone with its process");
    wrong(&["store", "copy", "configured", "redis://:hunter2@h"], "TO: redis://:***@h:6379 keeps no blobs");
    let project = home.write("rhaven.toml", "store = 'redis://u:hunter2@h'");
    wrong(&["session", "list"], "a server cannot be set for a project");
    std::fs::remove_file(project).expect("the file");
    let env = said(
        home.command(&["session", "list"]).env("RHAVEN_STORE", "redis://h").env("RHAVEN_BLOBS", "redis://:hunter2@h"),
    );
    assert!(!env.ends(1).tells("RHAVEN_BLOBS: redis holds records").err.contains("hunter2"));
}

/// How many sessions are copied while it is killed, and how often it is.
const SESSIONS: usize = 24;
const KILLS: u32 = 6;

#[test]
fn a_copy_that_is_killed_at_any_moment_is_finished_by_the_next() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let home = Home::new();
    // Large enough to be a blob.
    let large = "x".repeat(400_000);
    let storage =
        format!(r#"[{{"origin": "https://a.example", "localStorage": [{{"name": "big", "value": "{large}"}}]}}]"#);
    home.write("state.json", &format!(r#"{{"cookies": [], "origins": {storage}}}"#));
    for number in 0..SESSIONS {
        home.rhaven(&["session", "import", &format!("s{number:02}"), "state.json"]).ends(0);
    }
    // What a whole one takes on this machine.
    let began = Instant::now();
    copy(&home, "whole").ends(0);
    let whole = began.elapsed();
    for kill in 0..KILLS {
        let target = format!("cut-{kill}");
        let mut copying = home.command(&["store", "copy", "configured", &target]);
        let mut child = copying.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        // Moments spread over the whole of it; the waiting is the test's own subject.
        let moment = whole.mul_f64((f64::from(kill) + 0.5) / f64::from(KILLS));
        let (never, ended) = std::sync::mpsc::channel::<()>();
        assert!(ended.recv_timeout(moment.max(Duration::from_millis(1))).is_err());
        drop(never);
        let _ = child.kill();
        child.wait().expect("an end");
        // Whatever the kill met, all that is there now is whole, and the rest comes.
        let done = copy(&home, &target).ends(0).json();
        assert_eq!(done["sessions"]["verified"], SESSIONS, "{done}");
        let listed = sessions(&home, &target);
        assert_eq!(listed.len(), SESSIONS);
        home.rhaven(&["session", "check", "s00", "--store", &target]).ends(0);
        home.rhaven(&["session", "check", "s23", "--store", &target]).ends(0);
    }
}
