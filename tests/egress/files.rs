//! What is not of the web: files of this machine and pages of Chromium's own, by address and by a page's own doing.

use chromiumoxide::cdp::browser_protocol::page::{EnableParams, NavigateParams};
use rhaven::browser::{Flavor, LaunchOptions};
use serde_json::Value;

use super::browser::{check_code, end, evaluate, goto, start_with, tab, tab_in};
use super::pages::{Behind, FLAVORS};
use super::support::in_time;

const PLACES: [&str; 5] = [
    "file:///etc/passwd",
    "chrome://version/",
    "view-source:http://localhost/",
    "about:version",
    "devtools://devtools/",
];

#[tokio::test]
async fn only_the_web_is_opened_by_address() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let (_, page) = tab(&all.browser).await;
        for url in PLACES {
            check_code(&page.cdp().call(NavigateParams::new(url)).await.unwrap_err(), "target_blocked");
        }
        goto(&page, "data:text/html,<p>data").await;
        goto(&page, "about:blank").await;
        assert_eq!(evaluate(page.cdp(), "location.href").await, "about:blank");
        all.end().await;
    }
    // A browser of one's own opens one's own files.
    let browser = start_with(&LaunchOptions { flavor: Flavor::HeadlessShell, ..LaunchOptions::default() }).await;
    let (_, page) = tab(&browser).await;
    goto(&page, "file:///etc/passwd").await;
    end(browser).await;
}

#[tokio::test]
async fn no_page_opens_a_file_by_itself() {
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let (context, page) = tab(&all.browser).await;
        for start in [all.site.url("/"), "about:blank".to_owned(), "data:text/html,<body>".to_owned()] {
            goto(&page, &start).await;
            for place in PLACES {
                let tries = format!(
                    "(async () => {{
                        const text = await fetch('{place}').then(r => r.text()).catch(() => 'no');
                        const frame = document.createElement('iframe');
                        const there = new Promise(done => {{ frame.onload = done; setTimeout(done, 300) }});
                        frame.src = '{place}';
                        document.body.append(frame);
                        await there;
                        let inside = '';
                        try {{ inside = frame.contentDocument ? frame.contentDocument.documentElement.innerText : 'foreign' }} catch {{ }}
                        return text + inside;
                    }})()"
                );
                let seen = evaluate(page.cdp(), &tries).await;
                assert!(!seen.to_string().contains("root:"), "{place} from {start}: {seen}");
            }
            for place in PLACES {
                let opens = format!("window.open('{place}') ? 1 : 0");
                // Where a popup is made at all, it shows nothing.
                let opened = page.cdp().send(super::browser::expression(&opens));
                let mut targets = context.targets();
                tokio::pin!(opened);
                loop {
                    tokio::select! {
                        _ = &mut opened => break,
                        target = super::browser::attached(&mut targets) => target.resume(),
                    }
                }
                // Going may cut off what is asked of the page meanwhile.
                let goes = super::browser::expression(&format!("location = '{place}', 1"));
                let _ = in_time("going there", page.cdp().call(goes)).await;
                let href = in_time("its address", async {
                    loop {
                        if let Ok(answer) = page.cdp().call(super::browser::expression("location.href")).await {
                            return answer.result.value.unwrap_or_default();
                        }
                    }
                })
                .await;
                // It stays where it is, or gets an empty page for it.
                assert!(href == start.as_str() || href == "about:blank#blocked", "{place} from {start}: {href}");
                goto(&page, &start).await;
            }
            let mut targets = context.targets();
            while let Some(rhaven::browser::TargetEvent::Attached(target)) = targets.try_next() {
                // Where it has such an address at all, it is an empty page.
                let shown = evaluate(target.cdp(), "location.href + ' ' + document.documentElement.innerText").await;
                let shown = shown.as_str().unwrap();
                for bad in ["file:", "chrome:", "view-source:", "devtools:"] {
                    assert!(!shown.starts_with(bad), "{shown}");
                }
                assert!(!shown.contains("root:") && !shown.contains("JavaScript"), "{shown}");
                if target.id() != page.id() {
                    target.close().await.unwrap();
                }
            }
        }
        // Nor does a server send one there.
        let url = all.site.url("/redirect?file:///etc/passwd");
        assert!(page.cdp().call(NavigateParams::new(url)).await.unwrap().error_text.is_some());
        all.end().await;
    }
}

#[tokio::test]
async fn a_download_leaves_no_file() {
    const SAVE: &str = "Object.assign(document.createElement('a'), {
        href: URL.createObjectURL(new Blob(['left'])), download: 'rhaven-left.txt' }).click()";
    for flavor in FLAVORS {
        let all = Behind::start(flavor).await;
        let own = all.browser.default_context().await.unwrap();
        for page in [tab(&all.browser).await.1, tab_in(&own).await] {
            goto(&page, &all.site.url("/")).await;
            let mut told = page.cdp().raw_events(&["Page.downloadProgress"]);
            page.cdp().call(EnableParams::default()).await.unwrap();
            evaluate(page.cdp(), SAVE).await;
            let state = in_time("the end of a download", async {
                loop {
                    let event = told.next().await.unwrap().decode::<Value>().unwrap();
                    if event["state"] != "inProgress" {
                        return event["state"].clone();
                    }
                }
            });
            assert_eq!(state.await, "canceled");
        }
        all.end().await;
    }
}
