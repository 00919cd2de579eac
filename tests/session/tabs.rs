//! The tabs that were open when a session was saved, opened again.

use rhaven::base::Tenant;
use rhaven::page::LoadState;
use rhaven::session::SessionOptions;
use serde_json::json;

use super::matrix::popup;
use super::rig::{Rig, evaluate, goto, id, soon};

#[tokio::test(flavor = "multi_thread")]
async fn tabs_are_opened_again_and_find_what_they_left() {
    let (rig, gone) = (Rig::start().await, Rig::start().await);
    let (one, away, two) = (rig.url("/first?tab=1#here"), gone.url("/first?secret"), rig.other_url("/?tab=2"));
    rig.run(async |session, page| {
        goto(&page, &one).await;
        evaluate(&page, "sessionStorage.setItem('step', '2'); localStorage.setItem('token', 'one')").await;
        assert!(!session.is_untouched());
        popup(&session, &page, &away, "noopener").await;
        let last = popup(&session, &page, "about:blank", "noopener").await;
        goto(&last, &two).await;
        evaluate(&last, "localStorage.setItem('token', 'two')").await;
        popup(&session, &page, "about:blank", "noopener").await;
    })
    .await;
    drop(gone);
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    assert!(session.is_untouched());
    session.reopen_tabs(soon()).await.unwrap();
    assert!(!session.is_untouched());
    let page = session.page().await.unwrap();
    assert_eq!(page.main_frame().url(), one);
    let pages = session.pages();
    assert_eq!(pages.len(), 3, "those of the web only");
    for page in [&pages[0], &pages[2]] {
        page.wait_for_url(
            &rhaven::page::UrlPattern::Glob("**tab=*".into()),
            &rhaven::page::GotoOptions::default(),
            soon(),
        )
        .await
        .unwrap();
        page.wait_for_load_state(LoadState::Load, soon()).await.unwrap();
    }
    assert_eq!(pages[2].main_frame().url(), two);
    assert_eq!(evaluate(&pages[0], "window.first.step").await, json!("2"));
    assert_eq!(evaluate(&pages[2], "window.seen.token").await, json!("two"));
    // What does not load is a warning, without what may be private.
    let deadline = soon();
    let notice = loop {
        let notices = workspace.take_notices();
        if let Some(notice) = notices.into_iter().find(|text| text.starts_with("the tab at")) {
            break notice;
        }
        assert!(!deadline.passed(), "no warning");
        tokio::task::yield_now().await;
    };
    assert!(notice.contains("/first could not be opened again: net::ERR_") && !notice.contains("secret"), "{notice}");
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.changes, outcome.updated), (None, vec![], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_are_still_loading_at_the_end_stay_kept() {
    let (rig, gone) = (Rig::start().await, Rig::start().await);
    let (one, two, away) = (rig.url("/?tab=1"), rig.other_url("/?tab=2"), gone.url("/"));
    rig.run(async |session, page| {
        goto(&page, &one).await;
        evaluate(&page, "localStorage.setItem('token', 'one')").await;
        popup(&session, &page, &away, "noopener").await;
        popup(&session, &page, &two, "noopener").await;
    })
    .await;
    drop(gone);
    let outcome = rig
        .run(async |session, page| {
            session.reopen_tabs(soon()).await.unwrap();
            evaluate(&page, "localStorage.setItem('token', 'changed')").await;
        })
        .await;
    assert!(outcome.updated);
    let tabs = async || rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap().tabs;
    assert_eq!(tabs().await, [rig.url("/"), away.clone(), rig.other_url("/")], "one site is away for a while");
    // It ends before anything was opened.
    let outcome = rig
        .run(async |session, page| {
            drop(session.reopen_tabs(soon()));
            goto(&page, &one).await;
            evaluate(&page, "localStorage.setItem('token', 'again')").await;
        })
        .await;
    assert!(outcome.updated);
    assert_eq!(tabs().await[1..], [rig.url("/"), away, rig.other_url("/")]);
    // A session without anything kept has none.
    let workspace = rig.workspace();
    let session = workspace.session(&id("new"), &SessionOptions::default()).await.unwrap();
    session.reopen_tabs(soon()).await.unwrap();
    assert!(session.is_untouched() && session.pages().len() == 1);
    workspace.finish(soon()).await;
}
