//! Redis that is killed in the middle of a run: with what it acknowledged kept, the run waits and goes on; without, it writes
//! nothing, says so, and what it had comes back with the store.

use std::time::{Duration, Instant};

use serde_json::json;

use super::dying::Run;
use super::nodes::{LeaseSpan, Node, Shared, read, visit, whole, write};
use super::redis_server::RedisServer;
use super::relay::Relay;

/// How much later than it could somebody may get a lease.
const LATE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_keeps_its_data_is_waited_for() {
    let mut shared = Shared::start(RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"])).await;
    let node = shared.node("a");
    let mut run = visit(&shared, &node);
    run.order(&write("one"));
    assert_eq!(run.save(30), Ok(1));
    // Between open and save, and while a save is being written.
    run.order(&write("two"));
    shared.redis.kill();
    run.begin("try-save 30");
    run.next("save.away").expect("a try that failed");
    shared.redis.start_again();
    assert_eq!(run.saved(), Ok(2));
    // At the end.
    run.order(&write("three"));
    shared.redis.kill();
    run.begin("end 30");
    run.next("save.away").expect("a try that failed");
    shared.redis.start_again();
    let outcome = run.outcome();
    assert_eq!((&outcome["version"], &outcome["kept_in_outbox"]), (&json!(3), &json!(false)), "{outcome}");

    let mut next = visit(&shared, &shared.node("b"));
    assert_eq!(read(&mut next), whole("three"));
    let (outcome, _) = next.end();
    assert_eq!((&outcome["restored"], &outcome["updated"]), (&json!(3), &json!(false)), "{outcome}");
    assert_eq!(shared.versions(), [3, 2, 1]);
    assert_eq!((shared.blobs(), shared.s3.open_uploads()), ((3, 1), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgot_everything_is_written_nothing_and_founded_again() {
    let mut shared = Shared::start(RedisServer::start()).await;
    let node = shared.node("a");
    let mut run = visit(&shared, &node);
    run.order(&write("one"));
    assert_eq!(run.save(30), Ok(1));
    run.order(&write("two"));
    shared.redis.kill();
    shared.redis.start_again();
    let (code, message) = run.save(2).unwrap_err();
    assert!(code == "store_unavailable" && message.contains("rhaven session recover"), "{code}: {message}");
    run.order("lost");
    run.begin("end 3");
    let outcome = run.outcome();
    assert_eq!(outcome["save_error"][0], "store_unavailable", "{outcome}");
    assert_eq!((&outcome["version"], &outcome["kept_in_outbox"]), (&json!(1), &json!(true)), "{outcome}");
    let changed: Vec<_> = outcome["changes"].as_array().unwrap().iter().map(|change| &change["name"]).collect();
    assert!(changed.contains(&&json!("token")), "{outcome}");

    // The next run starts no empty session in place of the lost one.
    for name in ["a", "b"] {
        let told = Run::of(&shared.node(name), None).next("failed").expect("a failure");
        assert!(told.starts_with("store_unfit ") && told.contains("rhaven session recover"), "{told}");
    }
    let found = node.done(&["session", "recover"]);
    assert_eq!(found["keys"], json!(true), "{found}");
    let back = &found["sessions"][0];
    assert_eq!(
        (&back["id"], &back["version"], &back["is"]),
        (&json!("acme"), &json!(1), &json!("restored")),
        "{found}"
    );
    // What the run could not save follows, on the machine where it ran.
    let mut next = visit(&shared, &node);
    assert_eq!(read(&mut next), whole("two"));
    let (outcome, _) = next.end();
    assert_eq!(outcome["version"], json!(2), "{outcome}");
    assert_eq!(shared.versions(), [2, 1]);
    assert_eq!(shared.blobs(), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_founded_meanwhile_is_not_written_to() {
    let mut shared = Shared::start(RedisServer::start()).await;
    let node = Node { blobs: format!("file:{}", shared.rig.home.path().join("first").display()), ..shared.node("a") };
    let mut run = visit(&shared, &node);
    run.order(&write("one"));
    assert_eq!(run.save(30), Ok(1));
    shared.redis.kill();
    shared.redis.start_again();
    // Another machine, which was given another place for blobs by mistake: there is a store now, with the same key, and not this one.
    let other = Node { blobs: format!("file:{}", shared.rig.home.path().join("second").display()), ..shared.node("b") };
    let mut begun = visit(&shared, &other);
    begun.order(&write("other"));
    let (outcome, _) = begun.end();
    assert_eq!(outcome["version"], json!(1), "{outcome}");
    run.order(&write("two"));
    let (code, _) = run.save(2).unwrap_err();
    assert_eq!(code, "store_unavailable");
    run.begin("end 3");
    assert_eq!(run.outcome()["kept_in_outbox"], json!(true));
    let mut next = visit(&shared, &other);
    assert_eq!(read(&mut next), whole("other"));
    next.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_is_followed_by_another_and_writes_nothing_more() {
    let shared = Shared::start(RedisServer::start()).await;
    let lease = LeaseSpan { lasts: Duration::from_secs(4), renewed_every: Duration::from_secs(1) };
    let relay = Relay::to(shared.redis.port);
    let first = Node { records: format!("redis://127.0.0.1:{}", relay.port), lease, ..shared.node("a") };
    let second = Node { lease, ..shared.node("b") };
    let mut cut_off = visit(&shared, &first);
    cut_off.order(&write("one"));
    assert_eq!(cut_off.save(30), Ok(1));
    cut_off.order(&write("late"));
    let mut other = Run::of(&second, Some(40));
    other.next("opens").expect("it asks for the session");
    let (cut, stood) = (Instant::now(), relay.round_trips());
    relay.swallow(true);
    // It writes, and does not know yet that nobody hears it.
    cut_off.begin("try-save 20");
    cut_off.next("save.captured").expect("a save");
    other.next("open.leased").expect("the lease");
    let waited = cut.elapsed();
    println!("the other node had the lease after {waited:?}");
    assert!(waited <= lease.lasts + LATE, "{waited:?}");
    other.order(&format!("goto {}", shared.rig.url("/")));
    assert_eq!(read(&mut other), whole("one"));
    other.order(&write("two"));
    assert_eq!(other.save(30), Ok(2));
    assert_eq!(relay.round_trips(), stood, "something passed");

    relay.swallow(false);
    let (code, message) = cut_off.saved().unwrap_err();
    assert_eq!(code, "lease_lost", "{message}");
    // Its user is told.
    cut_off.order("lost");
    cut_off.begin("end 10");
    let outcome = cut_off.outcome();
    assert_eq!(
        (&outcome["save_error"][0], &outcome["kept_in_outbox"]),
        (&json!("lease_lost"), &json!(false)),
        "{outcome}"
    );
    assert_eq!(read(&mut other), whole("two"));
    let (outcome, _) = other.end();
    assert_eq!(outcome["version"], json!(2), "{outcome}");
    assert_eq!(shared.versions(), [2, 1]);
    let mut third = visit(&shared, &first);
    assert_eq!(read(&mut third), whole("two"));
    third.end();
}

/// Longer than a lease: nobody else has had the session, so nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_lease_waits_in_the_outbox() {
    let mut shared = Shared::start(RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"])).await;
    let lease = LeaseSpan { lasts: Duration::from_secs(3), renewed_every: Duration::from_secs(1) };
    let node = Node { lease, ..shared.node("a") };
    let mut run = visit(&shared, &node);
    run.order(&write("one"));
    assert_eq!(run.save(30), Ok(1));
    run.order(&write("two"));
    shared.redis.kill();
    let killed = Instant::now();
    run.begin("end 40");
    while killed.elapsed() < lease.lasts + LATE {
        run.next("save.away").expect("a try that failed");
    }
    shared.redis.start_again();
    let outcome = run.outcome();
    assert_eq!(
        (&outcome["save_error"][0], &outcome["kept_in_outbox"]),
        (&json!("lease_lost"), &json!(true)),
        "{outcome}"
    );
    let mut next = visit(&shared, &node);
    assert_eq!(read(&mut next), whole("two"));
    let (outcome, _) = next.end();
    assert_eq!(outcome["version"], json!(2), "{outcome}");
    assert_eq!(shared.versions(), [2, 1]);
}
