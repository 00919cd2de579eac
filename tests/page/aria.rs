//! The page as assistive technology sees it, as text.

use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::page::Selector;

use super::support::{Stage, short, soon, told};

impl Stage {
    async fn aria(&self, selector: Option<&str>) -> String {
        let selector = selector.map(|selector| Selector::parse(selector).unwrap());
        let text = self.page.aria_snapshot(selector.as_ref(), soon()).await;
        text.unwrap_or_else(|error| panic!("{error}\n{}", told(&error.log)))
    }
}

async fn snapshot(html: &str) -> String {
    let stage = Stage::with(html).await;
    let text = stage.aria(None).await;
    stage.end().await;
    text
}

#[tokio::test]
async fn headings_links_and_text_are_told_in_order() {
    let html = r#"<h1>Ord<b>ers</b></h1><p>Hello <a href="/x?1">World</a> and<br>more</p><div>one</div><div>two<span>three</span></div>
        <a href="https://a.example/"><img alt="Logo" src="data:,"> home</a><h2 aria-level=3>it is: "so"</h2><p style="display:none">hidden</p>
        <p aria-hidden=true>not told</p><nav aria-label=Main><ul><li>x</li><li><a href="/y">y</a></li></ul></nav>"#;
    let stage = Stage::with(html).await;
    let wanted = format!(
        "- heading \"Orders\" [level=1]\n\
         - paragraph:\n  - text: Hello\n  - link \"World\":\n    - /url: {0}x?1\n  - text: and more\n\
         - text: one twothree\n\
         - link \"Logo home\":\n  - /url: https://a.example/\n  - img \"Logo\"\n\
         - 'heading \"it is: \\\"so\\\"\" [level=3]'\n\
         - navigation \"Main\":\n  - list:\n    - listitem: x\n    - listitem:\n      - link \"y\":\n        - /url: {0}y",
        stage.url("/")
    );
    assert_eq!(stage.aria(None).await, wanted);
    stage.end().await;
}

#[tokio::test]
async fn controls_have_their_states_and_values() {
    let html = r#"<label>E-mail <input type=email value="a@b.example"></label><label for=n>Notes</label><textarea id=n>one
two: 2</textarea><input type=checkbox checked aria-label=Terms><input type=checkbox id=m aria-label=Some><script>m.indeterminate = true</script>
        <label><input type=radio> Red</label><select aria-label=Size><option>S<option selected>M</select><button disabled>Save</button>
        <button aria-pressed=true aria-expanded=true>Menu</button><button aria-expanded=false>Shut</button><input type=range value=3 aria-label=Volume>
        <input type=number value=5 aria-label=Count><input type=date value=2031-05-06 aria-label=Day><input aria-label=Empty>
        <div role=tablist><div role=tab aria-selected=true>First</div><div role=tab aria-selected=false>Second</div></div>"#;
    let wanted = "- text: E-mail\n- textbox \"E-mail\": a@b.example\n- text: Notes\n- textbox \"Notes\": \"one two: 2\"\n\
        - checkbox \"Terms\" [checked]\n- checkbox \"Some\" [checked=mixed]\n- radio \"Red\"\n\
        - combobox \"Size\":\n  - option \"S\"\n  - option \"M\" [selected]\n- button \"Save\" [disabled]\n\
        - button \"Menu\" [expanded] [pressed]\n- button \"Shut\"\n- slider \"Volume\": \"3\"\n- spinbutton \"Count\": \"5\"\n\
        - textbox \"Day\": 2031-05-06\n- textbox \"Empty\"\n- tablist:\n  - tab \"First\" [selected]\n  - tab \"Second\"";
    assert_eq!(snapshot(html).await, wanted);
}

#[tokio::test]
async fn tables_lists_and_shadow_roots_are_told() {
    let html = r"<table><caption>Prices</caption><tr><th>Item<th>Price<tr><td>Tea<td>3.50</table><ul><li>a<ul><li>b</ul></ul>
        <div id=host></div><div id=shut></div><script>host.attachShadow({mode: 'open'}).innerHTML = '<button>Inside</button>';
        shut.attachShadow({mode: 'closed'}).innerHTML = '<h2>Closed</h2>'</script>";
    let wanted = "- table \"Prices\":\n  - caption: Prices\n  - row:\n    - columnheader \"Item\"\n    - columnheader \"Price\"\n  \
        - row:\n    - cell \"Tea\"\n    - cell \"3.50\"\n- list:\n  - listitem:\n    - text: a\n    - list:\n      - listitem: b\n\
        - button \"Inside\"\n- heading \"Closed\" [level=2]";
    assert_eq!(snapshot(html).await, wanted);
}

#[tokio::test]
async fn what_is_typed_into_a_password_field_is_not_told() {
    let html = r#"<label>Password <input type=password value=hunter22></label>
        <input aria-label=Shown type=password value=hunter22 style="-webkit-text-security: none">
        <input aria-label=Dots value=hunter22 style="-webkit-text-security: disc"><input aria-label=Empty type=password>"#;
    let text = snapshot(html).await;
    let wanted = "- text: Password\n- textbox \"Password\": ***\n- textbox \"Shown\": ***\n- textbox \"Dots\": ***\n- textbox \"Empty\"";
    assert_eq!(text, wanted);
}

#[tokio::test]
async fn frames_stand_in_their_places() {
    for stage in [Stage::empty().await, Stage::isolated().await] {
        frames_in_places(stage).await;
    }
}

async fn frames_in_places(stage: Stage) {
    stage.serve("/inner", "<h2>Other site</h2><iframe src=/deep title=deep></iframe>");
    stage.serve("/deep", "<button>Deep</button>");
    stage.serve("/", "<p>before</p><iframe title=other src=OTHER/inner></iframe><p>between</p><iframe srcdoc='<p>own'></iframe><p>after</p>");
    stage.goto("/").await;
    let wanted = "- paragraph: before\n- iframe \"other\":\n  - heading \"Other site\" [level=2]\n  - iframe \"deep\":\n    - button \"Deep\"\n\
        - paragraph: between\n- iframe:\n  - paragraph: own\n- paragraph: after";
    assert_eq!(stage.aria(None).await, wanted);
    assert_eq!(stage.aria(Some("iframe >> nth=0 >> h2")).await, "- heading \"Other site\" [level=2]");
    assert!(stage.aria(Some("iframe >> nth=0")).await.starts_with("- iframe \"other\":\n  - heading"));
    stage.end().await;
}

#[tokio::test]
async fn a_selector_gives_its_one_match() {
    let stage =
        Stage::with("<div id=a><div><button>One</button></div>text</div><ul><li>x</ul><p hidden id=h>h</p><p>1<p>2")
            .await;
    assert_eq!(stage.aria(Some("#a")).await, "- button \"One\"\n- text: text");
    assert_eq!(stage.aria(Some("ul")).await, "- list:\n  - listitem: x");
    assert_eq!(stage.aria(Some("role=button")).await, "- button \"One\"");
    assert_eq!(stage.aria(Some("#h")).await, "");
    let fails = |selector: &str| Selector::parse(selector).unwrap();
    let error = stage.page.aria_snapshot(Some(&fails("p")), soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "strict_violation");
    let error = stage.page.aria_snapshot(Some(&fails("#none")), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    stage.end().await;
}

#[tokio::test]
async fn a_frame_that_is_stuck_does_not_take_the_page_with_it() {
    let stage = Stage::isolated().await;
    stage.serve("/stuck", "<script>onmessage = () => { for (;;); }</script>");
    stage.serve("/", "<h1>Here</h1><iframe src=OTHER/stuck title=stuck></iframe>");
    stage.goto("/").await;
    let frame = stage.page.frames().pop().unwrap();
    stage.eval("frames[0].postMessage('go', '*')").await;
    // It is stuck when it answers no more.
    while frame.evaluate("1", None, Deadline::after(Duration::from_millis(300))).await.is_ok() {}
    let deadline = Deadline::after(Duration::from_secs(3));
    let text = stage.page.aria_snapshot(None, deadline).await.unwrap();
    assert_eq!(text, "- heading \"Here\" [level=1]\n- iframe \"stuck\"");
    stage.end().await;
}
