//! What only Redis promises: it forgets by itself, one round trip each, nothing in clear, and what it says when it is not as
//! it should be.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rhaven::base::Version;
use rhaven::store::{
    Acquired, DocumentName, Documents, Expected, Granted, MemoryStore, Records, RedisStore, RedisUrl, StoreError,
};

use super::fixture::{LEASE, Session, Taken, blob_id, code, granted, part_id, random};
use super::on_disk::{assert_sealed, files, fill};
use super::redis_server::RedisServer;
use super::relay::Relay;

/// How long Redis may take to forget what it is to forget at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `is_so`.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

fn key(session: &Session, what: &str) -> String {
    let hex = data_encoding::HEXLOWER;
    let (tenant, name) = (hex.encode(&session.name.tenant.0), hex.encode(&session.name.session.0));
    match what {
        "session" | "data" => format!("rhaven:1:{{{tenant}}}:{what}:{name}"),
        _ => format!("rhaven:1:{{{tenant}}}:{what}"),
    }
}

pub async fn take(store: &RedisStore, session: &Session) -> Taken {
    let request = session.request();
    let granted = granted(store.acquire(&session.name, &request).await.unwrap());
    Taken { owner: request.owner, fence: granted.fence, granted }
}

/// A first version that runs out after `ttl`, and refers to a blob; the lease is given back. Answers with when it runs out.
async fn save_for(store: &RedisStore, session: &Session, ttl: Duration) -> Timestamp {
    let taken = take(store, session).await;
    let mut commit = session.commit(&taken, 1);
    commit.ttl = Some(ttl);
    commit.blobs = vec![blob_id(1)];
    let committed = store.commit(&session.name, &commit).await.unwrap();
    store.release(&session.name, taken.owner, taken.fence).await.unwrap();
    committed.saved_at + ttl
}

#[tokio::test]
async fn redis_forgets_what_runs_out_and_it_is_told() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let (opened, purged) = (Session::new("opened"), Session::new("purged"));
    let ttl = Duration::from_millis(500);
    let expires_at = save_for(&store, &opened, ttl).await;
    save_for(&store, &purged, ttl).await;
    let token = DocumentName { tenant: opened.name.tenant, kind: "token", name: opened.name.session };
    store.put(&token, &Expected::Absent, &opened.document("x"), Some(ttl)).await.unwrap();
    for session in [&opened, &purged] {
        let data = key(session, "data");
        wait_until("the data is forgotten", || !server.run::<bool>(&["EXISTS", &data]));
        assert!(store.read(&session.name, None).await.unwrap().is_none());
    }
    let documents = format!("{}{}", key(&opened, "document:token:"), data_encoding::HEXLOWER.encode(&token.name.0));
    wait_until("the document is forgotten", || !server.run::<bool>(&["EXISTS", &documents]));
    assert_eq!(store.get(&token).await.unwrap(), None);
    assert!(Documents::list(&store, token.tenant, "token", None, 10).await.unwrap().is_empty());
    assert!(Records::list(&store, opened.name.tenant, None, 10).await.unwrap().is_empty());
    // That it ran out is kept for thirty days more.
    let left: u64 = server.run(&["PTTL", &key(&opened, "session")]);
    assert!(Duration::from_millis(left) > Duration::from_hours(719), "{left} ms");

    // Of two that refer to the blob, the last to go names it.
    let found = take(&store, &opened).await.granted;
    assert!(found.head.is_none() && found.parts.is_empty());
    assert_eq!(found.expired_at, Some(expires_at));
    assert_eq!(found.orphaned, []);
    assert_eq!(store.purge_expired().await.unwrap(), [blob_id(1)]);
    assert_eq!(store.purge_expired().await.unwrap(), []);
    let found = take(&store, &purged).await.granted;
    assert!(found.head.is_none() && found.expired_at.is_some() && found.orphaned.is_empty());
}

#[tokio::test]
async fn redis_forgets_nothing_while_a_lease_runs() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    let mut commit = session.commit(&taken, 1);
    commit.ttl = Some(Duration::from_millis(300));
    store.commit(&session.name, &commit).await.unwrap();
    let until = Instant::now() + Duration::from_millis(400);
    wait_until("it has run out", || Instant::now() > until);
    assert!(store.read(&session.name, None).await.unwrap().is_none());
    assert_eq!(store.purge_expired().await.unwrap(), []);
    store.renew(&session.name, taken.owner, taken.fence, LEASE).await.unwrap();
    store.parts(&session.name, &[part_id(1)]).await.unwrap();
    store.commit(&session.name, &session.commit(&taken, 2)).await.unwrap();
    assert_eq!(store.history(&session.name).await.unwrap().len(), 2);
}

#[tokio::test]
async fn opening_and_committing_take_one_round_trip_each() {
    let server = RedisServer::start();
    let relay = Relay::to(server.port);
    let url = RedisUrl::parse(&format!("redis://127.0.0.1:{}", relay.port)).unwrap();
    let store = RedisStore::connect(&url).await.unwrap();
    let session = Session::new("prod");
    // The scripts are loaded with the first one.
    let first = take(&store, &session).await;
    let before = relay.round_trips();
    let mut commit = session.commit(&first, 1);
    commit.new_parts = (1..=20).map(|number| session.part(number, first.fence, 20_000)).collect();
    commit.parts = commit.new_parts.iter().map(|(part, _)| *part).collect();
    store.commit(&session.name, &commit).await.unwrap();
    assert_eq!(relay.round_trips() - before, 1, "a commit");
    store.release(&session.name, first.owner, first.fence).await.unwrap();
    let before = relay.round_trips();
    let second = take(&store, &session).await.granted;
    assert_eq!(relay.round_trips() - before, 1, "an acquire");
    assert!(second.head.is_some() && second.parts.len() == 20);

    // Another process, whose server knows the scripts already: one to say who it is, one for the layout, one to open.
    let (before, connections) = (relay.round_trips(), relay.connections());
    let store = RedisStore::connect(&url).await.unwrap();
    let Acquired::Held(_) = store.acquire(&session.name, &session.request()).await.unwrap() else {
        panic!("the lease is held");
    };
    assert_eq!((relay.round_trips() - before, relay.connections() - connections), (3, 1));
}

#[tokio::test]
async fn nothing_is_in_clear() {
    let server = RedisServer::that_keeps();
    let store = server.connect().await;
    let session = fill(&store, &MemoryStore::default()).await;
    let keys: Vec<String> = server.run(&["KEYS", "*"]);
    assert!(keys.len() > 6, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("rhaven:")));
    assert_sealed(keys.join("\n").as_bytes(), &session, "the names of keys");
    // All that it was ever told stands in its file.
    let mut seen = 0;
    for path in files(server.folder.path()).iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).unwrap();
        seen += bytes.len();
        assert_sealed(&bytes, &session, &path.display().to_string());
    }
    assert!(seen > 1_000, "{seen} bytes");
}

#[tokio::test]
async fn deleting_leaves_nothing_of_a_session() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    save_for(&store, &session, Duration::from_hours(1)).await;
    let taken = take(&store, &session).await;
    assert_eq!(store.delete(&session.name, taken.owner, taken.fence).await.unwrap(), [blob_id(1)]);
    let keys: Vec<String> = server.run(&["KEYS", "*"]);
    let mut left: Vec<_> = keys.iter().map(String::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["rhaven:layout", "rhaven:tenants"]);
}

#[tokio::test]
async fn a_key_of_another_kind_is_named_as_damage() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    server.run::<()>(&["SET", &key(&session, "session"), "text"]);
    match store.read(&session.name, None).await.unwrap_err() {
        StoreError::Corrupt { what, reason } => {
            assert_eq!(what, server.place());
            assert!(reason.contains("WRONGTYPE"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    server.run::<()>(&["DEL", &key(&session, "session")]);
    for (field, value) in [("fence", "x"), ("head", "3"), ("expires_at", "1")] {
        server.run::<()>(&["HSET", &key(&session, "session"), field, value]);
    }
    assert_eq!(code(store.acquire(&session.name, &session.request()).await), "store_corrupt");
}

#[tokio::test]
async fn what_redis_has_thrown_away_is_damage_and_no_empty_session() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("prod");
    save_for(&store, &session, Duration::from_hours(1)).await;
    let head = store.read(&session.name, None).await.unwrap().unwrap();
    // Only the row is gone: it is made again.
    server.run::<()>(&["DEL", &key(&session, "session")]);
    let taken = take(&store, &session).await;
    let found = taken.granted.head.as_ref().unwrap();
    assert_eq!((found.version, &found.record, &found.index), (Version(1), &head.record, &head.index));
    assert!(taken.fence > head.fence && found.expires_at.is_some());
    store.commit(&session.name, &session.commit(&taken, 2)).await.unwrap();
    // Only what it holds is gone: it cannot be opened, is not written over, and can be deleted.
    server.run::<()>(&["DEL", &key(&session, "data")]);
    let head = store.read(&session.name, None).await.unwrap().unwrap();
    assert_eq!(head.version, Version(2));
    assert!(session.open_index(2, taken.fence, &head.index).is_err());
    assert_eq!(Records::list(&store, session.name.tenant, None, 10).await.unwrap().len(), 1);
    store.delete(&session.name, taken.owner, taken.fence).await.unwrap();
    assert!(store.read(&session.name, None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_later_layout_is_refused() {
    let server = RedisServer::start();
    server.connect().await;
    server.run::<()>(&["SET", "rhaven:layout", "9"]);
    match server.try_connect().await.unwrap_err() {
        StoreError::Layout { what, found: 9, known: 1 } => assert_eq!(what, server.place()),
        other => panic!("{other:?}"),
    }
    server.run::<()>(&["SET", "rhaven:layout", "of another program"]);
    assert_eq!(server.try_connect().await.unwrap_err().code(), "store_corrupt");
}

#[tokio::test]
async fn a_wrong_password_is_unavailable_and_never_shown() {
    let server = RedisServer::start();
    // What the documentation asks for.
    let rules = ["+@read", "+@write", "+@scripting", "+@connection", "+info", "+time"];
    server.run::<()>(&[&["ACL", "SETUSER", "rhaven", "on", ">swordfish", "~rhaven:*"], &rules[..]].concat());
    let store = RedisStore::connect(&server.url_as("rhaven:swordfish@")).await.unwrap();
    let session = Session::new("prod");
    let taken = take(&store, &session).await;
    store.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
    store.purge_expired().await.unwrap();
    let report = store.report().await.unwrap();
    assert!(report.denied.is_empty() && report.refuses.is_none() && report.eviction.is_some(), "{report:?}");
    assert!(!format!("{store:?}").contains("swordfish"));
    let error = RedisStore::connect(&server.url_as("rhaven:tuna-fish@")).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
    let told = format!("{error} {error:?}");
    assert!(told.contains("does not take this user and password") && told.contains(&server.place()), "{told}");
    assert!(!told.contains("tuna-fish"), "{told}");
}

#[tokio::test]
async fn a_number_of_a_database_is_one_of_its_own() {
    let server = RedisServer::start();
    let session = Session::new("prod");
    let url = RedisUrl::parse(&format!("redis://127.0.0.1:{}/3", server.port)).unwrap();
    let (third, first) = (RedisStore::connect(&url).await.unwrap(), server.connect().await);
    let taken = take(&third, &session).await;
    third.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
    assert!(first.read(&session.name, None).await.unwrap().is_none());
    assert!(third.read(&session.name, None).await.unwrap().is_some());
}

#[tokio::test]
async fn a_report_tells_what_a_server_is_and_lacks() {
    let server = RedisServer::that_keeps();
    let report = server.connect().await.report().await.unwrap();
    assert!(report.round_trip < Duration::from_secs(1) && report.round_trip > Duration::ZERO);
    let apart = report.clock.duration_until(Timestamp::now());
    assert!(apart.abs() < jiff::SignedDuration::from_secs(5), "{apart}");
    assert!(report.version.unwrap().split('.').count() >= 3);
    assert_eq!(report.eviction.as_deref(), Some("noeviction"));
    assert_eq!((report.append_only, report.is_replica), (Some(true), Some(false)));
    assert_eq!((report.denied, report.refuses), (Vec::new(), None));
    let left: Vec<String> = server.run(&["KEYS", "*probe*"]);
    assert!(left.is_empty(), "{left:?}");

    // A user who may neither ask nor do all that is needed.
    let rules = ["ACL", "SETUSER", "few", "on", ">few", "~rhaven:*", "+@all", "-info", "-zadd", "-pexpireat"];
    server.run::<()>(&rules);
    let store = RedisStore::connect(&server.url_as("few:few@")).await.unwrap();
    let report = store.report().await.unwrap();
    assert_eq!((report.version, report.eviction, report.append_only), (None, None, None));
    assert_eq!(report.denied, ["pexpireat", "zadd"]);

    server.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let report = server.connect().await.report().await.unwrap();
    assert_eq!(report.is_replica, Some(true));
    assert!(report.refuses.unwrap().contains("READONLY"));
}

/// What a lease is granted with, or the text of why not.
pub async fn ask(store: &RedisStore, session: &Session) -> Result<Granted, String> {
    let mut request = session.request();
    request.owner = rhaven::store::OwnerId(random());
    match store.acquire(&session.name, &request).await {
        Ok(answer) => Ok(granted(answer)),
        Err(StoreError::Unavailable { what, source }) => Err(format!("{what}: {source}")),
        Err(other) => panic!("{other:?}"),
    }
}

/// A sweep takes for litter what no session is known to refer to, so the names of sessions must not be thrown away.
#[tokio::test]
async fn a_server_that_throws_keys_away_is_not_asked_what_is_referred_to() {
    let server = RedisServer::start();
    let store = server.connect().await;
    let session = Session::new("acme");
    let taken = take(&store, &session).await;
    store.commit(&session.name, &session.commit(&taken, 1)).await.unwrap();
    assert_eq!(store.references(None, 10).await.unwrap(), [(session.name, Vec::new())]);
    server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let refused = store.references(None, 10).await.unwrap_err();
    assert_eq!(refused.code(), "store_unfit");
    assert!(refused.to_string().contains("maxmemory-policy noeviction"), "{refused}");
}
