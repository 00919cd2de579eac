//! What watch mode does with sessions, with its browser and with memory.

use std::time::{Duration, Instant};

use crate::home::Home;
use crate::processes::{browsers_of, memory_of, outlived, renderers_of};
use crate::rig::Terminal;

/// Counts in localStorage and in a cookie; says both.
const COUNTS: &str = "\
goto(args.base + \"/form\");
let stored = evaluate(\"{ let n = 1 + Number(localStorage.n ?? 0); localStorage.n = n; n }\");
let baked = evaluate(\"{ let n = 1 + Number((document.cookie.match(/n=(\\\\d+)/) ?? [0, 0])[1]); document.cookie = 'n=' + n + '; max-age=9999'; n }\");
print(`run ${args.mark}: ${stored} ${baked}`);
";

fn watch(home: &Home, script: &str, args: &[&str]) -> Terminal {
    home.write("watched.rhai", script);
    let base = format!("base={}", home.site());
    let mut all = vec!["watch", "watched.rhai", "--arg", &base, "--arg", "mark=said"];
    all.extend(args);
    Terminal::start(home, &all)
}

/// What one further run by hand finds.
fn counts_after(home: &Home) -> String {
    home.write("watched.rhai", COUNTS);
    let base = format!("base={}", home.site());
    let args = ["run", "watched.rhai", "--session", "acme", "--arg", &base, "--arg", "mark=said"];
    let said = home.rhaven(&args).ends(0).err;
    said.lines().find(|line| line.starts_with("run said")).unwrap_or_default().to_owned()
}

#[track_caller]
fn ran(terminal: &Terminal, number: usize) -> String {
    terminal.until(&format!("the end of run {number}"), |screen| {
        let text = screen.contents();
        text.contains(&format!(" run {number}: ")) && text.trim_end().ends_with("q quit")
    })
}

/// Three runs and the end, which tells what it saved.
fn three_runs(home: &Home, args: &[&str]) -> String {
    let mut terminal = watch(home, COUNTS, &[&["--session", "acme"], args].concat());
    ran(&terminal, 1);
    for number in 2..4 {
        terminal.keys("r");
        ran(&terminal, number);
    }
    let browsers = browsers_of(terminal.pid());
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0, "{}", terminal.screen());
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    terminal.screen()
}

#[test]
fn each_run_begins_with_the_state_before_the_first_and_the_last_is_saved() {
    let home = Home::new();
    let screen = three_runs(&home, &[]);
    assert_eq!(screen.matches("run said: 1 1").count(), 3, "{screen}");
    assert!(screen.contains("session acme: new, saved v1"), "{screen}");
    assert_eq!(counts_after(&home), "run said: 2 2");
    // The same with a state that was there before.
    let screen = three_runs(&home, &[]);
    assert_eq!(screen.matches("run said: 3 3").count(), 3, "{screen}");
    assert!(screen.contains("session acme: restored v2 -> saved v3"), "{screen}");
    assert_eq!(counts_after(&home), "run said: 4 4");
}

#[test]
fn a_save_in_the_script_is_put_back_too() {
    let home = Home::new();
    let mut terminal = watch(&home, &format!("{COUNTS} save();"), &["--session", "acme"]);
    ran(&terminal, 1);
    terminal.keys("r");
    let screen = ran(&terminal, 2);
    assert_eq!(screen.matches("run said: 1 1").count(), 2, "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(counts_after(&home), "run said: 2 2");
}

#[test]
fn kept_state_grows_and_is_saved_after_each_run() {
    let home = Home::new();
    let screen = three_runs(&home, &["--keep-state"]);
    for said in ["run said: 1 1", "run said: 2 2", "run said: 3 3", "saved v1", "saved v2", "saved v3"] {
        assert!(screen.contains(said), "{said} is missing in\n{screen}");
    }
    assert_eq!(counts_after(&home), "run said: 4 4");
}

#[test]
fn a_session_that_somebody_else_has_is_tried_again_with_the_next_run() {
    let home = Home::new();
    let mut holder = watch(&home, COUNTS, &["--session", "acme"]);
    ran(&holder, 1);
    let mut terminal = watch(&home, COUNTS, &["--session", "acme"]);
    assert!(ran(&terminal, 1).contains("error[session_busy]"));
    holder.keys("q");
    assert_eq!(holder.ends(), 0);
    terminal.keys("r");
    let screen = ran(&terminal, 2);
    assert!(screen.contains("run said: 2 2"), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_browser_that_dies_is_said_and_replaced() {
    let home = Home::new();
    let mut terminal = watch(&home, COUNTS, &["--session", "acme"]);
    ran(&terminal, 1);
    for browser in browsers_of(terminal.pid()).iter().filter(|process| process.is_child_of(terminal.pid())) {
        browser.kill();
    }
    terminal.sees("the browser ended; another one starts");
    terminal.keys("r");
    let screen = ran(&terminal, 2);
    assert_eq!(screen.matches("run said: 1 1").count(), 2, "{screen}");
    let browsers = browsers_of(terminal.pid());
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
}

/// The memory once the renderer of the last run and that of the session made ready for the next are both there.
fn memory_at_rest(terminal: &Terminal) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let memory = memory_of(terminal.pid());
        if renderers_of(terminal.pid()) == 2 {
            return memory;
        }
        assert!(Instant::now() < deadline, "there are not two renderers");
        std::thread::yield_now();
    }
}

/// `RHAVEN_SOAK_RERUNS` says how often (30 unless set).
#[test]
fn memory_does_not_grow_with_the_runs() {
    const SETTLED: std::ops::RangeInclusive<usize> = 15..=20;
    let reruns = std::env::var("RHAVEN_SOAK_RERUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let home = Home::new();
    let mut terminal = watch(&home, COUNTS, &["--session", "acme"]);
    ran(&terminal, 1);
    let mut settled = 0;
    for number in 2..=reruns.max(SETTLED.end() + 1) {
        terminal.keys("r");
        ran(&terminal, number);
        // The largest of several: a renderer that is only starting is small.
        if SETTLED.contains(&number) {
            settled = settled.max(memory_at_rest(&terminal));
        }
    }
    // What still ends is not counted: what has leaked stays.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let at_last = memory_at_rest(&terminal);
        if at_last * 100 <= settled * 115 {
            break;
        }
        assert!(Instant::now() < deadline, "{settled} KiB after 20 runs, {at_last} KiB after {reruns}");
        std::thread::yield_now();
    }
    terminal.keys("q");
    assert_eq!(terminal.ends(), 0);
}
