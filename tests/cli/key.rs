//! `rhaven key`: changing keys, killed at any moment; and passphrases.

use std::process::Stdio;

use crate::home::{Home, said};
use crate::secret::piped;

/// How many secrets are sealed anew: enough that a kill finds a rotation at work.
const SECRETS: usize = 120;
/// How often a rotation is killed.
const KILLS: u64 = 12;

const KEEP: &str = "goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('kept', 'a value')\"); ()";
const LOOK: &str = "goto(args.base + \"/form\"); evaluate(\"localStorage.getItem('kept')\")";

fn secret(number: usize) -> (String, String) {
    (format!("SECRET_{number}"), format!("value of {number}"))
}

/// What `key list` tells: per key, whether it seals and how many sessions and documents are under it.
fn keys(home: &Home) -> Vec<(bool, u64, u64)> {
    let list = home.rhaven(&["key", "list", "--json"]).ends(0).json();
    let count = |key: &serde_json::Value, what: &str| key[what].as_u64().expect("a number");
    let keys = list.as_array().expect("a list");
    keys.iter().map(|key| (key["seals"] == true, count(key, "sessions"), count(key, "documents"))).collect()
}

#[test]
fn a_rotation_that_is_killed_at_any_moment_is_finished_by_the_next() {
    use rhaven::base::{Secret, Tenant};
    use rhaven::session::{KeySource, Sessions, StoreConfig};

    let home = Home::new();
    home.run(KEEP, &["--session", "acme"]).ends(0);
    home.run(KEEP, &["--session", "acme", "--tenant", "globex"]).ends(0);
    let folder = home.path().join("rhaven");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open = async || {
        let key = KeySource::MadeOnFirstUse(folder.join("key"));
        Sessions::open(StoreConfig::Embedded(folder.join("store")), key).await.expect("the store")
    };
    let tenant = Tenant::default();
    runtime.block_on(async {
        let sessions = open().await;
        for (name, value) in (0..SECRETS).map(secret) {
            sessions.set_secret(&tenant, &name, &Secret::new(&name, value)).await.expect("a secret");
        }
    });
    // What a whole one takes on this machine.
    let began = std::time::Instant::now();
    home.rhaven(&["key", "rotate"]).ends(0).tells("a new key");
    let whole = began.elapsed();

    let (mut halfway, mut files) = (0, Vec::new());
    for kill in 0..KILLS {
        let mut rotating = home.command(&["key", "rotate"]);
        let mut child = rotating.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        // Moments spread over the whole of it; the waiting is the test's own subject.
        let moment = whole.mul_f64((f64::from(u32::try_from(kill).unwrap_or(0)) + 0.5) / 12.0);
        let (never, ended) = std::sync::mpsc::channel::<()>();
        let _ = ended.recv_timeout(moment);
        drop(never);
        child.kill().expect("a kill");
        child.wait().expect("an end");
        // Whatever there is now opens everything.
        let under_old: u64 = keys(&home).iter().filter(|key| !key.0).map(|key| key.1 + key.2).sum();
        halfway += usize::from(under_old > 0 && under_old < SECRETS as u64);
        runtime.block_on(async {
            let sessions = open().await;
            for (name, value) in (0..SECRETS).map(secret) {
                let found = sessions.secret(&tenant, &name).await.expect("it opens").expect("it is there");
                assert_eq!(found.expose(), value);
            }
        });
        files.push(std::fs::read_to_string(folder.join("key")).expect("the key file").lines().count());
    }
    assert!(halfway > 0, "no kill found a rotation at work: {files:?}");
    home.rhaven(&["key", "rotate"]).ends(0);
    let found = keys(&home);
    let documents = SECRETS as u64 + 3;
    assert!(found.iter().all(|key| *key == (true, 1, documents) || *key == (false, 0, 0) || key.0), "{found:?}");
    assert_eq!((found[0].0, found[0].1, found[0].2), (true, 2, documents), "{found:?}");
    for tenant in ["default", "globex"] {
        let kept = home.run(LOOK, &["--session", "acme", "--tenant", tenant]).ends(0);
        assert!(kept.out.contains("a value"), "{kept:?}");
    }
}

#[test]
fn an_old_key_is_retired_once_nothing_refers_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    piped(&mut home.command(&["secret", "set", "PIN"]), "swordfish").ends(0);
    let first = home.rhaven(&["key", "list", "--json"]).ends(0).json()[0]["id"].as_str().expect("an id").to_owned();
    home.rhaven(&["key", "retire", &first, "--yes"]).ends(5).tells("error[key_in_use]").tells("the one that seals");
    let rotated = home.rhaven(&["key", "rotate", "--json"]).ends(0).json();
    assert_eq!((&rotated["new"], &rotated["resealed"]), (&true.into(), &3.into()), "{rotated}");

    let list = home.rhaven(&["key", "list"]).ends(0);
    assert!(list.out.contains(&first) && list.out.contains("opens"), "{}", list.out);
    home.rhaven(&["key", "retire", &first]).ends(1).tells("give --yes");
    home.rhaven(&["key", "retire", "zz", "--yes"]).ends(5).tells("no single key has an id that begins with \"zz\"");
    home.rhaven(&["key", "retire", &first[..6], "--yes"]).ends(0).tells(&format!("key {first}: retired"));
    let file = home.path().join("rhaven/key");
    assert_eq!(std::fs::read_to_string(&file).expect("the key file").lines().count(), 1);
    assert_eq!(file.metadata().expect("the key file").permissions().mode() & 0o777, 0o600);
    assert!(home.rhaven(&["secret", "list"]).ends(0).out.contains("PIN"));

    // The old key brought back opens nothing: what it sealed is gone.
    let mut stranger = home.command(&["secret", "list"]);
    let other = home.rhaven(&["key", "new"]).ends(0).out;
    said(stranger.env("RHAVEN_KEY", other.trim())).ends(5).tells("error[wrong_key]");
}

#[test]
fn a_passphrase_stands_in_for_a_key() {
    let home = Home::new();
    let with = |words: &str, args: &[&str]| {
        let mut command = home.command(args);
        command.env("RHAVEN_PASSPHRASE", words);
        command
    };
    piped(&mut with("correct horse battery", &["secret", "set", "PIN"]), "swordfish").ends(0);
    assert!(!home.path().join("rhaven/key").exists(), "a key file was made beside the passphrase");
    let wrong = said(&mut with("correct horse batterz", &["secret", "list"])).ends(5).tells("error[wrong_key]");
    assert!(!wrong.err.contains("batterz"), "{}", wrong.err);
    said(&mut with("abc", &["secret", "list"])).ends(5).tells("a passphrase has at least 8 characters");
    home.write("words", "correct horse battery\n");
    let mut from_file = home.command(&["secret", "list"]);
    assert!(said(from_file.env("RHAVEN_PASSPHRASE_FILE", "words")).ends(0).out.contains("PIN"));
    let doctor = said(&mut with("correct horse battery", &["doctor"])).ends(0);
    assert!(doctor.out.contains("from RHAVEN_PASSPHRASE") && doctor.out.contains("the key fits"), "{}", doctor.out);
}
