//! Golden scripts: `tests/golden/NAME.rhai` with what `rhaven run` says in `NAME.out`, `NAME.err` and `NAME.exit`.
//!
//! A script's leading comments may hold `//$ ARGUMENTS` lines: each is one run of it with these arguments, in order; the
//! exit code is that of the last. `//= NAME=VALUE` sets a variable for all of them. Without a line it is run once. A
//! changed output fails with a diff; `RHAVEN_BLESS=1` writes it instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::home::{Home, Said, said};
use crate::normal::normal;

macro_rules! golden {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { check_script(stringify!($name)); })*
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

golden! {
    ambiguous_selector,
    auth_required,
    covered_button,
    failing_script_saves,
    form,
    imported_failure,
    login_and_orders,
    output,
    same_session_twice,
    secret_exposed,
    secret_stays_secret,
    syntax_error,
    throw_away,
    unicode_typing,
    unknown_function,
    unknown_option,
    unset_secret,
    wrong_password,
    wrong_selector,
}

#[test]
fn every_golden_script_is_run() {
    let files = std::fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").path());
    let scripts = files.filter(|path| path.extension().is_some_and(|extension| extension == "rhai"));
    let names: BTreeSet<String> =
        scripts.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, NAMES.iter().map(|name| (*name).to_owned()).collect());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn check_script(name: &str) {
    let home = Home::new();
    let text = std::fs::read_to_string(folder().join(format!("{name}.rhai"))).expect("the script");
    let directives =
        |mark: &str| text.lines().filter_map(|line| line.strip_prefix(mark)).map(str::trim).collect::<Vec<_>>();
    home.write("lib.rhai", include_str!("lib.rhai"));
    home.write("script.rhai", &text);
    let mut runs: Vec<Vec<&str>> =
        directives("//$").into_iter().map(|line| line.split_whitespace().collect()).collect();
    if runs.is_empty() {
        runs.push(Vec::new());
    }
    let several = runs.len() > 1;
    let mut all = Said { out: String::new(), err: String::new(), code: 0 };
    for args in &runs {
        let mut command = home.run_command(&text, args);
        command.envs(directives("//=").into_iter().filter_map(|line| line.split_once('=')));
        let one = said(&mut command);
        if several {
            let line = format!("$ rhaven run script.rhai {}\n", args.join(" "));
            all.out.push_str(&line);
            all.err.push_str(&line);
        }
        all.out.push_str(&one.out);
        all.err.push_str(&one.err);
        all.code = one.code;
    }
    assert!(!all.out.contains(rhaven::practice::PASSWORD) && !all.err.contains(rhaven::practice::PASSWORD));
    compare(name, &all, &home);
}

/// Compares what was said with the golden files of `name`, or writes them.
pub fn compare(name: &str, said: &Said, home: &Home) {
    let parts =
        [("out", normal(&said.out, home)), ("err", normal(&said.err, home)), ("exit", format!("{}\n", said.code))];
    let bless = std::env::var_os("RHAVEN_BLESS").is_some();
    let mut differences = String::new();
    for (kind, found) in parts {
        let path = folder().join(format!("{name}.{kind}"));
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if bless {
            std::fs::write(&path, &found).expect("a golden file");
        } else if expected != found {
            differences.extend([format!("{name}.{kind}:\n"), difference(&expected, &found)]);
        }
    }
    assert!(differences.is_empty(), "{differences}RHAVEN_BLESS=1 takes it as it is now");
}

/// Line by line, `-` for what was expected and `+` for what was found.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same_start = expected.iter().zip(&found).take_while(|(one, other)| one == other).count();
    let rest = expected.len().min(found.len()) - same_start;
    let same_end =
        expected.iter().rev().zip(found.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let mark = |sign: char| move |line: &&str| format!("{sign} {line}\n");
    let mut text: String = expected[..same_start].iter().map(mark(' ')).collect();
    text.extend(expected[same_start..expected.len() - same_end].iter().map(mark('-')));
    text.extend(found[same_start..found.len() - same_end].iter().map(mark('+')));
    text.extend(expected[expected.len() - same_end..].iter().map(mark(' ')));
    text
}
