//! The REPL as a script of lines; and inputs of every broken and hostile kind, none of which ends it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, Said};
use crate::processes::{Process, browsers_of, outlived};
use crate::rig::Terminal;

/// Leaves something in the session that is worth saving.
const KEPT: &str = "goto(args.base + \"/orders\"); evaluate(\"{ localStorage.setItem('a', '1'); 0 }\"); ";

/// A REPL that reads a pipe which stays open, so that a test can wait between two lines.
struct Piped {
    child: Child,
    stdin: ChildStdin,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

impl Piped {
    fn start(home: &Home, args: &[&str]) -> Self {
        let base = format!("base={}", home.site());
        let mut command = home.command(&["repl", "--arg", &base]);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let (stdin, out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (out, err) = (BufReader::new(out), BufReader::new(child.stderr.take().expect("a pipe")));
        Self { child, stdin, out, err }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("it reads");
    }

    /// The next line on stdout.
    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Waits for a line on stderr.
    #[track_caller]
    fn tells(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.err.read_line(&mut line).expect("a line") > 0, "it ended without {text:?}");
        }
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, Signal::INT).expect("it runs");
    }

    /// Waits for the end while stdin is still open; the exit code, the rest of both streams, and no browser.
    #[track_caller]
    fn ends(mut self, browsers: &[Process]) -> Said {
        let (mut out, mut err) = (String::new(), String::new());
        self.err.read_to_string(&mut err).expect("the rest of stderr");
        self.out.read_to_string(&mut out).expect("the rest of stdout");
        let code = self.child.wait().expect("an end").code().unwrap_or(-1);
        assert_eq!(outlived(browsers, Duration::from_secs(5)), [], "{err}");
        Said { out, err, code }
    }
}

#[test]
fn an_interrupt_between_two_lines_ends_it() {
    let home = Home::new();
    let mut piped = Piped::start(&home, &["--session", "acme"]);
    piped.say(&(KEPT.to_owned() + "\"here\""));
    assert_eq!(piped.hears(), "\"here\"");
    let browsers = browsers_of(piped.child.id());
    assert!(!browsers.is_empty(), "no browser was seen");
    piped.interrupt();
    piped.ends(&browsers).ends(130).tells("session acme: new, saved v1");
}

#[test]
fn an_interrupt_between_lines_that_wait_already_runs_none_of_them() {
    let home = Home::new();
    let mut piped = Piped::start(&home, &[]);
    // The second line is read while the first one runs.
    piped.say("print(\"it \" + \"waits\"); wait_for(\"#never\")\nprint(\"not \" + \"reached\")\n\"not reached\"");
    piped.tells("it waits");
    let browsers = browsers_of(piped.child.id());
    piped.interrupt();
    let said = piped.ends(&browsers).ends(130).tells("interrupted");
    assert!(said.out.is_empty() && !said.err.contains("not reached"), "{said:?}");
}

#[test]
fn emitted_values_are_lines_with_json_too() {
    let home = Home::new();
    let mut piped = Piped::start(&home, &["--json"]);
    // At once, and not at the end.
    piped.say("emit(#{ n: 1 }); 2");
    assert_eq!((piped.hears(), piped.hears()), ("{\"n\":1}".to_owned(), "2".to_owned()));
    piped.say("emit(3)\n.quit");
    assert_eq!(piped.ends(&[]).ends(0).out, "3\n");
}

#[test]
fn a_reader_that_has_gone_ends_it() {
    for line in ["\"one value more\"", "loop { emit(1); sleep(\"10ms\"); }"] {
        let home = Home::new();
        let mut piped = Piped::start(&home, &["--json", "--session", "acme"]);
        piped.say(&(KEPT.to_owned() + "emit(0)"));
        assert_eq!(piped.hears(), "0");
        let browsers = browsers_of(piped.child.id());
        assert!(!browsers.is_empty(), "no browser was seen");
        let Piped { mut child, mut stdin, out, mut err } = piped;
        // As `head -1` does.
        drop(out);
        writeln!(stdin, "{line}").expect("it reads");
        let mut told = String::new();
        err.read_to_string(&mut told).expect("the rest of stderr");
        assert_eq!(child.wait().expect("an end").code(), Some(0), "{told}");
        assert!(told.contains("session acme: new, saved v1") && !told.contains("interrupted"), "{told}");
        assert_eq!(outlived(&browsers, Duration::from_secs(5)), []);
    }
}

#[test]
fn a_browser_that_was_named_and_is_not_there_is_told_as_in_a_run() {
    let home = Home::new();
    let mut command = home.command(&["repl", "--session", "acme"]);
    let said = crate::home::said(command.env("RHAVEN_CHROMIUM", "/no/such/chromium"));
    said.ends(1).tells("RHAVEN_CHROMIUM names /no/such/chromium, which does not exist");
}

fn pipe(home: &Home, text: &str) -> Said {
    let base = format!("base={}", home.site());
    let mut command = home.command(&["repl", "--arg", &base]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("an end");
    // It may end before it has read everything.
    let _ = writer.join().expect("the writer");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap_or(-1) }
}

#[test]
fn values_are_lines_of_json_and_nothing_else_is_on_stdout() {
    let said = pipe(
        &Home::new(),
        "let x = 20\nfn twice(x) {\n\n  x * 2\n}\n.vars\n#{ a: [twice(x)] }\n\"a\"\n()\n.code\nprint(1)",
    );
    let said = said.ends(0);
    assert_eq!(said.out, "{\"a\":[40]}\n\"a\"\n");
    assert!(said.err.contains("let x = 20;") && !said.err.contains("> "), "{}", said.err);
}

#[test]
fn the_exit_code_is_the_first_failures_and_the_rest_runs() {
    let home = Home::new();
    let said = pipe(&home, "1\nlet y = ;\nclick(\"#no\", #{ timeout: \"50ms\" })\n.nothing\n2\n").ends(2);
    assert_eq!(said.out, "1\n2\n");
    said.tells("error[parse_error]").tells("error[timeout]").tells("no command .nothing");
}

#[test]
fn sessions_are_saved_and_quit_ends_it() {
    let home = Home::new();
    let said = pipe(
        &home,
        "session(\"acme\"); goto(args.base + \"/login\")\n\
         fill(\"#email\", \"user@example.com\"); fill(\"#password\", secret(\"PRACTICE_PASSWORD\"))\n\
         click(\"button[type=submit]\"); wait_for(\"html[data-ready=yes]\")\n.quit\n\"not reached\"\n",
    );
    said.ends(0).tells("session acme: new, saved v1");
}

/// Script that is almost right, brackets without end, control characters, commands with odd arguments.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("let x = ".to_owned()),
        Just("click(\"".to_owned()),
        Just("\"${".to_owned()),
        Just("`${".to_owned()),
        Just("/* ".to_owned()),
        Just("fn f(".to_owned()),
        Just("secret(\"PRACTICE_PASSWORD\")".to_owned()),
        Just("throw ".to_owned()),
        Just("#{ a: ".to_owned()),
        Just("exit(1)".to_owned()),
        Just("import \"../x\" as y;".to_owned()),
        "[\\[\\](){}#\"'`;,.+=!|&<>-]{1,12}",
        "[\u{1}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{7f}-\u{9f}\u{202e}]{1,6}",
        "\\PC{0,20}",
    ];
    let command = (
        prop::sample::select(vec![
            "help", "code", "undo", "trace", "show", "vars", "snapshot", "session", "save", "load", "continue",
            "clear", "bogus", "",
        ]),
        "[^\n\r]{0,12}",
    );
    prop_oneof![
        6 => prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat()),
        // A session's id or a path would make things, by whoever may write anywhere; in a folder that is not there these make
        // nothing.
        2 => command.prop_map(|(name, argument)| format!(".{name} /no-such-folder/\u{1}{argument}")),
        1 => (1_usize..3000).prop_map(|depth| "(".repeat(depth)),
        1 => (1_usize..3000).prop_map(|depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth))),
    ]
}

fn inputs(count: usize) -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count)
        .map(|_| hostile().new_tree(&mut runner).expect("an input").current().replace(['\n', '\r'], " "))
        .collect()
}

#[test]
fn a_thousand_broken_and_hostile_inputs_do_not_end_it() {
    let home = Home::new();
    let mut text = String::new();
    for (number, input) in inputs(1_000).iter().enumerate() {
        // A command ends what the input before left open.
        writeln!(text, "{input}\n.vars\n\"sentinel {number}\"").unwrap();
    }
    let said = pipe(&home, &text);
    let answered = said.out.lines().filter(|line| line.starts_with("\"sentinel ")).count();
    assert_eq!(
        answered,
        1_000,
        "it ended with {}: {}",
        said.code,
        said.err.chars().rev().take(2000).collect::<String>()
    );
    assert!(!said.err.contains('\u{1b}') && !said.err.contains('\u{9b}'));
    assert!(!said.err.contains(rhaven::practice::PASSWORD) && !said.out.contains(rhaven::practice::PASSWORD));
}

#[test]
fn hostile_keys_do_not_end_it_either() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["repl"]);
    terminal.sees("> ");
    for input in inputs(60) {
        // Keys that mean something: the end, suspension, searches that wait for more.
        let keys: String = input.chars().filter(|key| !key.is_control()).take(300).collect();
        terminal.keys(&format!("{keys}\u{1b}[A\u{1b}[B\u{1}\u{5}\r\r\x15"));
    }
    terminal.line("\"still \" + \"here\"");
    terminal.sees("\n\"still here\"");
    crate::repl::leave(terminal);
}
