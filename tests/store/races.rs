//! Several processes on one embedded store.

use std::path::Path;

use rhaven::base::Version;
use rhaven::store::{Acquired, Records};

use super::child::{done, start, tell};
use super::fixture::{Session, Taken, open_embedded};

const PROCESSES: usize = 4;
const ROUNDS: usize = 30;
const COMMITS: usize = 15;

#[test]
fn of_many_processes_one_gets_each_lease() {
    let folder = tempfile::tempdir().unwrap();
    // They also race for creating the store.
    let children: Vec<_> = (0..PROCESSES).map(|_| start("race", ROUNDS, folder.path())).collect();
    let mut won: Vec<usize> = children.into_iter().flat_map(done).map(|round| round.parse().unwrap()).collect();
    won.sort_unstable();
    assert_eq!(won, (0..ROUNDS).collect::<Vec<_>>());
}

/// In the child: asks once for the lease of each round, keeps it, and tells which it got.
pub async fn race(folder: &Path, rounds: usize) {
    let (records, _) = open_embedded(folder);
    for round in 0..rounds {
        let session = Session::new(&format!("round {round}"));
        let mut request = session.request();
        request.lease = std::time::Duration::from_hours(1);
        if let Acquired::Granted(_) = records.acquire(&session.name, &request).await.unwrap() {
            tell(round);
        }
    }
}

#[tokio::test]
async fn no_write_of_any_process_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..PROCESSES).map(|_| start("count", COMMITS, folder.path())).collect();
    for child in children {
        done(child);
    }
    let session = Session::new("counter");
    let (records, _) = open_embedded(folder.path());
    let history = records.history(&session.name).await.unwrap();
    let versions: Vec<_> = history.iter().map(|entry| entry.version.0).collect();
    assert_eq!(versions, (1..=(PROCESSES * COMMITS) as u64).rev().collect::<Vec<_>>());
    assert!(history.windows(2).all(|pair| pair[0].fence > pair[1].fence), "fences grow with the versions");
}

/// In the child: `times` over, takes the lease when it is free, adds a version, gives it back.
pub async fn count(folder: &Path, times: usize) {
    let (records, _) = open_embedded(folder);
    let session = Session::new("counter");
    for _ in 0..times {
        let request = session.request();
        let granted = loop {
            match records.acquire(&session.name, &request).await.unwrap() {
                Acquired::Granted(granted) => break granted,
                Acquired::Held(_) => tokio::task::yield_now().await,
            }
        };
        let head = granted.head.as_ref().map_or(0, |head| head.version.0);
        let taken = Taken { owner: request.owner, fence: granted.fence, granted };
        let mut commit = session.commit(&taken, head + 1);
        commit.expected = (head > 0).then_some(Version(head));
        commit.keep = 1_000;
        records.commit(&session.name, &commit).await.unwrap();
        records.release(&session.name, taken.owner, taken.fence).await.unwrap();
    }
}
