//! Every way out leaves the terminal as it was and no Chromium; sessions are saved.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::processes::{browsers_of, outlived};
use crate::rig::{CTRL_C, CTRL_D, Terminal};

/// Signed in, at the prompt.
fn signed_in(home: &Home) -> Terminal {
    let base = format!("base={}", home.site());
    let mut terminal = Terminal::start(home, &["repl", "--session", "acme", "--arg", &base]);
    terminal.sees("acme> ");
    terminal.line(
        "goto(args.base + \"/dashboard\"); fill(\"#email\", \"user@example.com\"); \
         fill(\"#password\", secret(\"PRACTICE_PASSWORD\")); click(\"button[type=submit]\"); \
         wait_for(\"html[data-ready=yes]\"); \"signed \" + \"in\"",
    );
    terminal.sees("\n\"signed in\"");
    terminal
}

#[track_caller]
fn ends_well(home: &Home, mut terminal: Terminal, code: u32, end: impl FnOnce(&mut Terminal)) {
    let browsers = browsers_of(terminal.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    end(&mut terminal);
    assert_eq!(terminal.ends(), code, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    assert!(terminal.screen().contains("session acme: new, saved v1"), "{}", terminal.screen());
    assert!(home.rhaven(&["session", "list"]).ends(0).out.contains("acme"));
}

fn send(terminal: &Terminal, signal: Signal) {
    let pid = i32::try_from(terminal.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the process is there");
}

#[test]
fn by_quit() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 0, |terminal| terminal.line(".quit"));
}

#[test]
fn by_ctrl_d() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 0, |terminal| terminal.keys(CTRL_D));
}

#[test]
fn by_sigterm_at_the_prompt() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 130, |terminal| send(terminal, Signal::TERM));
}

#[test]
fn by_sigterm_while_a_line_is_typed() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 130, |terminal| {
        terminal.keys("click(\"#never");
        terminal.sees("#never");
        send(terminal, Signal::TERM);
    });
}

#[test]
fn by_sigterm_during_a_verb() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 130, |terminal| {
        terminal.line("print(\"it \" + \"waits\"); wait_for(\"#never\")");
        terminal.sees("it waits");
        send(terminal, Signal::TERM);
    });
}

#[test]
fn by_sighup_at_the_prompt() {
    let home = Home::new();
    ends_well(&home, signed_in(&home), 130, |terminal| send(terminal, Signal::HUP));
}

#[test]
fn ctrl_c_at_several_moments_ends_nothing() {
    let home = Home::new();
    let mut terminal = signed_in(&home);
    terminal.keys(CTRL_C);
    terminal.sees(".quit ends the REPL\nacme>");
    for n in 0..5 {
        terminal.wipe();
        terminal.line(&format!("print(\"it \" + \"waits {n}\"); wait_for(\"#never\")"));
        terminal.sees(&format!("it waits {n}"));
        terminal.keys(CTRL_C);
        terminal.sees("\ninterrupted\nacme>");
        terminal.line(&format!("\"after \" + {n}"));
        terminal.sees(&format!("\n\"after {n}\""));
    }
    ends_well(&home, terminal, 0, |terminal| terminal.line(".quit"));
}
