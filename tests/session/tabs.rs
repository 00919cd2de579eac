//! The tabs that were open when a session was saved, opened again.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use axum::Router;
use axum::response::Html;
use rhaven::base::Tenant;
use rhaven::browser::TargetKind;
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

/// A site whose pages come until it is told to hold them back; where it is.
async fn site_that_may_hold() -> (String, Arc<AtomicBool>) {
    let holds = Arc::new(AtomicBool::new(false));
    let held = holds.clone();
    let answer = async move || {
        if held.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Html("a page")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    (format!("http://{address}"), holds)
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_somebody_took_elsewhere_are_not_kept_where_they_were() {
    let (rig, gone, (slow, holds)) = (Rig::start().await, Rig::start().await, site_that_may_hold().await);
    let there = [rig.url("/"), rig.other_url("/")];
    let urls = [
        there[0].clone(),
        there[1].clone(),
        gone.url("/left"),
        gone.url("/stays"),
        format!("{slow}/data"),
        format!("{slow}/blank"),
        format!("{slow}/stays"),
    ];
    rig.run(async |session, page| {
        goto(&page, &urls[0]).await;
        evaluate(&page, "localStorage.setItem('token', 'one')").await;
        for url in &urls[1..] {
            goto(&session.open_another().await.unwrap(), url).await;
        }
    })
    .await;
    drop(gone);
    holds.store(true, Ordering::Relaxed);
    let outcome = rig
        .run(async |session, page| {
            session.reopen_tabs(soon()).await.unwrap();
            evaluate(&page, "localStorage.setItem('token', 'changed')").await;
            let pages = session.pages();
            // One that is there, one of a site that is away, and two that are on their way still.
            let arrived = rhaven::page::UrlPattern::Glob(format!("{}*", there[1]));
            pages[1].wait_for_url(&arrived, &rhaven::page::GotoOptions::default(), soon()).await.unwrap();
            for (at, url) in [(1, "about:blank"), (2, "about:blank"), (4, "data:text/html,other"), (5, "about:blank")] {
                goto(&pages[at], url).await;
            }
        })
        .await;
    assert!(outcome.updated);
    let tabs = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap().tabs;
    let kept: Vec<_> = tabs.iter().filter(|url| url.starts_with("http")).collect();
    assert_eq!(kept, [&urls[0], &urls[3], &urls[6]], "{tabs:?}");
}

// On one thread: who is waited for and who goes on is then not left to chance.
#[tokio::test]
async fn an_end_stops_the_opening_of_tabs_and_loses_none_of_them() {
    let rig = Rig::start().await;
    let urls: Vec<String> = (0..20).map(|tab| rig.url(&format!("/{tab}"))).collect();
    rig.run(async |session, page| {
        goto(&page, &urls[0]).await;
        for url in &urls[1..] {
            goto(&session.open_another().await.unwrap(), url).await;
        }
        goto(&page, &rig.url("/")).await;
        evaluate(&page, "localStorage.setItem('token', 'one')").await;
        goto(&page, &urls[0]).await;
    })
    .await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let cookie = json!({"name": "a", "value": "1", "domain": "127.0.0.1", "path": "/"});
    session.add_cookies(&[cookie.as_object().unwrap().clone()]).await.unwrap();
    let mut added = session.pages_added();
    let opened = tokio::spawn(session.open_tabs_again(soon()));
    added.changed().await.unwrap();
    let outcome = workspace.finish(soon()).await.remove(0);
    assert!(outcome.updated && outcome.save_error.is_none(), "{outcome:?}");
    let opened = opened.await.unwrap().unwrap();
    assert_eq!(format!("{opened:?}"), "FirstTab(None)", "it was stopped");
    let tabs = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap().tabs;
    let kept: Vec<_> = tabs.iter().filter(|url| url.starts_with("http")).collect();
    assert_eq!(kept, urls.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_nobody_waits_for_any_more_is_a_page_or_is_closed() {
    let rig = Rig::start().await;
    rig.run(async |session, _| {
        let mut polls = 0;
        let last = loop {
            let (mut left, mut opening) = (polls, Box::pin(session.open_another()));
            let done = poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                opening.as_mut().poll(cx).map(Some)
            });
            if let Some(page) = done.await {
                break page.unwrap();
            }
            polls += 1;
        };
        assert!(polls > 3, "it was given up at {polls} points");
        // Chromium does one after the other: by now all of those that were asked for before are there.
        let pages = || session.pages().iter().map(|page| page.target().id().inner().clone()).collect::<BTreeSet<_>>();
        assert!(pages().contains(last.target().id().inner()));
        let (deadline, mut looks) = (soon(), tokio::time::interval(std::time::Duration::from_millis(20)));
        loop {
            let tabs = session.context().all_targets().into_iter().filter(|tab| *tab.kind() == TargetKind::Page);
            let tabs: BTreeSet<_> = tabs.map(|tab| tab.id().inner().clone()).collect();
            if tabs == pages() {
                break;
            }
            assert!(!deadline.passed(), "{tabs:?} are there, and {:?} are known", pages());
            looks.tick().await;
        }
    })
    .await;
}
