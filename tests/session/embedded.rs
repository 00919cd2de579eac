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
