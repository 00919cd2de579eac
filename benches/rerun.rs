//! Watch mode: from the moment a script is saved to the first thing that its new run does, seen by the server that it asks.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const RERUNS: usize = 30;
const PATIENCE: Duration = Duration::from_secs(30);
/// A person needs longer than this between two saves.
const REST: Duration = Duration::from_millis(500);

/// What a request asked for, and when it came.
type Asked = (String, Instant);

fn main() {
    let (address, asked) = serve();
    let goto = |number: usize| format!("goto(\"http://{address}/{number}\");\n");
    let fetch =
        |number: usize| format!("evaluate(\"{{ fetch('http://{address}/{number}', {{ mode: 'no-cors' }}); 0 }}\");\n");
    measure("saved -> goto arrives", &[], &asked, goto);
    measure("saved -> goto arrives, in a session", &["--session", "bench"], &asked, goto);
    measure("saved -> fetch by evaluate arrives", &[], &asked, fetch);
}

/// Answers everything with a small page.
fn serve() -> (std::net::SocketAddr, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || answer(stream, &tell));
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, tell: &std::sync::mpsc::Sender<Asked>) {
    let mut request = [0; 4096];
    let count = stream.read(&mut request).unwrap_or(0);
    let now = Instant::now();
    let path = String::from_utf8_lossy(&request[..count]).split(' ').nth(1).unwrap_or_default().to_owned();
    // Connections that a browser opens ahead ask for nothing; at the end nobody listens.
    let _ = tell.send((path, now));
    let page = "<title>bench</title>";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        page.len()
    );
    let _ = stream.write_all(format!("{head}{page}").as_bytes());
}

fn measure(what: &str, args: &[&str], asked: &Receiver<Asked>, script: impl Fn(usize) -> String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bench.rhai");
    std::fs::write(&file, script(0)).expect("a script");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rhaven"))
        .args(["watch", "bench.rhai"])
        .args(args)
        .current_dir(folder.path())
        .env("RHAVEN_HOME", folder.path().join("rhaven"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    ran(&mut said);
    let mut spans: Vec<Duration> = (1..=RERUNS)
        .map(|number| {
            std::thread::sleep(REST);
            while asked.try_recv().is_ok() {}
            let text = script(number);
            let saved = Instant::now();
            std::fs::write(&file, text).expect("a save");
            let arrived = loop {
                let (path, at) = asked.recv_timeout(PATIENCE).expect("the run asks for its page");
                if path == format!("/{number}") {
                    break at;
                }
            };
            ran(&mut said);
            arrived - saved
        })
        .collect();
    stop(child);
    spans.sort();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!("{what:38} median {:6.1} ms   from {:6.1} to {:6.1} ms ({RERUNS} reruns)", at(50), at(0), at(100));
}

/// Waits for the end of a run.
fn ran(said: &mut impl std::io::BufRead) {
    let mut line = String::new();
    while !line.starts_with("run ") {
        line.clear();
        assert!(said.read_line(&mut line).expect("a line") > 0, "watch ended");
    }
    assert!(line.contains(": ok in "), "{line}");
}

fn stop(mut child: Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::TERM).expect("it still runs");
    child.wait().expect("an end");
}
