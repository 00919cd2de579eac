//! A secret that is typed: not shown, corrected with Backspace, and the terminal as it was in every way out.

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::rig::{CTRL_C, Terminal};

fn asked(home: &Home) -> Terminal {
    let terminal = Terminal::start(home, &["secret", "set", "PIN"]);
    terminal.sees("value of PIN, which is not shown");
    terminal
}

#[test]
fn what_is_typed_is_kept_and_not_shown() {
    let home = Home::new();
    let mut terminal = asked(&home);
    terminal.line("wrong\x15swordfixx\x7f\x7fsh");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    let written = terminal.written();
    assert!(!written.contains("sword") && !written.contains("wrong"), "{written}");
    assert!(written.contains("secret PIN: set"), "{written}");
    // Only the page knows how long it is.
    let shows = r#"goto(args.base + "/login"); fill("label=Password", secret("PIN"));
        evaluate("document.querySelector('input[type=password]').value == 'swordfish'")"#;
    assert!(home.run(shows, &[]).ends(0).out.contains("true"));
}

#[test]
fn giving_up_keeps_nothing() {
    let home = Home::new();
    let mut terminal = asked(&home);
    terminal.keys("half");
    terminal.keys(CTRL_C);
    assert_eq!(terminal.ends(), 130, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    let mut terminal = asked(&home);
    let pid = i32::try_from(terminal.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::TERM).expect("the process is there");
    assert_eq!(terminal.ends(), 130, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    home.rhaven(&["secret", "list"]).ends(0).tells("no secrets yet");
}
