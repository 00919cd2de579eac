//! What is kept of what was typed holds no password, however it came to be known as one.

use crate::home::Home;
use crate::repl::leave;
use crate::rig::{Terminal, UP};

/// At the sign-in form.
fn start(home: &Home) -> Terminal {
    let base = format!("base={}", home.site());
    let mut terminal = Terminal::start(home, &["repl", "--arg", &base]);
    terminal.sees("> ");
    terminal.line("goto(args.base + \"/login\"); title()");
    terminal.sees("Sign in");
    terminal
}

/// All that is on the disk.
fn kept(home: &Home) -> String {
    let files = std::fs::read_dir(home.path().join("rhaven/history")).unwrap();
    files.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

/// Types a line and waits until it is done and kept.
fn say(terminal: &mut Terminal, line: &str, wanted: &str) {
    terminal.wipe();
    terminal.line(line);
    terminal.sees(wanted);
    terminal.line("\"next \" + \"input\"");
    terminal.sees("\n\"next input\"");
}

#[test]
fn a_password_that_was_in_a_variable_first_is_forgotten() {
    let home = Home::new();
    let mut terminal = start(&home);
    say(&mut terminal, "let pw = \"hunter-22\"; let other = 4711;", "> ");
    assert!(kept(&home).contains("hunter-22"), "nobody can know yet what it is");
    say(&mut terminal, "fill(\"#password\", pw)", "a password was typed in clear");
    let text = kept(&home);
    assert!(!text.contains("hunter-22"), "{text}");
    assert!(text.contains("let pw = secret(\"PASSWORD\"); let other = 4711;"), "{text}");
    // The editor has forgotten it, too.
    terminal.wipe();
    terminal.keys(&UP.repeat(4));
    terminal.sees("let pw = secret(\"PASSWORD\"); let other = 4711;");
    terminal.keys("\x15");
    say(&mut terminal, ".code", "let pw = secret(\"PASSWORD\")");
    leave(terminal);
}

#[test]
fn a_password_in_an_input_that_failed_is_not_kept() {
    let home = Home::new();
    let mut terminal = start(&home);
    say(&mut terminal, "fil(\"#password\", \"hunter-22\")", "did you mean fill?");
    say(&mut terminal, "fill(\"#password\", \"hunter-22)\r", "error[parse_error]");
    say(&mut terminal, "let n = 1; throw n; fill(\"#password\", \"hunter-22\")", "error[");
    say(&mut terminal, ".fill \"#password\" \"hunter-22\"", "there is no command");
    say(&mut terminal, "fil(\"#email\", \"kept\")", "did you mean fill?");
    let text = kept(&home);
    assert!(!text.contains("hunter-22") && text.contains("fil(\"#email\", \"kept\")"), "{text}");
    leave(terminal);
}
