//! `rhaven watch` on a terminal.

use std::time::Duration;

use crate::home::Home;
use crate::processes::{browsers_of, outlived};
use crate::rig::{CTRL_C, Terminal};

/// A person who watches one script.
struct Watched {
    terminal: Terminal,
    home: Home,
}

impl Watched {
    /// Watches `watched.rhai`, which holds `text`.
    fn start(home: Home, text: &str, args: &[&str]) -> Self {
        home.write("watched.rhai", text);
        let base = format!("base={}", home.site());
        let mut all = vec!["watch", "watched.rhai", "--arg", &base];
        all.extend(args);
        let terminal = Terminal::start(&home, &all);
        Self { terminal, home }
    }

    fn save(&self, text: &str) {
        self.home.write("watched.rhai", text);
    }

    /// Waits for the end of run `number`; answers the screen.
    #[track_caller]
    fn ran(&self, number: usize) -> String {
        self.terminal.until(&format!("the end of run {number}"), |screen| {
            let text = screen.contents();
            text.contains(&format!(" run {number}: ")) && text.trim_end().ends_with("q quit")
        })
    }

    /// Ends it; nothing is left behind.
    #[track_caller]
    fn ends(&mut self, key: &str, code: u32) {
        let browsers = browsers_of(self.terminal.pid());
        self.terminal.keys(key);
        assert_eq!(self.terminal.ends(), code, "{}", self.terminal.screen());
        assert!(self.terminal.is_sane(), "the terminal was left as it was for us");
        assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    }
}

#[test]
fn a_change_runs_the_script_again_in_the_same_browser() {
    let mut watched = Watched::start(Home::new(), "goto(args.base + \"/form\"); \"first\"", &[]);
    let screen = watched.ran(1);
    assert!(screen.contains("watching watched.rhai") && screen.contains("\"first\""), "{screen}");
    assert!(screen.contains("run 1: ok in "), "{screen}");
    let browsers = browsers_of(watched.terminal.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    watched.save("goto(args.base + \"/form\"); \"second\"");
    let screen = watched.ran(2);
    assert!(screen.contains("changed: watched.rhai\n\"second\"\n"), "{screen}");
    let main = browsers.iter().find(|process| process.is_child_of(watched.terminal.pid())).expect("a main process");
    assert!(browsers_of(watched.terminal.pid()).contains(main), "another browser was started");
    watched.ends("q", 0);
}

#[test]
fn a_change_of_a_module_runs_the_script_again() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("lib")).unwrap();
    home.write("lib/shop.rhai", "import \"lib/price\" as price;\nfn total() { price::of(2) }");
    home.write("lib/price.rhai", "fn of(n) { n * 10 }");
    let mut watched = Watched::start(home, "import \"lib/shop\" as shop; shop::total()", &[]);
    assert!(watched.ran(1).contains("\n20\n"));
    watched.home.write("lib/price.rhai", "fn of(n) { n * 11 }");
    let screen = watched.ran(2);
    assert!(screen.contains("changed: lib/price.rhai\n22\n"), "{screen}");
    // What is imported from now on is watched from now on.
    watched.save("import \"lib/late\" as late; late::total()");
    watched.terminal.sees("module_not_found");
    watched.home.write("lib/late.rhai", "fn total() { 33 }");
    let screen = watched.ran(3);
    assert!(screen.contains("changed: lib/late.rhai\n33\n"), "{screen}");
    watched.ends("q", 0);
}

#[test]
fn a_script_that_cannot_run_is_reported_and_the_last_result_stands() {
    let mut watched = Watched::start(Home::new(), "\"a result\"", &[]);
    watched.ran(1);
    watched.save("\"half\" +");
    let screen = watched.terminal.sees("the last result stands");
    assert!(screen.contains("\n\"a result\"\n") && screen.contains("error[parse_error]"), "{screen}");
    watched.save("clik(\"#go\")");
    let screen = watched.terminal.sees("did you mean click");
    assert!(screen.contains("\n\"a result\"\n") && !screen.contains("run 2"), "{screen}");
    std::fs::remove_file(watched.home.path().join("watched.rhai")).unwrap();
    watched.terminal.sees("error[file_error]");
    watched.save("\"another\"");
    assert!(watched.ran(2).contains("\n\"another\"\n"));
    watched.ends("q", 0);
}

#[test]
fn a_running_script_is_stopped_for_a_newer_one_that_can_run() {
    let mut watched = Watched::start(Home::new(), "print(\"waits\"); sleep(\"1h\");", &[]);
    watched.terminal.sees("waits");
    watched.save("sleep(");
    watched.terminal.sees("the run under way goes on");
    watched.save("\"newer\"");
    let screen = watched.ran(2);
    assert!(screen.contains("run 1: stopped for a newer one") && screen.contains("\n\"newer\"\n"), "{screen}");
    watched.ends("q", 0);
}

#[test]
fn a_hundred_quick_saves_end_with_one_run_of_the_last() {
    let mut watched = Watched::start(Home::new(), "0", &[]);
    watched.ran(1);
    for number in 1..=100 {
        watched.save(&format!("emit(\"this is {number}\");"));
    }
    watched.terminal.sees("\"this is 100\"");
    // Nothing more comes: what is asked for now is the next thing that happens.
    watched.terminal.until("rest", |screen| screen.contents().trim_end().ends_with("q quit"));
    watched.terminal.keys("?");
    let screen = watched.terminal.sees("a screenshot of the page");
    assert_eq!(screen.matches("\"this is 100\"").count(), 1, "{screen}");
    watched.ends("q", 0);
}

#[test]
fn keys_rerun_pause_and_explain() {
    let mut watched = Watched::start(Home::new(), "\"one\"", &[]);
    watched.ran(1);
    watched.terminal.keys("r");
    assert!(watched.ran(2).contains("running it again\n\"one\"\n"));
    watched.terminal.keys("x");
    watched.terminal.sees("let changes wait, or no longer");
    watched.terminal.keys("p");
    watched.terminal.sees("paused, changes wait");
    watched.save("\"two\"");
    watched.terminal.keys("?");
    let screen = watched
        .terminal
        .until("the keys twice", |screen| screen.contents().matches("let changes wait, or").count() == 2);
    assert!(!screen.contains("run 3"), "{screen}");
    watched.terminal.keys("p");
    let screen = watched.ran(3);
    assert!(screen.contains("going on") && screen.contains("changed: watched.rhai\n\"two\"\n"), "{screen}");
    watched.ends("q", 0);
}

#[test]
fn a_screenshot_goes_into_a_new_file() {
    let mut watched = Watched::start(Home::new(), "1", &[]);
    watched.ran(1);
    watched.terminal.keys("s");
    watched.terminal.sees("there is no page");
    watched.home.write("watched-1.png", "somebody's own");
    watched.save("goto(args.base + \"/form\");");
    watched.ran(2);
    watched.terminal.keys("s");
    watched.terminal.sees("screenshot: watched-2.png");
    let read = |name: &str| std::fs::read(watched.home.path().join(name)).unwrap();
    assert_eq!(read("watched-1.png"), b"somebody's own");
    assert!(read("watched-2.png").starts_with(b"\x89PNG"));
    watched.ends("q", 0);
}

#[test]
fn a_window_without_a_display_is_an_error_and_nothing_else() {
    let mut watched = Watched::start(Home::new(), "\"one\"", &[]);
    watched.ran(1);
    watched.terminal.keys("h");
    watched.terminal.sees("error[no_display]");
    watched.terminal.keys("r");
    watched.ran(2);
    watched.ends("q", 0);
}

#[test]
fn a_window_that_cannot_be_shown_fails_one_run() {
    let home = Home::new();
    home.write("watched.rhai", "goto(args.base + \"/form\");");
    let args = ["watch", "watched.rhai", "--arg", &format!("base={}", home.site())];
    // Nobody listens there.
    let terminal = Terminal::start_with(&home, &args, &[("DISPLAY", "127.0.0.1:6999")]);
    let mut watched = Watched { terminal, home };
    watched.ran(1);
    watched.terminal.keys("h");
    assert!(watched.ran(2).contains("error[browser_"));
    watched.terminal.keys("h");
    assert!(watched.ran(3).contains("run 3: ok in "));
    watched.ends("q", 0);
}

#[test]
fn the_exit_code_is_the_last_run_s() {
    let mut watched = Watched::start(Home::new(), "throw \"broken\"", &[]);
    assert!(watched.ran(1).contains("broken"));
    watched.ends("q", 3);
}

#[test]
fn ctrl_c_at_rest_ends_it_well() {
    let mut watched = Watched::start(Home::new(), "goto(args.base + \"/form\");", &[]);
    watched.ran(1);
    watched.ends(CTRL_C, 130);
}

#[test]
fn ctrl_c_at_any_moment_leaves_the_terminal_sane_and_no_browser() {
    // From before the first run to the middle of a third.
    let moments: [fn(&Watched); 5] = [
        |watched| drop(watched.terminal.sees("watching")),
        |watched| drop(watched.terminal.sees("running")),
        |watched| drop(watched.terminal.sees("ready")),
        |watched| {
            watched.terminal.sees("ready");
            watched.save("print(\"again\"); goto(args.base + \"/form\"); sleep(\"1h\");");
            watched.terminal.sees("changed:");
        },
        |watched| {
            watched.terminal.sees("ready");
            watched.save("print(\"again\"); goto(args.base + \"/form\"); sleep(\"1h\");");
            watched.terminal.sees("again");
        },
    ];
    for moment in moments {
        let script = "goto(args.base + \"/form\"); print(\"ready\"); sleep(\"1h\");";
        let mut watched = Watched::start(Home::new(), script, &["--session", "acme"]);
        moment(&watched);
        watched.ends(CTRL_C, 130);
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let script = "goto(args.base + \"/form\"); print(\"ready\"); sleep(\"1h\");";
    let mut watched = Watched::start(Home::new(), script, &["--session", "acme"]);
    watched.terminal.sees("ready");
    watched.ends(&CTRL_C.repeat(2), 130);
}

#[test]
fn a_pause_in_the_script_has_the_terminal_and_changes_wait() {
    let script = "let n = 41; pause(); print(`n is ${n}`);";
    let mut watched = Watched::start(Home::new(), script, &[]);
    watched.terminal.sees("paused");
    watched.terminal.line("n += 1");
    watched.save("\"newer\"");
    watched.terminal.line("[n, \"said\"]");
    watched.terminal.sees("[42,\"said\"]");
    watched.terminal.until("a third prompt", |screen| screen.contents().matches("paused>").count() == 3);
    watched.terminal.keys(crate::rig::CTRL_D);
    let screen = watched.ran(2);
    assert!(screen.contains("\n\"newer\"\n"), "{screen}");
    watched.terminal.keys("r");
    watched.ran(3);
    watched.ends("q", 0);
}

#[test]
fn ctrl_z_hands_the_terminal_over_and_takes_it_back() {
    let mut watched = Watched::start(Home::new(), "\"one\"", &[]);
    watched.ran(1);
    watched.terminal.keys("\x1a");
    let pid = watched.terminal.pid();
    await_state(pid, 'T');
    assert!(watched.terminal.is_sane());
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::CONT).unwrap();
    watched.terminal.sees("going on");
    watched.terminal.keys("r");
    watched.ran(2);
    watched.ends("q", 0);
}

/// Waits until the process is in this state of `/proc`.
fn await_state(pid: u32, state: char) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, tail) = stat.rsplit_once(')').unwrap();
        if tail.trim_start().starts_with(state) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "it is not {state}: {stat}");
        std::thread::yield_now();
    }
}
