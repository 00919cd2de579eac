//! An archive belongs to a version of a session: it is forked, rolled back, carried over and deleted with it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::{Deadline, Version};
use crate::seal::DataKey;
use crate::session::capture::Snapshot;
use crate::session::lease::{Holder, Lease};
use crate::session::profile::overlay::Archived;
use crate::session::profile::{Progress, Vault, discard, may_open, pack};
use crate::session::save::{self, Base, Draft, Target};
use crate::session::state::Beside;

use super::rig::{Rig, about, head, id, open, text, tree, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_its_profile_when_the_source_is_gone() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    for number in 0..20 {
        write(&dir, &format!("Default/{number}"), text(number, 50_000));
    }
    rig.save("acme", &dir).await.unwrap();
    let then = tree(&dir);
    rig.sessions.fork(&rig.tenant, &id("acme"), &id("copy"), None).await.unwrap();
    write(&dir, "Default/1", "later");
    rig.save("acme", &dir).await.unwrap();
    rig.sessions.delete(&rig.tenant, &id("acme")).await.unwrap();
    let left = rig.blobs().await;
    let needed: Vec<_> = rig.head("copy").await.unwrap().index.beside.profile.unwrap().blob_ids().collect();
    assert!(left.iter().all(|id| needed.contains(id)) && left.len() == needed.len());

    let into = rig.folder("into");
    rig.restore("copy", &into).await.unwrap();
    assert!(tree(&into) == then);

    // The fork goes on from there, and what has not changed is not written again although it was sealed for the source.
    let before = rig.stored_bytes();
    write(&into, "Default/2", "changed");
    rig.save("copy", &into).await.unwrap();
    assert!(rig.stored_bytes() - before < 20_000, "{before} -> {}", rig.stored_bytes());
    // A fork of the fork opens both.
    rig.sessions.fork(&rig.tenant, &id("copy"), &id("third"), None).await.unwrap();
    rig.sessions.delete(&rig.tenant, &id("copy")).await.unwrap();
    let last = rig.folder("last");
    rig.restore("third", &last).await.unwrap();
    assert!(tree(&last) == tree(&into));
    rig.sessions.delete(&rig.tenant, &id("third")).await.unwrap();
    assert_eq!(rig.blobs().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_has_its_own_profile_and_rollback_brings_it_back() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Bookmarks", "first");
    rig.save("acme", &dir).await.unwrap();
    let first = tree(&dir);
    write(&dir, "Default/Bookmarks", "second");
    write(&dir, "Default/New", "new");
    rig.save("acme", &dir).await.unwrap();
    rig.sessions.rollback(&rig.tenant, &id("acme"), Version(1)).await.unwrap();
    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&into) == first);
    assert_eq!(rig.head("acme").await.unwrap().version, Version(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_after_the_root_key_has_changed() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", text(1, 300_000));
    rig.save("acme", &dir).await.unwrap();
    let blobs = rig.blobs().await;
    let old = rig.sessions.key_uses().await.unwrap().remove(0).id;
    let rotated = rig.sessions.rotate(&rig.tenant).await.unwrap();
    assert!(rotated.new && rotated.left.is_empty(), "{rotated:?}");
    rig.sessions.retire(&old).await.unwrap();
    // The next process has the new key only; no blob was touched.
    let sessions = open(rig.home.path()).await;
    let into = rig.folder("into");
    super::rig::restore(&sessions, &rig.tenant, "acme", &into).await.unwrap();
    assert!(tree(&into) == tree(&dir));
    assert_eq!(rig.blobs().await, blobs);
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn snapshot(tabs: &[&str]) -> Snapshot {
    let tabs = tabs.iter().map(|url| (*url).to_owned()).collect();
    Snapshot { cookies: Vec::new(), beside: Beside { tabs, ..Beside::default() }, origins: BTreeMap::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_archive_is_a_version_and_a_run_without_one_keeps_it() {
    let rig = Rig::start().await;
    let (sessions, tenant, id) = (&rig.sessions, &rig.tenant, &id("acme"));
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "x");
    let (lease, _) =
        Lease::acquire(sessions, tenant, id, &Holder::new("test"), None, &CancellationToken::new()).await.unwrap();
    let target = Target { sessions, tenant, id, ttl: None, lease: &lease };

    // The first version: nothing but the archive, under a key that was made for it.
    let key = DataKey::generate().unwrap();
    let vault = Vault { sessions, tenant, key: &key, keys: std::slice::from_ref(&key) };
    let profile = pack(vault, &dir, None, about(1), &Progress::default()).await.unwrap();
    let base = Base::default();
    let archived = Archived::of(&[], std::iter::empty(), |_| false, None);
    let draft = Draft::new(&base, &base, &[].into(), snapshot(&[])).with_profile(profile, archived, &key);
    assert!(!draft.is_unchanged() && draft.changes().is_empty());
    let base = save::commit(&target, &draft, soon()).await.unwrap();
    assert_eq!(base.version(), Some(Version(1)));
    rig.restore("acme", &rig.home.path().join("one")).await.unwrap();

    // A run that has none: no version by that alone, and it stays where something else changes.
    let draft = Draft::new(&base, &base, &[].into(), snapshot(&["https://a.example/"]));
    assert!(draft.is_unchanged());
    let cookie = serde_json::json!({"name": "a", "value": "1", "domain": "a.example", "path": "/"});
    let mut now = snapshot(&[]);
    now.cookies.extend(serde_json::from_value::<crate::session::Cookie>(cookie));
    assert_eq!(now.cookies.len(), 1);
    let base = save::commit(&target, &Draft::new(&base, &base, &[].into(), now), soon()).await.unwrap();
    assert_eq!(base.version(), Some(Version(2)));
    lease.release().await;
    rig.restore("acme", &rig.home.path().join("two")).await.unwrap();
    assert_eq!(fs::read(rig.home.path().join("two/Default/Cookies")).unwrap(), b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_commit_was_refused_is_taken_back() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    for number in 0..4 {
        write(&dir, &format!("Default/{number}"), text(number, 40_000));
    }
    let kept = rig.save("acme", &dir).await.unwrap();
    let blobs = rig.blobs().await;
    write(&dir, "Default/0", "changed");
    let stored = rig.head("acme").await.unwrap();
    let keys = stored.record.keys().unwrap();
    let vault = Vault { sessions: &rig.sessions, tenant: &rig.tenant, key: &stored.key, keys: &keys };
    let refused = pack(vault, &dir, Some(&kept), about(2), &Progress::default()).await.unwrap();
    assert_eq!(rig.blobs().await.len(), blobs.len() + 2);
    discard(&rig.sessions, &refused, Some(&kept)).await;
    assert_eq!(rig.blobs().await, blobs);
    rig.restore("acme", &rig.folder("into")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_chromium_does_not_open_it() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "x");
    let profile = rig.save("acme", &dir).await.unwrap();
    let profile = head(&rig.sessions, &rig.tenant, "acme").await.unwrap().index.beside.profile.unwrap_or(profile);
    for runs in [
        "156.0.7000.1",
        "156.0.7000.0",
        "156.0.7000.99",
        "156.0.7001.0",
        "157.0.1.0",
        "1000.0.0.0",
        "HeadlessChrome/156.0.7000.1",
    ] {
        assert!(may_open(&profile, runs).is_ok(), "{runs}");
    }
    for runs in ["156.0.6999.200", "155.0.9000.1", "99.0.0.0", "", "something else"] {
        let error = may_open(&profile, runs).unwrap_err();
        assert_eq!(error.code(), "profile_newer", "{runs}");
        let told = error.to_string();
        assert!(told.contains("156.0.7000.1") && told.contains(runs) && told.contains("rollback"), "{told}");
    }
}
