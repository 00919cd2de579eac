//! A real browser shows a live browser in a frame of another site's page: all that a person does there reaches the remote page.

use reqwest::Method;
use serde_json::{Value, json};

use super::onlooker::{Onlooker, Pages, Remote, Way, Window, soon, until};
use super::rig::Rig;

/// The remote viewport.
const SIZE: (f64, f64) = (800.0, 600.0);

/// Where the fields of the remote page are.
const NAME: (f64, f64) = (110.0, 25.0);
const CHOICE: (f64, f64) = (110.0, 75.0);
const ASK: (f64, f64) = (110.0, 125.0);
const NOTES: (f64, f64) = (110.0, 200.0);

/// The remote page: says what it was told.
const FORM: &str = "<!doctype html><meta charset=utf-8><title>Form</title>
    <style>* { position: absolute; left: 10px; width: 200px; height: 30px; margin: 0 } html, body { left: 0; width: 100%; height: 3000px }
        #s { top: 60px } #b { top: 110px } #t { top: 160px; height: 80px } #i { top: 10px }</style>
    <input id=i><select id=s><option>One<option>Two<option>Three</select><button id=b>ask</button><textarea id=t></textarea>
    <script>window.log = [];
        s.onchange = event => log.push('chose ' + s.value + ' ' + navigator.userActivation.isActive);
        b.onclick = () => log.push('answered ' + prompt('Your name?', 'Ada'));
        addEventListener('paste', event => log.push('pasted ' + event.clipboardData.getData('text/plain')));
        for (const kind of ['compositionstart', 'compositionend']) addEventListener(kind, event => log.push(kind + ' ' + event.data));
    </script>";

/// A page of somebody's who has read about `/embed.js`.
fn host(rig: &Rig) -> String {
    let page = "<!doctype html><title>Host</title><body style='margin:0'><div id=here style='width:880px;height:720px'></div>
        <script type=module>import { Hyperbeam } from 'SERVER/embed.js';
        window.log = []; window.states = [];
        window.begin = async (url, options = {}) => { window.hb = await Hyperbeam(here, url, { ...options,
            onDisconnect: event => log.push('gone ' + event.type), onConnectionStateChange: ({ state }) => states.push(state) }); return true; };
        window.ready = true;</script>";
    page.replace("SERVER", &format!("http://{}", rig.address))
}

async fn made(rig: &Rig, body: &Value) -> Value {
    let answered = rig.post("/v0/vm", body).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    answered.json()
}

async fn end(rig: &Rig, live: &Value) {
    let path = format!("/v0/vm/{}", live["session_id"].as_str().unwrap());
    assert_eq!(rig.ask(Method::DELETE, &path, None).await.status, 200);
}

/// Opens the host's page and begins there; the picture is drawn.
async fn begun(person: &Onlooker, host: &str, url: &Value, options: &Value) -> Window {
    let window = person.open(host).await;
    until(&window.page.main_frame(), "window.ready").await;
    assert_eq!(window.eval(&format!("begin({url}, {options})")).await, json!(true));
    window.sees("document.getElementById('screen').width > 1 && !document.getElementById('cover').className").await;
    window
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_a_frame_of_another_site_reaches_the_remote_page() {
    let (rig, pages, person) = tokio::join!(Rig::start(), Pages::start(), Onlooker::start());
    let (form, host) = (pages.serve("/form", FORM), pages.serve("/host", &host(&rig)));
    let second = pages.serve("/second", "<!doctype html><title>Second</title><p>second");
    let live = made(&rig, &json!({ "start_url": form, "width": 800, "height": 600 })).await;
    let mut remote = Remote::of(live["cdp_url"].as_str().unwrap()).await;
    let window = begun(&person, &host, &live["embed_url"], &json!({})).await;
    remote.until("window.log?.length === 0 && document.readyState === 'complete'").await;

    // Keys, and what comes without one: an input method, an emoji panel.
    window.click_at(NAME, SIZE).await;
    remote.until("document.activeElement === i").await;
    window.types("Hej 7").await;
    remote.until("i.value === 'Hej 7'").await;
    window.ask("Input.imeSetComposition", json!({ "text": "に", "selectionStart": 1, "selectionEnd": 1 })).await;
    window.ask("Input.insertText", json!({ "text": "日本" })).await;
    window.ask("Input.insertText", json!({ "text": "\u{1f600}" })).await;
    remote.until("i.value === 'Hej 7日本\u{1f600}' && log.includes('compositionend 日本')").await;

    // A drop-down, drawn by the live page.
    window.click_at(CHOICE, SIZE).await;
    window.sees("document.querySelectorAll('#picker-layer [role=option]').length === 3").await;
    window.click("text=Three").await;
    remote.until("s.value === 'Three' && log.includes('chose Three true')").await;

    // A dialog.
    window.click_at(ASK, SIZE).await;
    window.sees("document.querySelector('#dialog[open] input')?.value === 'Ada'").await;
    window.types("Grace").await;
    window.click("#dialog button[type=submit]").await;
    remote.until("log.includes('answered Grace')").await;

    // The clipboard, both ways.
    let copy = "(() => { const put = event => { event.clipboardData.setData('text/plain', 'two\\nlines'); event.preventDefault(); };
        addEventListener('copy', put, { once: true }); return document.execCommand('copy'); })()";
    window.ask("Runtime.evaluate", json!({ "expression": copy, "userGesture": true })).await;
    window.click_at(NOTES, SIZE).await;
    remote.until("document.activeElement === t").await;
    shortcut(&window, "v", "paste").await;
    remote.until("t.value === 'two\\nlines' && log.includes('pasted two\\nlines')").await;
    remote.until("(t.setSelectionRange(0, 3), true)").await;
    shortcut(&window, "c", "copy").await;
    window.sees("await navigator.clipboard.readText() === 'two'").await;

    // The wheel.
    let at = json!({ "type": "mouseWheel", "x": 450, "y": 500, "deltaX": 0, "deltaY": 240 });
    window.ask("Input.dispatchMouseEvent", at).await;
    remote.until("scrollY > 100").await;

    // A second tab, and back.
    window.click("#tab-new").await;
    window.sees("document.querySelectorAll('#tab-list li').length === 2").await;
    window.click("#address").await;
    window.ask("Input.insertText", json!({ "text": second })).await;
    window.press(&["Enter"]).await;
    remote.until("document.title === 'Second'").await;
    window.sees("document.title.startsWith('Second')").await;
    until(&window.page.main_frame(), "(await hb.tabs.query({})).map(tab => tab.title).join() === 'Form,Second'").await;
    window.click("#tab-list .tab >> nth=0").await;
    window.sees("document.title.startsWith('Form')").await;

    end(&rig, &live).await;
    until(&window.page.main_frame(), "log.includes('gone request')").await;
    window.sees("document.body.innerText.includes('This browser was closed')").await;
    drop(window);
    person.end().await;
    rig.stop().await;
}

/// Presses Control and a letter, and does what a browser with a window would do then.
async fn shortcut(window: &Window, letter: &str, command: &str) {
    let key = letter.to_uppercase();
    let down = json!({ "type": "rawKeyDown", "key": letter, "code": format!("Key{key}"), "modifiers": 2, "commands": [command],
        "windowsVirtualKeyCode": key.as_bytes()[0] });
    window.ask("Input.dispatchKeyEvent", down).await;
    window
        .ask(
            "Input.dispatchKeyEvent",
            json!({ "type": "keyUp", "key": letter, "code": format!("Key{key}"), "modifiers": 2 }),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_one_is_in_control_and_a_cut_link_comes_back() {
    let (rig, pages, person) = tokio::join!(Rig::start(), Pages::start(), Onlooker::start());
    let (form, host) = (pages.serve("/form", FORM), pages.serve("/host", &host(&rig)));
    let live = made(&rig, &json!({ "start_url": form, "width": 800, "height": 600 })).await;
    let mut remote = Remote::of(live["cdp_url"].as_str().unwrap()).await;
    // The first one's way to the server can be cut.
    let way = Way::to(rig.address).await;
    let by_way = live["embed_url"].as_str().unwrap().replace(&rig.address.to_string(), &way.address.to_string());
    let first = begun(&person, &host, &json!(by_way), &json!({})).await;
    until(&first.page.main_frame(), "hb.userId === '1'").await;
    first.sees("document.body.classList.contains('steering')").await;
    let second = begun(&person, &host, &live["embed_url"], &json!({})).await;
    let looker = begun(&person, &host, &live["view_url"], &json!({})).await;

    // Who is not in control does nothing, and may take it; who only looks on may not.
    second.click_at(NAME, SIZE).await;
    second.sees("document.querySelector('#toasts')?.innerText.includes('You are not in control')").await;
    looker.click_at(NAME, SIZE).await;
    looker.sees("document.querySelector('#toasts')?.innerText.includes('but not use it')").await;
    assert_eq!(
        looker.eval("hb.tabs.reload().then(() => 'done', error => error.message)").await,
        "this link allows watching only"
    );
    remote.until("document.activeElement === document.body && document.readyState === 'complete'").await;
    second.click("#toasts >> text=Take control").await;
    second.sees("document.body.classList.contains('steering')").await;
    first.sees("!document.body.classList.contains('steering')").await;
    second.click_at(NAME, SIZE).await;
    second.types("two").await;
    remote.until("i.value === 'two'").await;
    // All see the same picture: nobody is left behind by another.
    let drawn = "(pen => pen.getImageData(0, 0, pen.canvas.width, pen.canvas.height).data.some(value => value < 128))(document.getElementById('screen').getContext('2d'))";
    for window in [&first, &second, &looker] {
        window.sees(drawn).await;
    }

    // Cut: the first comes back by itself, as somebody else to the server, and steers again.
    way.cut();
    until(
        &first.page.main_frame(),
        "states.includes('reconnecting') && states.at(-1) === 'playing' && hb.userId !== '1'",
    )
    .await;
    first.sees("!document.getElementById('cover').className").await;
    first.click_at(NAME, SIZE).await;
    first.click("#toasts >> text=Take control").await;
    first.sees("document.body.classList.contains('steering')").await;
    first.click_at(NAME, SIZE).await;
    first.press(&["End"]).await;
    first.types("one").await;
    remote.until("i.value === 'twoone'").await;
    // A reload of the frame does not need the address again.
    first.eval("here.querySelector('iframe').contentWindow.postMessage({}, '*'), 1").await;
    let live_page = first.live().await;
    live_page.evaluate("location.reload(), 1", None, soon()).await.unwrap();
    until(&first.page.main_frame(), "states.at(-1) === 'playing' && hb.userId !== '' && Number(hb.userId) > 4").await;

    end(&rig, &live).await;
    for window in [&first, &second, &looker] {
        until(&window.page.main_frame(), "log.includes('gone request')").await;
    }
    drop((first, second, looker));
    person.end().await;
    rig.stop().await;
}
