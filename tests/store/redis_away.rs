//! A Redis that is away, full, read-only, busy or silent: operations fail at once and say why, write nothing by half, and work
//! again with the same store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhaven::base::Version;
use rhaven::store::{Records, RedisStore, RedisUrl, StoreError};

use super::fixture::{Session, code};
use super::redis::{ask, take};
use super::redis_server::{RedisServer, free_port};
use super::relay::Relay;

/// How long an operation may take where the server is known to be away.
const AT_ONCE: Duration = Duration::from_secs(2);

fn told(error: StoreError) -> String {
    match error {
        StoreError::Unavailable { what, source } => format!("{what}: {source}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_killed_has_what_it_acknowledged() {
    let mut server = RedisServer::that_keeps();
    let store = server.connect().await;
    let session = Session::new("prod");
    let taken = Arc::new(take(&store, &session).await);
    for outage in 0..3_u64 {
        let mut acknowledged = outage * 1_000;
        let begun = acknowledged;
        let (running, own, taken_too) = (store.clone(), Session::new("prod"), Arc::clone(&taken));
        let (tell, mut told_of) = tokio::sync::mpsc::unbounded_channel();
        let writing = tokio::spawn(async move {
            for version in begun + 1.. {
                let mut commit = own.commit(&taken_too, version);
                commit.parts.truncate(1);
                commit.expected = running.read(&own.name, None).await.map_err(told)?.map(|head| head.version);
                running.commit(&own.name, &commit).await.map_err(told)?;
                tell.send(version).unwrap();
            }
            Ok::<(), String>(())
        });
        for _ in 0..50 {
            acknowledged = told_of.recv().await.unwrap();
        }
        server.kill();
        let why = writing.await.unwrap().unwrap_err();
        assert!(why.starts_with(&server.place()), "{why}");
        while let Ok(version) = told_of.try_recv() {
            acknowledged = version;
        }
        let asked = Instant::now();
        assert_eq!(code(store.read(&session.name, None).await), "store_unavailable");
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());

        server.start_again();
        let head = store.read(&session.name, None).await.unwrap().unwrap();
        let found = head.version.0;
        assert!(found == acknowledged || found == acknowledged + 1, "acknowledged {acknowledged}, found {found}");
        session.open_index(found, head.fence, &head.index).unwrap();
        // The lease is still its holder's.
        store.renew(&session.name, taken.owner, taken.fence, Duration::from_hours(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_forgot_everything_is_an_empty_one() {
    let mut server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    store.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
    server.kill();
    server.start_again();
    assert_eq!(code(store.commit(&session.name, &session.commit(&taken, 2)).await), "lease_lost");
    let next = take(&store, &session).await;
    assert!(next.granted.head.is_none() && next.fence > taken.fence);
    store.commit(&session.name, &session.commit(&next, 1)).await.unwrap();
    // The lists over all tenants and the layout are as on a new server.
    assert_eq!(store.all(None, 10).await.unwrap().len(), 1);
    assert_eq!(server.run::<String>(&["GET", "rhaven:layout"]), "1");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let port = free_port();
    let url = RedisUrl::parse(&format!("redis://ann:swordfish@127.0.0.1:{port}")).unwrap();
    let asked = Instant::now();
    let why = told(RedisStore::connect(&url).await.unwrap_err());
    assert!(asked.elapsed() < AT_ONCE);
    assert!(why.starts_with(&format!("Redis at 127.0.0.1:{port}: ")) && !why.contains("swordfish"), "{why}");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_again_unseen() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    for version in 1..=5 {
        server.run::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        store.commit(&session.name, &session.commit(&taken, version)).await.unwrap();
    }
    assert_eq!(store.read(&session.name, None).await.unwrap().unwrap().version, Version(5));
}

#[tokio::test]
async fn a_line_that_swallows_everything_is_given_up() {
    let server = RedisServer::start();
    let relay = Relay::to(server.port);
    let url = RedisUrl::parse(&format!("redis://127.0.0.1:{}", relay.port)).unwrap();
    let store = RedisStore::connect(&url).await.unwrap();
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    relay.swallow(true);
    let asked = Instant::now();
    let waiting = (0..20).map(|_| store.read(&session.name, None));
    for answer in futures_util::future::join_all(waiting).await {
        let why = told(answer.unwrap_err());
        assert!(why.contains("no answer within 5 s"), "{why}");
    }
    // Many that wait for a new connection wait for the same one.
    let waiting = (0..20).map(|_| store.read(&session.name, None));
    for answer in futures_util::future::join_all(waiting).await {
        let why = told(answer.unwrap_err());
        assert!(why.contains("no connection within 3 s"), "{why}");
    }
    assert!(asked.elapsed() < Duration::from_secs(11), "{:?}", asked.elapsed());
    relay.swallow(false);
    store.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_refused_a_connection_is_asked_again() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let mut admin = server.admin();
    let mut run = |words: &[&str]| redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut admin).unwrap();
    run(&["CONFIG", "SET", "maxclients", "1"]);
    run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for _ in 0..2 {
        ask(&store, &Session::new("prod")).await.unwrap_err();
    }
    run(&["CONFIG", "SET", "maxclients", "100"]);
    take(&store, &Session::new("prod")).await;
}

#[tokio::test]
async fn without_memory_nothing_is_written_by_half_and_much_can_be_freed() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    let mut commit = session.commit(&taken, 1);
    commit.blobs = vec![super::fixture::blob_id(1)];
    store.commit(&session.name, &commit).await.unwrap();
    let before = everything(&server);
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);

    let refused = |answer: Result<(), StoreError>| assert!(told(answer.unwrap_err()).contains("OOM"));
    let name = &session.name;
    let mut next = session.commit(&taken, 2);
    next.keep = 1;
    refused(store.commit(name, &next).await.map(drop));
    refused(store.checkpoint(name, taken.owner, taken.fence, None, &session.checkpoint(taken.fence, "x")).await);
    refused(store.renew(name, taken.owner, taken.fence, Duration::from_hours(1)).await);
    refused(store.touch(name, None).await);
    refused(store.pin(name, Version(1), true).await);
    refused(store.acquire(&Session::new("other").name, &session.request()).await.map(drop));
    assert_eq!(everything(&server), before);

    assert_eq!(store.read(name, None).await.unwrap().unwrap().version, Version(1));
    store.release(name, taken.owner, taken.fence).await.unwrap();
    assert!(store.holder(name).await.unwrap().is_none());
    assert_eq!(code(store.delete(name, taken.owner, taken.fence).await), "lease_lost");
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let taken = take(&store, &session).await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(store.delete(name, taken.owner, taken.fence).await.unwrap(), commit.blobs);
    assert!(store.read(name, None).await.unwrap().is_none());
}

/// Every key with what it holds.
fn everything(server: &RedisServer) -> Vec<(String, Vec<u8>)> {
    let mut keys: Vec<String> = server.run(&["KEYS", "rhaven:1:*"]);
    keys.sort();
    keys.into_iter().map(|key| (key.clone(), server.run(&["DUMP", &key]))).collect()
}

#[tokio::test]
async fn a_replica_a_busy_server_and_a_missing_permission_are_told() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    take(&store, &session).await;
    server.run::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    let why = ask(&store, &Session::new("other")).await.unwrap_err();
    assert!(why.contains("READONLY"), "{why}");
    assert!(store.holder(&session.name).await.unwrap().is_some(), "it can be read");
    server.run::<()>(&["REPLICAOF", "NO", "ONE"]);

    server.run::<()>(&["CONFIG", "SET", "busy-reply-threshold", "1"]);
    let mut other = server.admin();
    let script =
        std::thread::spawn(move || redis::cmd("EVAL").arg(&["while true do end", "0"]).query::<()>(&mut other));
    let why = loop {
        if let Err(why) = ask(&store, &Session::new(&format!("{:?}", Instant::now()))).await {
            break why;
        }
    };
    assert!(why.contains("BUSY"), "{why}");
    server.run::<()>(&["SCRIPT", "KILL"]);
    script.join().unwrap().unwrap_err();
    ask(&store, &Session::new("third")).await.unwrap();

    server.run::<()>(&["ACL", "SETUSER", "default", "-zadd"]);
    let why = ask(&store, &Session::new("fourth")).await.unwrap_err();
    assert!(why.contains("NOPERM"), "{why}");
}
