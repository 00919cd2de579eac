//! Sessions that stay warm: the next who opens one finds what a restore would have made, or it is not used.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::PermissionSetting;
use chromiumoxide::cdp::browser_protocol::network::{
    EnableParams, Headers, SetExtraHttpHeadersParams, SetUserAgentOverrideParams,
};
use chromiumoxide::cdp::browser_protocol::page::AddScriptToEvaluateOnNewDocumentParams;
use rhaven::base::{Tenant, Version};
use rhaven::page::{Page, Screen};
use rhaven::session::{Mode, Pool, PoolConfig, SessionOptions, SessionOutcome};
use serde_json::{Value, json};

use super::permissions::{set, states};
use super::pool::{close, finish, lasting, open, plant, pool_of, probe, until};
use super::rig::{Rig, changes, evaluate, goto, id, soon};

async fn warm_pool(rig: &Rig, warm: usize) -> Pool {
    pool_of(PoolConfig { warm, ..lasting(rig) }).await
}

fn context(page: &Page) -> String {
    page.target().context_id().unwrap().inner().clone()
}

/// One use of a session; the context that it was in.
async fn used(pool: &Pool, name: &str, work: impl AsyncFnOnce(&Page)) -> (String, SessionOutcome) {
    let workspace = pool.workspace("a test".into());
    let (_, page) = open(&workspace, name).await;
    work(&page).await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!(outcome.save_error, None);
    (context(&page), outcome)
}

/// What the tab is that a session begins with.
const FRESH: &str = "async () => ({ history: history.length, name: window.name, referrer: document.referrer,
    opener: !!window.opener, step: sessionStorage.getItem('step'), left: sessionStorage.getItem('left'),
    size: [innerWidth, innerHeight], extra: typeof window.leftover, unload: localStorage.getItem('unload') })";

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_session_is_as_a_restored_one() {
    let rig = Rig::start().await;
    let (pool, cold) = (warm_pool(&rig, 4).await, warm_pool(&rig, 0).await);
    let url = rig.url("/");
    let fill = async |page: &Page| {
        goto(page, &rig.other_url("/")).await;
        evaluate(page, "localStorage.setItem('other', '1')").await;
        goto(page, &url).await;
        plant(page, "hunter22").await;
        evaluate(page, "sessionStorage.setItem('step', '2'); localStorage.setItem('n', '1')").await;
    };
    used(&cold, "acme", fill).await;
    let look = async |page: &Page| {
        goto(page, &url).await;
        let seen = (evaluate(page, FRESH).await, probe(page).await, states(page).await);
        (seen, evaluate(page, "window.ready.then(() => window.seen)").await)
    };
    let mut wanted = None;
    used(&cold, "acme", async |page| wanted = Some(look(page).await)).await;
    let wanted = wanted.unwrap();
    // What is done here and not kept must not be there the next time; what goes on after the end neither.
    let (first, outcome) = used(&pool, "acme", async |page| {
        goto(page, &rig.url("/first")).await;
        goto(page, &url).await;
        set(page, "geolocation", PermissionSetting::Granted, &rig.url("")).await;
        page.main_frame().cdp().call(EnableParams::default()).await.unwrap();
        let headers = SetExtraHttpHeadersParams::new(Headers::new(json!({"x-planted": "1"})));
        page.main_frame().cdp().call(headers).await.unwrap();
        let small = Screen { width: 300, height: 200, scale: 1.0, mobile: false };
        page.emulate(|told| told.screen = Some(small), soon()).await.unwrap();
        evaluate(
            page,
            "window.name = 'left'; window.leftover = 1; fetch('/remembered', { cache: 'force-cache' }).then(() => {
                for (const event of ['pagehide', 'visibilitychange', 'unload', 'beforeunload'])
                    addEventListener(event, () => { localStorage.setItem('unload', event); document.cookie = 'unload=1'; }); })",
        )
        .await;
    })
    .await;
    assert!(!outcome.updated, "{outcome:?}");
    until("it is warm", || pool.stats().warm == 1).await;
    for round in 0..3 {
        let mut found = None;
        let (again, outcome) = used(&pool, "acme", async |page| found = Some(look(page).await)).await;
        assert_eq!((again, outcome.updated), (first.clone(), false), "{round}: {outcome:?}");
        assert_eq!(found.unwrap(), wanted, "{round}");
    }
    // What changes is told against what was there, and what nobody has visited yet is put in place still.
    let (again, outcome) = used(&pool, "acme", async |page| {
        goto(page, &url).await;
        evaluate(page, "localStorage.setItem('n', '2'); document.cookie = 'more=1; max-age=999'").await;
    })
    .await;
    assert_eq!(
        (again, changes(&outcome)),
        (first.clone(), vec!["added cookie more".into(), "changed localstorage n".into()])
    );
    let (again, outcome) = used(&pool, "acme", async |page| {
        goto(page, &rig.other_url("/")).await;
        assert_eq!(evaluate(page, "localStorage.getItem('other')").await, "1");
        goto(page, &url).await;
        assert_eq!(evaluate(page, "localStorage.getItem('n') + document.cookie.includes('more=1')").await, "2true");
    })
    .await;
    assert_eq!((again, changes(&outcome)), (first, vec![]));
    close(&pool).await;
    // All of that is in the store.
    used(&cold, "acme", async |page| {
        goto(page, &url).await;
        assert_eq!(evaluate(page, "localStorage.getItem('n') + document.cookie.includes('more=1')").await, "2true");
    })
    .await;
    close(&cold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_of_it_is_what_is_opened() {
    let rig = Rig::start().await;
    let pool = warm_pool(&rig, 4).await;
    let url = rig.url("/");
    let put = async |page: &Page, value: u32| {
        goto(page, &url).await;
        evaluate(page, &format!("localStorage.setItem('n', '{value}')")).await;
    };
    let expect = async |page: &Page, value: Value| {
        goto(page, &url).await;
        assert_eq!(evaluate(page, "localStorage.getItem('n')").await, value);
    };
    used(&pool, "acme", async |page| put(page, 1).await).await;
    let (first, _) = used(&pool, "acme", async |page| expect(page, json!("1")).await).await;
    // Another run, which knows nothing of the pool.
    rig.run(async |_, page| put(&page, 2).await).await;
    let (second, _) = used(&pool, "acme", async |page| expect(page, json!("2")).await).await;
    assert_ne!(second, first);
    let sessions = rig.sessions().await.unwrap();
    let tenant = Tenant::default();
    sessions.rollback(&tenant, &id("acme"), Version(1)).await.unwrap();
    let (third, _) = used(&pool, "acme", async |page| expect(page, json!("1")).await).await;
    assert_ne!(third, second);
    let (same, _) = used(&pool, "acme", async |page| expect(page, json!("1")).await).await;
    assert_eq!(same, third, "it was warm all the while");
    // Deleted, and made anew up to the same number.
    sessions.delete(&tenant, &id("acme")).await.unwrap();
    rig.run(async |_, page| put(&page, 5).await).await;
    let (fourth, outcome) = used(&pool, "acme", async |page| expect(page, json!("5")).await).await;
    assert_ne!(fourth, third);
    assert_eq!(outcome.version, Some(Version(1)));
    sessions.delete(&tenant, &id("acme")).await.unwrap();
    pool.forget(&id("acme"));
    assert_eq!(pool.stats().warm, 0);
    let (_, outcome) = used(&pool, "acme", async |page| expect(page, Value::Null).await).await;
    assert_eq!(outcome.restored, None);
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_more_than_is_kept_does_not_stay() {
    let rig = Rig::start().await;
    let pool = warm_pool(&rig, 4).await;
    let url = rig.url("/");
    used(&pool, "acme", async |page| {
        goto(page, &url).await;
        evaluate(page, "localStorage.setItem('n', '1')").await;
    })
    .await;
    let with_password = rig.url("/private").replace("http://", "http://me:hunter22@");
    let worker = "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => 1)";
    let works: [(&str, &str); 2] = [(&with_password, "1"), (&url, worker)];
    for (url, script) in works {
        let (before, _) = used(&pool, "acme", async |page| {
            goto(page, url).await;
            evaluate(page, script).await;
        })
        .await;
        let (after, _) = used(&pool, "acme", async |page| {
            let status = page.goto(&rig.url("/private"), &rhaven::page::GotoOptions::default(), soon()).await.unwrap();
            assert_eq!(status, Some(401));
        })
        .await;
        assert_ne!(after, before, "{script}");
    }
    // Nor what was only read.
    let workspace = pool.workspace("a reader".into());
    let options = SessionOptions { mode: Mode::ReadOnly, ..SessionOptions::default() };
    let session = workspace.session(&id("acme"), &options).await.unwrap();
    let read = context(&session.page().await.unwrap());
    finish(&workspace).await;
    let (next, _) = used(&pool, "acme", async |_| {}).await;
    assert_ne!(next, read);
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_session_finds_it_warm() {
    let rig = Rig::start().await;
    let pool = warm_pool(&rig, 4).await;
    let options = SessionOptions { mode: Mode::Wait(Duration::from_secs(20)), ..SessionOptions::default() };
    let users = (0..4).map(|number| {
        let (pool, rig, options) = (&pool, &rig, &options);
        async move {
            let workspace = pool.workspace(format!("user {number}"));
            let session = workspace.session(&id("acme"), options).await.unwrap();
            let page = session.page().await.unwrap();
            goto(&page, &rig.url("/")).await;
            let add = "localStorage.setItem('n', Number(localStorage.getItem('n') ?? 0) + 1)";
            evaluate(&page, add).await;
            finish(&workspace).await;
            context(&page)
        }
    });
    let contexts = futures_util::future::join_all(users).await;
    assert!(contexts.iter().all(|context| *context == contexts[0]), "{contexts:?}");
    used(&pool, "acme", async |page| {
        goto(page, &rig.url("/")).await;
        assert_eq!(evaluate(page, "localStorage.getItem('n')").await, "4");
    })
    .await;
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_stay_than_may_and_none_for_ever() {
    let rig = Rig::start().await;
    let idle = Duration::from_secs(2);
    let pool = pool_of(PoolConfig { warm: 2, idle, ..lasting(&rig) }).await;
    let held = pool.workspace("holds the browser".into());
    open(&held, "held").await;
    for name in ["a", "b", "c", "d"] {
        used(&pool, name, async |page| {
            goto(page, &rig.url("/")).await;
            evaluate(page, "localStorage.setItem('n', '1')").await;
        })
        .await;
    }
    assert!(pool.stats().warm <= 2);
    // Two that are warm, one that is held, one for the next.
    until("the others have gone", || pool.stats().contexts <= 4).await;
    until("none is warm any more", || pool.stats().warm == 0 && pool.stats().contexts <= 2).await;
    finish(&held).await;
    close(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_uses_of_a_warm_session_leave_nothing_behind() {
    let rig = Rig::start().await;
    let pool = warm_pool(&rig, 2).await;
    let mut contexts = Vec::new();
    for number in 0..100 {
        let (context, outcome) = used(&pool, "acme", async |page| {
            goto(page, &rig.url("/")).await;
            if number % 10 == 0 {
                evaluate(page, &format!("localStorage.setItem('n', {number})")).await;
            }
        })
        .await;
        assert_eq!(outcome.updated, number % 10 == 0, "{number}: {outcome:?}");
        contexts.push(context);
    }
    contexts.dedup();
    assert!(contexts.len() <= 2, "it was not warm: {contexts:?}");
    until("nothing is left but the session and what is for the next", || pool.stats().contexts <= 2).await;
    close(&pool).await;
}

/// Scripts that hear that their document goes, and would be heard of.
const LEAVING: &str = "async () => {
    const leave = event => {
        localStorage.setItem('unload', event.type);
        sessionStorage.setItem('unload', event.type);
        document.cookie = 'unload=1';
    };
    const windows = [window, ...Array.from(document.querySelectorAll('iframe'), frame => frame.contentWindow)];
    for (const each of windows)
        for (const event of ['pagehide', 'visibilitychange', 'unload', 'beforeunload']) each.addEventListener(event, leave);
    customElements.define('one-that-goes', class extends HTMLElement { disconnectedCallback() { leave({ type: 'gone' }); } });
    document.body.append(document.createElement('one-that-goes'));
    window.name = 'left';
    window.leftover = 1;
    history.pushState(1, '', '/first');
}";

#[tokio::test(flavor = "multi_thread")]
async fn the_tab_stays_and_nothing_of_before_in_it() {
    let rig = Rig::start().await;
    let pool = warm_pool(&rig, 2).await;
    let url = rig.url("/");
    used(&pool, "acme", async |page| {
        goto(page, &url).await;
        evaluate(page, "localStorage.setItem('n', '1'); sessionStorage.setItem('step', '2')").await;
    })
    .await;
    let mut tab = None;
    let mut old = None;
    for round in 0..3 {
        let (_, outcome) = used(&pool, "acme", async |page| {
            goto(page, &url).await;
            let seen = evaluate(page, FRESH).await;
            let wanted = json!({"name": "", "referrer": "", "opener": false, "step": "2", "left": null, "extra": "undefined", "unload": null, "size": [1280, 720], "history": 2});
            assert_eq!(seen, wanted, "{round}");
            assert_eq!(evaluate(page, "[navigator.userAgent.includes('Planted'), typeof window.planted]").await, json!([false, "undefined"]));
            assert_eq!(evaluate(page, "document.cookie").await, "", "{round}");
            let id = page.target().id().inner().clone();
            assert_eq!(*tab.get_or_insert_with(|| id.clone()), id, "{round}: it is another tab");
            // All that a session with Chromium sets goes with it.
            let cdp = page.target().cdp();
            cdp.call(AddScriptToEvaluateOnNewDocumentParams::new("window.planted = 1")).await.unwrap();
            cdp.call(EnableParams::default()).await.unwrap();
            cdp.call(SetUserAgentOverrideParams::new("Planted")).await.unwrap();
            goto(page, &url).await;
            assert_eq!(evaluate(page, "[navigator.userAgent, window.planted]").await, json!(["Planted", 1]));
            let frame = "new Promise(done => { const frame = document.createElement('iframe'); frame.src = '/first';
                frame.onload = () => done(1); document.body.append(frame); })";
            evaluate(page, frame).await;
            evaluate(page, LEAVING).await;
            old = Some(page.clone());
        })
        .await;
        assert!(!outcome.updated, "{round}: {outcome:?}");
        until("it is warm", || pool.stats().warm == 1).await;
    }
    // Who still has a handle of before sees nothing of the next.
    let old = old.unwrap();
    used(&pool, "acme", async |page| {
        goto(page, &url).await;
        assert_eq!(tab.as_ref(), Some(page.target().id().inner()));
        let told = old.main_frame().evaluate("location.href", None, soon()).await.unwrap_err();
        assert_eq!(told.error.code(), "page_closed");
        assert!(old.is_closed() && !page.is_closed());
        // What is written is the tab's, and kept.
        evaluate(page, "sessionStorage.setItem('step', '3')").await;
    })
    .await;
    used(&pool, "acme", async |page| {
        goto(page, &url).await;
        assert_eq!(evaluate(page, "sessionStorage.getItem('step')").await, "3");
        evaluate(page, "sessionStorage.clear()").await;
    })
    .await;
    used(&pool, "acme", async |page| {
        goto(page, &url).await;
        assert_eq!(evaluate(page, "sessionStorage.length").await, 0);
    })
    .await;
    close(&pool).await;
}
