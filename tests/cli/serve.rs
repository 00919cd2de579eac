//! `rhaven serve` as a process: the first token, the lines that it writes, and its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::home::Home;
use crate::processes::{browsers_of, outlived};

/// A server that runs, and what it has written.
pub struct Serving {
    child: Child,
    pub host: String,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Home, more: &[&str]) -> Command {
    let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--no-sandbox", "--allow-private"];
    args.extend(more);
    home.command(&args)
}

impl Serving {
    pub fn start(home: &Home, more: &[&str]) -> Self {
        let mut child = command(home, more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        let host = url.trim().trim_start_matches("http://").to_owned();
        let (send, lines) = mpsc::channel();
        let err = BufReader::new(child.stderr.take().expect("a pipe"));
        std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| send.send(line).ok()));
        let mut serving = Self { child, host, lines, seen: Vec::new() };
        serving.line("rhaven serves at");
        serving
    }

    /// Waits for a line with that in it.
    fn line(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?} after {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The token that it has shown.
    pub fn token(&mut self) -> String {
        self.line("rhvn_").trim().to_owned()
    }

    /// Sends a request; the answer is to be read from what it answers.
    fn ask(&self, token: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        let body = body.to_string();
        write!(
            stream,
            "POST /v1/run HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        stream
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// The exit code, and all that it wrote.
    pub fn end(mut self) -> (Option<i32>, Vec<String>) {
        let code = self.child.wait().expect("an end").code();
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(self.lines.iter());
        (code, seen)
    }
}

/// Status and JSON of an answer.
fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body:?}")))
}

#[test]
fn the_first_start_shows_a_token_once_and_a_signal_ends_it_well() {
    let home = Home::new();
    let mut first = Serving::start(&home, &["--log-format", "json"]);
    let token = first.token();
    let (status, told) = answer(first.ask(&token, &json!({ "script": "6 * 7" })));
    assert_eq!((status, &told["result"]), (200, &json!(42)), "{told}");
    first.signal(Signal::TERM);
    let (code, lines) = first.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let logged: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let request = logged.iter().find(|line| line["route"] == "/v1/run").expect("a line for the request");
    assert_eq!(
        (&request["status"], &request["tenant"], &request["method"]),
        (&json!(200), &json!("default"), &json!("POST"))
    );
    assert_eq!(request["id"], told["request_id"]);
    let secret = token.rsplit('.').next().expect("a secret");
    assert_eq!(lines.iter().filter(|line| line.contains(secret)).count(), 1, "{lines:#?}");
    let second = Serving::start(&home, &[]);
    assert_eq!(answer(second.ask(&token, &json!({ "script": "1" }))).0, 200);
    second.signal(Signal::INT);
    let (code, lines) = second.end();
    assert!(code == Some(0) && !lines.iter().any(|line| line.contains("rhvn_")), "{lines:#?}");
}

#[test]
fn what_goes_on_at_the_end_is_saved_and_no_browser_is_left() {
    let home = Home::new();
    let mut serving = Serving::start(&home, &["--drain", "300ms"]);
    let token = serving.token();
    let script = "goto(args.base + \"/form\"); evaluate(\"localStorage.setItem('kept', '1')\"); goto(args.base + \"/form\"); \
                  print(\"in the middle\"); loop { }";
    let stream = serving.ask(&token, &json!({ "script": script, "args": { "base": home.site() }, "session": "long" }));
    // Until it has a browser, and its page has been there.
    while home.visits()["/form"].as_u64().unwrap_or_default() < 2 {
        std::thread::yield_now();
    }
    let browsers = browsers_of(serving.child.id());
    assert!(!browsers.is_empty());
    serving.signal(Signal::TERM);
    let (status, told) = answer(stream);
    assert_eq!((status, &told["error"]["code"]), (503, &json!("interrupted")), "{told}");
    assert_eq!((&told["session"]["id"], &told["session"]["version"]), (&json!("long"), &json!(1)), "{told}");
    let (code, lines) = serving.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let left = outlived(&browsers, Duration::from_secs(10));
    assert!(left.is_empty(), "{left:?}");
    let shown = home.rhaven(&["session", "show", "long"]).ends(0).out;
    assert!(shown.contains("kept"), "{shown}");
}

#[test]
fn what_comes_to_its_end_in_time_is_answered_and_a_second_signal_does_not_wait() {
    let home = Home::new();
    let mut serving = Serving::start(&home, &[]);
    let token = serving.token();
    let quick = "goto(args.base + \"/form\"); evaluate(\"new Promise(done => setTimeout(done, 1000))\"); title()";
    let stream = serving.ask(&token, &json!({ "script": quick, "args": { "base": home.site() } }));
    while home.visits()["/form"].as_u64().unwrap_or_default() < 1 {
        std::thread::yield_now();
    }
    serving.signal(Signal::TERM);
    serving.line("ending");
    let (status, told) = answer(stream);
    assert_eq!((status, &told["status"]), (200, &json!("completed")), "{told}");
    assert_eq!(serving.end().0, Some(0));
    let serving = Serving::start(&home, &[]);
    let stream = serving
        .ask(&token, &json!({ "script": "goto(args.base + \"/form\"); loop { }", "args": { "base": home.site() } }));
    while home.visits()["/form"].as_u64().unwrap_or_default() < 2 {
        std::thread::yield_now();
    }
    let browsers = browsers_of(serving.child.id());
    serving.signal(Signal::TERM);
    let mut serving = serving;
    serving.line("ending");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(130));
    drop(stream);
    let left = outlived(&browsers, Duration::from_secs(10));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_cannot_be_is_told_before_it_listens() {
    let home = Home::new();
    home.rhaven(&["serve", "--listen", "here"]).ends(1).tells("--listen");
    home.rhaven(&["serve", "--no-sandbox", "--scripts", "nowhere"]).ends(1).tells("nowhere");
    home.rhaven(&["serve", "--trusted-proxy", "x"]).ends(1).tells("a network such as");
    home.write("rhaven.toml", "[serve]\nno_sandbox = true");
    home.rhaven(&["serve"]).ends(1).tells("cannot be set for a project");
    std::fs::remove_file(home.path().join("rhaven.toml")).expect("it was there");
    if rustix::process::geteuid().is_root() {
        home.rhaven(&["serve"]).ends(1).tells("error[sandbox_off]").tells("--no-sandbox");
    }
    let serving = Serving::start(&home, &[]);
    home.rhaven(&["serve", "--no-sandbox", "--listen", &serving.host]).ends(1).tells("error[listen_failed]");
}
