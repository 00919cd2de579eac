//! Sessions as files: what one store wrote, another one's page finds, in real Chromium.

use rhaven::base::{Secret, Tenant, Version};
use rhaven::session::{
    Exported, Format, ImportOptions, Imported, SessionError, SessionInfo, SessionOptions, SessionOutcome, Source,
};
use serde_json::{Value, json};

use super::rig::{Rig, evaluate, goto, id, soon};

const FILL: &str = include_str!("../recorded/fill.js");
const CHECK: &str = include_str!("../recorded/check.js");
/// Written by Playwright 1.65 on the practice site, with `indexedDB: true`.
const PLAYWRIGHT: &str = include_str!("../recorded/playwright-1.65.json");
/// Where the site was that it was written on.
const RECORDED: &str = "http://127.0.0.1:7499";

fn phrase(text: &str) -> Secret {
    Secret::new("RHAVEN_BUNDLE_PASSPHRASE", text.to_owned())
}

async fn export(rig: &Rig, format: Format) -> (Exported, Vec<u8>) {
    let (sessions, mut bytes) = (rig.sessions().await.unwrap(), Vec::new());
    let passphrase = phrase("correct horse");
    let exported = sessions.export(&Tenant::default(), &id("acme"), format, Some(&passphrase), &mut bytes).await;
    (exported.unwrap(), bytes)
}

async fn import(rig: &Rig, name: &str, bytes: &[u8], replace: bool) -> Result<Imported, SessionError> {
    let sessions = rig.sessions().await.unwrap();
    let options = ImportOptions { replace, passphrase: Some(phrase("correct horse")), ..ImportOptions::default() };
    let source = Source::open(std::io::Cursor::new(bytes.to_vec()), None).await?;
    Box::pin(sessions.import(&Tenant::default(), &id(name), source, &options)).await
}

/// A run of a session that evaluates `script` at `path`; no browser is left after it.
async fn run(rig: &Rig, name: &str, path: &str, script: &str) -> (SessionOutcome, Value) {
    let workspace = rig.workspace();
    let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url(path)).await;
    let answer = evaluate(&page, script).await;
    let browser = workspace.browser_pid().await.unwrap();
    let outcome = workspace.finish(soon()).await.remove(0);
    assert!(!std::path::Path::new(&format!("/proc/{browser}")).exists(), "the browser lives");
    assert_eq!(outcome.save_error, None);
    (outcome, answer)
}

/// `script`, which is a function, as an expression.
fn called(script: &str) -> String {
    let body = script.find("async").map_or(script, |at| &script[at..]);
    format!("({})()", body.trim_end())
}

async fn show(rig: &Rig, name: &str) -> SessionInfo {
    rig.sessions().await.unwrap().show(&Tenant::default(), &id(name)).await.unwrap()
}

/// The recorded state as if it had been written on this site, a moment ago.
fn recorded(rig: &Rig) -> String {
    let site = rig.url("");
    let mut state: Value = serde_json::from_str(&PLAYWRIGHT.replace("a\\ud800b", "LONE")).unwrap();
    let later = jiff::Timestamp::now().as_second() + 86_400;
    for cookie in state["cookies"].as_array_mut().unwrap() {
        if cookie["expires"] != json!(-1) {
            cookie["expires"] = json!(later);
        }
    }
    state.to_string().replace("LONE", "a\\ud800b").replace(RECORDED, &site)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_playwright_wrote_is_found_by_a_page_and_changes_nothing() {
    let rig = Rig::start().await;
    let imported = import(&rig, "acme", recorded(&rig).as_bytes(), false).await.unwrap();
    assert_eq!((imported.format, imported.version, imported.replaced), (Format::Playwright, Version(1), None));
    assert_eq!((imported.cookies, imported.origins, &*imported.lost), (4, 1, &[][..]));
    let (outcome, wrong) = run(&rig, "acme", "/", &called(CHECK)).await;
    assert_eq!(wrong, json!([]));
    // What the first script of the page saw, and who the server was told it is.
    let (outcome_again, cookie) = run(&rig, "acme", "/echo", "document.body.textContent").await;
    assert!(cookie.as_str().unwrap().contains("sid=336c04a4860e6a02aa390e4efafeee46"), "{cookie}");
    for outcome in [outcome, outcome_again] {
        assert!(!outcome.updated && outcome.version == Some(Version(1)), "{:?}", outcome.changes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playwright_state_of_ours_is_the_session_again() {
    let rig = Rig::start().await;
    rig.visit(&called(FILL)).await;
    let (exported, bytes) = export(&rig, Format::Playwright).await;
    assert_eq!(exported.version, Version(1));
    // The site's port is not the one that Chromium would guess of its cookies; the format has no place for it.
    let lost: Vec<_> =
        exported.lost.iter().map(|lost| (&*lost.store, lost.key.as_deref().unwrap_or("-"), &*lost.reason)).collect();
    let reason = "the format holds no source port";
    let other = "the format does not hold it";
    let beside = [("tabs", "-", other), ("identity", "-", other)];
    assert_eq!(lost, [("cookie", "strict", reason), ("cookie", "theme", reason), beside[0], beside[1]]);
    import(&rig, "copy", &bytes, false).await.unwrap();
    let (outcome, wrong) = run(&rig, "copy", "/", &called(CHECK)).await;
    assert_eq!((wrong, outcome.updated), (json!([]), false), "{:?}", outcome.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_everything_and_opens_under_another_key() {
    let mut rig = Rig::start().await;
    let more = "localStorage.setItem('large', 'x'.repeat(400000)); sessionStorage.setItem('step', '2');
        await (await caches.open('shell')).put('/cached', new Response('from the cache'));
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('notes', { create: true });
        const writer = await (await folder.getFileHandle('a.bin', { create: true })).createWritable();
        await writer.write(new Uint8Array([1, 2, 255])); await writer.close(); await new Promise(ok => {
        const r = indexedDB.open('more'); r.onupgradeneeded = () => r.result.createObjectStore('s');
        r.onsuccess = () => { const t = r.result.transaction('s', 'readwrite');
            t.objectStore('s').put({ blob: new Blob(['hello']), holes: [1, , 3] }, 'k');
            t.oncomplete = () => { r.result.close(); ok(); } } })";
    rig.visit(&format!("(async () => {{ await {}; {more} }})()", called(FILL))).await;
    let (exported, bytes) = export(&rig, Format::Bundle).await;
    assert_eq!(exported.lost, []);
    // The format says of the same session what it cannot hold.
    let mut lost = export(&rig, Format::Playwright).await.0.lost;
    lost.retain(|lost| lost.store != "cookie");
    let lost: Vec<_> = lost.iter().map(|lost| (&*lost.store, lost.key.as_deref(), &*lost.reason)).collect();
    let other = "the format does not hold it";
    assert_eq!(
        lost,
        [
            ("indexedDB:more/s", Some("k"), "the format does not hold a Blob"),
            ("cacheStorage", Some("shell"), other),
            ("fileSystem", Some("notes"), other),
            ("fileSystem", Some("notes/a.bin"), other),
            ("sessionStorage", Some("step"), other),
            ("tabs", None, other),
            ("identity", None, other),
        ]
    );

    let before = show(&rig, "acme").await;
    // Another machine: a folder and a key of its own. The site stays, since a session is of its address.
    let _first = std::mem::replace(&mut rig.home, tempfile::tempdir().unwrap());
    let imported = import(&rig, "acme", &bytes, false).await.unwrap();
    assert_eq!((imported.format, imported.origins), (Format::Bundle, 1));
    let after = show(&rig, "acme").await;
    let names = |info: &SessionInfo| json!([info.cookies, info.origins, info.partial]);
    assert_eq!(names(&before), names(&after));
    let kept_for = |info: &SessionInfo| {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        at(info.expires_at.as_deref().unwrap()) - at(&info.saved_at)
    };
    assert!((3_595..=3_605).contains(&kept_for(&after)), "{after:?}");
    let look = "(async () => { const db = await new Promise(ok => { const r = indexedDB.open('more'); r.onsuccess = () => ok(r.result); });
        const v = await new Promise(ok => { const r = db.transaction('s').objectStore('s').get('k'); r.onsuccess = () => ok(r.result); });
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('notes');
        const file = await (await folder.getFileHandle('a.bin')).getFile();
        db.close(); return [await v.blob.text(), 1 in v.holes, localStorage.large.length, sessionStorage.step,
            await (await caches.match('/cached')).text(), [...new Uint8Array(await file.arrayBuffer())]]; })()";
    let (_, wrong) = run(&rig, "acme", "/", &called(CHECK)).await;
    assert_eq!(wrong, json!([]));
    let (outcome, seen) = run(&rig, "acme", "/", look).await;
    let wanted = json!(["hello", false, 400_000, "2", "from the cache", [1, 2, 255]]);
    assert_eq!((seen, outcome.updated), (wanted, false), "{:?}", outcome.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over_unasked_or_under_a_run() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', '1')").await;
    let state = recorded(&rig);
    let refused = import(&rig, "acme", state.as_bytes(), false).await.err().unwrap();
    assert_eq!(refused.code(), "session_exists");
    assert_eq!(refused.to_string(), "there is a session acme already");
    let workspace = rig.workspace();
    workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let busy = import(&rig, "acme", state.as_bytes(), true).await.err().unwrap();
    assert_eq!(busy.code(), "session_busy");
    // Reading needs no lease.
    assert_eq!(export(&rig, Format::Cookies).await.0.version, Version(1));
    workspace.finish(soon()).await;
    let imported = import(&rig, "acme", state.as_bytes(), true).await.unwrap();
    assert_eq!((imported.replaced, imported.version), (Some(Version(1)), Version(2)));
    let info = show(&rig, "acme").await;
    assert_eq!((info.versions.len(), info.held_by, info.cookies.len()), (2, None, 4));
    // A file with a mistake is refused before anything is touched.
    let broken = state.replace("\"version\":3", "\"version\":0");
    let refused = import(&rig, "new", broken.as_bytes(), false).await.err().unwrap().to_string();
    assert!(refused.contains(": origins[0].indexedDB[0].version: a whole number from 1 was wanted"), "{refused}");
    let sessions = rig.sessions().await.unwrap();
    assert_eq!(sessions.list(&Tenant::default()).await.unwrap().sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_curl_kept_are_sent_and_those_that_chromium_refuses_are_named() {
    let rig = Rig::start().await;
    let later = jiff::Timestamp::now().as_second() + 86_400;
    let jar = format!(
        "# Netscape HTTP Cookie File\n# This file was generated by libcurl! Edit at your own risk.\n\n\
         #HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t{later}\tsid\tabc=\n127.0.0.1\tFALSE\t/\tFALSE\t0\tlang\t\n\
         127.0.0.1\tFALSE\t/\tFALSE\t0\t__Host-x\t1\n127.0.0.1\tFALSE\t/\tFALSE\t0\tbad\ta;b\n"
    );
    let imported = import(&rig, "acme", jar.as_bytes(), false).await.unwrap();
    let lost: Vec<_> = imported.lost.iter().filter_map(|lost| lost.key.as_deref()).collect();
    assert_eq!((imported.format, imported.cookies, lost), (Format::Cookies, 2, vec!["__Host-x", "bad"]));
    let (outcome, sent) = run(&rig, "acme", "/echo", "document.body.textContent").await;
    assert_eq!((sent, outcome.updated), (json!("sid=abc=; lang="), false), "{:?}", outcome.changes);
    let (jar, text) = export(&rig, Format::Cookies).await;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t{later}\tsid\tabc=\n")), "{text}");
    assert_eq!((jar.cookies, &*jar.lost), (2, &[][..]));
}
