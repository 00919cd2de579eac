//! Several who look on: who is in control, what is waited for, what is kept.

use std::time::Duration;

use rhaven::base::Secret;
use rhaven::live::Paused;
use rhaven::live::wire::{Role, ToViewer, WarningKind};
use rhaven::page::GotoOptions;
use rhaven::session::Session;
use serde_json::json;

use super::stage::{Person, Stage, soon};

async fn control(person: &Person, wanted: Option<u32>) -> bool {
    person
        .told(|message| match message {
            ToViewer::Control { holder, yours, .. } if *holder == wanted => Some(*yours),
            _ => None,
        })
        .await
}

/// Waits until these are the bookmarks that Chromium has written.
async fn written(session: &Session, wanted: &[&str]) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let wait = async {
        while session.bookmarks() != wanted {
            looks.tick().await;
        }
    };
    soon().race(wait).await.unwrap_or_else(|| panic!("{wanted:?} was wanted, {:?} is there", session.bookmarks()));
}

async fn refused(person: &Person) {
    person
        .told(|message| matches!(message, ToViewer::Error { code, .. } if code == "not_in_control").then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_in_control_and_the_others_look_on() {
    let stage = Stage::with("<input id=a autofocus style='position:absolute;left:0;top:0'>").await;
    let began = stage.live.activity();
    assert_eq!(began.connected, 0);
    let (first, second) = (stage.person(), stage.person());
    let guest = Person::of(stage.live.join(Role::View));
    let hello = guest
        .told(|message| match message {
            ToViewer::Hello { version, role, width, height, .. } => Some((*version, *role, *width, *height)),
            _ => None,
        })
        .await;
    assert_eq!(hello, (1, Role::View, 800, 600));
    let one = first.viewer.number();
    assert!(
        control(&first, Some(one)).await && !control(&second, Some(one)).await && !control(&guest, Some(one)).await
    );
    assert_eq!(stage.live.viewers().len(), 3);

    first.click(stage.middle("#a").await);
    for person in [&second, &guest] {
        person.press("n", "KeyN", 0);
        refused(person).await;
    }
    first.press("y", "KeyY", 0);
    stage.until("a.value == 'y'").await;
    assert!(stage.live.activity().acted > began.acted);
    guest.say(json!({"type": "take_control"}));
    refused(&guest).await;
    second.say(json!({"type": "take_control"}));
    let two = second.viewer.number();
    assert!(!control(&first, Some(two)).await && control(&second, Some(two)).await);
    second.press("z", "KeyZ", 0);
    stage.until("a.value == 'yz'").await;
    // Who loses the role, or goes, is in control no more.
    stage.live.set_role(two, Role::View);
    assert!(!control(&second, None).await);
    stage.live.set_role(guest.viewer.number(), Role::Control);
    // Each hears what it may by now.
    for (person, wanted) in [(&second, Role::View), (&guest, Role::Control)] {
        person.told(|message| matches!(message, ToViewer::Control { role, .. } if *role == wanted).then_some(())).await;
    }
    guest.say(json!({"type": "take_control"}));
    let three = guest.viewer.number();
    assert!(!control(&first, Some(three)).await);
    drop(guest);
    assert!(!control(&first, None).await);
    assert_eq!(stage.live.activity().connected, 2);

    stage.live.warn(WarningKind::Absolute, 60);
    first.told(|message| matches!(message, ToViewer::Warning { seconds: 60, .. }).then_some(())).await;
    stage.live.warning_over();
    first.told(|message| matches!(message, ToViewer::WarningOver {}).then_some(())).await;
    stage.live.remove(two, "removed");
    second.told(|message| matches!(message, ToViewer::Closed { reason } if reason == "removed").then_some(())).await;
    assert_eq!(second.next().await, None);
    let live = stage.live.clone();
    stage.end().await;
    first.told(|message| matches!(message, ToViewer::Closed { reason } if reason == "ended").then_some(())).await;
    assert!(live.has_ended());
    let late = Person::of(live.join(Role::View));
    late.told(|message| matches!(message, ToViewer::Closed { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_waits_for_a_person_and_what_people_keep_is_kept() {
    let sign_in = "<title>Sign in</title><form action=/in onsubmit='event.preventDefault(); window.sent = 1'>
        <input id=u autocomplete=username value=ann><input id=p type=password><button>in</button></form>";
    let stage = Stage::with_profile(sign_in).await;
    let person = stage.person();
    let pause = stage.live.pause("sign in, please");
    let taken_back = stage.live.pause("nobody waits for this");
    person
        .told(|message| matches!(message, ToViewer::Pause { reason } if reason == "sign in, please").then_some(()))
        .await;
    drop(taken_back);

    person.click(stage.middle("#p").await);
    person.say(json!({"type": "text", "text": "hunter22"}));
    person.press("Enter", "Enter", 0);
    let offer = person
        .told(|message| match message {
            ToViewer::PasswordOffer { id, origin, username } => Some((*id, origin.clone(), username.clone())),
            _ => None,
        })
        .await;
    assert_eq!((offer.1.clone(), offer.2.as_str()), (stage.url(""), "ann"));
    person.say(json!({"type": "save_password", "id": offer.0, "accept": true}));
    // Kept one after the other, so the password is as soon as the bookmark is.
    person.say(json!({"type": "bookmark"}));
    let url = stage.url("/");
    let told = |wanted: bool, url: String| {
        move |message: &ToViewer| match message {
            ToViewer::Bookmarked { url: told, is } if *told == url => (*is == wanted).then_some(()),
            _ => None,
        }
    };
    person.told(told(true, url.clone())).await;
    let session = stage.live.session();
    written(session, &[&url]).await;
    // Chromium fills it in, once somebody does something in the page.
    stage.page.goto(&stage.url("/?again"), &GotoOptions::default(), soon()).await.unwrap();
    person.told(told(false, stage.url("/?again"))).await;
    person.click((300.0, 300.0));
    stage.until("p.value == 'hunter22' && u.value == 'ann'").await;
    // Another one takes its place.
    session
        .keep_password(&stage.url(""), "ann", &Secret::new("password", "swordfish".to_owned()), soon())
        .await
        .unwrap();
    stage.page.goto(&url, &GotoOptions::default(), soon()).await.unwrap();
    person.told(told(true, url.clone())).await;
    person.click((300.0, 300.0));
    stage.until("p.value == 'swordfish'").await;
    person.say(json!({"type": "bookmark"}));
    person.told(told(false, url)).await;
    written(session, &[]).await;

    // It steers nothing, so nobody has to be in control for it.
    person.say(json!({"type": "release_control"}));
    person.say(json!({"type": "done"}));
    assert_eq!(soon().race(pause.done()).await, Some(Paused::Done));
    person.told(|message| matches!(message, ToViewer::PauseOver {}).then_some(())).await;
    // Ends with the live browser where nobody comes.
    let pause = stage.live.pause("once more");
    let waits = tokio::spawn(pause.done());
    stage.end().await;
    let ended = tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap().unwrap();
    assert_eq!(ended, Paused::Ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_kept_nothing_is_offered_to_be() {
    let stage = Stage::with("<input id=p type=password>").await;
    let person = stage.person();
    person.told(|message| matches!(message, ToViewer::Hello { keeps_nothing: true, .. }).then_some(())).await;
    person.click(stage.middle("#p").await);
    person.say(json!({"type": "text", "text": "hunter22"}));
    person.press("Enter", "Enter", 0);
    person.say(json!({"type": "bookmark"}));
    let offered = person.told(|message| match message {
        ToViewer::PasswordOffer { .. } => Some("a password".to_owned()),
        ToViewer::Error { message, .. } => Some(message.clone()),
        _ => None,
    });
    assert!(offered.await.starts_with("nothing is kept of this browser"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_let_go_when_its_holder_leaves() {
    let html = "<script>window.log = []; for (const type of ['mousedown', 'mouseup', 'keydown', 'keyup']) \
        addEventListener(type, event => log.push(type + (event.code ?? event.clientX)))</script>";
    let stage = Stage::with(html).await;
    let person = stage.person();
    person.mouse("down", (100.0, 100.0));
    person.say(json!({"type": "key", "kind": "down", "key": "a", "code": "KeyA", "modifiers": 0}));
    person.say(json!({"type": "mouse", "kind": "move", "x": 200, "y": 100, "button": 0, "buttons": 1, "clicks": 1}));
    stage.until("log.includes('mousedown100') && log.includes('keydownKeyA')").await;
    drop(person);
    stage.until("log.includes('mouseup200') && log.includes('keyupKeyA')").await;
    stage.end().await;
}
