//! Ctrl-C and SIGTERM in the middle of a script, and a reader of stdout that goes away.

use std::time::Duration;

use rustix::process::Signal;

use crate::home::{Home, Running};
use crate::normal::normal;
use crate::processes::{browsers_of, outlived};

/// Signs in, says so, then waits for a page that never comes.
const HANGS: &str = "\
session(\"acme\");
goto(args.base + \"/dashboard\");
if url().contains(\"/login\") {
    fill(\"#email\", \"user@example.com\");
    fill(\"#password\", secret(\"PRACTICE_PASSWORD\"));
    click(\"button[type=submit]\");
    wait_for(\"html[data-ready=yes]\");
}
emit(\"ready\");
goto(args.base + \"/hang\", #{ timeout: \"5m\" });
";

#[test]
fn ctrl_c_saves_closes_and_says_so() {
    stops_well(Signal::INT);
}

#[test]
fn sigterm_is_like_ctrl_c() {
    stops_well(Signal::TERM);
}

fn stops_well(signal: Signal) {
    let home = Home::new();
    let mut run = Running::start(&mut home.run_command(HANGS, &[]));
    assert_eq!(run.line(), "\"ready\"");
    let browsers = browsers_of(run.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    run.signal(signal);
    run.end().ends(130).tells("interrupted: stopping").tells("session acme: new, saved v1");
    assert_eq!(outlived(&browsers, Duration::from_secs(1)), []);
    let again = "session(\"acme\"); goto(args.base + \"/dashboard\"); url().contains(\"/login\")";
    assert_eq!(home.run(again, &[]).ends(0).out, "false\n");
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let home = Home::new();
    // A native loop that no cancellation reaches would hold the first one up; the second must end it whatever it does.
    let mut run = Running::start(&mut home.run_command(HANGS, &[]));
    assert_eq!(run.line(), "\"ready\"");
    let browsers = browsers_of(run.pid());
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    assert_eq!(run.end().code, 130);
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    home.run("session(\"acme\"); ()", &[]).ends(0);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let home = Home::new();
    let script = "session(\"acme\"); let n = 0; loop { n += 1; emit(n); }";
    let mut run = Running::start(&mut home.run_command(script, &[]));
    assert_eq!(run.line(), "1");
    let said = run.end_unread();
    assert_eq!((said.code, normal(&said.err, &home).as_str()), (130, ""));
}
