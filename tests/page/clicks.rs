//! Clicks land on their element or say why not.

use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::page::{ActionOptions, ClickOptions, PageError};

use super::support::{Stage, short, soon, told};

/// For frames: the same, written in the page above.
const IN: &str = "<style>body { margin: 0 } button { width: 100px; height: 50px }</style>
    <script>const out = text => { parent.document.querySelector('#out').textContent += text }</script>";

const OUT: &str = "<p id=out style='position:fixed;right:0;bottom:0;margin:0;pointer-events:none'></p><script>const out = text => { document.querySelector('#out').textContent += text }</script>";

#[tokio::test]
async fn a_click_reaches_its_button() {
    let stage =
        Stage::with(&format!("{OUT}<button id=go onclick=\"out('clicked ' + event.isTrusted)\">Go</button>")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "clicked true");
    stage.end().await;
}

#[tokio::test]
async fn a_late_element_is_waited_for() {
    let page =
        "<script>setTimeout(() => { const b = document.createElement('button'); b.id = 'go'; b.textContent = 'Go';
        b.onclick = () => out('clicked'); document.body.append(b) }, 300)</script>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "clicked");
    stage.end().await;
}

#[tokio::test]
async fn a_moving_element_is_waited_for() {
    let page = "<style>@keyframes go { from { left: 0 } to { left: 400px } }
        #go { position: absolute; animation: go 600ms linear forwards }</style>
        <button id=go onclick=\"out('at ' + Math.round(this.getBoundingClientRect().left))\">Go</button>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "at 400");
    stage.end().await;
}

#[tokio::test]
async fn a_covered_element_is_waited_for_and_the_cover_is_named() {
    let page = "<button id=go onclick=\"out('clicked')\">Go</button>
        <div class=overlay style='position:fixed;inset:0;background:#0008'>Wait</div>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    let error = stage.click_fails("#go").await;
    assert_eq!(error.error.code(), "timeout");
    assert!(error.to_string().contains("covered by <div class=\"overlay\">Wait</div>"), "{error}");
    assert!(told(&error.log).contains("matched <button id=\"go\""), "{}", told(&error.log));
    stage.eval("setTimeout(() => document.querySelector('.overlay').remove(), 200)").await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "clicked");
    stage.end().await;
}

#[tokio::test]
async fn a_disabled_element_is_waited_for() {
    for state in ["disabled", "aria-disabled=true"] {
        let stage =
            Stage::with(&format!("{OUT}<button id=go {state} onclick=\"out('clicked')\"><span>Go</span></button>"))
                .await;
        let error = stage.click_fails("text=Go").await;
        assert_eq!(error.to_string(), "timeout of 400 ms while waiting for \"text=Go\" to be enabled");
        stage.eval("setTimeout(() => { go.disabled = false; go.removeAttribute('aria-disabled') }, 200)").await;
        stage.click("text=Go").await;
        assert_eq!(stage.out().await, "clicked");
        stage.end().await;
    }
}

#[tokio::test]
async fn a_replaced_element_is_resolved_again() {
    // As soon as the pointer comes near, the button is replaced by a twin.
    let page = "<div id=box><button class=go onclick=\"out('old')\">Go</button></div><script>
        let left = 5; box.addEventListener('mousemove', () => { if (left-- > 0)
        box.innerHTML = '<button class=go onclick=\"out(`new`)\">Go</button>' }, true)</script>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click(".go").await;
    assert_eq!(stage.out().await, "new");
    stage.end().await;
}

#[tokio::test]
async fn a_shifting_layout_cannot_move_the_click_elsewhere() {
    // At the press, before anybody hears of it, another button slips under the pointer.
    let page = "<style>button { position: absolute; left: 0; width: 100px; height: 40px }</style>
        <button id=pay style='top:80px' onclick=\"out('pay')\">Pay</button>
        <button id=go style='top:200px' onclick=\"out('go')\">Go</button><script>
        let once = true;
        const real = go.getBoundingClientRect.bind(go);
        addEventListener('pointermove', () => { if (once) requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
          if (!once) return; once = false; pay.style.top = '200px'; go.style.top = '80px' }, 1))) })</script>";
    for _ in 0..3 {
        let stage = Stage::with(&format!("{OUT}{page}")).await;
        stage.click("#go").await;
        assert_eq!(stage.out().await, "go");
        stage.end().await;
    }
}

#[tokio::test]
async fn a_press_that_would_miss_is_held_back_and_repeated() {
    // The hit test of the page is blind for the thief (it is in the way for events only from the press on).
    let page = "<style>button { position: absolute; left: 0; top: 80px; width: 100px; height: 40px }</style>
        <button id=go onclick=\"out('go')\">Go</button><script>
        const thief = document.createElement('button'); thief.textContent = 'Thief'; let shown = 0;
        for (const kind of ['pointerdown', 'mousedown', 'mouseup', 'click']) thief.addEventListener(kind, () => out('thief ' + kind));
        addEventListener('pointermove', () => { if (shown++ === 0) setTimeout(function wait() {
          document.body.append(thief); setTimeout(() => thief.remove(), 400) }, 17) })</script>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "go");
    stage.end().await;
}

#[tokio::test]
async fn an_element_that_moves_under_the_press_is_clicked_again() {
    let page = "<style>button { position: absolute; left: 0; width: 100px; height: 40px }</style>
        <button id=go style='top:80px' onclick=\"out('go')\">Go</button>
        <button id=pay style='top:280px' onmouseup=\"out('pay up')\" onclick=\"out('pay')\">Pay</button><script>
        let once = true;
        go.addEventListener('mousedown', () => { if (once) { once = false; pay.style.top = '80px'; go.style.top = '280px' } })</script>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "go");
    stage.end().await;
}

#[tokio::test]
async fn what_its_own_press_opens_does_not_repeat_a_click() {
    let page = "<div id=go onmousedown=\"out('open '); menu.style.display = 'block'\">Open</div>
        <div id=menu style='display:none;position:fixed;inset:0;background:#eee'>Menu</div>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "open ");
    stage.end().await;
}

#[tokio::test]
async fn two_matches_are_an_error_that_tells_them_apart() {
    let stage = Stage::with(
        "<button>Save</button><button id=b data-x=1>Save</button><form><button class=c>Save</button></form>",
    )
    .await;
    let error = stage.click_fails("button").await;
    assert_eq!(error.to_string(), "button matches 3 elements, one was wanted");
    let PageError::StrictViolation { matches, .. } = &error.error else { panic!("{error}") };
    for (selector, _) in matches {
        assert_eq!(stage.find(selector).count(soon()).await.unwrap(), 1, "{selector}");
    }
    assert_eq!(matches[1].0, "#b");
    assert_eq!(matches[1].1, "<button id=\"b\" data-x=\"1\">Save</button>");
    stage.end().await;
}

#[tokio::test]
async fn nothing_found_names_what_is_near() {
    let stage = Stage::with("<button id=submit>Send</button><a href=#>Other</a>").await;
    let error = stage.click_fails("#submitt").await;
    assert_eq!(error.to_string(), "timeout of 400 ms while waiting for an element that matches \"#submitt\"");
    assert_eq!(error.closest[0], ("#submit".to_owned(), "<button id=\"submit\">Send</button>".to_owned()));
    let error = stage.click_fails("text=Sned").await;
    assert!(error.closest.len() <= 5);
    let error = stage.click_fails("text=Sendt").await;
    assert_eq!(error.closest[0].0, "#submit");
    stage.end().await;
}

#[tokio::test]
async fn a_far_element_and_one_under_a_fixed_bar_are_scrolled_to() {
    let page = "<div style='position:fixed;top:0;left:0;right:0;height:55%;background:#eee;z-index:1'>Bar</div>
        <div style='height:3000px'></div><button id=go onclick=\"out('go')\">Go</button><div style='height:3000px'></div>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "go");
    stage.end().await;
}

#[tokio::test]
async fn a_label_click_reaches_its_input() {
    let page = "<label for=a>Accept</label><input id=a type=checkbox>
        <label>News <input id=b type=checkbox style='opacity:0;position:absolute'><span style='padding:9px;background:#ccc'>x</span></label>";
    let stage = Stage::with(page).await;
    stage.click("label=Accept").await;
    assert_eq!(stage.eval("a.checked").await, true);
    stage.click("label:has-text(\"Accept\")").await;
    assert_eq!(stage.eval("a.checked").await, false);
    stage.find("#b").set_checked(true, &ActionOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.eval("b.checked").await, true);
    stage.end().await;
}

#[tokio::test]
async fn buttons_modifiers_positions_and_double_clicks_arrive() {
    let page = "<div id=go style='width:200px;height:100px;border:5px solid' ondblclick=\"out('double ')\"
        onclick=\"out(`${event.button} ${event.shiftKey} ${event.offsetX},${event.offsetY} ${event.detail};`)\"
        oncontextmenu=\"out('menu;'); return false\"></div>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    let go = stage.find("#go");
    let options =
        ClickOptions { modifiers: vec!["Shift".into()], position: Some((7.0, 9.0)), ..ClickOptions::default() };
    go.click(&options, soon()).await.unwrap();
    go.click(&ClickOptions { button: Some("right".into()), ..ClickOptions::default() }, soon()).await.unwrap();
    go.dblclick(&ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.out().await, "0 true 7,9 1;menu;0 false 100,50 1;0 false 100,50 2;double ");
    let error = go
        .click(&ClickOptions { modifiers: vec!["Shfit".into()], ..ClickOptions::default() }, soon())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("did you mean Shift?"), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn hover_force_and_trial() {
    let page = "<button id=go onclick=\"out('clicked ')\" onmouseenter=\"out('over ')\">Go</button>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    let go = stage.find("#go");
    let trial = ClickOptions { action: ActionOptions { trial: true, force: false }, ..ClickOptions::default() };
    go.click(&trial, soon()).await.unwrap();
    go.hover(&ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.out().await, "over ");
    stage.eval("go.setAttribute('aria-disabled', 'true')").await;
    let force = ClickOptions { action: ActionOptions { force: true, trial: false }, ..ClickOptions::default() };
    go.click(&force, soon()).await.unwrap();
    assert_eq!(stage.out().await, "over clicked ");
    stage.end().await;
}

#[tokio::test]
async fn a_hanging_page_does_not_hang_us() {
    let stage = Stage::with("<button id=go>Go</button>").await;
    stage.eval("setTimeout(() => { for (;;); }, 0)").await;
    let before = std::time::Instant::now();
    let error = stage.find("#go").click(&ClickOptions::default(), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
    stage.end().await;
}

#[tokio::test]
async fn a_crash_ends_the_waiting_call() {
    let stage = Stage::with("<p>nothing</p>").await;
    let waiting = stage.find("#go");
    let wait = tokio::spawn(async move { waiting.click(&ClickOptions::default(), soon()).await });
    let _ = stage.page.goto("chrome://crash", &rhaven::page::GotoOptions::default(), soon()).await;
    let error = soon().race(wait).await.expect("it hung").unwrap().unwrap_err();
    assert_eq!(error.error.code(), "page_crashed", "{error}");
    let error = stage.find("p").text_content(Deadline::after(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(error.error.code(), "page_crashed", "{error}");
    stage.end().await;
}

#[tokio::test]
async fn a_click_that_failed_does_not_hold_back_the_next_ones() {
    let buttons = "<button id=a onclick=\"out('a ')\">A</button><button id=b onclick=\"out('b ')\">B</button>";
    let stage = Stage::empty().await;
    stage.serve("/in", &format!("{IN}{buttons}"));
    let page = format!(
        "{OUT}<iframe src=/in style='position:absolute;left:0;top:0;width:300px;height:200px'></iframe>
        <div id=banner style='position:absolute;left:0;top:0;width:300px;height:200px;background:#eee'>
        <button id=close style='margin-top:150px' onclick=\"banner.remove(); out('closed ')\">Close</button></div>"
    );
    stage.serve("/", &page);
    stage.goto("/").await;
    stage.click_fails("iframe >> #a").await;
    stage.click("#close").await;
    // The press of a hand, or of a click by force, is watched by nobody.
    let force = ClickOptions { action: ActionOptions { trial: false, force: true }, ..ClickOptions::default() };
    stage.find("iframe").click(&ClickOptions { position: Some((160.0, 20.0)), ..force }, soon()).await.unwrap();
    stage.click("iframe >> #b").await;
    assert_eq!(stage.out().await, "closed b b ");
    stage.end().await;
}

#[tokio::test]
async fn an_element_in_a_frame_below_the_fold_is_scrolled_to() {
    let inner = "<style>body { margin: 0 }</style><div style='height:1500px'></div>
        <button style='width:100px;height:50px' onclick=\"document.title = 'clicked'\">Go</button>";
    // A tall frame, of which the element is far from the middle, and one in a box that scrolls.
    let frames = [
        "<iframe src=FROM style='width:300px;height:1600px'></iframe>",
        "<div style='overflow:auto;height:300px'><div style='height:900px'></div><iframe src=FROM style='height:100px'></iframe></div>",
    ];
    for (from, frame) in ["/in", "OTHER/in"].into_iter().flat_map(|from| frames.map(|frame| (from, frame))) {
        let stage = Stage::empty().await;
        stage.serve("/in", inner);
        stage.serve("/", &format!("<div style='height:2000px'></div>{}", frame.replace("FROM", from)));
        stage.goto("/").await;
        stage.click("iframe >> button").await;
        assert_eq!(stage.page.frames()[1].title(soon()).await.unwrap(), "clicked", "{from} {frame}");
        stage.end().await;
    }
}

#[tokio::test]
async fn a_bar_over_a_frame_is_scrolled_away_from() {
    let page = "<div style='position:fixed;top:0;left:0;right:0;height:200px;background:#eee;z-index:1'>Bar</div>
        <iframe src=/in style='height:400px'></iframe><div style='height:3000px'></div>";
    let stage = Stage::empty().await;
    stage.serve("/in", &format!("{IN}<button onclick=\"out('go')\">Go</button>"));
    stage.serve("/", &format!("{OUT}<div style='height:1000px'></div>{page}"));
    stage.goto("/").await;
    stage.eval("scrollTo(0, 1000)").await;
    stage.click("iframe >> button").await;
    assert_eq!(stage.out().await, "go");
    stage.end().await;
}

#[tokio::test]
async fn a_frame_that_moves_is_waited_for() {
    let page = "<style>@keyframes go { from { left: 0 } to { left: 400px } }
        iframe { position: absolute; top: 0; animation: go 1s linear forwards }</style><iframe src=/in></iframe>";
    let inner = "<button onclick=\"out('at ' + Math.round(frameElement.getBoundingClientRect().left))\">Go</button>";
    let stage = Stage::empty().await;
    stage.serve("/in", &format!("{IN}{inner}"));
    stage.serve("/", &format!("{OUT}{page}"));
    stage.goto("/").await;
    stage.click("iframe >> button").await;
    assert_eq!(stage.out().await, "at 400");
    stage.end().await;
}

#[tokio::test]
async fn a_page_that_stops_events_is_clicked_once() {
    let thief = "<script>for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'])
        addEventListener(kind, event => { event.stopImmediatePropagation(); out(kind + ' ') }, true)</script>";
    let all = "pointerdown mousedown pointerup mouseup click ";
    let stage = Stage::empty().await;
    stage.serve("/", &format!("{OUT}{thief}<button id=go>Go</button>"));
    stage.goto("/").await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, all);
    // In a frame, and in one that its parent has written.
    stage.serve("/in", &format!("{IN}{thief}<button id=go>Go</button>"));
    stage.serve("/frame", &format!("{OUT}<iframe src=/in></iframe>"));
    stage.goto("/frame").await;
    stage.click("iframe >> #go").await;
    assert_eq!(stage.out().await, all);
    let written = format!("{IN}{thief}<button id=go>Go</button>").replace("</script>", "<\\/script>");
    let write = format!(
        "const frame = document.querySelector('iframe').contentDocument;
        frame.open(); frame.write(`{}`); frame.close()",
        written.replace("textContent +=", "title +=")
    );
    stage.serve("/written", &format!("{OUT}<iframe></iframe><script>{write}</script>"));
    stage.goto("/written").await;
    stage.click("iframe >> #go").await;
    assert_eq!(stage.eval("document.querySelector('#out').title").await, all);
    stage.end().await;
}

#[tokio::test]
async fn a_document_that_was_written_anew_hears_its_clicks_and_is_watched() {
    let stage = Stage::with(OUT).await;
    let written = "<p id=out></p><button id=go onclick='document.querySelector(\"#out\").textContent += \"clicked \"'>Go</button><script>
        for (const kind of ['pointerdown', 'mousedown']) addEventListener(kind, event => event.stopImmediatePropagation(), true)<\\/script>";
    stage.eval(&format!("document.open(); document.write(`{written}`); document.close()")).await;
    stage.click("#go").await;
    stage.click("#go").await;
    assert_eq!(stage.out().await, "clicked clicked ");
    stage.end().await;
}

#[tokio::test]
async fn a_press_that_outlasts_its_deadline_lets_go_of_the_button() {
    let page = "<button id=go onmousedown=\"out('down ')\" onmouseup=\"out('up ')\">Go</button>";
    let stage = Stage::with(&format!("{OUT}{page}")).await;
    let slow = ClickOptions { delay: Some(Duration::from_secs(10)), ..ClickOptions::default() };
    let error = stage.find("#go").click(&slow, Deadline::after(Duration::from_secs(2))).await.unwrap_err();
    assert!(error.to_string().ends_with("while waiting for the click to be done"), "{error}");
    stage.click("#go").await;
    assert_eq!(stage.out().await, "down up down up ");
    stage.end().await;
}

#[tokio::test]
async fn what_was_typed_is_not_told_of_an_element() {
    let stage = Stage::with(
        "<input class=t value='sk-proj-0123456789'><textarea class=t value='sk-proj-0123456789'></textarea>
        <p class=t data-key='0123456789012345678901234567890123456🐎🐎🐎'>",
    )
    .await;
    let error = stage.click_fails(".t").await;
    let PageError::StrictViolation { matches, .. } = &error.error else { panic!("{error}") };
    let previews: Vec<&str> = matches.iter().map(|(_, preview)| preview.as_str()).collect();
    assert_eq!(previews[..2], ["<input class=\"t\">", "<textarea class=\"t\">"]);
    assert!(previews[2].contains("0123456🐎…"), "{previews:?}");
    stage.end().await;
}
