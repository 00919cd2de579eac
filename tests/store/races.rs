//! Several processes on one store: the embedded one, and Redis.

use std::path::Path;
use std::sync::Arc;

use rhaven::base::Version;
use rhaven::store::{Acquired, Records, RedisStore, RedisUrl};

use super::child::{done, start, tell};
use super::fixture::{Session, Taken, open_embedded};
use super::redis_server::RedisServer;

const PROCESSES: usize = 4;
const ROUNDS: usize = 30;
const COMMITS: usize = 15;

#[test]
fn of_many_processes_one_gets_each_lease() {
    let folder = tempfile::tempdir().unwrap();
    one_gets_each_lease(folder.path());
}

#[test]
fn of_many_processes_one_gets_each_lease_in_redis() {
    let server = RedisServer::start();
    one_gets_each_lease(Path::new(&server.url().to_string()));
}

fn one_gets_each_lease(place: &Path) {
    // They also race for creating the store.
    let children: Vec<_> = (0..PROCESSES).map(|_| start("race", ROUNDS, place)).collect();
    let mut won: Vec<usize> = children.into_iter().flat_map(done).map(|round| round.parse().unwrap()).collect();
    won.sort_unstable();
    assert_eq!(won, (0..ROUNDS).collect::<Vec<_>>());
}

/// In the child: the store at a place, be it a folder or a URL.
async fn open(place: &str) -> Arc<dyn Records> {
    match RedisUrl::parse(place) {
        Ok(url) if place.contains("://") => Arc::new(RedisStore::connect(&url).await.unwrap()),
        _ => Arc::new(open_embedded(Path::new(place)).0),
    }
}

/// In the child: asks once for the lease of each round, keeps it, and tells which it got.
pub async fn race(place: &str, rounds: usize) {
    let records = open(place).await;
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
    every_write_is_there(folder.path()).await;
}

#[tokio::test]
async fn no_write_of_any_process_is_lost_in_redis() {
    let server = RedisServer::start();
    every_write_is_there(Path::new(&server.url().to_string())).await;
}

async fn every_write_is_there(place: &Path) {
    let children: Vec<_> = (0..PROCESSES).map(|_| start("count", COMMITS, place)).collect();
    for child in children {
        done(child);
    }
    let session = Session::new("counter");
    let records = open(place.to_str().unwrap()).await;
    let history = records.history(&session.name).await.unwrap();
    let versions: Vec<_> = history.iter().map(|entry| entry.version.0).collect();
    assert_eq!(versions, (1..=(PROCESSES * COMMITS) as u64).rev().collect::<Vec<_>>());
    assert!(history.windows(2).all(|pair| pair[0].fence > pair[1].fence), "fences grow with the versions");
}

/// In the child: `times` over, takes the lease when it is free, adds a version, gives it back.
pub async fn count(place: &str, times: usize) {
    let records = open(place).await;
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
