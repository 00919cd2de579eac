//! A session that is copied over another one while the one that it comes from goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

use rhaven::base::{Tenant, Version};
use rhaven::session::{Format, ImportOptions, SessionOptions, Sessions, Source};
use serde_json::json;

use super::child::see_points;
use super::rig::{Rig, id, soon};

/// More than stands with a record: it is a blob of its own, which copies share.
const LARGE: usize = 300_000;

/// Makes a session that keeps a lot of that letter.
async fn keep(sessions: &Sessions, name: &str, letter: &str) {
    let kept = json!([{ "name": letter, "value": letter.repeat(LARGE) }]);
    let state = json!({ "cookies": [], "origins": [{ "origin": "https://shop.example", "localStorage": kept }] });
    let source = Source::open(std::io::Cursor::new(state.to_string()), None).await.unwrap();
    Box::pin(sessions.import(&Tenant::default(), &id(name), source, &ImportOptions::default())).await.unwrap();
}

/// All that it holds.
async fn held(sessions: &Sessions, name: &str) -> String {
    let mut bytes = Vec::new();
    sessions.export(&Tenant::default(), &id(name), Format::Playwright, None, &mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// All blobs of a store.
fn blobs(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(blobs(&path));
        } else {
            all.insert(path);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_source_goes_meanwhile_the_other_is_what_it_was() {
    let rig = Rig::start().await;
    let (sessions, tenant, store) =
        (rig.sessions().await.unwrap(), Tenant::default(), rig.home.path().join("store/blobs"));
    keep(&sessions, "b", "b").await;
    let (before, own) = (held(&sessions, "b").await, blobs(&store));
    assert!(before.contains(&"b".repeat(LARGE)) && !own.is_empty(), "{own:?}");
    // Whoever comes to the point that is set waits there until it is let go.
    let set = std::sync::Arc::new(Mutex::new(None::<&str>));
    let (arrive, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let (go, gone) = mpsc::channel::<()>();
    let (stop, gone) = (set.clone(), Mutex::new(gone));
    see_points(move |point| {
        let is_it = stop.lock().unwrap().take_if(|set| *set == point).is_some();
        if is_it {
            arrive.send(()).unwrap();
            tokio::task::block_in_place(|| gone.lock().unwrap().recv().unwrap());
        }
    });
    for (round, point) in ["copy.sealed", "copy.committed"].into_iter().enumerate() {
        keep(&sessions, "a", "a").await;
        *set.lock().unwrap() = Some(point);
        let workspace = rig.workspace();
        let copied = tokio::spawn(async move {
            let outcome = workspace.copy_over(&id("a"), &id("b"), &SessionOptions::default()).await;
            workspace.finish(soon()).await;
            outcome
        });
        arrived.recv().await.unwrap();
        sessions.delete(&tenant, &id("a")).await.unwrap();
        go.send(()).unwrap();
        let refused = copied.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), "session_not_found", "{point}: {refused}");
        assert_eq!(held(&sessions, "b").await, before, "{point}");
        assert_eq!(blobs(&store), own, "{point}: nothing is left of it, and nothing of the other is gone");
        // Its history has what it was, whole, and nothing of what could not be had.
        let history = sessions.history(&tenant, &id("b")).await.unwrap();
        assert_eq!(history.versions().len(), 2 + round, "{point}: {:?}", history.versions());
        let all = history.all().await.unwrap_or_else(|error| panic!("{point}: {error}"));
        assert!(
            all[..=round].iter().all(|entry| entry.changes.as_ref().is_some_and(Vec::is_empty)),
            "{point}: {all:?}"
        );
    }
    // Undisturbed it is copied, and holds that also when the one that it comes from has gone.
    keep(&sessions, "a", "a").await;
    let (wanted, newest) = (held(&sessions, "a").await, sessions.show(&tenant, &id("b")).await.unwrap().version);
    let workspace = rig.workspace();
    let copied = workspace.copy_over(&id("a"), &id("b"), &SessionOptions::default()).await.unwrap();
    workspace.finish(soon()).await;
    assert_eq!((copied.before, copied.version), (newest, newest.next()));
    sessions.delete(&tenant, &id("a")).await.unwrap();
    assert_eq!(held(&sessions, "b").await, wanted);
    sessions.history(&tenant, &id("b")).await.unwrap().all().await.unwrap();
    sessions.rollback(&tenant, &id("b"), Version(1)).await.unwrap();
    assert_eq!(held(&sessions, "b").await, before);
}
