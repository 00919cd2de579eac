//! What pages wrote, on the terminal of `run` and of `watch`.

use crate::home::Home;
use crate::rig::Terminal;

/// Says what a page holds, which would wipe the screen, wherever one can say something; then fails with it. Colours are on:
/// nothing is stripped on the way.
const WIPES: &str = "\
goto(args.base + \"/form\");
evaluate(\"document.body.dataset.name = 'wiped \\\\u001b[2J by \\\\u009b2J the page'\");
let name = evaluate(\"document.body.dataset.name\");
print(name + \"\\n\\tsecond line\");
log(name);
step(name, || print(\"inside\"));
emit(name);
throw name;
";

/// What the page holds was shown, and never obeyed.
#[track_caller]
fn check(terminal: &Terminal, lines: usize) {
    let written = terminal.written();
    assert!(!written.contains("\u{1b}[2J"), "the page wiped the screen:\n{written:?}");
    assert!(!written.contains('\u{9b}'), "the page wiped the screen:\n{written:?}");
    let shown = "wiped \\u{1b}[2J by \\u{9b}2J the page";
    assert!(written.matches(shown).count() >= lines, "{written:?}");
    assert!(
        written.contains("the page\r\n        second line") || written.contains("the page\r\n\tsecond line"),
        "{written:?}"
    );
    // What is data stays JSON that means the same.
    assert!(written.contains(r#""wiped \u001b[2J by \u009b2J the page""#), "{written:?}");
    assert!(written.contains("error["), "{written:?}");
}

#[test]
fn no_page_steers_the_terminal_of_a_run() {
    let home = Home::new();
    home.write("wipes.rhai", WIPES);
    let args = ["run", "wipes.rhai", "--verbose", "--color", "always", "--arg", &format!("base={}", home.site())];
    let mut terminal = Terminal::start(&home, &args);
    assert_eq!(terminal.ends(), 3, "{}", terminal.screen());
    check(&terminal, 5);
}

#[test]
fn no_page_steers_the_terminal_of_a_watch() {
    let home = Home::new();
    home.write("wipes.rhai", WIPES);
    let args = ["watch", "wipes.rhai", "--verbose", "--color", "always", "--arg", &format!("base={}", home.site())];
    let mut terminal = Terminal::start(&home, &args);
    terminal.sees(" run 1: ");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 3, "{}", terminal.screen());
    check(&terminal, 5);
}

#[test]
fn a_module_that_fails_in_a_watch_is_shown() {
    let home = Home::new();
    home.write("lib.rhai", "fn broken() {\n    throw \"from the module\";\n}\n");
    home.write("main.rhai", "import \"lib\" as lib;\nlib::broken();");
    let mut terminal = Terminal::start(&home, &["watch", "main.rhai"]);
    let screen = terminal.until("the end", |screen| {
        screen.contents().trim_end().ends_with("q quit") && screen.contents().contains(" run 1: ")
    });
    assert!(screen.contains("[lib.rhai:2:") && screen.contains("2 │     throw \"from the module\";"), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 3);
}

#[test]
fn a_browser_that_was_named_and_is_not_there_is_told_as_that_by_watch() {
    let home = Home::new();
    home.write("main.rhai", "goto(\"about:blank\")");
    let nowhere = home.path().join("no-browser").display().to_string();
    let mut terminal = Terminal::start_with(&home, &["watch", "main.rhai"], &[("RHAVEN_CHROMIUM", &nowhere)]);
    terminal.sees("RHAVEN_CHROMIUM names");
    terminal.sees(" run 1: ");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 1, "{}", terminal.screen());
}
