//! What Chromium would show outside of the page: dialogs, drop-downs, pickers, files, downloads.

use rhaven::live::LiveOptions;
use rhaven::live::wire::{Dialog, DialogKind, Download, DownloadState, Picker, PickerKind, ToViewer};
use serde_json::{Value, json};

use super::stage::{Person, Stage, read, soon};

const FIELDS: &str = "<!doctype html><style>input, select, iframe { display: block; margin: 10px; width: 200px; height: 24px }</style>
    <select id=s><option value=same>One<option value=same>Two<optgroup label=More><option disabled>Three<option>Four</optgroup></select>
    <input id=d type=date min=2031-01-01><input id=c type=color value=#000000><input id=m type=time step=60>
    <input id=f type=file multiple accept='.txt,image/*'><a id=w href=/download>download</a>
    <script>window.log = []; for (const kind of ['input', 'change']) addEventListener(kind, event => log.push(kind + ' ' + event.target.id));</script>";

const FRAMED: &str = "<!doctype html><body style='margin:0'><div style='height:100px'></div>
    <iframe src=OTHER/inner style='border:0;margin-left:50px;width:400px;height:200px'></iframe>
    <script>window.log = []; addEventListener('message', event => log.push(event.data))</script>";
const INNER: &str =
    "<!doctype html><body style='margin:0'><select id=s style='width:100px;height:30px;cursor:help'><option>A<option>B</select>
    <script>s.onchange = () => parent.postMessage(s.value, '*'); parent.postMessage('ready', '*')</script>";

async fn picker(person: &Person) -> Picker {
    person
        .told(|message| match message {
            ToViewer::Picker(picker) => Some(picker.clone()),
            _ => None,
        })
        .await
}

async fn dialog(person: &Person) -> Dialog {
    person
        .told(|message| match message {
            ToViewer::Dialog(dialog) => Some(dialog.clone()),
            _ => None,
        })
        .await
}

fn pick(person: &Person, picker: &Picker, value: &str) {
    person.say(json!({"type": "pick", "id": picker.id, "values": [value]}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_are_chosen_in_pickers_that_the_viewer_draws() {
    let stage = Stage::with(FIELDS).await;
    let person = stage.person();
    person.click(stage.middle("#s").await);
    let menu = picker(&person).await;
    assert_eq!((menu.kind, menu.value.as_str(), menu.rect.width), (PickerKind::Select, "same", 200.0));
    let labels: Vec<_> = menu.options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["One", "Two", "Three", "Four"]);
    assert!(menu.options[0].selected && menu.options[2].disabled && menu.options[3].group.as_deref() == Some("More"));
    pick(&person, &menu, &menu.options[1].value);
    stage.until("s.selectedIndex == 1 && log.join() == 'input s,change s'").await;
    // By the keyboard; taken back, nothing changes.
    person.press("ArrowDown", "ArrowDown", 1);
    let again = picker(&person).await;
    assert!(again.options[1].selected);
    person.say(json!({"type": "pick_cancel", "id": again.id}));
    person.told(|message| matches!(message, ToViewer::PickerClosed { id } if *id == again.id).then_some(())).await;

    // The indicator of a date stands at its end.
    let (_, y) = stage.middle("#d").await;
    let right = stage.eval("d.getBoundingClientRect().right").await.as_f64().unwrap();
    person.click((right - 10.0, y));
    let day = picker(&person).await;
    assert_eq!((day.kind, day.min.as_deref()), (PickerKind::Date, Some("2031-01-01")));
    pick(&person, &day, "2031-05-06");
    stage.until("d.value == '2031-05-06' && log.includes('change d')").await;
    person.click(stage.middle("#c").await);
    let color = picker(&person).await;
    assert_eq!((color.kind, color.value.as_str()), (PickerKind::Color, "#000000"));
    pick(&person, &color, "#ff8800");
    stage.until("c.value == '#ff8800' && log.includes('change c')").await;
    stage.eval("m.focus()").await;
    person.press("F4", "F4", 0);
    let time = picker(&person).await;
    assert_eq!(time.kind, PickerKind::Time);
    pick(&person, &time, "12:30");
    stage.until("m.value == '12:30'").await;
    assert_eq!(stage.eval("s.selectedIndex").await, 1);

    // In a frame of another site, which does not know where it is.
    stage.serve("/framed", FRAMED);
    stage.serve("/inner", INNER);
    person.say(json!({"type": "navigate", "url": stage.url("/framed")}));
    stage.until("location.pathname == '/framed' && window.log?.includes('ready')").await;
    // Chromium sends nothing there before the frame has drawn, and our script is in it before its shape of the pointer is told.
    let give_up = soon();
    for step in (0..).map(|step| f64::from(step % 2)) {
        assert!(!give_up.passed(), "the frame does not hear of the mouse");
        person.mouse("move", (80.0 + step, 115.0));
        stage.eval("new Promise(requestAnimationFrame).then(() => 1)").await;
        if person.was_told(|message| matches!(message, ToViewer::Cursor { cursor } if cursor == "help")) {
            break;
        }
    }
    person.click((80.0, 115.0));
    let inner = picker(&person).await;
    assert_eq!((inner.rect.x.round(), inner.rect.y.round()), (50.0, 100.0));
    pick(&person, &inner, "1");
    stage.until("log.includes('B')").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_in_and_downloads_come_out() {
    let stage = Stage::with(FIELDS).await;
    let person = stage.person();
    person.click(stage.middle("#f").await);
    let wanted = picker(&person).await;
    assert_eq!((wanted.kind, wanted.multiple), (PickerKind::File, true));
    assert_eq!(wanted.accept.as_deref(), Some(".txt,image/*"));
    let file = |name: &str, content: &str| json!({"name": name, "type": "text/plain", "content": content});
    let files = [file("../a.txt", "aGVsbG8="), file("a.txt", "d29ybGQ=")];
    person.say(json!({"type": "files", "id": wanted.id, "files": files}));
    stage.until("f.files.length == 2 && log.includes('change f')").await;
    let names_and_texts = "async () => [f.files[0].name, await f.files[0].text(), await f.files[1].text()].join()";
    assert_eq!(stage.eval(names_and_texts).await, "a.txt,hello,world");

    person.click(stage.middle("#w").await);
    let mut states = Vec::new();
    let done = person
        .told(|message| match message {
            ToViewer::Download(download) => {
                states.push(download.state);
                (download.state == DownloadState::Completed).then(|| download.clone())
            }
            _ => None,
        })
        .await;
    let Download { id, name, received, .. } = done;
    assert_eq!((name.as_str(), received), ("a b.txt", 19));
    let downloaded = stage.live.downloaded(&id).unwrap();
    assert_eq!((downloaded.name.as_str(), read(downloaded.path).as_str()), ("a b.txt", "what was downloaded"));
    assert_eq!(stage.live.downloaded("another"), None);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_over_makes_room_once_its_page_has_gone() {
    // The download has as many; each has room for itself.
    let options = LiveOptions { most_upload_bytes: 19, most_download_bytes: 19, ..LiveOptions::default() };
    let stage = Stage::with_options(FIELDS, options).await;
    let person = stage.person();
    let give = async |content: &str| {
        person.click(stage.middle("#f").await);
        let wanted = picker(&person).await;
        let files = [json!({"name": "a.txt", "type": "text/plain", "content": content})];
        person.say(json!({"type": "files", "id": wanted.id, "files": files}));
        wanted.id
    };
    let refused = async || {
        person
            .told(|message| match message {
                ToViewer::Error { code, picker, .. } => Some((code.clone(), *picker)),
                _ => None,
            })
            .await
    };
    let held = || std::fs::read_dir(stage.live.folder().join("uploads")).unwrap().count();
    // What comes to nothing does not count.
    let id = give("not base 64 at all!!").await;
    assert_eq!((refused().await, held()), (("not_understood".to_owned(), Some(id)), 0));
    give("MDEyMzQ1Njc4OTAx").await;
    stage.until("f.files.length == 1 && f.files[0].size == 12").await;
    let id = give("aGVsbG8gd29ybGQ=").await;
    assert_eq!((refused().await, held()), (("too_large".to_owned(), Some(id)), 1));
    person.say(json!({"type": "pick_cancel", "id": id}));

    person.click(stage.middle("#w").await);
    let ended = person.told(|message| match message {
        ToViewer::Download(Download { state: how @ (DownloadState::Completed | DownloadState::Canceled), .. }) => {
            Some(*how)
        }
        _ => None,
    });
    assert_eq!(ended.await, DownloadState::Completed);
    stage.serve("/again", FIELDS);
    person.say(json!({"type": "navigate", "url": stage.url("/again")}));
    stage.until("location.pathname == '/again' && document.readyState == 'complete'").await;
    give("aGVsbG8gd29ybGQ=").await;
    stage.until("f.files.length == 1 && f.files[0].size == 11").await;
    assert_eq!(held(), 1, "the other has gone");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialogs_wait_for_who_is_in_control_and_for_nobody_else() {
    let ask = "<!doctype html><script>window.log = [];
        window.ask = () => setTimeout(() => { log.push(confirm('sure?')); log.push(prompt('who?', 'me')); alert('told'); log.push('over') })</script>";
    let stage = Stage::with(ask).await;
    // Nobody looks: as scripts have it.
    stage.eval("ask()").await;
    stage.until("log.join() == 'false,,over'").await;

    let person = stage.person();
    person.told(|message| matches!(message, ToViewer::Control { yours: true, .. }).then_some(())).await;
    let answer = |dialog: &Dialog, accept: bool, text: Value| {
        person.say(json!({"type": "dialog_answer", "id": dialog.id, "accept": accept, "text": text}));
    };
    stage.eval("log.length = 0; ask()").await;
    let sure = dialog(&person).await;
    assert_eq!((sure.kind, sure.message.as_str()), (DialogKind::Confirm, "sure?"));
    // Who comes while it is open sees it too.
    let other = stage.person();
    assert_eq!(dialog(&other).await, sure);
    answer(&sure, true, Value::Null);
    let who = dialog(&person).await;
    assert_eq!((who.kind, who.default.as_deref()), (DialogKind::Prompt, Some("me")));
    answer(&who, true, json!("you"));
    let told = dialog(&person).await;
    answer(&told, false, Value::Null);
    person.told(|message| matches!(message, ToViewer::DialogClosed { id } if *id == told.id).then_some(())).await;
    stage.until("log.join() == 'true,you,over'").await;
    drop((person, other));
    stage.end().await;
}

const BY_SCRIPT: &str = "<!doctype html><style>* { position: absolute; left: 10px; width: 200px; height: 30px; margin: 0 }
        #o { top: 10px } #m { top: 60px } #s { top: 110px } #c { top: 160px } #l { top: 210px } datalist { display: none }</style>
    <button id=o onclick='d.showPicker()'>a day</button><button id=m onclick='s.showPicker()'>a menu</button>
    <select id=s><option>One<option>Two</select><button id=c onclick=\"navigator.clipboard.writeText('by a button')\">copy</button>
    <input id=l list=q><datalist id=q><option>Apple<option value=Pear label='A pear'></datalist>
    <input id=d type=date style='opacity:0;top:300px'>
    <script>window.log = []; for (const kind of ['input', 'change']) addEventListener(kind, event => log.push(kind + ' ' + event.target.id));
        window.asIs = String(HTMLInputElement.prototype.showPicker) + (() => { try { d.showPicker(); } catch (error) { return error.name; } })();</script>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_opens_or_copies_by_script_reaches_the_viewer() {
    let stage = Stage::with(BY_SCRIPT).await;
    let person = stage.person();
    // To the page it is Chromium's own: it refuses without a person's gesture.
    assert_eq!(stage.eval("asIs").await, "function () { [native code] }NotAllowedError");
    // A page may say what it likes: where nobody has pressed anything, nothing was copied.
    stage.eval("dispatchEvent(new CustomEvent('rhaven-copied', { detail: 'by nobody' }))").await;
    person.click(stage.middle("#o").await);
    let day = person.told(|message| match message {
        ToViewer::Clipboard { text } => panic!("{text:?} was copied"),
        ToViewer::Picker(told) => Some(told.clone()),
        _ => None,
    });
    let day = day.await;
    assert_eq!((day.kind, day.rect.y), (PickerKind::Date, 300.0));
    pick(&person, &day, "2031-05-06");
    stage.until("d.value == '2031-05-06' && log.join() == 'input d,change d'").await;
    person.click(stage.middle("#m").await);
    let menu = picker(&person).await;
    pick(&person, &menu, &menu.options[1].value);
    stage.until("s.value == 'Two'").await;

    person.click(stage.middle("#c").await);
    let copied = person.told(|message| match message {
        ToViewer::Clipboard { text } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(copied.await, "by a button");

    // What a field offers.
    person.click(stage.middle("#l").await);
    stage.until("document.activeElement === l").await;
    person.press("ArrowDown", "ArrowDown", 0);
    let offered = picker(&person).await;
    let labels: Vec<_> = offered.options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!((offered.kind, labels), (PickerKind::Select, vec!["Apple", "A pear"]));
    pick(&person, &offered, &offered.options[1].value);
    stage.until("l.value == 'Pear' && log.includes('change l')").await;
    stage.end().await;
}
