//! A folder that is in use is not packed, and whatever fails leaves the last good version.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::session::profile::Progress;

use super::rig::{Rig, save, text, tree, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_a_browser_has_or_was_killed_on_is_refused() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "x");
    for name in ["SingletonLock", "SingletonCookie", "SingletonSocket"] {
        symlink("host-1", dir.join(name)).unwrap();
        let error = rig.save("acme", &dir).await.unwrap_err();
        assert_eq!(error.code(), "profile_dirty");
        assert!(error.to_string().contains(name), "{error}");
        fs::remove_file(dir.join(name)).unwrap();
    }
    assert_eq!(rig.blobs().await, []);
    rig.save("acme", &dir).await.unwrap();
}

/// Does something to the folder once the hashing has begun (or, with `half`, once half of it is done).
fn meddling(half: bool, meddle: impl Fn() + Send + Sync + 'static) -> Progress {
    let done = AtomicBool::new(false);
    Progress::new(move |now| {
        if (!half || now.done * 2 >= now.total) && !done.swap(true, Ordering::Relaxed) {
            meddle();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    type Meddle = fn(&Path);
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    let fill = |dir: &Path| {
        for number in 0..6 {
            write(dir, &format!("Default/{number}"), text(number, 1 << 20));
        }
    };
    fill(&dir);
    rig.save("acme", &dir).await.unwrap();
    let (good, blobs) = (tree(&dir), rig.blobs().await);
    let ways: [(&str, Meddle); 6] = [
        ("written", |dir| write(dir, "Default/5", text(99, 1 << 20))),
        ("cut", |dir| fs::File::options().write(true).open(dir.join("Default/5")).unwrap().set_len(7).unwrap()),
        ("replaced", |dir| {
            fs::write(dir.join("new"), text(105, 1 << 20)).unwrap();
            fs::rename(dir.join("new"), dir.join("Default/5")).unwrap();
        }),
        ("removed", |dir| fs::remove_file(dir.join("Default/5")).unwrap()),
        ("come", |dir| write(dir, "Default/another", "x")),
        ("locked", |dir| symlink("host-1", dir.join("SingletonLock")).unwrap()),
    ];
    for half in [false, true] {
        for (what, meddle) in ways {
            // All of it is new, so that there is much to write.
            for number in 0..6 {
                write(&dir, &format!("Default/{number}"), text(100 + number, 1 << 20));
            }
            let folder = dir.clone();
            let progress = meddling(half, move || meddle(&folder));
            let error = save(&rig.sessions, &rig.tenant, "acme", &dir, &progress).await.expect_err(what);
            let code = error.code();
            // A file that is gone before it is opened is one that cannot be read.
            assert!(code == "profile_dirty" || (what == "removed" && code == "file_error"), "{what}: {error}");
            assert_eq!(rig.blobs().await, blobs, "{what}: something was left behind");
            fs::remove_dir_all(&dir).unwrap();
        }
    }
    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(
        tree(&into)
            .into_iter()
            .map(|(path, file)| (path, file.content))
            .eq(good.into_iter().map(|(path, file)| (path, file.content)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_leaves_the_last_good_version() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "good");
    rig.save("acme", &dir).await.unwrap();
    let (good, blobs) = (tree(&dir), rig.blobs().await);
    for number in 0..12 {
        write(&dir, &format!("Default/{number}"), text(number, 1 << 20));
    }
    // The folder of the blobs goes away once half of them are written.
    let (folder, aside) = (rig.home.path().join("store/blobs"), rig.home.path().join("aside"));
    let progress = meddling(true, {
        let (folder, aside) = (folder.clone(), aside.clone());
        move || {
            fs::rename(&folder, &aside).unwrap();
            fs::write(&folder, "no folder").unwrap();
        }
    });
    let error = save(&rig.sessions, &rig.tenant, "acme", &dir, &progress).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable", "{error}");
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&into) == good);
    assert!(rig.blobs().await.len() > blobs.len(), "nothing was written before it failed");

    // The next save goes on from the good one.
    rig.save("acme", &dir).await.unwrap();
    let into = rig.folder("again");
    rig.restore("acme", &into).await.unwrap();
    assert!(tree(&into) == tree(&dir));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpacking_that_is_given_up_leaves_no_file() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    for number in 0..20 {
        write(&dir, &format!("Default/{number}"), text(number, 1 << 20));
    }
    rig.save("acme", &dir).await.unwrap();
    let into = rig.home.path().join("into");
    let seen = tokio::select! {
        restored = rig.restore("acme", &into) => panic!("it was not given up: {restored:?}"),
        seen = async {
            while !into.join("Default/19").exists() {
                tokio::task::yield_now().await;
            }
            true
        } => seen,
    };
    let until = crate::base::Deadline::after(std::time::Duration::from_secs(20));
    while into.exists() {
        assert!(seen && !until.passed(), "files are left");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_given_up_leaves_nothing_behind() {
    let rig = Rig::start().await;
    let dir = rig.folder("dir");
    write(&dir, "Default/Cookies", "good");
    rig.save("acme", &dir).await.unwrap();
    let blobs = rig.blobs().await;
    for number in 0..20 {
        write(&dir, &format!("Default/{number}"), text(number, 1 << 20));
    }
    let (told, given_up) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let progress = meddling(true, move || told.lock().unwrap().take().unwrap().send(()).unwrap());
    tokio::select! {
        saved = save(&rig.sessions, &rig.tenant, "acme", &dir, &progress) => panic!("it was not given up: {saved:?}"),
        half = given_up => half.unwrap(),
    }
    // The removal goes on in the background.
    let until = crate::base::Deadline::after(std::time::Duration::from_secs(20));
    while rig.blobs().await != blobs {
        assert!(!until.passed(), "{} blobs are left, there were {}", rig.blobs().await.len(), blobs.len());
        tokio::task::yield_now().await;
    }
}
