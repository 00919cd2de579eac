//! What keeps people from using the pages, looked for by axe-core: the live page and the dashboard in a real browser, at three widths,
//! with their dialogs, menus and pickers open.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use super::onlooker::{Onlooker, Pages, Window, soon, until};
use super::rig::Rig;

/// What `.ci/install axe` installs.
const VERSION: &str = "4.14.1";

/// A phone, a tablet, a desk; bright and dark.
const WIDTHS: [(u32, &str); 3] = [(360, "dark"), (800, "light"), (1400, "dark")];

const FORM: &str = "<!doctype html><title>Form</title><style>* { position: absolute; left: 10px; width: 200px; height: 30px; margin: 0 }
        #s { top: 60px } #b { top: 110px } #d { top: 160px }</style>
    <select id=s><optgroup label=Some><option>One<option disabled>Two</optgroup><option>Three</select><button id=b>ask</button><input type=date id=d>
    <script>b.onclick = () => prompt('Your name?', 'Ada')</script>";
const SIZE: (f64, f64) = (1280.0, 720.0);

fn source() -> String {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let folder = cache.unwrap_or_else(home).join(format!("rhaven-tests/axe-core-{VERSION}"));
    let file = folder.join("node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("axe-core {VERSION} is missing ({error}), it comes with: .ci/install axe"))
}

/// Asks axe about the page as it stands; what it finds is told with where it was.
async fn look(window: &Window, axe: &str, place: &str) {
    // Past the policy of the page, which allows no script but its own.
    window.ask("Runtime.evaluate", json!({ "expression": format!("window.axe ?? (() => {{ {axe} }})(); 1") })).await;
    let run = "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(fault => fault.id + ': ' +
        fault.nodes.map(node => node.target + ' ' + node.failureSummary).join('; ')))";
    let found = window.eval(run).await;
    assert_eq!(found, json!([]), "{place}");
    let fits = window.eval("document.documentElement.scrollWidth <= innerWidth").await;
    assert_eq!(fits, json!(true), "{place}: nothing is wider than the window");
}

async fn shows(window: &Window, expression: &str) {
    until(&window.page.main_frame(), expression).await;
}

/// Presses what says that.
async fn press(window: &Window, words: &str) {
    let press = "words => [...document.querySelectorAll('a, button, summary')].find(one => one.offsetParent && \
        (one.textContent.trim() === words || one.getAttribute('aria-label') === words)).click()";
    window
        .page
        .main_frame()
        .evaluate(press, Some(&json!(words)), soon())
        .await
        .unwrap_or_else(|error| panic!("{words}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_page_keeps_nobody_out() {
    let (rig, pages, person) = tokio::join!(Rig::start(), Pages::start(), Onlooker::start());
    let (form, axe) = (pages.serve("/form", FORM), source());
    let live = rig.post("/v0/vm", &json!({ "start_url": form })).await.json();
    let window = person.open(live["embed_url"].as_str().unwrap()).await;
    for (width, scheme) in WIDTHS {
        window.size(width, scheme).await;
        window.sees("document.title.startsWith('Form') && document.getElementById('screen').width > 1").await;
        look(&window, &axe, &format!("the page, {width} wide")).await;
        window.click("#menu").await;
        look(&window, &axe, &format!("the menu, {width} wide")).await;
        press(&window, "Keyboard help").await;
        shows(&window, "document.getElementById('help').open").await;
        look(&window, &axe, &format!("the help, {width} wide")).await;
        press(&window, "Close").await;
        window.click_at((110.0, 75.0), SIZE).await;
        shows(&window, "document.querySelector('#picker-layer [role=listbox]')").await;
        look(&window, &axe, &format!("a drop-down, {width} wide")).await;
        window.press(&["Escape"]).await;
        shows(&window, "document.getElementById('picker-layer').hidden").await;
        window.click_at((195.0, 175.0), SIZE).await;
        shows(&window, "document.querySelector('#picker-layer input[type=date]')").await;
        look(&window, &axe, &format!("a date, {width} wide")).await;
        press(&window, "Cancel").await;
        shows(&window, "document.getElementById('picker-layer').hidden").await;
        window.click_at((110.0, 125.0), SIZE).await;
        shows(&window, "document.querySelector('#dialog[open] input')").await;
        look(&window, &axe, &format!("a dialog, {width} wide")).await;
        press(&window, "Cancel").await;
        shows(&window, "!document.getElementById('dialog').open").await;
    }
    rig.ask(Method::DELETE, &format!("/v0/vm/{}", live["session_id"].as_str().unwrap()), None).await;
    window.sees("document.body.innerText.includes('This browser was closed')").await;
    look(&window, &axe, "after its end").await;
    drop(window);
    person.end().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_keeps_nobody_out() {
    let (rig, pages, person) = tokio::join!(Rig::start(), Pages::start(), Onlooker::start());
    let (site, axe) = (pages.serve("/", "<script>localStorage.kept = 1</script>"), source());
    let live = rig.post("/v0/vm", &json!({})).await.json();
    let script = format!("step(\"one\", || goto({site:?})); 42");
    let script = json!({ "script": script, "session": { "id": "shop" } });
    let job = rig.post("/v1/jobs", &json!({ "kind": "run", "input": script })).await;
    assert_eq!(job.status, 202, "{}", job.text);
    let window = person.open(&format!("http://{}/", rig.address)).await;
    shows(&window, "document.getElementById('token')").await;
    for (width, scheme) in WIDTHS {
        window.size(width, scheme).await;
        look(&window, &axe, &format!("signing in, {width} wide")).await;
        window.eval(&format!("document.getElementById('token').value = {}, 1", json!(rig.token))).await;
        press(&window, "Sign in").await;
        shows(&window, "!document.getElementById('nav').hidden").await;
        for (section, shown) in [
            ("Live browsers", "main.innerText.includes('Running')"),
            ("Sessions", "[...main.querySelectorAll('a')].some(link => link.textContent === 'shop')"),
            ("shop", "main.querySelector('h2')?.textContent === 'shop'"),
            ("Jobs", "main.innerText.includes('completed')"),
            ("Run a script", "main.querySelector('textarea')"),
        ] {
            press(&window, section).await;
            // Lists are as they were when they were asked for.
            until_shown(&window, section, &shown.replace("main", "document.getElementById('main')")).await;
            look(&window, &axe, &format!("{section}, {width} wide")).await;
        }
        press(&window, "Live browsers").await;
        shows(&window, "document.getElementById('main').innerText.includes('Start one')").await;
        press(&window, "Start one").await;
        shows(&window, "document.getElementById('ask').open").await;
        look(&window, &axe, &format!("what is asked, {width} wide")).await;
        window.press(&["Escape"]).await;
        shows(&window, "!document.getElementById('ask').open").await;
        press(&window, "Sign out").await;
        shows(&window, "document.getElementById('token')").await;
    }
    rig.ask(Method::DELETE, &format!("/v0/vm/{}", live["session_id"].as_str().unwrap()), None).await;
    drop(window);
    person.end().await;
    rig.stop().await;
}

/// Waits until a section shows that; one whose list was asked for too early is asked for again.
async fn until_shown(window: &Window, section: &str, expression: &str) {
    let give_up = soon();
    loop {
        let settled = "!document.getElementById('main').innerText.includes('One moment')";
        shows(window, settled).await;
        if window.eval(&format!("Boolean({expression})")).await == Value::Bool(true) {
            return;
        }
        assert!(!give_up.passed(), "{section}: {expression}: {}", window.eval("document.body.innerText").await);
        window.eval("dispatchEvent(new HashChangeEvent('hashchange')), new Promise(done => setTimeout(done, 50)).then(() => 1)").await;
    }
}
