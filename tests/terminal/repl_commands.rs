//! The commands with a dot, each once; and the script that comes of a dialogue.

use crate::home::Home;
use crate::repl::leave;
use crate::rig::Terminal;

fn start(home: &Home, more: &[&str]) -> Terminal {
    let base = format!("base={}", home.site());
    let mut args = vec!["repl", "--arg", &base];
    args.extend(more);
    let terminal = Terminal::start(home, &args);
    terminal.sees("> ");
    terminal
}

#[test]
fn commands_answer() {
    let home = Home::new();
    home.write("lib.rhai", "fn triple(x) { x * 3 }\nlet loaded = triple(4);\nloaded");
    let mut terminal = start(&home, &[]);
    let mut check = |line: &str, wanted: &str| {
        terminal.wipe();
        terminal.line(line);
        terminal.sees(wanted);
    };
    check(".help", ".snapshot [SELECTOR]");
    check(".help click", "click(selector, #{..})");
    check(".help repl", "repl --attach VM_ID");
    check(".helo", "did you mean .help?");
    check("exit", ".quit ends the REPL");
    check(".vars", "args");
    check(".continue", "nothing is paused");
    check(".undo", "nothing to take back");
    check(".snapshot", "no page is open");
    check(".load lib.rhai", "\n12\n");
    check(".vars", "loaded");
    check("triple(5)", "\n15\n");
    check(".load nowhere.rhai", "nowhere.rhai cannot be read");
    check(".code", "let loaded = triple(4);");
    check("let gone = 1;", "> ");
    check(".undo", "pages stay as they are");
    check("gone", "error[");
    check("goto(args.base + \"/login\"); title()", "Sign in");
    check(".trace", "in all");
    check(".snapshot", "- textbox");
    check("click(\"#nope\", #{ timeout: \"300ms\" })", "error[timeout]");
    check(".trace", "ended with timeout");
    check(".session", "no sessions yet");
    check(".session acme", "acme> ");
    check(".session", "current");
    check(".headed", "there is no display");
    check("url().contains(\"blank\")", "\ntrue");
    check(".clear", "acme> ");
    leave(terminal);
}

#[test]
fn what_was_worked_out_runs_as_a_script_to_the_same_result() {
    let home = Home::new();
    let mut terminal = start(&home, &["--session", "acme"]);
    terminal.sees("session acme: new");
    terminal.line("goto(args.base + \"/dashboard\")");
    terminal.line("fill(\"#emial\", \"user@example.com\", #{ timeout: \"200ms\" })");
    terminal.sees("error[timeout]");
    terminal.line("fill(\"#email\", \"user@example.com\")");
    terminal.line(&format!("fill(\"#password\", \"{}\")", rhaven::practice::PASSWORD));
    terminal.line("click(\"button[type=submit]\"); wait_for(\"html[data-ready=yes]\")");
    terminal.line("let heading = text_content(\"h1\")");
    terminal.line(".save orders.rhai");
    terminal.sees("lines written to orders.rhai");
    terminal.line("heading + \"!\"");
    terminal.line(".save orders.rhai");
    terminal.sees("1 line added to orders.rhai");
    terminal.line(".save orders.rhai");
    terminal.sees("nothing new for orders.rhai");
    terminal.line(".undo");
    terminal.sees("orders.rhai still holds it");
    let screen = terminal.screen();
    leave(terminal);
    let text = std::fs::read_to_string(home.path().join("orders.rhai")).unwrap();
    assert!(text.contains("session(\"acme\");") && text.contains("secret(\"PRACTICE_PASSWORD\")"), "{text}");
    assert!(!text.contains("#emial") && !text.contains(rhaven::practice::PASSWORD), "{text}");
    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0);
    let base = format!("base={}", home.site());
    let said = home.rhaven(&["run", "orders.rhai", "--arg", &base]).ends(0);
    assert!(screen.contains(said.out.trim()), "{} is not in\n{screen}", said.out);
    // Signed in by now: the form is not there any more, and the session is.
    assert!(home.rhaven(&["session", "list"]).ends(0).out.contains("acme"));
}

#[test]
fn pause_opens_it_with_the_scripts_variables() {
    let home = Home::new();
    home.write("pausing.rhai", "let count = 20;\npause();\nprint(`after ${count}`);\ncount");
    let mut terminal = Terminal::start(&home, &["run", "pausing.rhai"]);
    terminal.sees("paused> ");
    terminal.line(".vars");
    terminal.sees("count");
    terminal.line("count + 1");
    terminal.sees("\n21");
    terminal.line(".headed");
    terminal.sees("the browser stays as it is");
    terminal.line("count = 42");
    terminal.line(".continue");
    terminal.sees("after 42");
    assert_eq!(terminal.ends(), 0);
    assert!(terminal.is_sane());
}
