//! Versions, `updated`, expiry, deletion.

use std::time::Duration;

use rhaven::base::{Tenant, Version};
use rhaven::page::{ClickOptions, Selector};
use rhaven::session::SessionOptions;
use serde_json::json;

use super::rig::{Rig, changes, evaluate, goto, id, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_changes_nothing_makes_no_version() {
    let rig = Rig::start().await;
    let (first, _) = rig.visit("localStorage.setItem('token', '1'); document.cookie = 'a=1; max-age=999'").await;
    assert_eq!(first.version, Some(Version(1)));
    for _ in 0..3 {
        let (again, _) = rig.visit("1").await;
        assert_eq!((again.updated, again.version), (false, Some(Version(1))), "{:?}", again.changes);
    }
    let empty = rig.run(|_, _| async {}).await;
    assert_eq!((empty.updated, empty.version), (false, Some(Version(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_change_is_named() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('a', '1'); localStorage.setItem('b', '1'); document.cookie = 'c=1; max-age=9999'")
        .await;
    let check = async |script: &str, wanted: &[&str]| {
        let (outcome, _) = rig.visit(script).await;
        assert_eq!(changes(&outcome), wanted, "{script}");
        assert_eq!(outcome.updated, !wanted.is_empty());
    };
    check("localStorage.setItem('a', '2')", &["changed localstorage a"]).await;
    check("localStorage.removeItem('b')", &["removed localstorage b"]).await;
    check("document.cookie = 'c=2; max-age=9999'", &["changed cookie c"]).await;
    check("document.cookie = 'c=2; max-age=99999'", &["renewed cookie c"]).await;
    check("document.cookie = 'c=; max-age=0'", &["removed cookie c"]).await;
    check("localStorage.setItem('a', '9'); localStorage.setItem('a', '2')", &[]).await;
    let open =
        "new Promise(done => { const r = indexedDB.open('d'); r.onsuccess = () => { r.result.close(); done(); } })";
    check(open, &["added indexeddb d"]).await;
    check(
        "new Promise(done => { const r = indexedDB.deleteDatabase('d'); r.onsuccess = done; })",
        &["removed indexeddb d"],
    )
    .await;
    check("localStorage.clear()", &["removed localstorage a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_in_the_middle_makes_versions_and_the_outcome_tells_of_the_whole_run() {
    let rig = Rig::start().await;
    let outcome = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('a', '1')").await;
                let first = session.save(soon()).await.unwrap().unwrap();
                assert_eq!((first.version, first.updated), (Some(Version(1)), true));
                let same = session.save(soon()).await.unwrap().unwrap();
                assert_eq!(same.version, Some(Version(1)));
                evaluate(&page, "localStorage.setItem('b', '1')").await;
            }
        })
        .await;
    assert_eq!(outcome.version, Some(Version(2)));
    assert_eq!(changes(&outcome), ["added localstorage a", "added localstorage b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_run_out_starts_empty_and_says_so() {
    let rig = Rig::start().await;
    let workspace = rig.workspace_kept_for(Some(Duration::from_millis(1)));
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, "localStorage.setItem('token', 'old')").await;
    // Saved while the lease is held; by the time the lease is given back it has run out.
    assert_eq!(session.save(soon()).await.unwrap().unwrap().version, Some(Version(1)));
    let mut workspace_outcomes = workspace.finish(soon()).await;
    assert_eq!(workspace_outcomes.remove(0).save_error, None);
    let (second, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!(null));
    assert_eq!(second.restored, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_session_is_gone() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', '1')").await;
    let sessions = rig.sessions().await.unwrap();
    let tenant = Tenant::default();
    assert_eq!(sessions.list(&tenant).await.unwrap().sessions.len(), 1);
    assert_eq!(sessions.list(&Tenant::new("other").unwrap()).await.unwrap().sessions.len(), 0);
    sessions.delete(&tenant, &id("acme")).await.unwrap();
    assert_eq!(sessions.list(&tenant).await.unwrap().sessions.len(), 0);
    assert_eq!(sessions.delete(&tenant, &id("acme")).await.unwrap_err().code(), "session_not_found");
    let (fresh, seen) = rig.visit("window.seen.token").await;
    assert_eq!((fresh.restored, seen), (None, json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_of_one_run_share_nothing() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    for name in ["one", "two"] {
        let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        assert_eq!(evaluate(&page, "window.seen.token").await, json!(null));
        evaluate(&page, &format!("localStorage.setItem('token', '{name}'); document.cookie = 'who={name}'")).await;
    }
    let outcomes = workspace.finish(soon()).await;
    assert!(outcomes.iter().all(|outcome| outcome.version == Some(Version(1)) && outcome.updated));
    let workspace = rig.workspace();
    for name in ["two", "one"] {
        let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        assert_eq!(evaluate(&page, "window.seen").await["token"], json!(name));
        assert_eq!(evaluate(&page, "document.cookie").await, json!(format!("who={name}")));
    }
    assert!(workspace.finish(soon()).await.iter().all(|outcome| !outcome.updated));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_last_click_began_is_part_of_the_session() {
    let rig = Rig::start().await;
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "document.body.innerHTML = `<a id=go href='/cookies?sid=1'>sign in</a>`").await;
                let link = page.locator(&Selector::parse("#go").unwrap());
                link.click(&ClickOptions::default(), soon()).await.unwrap();
            }
        })
        .await;
    assert_eq!(changes(&outcome), ["added cookie sid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_session_that_is_saved_in_the_middle_tells_of_all_its_changes() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('a', '1'); localStorage.setItem('b', '1')").await;
    let outcome = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('a', '2')").await;
                let saved = session.save(soon()).await.unwrap().unwrap();
                assert_eq!(changes(&saved), ["changed localstorage a"]);
                evaluate(&page, "localStorage.setItem('b', '2')").await;
                let saved = session.save(soon()).await.unwrap().unwrap();
                assert_eq!(changes(&saved), ["changed localstorage b"]);
            }
        })
        .await;
    assert_eq!(outcome.version, Some(Version(3)));
    assert_eq!(changes(&outcome), ["changed localstorage a", "changed localstorage b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_says_who_holds_a_session_and_survives_a_damaged_one() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('a', '1')").await;
    let sessions = rig.sessions().await.unwrap();
    let tenant = Tenant::default();
    assert_eq!(sessions.show(&tenant, &id("acme")).await.unwrap().held_by, None);
    let workspace = rig.workspace();
    workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let shown = sessions.show(&tenant, &id("acme")).await.unwrap().held_by;
    assert!(shown.as_deref().is_some_and(|holder| holder.starts_with("rhaven test (pid ")), "{shown:?}");
    assert_eq!(sessions.list(&tenant).await.unwrap().sessions[0].held_by, shown);
    workspace.finish(soon()).await;
    assert_eq!(sessions.show(&tenant, &id("acme")).await.unwrap().held_by, None);
}
