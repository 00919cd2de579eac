//! `rhaven session history|diff|rollback|fork|pin|unpin`, and what scripts say of the same.

use crate::home::{Home, Running, said};

/// Writes what it is given to localStorage.
const WRITE: &str = "goto(args.base + \"/form\"); evaluate(\"v => localStorage.setItem('kept', v)\", args.value); ()";
/// Answers what is there.
const READ: &str = "goto(args.base + \"/form\"); evaluate(\"() => localStorage.getItem('kept')\")";

fn save(home: &Home, value: &str) {
    home.run(WRITE, &["--session", "acme", "--arg", &format!("value={value}")]).ends(0);
}

fn read(home: &Home, id: &str) -> serde_json::Value {
    home.run(READ, &["--session", id, "--json"]).ends(0).json()["result"].clone()
}

#[test]
fn versions_are_listed_compared_and_rolled_back() {
    let home = Home::new();
    save(&home, "swordfish");
    save(&home, "catfish");
    let history = home.rhaven(&["session", "history", "acme"]).ends(0);
    let lines: Vec<&str> = history.out.lines().collect();
    assert!(lines[0].starts_with("VERSION") && lines[0].ends_with("CHANGED"), "{}", history.out);
    assert!(lines[1].starts_with("v2") && lines[1].ends_with("localStorage kept changed"), "{}", history.out);
    assert!(lines[2].starts_with("v1") && lines[2].ends_with("localStorage kept added"), "{}", history.out);
    let json = home.rhaven(&["session", "history", "acme", "--json"]).ends(0).json();
    assert_eq!((&json[0]["version"], &json[0]["against"], &json[0]["pinned"]), (&2.into(), &1.into(), &false.into()));
    assert_eq!((json[0]["changes"][0]["kind"].as_str(), json.as_array().map(Vec::len)), (Some("changed"), Some(2)));

    let diff = home.rhaven(&["session", "diff", "acme", "v2", "1"]).ends(0);
    assert!(diff.out.starts_with("from v2 to v1") && diff.out.contains("changed  localStorage  kept"), "{}", diff.out);
    let same = home.rhaven(&["session", "diff", "acme", "2"]).ends(0);
    assert!(same.out.contains("no cookie and no storage differs"), "{}", same.out);
    let json = home.rhaven(&["session", "diff", "acme", "--json"]).ends(0).json();
    assert_eq!((&json["from"], &json["to"], &json["changes"][0]["name"]), (&1.into(), &2.into(), &"kept".into()));

    home.rhaven(&["session", "rollback", "acme", "1"]).ends(1).tells("error[not_confirmed]").tells("--yes");
    let done = home.rhaven(&["session", "rollback", "acme", "v1", "--yes"]).ends(0);
    assert!(done.err.contains("session acme: v2 -> v3 with the content of v1"), "{}", done.err);
    assert_eq!(read(&home, "acme"), "swordfish");
    let json = home.rhaven(&["session", "rollback", "acme", "2", "--yes", "--json"]).ends(0).json();
    assert_eq!((&json["from"], &json["to"], &json["version"]), (&3.into(), &2.into(), &4.into()));
    home.rhaven(&["session", "rollback", "acme", "4"]).ends(0).tells("v4 is its newest version already");

    for said in [&history, &diff, &done] {
        assert!(!said.out.contains("fish") && !said.err.contains("fish"), "a value is told: {said:?}");
    }
    for command in [&["diff", "acme", "9"][..], &["rollback", "acme", "9", "--yes"], &["pin", "acme", "9"]] {
        let args: Vec<&str> = ["session"].iter().chain(command).copied().collect();
        home.rhaven(&args)
            .ends(1)
            .tells("error[version_not_found]: session acme has no version v9; kept are v4, v3, v2, v1");
    }
    for command in [&["history", "acmee"][..], &["diff", "acmee"], &["rollback", "acmee", "1"], &["fork", "acmee", "x"]]
    {
        let args: Vec<&str> = ["session"].iter().chain(command).copied().collect();
        home.rhaven(&args).ends(1).tells("error[session_not_found]").tells("did you mean acme?");
    }
    home.rhaven(&["session", "rollback", "acme", "zero"]).ends(1).tells("a version is a number such as 3 or v3");
}

#[test]
fn a_version_is_pinned_and_a_session_is_forked() {
    let home = Home::new();
    save(&home, "one");
    home.rhaven(&["session", "pin", "acme", "1"]).ends(0).tells("session acme: v1 is kept until it is unpinned");
    save(&home, "two");
    let show = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!((&show["versions"][0]["pinned"], &show["versions"][1]["pinned"]), (&false.into(), &true.into()));
    let json = home.rhaven(&["session", "unpin", "acme", "1", "--json"]).ends(0).json();
    assert_eq!((&json["version"], &json["pinned"]), (&1.into(), &false.into()));

    home.rhaven(&["session", "fork", "acme", "copy"]).ends(0).tells("session copy: v1, a fork of v2 of acme");
    home.rhaven(&["session", "fork", "acme", "copy"]).ends(1).tells("error[session_exists]: there is a session copy");
    let json = home.rhaven(&["session", "fork", "acme", "old", "--at", "1", "--json"]).ends(0).json();
    assert_eq!((&json["id"], &json["of_version"]), (&"old".into(), &1.into()));
    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0);
    assert_eq!((read(&home, "copy"), read(&home, "old")), ("two".into(), "one".into()));
}

#[test]
fn a_script_asks_for_its_session_s_history_and_forks_it() {
    let home = Home::new();
    save(&home, "one");
    let script = "let s = session(\"acme\"); goto(args.base + \"/form\");
        evaluate(\"() => localStorage.setItem('kept', 'two')\");
        let named = s.changes().map(|c| `${c.kind} ${c.name}`);
        #{ named: named, forked: s.fork(\"copy\"), versions: history().map(|v| v.version), first: s.history()[0].changes.len(), version: s.version }";
    let answer = home.run(script, &["--json"]).ends(0).json()["result"].clone();
    let wanted =
        serde_json::json!({"named": ["changed kept"], "forked": true, "versions": [1], "first": 1, "version": 1});
    assert_eq!(answer, wanted);
    assert_eq!((read(&home, "copy"), read(&home, "acme")), ("two".into(), "two".into()));
    let script = "session(\"acme\"); let code = \"\"; try { fork(\"copy\"); } catch (e) { code = e.code; } code";
    let again = home.run(script, &["--json"]).ends(0).json();
    assert_eq!(again["result"], "session_exists");
    let none = home.run("[changes(), history(), fork(\"x\")]", &["--json"]).ends(0).json();
    assert_eq!(none["result"], serde_json::json!([[], [], false]), "a throw-away session");
}

#[test]
fn a_session_that_is_in_use_is_read_or_forked() {
    let home = Home::new();
    save(&home, "one");
    let mut holder = Running::start(&mut home.run_command("session(\"acme\"); emit(1); sleep(\"2m\")", &[]));
    assert_eq!(holder.line(), "1");
    let asking = |mode: &str| {
        let script = format!("session(\"acme\", #{{ mode: \"{mode}\" }}); {WRITE}");
        said(&mut home.run_command(&script, &["--arg", "value=two"])).ends(0).err
    };
    let told = asking("read_only");
    assert!(told.contains("session acme: restored v1, read-only: nothing was saved"), "{told}");
    let told = asking("fork");
    assert!(told.contains("session acme is in use by rhaven run"), "{told}");
    assert!(told.contains("session acme.fork-1: a fork of acme, which was in use -> saved v2"), "{told}");
    holder.signal(rustix::process::Signal::INT);
    holder.end().ends(130);
    assert_eq!((read(&home, "acme"), read(&home, "acme.fork-1")), ("one".into(), "two".into()));
}
