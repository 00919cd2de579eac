//! How often a run asks Redis: once to open a session, twice to save it (whether the keys are still the store's, and the commit).

use rhaven::page::GotoOptions;
use rhaven::session::{SessionOptions, Workspace};

use super::nodes::Node;
use super::profile::assert_nothing_left;
use super::redis_server::RedisServer;
use super::relay::Relay;
use super::rig::{Rig, evaluate, id, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_opened_in_one_round_trip_and_saved_in_two() {
    let (redis, rig) = (RedisServer::start(), Rig::start().await);
    let relay = Relay::to(redis.port);
    let blobs = format!("file:{}", rig.home.path().join("blobs").display());
    let node = Node::at(rig.home.path(), format!("redis://127.0.0.1:{}", relay.port), blobs);
    let change = "localStorage.setItem('token', String(Math.random())); document.cookie = 'who=me; max-age=9999'";
    let mut counted = Vec::new();
    for run in 1..=2 {
        let workspace = Workspace::new(node.config());
        let before = relay.round_trips();
        // The store is opened along with the first.
        for name in ["first", "second", "third", "fourth"] {
            let asked = relay.round_trips();
            let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
            let opened = relay.round_trips() - asked;
            let page = session.page().await.unwrap();
            page.goto(&rig.url("/"), &GotoOptions::default(), soon()).await.unwrap();
            evaluate(&page, change).await;
            let asked = relay.round_trips();
            session.save(soon()).await.unwrap();
            let saved = relay.round_trips() - asked;
            println!("run {run}, session {name}: {opened} round trip(s) to open, {saved} to save");
            counted.extend((name != "first").then_some((opened, saved)));
        }
        workspace.finish(soon()).await;
        println!("run {run}: {} in all, the end included", relay.round_trips() - before);
    }
    assert_nothing_left();
    // The relay sees when bytes pass: two questions that are asked side by side are seen as two where the first is answered before
    // the second one is on its way, and a lease that is renewed meanwhile counts too.
    let fewest = |of: fn(&(usize, usize)) -> usize| counted.iter().map(of).min();
    assert_eq!((fewest(|(opened, _)| *opened), fewest(|(_, saved)| *saved)), (Some(1), Some(2)), "{counted:?}");
}
