//! Contexts, tabs, popups, frames of other sites, workers.

use chromiumoxide::cdp::browser_protocol::page::{AddScriptToEvaluateOnNewDocumentParams, CrashParams, EnableParams};
use rhaven::browser::{ContextOptions, Flavor, LaunchOptions, TargetEvent, TargetKind};

use super::site::Site;
use super::support::*;

#[tokio::test]
async fn contexts_share_nothing() {
    let (browser, site) = (start().await, Site::start().await);
    let ((_, one), (_, two)) = (tab(&browser).await, tab(&browser).await);
    goto(&one, &site.url("/")).await;
    goto(&two, &site.url("/")).await;
    evaluate(one.cdp(), "localStorage.setItem('k', 'v'), document.cookie = 'c=1'").await;
    assert_eq!(evaluate(two.cdp(), "localStorage.length + document.cookie").await, "0");
    assert_ne!(one.context_id(), two.context_id());
    end(browser).await;
}

#[tokio::test]
async fn a_new_tab_waits_until_it_is_resumed() {
    let browser = start().await;
    let context = browser.new_context(&ContextOptions::default()).await.unwrap();
    let id = context.new_target().await.unwrap();
    // A view that comes late hears of it all the same.
    let target = attached(&mut context.targets()).await;
    assert_eq!((target.id(), target.kind()), (&id, &TargetKind::Page));
    assert_eq!(target.context_id(), Some(context.id()));
    let answer = target.cdp().send(expression("1"));
    target.resume();
    in_time("the answer", answer).await.unwrap();
    end(browser).await;
}

#[tokio::test]
async fn closing_a_tab_fails_its_calls_and_tells_the_views() {
    let browser = start().await;
    let (context, target) = tab(&browser).await;
    let mut targets = context.targets();
    attached(&mut targets).await;
    let never = target.cdp().send(expression("new Promise(() => {})"));
    evaluate(target.cdp(), "1").await;
    target.close().await.unwrap();
    check_code(&in_time("the failure", never).await.unwrap_err(), "page_closed");
    check_code(&in_time("the end", target.gone()).await, "page_closed");
    assert!(target.is_gone());
    check_code(&target.cdp().call(expression("1")).await.unwrap_err(), "page_closed");
    assert!(matches!(in_time("the news", targets.next()).await, Some(TargetEvent::Detached(id)) if id == *target.id()));
    target.close().await.unwrap();
    context.dispose().await.unwrap();
    assert!(in_time("the end", targets.next()).await.is_none());
    end(browser).await;
}

#[tokio::test]
async fn disposing_of_a_context_closes_its_tabs_and_no_others() {
    let browser = start().await;
    let ((context, one), (_, other)) = (tab(&browser).await, tab(&browser).await);
    context.dispose().await.unwrap();
    check_code(&in_time("the end", one.gone()).await, "page_closed");
    assert_eq!(evaluate(other.cdp(), "1").await, 1);
    end(browser).await;
}

#[tokio::test]
async fn a_popup_comes_with_its_opener() {
    for flavor in [Flavor::HeadlessShell, Flavor::Full] {
        let (browser, site) = (start_with(&options(flavor)).await, Site::start().await);
        let (context, target) = tab(&browser).await;
        goto(&target, &site.url("/")).await;
        let mut targets = context.targets();
        attached(&mut targets).await;
        let opens = format!("window.popup = window.open('{}'), 1", site.url("/frames"));
        // The opener stands still until its popup may run.
        let opened = target.cdp().send(expression(&opens));
        let popup = attached(&mut targets).await;
        assert_eq!(popup.opener(), Some(target.id()));
        popup.resume();
        in_time("the opening", opened).await.unwrap();
        in_time("the title", async { while evaluate(popup.cdp(), "document.title").await != "frames" {} }).await;
        evaluate(target.cdp(), "popup.close()").await;
        check_code(&in_time("the end", popup.gone()).await, "page_closed");
        end(browser).await;
    }
}

#[tokio::test]
async fn a_frame_of_another_site_is_a_child_with_a_session_of_its_own() {
    for flavor in [Flavor::HeadlessShell, Flavor::Full] {
        // The headless shell keeps all frames of a page in one process unless told otherwise.
        let options = LaunchOptions { args: vec!["--site-per-process".to_owned()], ..options(flavor) };
        let (browser, site) = (start_with(&options).await, Site::start().await);
        let (context, target) = tab(&browser).await;
        let mut pages = context.targets();
        attached(&mut pages).await;
        let mut children = target.children();
        let url = site.url("/frames");
        let load = goto(&target, &url);
        let frame = async {
            let frame = attached(&mut children).await;
            assert_eq!(frame.kind(), &TargetKind::Iframe);
            frame.cdp().call(EnableParams::default()).await.unwrap();
            frame.resume();
            frame
        };
        let ((), frame) = tokio::join!(load, frame);
        assert_eq!(evaluate(frame.cdp(), "document.title").await, "plain");
        assert_eq!(evaluate(frame.cdp(), "location.hostname").await, "localhost");
        goto(&target, &site.url("/")).await;
        check_code(&in_time("the end", frame.gone()).await, "page_closed");
        assert!(children.try_next().is_some_and(|event| matches!(event, TargetEvent::Detached(_))));
        assert!(pages.try_next().is_none(), "the frame is nobody's page");
        assert!(context.workers().try_next().is_none(), "the frame is nobody's worker");
        end(browser).await;
    }
}

#[tokio::test]
async fn workers_are_attached_and_run() {
    let (browser, site) = (start().await, Site::start().await);
    let (context, target) = tab(&browser).await;
    let mut children = target.children();
    goto(&target, &site.url("/worker")).await;
    let worker = attached(&mut children).await;
    assert_eq!(worker.kind(), &TargetKind::Other("worker".to_owned()));
    in_time("its message", async { while evaluate(target.cdp(), "document.title").await != "from the worker" {} })
        .await;
    assert_eq!(evaluate(worker.cdp(), "self.constructor.name").await, "DedicatedWorkerGlobalScope");

    let mut workers = context.workers();
    goto(&target, &site.url("/service")).await;
    let service = attached(&mut workers).await;
    assert_eq!(service.kind(), &TargetKind::Other("service_worker".to_owned()));
    in_time("its start", async { while evaluate(target.cdp(), "document.title").await != "ready" {} }).await;
    assert_eq!(evaluate(service.cdp(), "self.constructor.name").await, "ServiceWorkerGlobalScope");
    assert!(workers.try_next().is_none(), "it was attached twice");
    end(browser).await;
}

#[tokio::test]
async fn a_crashed_tab_is_gone_and_the_browser_lives() {
    let browser = start().await;
    let (context, target) = tab(&browser).await;
    let mut targets = context.targets();
    attached(&mut targets).await;
    let never = target.cdp().send(expression("new Promise(() => {})"));
    let crash = target.cdp().send(CrashParams::default());
    check_code(&in_time("the failure", never).await.unwrap_err(), "page_closed");
    check_code(&in_time("the failure", crash).await.unwrap_err(), "page_closed");
    check_code(&in_time("the end", target.gone()).await, "page_closed");
    assert!(matches!(in_time("the news", targets.next()).await, Some(TargetEvent::Crashed(id)) if id == *target.id()));
    target.close().await.unwrap();
    assert!(matches!(in_time("the news", targets.next()).await, Some(TargetEvent::Detached(_))));
    let other = tab_in(&context).await;
    assert_eq!(evaluate(other.cdp(), "1").await, 1);
    end(browser).await;
}

#[tokio::test]
async fn a_tab_goes_on_in_another_session_and_the_old_one_is_over() {
    let browser = start().await;
    let (context, old) = tab(&browser).await;
    let mut targets = context.targets();
    attached(&mut targets).await;
    evaluate(old.cdp(), "window.kept = 1").await;
    old.cdp().call(AddScriptToEvaluateOnNewDocumentParams::new("window.planted = 1")).await.unwrap();
    let never = old.cdp().send(expression("new Promise(() => {})"));
    let new = context.renew(&old).await.unwrap();
    assert_eq!((new.id(), new.context_id()), (old.id(), old.context_id()));
    assert!(old.is_gone() && !new.is_gone());
    check_code(&in_time("the failure", never).await.unwrap_err(), "page_closed");
    check_code(&old.cdp().call(expression("1")).await.unwrap_err(), "page_closed");
    assert_eq!(evaluate(new.cdp(), "window.kept").await, 1);
    goto(&new, "data:text/html,<p>next").await;
    assert_eq!(evaluate(new.cdp(), "typeof window.planted").await, "undefined");
    // There is one tab, and it is the new one.
    let all: Vec<_> = context.all_targets().iter().map(|target| target.cdp().session_id().to_owned()).collect();
    assert_eq!(all, [new.cdp().session_id()]);
    let view = attached(&mut context.targets()).await;
    assert_eq!(view.cdp().session_id(), new.cdp().session_id());
    // Nobody is told before it goes.
    assert!(targets.try_next().is_none());
    new.close().await.unwrap();
    assert!(matches!(in_time("the news", targets.next()).await, Some(TargetEvent::Detached(id)) if id == *new.id()));
    check_code(&context.renew(&new).await.unwrap_err(), "browser_protocol");
    end(browser).await;
}
