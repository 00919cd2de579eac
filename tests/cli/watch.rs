//! `rhaven watch` without a terminal: lines.

use std::time::Duration;

use rustix::process::Signal;

use crate::home::{Home, Running};
use crate::normal::normal;
use crate::processes::{browsers_of, outlived};

fn start(home: &Home, text: &str, args: &[&str]) -> Running {
    home.write("watched.rhai", text);
    let base = format!("base={}", home.site());
    Running::start(&mut home.command(&[&["watch", "watched.rhai", "--arg", &base], args].concat()))
}

#[test]
fn results_are_lines_on_stdout_and_the_rest_is_on_stderr() {
    let home = Home::new();
    let mut run = start(&home, "goto(args.base + \"/form\"); #{ n: 1 }", &[]);
    assert_eq!(run.line(), "{\"n\":1}");
    home.write("watched.rhai", "#{ n: 2 }");
    assert_eq!(run.line(), "{\"n\":2}");
    let browsers = browsers_of(run.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    run.signal(Signal::TERM);
    let said = run.end().ends(130);
    let err = normal(&said.err, &home);
    for line in
        ["watching watched.rhai\n", "run 1: ok in ", "changed: watched.rhai\n", "run 2: ok in ", "interrupted: "]
    {
        assert!(err.contains(line), "{line} is missing in\n{err}");
    }
    assert!(!err.contains('\u{1b}') && !err.contains('\r') && !err.contains("rerun"), "{err}");
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
}

#[test]
fn json_is_one_document_per_run() {
    let home = Home::new();
    let mut run = start(&home, "emit(1); 2", &["--json"]);
    let read = |line: String| serde_json::from_str::<serde_json::Value>(&line).expect("a document");
    let first = read(run.line());
    assert_eq!((&first["ok"], &first["result"], &first["emitted"]), (&true.into(), &2.into(), &serde_json::json!([1])));
    home.write("watched.rhai", "2 +");
    let second = read(run.line());
    assert_eq!(second["failure"]["code"], "parse_error", "{second}");
    run.signal(Signal::INT);
    let said = run.end().ends(130);
    assert_eq!(said.json()["sessions"], serde_json::json!([]), "{}", said.out);
}

#[test]
fn a_refused_save_takes_nothing_of_the_run_under_way() {
    let home = Home::new();
    // Goes on until somebody else has asked for a page.
    let script = "goto(args.base + \"/form\"); emit(1); goto(args.base + \"/late\");\n\
        while !evaluate(\"fetch('/api/visits').then(answer => answer.text())\").contains(\"two\") {}\n2";
    let mut run = start(&home, script, &["--json"]);
    while !home.visits().to_string().contains("late") {
        std::thread::yield_now();
    }
    home.write("watched.rhai", "2 +");
    let read = |line: String| serde_json::from_str::<serde_json::Value>(&line).expect("a document");
    let refused = read(run.line());
    assert_eq!((&refused["ok"], &refused["emitted"]), (&false.into(), &serde_json::json!([])));
    home.visit("/two");
    let ended = read(run.line());
    assert_eq!((&ended["result"], &ended["emitted"]), (&2.into(), &serde_json::json!([1])));
    run.signal(Signal::INT);
    run.end().ends(130);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = Home::new();
    let mut run = start(&home, "let n = 0; loop { n += 1; emit(n); }", &[]);
    assert_eq!(run.line(), "1");
    let said = run.end_unread();
    assert!(!said.err.contains("interrupted"), "{}", said.err);
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let home = Home::new();
    home.rhaven(&["watch", "nowhere.rhai"]).ends(1).tells("error[file_error]");
    home.rhaven(&["watch", "-"]).ends(1).tells("stdin does not change");
}
