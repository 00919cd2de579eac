//! Ends browsers whose owner has died without ending them, and removes what they left.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::base::ProcessId;

use super::alive::{browser_on, group_ended_blocking};
use super::userdir::{Marker, existing, read_marker, remove};

/// A folder without a marker may be one that is being made right now.
const YOUNG: Duration = Duration::from_mins(1);

/// How long the end of killed processes is waited for before their folder is removed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Kills orphaned process groups and removes their directories; answers how many browsers were ended. Quick where there
/// is nothing to do; blocks for as long as killed processes take to end.
///
/// Several may run at a time, beside starts of other processes: only what belongs to a dead owner is touched, and a
/// process is killed only if it is the one that the marker names, not a later one with its number.
pub fn reap() -> usize {
    existing().iter().filter(|folder| reap_one(folder)).count()
}

/// Whether a living browser was ended.
fn reap_one(folder: &Path) -> bool {
    let ended = match read_marker(folder) {
        Some(marker) if marker.owner.alive() => return false,
        Some(marker) => end(&marker),
        None if is_young(folder) => return false,
        None => false,
    };
    if let Err(error) = remove(folder) {
        tracing::debug!(%error, folder = %folder.display(), "an orphan's folder could not be removed");
    }
    ended
}

fn end(marker: &Marker) -> bool {
    let group = match &marker.browser {
        Some(browser) if browser.alive() => pid(browser),
        Some(_) => None,
        // The owner died between the start and the note of it.
        None => browser_on(&marker.user_data_dir),
    };
    let Some(group) = group else { return false };
    let killed = kill_process_group(group, Signal::KILL).is_ok();
    group_ended_blocking(group, PATIENCE);
    killed
}

fn pid(process: &ProcessId) -> Option<Pid> {
    Pid::from_raw(process.pid.cast_signed())
}

fn is_young(folder: &Path) -> bool {
    let age =
        fs::metadata(folder).and_then(|found| found.modified()).map(|made| SystemTime::now().duration_since(made));
    matches!(age, Ok(Ok(age)) if age < YOUNG) || matches!(age, Ok(Err(_)))
}
