//! What people do reaches the page as theirs.

use rhaven::live::wire::ToViewer;
use serde_json::json;

use super::stage::{Person, Stage};

/// Notes what happens to it.
const FORM: &str = "<!doctype html><title>Form</title><meta charset=utf-8>
    <body style='height:5000px;margin:0'><input id=a style='position:absolute;left:10px;top:10px;width:300px'>
    <textarea id=b style='position:absolute;left:10px;top:60px;width:300px;height:60px'></textarea>
    <input id=p type=password value=hunter22 style='position:absolute;left:10px;top:150px'>
    <a id=l href=/other style='position:absolute;left:10px;top:200px'>a link</a>
    <button id=t style='position:absolute;left:10px;top:250px;width:200px;height:60px'>touch</button>
    <script>
    window.log = []; window.moves = 0;
    for (const kind of ['paste', 'copy', 'cut']) addEventListener(kind, event => log.push(kind + ' ' + event.isTrusted + ' ' +
        (kind == 'paste' ? event.clipboardData.getData('text/plain') : '')));
    for (const kind of ['compositionstart', 'compositionend', 'touchstart', 'touchend']) addEventListener(kind, event => log.push(kind));
    addEventListener('keydown', event => log.push([event.key, event.code, event.keyCode, event.ctrlKey].join(' ')));
    addEventListener('mousemove', () => moves++);
    addEventListener('contextmenu', () => log.push('contextmenu'));
    </script>";

async fn clipboard(person: &Person) -> String {
    person
        .told(|message| match message {
            ToViewer::Clipboard { text } => Some(text.clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_composed_pasted_and_copied_reaches_the_page() {
    let stage = Stage::with(FORM).await;
    let person = stage.person();
    let (a, b, p) = (stage.middle("#a").await, stage.middle("#b").await, stage.middle("#p").await);

    person.click(a);
    let caret = person
        .told(|message| match message {
            ToViewer::Caret { at: Some(caret) } => Some(caret.clone()),
            _ => None,
        })
        .await;
    assert_eq!((caret.rect.x, caret.mode.as_str(), caret.password), (10.0, "text", false));
    person.press("H", "KeyH", 8);
    person.press("i", "KeyI", 0);
    person.press("ž", "", 0);
    person.say(json!({"type": "text", "text": " 中"}));
    stage.until("a.value == 'Hiž 中'").await;
    assert_eq!(stage.eval("log.slice(0, 2).join()").await, "H KeyH 72 false,i KeyI 73 false");

    // An input method: what is composed may change, what is committed stays.
    person.say_all([
        json!({"type": "ime", "kind": "compose", "text": "に", "start": 1, "end": 1}),
        json!({"type": "ime", "kind": "compose", "text": "にほ", "start": 2, "end": 2}),
        json!({"type": "ime", "kind": "commit", "text": "日本"}),
    ]);
    stage.until("a.value == 'Hiž 中日本' && log.includes('compositionend')").await;

    // Shortcuts, Command as Control; copying and cutting tell what was selected.
    person.press("a", "KeyA", 4);
    person.say(json!({"type": "copy"}));
    assert_eq!(clipboard(&person).await, "Hiž 中日本");
    person.say(json!({"type": "cut"}));
    assert_eq!(clipboard(&person).await, "Hiž 中日本");
    stage.until("a.value == '' && log.includes('copy true ') && log.includes('cut true ')").await;

    // What is pasted arrives as a paste, and what is typed after it stands after it.
    person.click(b);
    person.say(json!({"type": "paste", "text": "two\nlines \u{1f600}"}));
    person.press("x", "KeyX", 0);
    stage.until("b.value == 'two\\nlines \u{1f600}x'").await;
    stage.until("log.includes('paste true two\\nlines \u{1f600}')").await;
    assert_eq!(
        stage.eval("log.filter(line => line.startsWith('copy')).length").await,
        1,
        "the page heard of our copying"
    );
    person.press("z", "KeyZ", 2);
    stage.until("b.value != 'two\\nlines \u{1f600}x'").await;

    // What a password field holds is not told, and it takes what is pasted.
    person.click(p);
    person.press("a", "KeyA", 2);
    person.say(json!({"type": "copy"}));
    assert_eq!(clipboard(&person).await, "");
    person.say(json!({"type": "paste", "text": "other"}));
    stage.until("p.value == 'other'").await;
    // The keypad with Num Lock: digits and the point are written, and move nothing.
    for (key, code) in [("1", "Numpad1"), (".", "NumpadDecimal"), ("5", "Numpad5")] {
        let told = |kind| json!({"type": "key", "kind": kind, "key": key, "code": code, "location": 3});
        person.say_all([told("down"), told("up")]);
    }
    stage.until("p.value == 'other1.5'").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pointer_wheel_and_fingers_reach_the_page() {
    let stage = Stage::with(FORM).await;
    let person = stage.person();
    let cursor = async |wanted: &str| {
        person.told(|message| matches!(message, ToViewer::Cursor { cursor } if cursor == wanted).then_some(())).await;
    };
    person.mouse("move", stage.middle("#l").await);
    cursor("pointer").await;
    person.mouse("move", stage.middle("#a").await);
    cursor("text").await;

    // Moves that come all at once become few; the last one counts.
    for step in 0..300 {
        person.mouse("move", (400.0 + f64::from(step), 400.0));
    }
    person.say(json!({"type": "wheel", "x": 400, "y": 400, "dx": 0, "dy": 300}));
    person.say(json!({"type": "wheel", "x": 400, "y": 400, "dx": 0, "dy": 100}));
    stage.until("scrollY == 400").await;
    let moves = stage.eval("moves").await.as_u64().unwrap();
    assert!(moves < 300, "{moves} moves were told one by one");
    person.say(json!({"type": "wheel", "x": 400, "y": 400, "dx": 0, "dy": -5000}));
    stage.until("scrollY == 0").await;

    let (x, y) = stage.middle("#t").await;
    person.say(json!({"type": "touch", "kind": "start", "points": [{"x": x, "y": y, "id": 1}]}));
    person.say(json!({"type": "touch", "kind": "end", "points": []}));
    stage.until("log.includes('touchstart') && log.includes('touchend')").await;

    // What is dragged arrives where it is let go.
    let (from, to) = (stage.middle("#l").await, stage.middle("#b").await);
    person.mouse("move", from);
    person.mouse("down", from);
    for step in 1..=10 {
        let part = f64::from(step) / 10.0;
        let (x, y) = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
        person.say(json!({"type": "mouse", "kind": "move", "x": x, "y": y, "buttons": 1}));
        // As slowly as a person: Chromium begins a drag after some moves.
        stage.eval("new Promise(requestAnimationFrame).then(() => 1)").await;
    }
    person.mouse("up", to);
    stage.until("b.value.endsWith('/other')").await;

    // A context menu would be in no picture: the page hears of it, and it takes nothing that comes after it.
    for kind in ["down", "up"] {
        person.say(json!({"type": "mouse", "kind": kind, "x": 500, "y": 500, "button": 2, "buttons": 2, "clicks": 1}));
    }
    stage.until("log.includes('contextmenu')").await;
    person.click(stage.middle("#a").await);
    person.press("q", "KeyQ", 0);
    stage.until("a.value == 'q'").await;
    stage.end().await;
}
