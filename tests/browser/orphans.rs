//! What is left of a process that was killed, and who clears it away.
//!
//! Each test re-runs this binary as a child that owns a browser, and kills it as a power cut would. Owner and reaper run
//! in a memory-backed folder of the test's own, so that reapers of other tests do not interfere.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rhaven::browser::{Flavor, LaunchOptions, reap};
use tempfile::TempDir;

use super::support::*;

/// Set for the child; holds the user-data directory to keep, or nothing.
const KEEP: &str = "BROWSER_TEST_KEEP";

/// Set for the child that reaps.
const REAP: &str = "BROWSER_TEST_REAP";

/// Not a test of its own: what the child does when it is told to.
#[tokio::test]
async fn owner_process() {
    let Ok(keep) = std::env::var(KEEP) else { return };
    let user_data_dir = Some(PathBuf::from(keep)).filter(|path| path.is_absolute());
    let browser = start_with(&LaunchOptions { user_data_dir, ..options(Flavor::HeadlessShell) }).await;
    let (_context, target) = tab(&browser).await;
    evaluate(target.cdp(), "1").await;
    println!("\nbrowser {} {}", browser.pid().unwrap(), browser.user_data_dir().unwrap().display());
    std::future::pending::<()>().await;
}

/// Not a test of its own either.
#[test]
fn reaper_process() {
    if std::env::var_os(REAP).is_some() {
        println!("\nended {}", reap());
    }
}

struct Owner {
    process: Child,
    browser: u32,
    dir: PathBuf,
    room: TempDir,
}

impl Owner {
    /// Ends the process that owns the browser, at once.
    fn die(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The marker beside a throw-away directory.
    fn marker(&self) -> PathBuf {
        self.dir.parent().unwrap().join("owner.json")
    }

    /// Changes what the marker says of the browser.
    fn note(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut note = serde_json::from_slice::<serde_json::Value>(&std::fs::read(self.marker()).unwrap()).unwrap();
        change(&mut note["browser"]);
        std::fs::write(self.marker(), note.to_string()).unwrap();
    }

    /// What the next start does; answers how many browsers it ended.
    fn reap(&self) -> usize {
        reap_in(self.room.path())
    }

    /// Nothing lives and nothing is left.
    fn check_gone(&self) {
        assert_eq!(living_in_group(self.browser), Vec::<u32>::new());
        assert!(std::fs::read_dir(self.room.path()).unwrap().next().is_none(), "{} is left", self.dir.display());
    }
}

/// This binary again, as one of the children above.
fn child(test: &str, room: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("XDG_RUNTIME_DIR", room).env("TMPDIR", room);
    command
}

fn reap_in(room: &Path) -> usize {
    let output = child("orphans::reaper_process", room).env(REAP, "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ended = text.lines().find_map(|line| line.strip_prefix("ended ")).unwrap_or_else(|| panic!("{text}"));
    ended.parse().unwrap()
}

fn owner(keep: Option<&Path>) -> Owner {
    let room = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut process = child("orphans::owner_process", room.path())
        .env(KEEP, keep.unwrap_or(Path::new("")))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("browser ")).expect("the owner started no browser");
    let mut words = line.split(' ').skip(1);
    let browser = words.next().unwrap().parse().unwrap();
    Owner { process, browser, dir: words.next().unwrap().into(), room }
}

/// Stands for a browser that hangs: a real one ends as soon as its owner has, even when it is stopped.
struct Hung(Child);

impl Hung {
    fn on(user_data_dir: &Path) -> Self {
        let flag = format!("--user-data-dir={}", user_data_dir.display());
        Self(Command::new("sh").args(["-c", "sleep 600; :", "sh", &flag]).process_group(0).spawn().unwrap())
    }

    fn started(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap()
    }

    fn lives(&self) -> bool {
        !living_in_group(self.0.id()).is_empty()
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

fn wait_until_dead(group: u32) {
    let start = Instant::now();
    while !living_in_group(group).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "it lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_browser_ends_by_itself_when_its_owner_is_killed() {
    let mut owner = owner(None);
    owner.die();
    wait_until_dead(owner.browser);
    assert!(owner.dir.exists());
    assert_eq!(owner.reap(), 0);
    owner.check_gone();
}

#[test]
fn the_browser_of_a_living_owner_is_left_alone() {
    let mut owner = owner(None);
    assert_eq!(owner.reap(), 0);
    assert!(owner.dir.exists() && !living_in_group(owner.browser).is_empty());
    owner.die();
    wait_until_dead(owner.browser);
}

#[test]
fn a_browser_that_hangs_is_ended_by_the_next_start() {
    let mut owner = owner(None);
    owner.die();
    wait_until_dead(owner.browser);
    let hung = Hung::on(&owner.dir);
    owner.note(|browser| {
        browser["pid"] = hung.0.id().into();
        browser["started"] = hung.started().into();
    });
    assert_eq!(owner.reap(), 1);
    assert!(!hung.lives());
    owner.check_gone();
}

#[test]
fn the_browser_of_an_owner_that_died_before_the_note_is_found() {
    let mut owner = owner(None);
    owner.die();
    wait_until_dead(owner.browser);
    let hung = Hung::on(&owner.dir);
    owner.note(|browser| *browser = serde_json::Value::Null);
    assert_eq!(owner.reap(), 1);
    assert!(!hung.lives());
    owner.check_gone();
}

#[test]
fn a_process_that_has_got_the_number_of_a_dead_browser_is_spared() {
    let mut owner = owner(None);
    owner.die();
    wait_until_dead(owner.browser);
    let bystander = Hung::on(&owner.dir);
    owner.note(|browser| {
        browser["pid"] = bystander.0.id().into();
        browser["started"] = (bystander.started() - 1).into();
    });
    assert_eq!(owner.reap(), 0);
    owner.check_gone();
    assert!(bystander.lives(), "a bystander was killed");
}

#[test]
fn a_kept_directory_outlives_its_owner_and_the_reaper() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("profile");
    let mut owner = owner(Some(&kept));
    assert_eq!(owner.dir, kept);
    owner.die();
    owner.reap();
    wait_until_dead(owner.browser);
    assert!(std::fs::read_dir(owner.room.path()).unwrap().next().is_none(), "a folder is left");
    assert!(std::fs::read_dir(&kept).unwrap().next().is_some(), "the profile was emptied");
}

#[test]
fn a_folder_that_is_just_being_made_is_left_alone() {
    let room = tempfile::tempdir_in("/dev/shm").unwrap();
    let fresh = room.path().join("rhaven-browser-0");
    std::fs::create_dir(&fresh).unwrap();
    reap_in(room.path());
    assert!(fresh.exists());
    let old = std::time::SystemTime::now() - Duration::from_hours(1);
    std::fs::File::open(&fresh).unwrap().set_modified(old).unwrap();
    reap_in(room.path());
    assert!(!fresh.exists());
}
