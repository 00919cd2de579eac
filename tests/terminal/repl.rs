//! The REPL at the keyboard: what is typed, what is shown, what is offered.

use crate::home::Home;
use crate::rig::{CTRL_C, TAB, Terminal, UP};

/// Ctrl-U: what is typed is gone.
const KILL_LINE: &str = "\x15";

/// A REPL with a prompt.
fn start(home: &Home) -> Terminal {
    start_with(home, &[])
}

fn start_with(home: &Home, more: &[&str]) -> Terminal {
    let base = format!("base={}", home.site());
    let mut args = vec!["repl", "--arg", &base];
    args.extend(more);
    let terminal = Terminal::start(home, &args);
    terminal.sees("> ");
    terminal
}

/// Leaves it and checks what it leaves behind.
#[track_caller]
pub fn leave(mut terminal: Terminal) {
    let browsers = crate::processes::browsers_of(terminal.pid());
    terminal.line(".quit");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    assert_eq!(crate::processes::outlived(&browsers, std::time::Duration::from_secs(5)), []);
}

#[test]
fn values_are_shown_and_variables_stay() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("let orders = [#{ id: \"#1\", total: 12 }, #{ id: \"#2\", total: 34 }]; orders");
    let screen = terminal.sees("#2  34");
    assert!(screen.contains("id  total"), "{screen}");
    terminal.line("#{ name: \"a\", long_name: 2 }");
    terminal.sees("long_name: 2");
    terminal.line("let text = \"\"; for n in 0..60 { text += \"line \" + n + \"\\n\"; } text");
    terminal.sees(".. 36 more lines; .show shows all");
    terminal.line(".show");
    terminal.sees("line 59");
    terminal.line("orders.len()");
    terminal.sees("\n2\n");
    leave(terminal);
}

#[test]
fn what_is_typed_has_colours_and_hints() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.keys("let a = click(");
    terminal.sees("click(selector, #{..})");
    let written = terminal.written();
    assert!(written.contains("\u{1b}[35mlet"), "{written:?}");
    assert!(written.contains("\u{1b}[2mselector, #{..})"), "{written:?}");
    terminal.keys(KILL_LINE);
    leave(terminal);
    let plain = Terminal::start_with(&home, &["repl"], &[("NO_COLOR", "1")]);
    plain.sees("> ");
    assert!(!plain.written().contains("\u{1b}[35m"));
    leave(plain);
}

#[test]
fn tab_completes_names_options_members_commands_and_files() {
    let home = Home::new();
    home.write("orders.rhai", "1");
    let mut terminal = start(&home);
    let mut check = |keys: &str, wanted: &str| {
        terminal.wipe();
        terminal.keys(&format!("{keys}{TAB}"));
        terminal.sees(wanted);
        terminal.keys(KILL_LINE);
    };
    check("scr", "screenshot(");
    check("click(\"#a\", #{ but", "button: ");
    check("click(\"#a\", #{ button: \"mi", "\"middle");
    check("secret(\"PRAC", "secret(\"PRACTICE_PASSWORD");
    check("import \"std/l", "std/login");
    check(".snap", ".snapshot");
    check(".load ord", ".load orders.rhai");
    check(".help scre", ".help screenshot");
    terminal.line("let orders = [1]; let acme = session(\"acme\"); let other = 2;");
    terminal.sees("acme> ");
    let mut check = |keys: &str, wanted: &str| {
        terminal.wipe();
        terminal.keys(&format!("{keys}{TAB}"));
        terminal.sees(wanted);
        terminal.keys(KILL_LINE);
    };
    check("orders.rev", "orders.reverse()");
    check("oth", "other");
    check("acme.vers", "acme.version");
    check("session(\"ac", "session(\"acme");
    leave(terminal);
}

#[test]
fn tab_completes_selectors_that_are_on_the_page() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("goto(args.base + \"/login\"); title()");
    terminal.sees("Sign in");
    terminal.wipe();
    terminal.keys(&format!("fill(\"#ema{TAB}"));
    terminal.sees("fill(\"#email");
    terminal.keys(KILL_LINE);
    leave(terminal);
}

#[test]
fn several_lines_are_one_input_and_an_empty_line_sends_it() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("fn twice(x) {");
    terminal.sees("an empty line runs it");
    terminal.line("x * 2");
    terminal.line("}");
    terminal.line("twice(21)");
    terminal.sees("\n42\n");
    terminal.line("let open = (");
    terminal.sees("an empty line runs it");
    terminal.line("");
    terminal.sees("error[parse_error]");
    terminal.line("1 + 1");
    terminal.sees("\n2\n");
    leave(terminal);
}

#[test]
fn the_history_is_the_projects_and_holds_no_secret() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("let remembered = 4711");
    terminal.line("goto(args.base + \"/login\"); fill(\"#email\", \"user@example.com\")");
    terminal.line(&format!("fill(\"#password\", \"{}\")", rhaven::practice::PASSWORD));
    terminal.line("fill(\"#password\", \"typed-by-hand-99\"); \"filled\"");
    terminal.sees("\"filled\"");
    terminal.line("\"and typed-by-hand-99 again\".len()");
    terminal.line("\"the last one\"");
    terminal.sees("\n\"the last one\"");
    leave(terminal);
    let folder = home.path().join("rhaven/history");
    let mut kept = String::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        kept += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    assert!(kept.contains("remembered = 4711"), "{kept}");
    assert!(kept.contains("secret(\"PRACTICE_PASSWORD\")"), "{kept}");
    assert!(!kept.contains(rhaven::practice::PASSWORD) && !kept.contains("typed-by-hand-99"), "{kept}");
    let mut again = start(&home);
    again.keys(UP);
    again.sees("> .quit");
    again.keys(UP);
    again.sees("> \"the last one\"");
    again.keys(KILL_LINE);
    leave(again);
    let elsewhere = home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    home.write("elsewhere/rhaven.toml", "");
    let other = Terminal::start_in(&home, &["repl"], &elsewhere);
    other.sees("> ");
    let mut other = other;
    other.keys(&format!("{UP}1 + 1\r"));
    other.sees("\n2\n");
    leave(other);
}

#[test]
fn ctrl_c_stops_the_verb_and_an_error_ends_nothing() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("goto(args.base); print(\"there\"); wait_for(\"#never\")");
    terminal.sees("\nthere");
    terminal.keys(CTRL_C);
    terminal.sees("\ninterrupted\nrhaven>");
    terminal.line("title()");
    terminal.sees("\n\"");
    terminal.line("nonsense(1)");
    terminal.sees("error[");
    terminal.line("title().len() > 0");
    terminal.sees("\ntrue");
    terminal.keys("half a li");
    terminal.sees("half a li");
    terminal.wipe();
    terminal.keys(CTRL_C);
    terminal.until("an empty prompt", |screen| screen.contents().trim_end().ends_with('>'));
    terminal.keys(CTRL_C);
    terminal.sees(".quit ends the REPL\nrhaven>");
    terminal.line("40 + 2");
    terminal.sees("\n42");
    leave(terminal);
}

#[test]
fn a_goto_that_is_interrupted_spoils_no_later_one() {
    let home = Home::new();
    // Takes a connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut terminal = start(&home);
    terminal.line("goto(args.base + \"/login\"); title()");
    terminal.sees("Sign in");
    terminal.line(&format!("print(\"on \" + \"its way\"); goto(\"http://{address}/\")"));
    terminal.sees("\non its way");
    drop(silent.accept().map(Box::new).map(Box::leak));
    terminal.keys(CTRL_C);
    terminal.sees("\ninterrupted\nrhaven>");
    terminal.wipe();
    terminal.line("title()");
    terminal.sees("\"Sign in");
    terminal.line("goto(args.base + \"/form\"); url().contains(\"form\")");
    terminal.sees("\ntrue");
    leave(terminal);
}

#[test]
fn a_browser_that_dies_is_said_and_the_next_verb_works() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("goto(args.base); title().len() > 0");
    terminal.sees("\ntrue");
    terminal.keys("1 + ");
    for browser in crate::processes::browsers_of(terminal.pid()) {
        browser.kill();
    }
    terminal.sees("the browser died");
    terminal.keys("4711\r");
    terminal.sees("\n4712");
    terminal.line("goto(args.base + \"/login\"); url().contains(\"login\")");
    terminal.until("two answers", |screen| screen.contents().matches("\ntrue").count() == 2);
    leave(terminal);
}

#[test]
fn a_picture_is_written_and_nothing_is_written_over() {
    let home = Home::new();
    home.write("screenshot-1.png", "mine");
    let mut terminal = start(&home);
    terminal.line("goto(args.base); screenshot()");
    terminal.sees("screenshot-2.png");
    terminal.line(".screenshot");
    terminal.sees("screenshot-3.png");
    terminal.line(".screenshot page.jpg");
    terminal.until("the name", |screen| screen.contents().matches("page.jpg").count() == 2);
    leave(terminal);
    let read = |name: &str| std::fs::read(home.path().join(name)).unwrap();
    assert_eq!(read("screenshot-1.png"), b"mine");
    assert!(read("screenshot-2.png").starts_with(b"\x89PNG") && read("page.jpg").starts_with(&[0xff, 0xd8]));
}

#[test]
fn a_pages_text_cannot_steer_the_terminal() {
    let home = Home::new();
    let mut terminal = start(&home);
    terminal.line("goto(\"data:text/html,<p id=a></p>\"); evaluate(\"document.title = 'a' + String.fromCharCode(27) + '[2Jb'\"); ()");
    terminal.line("evaluate(\"'x' + String.fromCharCode(27, 99) + 'y'\")");
    terminal.sees("u001bcy");
    terminal.line("print(evaluate(\"'p' + String.fromCharCode(27, 99) + 'q'\"))");
    terminal.sees("p\\u{1b}cq");
    assert!(!terminal.written().contains("\u{1b}c"));
    leave(terminal);
}
