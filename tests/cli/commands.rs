//! The commands beside `run`, and what `run` takes.

use std::os::unix::fs::PermissionsExt as _;

use crate::home::{Home, Running, said};

const KEEP: &str = "goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('kept', 'a value')\"); ()";

#[test]
fn help_and_version_are_data_and_end_well() {
    let home = Home::new();
    let help = home.rhaven(&["--help"]).ends(0);
    assert!(help.out.contains("rhaven run orders.rhai") && help.err.is_empty(), "{help:?}");
    let version = home.rhaven(&["--version"]).ends(0);
    assert_eq!(version.out, format!("rhaven {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["run", "check", "session", "browser", "doctor", "docs", "key", "practice"] {
        assert!(home.rhaven(&[command, "--help"]).ends(0).out.contains("Usage: rhaven"), "{command}");
    }
}

#[test]
fn a_mistake_on_the_command_line_is_usage() {
    let home = Home::new();
    home.rhaven(&["run"]).ends(1).tells("Usage: rhaven run");
    home.rhaven(&["rum"]).ends(1).tells("run");
    home.rhaven(&["run", "nowhere.rhai"]).ends(1).tells("error[file_error]: the script nowhere.rhai cannot be read");
    home.rhaven(&["run", "x.rhai", "--timeout", "soon"]).ends(1).tells("a time is milliseconds");
    home.rhaven(&["run", "x.rhai", "--report", "pdf=x"]).ends(1).tells("this rhaven writes json reports");
    let said = home.rhaven(&["run", "x.rhai", "--secret", "swordfish"]).ends(1);
    assert!(said.err.contains("NAME=VALUE is wanted"), "{}", said.err);
}

#[test]
fn a_mistake_in_a_configuration_file_is_named() {
    let home = Home::new();
    home.write("rhaven.toml", "tennant = 'x'");
    home.rhaven(&["session", "list"]).ends(1).tells("there is no setting \"tennant\"").tells("did you mean tenant?");
    home.write("rhaven.toml", "chromium = '/tmp/evil'");
    home.rhaven(&["session", "list"]).ends(1).tells("cannot be set for a project");
}

#[test]
fn keys_are_fresh_and_fit() {
    let home = Home::new();
    let keys = [(), ()].map(|()| home.rhaven(&["key", "new"]).ends(0).out.trim().to_owned());
    assert_ne!(keys[0], keys[1]);
    let mut command = home.command(&["session", "list"]);
    said(command.env("RHAVEN_KEY", &keys[0])).ends(0);
    assert!(!home.path().join("rhaven/key").exists(), "a key was made although one was given");
}

#[test]
fn sessions_are_listed_shown_and_deleted_and_no_value_is_told() {
    let home = Home::new();
    home.rhaven(&["session", "list"]).ends(0).tells("no sessions yet");
    home.run(KEEP, &["--session", "acme"]).ends(0);
    let list = home.rhaven(&["session", "list"]).ends(0);
    assert!(list.out.contains("acme") && list.out.contains("v1"), "{}", list.out);
    let show = home.rhaven(&["session", "show", "acme"]).ends(0);
    assert!(show.out.contains("kept") && !show.out.contains("a value"), "{}", show.out);
    let json = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!((json["id"].as_str(), json["version"].as_u64()), (Some("acme"), Some(1)));
    home.rhaven(&["session", "show", "acmee"]).ends(1).tells("error[session_not_found]").tells("did you mean acme?");
    home.rhaven(&["session", "delete", "acmee", "--yes"]).ends(1).tells("did you mean acme?");
    home.rhaven(&["session", "delete", "acme"]).ends(1).tells("error[not_confirmed]").tells("--yes");
    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0).tells("deleted");
    home.rhaven(&["session", "show", "acme"]).ends(1).tells("error[session_not_found]");
}

#[test]
fn another_tenant_sees_nothing() {
    let home = Home::new();
    home.run(KEEP, &["--session", "acme"]).ends(0);
    home.rhaven(&["session", "show", "acme", "--tenant", "other"]).ends(1).tells("error[session_not_found]");
}

#[test]
fn key_and_store_are_for_the_user_alone() {
    let home = Home::new();
    home.run(KEEP, &["--session", "acme"]).ends(0);
    let mode = |name: &str| {
        let metadata = std::fs::metadata(home.path().join("rhaven").join(name)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("store"), mode("key")), (0o700, 0o600));
}

#[test]
fn json_is_one_document() {
    let home = Home::new();
    let report = home.run("emit(1); emit(2); #{ a: 1 }", &["--json"]).ends(0).json();
    assert_eq!((&report["ok"], &report["result"]["a"], &report["emitted"][1]), (&true.into(), &1.into(), &2.into()));
    let report = home.run("throw \"no\"", &["--json"]).ends(3).json();
    assert_eq!((report["exit_code"].as_u64(), report["failure"]["place"]["line"].as_u64()), (Some(3), Some(1)));
    let path = home.path().join("report.json");
    home.run("7", &["--report", &format!("json={}", path.display())]).ends(0);
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("a report")).expect("JSON");
    assert_eq!(written["result"], 7);
}

#[test]
fn a_script_comes_on_stdin_too() {
    let home = Home::new();
    let script = home.write("other.rhai", "args.a + \"!\"");
    let mut command = home.command(&["run", "-", "--arg", "a=b"]);
    let said = said(command.stdin(std::fs::File::open(script).expect("the script"))).ends(0);
    assert_eq!(said.out, "\"b!\"\n");
}

#[test]
fn quiet_says_nothing_and_verbose_names_the_verbs() {
    let home = Home::new();
    let script = "print(\"hello\"); goto(args.base); ()";
    assert_eq!(home.run(script, &["--quiet", "--session", "a"]).ends(0).err, "");
    home.run(script, &["-v"]).ends(0).tells("hello").tells("goto(");
}

#[test]
fn a_secrets_file_has_to_be_private() {
    let home = Home::new();
    let path = home.write("secrets", "A=swordfish\n");
    let script = "goto(args.base + \"/login\"); fill(\"#password\", secret(\"A\")); input_value(\"#password\")";
    let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    set_mode(0o644);
    home.run(script, &["--secrets-file", "secrets"]).ends(1).tells("error[secrets_file]").tells("chmod 600 secrets");
    set_mode(0o600);
    home.run(script, &["--secrets-file", "secrets"]).ends(0);
    let said = home.run(script, &["--secret", "A=swordfish"]).ends(0).tells("can be seen by other users");
    assert!(!said.out.contains("swordfish") && !said.err.contains("swordfish"), "{said:?}");
}

#[test]
fn the_practice_site_says_where_it_is_and_two_do_not_share_a_port() {
    let home = Home::new();
    let mut site = Running::start(&mut home.command(&["practice", "--port", "0"]));
    let url = site.line();
    let port = url.strip_prefix("http://127.0.0.1:").expect("a URL").to_owned();
    home.rhaven(&["practice", "--port", &port]).ends(1).tells("error[listen_failed]").tells("--port 0");
    site.signal(rustix::process::Signal::INT);
    site.end().ends(0);
}

#[test]
fn check_lists_every_problem_and_needs_no_browser() {
    let home = Home::new();
    home.write("good.rhai", "goto(\"https://example.com\"); click(\"#a\");");
    home.write("bad.rhai", "clik(\"#a\");\nclick(\"#a\", #{ timout: 1 });\nclick(\"role=\");\n");
    home.rhaven(&["check", "good.rhai"]).ends(0);
    let bad = home.rhaven(&["check", "good.rhai", "bad.rhai"]).ends(2).tells("clik").tells("timout");
    assert!(bad.err.contains("bad.rhai:1:1") && bad.err.contains("bad.rhai:2:"), "{}", bad.err);
    let json = home.rhaven(&["check", "bad.rhai", "--json"]).ends(2).json();
    assert!(json["problems"].as_array().is_some_and(|problems| problems.len() >= 2), "{json}");
}

#[test]
fn docs_tell_of_a_function_and_guess_what_was_meant() {
    let home = Home::new();
    let all = home.rhaven(&["docs"]).ends(0).out;
    assert!(all.contains("click") && all.contains("goto"), "{all}");
    let click = home.rhaven(&["docs", "click"]).ends(0).out;
    assert!(click.contains("click(selector") && click.contains("timeout"), "{click}");
    home.rhaven(&["docs", "clik"]).ends(1).tells("click");
    assert!(home.rhaven(&["docs", "args"]).ends(0).out.contains("--arg"));
    assert!(home.rhaven(&["docs", "--markdown"]).ends(0).out.starts_with("# "));
}

#[test]
fn the_browser_is_found_and_the_doctor_finds_all_well() {
    let home = Home::new();
    let path = home.rhaven(&["browser", "path"]).ends(0).out;
    assert!(std::path::Path::new(path.trim()).is_file(), "{path}");
    assert!(home.rhaven(&["browser", "list"]).ends(0).out.contains(path.trim()));
    let well = home.rhaven(&["doctor"]).ends(0).out;
    assert!(well.contains("starts in") && !well.contains("FAIL"), "{well}");
    let mut command = home.command(&["doctor", "--json"]);
    let ill = said(command.env("RHAVEN_CHROMIUM", "/nowhere/chromium")).ends(1);
    assert_eq!(ill.json()["ok"], false);
    assert!(ill.out.contains("RHAVEN_CHROMIUM names /nowhere/chromium, which does not exist"), "{}", ill.out);
    assert!(!ill.out.contains("rhaven doctor"), "{}", ill.out);
}

#[test]
fn a_window_needs_a_display() {
    let home = Home::new();
    home.write("one.rhai", "title()");
    let mut command = home.command(&["run", "one.rhai", "--headed"]);
    said(command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY")).ends(1).tells("xvfb-run, or leave --headed out");
}

#[test]
fn an_empty_secret_is_none() {
    let home = Home::new();
    home.write("one.rhai", "secret(\"X\"); 1");
    let mut command = home.command(&["run", "one.rhai"]);
    said(command.env("RHAVEN_SECRET_X", "")).ends(1).tells("an empty value counts as not set");
}

#[test]
fn a_second_process_finds_itself_signed_in() {
    let home = Home::new();
    let script = include_str!("../golden/login_and_orders.rhai");
    let first = home.run(script, &["--session", "acme"]).ends(0).json();
    let logins = home.visits()["/login"].clone();
    let second = home.run(script, &["--session", "acme"]).ends(0).tells("restored v1").json();
    assert_eq!((&first["signed_in_now"], &second["signed_in_now"]), (&true.into(), &false.into()));
    assert_eq!(home.visits()["/login"], logins, "the login page was visited again");
    assert_eq!(first["orders"], second["orders"]);
}
