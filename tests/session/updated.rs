//! `updated` tells the truth: false for a run that changed nothing, however many there are and whatever they looked at; true,
//! with the right name, for each single kind of change.

use chromiumoxide::cdp::browser_protocol::browser::PermissionSetting;
use rhaven::base::Version;
use rhaven::page::{ActionOptions, ClickOptions, GotoOptions, Selector, UrlPattern, WaitState};
use rhaven::practice::{EMAIL, PASSWORD, Practice};
use serde_json::json;

use super::child::times;
use super::embedded::embed;
use super::matrix::{KINDS, popup};
use super::permissions::set;
use super::rig::{Rig, changes, evaluate, goto, soon};

/// Runs where `RHAVEN_SOAK_KILLS` does not say.
const RUNS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_change_nothing_make_no_version() {
    let (rig, practice) = (Rig::start().await, Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap());
    // Of sessionStorage only what can be told exactly of a tab that has left: a version is made for what cannot be kept.
    let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.store != "sessionStorage").collect();
    let writes: Vec<_> = kinds.iter().map(|kind| format!("{{ {}; }}", kind.write)).collect();
    let write = format!("async () => {{ {} sessionStorage.setItem('step', '2'); }}", writes.join("\n"));
    // All kinds on one site, the usual ones on another, and a login.
    let first = rig
        .run(|_, page| {
            let (urls, practice, write) = ([rig.url("/"), rig.other_url("/")], &practice, &write);
            async move {
                goto(&page, &urls[0]).await;
                evaluate(&page, write).await;
                goto(&page, &urls[1]).await;
                evaluate(&page, "localStorage.setItem('l', '1'); document.cookie = 's=1'; indexedDB.open('d'); 1")
                    .await;
                goto(&page, &format!("{}/login", practice.url())).await;
                let field = |selector| page.locator(&Selector::parse(selector).unwrap());
                for (selector, text) in [("#email", EMAIL), ("#password", PASSWORD)] {
                    field(selector).fill(&text.into(), &ActionOptions::default(), soon()).await.unwrap();
                }
                field("button").click(&ClickOptions::default(), soon()).await.unwrap();
                let dashboard = UrlPattern::Glob("**/dashboard*".into());
                page.wait_for_url(&dashboard, &GotoOptions::default(), soon()).await.unwrap();
            }
        })
        .await;
    assert_eq!((first.save_error, first.updated), (None, true));
    // The dashboard writes its token and its device at the first visit, and maybe only now.
    let settle = rig
        .run(|_, page| {
            let url = format!("{}/dashboard", practice.url());
            async move {
                goto(&page, &url).await;
                let ready = Selector::parse("[data-ready=yes]").unwrap();
                page.locator(&ready).wait_for(WaitState::Attached, soon()).await.unwrap();
            }
        })
        .await;
    assert_eq!(settle.save_error, None);
    let reads: Vec<_> = kinds.iter().map(|kind| format!("out.push({});", kind.read)).collect();
    let read = format!("async () => {{ const out = []; {} return out.length; }}", reads.join("\n"));
    for run in 0..times("RHAVEN_SOAK_KILLS", RUNS).min(100) {
        let outcome = rig
            .run(|_, page| {
                let (urls, practice, read) = ([rig.url("/"), rig.other_url("/")], &practice, &read);
                let kinds = &kinds;
                let first = rig.url("/first");
                async move {
                    match run % 5 {
                        // Whatever is there is looked at.
                        0 => {
                            goto(&page, &urls[0]).await;
                            assert_eq!(evaluate(&page, read).await, json!(kinds.len()));
                        }
                        1 => goto(&page, &format!("{}/dashboard", practice.url())).await,
                        // The service worker answers.
                        2 => goto(&page, &first).await,
                        // Several sites, and a tab that was not open before.
                        3 => {
                            goto(&page, &format!("{}/form", practice.url())).await;
                            goto(&page, &urls[1]).await;
                            goto(&page, &urls[0]).await;
                        }
                        // No page at all.
                        _ => {}
                    }
                }
            })
            .await;
        assert_eq!(outcome.save_error, None);
        assert_eq!(changes(&outcome), Vec::<String>::new(), "run {run}");
        assert_eq!((outcome.updated, outcome.version), (false, settle.version), "run {run}");
    }
}

/// Opens database `d` at `version`, does `work` in its upgrade, then `then` with the database.
fn database(version: u32, work: &str, then: &str) -> String {
    format!(
        "new Promise((done, failed) => {{ const r = indexedDB.open('d', {version}); r.onerror = failed;
           r.onupgradeneeded = () => {{ const s = () => r.transaction.objectStore('s'); {work} }};
           r.onsuccess = () => {{ const t = r.result.transaction('s', 'readwrite'); const s = t.objectStore('s'); {then};
             t.oncomplete = () => {{ r.result.close(); done(); }}; }}; }})"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_single_change_is_named_and_nothing_else() {
    let rig = Rig::start().await;
    let check = async |script: &str, wanted: &[&str]| {
        let (outcome, _) = rig.visit(script).await;
        assert_eq!(changes(&outcome), wanted, "{script}");
        assert_eq!(outcome.updated, !wanted.is_empty(), "{script}");
    };
    check("document.cookie = 'a=1; max-age=9999'", &["added cookie a"]).await;
    // A session cookie that becomes a lasting one, and the other way round.
    check("document.cookie = 'a=1'", &["renewed cookie a"]).await;
    check("document.cookie = 'a=1; max-age=9999'", &["renewed cookie a"]).await;
    // Another attribute; another path is another cookie.
    check("document.cookie = 'a=1; max-age=9999; samesite=strict'", &["changed cookie a"]).await;
    check("document.cookie = 'a=1; max-age=9999; path=/deep'", &["added cookie a"]).await;
    // What runs out before the end was never there.
    let short = "async () => { document.cookie = 'short=1; max-age=1';
        while (document.cookie.includes('short')) await new Promise(done => setTimeout(done, 20)); }";
    check(short, &[]).await;

    check("localStorage.setItem('l', '1')", &["added localstorage l"]).await;
    check("sessionStorage.setItem('s', '1')", &["added sessionstorage s"]).await;

    check(
        &database(1, "r.result.createObjectStore('s').put(1, 'k')", ""),
        &["added indexeddb d", "added indexeddb d/s"],
    )
    .await;
    check(&database(1, "", "s.put(2, 'k')"), &["changed indexeddb d/s"]).await;
    check(&database(1, "", "s.put(2, 'k')"), &[]).await;
    check(&database(1, "", "s.put(2, 'other')"), &["changed indexeddb d/s"]).await;
    check(&database(1, "", "s.delete('other')"), &["changed indexeddb d/s"]).await;
    check(&database(2, "s().createIndex('i', 'x')", ""), &["changed indexeddb d"]).await;
    check(&database(3, "r.result.createObjectStore('t')", ""), &["added indexeddb d/t", "changed indexeddb d"]).await;
    check(&database(4, "r.result.deleteObjectStore('t')", ""), &["changed indexeddb d", "removed indexeddb d/t"]).await;
    check(&database(5, "", ""), &["changed indexeddb d"]).await;

    let worker = |script: &str| {
        format!(
            "async () => {{ await navigator.serviceWorker.register('{script}', {{ scope: '/first' }});
               const ready = async () => {{ const r = await navigator.serviceWorker.getRegistration('/first');
                 return r.active?.scriptURL.endsWith('{script}') && r.active.state === 'activated'; }};
               while (!await ready()) await new Promise(done => setTimeout(done, 5)); }}"
        )
    };
    let scope = rig.url("/first").to_lowercase();
    check(&worker("/sw.js?v=1"), &[format!("added serviceworker {scope}").as_str()]).await;
    check(&worker("/sw.js?v=2"), &[format!("changed serviceworker {scope}").as_str()]).await;
    let unregister = "async () => (await navigator.serviceWorker.getRegistration('/first')).unregister()";
    check(unregister, &[format!("removed serviceworker {scope}").as_str()]).await;
    // Where the tab is does not count.
    let moved = rig.run(|_, page| async move { goto(&page, "about:blank").await }).await;
    assert_eq!((moved.updated, moved.changes), (false, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_run_out_is_neither_kept_nor_removed() {
    let rig = Rig::start().await;
    let (first, _) =
        rig.visit("document.cookie = 'stays=1; max-age=9999'; document.cookie = 'goes=1; max-age=2'").await;
    assert_eq!(changes(&first), ["added cookie goes", "added cookie stays"]);
    let gone = "async () => { while (document.cookie.includes('goes')) await new Promise(done => setTimeout(done, 20)); return document.cookie; }";
    let (second, seen) = rig.visit(gone).await;
    assert_eq!((seen, second.updated, second.version), (json!("stays=1"), false, Some(Version(1))));
    let (third, seen) = rig.visit("document.cookie").await;
    assert_eq!((seen, third.updated), (json!("stays=1"), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_other_sites_count_and_what_sites_may_and_tabs_do_not() {
    let rig = Rig::start().await;
    let below = async |script: &str| {
        rig.run(async |_, page| {
            goto(&page, &rig.url("/")).await;
            let frame = embed(&page, &page.main_frame(), &rig.other_url("/")).await;
            frame.evaluate(script, None, soon()).await.unwrap();
        })
        .await
    };
    let first = below("localStorage.setItem('inner', '1')").await;
    let [change] = &*first.changes else { panic!("{:?}", first.changes) };
    assert_eq!((change.store.as_str(), change.name.as_str(), first.updated), ("localStorage", "inner", true));
    // Not that of the site itself: it is kept apart.
    let key = &change.origin;
    assert!(key.starts_with(&rig.other_url("/^0")), "{key}");
    let same = below("localStorage.setItem('inner', '1')").await;
    assert_eq!((same.changes, same.updated, same.version), (vec![], false, first.version));
    let other = below("localStorage.setItem('inner', '2')").await;
    assert_eq!((changes(&other), other.updated), (vec!["changed localstorage inner".to_owned()], true));

    // Another tab, at another place, and what a site may.
    let nothing = rig
        .run(async |session, page| {
            goto(&page, &rig.url("/first")).await;
            set(&page, "geolocation", PermissionSetting::Granted, &rig.url("")).await;
            popup(&session, &page, &rig.other_url("/first"), "noopener").await;
        })
        .await;
    assert_eq!((nothing.changes, nothing.updated, nothing.version), (vec![], false, other.version));
    let removed = below("localStorage.clear()").await;
    assert_eq!((changes(&removed), removed.updated), (vec!["removed localstorage inner".to_owned()], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_expiry_counts_as_renewed_and_only_that() {
    let rig = Rig::start().await;
    rig.visit("document.cookie = 'a=1; max-age=5000'; document.cookie = 'b=1; max-age=5000'").await;
    let (second, _) = rig.visit("document.cookie = 'a=1; max-age=9000'").await;
    assert_eq!((changes(&second), second.updated), (vec!["renewed cookie a".to_owned()], true));
    let (third, _) = rig.visit("document.cookie = 'b=2; max-age=9000'").await;
    assert_eq!(changes(&third), ["changed cookie b"]);
    // What the site lets expire at once is removed.
    let (fourth, _) = rig.visit("document.cookie = 'a=1; max-age=0'").await;
    assert_eq!((changes(&fourth), fourth.updated), (vec!["removed cookie a".to_owned()], true));
}
