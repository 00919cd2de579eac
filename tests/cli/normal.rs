//! Output without what differs from run to run: ports, folders, times, process ids, versions.

use std::sync::LazyLock;

use regex::Regex;

use crate::home::Home;

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\x1b\[[0-9;]*m", ""),
        // Said to root only.
        (r"(?m)^note: running as root: .*\n", ""),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "WHEN"),
        (r"\bpid \d+", "pid PID"),
        // How often a verb tried the same again.
        (r" \(x\d+\)", ""),
        (r"\b\d+(\.\d+)? (ms|s)\b", "TIME"),
        (r"\b[0-9a-f]{32}\b", "KEY-ID"),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).expect("a pattern"), with))
    .collect()
});

/// `text` as it would be anywhere, at any time.
pub fn normal(text: &str, home: &Home) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = text
        .replace(&home.path().display().to_string(), "HOME")
        .replace(home.site(), "SITE")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
        .replace(&format!(" on {host}"), " on HOST");
    once(&RULES.iter().fold(text, |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned()))
}

/// How often a verb tried again depends on the machine: a line of a list is kept where it comes for the first time.
fn once(text: &str) -> String {
    let mut list = Vec::new();
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if !line.starts_with("    ") {
            list.clear();
        } else if list.contains(&line) {
            continue;
        } else {
            list.push(line);
        }
        kept.push_str(line);
    }
    kept
}
