//! Scripts against the practice site in real Chromium.

use rhaven::practice::{EMAIL, PASSWORD, Practice};
use rhaven::run::{Event, FailureKind};
use rhaven::session::{KeySource, StoreConfig};
use serde_json::json;

use super::rig::{Script, place, script};

async fn site() -> Practice {
    Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// A script on the site: `args.site` is its address, and it may sign in.
fn on(site: &Practice, text: &str) -> Script {
    script(text).arg("site", site.url()).arg("email", EMAIL).secret("PASSWORD", PASSWORD)
}

const SIGN_IN: &str = "session(\"acme\");
goto(args.site + \"/login\");
type(\"#email\", args.email);
fill(\"#password\", secret(\"PASSWORD\"));
click(\"button[type=submit]\");
wait_for_url(\"**/dashboard*\");
";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_signs_in_and_reads() {
    let site = site().await;
    let ran = on(&site, &format!("{SIGN_IN} [url().contains(\"dashboard\"), title() != \"\", is_visible(\"body\")]"))
        .run()
        .await;
    assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
    assert_eq!(ran.report.result, json!([true, true, true]));
    assert!(!ran.everything().contains(PASSWORD));
    let session = &ran.report.sessions[0];
    assert!(session.updated && session.version.is_some());
    let opened = ran.events.iter().filter(|event| matches!(event, Event::SessionOpened { .. })).count();
    assert_eq!(opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn free_functions_and_methods_are_the_same() {
    let site = site().await;
    let text = "let s = session(\"a\"); goto(args.site + \"/login\"); let p = s.page;
        [url() == s.url(), s.url() == p.url(), url(s) == url(), s.id, s.version, type_of(p), s.title() == title()]";
    let ran = on(&site, text).result().await;
    assert_eq!(ran, json!([true, true, true, "a", null, "Page", true]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_element_is_a_timeout_that_can_be_caught() {
    let site = site().await;
    let text = "goto(args.site + \"/login\"); let found = [];
        try { click(\"#nothing\", #{ timeout: \"300ms\" }) } catch (e) { found = [e.code, e.log.len() > 0] } found";
    assert_eq!(on(&site, text).result().await, json!(["timeout", true]));
    let text = "goto(args.site + \"/login\");\nset_default_timeout(300);\n  click(\"#nothing\");";
    let failure = on(&site, text).failure().await;
    assert_eq!((failure.code.as_str(), failure.kind), ("timeout", FailureKind::Script));
    assert_eq!(place(failure.place.as_ref()), "3:3");
    assert!(!failure.log.is_empty() && failure.hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_saved_after_a_failing_script() {
    let site = site().await;
    let ran = on(&site, &format!("{SIGN_IN} throw \"no\"")).run().await;
    assert_eq!(ran.report.failure.as_ref().unwrap().message, "no");
    assert!(ran.report.sessions[0].updated, "{:#?}", ran.report.sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn save_and_cookies_answer_what_is_there() {
    let site = site().await;
    let text = format!(
        "{SIGN_IN} wait_for(\".user-avatar\"); let s = save(); let again = save(); print(s); print(again); let names = cookies().map(|c| c.name);
         [s.version, s.updated, s.changes.len() > 0, again.updated, names.len() > 0, cookies(args.site).len() > 0]"
    );
    let ran = on(&site, &text).run().await;
    assert_eq!(ran.report.result, json!([1, true, true, false, true, true]), "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluate_takes_and_answers_json() {
    let site = site().await;
    let text = "goto(args.site + \"/login\");
        [evaluate(\"1 + 1\"), evaluate(\"(x) => ({ b: x.a, a: [1.5, null] })\", #{ a: \"ž\" }), evaluate(\"undefined\")]";
    assert_eq!(on(&site, text).result().await, json!([2, { "a": [1.5, null], "b": "ž" }, null]));
    let failure = on(&site, "goto(args.site + \"/login\"); evaluate(\"nope()\")").failure().await;
    assert_eq!(failure.code, "javascript_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn screenshots_stay_in_the_working_folder() {
    let site = site().await;
    let script = on(&site, "goto(args.site + \"/login\"); [screenshot(\"shots/a.png\"), screenshot().len() > 100]");
    let path = script.path("shots/a.png");
    let kept = path.clone();
    let script = script.on_event(move |_| drop(kept.clone()));
    assert_eq!(script.result().await, json!(["shots/a.png", true]));
    assert_eq!(on(&site, "let p = \"../a.png\"; screenshot(p)").failure().await.code, "path_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_a_waiting_verb_and_still_saves() {
    let site = site().await;
    let script = on(&site, &format!("{SIGN_IN} print(\"in\"); wait_for(\"#never\", #{{ timeout: \"10m\" }});"));
    let cancel = script.cancel.clone();
    let script = script.on_event(move |event| {
        if matches!(event, Event::Print { .. }) {
            cancel.cancel();
        }
    });
    let ran = script.run().await;
    assert_eq!(ran.report.failure.unwrap().kind, FailureKind::Interrupted);
    assert!(ran.report.sessions[0].updated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_session_names_its_holder_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let stored = |text: &str| {
        let mut script = script(text);
        script.job.workspace.store = StoreConfig::Embedded(folder.path().join("store"));
        script.job.workspace.key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        script
    };
    let (holds, mut held) = tokio::sync::mpsc::unbounded_channel();
    let first = stored("session(\"acme\"); print(\"held\"); sleep(\"10m\");").on_event(move |event| {
        if matches!(event, Event::Print { .. }) {
            holds.send(()).unwrap();
        }
    });
    let cancel = first.cancel.clone();
    let first = tokio::spawn(first.run());
    held.recv().await.unwrap();
    let failure = stored("\nsession(\"acme\");").failure().await;
    assert_eq!((failure.code.as_str(), failure.kind), ("session_busy", FailureKind::Store));
    assert!(failure.message.contains("a test"), "{}", failure.message);
    assert_eq!(place(failure.place.as_ref()), "2:1");
    let waiting = tokio::spawn(stored("session(\"acme\", #{ mode: \"wait\", timeout: \"20s\" }).id").result());
    cancel.cancel();
    assert_eq!(waiting.await.unwrap(), json!("acme"));
    assert_eq!(first.await.unwrap().report.failure.unwrap().kind, FailureKind::Interrupted);
}

/// How many children this process has that live.
fn children() -> usize {
    let status = |entry: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let (state, parent) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        (state != "Z" && parent == std::process::id().to_string()).then_some(())
    };
    std::fs::read_dir("/proc").unwrap().filter_map(status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_leaves_no_browser() {
    let site = site().await;
    let (inside, mut told) = tokio::sync::mpsc::unbounded_channel();
    let text = "goto(args.site + \"/login\"); print(\"in\"); wait_for(\"#never\");";
    let script = on(&site, text).on_event(move |event| {
        if matches!(event, Event::Print { .. }) {
            inside.send(children()).unwrap();
        }
    });
    tokio::select! {
        _ = script.run() => panic!("it ended by itself"),
        Some(count) = told.recv() => assert!(count > 0),
    }
    let gone = async {
        while children() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.expect("a browser is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_browser_is_told_with_the_way_to_get_one() {
    let mut script = script("goto(\"http://127.0.0.1:1\")");
    script.job.workspace.launch.executable = Some("/nonexistent/chromium".into());
    let failure = script.failure().await;
    assert_eq!(failure.kind, FailureKind::Usage, "{failure:#?}");
    assert!(failure.hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_calls_no_verb_needs_no_browser() {
    let mut script = script("1 + 1");
    script.job.workspace.launch.executable = Some("/nonexistent/chromium".into());
    assert_eq!(script.result().await, json!(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_copes_with_no_rows_where_the_script_says_so() {
    let site = site().await;
    let text = r#"import "std/paging" as paging;
        goto(args.site + "/login");
        paging::collect([#{ selector: ".no-such-row", optional: true, fields: #{ a: "." } }])"#;
    assert_eq!(on(&site, text).result().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_below_the_runs_folder_or_given_as_they_are() {
    let site = site().await;
    let text = "goto(args.site + \"/login\");
        evaluate(\"document.body.insertAdjacentHTML('beforeend', '<label>Files<input id=file type=file multiple></label>')\");
        let read = \"async () => (await Promise.all([...document.querySelector('#file').files].map(async f => f.name + ' ' + await f.text()))).join()\";
        screenshot(\"shot.png\"); set_input_files(\"#file\", \"shot.png\");
        let first = evaluate(\"document.querySelector('#file').files[0].type\");
        set_input_files(\"text=Files\", [#{ name: \"a.txt\", body: \"one\" }, #{ name: \"b\", base64: \"dHdv\" }, #{ name: \"c\", body: secret(\"PASSWORD\") }]);
        let out = \"\"; try { set_input_files(\"#file\", \"../x\") } catch (e) { out = e.code }
        [first, evaluate(read).len(), evaluate(read).starts_with(\"a.txt one,b two,c \"), out]";
    let ran = on(&site, text).run().await;
    let wanted = "a.txt one,b two,c ".len() + PASSWORD.len();
    assert_eq!(ran.report.result, json!(["image/png", wanted, true, "path_refused"]), "{:#?}", ran.report.failure);
    assert!(!ran.everything().contains(PASSWORD));
}
