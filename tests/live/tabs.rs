//! Tabs, as viewers are told of them and as they open, close and move them.

use rhaven::live::wire::{FrameHead, Tab, ToViewer};
use serde_json::json;

use super::stage::{Person, Stage};

async fn tabs(person: &Person, mut look: impl FnMut(&[Tab]) -> bool) -> Vec<Tab> {
    person
        .told(|message| match message {
            ToViewer::Tabs { tabs } if look(tabs) => Some(tabs.clone()),
            _ => None,
        })
        .await
}

fn active(tabs: &[Tab]) -> &Tab {
    tabs.iter().find(|tab| tab.active).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_are_followed_and_steered() {
    let stage = Stage::with("<title>First</title><a id=a target=_blank href=/second>second</a>").await;
    stage.serve("/second", "<title>Second</title><body style='background:red'>second<script>onclick = () => document.title = 'Clicked'; setInterval(() => document.body.append('.'), 100)</script>");
    stage.serve(
        "/third",
        "<title>Third</title><script>onbeforeunload = event => event.preventDefault()</script><input id=i>",
    );
    let person = stage.person();
    let first = tabs(&person, |tabs| tabs.len() == 1 && tabs[0].title == "First").await;
    assert_eq!(first[0].url, stage.url("/"));

    // What opens comes to the front, and is what is shown and steered. It moves: of what stands still one picture may have come before
    // its title did.
    person.click(stage.middle("#a").await);
    let both = tabs(&person, |tabs| tabs.len() == 2 && active(tabs).title == "Second").await;
    let (first, second) = (both[0].id, active(&both).id);
    loop {
        let picture = person.picture().await;
        person.acknowledge(&picture);
        if u32::from(FrameHead::of(&picture).unwrap().0.tab) == second {
            break;
        }
    }
    person.click((400.0, 300.0));
    tabs(&person, |tabs| active(tabs).title == "Clicked").await;
    person.say(json!({"type": "tab_select", "id": first}));
    tabs(&person, |tabs| active(tabs).id == first).await;
    person.say(json!({"type": "tab_close", "id": second}));
    tabs(&person, |tabs| tabs.len() == 1).await;

    // Where it goes, and back.
    person.say(json!({"type": "navigate", "url": stage.url("/second")}));
    tabs(&person, |tabs| active(tabs).title == "Second" && active(tabs).can_go_back).await;
    person.say(json!({"type": "back"}));
    tabs(&person, |tabs| active(tabs).title == "First" && active(tabs).can_go_forward).await;
    person.say(json!({"type": "navigate", "url": "file:///etc/passwd"}));
    person
        .told(|message| matches!(message, ToViewer::Error { code, .. } if code == "refused_address").then_some(()))
        .await;

    // A page that asks before it goes; the last tab is followed by an empty one.
    person.say(json!({"type": "tab_new", "url": stage.url("/third")}));
    let third = active(&tabs(&person, |tabs| active(tabs).title == "Third").await).id;
    person.say(json!({"type": "tab_close", "id": first}));
    tabs(&person, |tabs| tabs.len() == 1).await;
    person.click((20.0, 20.0));
    person.press("x", "KeyX", 0);
    person.say(json!({"type": "tab_close", "id": third}));
    let asked = person
        .told(|message| match message {
            ToViewer::Dialog(dialog) => Some(dialog.id),
            _ => None,
        })
        .await;
    person.say(json!({"type": "dialog_answer", "id": asked, "accept": true}));
    let left = tabs(&person, |tabs| tabs.len() == 1 && tabs[0].id != third).await;
    assert_eq!(left[0].url, "about:blank");

    // A crash is told; what is loaded again lives.
    person.say(json!({"type": "navigate", "url": stage.url("/second")}));
    tabs(&person, |tabs| active(tabs).title == "Second").await;
    let page = stage.live.session().pages().pop().unwrap();
    crash(&page);
    tabs(&person, |tabs| active(tabs).crashed).await;
    person.say(json!({"type": "reload"}));
    tabs(&person, |tabs| tabs.len() == 1 && active(tabs).title == "Second" && !active(tabs).crashed).await;
    drop(page);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wishes_for_tabs_keep_nobody_from_saving() {
    let stage = Stage::with_profile("<title>First</title><script>document.cookie = 'a=1; max-age=1000'</script>").await;
    let person = stage.person();
    tabs(&person, |tabs| tabs.len() == 1 && tabs[0].title == "First").await;
    person.say_all((0..3000).map(|_| json!({"type": "tab_new"})));
    person.told(|message| matches!(message, ToViewer::Error { code, .. } if code == "failed").then_some(())).await;
    let outcomes = stage.end().await;
    assert!(matches!(&outcomes[..], [outcome] if outcome.updated && outcome.save_error.is_none()), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn icons_are_told_by_themselves_and_one_that_does_not_come_holds_up_no_other() {
    let stage = Stage::with("<title>First</title><link rel=icon href=/never>").await;
    stage.serve("/second", "<title>Second</title><link rel=icon href=/icon.png>");
    stage.serve("/third", "<title>Third</title>");
    let person = stage.person();
    tabs(&person, |tabs| active(tabs).title == "First").await;
    person.say(json!({"type": "tab_new", "url": stage.url("/second")}));
    let mut last = Vec::new();
    let (tab, icon) = person
        .told(|message| match message {
            ToViewer::Icon { tab, icon } => Some((*tab, icon.clone())),
            ToViewer::Tabs { tabs } => {
                last.clone_from(tabs);
                None
            }
            _ => None,
        })
        .await;
    assert_eq!(icon.as_deref(), Some("data:image/png;base64,iVBORw=="));
    assert_eq!(active(&last).id, tab, "not before its tab is told");
    // Who comes later is told it too, and what has none any more.
    let other = stage.person();
    let of_it = |message: &ToViewer| match message {
        ToViewer::Icon { tab: told, icon } => Some((*told, icon.clone())),
        _ => None,
    };
    assert_eq!(other.told(of_it).await, (tab, icon));
    person.say(json!({"type": "navigate", "url": stage.url("/third")}));
    assert_eq!(other.told(of_it).await, (tab, None));
    drop((person, other));
    stage.end().await;
}

/// Ends the renderer of a page.
fn crash(page: &rhaven::page::Page) {
    page.target().cdp().send(chromiumoxide::cdp::browser_protocol::page::CrashParams::default()).forget();
}
