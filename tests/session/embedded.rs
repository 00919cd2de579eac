//! What frames of other sites keep: apart for each site that they are below.

use rhaven::page::{Frame, Page};
use rhaven::session::Session;
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, soon};

/// Puts a frame into `frame` and answers it once it has loaded.
pub async fn embed(page: &Page, frame: &Frame, url: &str) -> Frame {
    let script = format!(
        "new Promise(done => {{ const f = document.createElement('iframe'); f.src = '{url}'; f.onload = () => done(); document.body.append(f); }})"
    );
    let before: Vec<String> = page.frames().iter().map(|frame| frame.id().to_owned()).collect();
    frame.evaluate(&script, None, soon()).await.unwrap();
    let is_new = |frame: &Frame| frame.url() == url && !before.iter().any(|id| id == frame.id());
    page.frames().into_iter().find(is_new).unwrap()
}

/// A run with a frame of the other name in a page.
async fn below<F: Future<Output = ()>>(
    rig: &Rig,
    work: impl FnOnce(Page, Frame) -> F,
) -> rhaven::session::SessionOutcome {
    let (top, url) = (rig.url("/"), rig.other_url("/"));
    let run = async |_: Session, page: Page| {
        goto(&page, &top).await;
        let frame = embed(&page, &page.main_frame(), &url).await;
        work(page, frame).await;
    };
    let outcome = rig.run(run).await;
    assert_eq!(outcome.save_error, None);
    outcome
}

async fn ask(frame: &Frame, script: &str) -> Value {
    frame.evaluate(script, None, soon()).await.unwrap()
}

const WRITE: &str = "async () => { localStorage.setItem('token', 'embedded');
    await new Promise(done => { const r = indexedDB.open('inner', 2);
      r.onupgradeneeded = () => r.result.createObjectStore('s', {autoIncrement: true}).put('v');
      r.onsuccess = () => { r.result.close(); done(); }; });
    await (await caches.open('c')).put('/x', new Response('cached')); }";

const READ: &str =
    "async () => { await window.ready; return [window.seen.token, window.seen.databases, await caches.keys()] }";

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_finds_what_it_left_below_that_site() {
    let rig = Rig::start().await;
    let first = below(&rig, async |_, frame| drop(ask(&frame, WRITE).await)).await;
    assert_eq!(first.partial.len(), 0, "{first:?}");
    assert_eq!(
        changes(&first),
        ["added cachestorage c", "added indexeddb inner", "added indexeddb inner/s", "added localstorage token"]
    );
    let mut seen = Value::Null;
    let second = below(&rig, async |_, frame| seen = ask(&frame, READ).await).await;
    assert_eq!(seen, json!(["embedded", ["inner"], ["c"]]));
    assert_eq!((second.changes, second.partial), (vec![], vec![]));
    // In a tab of its own it keeps something else.
    rig.run(async |_, page| {
        goto(&page, &rig.other_url("/")).await;
        assert_eq!(evaluate(&page, "window.seen.token").await, json!(null));
        evaluate(&page, "localStorage.setItem('token', 'own')").await;
    })
    .await;
    let third = below(&rig, async |_, frame| seen = ask(&frame, "window.seen.token").await).await;
    assert_eq!((seen, third.changes), (json!("embedded"), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_gone_is_kept_too() {
    let rig = Rig::start().await;
    let leave = async |script: &'static str| {
        below(&rig, async |page, frame| {
            ask(&frame, script).await;
            evaluate(&page, "document.querySelector('iframe').remove()").await;
        })
        .await
    };
    let first = leave("localStorage.setItem('token', '1')").await;
    assert_eq!(changes(&first), ["added localstorage token"]);
    assert_eq!(leave("1").await.changes, []);
    assert_eq!(changes(&leave("localStorage.setItem('token', '2')").await), ["changed localstorage token"]);
    assert_eq!(changes(&leave("localStorage.clear()").await), ["removed localstorage token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_below_another_site_below_its_own_is_kept_apart() {
    let rig = Rig::start().await;
    let between = async |script: &'static str| {
        let mut seen = Value::Null;
        let outcome = below(&rig, async |page, frame| {
            let inner = embed(&page, &frame, &rig.url("/")).await;
            seen = ask(&inner, script).await;
        })
        .await;
        (outcome, seen)
    };
    let (first, _) = between("localStorage.setItem('token', 'between')").await;
    assert_eq!(changes(&first), ["added localstorage token"]);
    let (second, seen) = between("window.seen.token").await;
    assert_eq!((second.changes, seen), (vec![], json!("between")));
    let (_, own) = rig.visit("window.seen.token").await;
    assert_eq!(own, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_one_document_alone_is_named() {
    let rig = Rig::start().await;
    let write = format!(
        "async () => {{ const f = document.createElement('iframe'); f.credentialless = true; f.src = '{}';
           await new Promise(done => {{ f.onload = done; document.body.append(f); }}); return f.credentialless; }}",
        rig.other_url("/embedded")
    );
    let (first, there) = rig.visit(&write).await;
    assert_eq!((there, first.save_error.as_ref()), (json!(true), None));
    let [partial] = &*first.partial else { panic!("{:?}", first.partial) };
    assert!(partial.origin.starts_with(&rig.other_url("/^1")), "{partial:?}");
    assert!(partial.reason.contains("one document"), "{partial:?}");
}

/// Once with frames in the process of their page, once with each site in one of its own.
async fn rigs() -> [Rig; 2] {
    [Rig::start().await, Rig::start_isolating().await]
}

/// What the first script of a frame at `/first` found in sessionStorage.
const STEP: &str = "window.first.step";

/// A run with a frame at `/first` of the other name.
async fn stepping<F: Future<Output = ()>>(
    rig: &Rig,
    work: impl FnOnce(Page, Frame) -> F,
) -> (Value, rhaven::session::SessionOutcome) {
    let mut found = Value::Null;
    let run = async |_: Session, page: Page| {
        goto(&page, &rig.url("/")).await;
        let frame = embed(&page, &page.main_frame(), &rig.other_url("/first")).await;
        found = ask(&frame, STEP).await;
        work(page, frame).await;
    };
    let outcome = rig.run(run).await;
    assert_eq!((&outcome.save_error, &*outcome.partial), (&None, &[][..]));
    (found, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_of_a_frame_is_there_before_its_first_script() {
    for rig in rigs().await {
        session_storage_of_a_frame_is_there_before_its_first_script_in(&rig).await;
    }
}

async fn session_storage_of_a_frame_is_there_before_its_first_script_in(rig: &Rig) {
    let write = "sessionStorage.setItem('step', '1'); sessionStorage.setItem('other', '\\ud800')";
    let (found, first) = stepping(rig, async |_, frame| drop(ask(&frame, write).await)).await;
    assert_eq!(
        (found, changes(&first)),
        (json!(null), vec!["added sessionstorage other".into(), "added sessionstorage step".into()])
    );
    // A run that comes nowhere near it carries it over, one that only looks at it does not change it.
    let (untouched, _) = rig.visit("sessionStorage.length").await;
    assert_eq!((untouched.updated, untouched.partial), (false, vec![]));
    for _ in 0..2 {
        let (found, second) = stepping(rig, async |_, frame| {
            assert_eq!(ask(&frame, "sessionStorage.getItem('other') === '\\ud800'").await, json!(true));
        })
        .await;
        assert_eq!((found, second.changes), (json!("1"), vec![]));
    }
    // In a tab of its own there is none.
    let mut own = Value::Null;
    rig.run(async |_, page| {
        goto(&page, &rig.other_url("/first")).await;
        own = evaluate(&page, STEP).await;
    })
    .await;
    assert_eq!(own, json!(null));
    let (_, last) = stepping(rig, async |_, frame| drop(ask(&frame, "sessionStorage.removeItem('step')").await)).await;
    assert_eq!(changes(&last), ["removed sessionstorage step"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_of_a_frame_that_is_gone_is_kept() {
    for rig in rigs().await {
        session_storage_of_a_frame_that_is_gone_is_kept_in(&rig).await;
    }
}

async fn session_storage_of_a_frame_that_is_gone_is_kept_in(rig: &Rig) {
    let away = rig.other_url("/echo");
    let leave = async |by_going: bool, script: &'static str| {
        stepping(rig, async |page, frame| {
            ask(&frame, script).await;
            if by_going {
                goto(&page, &away).await;
            } else {
                evaluate(&page, "document.querySelector('iframe').remove()").await;
            }
        })
        .await
    };
    let (_, first) = leave(false, "sessionStorage.setItem('step', '1')").await;
    assert_eq!(changes(&first), ["added sessionstorage step"]);
    let (found, second) = leave(true, "sessionStorage.setItem('step', '2')").await;
    assert_eq!((found, changes(&second)), (json!("1"), vec!["changed sessionstorage step".to_owned()]));
    for by_going in [true, false] {
        let (found, idle) = leave(by_going, "1").await;
        assert_eq!((found, idle.changes), (json!("2"), vec![]));
    }
    assert_eq!(changes(&leave(true, "sessionStorage.clear()").await.1), ["removed sessionstorage step"]);
    assert_eq!(leave(false, "1").await.0, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_is_put_in_place_once_in_a_tab() {
    for rig in rigs().await {
        session_storage_is_put_in_place_once_in_a_tab_in(&rig).await;
    }
}

async fn session_storage_is_put_in_place_once_in_a_tab_in(rig: &Rig) {
    stepping(rig, async |_, frame| drop(ask(&frame, "sessionStorage.setItem('step', '1')").await)).await;
    let (_, outcome) = stepping(rig, async |page, frame| {
        ask(&frame, "sessionStorage.clear()").await;
        evaluate(&page, "document.querySelector('iframe').remove()").await;
        let again = embed(&page, &page.main_frame(), &rig.other_url("/first?again")).await;
        assert_eq!(ask(&again, STEP).await, json!(null));
        let at_once = "const f = document.createElement('iframe'); document.body.append(f); f.remove()";
        evaluate(&page, at_once).await;
    })
    .await;
    assert_eq!(changes(&outcome), ["removed sessionstorage step"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_below_another_site_below_its_own_is_kept_apart() {
    for rig in rigs().await {
        session_storage_below_another_site_below_its_own_is_kept_apart_in(&rig).await;
    }
}

async fn session_storage_below_another_site_below_its_own_is_kept_apart_in(rig: &Rig) {
    let between = async |script: &'static str| {
        let mut seen = Value::Null;
        let outcome = below(rig, async |page, frame| {
            let inner = embed(&page, &frame, &rig.url("/first")).await;
            seen = ask(&inner, STEP).await;
            ask(&inner, script).await;
            evaluate(&page, "document.querySelector('iframe').remove()").await;
        })
        .await;
        (outcome, seen)
    };
    let (first, _) = between("sessionStorage.setItem('step', 'between')").await;
    assert_eq!((changes(&first), first.partial), (vec!["added sessionstorage step".to_owned()], vec![]));
    let (second, seen) = between("1").await;
    assert_eq!((second.changes, seen), (vec![], json!("between")));
    assert_eq!(rig.visit("sessionStorage.length").await.1, json!(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_of_one_document_that_is_gone_is_named() {
    for rig in rigs().await {
        session_storage_of_one_document_that_is_gone_is_named_in(&rig).await;
    }
}

async fn session_storage_of_one_document_that_is_gone_is_named_in(rig: &Rig) {
    let write = format!(
        "async () => {{ const f = document.createElement('iframe'); f.credentialless = true; f.src = '{}';
           const written = new Promise(done => addEventListener('message', done, {{once: true}}));
           document.body.append(f); await written; f.remove(); }}",
        rig.other_url("/telling")
    );
    let (first, _) = rig.visit(&write).await;
    let [partial] = &*first.partial else { panic!("{:?}", first.partial) };
    assert!(partial.origin.starts_with(&rig.other_url("/^1")), "{partial:?}");
    assert!(partial.reason.contains("one document"), "{partial:?}");
}
