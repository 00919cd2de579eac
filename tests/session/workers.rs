//! Many sessions, opened, changed and saved by many workers of several processes in one Redis: every version is accounted for.
//! 100 sessions; under `make soak` (`RHAVEN_SOAK_KILLS`) 1,000.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rhaven::base::{SessionId, Tenant, Version};
use rhaven::session::{ImportOptions, SessionError, Sessions, Source};
use serde::{Deserialize, Serialize};

use super::child::{ChildProcess, Task, room, tell, times};
use super::nodes::Node;
use super::redis_server::RedisServer;
use super::rig::id;

const PROCESSES: usize = 4;
/// Per process.
const WORKERS: usize = 4;
/// How often a session is changed: by workers of as many processes.
const CHANGES: usize = 3;

/// What one process is to do.
#[derive(Serialize, Deserialize)]
struct Share {
    node: Node,
    process: usize,
    sessions: usize,
}

fn name(number: usize) -> SessionId {
    id(&format!("session-{number}"))
}

/// In the child: all of its workers.
pub async fn work(task: &Task) {
    let share: Share = serde_json::from_str(&task.tag).unwrap();
    let sessions = Sessions::open(share.node.store(), share.node.key()).await.unwrap();
    let workers = (0..WORKERS)
        .map(|worker| tokio::spawn(change_all(sessions.clone(), share.process * WORKERS + worker, share.sessions)));
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

/// Changes every session of this worker: those that another holds at the moment come later.
async fn change_all(sessions: Sessions, worker: usize, count: usize) {
    let all = PROCESSES * WORKERS;
    // Neighbours by five are of different processes, and come to the same sessions at about the same time.
    let is_ours = |number: &usize| (0..CHANGES).any(|change| (number + change * 5) % all == worker);
    let mut left: VecDeque<usize> = (0..count).filter(is_ours).collect();
    while let Some(number) = left.pop_front() {
        let tag = format!("w{worker}n{number}");
        match change(&sessions, number, &tag).await {
            Ok(version) => tell(format_args!("saved {number} {version} {tag}")),
            Err(SessionError::Busy { .. }) => left.push_back(number),
            Err(error) => panic!("session {number}: {error}"),
        }
    }
}

/// Opens a session, changes all of it, saves it.
async fn change(sessions: &Sessions, number: usize, tag: &str) -> Result<u64, SessionError> {
    let state = serde_json::json!({
        "cookies": [{"name": tag, "value": "x".repeat(200), "domain": "a.example", "path": "/", "expires": -1,
            "httpOnly": true, "secure": true, "sameSite": "Lax"}],
        "origins": [{"origin": "https://a.example", "localStorage": [{"name": tag, "value": "y".repeat(2_000)}]}],
    });
    let source = Source::open(std::io::Cursor::new(state.to_string().into_bytes()), None).await?;
    let options = ImportOptions { replace: true, ttl: Some(Duration::from_hours(1)), ..ImportOptions::default() };
    let imported = Box::pin(sessions.import(&Tenant::default(), &name(number), source, &options)).await?;
    assert_eq!(imported.replaced.map_or(1, |before| before.0 + 1), imported.version.0);
    Ok(imported.version.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_on_many_sessions_lose_and_double_nothing() {
    let count = if times("RHAVEN_SOAK_KILLS", 0) > 0 { 1_000 } else { 100 };
    let (redis, home) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let records = format!("redis://127.0.0.1:{}", redis.port);
    let node = Node::at(home.path(), records, format!("file:{}", home.path().join("blobs").display()));
    let (browsers, begun) = (room(), Instant::now());
    let processes: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let tag = serde_json::to_string(&Share { node: node.clone(), process, sessions: count }).unwrap();
            let (what, home, urls) = ("work".to_owned(), node.home.clone(), Default::default());
            let task = Task { what, home, urls, tag, die_at: None, tell_points: false };
            ChildProcess::start(&task, browsers.path())
        })
        .collect();
    // What was acknowledged, by session and version.
    let mut saved = BTreeMap::<usize, BTreeMap<u64, String>>::new();
    for line in processes.into_iter().flat_map(ChildProcess::done) {
        let words: Vec<&str> = line.split(' ').collect();
        let ["saved", number, version, tag] = words[..] else { panic!("{line}") };
        let versions = saved.entry(number.parse().unwrap()).or_default();
        let twice = versions.insert(version.parse().unwrap(), tag.to_owned());
        assert_eq!(twice, None, "version {version} of session {number} was acknowledged twice");
    }
    println!("{count} sessions, {CHANGES} versions of each, in {:?}", begun.elapsed());

    let (sessions, tenant, copy) =
        (Sessions::open(node.store(), node.key()).await.unwrap(), Tenant::default(), id("copy"));
    let listed = sessions.list(&tenant).await.unwrap();
    assert_eq!((listed.sessions.len(), listed.damaged.len()), (count, 0));
    assert!(listed.sessions.iter().all(|session| session.held_by.is_none()));
    for number in 0..count {
        let told = &saved[&number];
        let history = sessions.history(&tenant, &name(number)).await.unwrap();
        let kept: Vec<u64> = history.versions().iter().map(|entry| entry.version.0).collect();
        assert_eq!(kept, (1..=CHANGES as u64).rev().collect::<Vec<_>>(), "session {number}");
        assert!(told.keys().eq(kept.iter().rev()), "session {number}: {told:?}");
        for (version, tag) in told {
            sessions.fork(&tenant, &name(number), &copy, Some(Version(*version))).await.unwrap();
            let info = sessions.show(&tenant, &copy).await.unwrap();
            let cookies = info.cookies.iter().map(|cookie| &cookie.name);
            let found: Vec<_> = cookies.chain(info.origins.iter().flat_map(|origin| &origin.local_storage)).collect();
            assert_eq!(found, [tag, tag], "version {version} of session {number}");
            sessions.delete(&tenant, &copy).await.unwrap();
        }
    }
}
