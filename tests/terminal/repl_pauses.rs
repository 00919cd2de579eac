//! The ways out of a script's `pause()`: on, or to the end of the script; never on by mistake.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::processes::{browsers_of, family_of, outlived};
use crate::rig::{CTRL_C, CTRL_D, Terminal};

/// Goes somewhere behind the pause, which a script that was ended must not.
const SCRIPT: &str =
    "session(\"acme\"); goto(args.base + \"/login\"); pause(); goto(args.base + \"/form\"); \"went \" + \"on\"";

/// A run that stands in its pause.
fn paused(home: &Home) -> Terminal {
    home.write("pausing.rhai", SCRIPT);
    let terminal = Terminal::start(home, &["run", "pausing.rhai", "--arg", &format!("base={}", home.site())]);
    terminal.sees("paused> ");
    terminal
}

fn went_on(home: &Home) -> bool {
    home.visits().to_string().contains("/form")
}

#[track_caller]
fn is_ended(home: &Home, mut terminal: Terminal, end: impl FnOnce(&mut Terminal)) {
    let browsers = browsers_of(terminal.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    end(&mut terminal);
    assert_eq!(terminal.ends(), 130, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    assert!(!went_on(home), "{}", terminal.screen());
    assert!(terminal.screen().contains("session acme: new, saved v1"), "{}", terminal.screen());
}

fn send(terminal: &Terminal, signal: Signal) {
    let pid = i32::try_from(terminal.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the process is there");
}

#[test]
fn quit_ends_the_script() {
    let home = Home::new();
    is_ended(&home, paused(&home), |terminal| {
        terminal.line("exit");
        terminal.sees(".continue lets the script go on, .quit ends it\npaused>");
        terminal.line(".quit");
    });
}

#[test]
fn ctrl_d_lets_it_go_on() {
    let home = Home::new();
    let mut terminal = paused(&home);
    terminal.keys(CTRL_C);
    terminal.sees(".continue lets the script go on, .quit ends it\npaused>");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("\"went on\"") && went_on(&home), "{}", terminal.screen());
}

#[test]
fn an_interrupt_from_elsewhere_says_the_ways_out_and_sigterm_ends_it() {
    let home = Home::new();
    is_ended(&home, paused(&home), |terminal| {
        terminal.wipe();
        send(terminal, Signal::INT);
        terminal.sees(".quit ends it");
        terminal.line("\"still \" + \"here\"");
        terminal.sees("\"still here\"");
        send(terminal, Signal::TERM);
    });
}

#[test]
fn quit_ends_the_script_under_watch() {
    let home = Home::new();
    home.write("pausing.rhai", SCRIPT);
    let terminal = Terminal::start(&home, &["watch", "pausing.rhai", "--arg", &format!("base={}", home.site())]);
    terminal.sees("paused> ");
    is_ended(&home, terminal, |terminal| terminal.line(".quit"));
}

/// The terminal goes away for good: whoever held its other end is killed.
#[track_caller]
fn hangs_up(args: &[&str]) {
    let home = Home::new();
    home.write("pausing.rhai", SCRIPT);
    let base = format!("base={}", home.site());
    let mut words = vec![env!("CARGO_BIN_EXE_rhaven")];
    words.extend(args);
    words.extend(["pausing.rhai", "--arg", &base]);
    if args == ["run"] {
        words.extend(["--report", "json=report.json"]);
    }
    let command = words.join(" ");
    let mut holder = Terminal::start_program(&home, "script", &["-q", "-c", &command, "/dev/null"]);
    holder.sees("paused> ");
    let (ours, browsers) = (family_of(holder.pid(), "rhaven"), browsers_of(holder.pid()));
    assert!(ours.len() == 1 && !browsers.is_empty(), "{ours:?} {browsers:?}");
    send(&holder, Signal::KILL);
    holder.ends();
    assert_eq!(outlived(&ours, Duration::from_secs(30)), [], "it stays without a terminal");
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    assert!(!went_on(&home), "the script went on without anybody");
    let report = std::fs::read_to_string(home.path().join("report.json"));
    assert!(home.rhaven(&["session", "list"]).ends(0).out.contains("acme"), "the session is not saved: {report:?}");
}

#[test]
fn a_terminal_that_is_gone_ends_a_run() {
    hangs_up(&["run"]);
}

#[test]
fn a_terminal_that_is_gone_ends_a_watch() {
    hangs_up(&["watch"]);
}

#[test]
fn enter_says_that_a_person_is_done() {
    let home = Home::new();
    let script = "goto(args.base + \"/login\"); pause_for_human(\"look at it\"); goto(args.base + \"/form\"); \"went \" + \"on\"";
    home.write("human.rhai", script);
    let mut terminal = Terminal::start(&home, &["run", "human.rhai", "--arg", &format!("base={}", home.site())]);
    terminal.sees("pause: look at it");
    terminal.sees("or Enter here, when it is done");
    let browsers = browsers_of(terminal.pid());
    assert!(!browsers.is_empty() && !went_on(&home), "{}", terminal.screen());
    terminal.line("");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("\"went on\"") && went_on(&home), "{}", terminal.screen());
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
}
