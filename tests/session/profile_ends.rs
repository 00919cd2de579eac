//! Profile sessions whose browser or run does not end in order: the last archive stands, the state that was kept since is laid
//! over it.

use std::path::PathBuf;

use rhaven::base::Tenant;
use rhaven::page::Page;
use rhaven::session::{ProfileChange, Saved, Saving, Session, SessionOptions};
use serde_json::{Value, json};

use super::dying::Run;
use super::profile::{
    BOOKMARK, BOOKMARKS, SECRET_KEY, assert_nothing_left, browsers, in_settings, kill_own_browser, profile, read_all,
    write_all,
};
use super::rig::{Rig, changes, evaluate, goto, id, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_saved_later_is_laid_over_the_archive() {
    let rig = Rig::start().await;
    let (one, other) = (rig.url("/"), rig.other_url("/"));
    let first = rig
        .run_with(&profile(), |_, page| {
            let (one, other) = (one.clone(), other.clone());
            async move {
                goto(&page, &other).await;
                evaluate(&page, "localStorage.setItem('gone', 'soon'); document.cookie = 'gone=soon; max-age=3600'")
                    .await;
                goto(&page, &one).await;
                evaluate(&page, &write_all()).await;
            }
        })
        .await;
    assert_eq!(first.saved, Some(Saved::Full));

    // A save in the middle is of the state alone; then the browser is killed.
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &other).await;
    evaluate(
        &page,
        "localStorage.clear(); document.cookie = 'gone=x; max-age=0'; document.cookie = 'late=1; max-age=3600'",
    )
    .await;
    let saved = session.save(soon()).await.unwrap().unwrap();
    assert_eq!(changes(&saved), ["added cookie late", "removed cookie gone", "removed localstorage gone"],);
    assert_eq!(saved.saved, Some(Saved::State));
    evaluate(&page, "localStorage.setItem('lost', '1')").await;
    kill_own_browser();
    workspace.browser_gone().await;
    let killed = workspace.finish(soon()).await.remove(0);
    assert_eq!((killed.saved, killed.version), (Some(Saved::State), saved.version));
    assert_eq!(killed.save_error.unwrap().0, "browser_gone");
    assert_nothing_left();
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    assert_eq!(info.profile.unwrap().saved, Saved::State);

    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let notices = workspace.take_notices();
    assert!(notices.iter().any(|text| text.contains("its profile was last saved with v1")), "{notices:?}");
    let page = session.page().await.unwrap();
    goto(&page, &other).await;
    assert_eq!(evaluate(&page, "[localStorage.length, document.cookie]").await, json!([0, "late=1"]));
    // What did not change is as the profile has it, with the key that no state can hold.
    goto(&page, &one).await;
    read_all(&page).await;
    let last = workspace.finish(soon()).await.remove(0);
    assert_eq!((last.save_error, last.changes, last.saved), (None, vec![], Some(Saved::Full)));
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_killed_leaves_the_last_archive() {
    let rig = Rig::start().await;
    let write = |text: &'static str| {
        let url = rig.url("/");
        move |_: Session, page: Page| async move {
            goto(&page, &url).await;
            evaluate(&page, &format!("localStorage.setItem('k', '{text}')")).await;
            if text == "two" {
                kill_own_browser();
            }
        }
    };
    let first = rig.run_with(&profile(), write("one")).await;
    // Without checkpoints: one might have been written by now.
    let workspace = rig.workspace_saving(Saving::AtEnd);
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    write("two")(session, page).await;
    let second = workspace.finish(soon()).await.remove(0);
    assert_eq!((second.saved, second.version), (Some(Saved::None), first.version));
    assert_eq!(second.save_error.unwrap().0, "browser_gone");
    let (_, seen) = rig.visit("localStorage.getItem('k')").await;
    assert_eq!(seen, json!("one"));
    assert_nothing_left();
}

/// What a killed run left on this machine goes; nobody else's does.
fn assert_reaped() {
    tokio::task::block_in_place(rhaven::browser::reap);
    let folders = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let ours = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("rhaven-browser-"));
    let dead = ours.filter(|folder| {
        let owner = std::fs::read_to_string(folder.path().join("owner.json")).unwrap_or_default();
        let owner: Value = serde_json::from_str(&owner).unwrap_or_default();
        let pid = owner["owner"]["pid"].as_u64();
        pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) && folder.path().exists()
    });
    assert_eq!(dead.map(|folder| folder.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_checkpoint_of_a_killed_run_is_laid_over_its_profile() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let rig = &rig;
        async move {
            goto(&page, &rig.url("/")).await;
            evaluate(&page, &write_all()).await;
            goto(&page, &rig.other_url("/")).await;
            evaluate(&page, "localStorage.setItem('k', 'before')").await;
        }
    })
    .await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.other_url("/")));
    run.order("evaluate localStorage.setItem('k', 'after'); document.cookie = 'k=after; max-age=99'");
    run.next("checkpoint.written").expect("a checkpoint");
    run.kill();
    let outcome = rig
        .run(|session, page| {
            let rig = &rig;
            async move {
                assert!(session.is_profile());
                goto(&page, &rig.other_url("/")).await;
                let seen = evaluate(&page, "[localStorage.getItem('k'), document.cookie.includes('k=after')]").await;
                assert_eq!(seen, json!(["after", true]));
                goto(&page, &rig.url("/")).await;
                let key = evaluate(&page, &format!("async () => {}", SECRET_KEY.read)).await;
                assert_eq!(key, (SECRET_KEY.wanted)());
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.saved, outcome.recovered), (None, Some(Saved::Full), true));
    assert_reaped();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_it_archives_leaves_the_profile_of_before() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let url = rig.url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, &write_all()).await;
        }
    })
    .await;
    let points = [
        "profile.unpacked",
        "profile.browser_ended",
        "archive.blob_written",
        "archive.manifest_written",
        "profile.packed",
    ];
    for point in points {
        let mut run = Run::start(&rig, Some(point));
        if point != "profile.unpacked" {
            run.order(&format!("goto {}", rig.url("/")));
            run.begin("end");
        }
        run.dies();
    }
    let outcome = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                assert_eq!(session.version().map(|version| version.0), Some(1));
                goto(&page, &url).await;
                read_all(&page).await;
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.saved, outcome.changes), (None, Some(Saved::Full), vec![]));
    assert_reaped();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_it_archives_loses_nothing_of_the_state() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let url = rig.url("/");
        async move { goto(&page, &url).await }
    })
    .await;
    let mut run = Run::start(&rig, Some("profile.browser_ended"));
    run.order(&format!("goto {}", rig.url("/")));
    run.order("evaluate localStorage.setItem('k', 'last'); document.cookie = 'k=last; max-age=99'");
    run.begin("end");
    run.dies();
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                let seen = evaluate(&page, "[localStorage.getItem('k'), document.cookie.includes('k=last')]").await;
                assert_eq!(seen, json!(["last", true]));
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.saved, outcome.recovered), (None, Some(Saved::Full), true));
    assert_reaped();
}

/// The kept versions, newest first, with what differs of the profile in each.
async fn versions(rig: &Rig) -> Vec<(u64, Option<ProfileChange>)> {
    let history = rig.sessions().await.unwrap().history(&Tenant::default(), &id("acme")).await.unwrap();
    let all = history.all().await.unwrap();
    all.into_iter().map(|entry| (entry.version.version.0, entry.profile)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_runs_push_nothing_out() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), async |session, page| {
        goto(&page, &rig.url("/")).await;
        for count in 1..=18 {
            evaluate(&page, &format!("localStorage.setItem('count', '{count}')")).await;
            session.save(soon()).await.unwrap();
        }
    })
    .await;
    let idle = async || {
        let outcome = rig.run(async |_, _| {}).await;
        assert_eq!((outcome.save_error, outcome.updated, outcome.saved), (None, false, Some(Saved::Full)));
    };
    for _ in 0..3 {
        idle().await;
    }
    let (own, files) = (Some(ProfileChange::OwnFiles), Some(ProfileChange::Files));
    let state: Vec<_> = (1..=18).rev().map(|version| (version, None)).collect();
    let with = |newest: &[(u64, Option<ProfileChange>)]| [newest, &[(19, files)], &state].concat();
    assert_eq!(versions(&rig).await, with(&[(22, own), (21, own)]));
    // What a person does is no file of the browser's own.
    rig.run(async |_, page| assert_eq!(in_settings(&page, "chrome://bookmarks", BOOKMARK).await, json!("mine"))).await;
    assert_eq!(versions(&rig).await, with(&[(23, files)]));
    for _ in 0..2 {
        idle().await;
    }
    assert_eq!(versions(&rig).await, with(&[(25, own), (23, files)]));
    // Under another number nothing of it is said.
    let sessions = rig.sessions().await.unwrap();
    sessions.rollback(&Tenant::default(), &id("acme"), rhaven::base::Version(25)).await.unwrap();
    sessions.rollback(&Tenant::default(), &id("acme"), rhaven::base::Version(23)).await.unwrap();
    assert!(versions(&rig).await.iter().all(|(version, _)| *version > 2), "an ordinary version counts");
    rig.run(async |_, page| {
        assert_eq!(in_settings(&page, "chrome://bookmarks", BOOKMARKS).await, json!(["https://b.example/"]));
    })
    .await;
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_session_that_is_closed_in_the_middle_is_kept_in_full() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    for round in 1..=2 {
        let session = workspace.session(&id("acme"), &profile()).await.unwrap();
        let page = session.page().await.unwrap();
        let marks = in_settings(&page, "chrome://bookmarks", BOOKMARKS).await;
        goto(&page, &rig.url("/")).await;
        if round == 1 {
            assert_eq!(marks, json!([]));
            in_settings(&page, "chrome://bookmarks", BOOKMARK).await;
            goto(&page, &rig.url("/")).await;
            evaluate(&page, &write_all()).await;
        } else {
            assert_eq!(marks, json!(["https://b.example/"]));
            read_all(&page).await;
        }
        let closed = workspace.close(&session, soon()).await.unwrap().unwrap();
        assert_eq!((&closed.save_error, closed.saved, closed.updated), (&None, Some(Saved::Full), round == 1));
        assert_eq!(browsers(), []);
        assert_eq!(session.page().await.err().unwrap().code(), "session_closed");
        // That its browser ended is no accident.
        assert!(futures_util::FutureExt::now_or_never(workspace.browser_gone()).is_none());
        // Others may have it at once.
        let other = rig.workspace();
        let theirs = other.session(&id("acme"), &SessionOptions::default()).await.unwrap();
        assert_eq!(theirs.version(), closed.version);
        other.finish(soon()).await;
    }
    let outcomes = workspace.finish(soon()).await;
    assert_eq!(outcomes.iter().map(|outcome| outcome.saved).collect::<Vec<_>>(), [Some(Saved::Full); 2]);
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_session_whose_browser_is_gone_is_closed_all_the_same() {
    let rig = Rig::start().await;
    let workspace = rig.workspace_saving(Saving::AsAsked);
    let session = workspace.session(&id("acme"), &profile()).await.unwrap();
    goto(&session.page().await.unwrap(), &rig.url("/")).await;
    kill_own_browser();
    workspace.browser_gone().await;
    let error = workspace.close(&session, soon()).await.err().unwrap();
    assert_eq!(error.code(), "browser_gone", "{error}");
    // It stays open, and the end of the run says what became of it.
    assert_eq!(workspace.finish(soon()).await.remove(0).save_error.unwrap().0, "browser_gone");
    assert_nothing_left();
}
