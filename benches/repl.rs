//! What a person at the REPL waits for, measured on a real pseudo-terminal: the prompt behind a finished verb, and what Tab
//! lists. `BENCH_ROUNDS` sets how often each is measured.

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/cli/home.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line, which use all of it")]
mod home;
#[path = "../tests/terminal/rig.rs"]
#[allow(dead_code, reason = "as above")]
mod rig;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use home::Home;
use rig::{TAB, Terminal};

const ROUNDS: usize = 30;
/// The end of what is typed already: the line is empty again behind it.
const KILL_LINE: &str = "\x01\x0b";
/// Records as a page's table gives them.
const LARGE: &str = "let list = []; for n in 0..500 { list.push(#{ id: n, name: `order ${n}`, paid: true }); } \
    let some = list; for n in 1..20 { list += some; } list.len()";
/// A person feels nothing below it.
const LIMIT: Duration = Duration::from_millis(50);
/// How long nothing happens between two keys of a person.
const REST: Duration = Duration::from_millis(120);

fn main() {
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let home = Home::new();
    let base = format!("base={}", home.site());
    let mut terminal = Terminal::start(&home, &["repl", "--arg", &base]);
    terminal.sees("rhaven> ");
    terminal.line("goto(args.base + \"/orders\"); \"op\" + \"en\"");
    terminal.sees("\n\"open\"\nrhaven>");

    prompts(&mut terminal, "a verb's end -> prompt", rounds, "title(); ");
    enters(&mut terminal, "Enter behind 1 + 1 -> prompt", rounds, "1 + 1", "\n2\nrhaven>");
    terminal.wipe();
    terminal.line(LARGE);
    terminal.sees("\n10000\nrhaven>");
    prompts(&mut terminal, "a verb's end -> prompt, beside 10000 records", rounds, "title(); ");
    enters(&mut terminal, "Enter behind 1 + 1 -> prompt, beside 10000 records", rounds, "1 + 1", "\n2\nrhaven>");
    enters(&mut terminal, "Enter behind the records' number -> prompt", rounds, "list.len()", "\n10000\nrhaven>");

    lists(&mut terminal, "Tab -> functions", rounds, "let x = se", "secret(");
    lists(&mut terminal, "Tab -> options", rounds, "click(\"#a\", #{ but", "one of");
    lists(&mut terminal, "Tab -> selectors of the page", rounds, "click(\"", "role=");
    terminal.line(".quit");
    assert_eq!(terminal.ends(), 0);
}

/// From Enter to the prompt below the value.
fn enters(terminal: &mut Terminal, what: &str, rounds: usize, text: &str, wanted: &str) {
    let spans = (0..rounds).map(|_| {
        terminal.wipe();
        terminal.keys(text);
        terminal.until("what was typed", |screen| screen.contents().contains(text));
        rest();
        let start = Instant::now();
        terminal.keys("\r");
        terminal.sees(wanted);
        start.elapsed()
    });
    report(what, spans.collect());
}

/// From the moment at which the last verb of an input reads the clock, in the page, to the prompt.
fn prompts(terminal: &mut Terminal, what: &str, rounds: usize, before: &str) {
    let spans = (0..rounds).map(|_| {
        rest();
        terminal.wipe();
        terminal.line(&format!("{before}evaluate(\"Date.now()\")"));
        let screen = terminal.until("a time and the prompt", |screen| finished(&screen.contents()).is_some());
        let seen = now();
        seen.saturating_sub(finished(&screen).expect("a time"))
    });
    report(what, spans.collect());
}

/// The time on the screen, where the prompt stands below it.
fn finished(screen: &str) -> Option<Duration> {
    let time = screen.trim_end().strip_suffix("rhaven>")?.trim_end().lines().next_back()?;
    time.trim().parse().ok().map(Duration::from_millis)
}

/// From Tab to what is listed.
fn lists(terminal: &mut Terminal, what: &str, rounds: usize, typed: &str, wanted: &str) {
    let spans = (0..rounds).map(|_| {
        terminal.wipe();
        terminal.keys(typed);
        terminal.until("what was typed", |screen| screen.contents().contains(typed.trim_end()));
        rest();
        let start = Instant::now();
        terminal.keys(TAB);
        terminal.until("a list", |screen| screen.contents().replace(typed, "").contains(wanted));
        let span = start.elapsed();
        terminal.keys(KILL_LINE);
        terminal.until("an empty line", |screen| screen.contents().trim_end().ends_with("rhaven>"));
        span
    });
    report(what, spans.collect());
}

/// As a person would: nothing is left of what went before.
fn rest() {
    std::thread::sleep(REST);
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock")
}

fn report(what: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!(
        "{what}: median {:.1} ms (limit {} ms), 95 % within {:.1} ms, {} rounds",
        at(50),
        LIMIT.as_millis(),
        at(95),
        spans.len()
    );
}
