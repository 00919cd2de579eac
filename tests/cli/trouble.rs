//! What goes wrong outside the script: each says what, and the way out, with the exit code of the table.

use std::path::{Path, PathBuf};

use crate::golden::compare;
use crate::home::{Home, Running, said};

/// Changes something that every session keeps.
const KEEP: &str = "\
session(\"acme\");
goto(args.base + \"/form\");
evaluate(\"localStorage.setItem('kept', String(Math.random()))\");
";

#[test]
fn no_browser() {
    let home = Home::new();
    let mut command = home.run_command("goto(args.base)", &[]);
    let said = said(command.env("RHAVEN_CHROMIUM", "/nowhere/chromium")).ends(1);
    compare("no_browser", &said, &home);
}

#[test]
fn a_wrong_key() {
    let home = Home::new();
    home.run(KEEP, &[]).ends(0);
    let other = home.rhaven(&["key", "new"]).ends(0).out;
    let mut command = home.run_command(KEEP, &[]);
    let wrong = said(command.env("RHAVEN_KEY", other.trim())).ends(5);
    assert!(!wrong.err.contains(other.trim()), "the key was shown:\n{}", wrong.err);
    compare("wrong_key", &wrong, &home);
    home.run(KEEP, &[]).ends(0).tells("restored v1");
}

#[test]
fn a_key_that_is_none() {
    let home = Home::new();
    let mut command = home.run_command(KEEP, &[]);
    let wrong = said(command.env("RHAVEN_KEY", "not a key at all")).ends(5);
    assert!(!wrong.err.contains("not a key at all"), "the text was shown:\n{}", wrong.err);
    compare("invalid_key", &wrong, &home);
}

#[test]
fn a_corrupted_store() {
    let home = Home::new();
    home.run(KEEP, &[]).ends(0);
    for path in files_below(&home.path().join("rhaven/store")) {
        let damaged = vec![0x5a; std::fs::metadata(&path).expect("a file").len().try_into().expect("small")];
        std::fs::write(&path, damaged).expect("a file");
    }
    let said = home.run(KEEP, &[]).ends(5);
    compare("corrupted_store", &said, &home);
}

#[test]
fn a_busy_session() {
    let home = Home::new();
    let holds = "session(\"acme\"); emit(\"ready\"); goto(args.base + \"/hang\")";
    let mut holder = Running::start(&mut home.run_command(holds, &[]));
    assert_eq!(holder.line(), "\"ready\"");
    let said = home.run("session(\"acme\");\ngoto(args.base)", &[]).ends(5);
    compare("busy_session", &said, &home);
    holder.signal(rustix::process::Signal::INT);
    holder.end().ends(130);
    home.run("session(\"acme\"); ()", &[]).ends(0);
}

#[test]
fn a_store_folder_that_cannot_be_made() {
    let home = Home::new();
    let file = home.write("a-file", "");
    let said = home.run(KEEP, &["--store", &file.join("store").display().to_string()]).ends(5);
    compare("store_unavailable", &said, &home);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let (folders, mut files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    files
}
