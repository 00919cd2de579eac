//! The end of watch mode while its browser is being replaced, and what a pause leaves behind.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::processes::{browsers_of, outlived};
use crate::rig::{CTRL_C, CTRL_D, Terminal};

/// Less than a browser that does not answer is waited for.
const SOON: Duration = Duration::from_secs(12);

fn watch(home: &Home, script: &str, variables: &[(&str, &str)]) -> Terminal {
    home.write("watched.rhai", script);
    let base = format!("base={}", home.site());
    Terminal::start_with(home, &["watch", "watched.rhai", "--arg", &base], variables)
}

#[track_caller]
fn ran(terminal: &Terminal, number: usize) -> String {
    terminal.until(&format!("the end of run {number}"), |screen| {
        let text = screen.contents();
        text.contains(&format!(" run {number}: ")) && text.trim_end().ends_with("q quit")
    })
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the process is there");
}

/// Waits until the process is in this state of `/proc`.
#[track_caller]
fn await_state(pid: u32, state: char) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, tail) = stat.rsplit_once(')').unwrap();
        if tail.trim_start().starts_with(state) {
            return;
        }
        assert!(Instant::now() < deadline, "it is not {state}: {stat}");
        std::thread::yield_now();
    }
}

/// Ends it with `key`, soon and whole.
#[track_caller]
fn ends(mut terminal: Terminal, key: &str, code: u32) {
    let browsers = browsers_of(terminal.pid());
    let start = Instant::now();
    terminal.keys(key);
    assert_eq!(terminal.ends(), code, "{}", terminal.screen());
    assert!(start.elapsed() < SOON, "it took {:?}:\n{}", start.elapsed(), terminal.screen());
    assert!(terminal.is_sane(), "the terminal was left as it was for us");
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
}

const GOES: &str = "goto(args.base + \"/form\"); print(\"gone there\");";

#[test]
fn ctrl_c_while_a_dead_browser_is_replaced_ends_it_well() {
    let home = Home::new();
    let terminal = watch(&home, GOES, &[]);
    ran(&terminal, 1);
    for browser in browsers_of(terminal.pid()).iter().filter(|process| process.is_child_of(terminal.pid())) {
        browser.kill();
    }
    terminal.sees("the browser ended; another one starts");
    ends(terminal, CTRL_C, 130);
}

#[test]
fn ctrl_c_while_a_browser_that_hangs_makes_room_for_another_ends_it_well() {
    let home = Home::new();
    // Nobody listens there: the browser with a window would not start.
    let mut terminal = watch(&home, GOES, &[("DISPLAY", "127.0.0.1:6999")]);
    ran(&terminal, 1);
    for browser in browsers_of(terminal.pid()) {
        browser.stop();
    }
    terminal.keys("h");
    terminal.sees("another browser, with a window");
    terminal.sees("running it again");
    ends(terminal, CTRL_C, 130);
}

/// Watches with a browser that was killed, and another one in its place that never gets to answer.
fn with_a_hanging_browser(home: &Home) -> Terminal {
    let terminal = watch(home, GOES, &[]);
    ran(&terminal, 1);
    let main = || browsers_of(terminal.pid()).into_iter().find(|process| process.is_child_of(terminal.pid()));
    let first = main().expect("a browser");
    first.kill();
    let deadline = Instant::now() + Duration::from_secs(20);
    // It has only just begun to start when it is seen.
    let second = loop {
        match main() {
            Some(browser) if browser != first => break browser,
            _ => assert!(Instant::now() < deadline, "no other browser starts"),
        }
        std::thread::yield_now();
    };
    second.stop();
    terminal.sees("the browser ended; another one starts");
    terminal
}

#[test]
fn a_browser_that_hangs_as_it_starts_holds_up_neither_changes_nor_keys() {
    let home = Home::new();
    let terminal = with_a_hanging_browser(&home);
    let start = Instant::now();
    home.write("watched.rhai", "\"needs none\"");
    ran(&terminal, 2);
    home.write("watched.rhai", "\"nor does this\"");
    assert!(ran(&terminal, 3).contains("\n\"nor does this\"\n"));
    assert!(start.elapsed() < SOON, "the changes waited {:?}", start.elapsed());
    ends(terminal, "q", 0);
}

#[test]
fn ctrl_c_while_a_browser_hangs_as_it_starts_ends_it_well() {
    let home = Home::new();
    let terminal = with_a_hanging_browser(&home);
    ends(terminal, CTRL_C, 130);
}

#[test]
fn ctrl_z_at_the_prompt_of_a_pause_stops_at_once_and_not_again_later() {
    let home = Home::new();
    let mut terminal = watch(&home, "let n = 41; pause(); print(`n is ${n}`);", &[]);
    terminal.sees("paused>");
    terminal.keys("\x1a");
    await_state(terminal.pid(), 'T');
    assert!(terminal.is_sane());
    signal(terminal.pid(), Signal::CONT);
    terminal.sees("going on: the script is still paused");
    terminal.line("n += 1");
    terminal.line("[n, \"said\"]");
    terminal.sees("[42,\"said\"]");
    terminal.keys(CTRL_D);
    assert!(ran(&terminal, 1).contains("n is 42"));
    // It was not kept for later.
    terminal.keys("?");
    terminal.sees("let changes wait, or no longer");
    ends(terminal, "q", 0);
}
