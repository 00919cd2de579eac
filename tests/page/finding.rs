//! Selectors of every kind, through shadow roots and frames.

use rhaven::page::WaitState;

use super::support::{Stage, short, soon};

async fn counts(stage: &Stage, cases: &[(&str, usize)]) {
    for (selector, wanted) in cases {
        let found = stage.find(selector).count(soon()).await;
        let found = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        assert_eq!(found, *wanted, "{selector}");
    }
}

#[tokio::test]
async fn every_engine_finds_what_it_names() {
    let page =
        "<h1>Orders  of <b>May</b></h1><ul><li class=x>One</li><li>Two</li><li style='display:none'>Three</li></ul>
        <label for=m>Mail</label><input id=m placeholder='Your mail'><img alt='Big logo' title=Logo>
        <button data-testid=go>Save changes</button><button disabled>Save</button><p>Save me<i> now</i></p>
        <div aria-label='Close it'>x</div><script>let text = 'Save'</script>";
    let stage = Stage::with(page).await;
    counts(
        &stage,
        &[
            ("text=save", 3),
            ("text=\"Save\"", 1),
            ("\"Save me\"", 1),
            ("text=/^save( changes)?$/i", 2),
            ("text=orders of may", 1),
            ("label=mail", 1),
            ("label=\"Close it\"", 1),
            ("placeholder=your", 1),
            ("alt=\"Big logo\"", 1),
            ("title=logo", 1),
            ("testid=go", 1),
            ("//li", 3),
            ("xpath=//ul/li[2]", 1),
            ("li >> nth=-1", 1),
            ("li >> nth=7", 0),
            ("li:visible", 2),
            ("li >> visible=false", 1),
            ("ul:has-text(\"two\") >> li", 3),
            ("li:not(:has-text(\"o\"))", 1),
            ("ul:has(> li:has-text(\"One\")) li.x", 1),
            ("ul >> text=Two", 1),
            ("li + li", 2),
            ("ul >> > li", 3),
            ("text=One >> ..", 1),
            ("role=button", 2),
            ("role=button[name=\"Save\"]", 1),
            ("role=button[name=\"save\"]", 0),
            ("role=button[name=\"save\" i]", 1),
            ("role=button[name*=\"save\" i]", 2),
            ("role=button[name^=\"Save\"]", 2),
            ("role=button[name$=\"changes\"]", 1),
            ("role=img[name=\"Big logo\"]", 1),
            ("role=presentation", 0),
            ("role=button[disabled]", 1),
            ("role=button[name=/changes$/]", 1),
            ("role=heading[level=1]", 1),
            ("role=textbox[name=\"Mail\"]", 1),
            ("ul >> role=listitem", 2),
            ("role=list >> li.x", 1),
        ],
    )
    .await;
    let error = stage.find("li:nope").count(soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "invalid_selector");
    stage.end().await;
}

#[tokio::test]
async fn role_names_are_those_that_documents_are_written_in() {
    let roles = ["button", "img", "textbox", "link", "heading", "list", "cell", "switch", "article", "math", "region"];
    let page = roles.map(|role| format!("<p role={role} aria-label='{role} it'>x</p>")).concat();
    let stage = Stage::with(&page).await;
    for role in roles {
        counts(&stage, &[(&format!("role={role}"), 1), (&format!("role={role}[name=\"{role} it\"]"), 1)]).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn shadow_roots_are_pierced_open_ones_first() {
    let page = "<div id=open></div><div id=shut></div><script>
        open = document.querySelector('#open').attachShadow({mode: 'open'});
        open.innerHTML = '<section><button class=in onclick=\"document.title = `open`\">Inside</button></section>';
        shut = document.querySelector('#shut').attachShadow({mode: 'closed'});
        shut.innerHTML = '<button class=deep onclick=\"document.title = `closed`\">Deep</button><input class=deeper>';</script>";
    let stage = Stage::with(page).await;
    counts(
        &stage,
        &[
            ("#open .in", 1),
            ("section > button", 1),
            ("text=Inside", 1),
            (".deep", 1),
            ("#shut .deep", 1),
            (".none", 0),
        ],
    )
    .await;
    stage.click("#open section .in").await;
    assert_eq!(stage.eval("document.title").await, "open");
    stage.click(".deep").await;
    assert_eq!(stage.eval("document.title").await, "closed");
    stage.fill(".deeper", "typed").await;
    assert_eq!(stage.eval("shut.querySelector('input').value").await, "typed");
    stage.end().await;
}

#[tokio::test]
async fn frames_of_the_same_and_of_another_site_are_stepped_into() {
    let inner = "<p>inner</p><input id=i><div style='height:2000px'></div>
        <button onclick=\"document.querySelector('p').textContent = 'clicked'\">Go</button><iframe id=third srcdoc='<b>third</b>'></iframe>";
    for source in ["/inner", "OTHER/inner"] {
        let stage = Stage::empty().await;
        stage.serve("/inner", inner);
        stage.serve("/", &format!("<p>outer</p><div style='height:900px'></div><iframe id=f src='{source}' style='border:7px solid;padding:5px;width:300px;height:200px'></iframe>"));
        stage.goto("/").await;
        assert_eq!(stage.text("p").await, "outer");
        assert_eq!(stage.text("#f >> p").await, "inner", "{source}");
        stage.click("#f >> button").await;
        assert_eq!(stage.text("iframe >> p").await, "clicked", "{source}");
        stage.type_text("#f >> #i", "typed ž").await;
        assert_eq!(stage.value("#f >> #i").await, "typed ž");
        assert_eq!(stage.text("#f >> #third >> b").await, "third");
        assert_eq!(stage.find("#f >> role=button").count(soon()).await.unwrap(), 1);
        assert_eq!(stage.page.frames().len(), 3);
        stage.eval("document.querySelector('#f').remove()").await;
        assert_eq!(stage.find("#f >> p").count(soon()).await.unwrap(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn a_cover_over_a_frame_is_noticed() {
    let stage = Stage::with(
        "<iframe id=f srcdoc='<button>Go</button>'></iframe><div id=over style='position:fixed;inset:0'>Over</div>",
    )
    .await;
    let error = stage.click_fails("#f >> button").await;
    assert!(error.to_string().contains("covered by <div id=\"over\">"), "{error}");
    stage.eval("document.querySelector('#over').remove()").await;
    stage.click("#f >> button").await;
    stage.end().await;
}

#[tokio::test]
async fn states_are_waited_for() {
    let page = "<p id=a>a</p><p id=b style='display:none'>b</p><script>setTimeout(() => { a.remove(); b.style.display = '' }, 250)</script>";
    let stage = Stage::with(page).await;
    let wait = async |selector: &str, state: WaitState| stage.find(selector).wait_for(state, soon()).await.unwrap();
    wait("#b", WaitState::Attached).await;
    wait("#b", WaitState::Visible).await;
    wait("#a", WaitState::Detached).await;
    wait("#a", WaitState::Hidden).await;
    assert!(stage.find("#b").is_visible(soon()).await.unwrap());
    assert!(!stage.find("#a").is_visible(soon()).await.unwrap());
    let error = stage.find("#b").wait_for(WaitState::Hidden, short()).await.unwrap_err();
    assert_eq!(error.to_string(), "timeout of 400 ms while waiting for \"#b\" to be hidden");
    let error = stage.find("#c").wait_for(WaitState::Visible, short()).await.unwrap_err();
    assert!(error.to_string().contains("an element that matches \"#c\""));
    stage.end().await;
}
