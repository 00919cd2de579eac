//! Typing, filling, selecting, checking.

use rhaven::base::{Input, Secret};
use rhaven::page::{ActionOptions, SelectBy, TypeOptions};

use super::support::{Stage, short, soon, told};

#[tokio::test]
async fn any_text_is_typed_as_it_is() {
    let stage = Stage::with("<input id=a value='x '><textarea id=b></textarea><div id=c contenteditable>y</div>").await;
    let text = "žluťoučký 😀 中文 Aa1!{}";
    stage.type_text("#a", text).await;
    assert_eq!(stage.value("#a").await, format!("x {text}"));
    stage.type_text("#b", "one\ntwo ž\nthree").await;
    assert_eq!(stage.value("#b").await, "one\ntwo ž\nthree");
    stage.type_text("#c", text).await;
    assert_eq!(stage.text("#c").await.replace('\u{a0}', " "), format!("y{text}"));
    stage.end().await;
}

#[tokio::test]
async fn keys_are_real_keys() {
    let page = "<input id=a><script>const seen = []; for (const kind of ['keydown', 'keypress', 'keyup'])
        a.addEventListener(kind, e => seen.push(`${kind[3]}${e.key}/${e.code}/${e.keyCode}/${e.shiftKey}`))</script>";
    let stage = Stage::with(page).await;
    stage.type_text("#a", "aA").await;
    let seen = stage.eval("seen.join(' ')").await;
    assert_eq!(
        seen,
        "da/KeyA/65/false pa/KeyA/97/false ua/KeyA/65/false dA/KeyA/65/true pA/KeyA/65/true uA/KeyA/65/true"
    );
    stage.find("#a").press("Control+A", &TypeOptions::default(), soon()).await.unwrap();
    stage.find("#a").press("Backspace", &TypeOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.value("#a").await, "");
    stage.page.keyboard_press("z", &TypeOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.value("#a").await, "z");
    stage.end().await;
}

#[tokio::test]
async fn enter_submits_and_tab_moves() {
    let page = "<form onsubmit=\"event.preventDefault(); document.title = 'sent'\"><input id=a><input id=b><button>ok</button></form>";
    let stage = Stage::with(page).await;
    stage.find("#a").press("Tab", &TypeOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.eval("document.activeElement.id").await, "b");
    stage.find("#a").press("Enter", &TypeOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.eval("document.title").await, "sent");
    stage.end().await;
}

#[tokio::test]
async fn fill_is_one_input_event_on_every_kind_of_field() {
    let page = "<input id=a value=old><textarea id=b>old</textarea><div id=c contenteditable>old</div>
        <input id=d type=date><input id=e type=number value=1><input id=f type=range min=0 max=10><label>Mail <input id=g type=email></label>
        <script>let inputs = 0; addEventListener('input', () => inputs++, true)</script>";
    let stage = Stage::with(page).await;
    let check = async |selector: &str, value: &str| {
        stage.eval("inputs = 0").await;
        stage.fill(selector, value).await;
        assert_eq!(stage.eval("inputs").await, 1, "{selector}");
        let now = if selector == "#c" { stage.text("#c").await } else { stage.value(selector).await };
        assert_eq!(now, value, "{selector}");
    };
    check("#a", "žluť 😀").await;
    check("#b", "a\nb").await;
    check("#c", "new").await;
    check("#d", "2026-12-31").await;
    check("#e", "42").await;
    check("#f", "7").await;
    check("label=Mail", "a@b.example").await;
    check("#a", "").await;
    let wrong = stage.find("#d").fill(&"31.12.2026".into(), &ActionOptions::default(), short()).await.unwrap_err();
    assert_eq!(wrong.error.code(), "not_actionable");
    assert!(wrong.to_string().contains("\"2026-12-31\""), "{wrong}");
    stage.end().await;
}

#[tokio::test]
async fn signs_are_keys_in_chords_and_alone() {
    let page = "<input id=a><script>const seen = [];
        a.onkeydown = (e) => seen.push(`${e.ctrlKey ? 'Control+' : ''}${e.key} ${e.code} ${e.keyCode}`)</script>";
    let stage = Stage::with(page).await;
    for key in ["Control++", "+", "Control+ž"] {
        stage.find("#a").press(key, &TypeOptions::default(), soon()).await.unwrap();
    }
    stage.type_text("#a", "1*2").await;
    assert_eq!(stage.value("#a").await, "+1*2");
    let seen = stage.eval("seen.filter((key) => key[0] < '0' || key[0] > '9').join()").await;
    assert_eq!(
        seen,
        "Control+Control ControlLeft 17,Control++ Equal 187,+ Equal 187,Control+Control ControlLeft 17,Control+ž  0,* Digit8 56"
    );
    let wrong = stage.find("#a").press("Ctrl+A", &TypeOptions::default(), short()).await.unwrap_err();
    assert_eq!(wrong.error.code(), "invalid_argument");
    stage.end().await;
}

#[tokio::test]
async fn what_cannot_be_filled_says_so() {
    let stage = Stage::with("<input id=a type=checkbox><p id=p>x</p><input id=r readonly><select id=s></select>").await;
    let fill = async |selector: &str| {
        stage.find(selector).fill(&"x".into(), &ActionOptions::default(), short()).await.unwrap_err()
    };
    assert!(fill("#a").await.to_string().contains("use check"));
    assert_eq!(fill("#p").await.error.code(), "not_actionable");
    assert!(fill("#s").await.to_string().contains("select_option"));
    let waited = fill("#r").await;
    assert_eq!(waited.error.code(), "timeout");
    assert!(waited.to_string().contains("read-only"), "{waited}");
    stage.end().await;
}

#[tokio::test]
async fn a_secret_is_in_no_log() {
    let stage = Stage::with("<input id=a type=date><input id=b>").await;
    let secret = Input::Secret(Secret::new("PW", "hunter2hunter2".into()));
    let error = stage.find("#a").fill(&secret, &ActionOptions::default(), short()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    stage.find("#b").type_text(&secret, &TypeOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.value("#b").await, "hunter2hunter2");
    stage.end().await;
}

#[tokio::test]
async fn options_are_selected_and_waited_for() {
    let page = "<select id=s><option value=a>Alpha</option><option value=b>Beta  one</option></select>
        <select id=m multiple><option>x<option>y<option>z</select>
        <script>const seen = []; s.oninput = () => seen.push('input'); s.onchange = () => seen.push('change');
        setTimeout(() => s.add(new Option('Late', 'l')), 200)</script>";
    let stage = Stage::with(page).await;
    let select = async |selector: &str, by: &[SelectBy]| {
        stage.find(selector).select_option(by, &ActionOptions::default(), soon()).await.unwrap()
    };
    assert_eq!(select("#s", &[SelectBy::ValueOrLabel("Beta one".into())]).await, ["b"]);
    assert_eq!(stage.eval("seen.join()").await, "input,change");
    assert_eq!(select("#s", &[SelectBy::Index(0)]).await, ["a"]);
    assert_eq!(select("#s", &[SelectBy::Value("l".into())]).await, ["l"]);
    assert_eq!(select("#m", &[SelectBy::Label("x".into()), SelectBy::ValueOrLabel("z".into())]).await, ["x", "z"]);
    let by = [SelectBy::ValueOrLabel("Gamma".into())];
    let error = stage.find("#s").select_option(&by, &ActionOptions::default(), short()).await.unwrap_err();
    assert!(error.to_string().contains("no option \"Gamma\", but \"Alpha\""), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn boxes_radios_and_switches_are_checked() {
    let page = "<input id=a type=checkbox><input id=r1 type=radio name=r checked><input id=r2 type=radio name=r>
        <div id=s role=switch aria-checked=false onclick=\"this.setAttribute('aria-checked', this.getAttribute('aria-checked') === 'false')\">on</div>";
    let stage = Stage::with(page).await;
    let check =
        async |selector: &str, on: bool| stage.find(selector).set_checked(on, &ActionOptions::default(), short()).await;
    for _ in 0..2 {
        check("#a", true).await.unwrap();
        check("#r2", true).await.unwrap();
        check("#s", true).await.unwrap();
    }
    assert_eq!(stage.eval("[a.checked, r2.checked, s.ariaChecked].join()").await, "true,true,true");
    check("#a", false).await.unwrap();
    assert_eq!(stage.eval("a.checked").await, false);
    let error = check("#r2", false).await.unwrap_err();
    assert!(error.to_string().contains("cannot be unchecked"), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn a_burst_follows_the_focus() {
    // Fields that hand the focus on, as those for one-time codes do.
    let page = "<input class=d maxlength=1><input class=d maxlength=1><input class=d maxlength=1><script>
        const all = [...document.querySelectorAll('.d')]; all.forEach((d, i) => d.oninput = () => all[i + 1]?.focus())</script>";
    let stage = Stage::with(page).await;
    let typed = stage.find(".d >> nth=0").type_text(&"123".into(), &TypeOptions::default(), soon()).await;
    typed.unwrap_or_else(|error| panic!("{}", told(&error.log)));
    assert_eq!(stage.eval("all.map(d => d.value).join('-')").await, "1-2-3");
    stage.end().await;
}
