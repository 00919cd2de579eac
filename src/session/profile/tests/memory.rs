//! Memory stays flat whatever the size of the profile.

use std::fs;
use std::path::Path;

use crate::base::Tenant;
use crate::session::profile::Progress;

use super::child::{run, tell};
use super::rig::{full, noise, open, restore, save, text, write};

/// The most above idle, in bytes.
const ALLOWED: u64 = 64 << 20;

/// Many small files, and one large: 200 MB in 2,000 files at length, enough to fill what is allowed and more otherwise.
fn fill(dir: &Path) -> u64 {
    let (files, bytes, large) = if full() { (2_000, 80_000, 40 << 20) } else { (400, 100_000, 40 << 20) };
    let content = if full() { noise } else { text };
    for number in 0..files {
        write(dir, &format!("Default/Storage {}/{number}", number % 50), content(number, bytes));
    }
    write(dir, "Default/History", content(1_000_000, large));
    files * bytes as u64 + large as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn packing_and_unpacking_take_little_memory() {
    let home = tempfile::tempdir().unwrap();
    let size = fill(&home.path().join("dir"));
    for task in ["pack", "unpack"] {
        let (told, ended) = run(task, 0, home.path());
        assert!(ended.success(), "{task}: {ended}");
        let above: u64 = told[0].parse().unwrap();
        println!("{task} of {} MB: {} KB above idle", size / 1_000_000, above >> 10);
        assert!(above < ALLOWED, "{task}: {above} bytes above idle");
    }
}

pub(super) async fn pack_measured(home: &Path) {
    let (sessions, tenant, dir) = (open(home).await, Tenant::default(), home.join("dir"));
    let idle = idle();
    save(&sessions, &tenant, "acme", &dir, &Progress::default()).await.unwrap();
    tell(&(status("VmHWM:") - idle).to_string());
}

pub(super) async fn unpack_measured(home: &Path) {
    let (sessions, tenant) = (open(home).await, Tenant::default());
    let idle = idle();
    restore(&sessions, &tenant, "acme", &home.join("into")).await.unwrap();
    tell(&(status("VmHWM:") - idle).to_string());
}

/// Memory in use now; the peak is counted anew from here.
fn idle() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// A value of this process' status, in bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
