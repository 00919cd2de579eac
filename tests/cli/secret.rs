//! `rhaven secret`, and scripts that ask for what it keeps.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rhaven::practice::PASSWORD;

use crate::home::{Home, Said, said};

/// Runs a command with `input` on its stdin.
pub fn piped(command: &mut Command, input: &str) -> Said {
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().write_all(input.as_bytes()).expect("the input");
    said(command.stdin(Stdio::from(file.reopen().expect("the same file"))))
}

fn set(home: &Home, name: &str, value: &str) -> Said {
    piped(&mut home.command(&["secret", "set", name]), value)
}

#[test]
fn a_secret_comes_from_a_pipe_and_is_listed_without_its_value() {
    let home = Home::new();
    home.rhaven(&["secret", "list"]).ends(0).tells("no secrets yet");
    assert!(!home.path().join("rhaven").exists(), "a list of nothing made something");
    set(&home, "ACME", "swordfish\n").ends(0).tells("secret ACME: set");
    set(&home, "ACME", "hunter2222\r\n").ends(0).tells("secret ACME: replaced");
    let list = home.rhaven(&["secret", "list"]).ends(0);
    assert!(list.out.contains("ACME") && !list.out.contains("hunter2222"), "{list:?}");
    let json = home.rhaven(&["secret", "list", "--json"]).ends(0).json();
    assert_eq!(json[0]["name"], "ACME");
    assert_eq!(json[0].as_object().map(serde_json::Map::len), Some(2), "{json}");

    home.rhaven(&["secret", "delete", "ACNE", "--yes"]).ends(1).tells("did you mean ACME?");
    home.rhaven(&["secret", "delete", "ACME"]).ends(1).tells("give --yes");
    home.rhaven(&["secret", "delete", "ACME", "--yes"]).ends(0).tells("secret ACME: deleted");
    home.rhaven(&["secret", "list"]).ends(0).tells("no secrets yet");
}

#[test]
fn what_cannot_be_a_secret_is_refused() {
    let home = Home::new();
    set(&home, "A B", "value").ends(1).tells("a secret's name has 1 to 128 of");
    set(&home, "ACME", "\n").ends(1).tells("error[invalid_argument]").tells("is empty");
    // A value has no place among the arguments.
    let refused = home.rhaven(&["secret", "set", "ACME", "swordfish"]).ends(1);
    assert!(refused.err.contains("unexpected argument"), "{}", refused.err);
}

/// Types a password from the vault into the practice site, and tells who is signed in there.
const SIGN_IN: &str = r##"goto(args.base + "/login"); fill("#email", "user@example.com");
fill("label=Password", secret("VAULT_PASSWORD")); click("button[type=submit]");
wait_for_url("**/dashboard"); "in""##;

#[test]
fn a_script_uses_what_the_vault_keeps_and_its_value_is_blanked() {
    let home = Home::new();
    set(&home, "VAULT_PASSWORD", PASSWORD).ends(0);
    home.write("ask.rhai", SIGN_IN);
    home.rhaven(&["check", "ask.rhai"]).ends(0);
    let signed_in = home.run(SIGN_IN, &[]).ends(0);
    assert!(signed_in.out.contains("in"), "{signed_in:?}");
    // The page's own copy of it is blanked wherever the run tells of it.
    let script = r#"goto(args.base + "/login"); fill("label=Password", secret("VAULT_PASSWORD"));
        print(evaluate("document.querySelector('input[type=password]').value")); throw input_value("label=Password");"#;
    let mut telling = home.run_command(script, &["--report", "json=report.json"]);
    // The same value is not a secret by another name too.
    let told = said(telling.env_remove("RHAVEN_SECRET_PRACTICE_PASSWORD")).ends(3);
    assert_eq!(told.err.matches("***VAULT_PASSWORD***").count(), 2, "{told:?}");
    let report = std::fs::read_to_string(home.path().join("report.json")).expect("a report");
    for text in [&told.out, &told.err, &report] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    // A name that is only known when the script runs.
    let computed = r#"let name = "VAULT" + "_PASSWORD"; type_of(secret(name))"#;
    assert!(home.run(computed, &[]).ends(0).out.contains("Secret"));
    home.run(r#"secret("NO" + "BODY")"#, &[]).ends(1).tells("the secret \"NOBODY\" is not set");
}

#[test]
fn the_vault_comes_last_and_is_one_tenants() {
    let home = Home::new();
    set(&home, "PIN", "of-the-vault").ends(0);
    let asks = r#"emit(secret("PIN") == "x"); let kind = type_of(secret("PIN")); kind"#;
    home.run(asks, &["--tenant", "globex"])
        .ends(1)
        .tells("the secret \"PIN\" is not set")
        .tells("rhaven secret set PIN");
    home.write("ask.rhai", asks);
    home.rhaven(&["check", "ask.rhai", "--tenant", "globex"]).ends(2).tells("\"PIN\" is not set");
    home.rhaven(&["check", "ask.rhai"]).ends(0);

    // What a page says of the value tells which one it was.
    let shows = r#"goto(args.base + "/login"); fill("label=Password", secret("PIN"));
        evaluate("document.querySelector('input[type=password]').value.length")"#;
    assert!(home.run(shows, &[]).ends(0).out.contains("12"), "the vault's has 12 characters");
    let mut given = home.run_command(shows, &[]);
    assert!(said(given.env("RHAVEN_SECRET_PIN", "given")).ends(0).out.contains('5'));
}

#[test]
fn nothing_is_opened_for_a_script_that_needs_no_vault() {
    let home = Home::new();
    // A store that is there, with a key that is not the one.
    set(&home, "PIN", "of-the-vault").ends(0);
    let other = home.rhaven(&["key", "new"]).ends(0).out;
    let mut unasked = home.run_command(r#"type_of(secret("PRACTICE_PASSWORD"))"#, &[]);
    said(unasked.env("RHAVEN_KEY", other.trim())).ends(0);
    let mut asked = home.run_command(r#"type_of(secret("PIN"))"#, &[]);
    said(asked.env("RHAVEN_KEY", other.trim())).ends(5).tells("error[wrong_key]");
    let mut checked = home.command(&["check", "script.rhai"]);
    said(checked.env("RHAVEN_KEY", other.trim())).ends(5).tells("error[wrong_key]");

    // And no store or key is made for the question.
    let fresh = Home::new();
    fresh.run(r#"secret("PIN")"#, &[]).ends(1).tells("is not set");
    fresh.rhaven(&["check", "script.rhai"]).ends(2);
    assert!(!fresh.path().join("rhaven/key").exists() && !fresh.path().join("rhaven/store").exists());
}
