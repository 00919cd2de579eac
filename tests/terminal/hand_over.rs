//! `pause_for_human` where a person sits at the terminal: in the REPL, under watch, beside a window.

use std::time::Duration;

use crate::display::Display;
use crate::home::Home;
use crate::person::{Person, runtime};
use crate::processes::{browsers_of, outlived};
use crate::repl::leave;
use crate::rig::{CTRL_C, Terminal};

/// Goes somewhere behind the wait.
const WAITS: &str =
    "goto(args.base + \"/login\"); pause_for_human(\"look at it\"); goto(args.base + \"/form\"); \"went \" + \"on\"";

/// The address that is told, once its line is whole.
#[track_caller]
fn page(terminal: &Terminal) -> String {
    let screen = terminal.until("the address of a live page", |screen| {
        let told = screen.contents();
        let rest = told.rsplit_once("#token=").map(|(_, rest)| rest);
        // Nothing stands behind it but what is below.
        rest.is_some_and(|rest| rest.contains('\n') || screen.cursor_position().1 == 0)
    });
    let line = screen.lines().rfind(|line| line.contains("#token=")).expect("the line of the address");
    line.trim().to_owned()
}

fn went_on(home: &Home) -> bool {
    home.visits().to_string().contains("/form")
}

#[test]
fn in_the_repl_an_input_waits_until_the_person_is_done_or_ctrl_c() {
    let (home, runtime) = (Home::new(), runtime());
    let base = format!("base={}", home.site());
    let mut terminal = Terminal::start(&home, &["repl", "--arg", &base]);
    terminal.sees("> ");
    terminal.line(WAITS);
    terminal.sees("pause: look at it");
    let url = page(&terminal);
    assert!(!went_on(&home), "{}", terminal.screen());
    runtime.block_on(async {
        let mut person = Person::at(&url).await;
        person.is_paused("look at it").await;
        person.sees("Sign in - Rhaven practice").await;
        person.done().await;
        assert_eq!(person.hears_the_end().await, "done");
    });
    terminal.sees("\"went on\"");
    assert!(went_on(&home));
    terminal.wipe();
    terminal.line("pause_for_human(\"once more\"); \"went \" + \"further\"");
    let again = page(&terminal);
    runtime.block_on(async {
        let mut person = Person::at(&again).await;
        person.is_paused("once more").await;
        terminal.keys(CTRL_C);
        person.told("the wait's end", |message| (message["type"] == "pause_over").then_some(())).await;
        person.hears_the_end().await;
    });
    terminal.sees("\ninterrupted\n");
    terminal.line("\"still \" + \"here\"");
    terminal.sees("\"still here\"");
    assert!(!terminal.screen().contains("\"went further\""), "{}", terminal.screen());
    leave(terminal);
}

#[test]
fn under_watch_a_newer_script_ends_the_wait_and_waits_itself() {
    let (home, runtime) = (Home::new(), runtime());
    home.write("human.rhai", WAITS);
    let mut terminal = Terminal::start(&home, &["watch", "human.rhai", "--arg", &format!("base={}", home.site())]);
    terminal.sees("pause: look at it");
    let first = page(&terminal);
    runtime.block_on(async {
        let mut person = Person::at(&first).await;
        person.is_paused("look at it").await;
        terminal.wipe();
        home.write("human.rhai", &WAITS.replace("look at it", "look again"));
        person.hears_the_end().await;
    });
    terminal.sees("run 1: stopped for a newer one");
    terminal.sees("pause: look again");
    let second = page(&terminal);
    assert!(first != second && !went_on(&home), "{}", terminal.screen());
    let browsers = browsers_of(terminal.pid());
    runtime.block_on(async {
        let mut person = Person::at(&second).await;
        person.is_paused("look again").await;
        person.done().await;
        assert_eq!(person.hears_the_end().await, "done");
    });
    let screen = terminal.until("the end of run 2", |screen| screen.contents().contains(" run 2: "));
    assert!(screen.contains("run 2: ok in ") && screen.contains("\"went on\"") && went_on(&home), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.is_sane(), "the terminal is not as it was");
    assert!(!browsers.is_empty() && outlived(&browsers, Duration::from_secs(5)).is_empty());
}

#[test]
fn beside_a_window_a_person_works_in_that_and_says_so_with_enter() {
    let (home, display) = (Home::new(), Display::start());
    home.write("human.rhai", WAITS);
    let base = format!("base={}", home.site());
    let args = ["run", "human.rhai", "--headed", "--arg", &base];
    let mut terminal = Terminal::start_with(&home, &args, &[("DISPLAY", &display.name)]);
    terminal.sees("pause: look at it");
    terminal.sees("in the window; press Enter here when it is done");
    display.window("Sign in");
    let browsers = browsers_of(terminal.pid());
    assert!(!browsers.is_empty() && !went_on(&home), "{}", terminal.screen());
    terminal.line("");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert!(terminal.screen().contains("\"went on\"") && went_on(&home), "{}", terminal.screen());
    assert!(!terminal.written().contains("/live/"), "nobody else is let in: {}", terminal.screen());
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
}
