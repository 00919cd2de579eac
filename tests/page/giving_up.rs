//! What a verb that ran out of time leaves behind: a page that can be used.

use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::page::{ClickOptions, GotoOptions, ScreenshotOptions, Selector};

use super::support::{Stage, short, soon};

#[tokio::test]
async fn a_goto_that_ran_out_of_time_leaves_the_old_page_usable() {
    let stage = Stage::with("<title>old</title><button id=go onclick=\"document.title = 'clicked'\">Go</button>").await;
    let error = stage.page.goto(&stage.url("/never"), &GotoOptions::default(), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "old");
    stage.find("#go").click(&ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "clicked");
    assert_eq!(stage.page.url(soon()).await.unwrap(), stage.url("/"));
    stage.end().await;
}

#[tokio::test]
async fn a_goto_from_a_page_that_hangs_names_what_was_waited_for() {
    let stage = Stage::with("<title>a</title>").await;
    stage.serve("/stuck", "<title>stuck</title>");
    stage.serve("/next", "<title>next</title>");
    stage.goto("/stuck").await;
    stage.eval("setTimeout(() => { for (;;); }); 0").await;
    // It is stuck when it answers no more.
    while stage.page.main_frame().evaluate("1", None, Deadline::after(Duration::from_millis(300))).await.is_ok() {}
    for path in ["/next", "/never"] {
        let went = stage.page.goto(&stage.url(path), &GotoOptions::default(), short()).await;
        let Err(error) = went else { continue };
        let told = error.to_string();
        assert!(told.contains(path) && !told.contains("/stuck"), "{told}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_goto_that_is_given_up_holds_up_nothing_that_follows() {
    let stage = Stage::with("<title>old</title><button id=go>Go</button>").await;
    stage.serve("/next", "<title>next</title><button id=go>Go</button>");
    for round in 0..20_u64 {
        let never = stage.url("/never");
        let options = GotoOptions::default();
        let going = stage.page.goto(&never, &options, soon());
        // Given up at all kinds of moments: before it is sent, and while its server is waited for.
        let given_up = tokio::time::timeout(Duration::from_millis(round), going).await;
        assert!(given_up.is_err(), "{given_up:?}");
        if round % 2 == 0 {
            stage.find("#go").click(&ClickOptions::default(), soon()).await.unwrap();
        }
        let went = stage.page.goto(&stage.url("/next"), &options, soon()).await;
        assert_eq!(went.unwrap(), Some(200), "round {round}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_mask_goes_with_its_picture_whatever_becomes_of_it() {
    let stage = Stage::with("<p id=secret>Secret</p>").await;
    let masked = ScreenshotOptions {
        mask: vec![Selector::parse("#secret").unwrap()],
        full_page: true,
        ..ScreenshotOptions::default()
    };
    // What is appended to the document itself is the mask; a page that has seen one says so.
    stage.eval("window.seen = 0; new MutationObserver(all => all.forEach(one => one.addedNodes.length && seen++)).observe(document.documentElement, { childList: true })").await;
    let mut late = 0;
    for millis in 1..60 {
        let taken = stage.page.screenshot(&masked, Deadline::after(Duration::from_millis(millis))).await;
        late += usize::from(taken.is_err());
        assert_eq!(stage.eval("document.documentElement.lastElementChild.nodeName").await, "BODY", "after {millis} ms");
    }
    assert!(late > 0 && stage.eval("seen").await.as_u64().unwrap() > 0);
    stage.end().await;
}
