//! `rhaven doctor`: what a run needs, tried out; each finding with the way out.

mod store;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Outcome;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::{Deadline, show_duration};
use crate::browser::{self, Browser, Flavor, Found, LaunchOptions};
use crate::diagnose::Tone;
use crate::run::FailureKind;
use crate::session::KeySource;

/// Below this Chromium's shared memory can run out on heavy pages; we start it so that it does not need it.
const SMALL_SHM: u64 = 256 << 20;

/// How long a browser may take to start and to end here.
const BROWSER_PATIENCE: Duration = Duration::from_secs(20);

/// The way out where the browser does not work.
const ANOTHER: &str = "`rhaven browser install` gets one; `rhaven browser list` shows those that there are";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    status: Status,
    text: String,
    hint: Option<String>,
}

impl Finding {
    fn is_failure(&self) -> bool {
        self.status == Status::Fail
    }
}

fn ok(name: &'static str, text: impl Into<String>) -> Finding {
    Finding { name, status: Status::Ok, text: text.into(), hint: None }
}

fn warn(name: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { name, status: Status::Warn, text: text.into(), hint: Some(hint.into()) }
}

fn fail(name: &'static str, text: impl Into<String>, hint: Option<String>) -> Finding {
    Finding { name, status: Status::Fail, text: text.into(), hint }
}

/// Looks at everything; fails where anything would keep a script from running.
pub(super) async fn execute(settings: &Settings, terminal: &Terminal) -> Outcome {
    let mut findings = vec![ok("rhaven", env!("CARGO_PKG_VERSION"))];
    let reaped = tokio::task::spawn_blocking(browser::reap).await.unwrap_or(0);
    findings.extend(browsers(settings).await);
    findings.push(match reaped {
        0 => ok("orphans", "no browser of an ended run was left"),
        ended => ok("orphans", format!("{ended} browser(s) of ended runs were still there and have been ended")),
    });
    findings.push(sandbox());
    findings.extend(shared_memory(Path::new("/dev/shm")));
    findings.push(key(settings));
    findings.extend(Box::pin(store::look(settings)).await);
    findings.extend(outbox(&settings.outbox()));
    findings.push(terminal_finding(terminal));
    let failed = findings.iter().any(Finding::is_failure);
    show(&findings, failed, terminal);
    Ok(if failed { super::failed(FailureKind::Usage) } else { super::OK })
}

fn show(findings: &[Finding], failed: bool, terminal: &Terminal) {
    if terminal.json {
        terminal.value(&serde_json::json!({ "ok": !failed, "checks": findings }));
        return;
    }
    for finding in findings {
        let (tone, label) = match finding.status {
            Status::Ok => (Tone::Good, "ok  "),
            Status::Warn => (Tone::Warning, "warn"),
            Status::Fail => (Tone::Bad, "FAIL"),
        };
        let label = terminal.out_style.paint(tone, label);
        terminal.data(&format!("{label}  {:<11} {}", finding.name, finding.text));
        for line in finding.hint.iter().flat_map(|hint| hint.lines()) {
            terminal.data(&format!("{:18} {line}", ""));
        }
    }
}

async fn browsers(settings: &Settings) -> Vec<Finding> {
    let wanted = match &settings.chromium {
        Some(path) => browser::named(path),
        None => browser::find(Flavor::HeadlessShell, Some(&settings.downloads)),
    };
    match wanted {
        Ok(found) => vec![start(&found).await],
        Err(error) => vec![match settings.missing_browser() {
            Some((text, hint)) => fail("browser", text, Some(hint)),
            None => fail("browser", error.to_string(), Some(ANOTHER.to_owned())),
        }],
    }
}

/// Starts one and ends it again.
async fn start(found: &Found) -> Finding {
    let began = Instant::now();
    let options = LaunchOptions {
        flavor: found.flavor,
        executable: Some(found.path.clone()),
        timeout: Some(BROWSER_PATIENCE),
        ..LaunchOptions::default()
    };
    match Browser::launch(&options).await {
        Ok(browser) => {
            let took = show_duration(began.elapsed());
            let version = browser.version().await.map(|version| version.product).unwrap_or_default();
            browser.close(Deadline::after(BROWSER_PATIENCE)).await;
            ok("browser", format!("{version} at {} ({}) starts in {took}", found.path.display(), found.source))
        }
        Err(error) => fail("browser", error.to_string(), Some(ANOTHER.to_owned())),
    }
}

fn sandbox() -> Finding {
    if rustix::process::geteuid().is_root() {
        let hint = "run as an ordinary user to have it: Chromium refuses it for root";
        warn("sandbox", "off, because this is root", hint)
    } else {
        ok("sandbox", "on")
    }
}

fn shared_memory(path: &Path) -> Option<Finding> {
    let stat = rustix::fs::statvfs(path).ok()?;
    let size = stat.f_blocks.saturating_mul(stat.f_frsize);
    let text = format!("{} has {}", path.display(), super::tables::show_bytes(size));
    Some(if size < SMALL_SHM {
        warn("memory", text, "heavy pages are slower; give a container more of it (docker run --shm-size=1g)")
    } else {
        ok("memory", text)
    })
}

fn key(settings: &Settings) -> Finding {
    match &settings.key {
        KeySource::Text(given) | KeySource::Passphrase(given) => ok("key", format!("from {}", given.name())),
        KeySource::File(path) | KeySource::PassphraseFile(path) => key_file(path, true),
        KeySource::MadeOnFirstUse(path) if settings.store.is_shared() && !path.exists() => {
            let hint = "take it from a machine that uses the store; for a new store `rhaven key new` prints one. \
                        RHAVEN_KEY_FILE names the file";
            fail("key", "there is none, and for a store that machines share none is made", Some(hint.to_owned()))
        }
        KeySource::MadeOnFirstUse(path) => key_file(path, false),
    }
}

fn key_file(path: &Path, required: bool) -> Finding {
    match mode(path) {
        Some(mode) if mode & 0o077 != 0 => {
            let hint = format!("chmod 600 {}", path.display());
            warn("key", format!("{} can be read by other users (mode {mode:04o})", path.display()), hint)
        }
        Some(mode) => ok("key", format!("{} (mode {mode:04o})", path.display())),
        None if required => {
            let hint = "RHAVEN_KEY_FILE names it; `rhaven key new` prints a fresh key".to_owned();
            fail("key", format!("{} is not there", path.display()), Some(hint))
        }
        None => ok("key", format!("none yet; made on first use at {}", path.display())),
    }
}

fn mode(path: &Path) -> Option<u32> {
    Some(std::fs::metadata(path).ok()?.permissions().mode() & 0o7777)
}

/// What could not be saved, of whatever tenant.
fn outbox(folder: &Path) -> Option<Finding> {
    let waiting = folder.read_dir().ok()?.filter_map(Result::ok);
    let waiting = waiting.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "sealed")).count();
    (waiting > 0).then(|| {
        let text = format!("{waiting} state(s) that could not be saved wait in {}", folder.display());
        warn("outbox", text, "the next run of their session takes them up, or `rhaven session recover ID`")
    })
}

fn terminal_finding(terminal: &Terminal) -> Finding {
    let yes_no = |on: bool| if on { "on" } else { "off" };
    let (color, unicode) = (yes_no(terminal.style.color), yes_no(terminal.style.unicode));
    ok("terminal", format!("{} columns, colour {color}, unicode {unicode}", terminal.style.width))
}
