//! A script and a person share one browser: the script waits for the person, and acts in a browser that is live already.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use rhaven::session::Scope;
use serde_json::{Value, json};

use super::follow::Events;
use super::rig::{Answered, Rig};
use super::site::Site;
use super::vm::{Socket, end, heard, in_time, made, say, socket, text, token_of};

/// The job of a script; its id.
async fn job(rig: &Rig, input: &Value) -> String {
    let asked = rig.post("/v1/jobs", &json!({ "kind": "run", "input": input })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    text(&asked.json(), "job_id").to_owned()
}

/// The data of the next event of that name.
async fn told(events: &mut Events, name: &str) -> Value {
    in_time(name, async {
        loop {
            let (_, is, data) = events.next().await.unwrap_or_else(|| panic!("it ended before {name}"));
            assert!(is != "error" || name == "error", "{data}");
            if is == name {
                return data;
            }
        }
    })
    .await
}

/// Waits for a picture.
async fn sees(person: &mut Socket) {
    in_time("a picture", async { while !person.next().await.unwrap().unwrap().is_binary() {} }).await;
}

/// A person who opens the address that was told.
async fn person(rig: &Rig, url: &str) -> Socket {
    let mut socket = socket(rig, id_of(url), token_of(url), None).await.unwrap();
    assert_eq!(heard(&mut socket, "hello").await["role"], "control");
    socket
}

fn id_of(url: &str) -> &str {
    url.split_once("/live/").and_then(|(_, rest)| rest.split_once('#')).unwrap().0
}

/// Presses and releases the mouse there.
async fn click(person: &mut Socket, at: &Value) {
    for (kind, buttons) in [("move", 0), ("down", 1), ("up", 0)] {
        let (x, y) = (&at["x"], &at["y"]);
        let (button, clicks) = (0, 1);
        say(person, json!({ "type": "mouse", "kind": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clicks": clicks, "modifiers": 0 })).await;
    }
}

/// Waits until the tabs are like that; they.
async fn tabs(person: &mut Socket, like: impl Fn(&Value) -> bool) -> Value {
    in_time("the tabs", async {
        loop {
            let tabs = heard(person, "tabs").await["tabs"].take();
            if like(&tabs) {
                return tabs;
            }
        }
    })
    .await
}

async fn shown(rig: &Rig, job: &str) -> Value {
    rig.ask(Method::GET, &format!("/v1/jobs/{job}"), None).await.json()
}

async fn result(rig: &Rig, job: &str) -> Answered {
    rig.ask(Method::GET, &format!("/v1/jobs/{job}/result"), None).await
}

async fn ran(rig: &Rig, input: &Value) -> Value {
    let answered = rig.post("/v1/run", input).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    answered.json()
}

const PLACE: &str =
    "const at = document.querySelector('#field').getBoundingClientRect(); return { x: at.x + 9, y: at.y + 9 }";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_waits_for_a_person_goes_on_and_saves_what_they_did() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let script = format!(
        "goto(args.url); let size = evaluate(\"innerWidth\");
         emit(evaluate(\"(() => {{ {PLACE} }})()\"));
         pause_for_human(\"say hello\");
         #{{ typed: input_value(\"#field\"), same: evaluate(\"innerWidth\") == size, asked: evaluate(\"confirm('sure?')\"),
             kept: cookies().filter(|c| c.name == \"kept\").len() }}"
    );
    let args = json!({ "url": site.url("/several") });
    let job = job(&rig, &json!({ "script": script, "args": args, "session": "acme" })).await;
    let mut events = Events::of(&rig, &job, 0).await;
    let place = told(&mut events, "emit").await;
    let pause = told(&mut events, "pause").await;
    assert_eq!(pause["reason"], "say hello");
    in_time("its status", async {
        while shown(&rig, &job).await["status"] != "waiting_for_human" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(shown(&rig, &job).await["pause"], pause);
    let url = text(&pause, "url");
    // It is no live browser of `/v0/vm`, and its address without its token is nothing.
    assert_eq!(rig.ask(Method::GET, "/v0/vm", None).await.json()["results"], json!([]));
    let of_vm = rig.ask(Method::DELETE, &format!("/v0/vm/{}", id_of(url)), None).await;
    assert_eq!(of_vm.status, StatusCode::NOT_FOUND, "{}", of_vm.text);
    let looking = format!("v{}", &token_of(url)[1..]);
    for wrong in ["", &looking, &rig.token] {
        let mut socket = socket(&rig, id_of(url), wrong, None).await.unwrap();
        assert_eq!(heard(&mut socket, "closed").await["reason"], "unauthorized", "{wrong}");
    }

    let mut person = person(&rig, url).await;
    assert_eq!(heard(&mut person, "pause").await["reason"], "say hello");
    sees(&mut person).await;
    say(&mut person, json!({ "type": "resize", "width": 900, "height": 700 })).await;
    say(&mut person, json!({ "type": "tab_new", "url": site.url("/set") })).await;
    let set = json!(site.url("/set"));
    let both = tabs(&mut person, |tabs| tabs[1]["url"] == set && tabs[1]["loading"] == false).await;
    say(&mut person, json!({ "type": "tab_select", "id": both[0]["id"] })).await;
    tabs(&mut person, |tabs| tabs[0]["active"] == true).await;
    click(&mut person, &place["value"]).await;
    say(&mut person, json!({ "type": "text", "text": "hello" })).await;
    say(&mut person, json!({ "type": "done" })).await;
    assert_eq!(heard(&mut person, "closed").await["reason"], "done");
    assert_eq!(told(&mut events, "pause_over").await, json!({ "done": true }));
    let last = events.rest().await.pop().unwrap();
    assert_eq!(last.2, json!({ "status": "completed" }));

    let result = result(&rig, &job).await.json();
    assert_eq!(result["result"], json!({ "typed": "hello", "same": true, "asked": false, "kept": 1 }), "{result}");
    assert_eq!((&result["session"]["updated"], &result["session"]["version"]), (&json!(true), &json!(1)), "{result}");
    assert!(!result.to_string().contains(token_of(url)), "what is kept lets nobody in");
    let mut late = socket(&rig, id_of(url), token_of(url), None).await.unwrap();
    let closed = heard(&mut late, "closed").await;
    assert!(["done", "not_found"].contains(&text(&closed, "reason")), "{closed}");
    let script = "goto(args.url); text_content(\"body\")";
    let again = json!({ "script": script, "args": { "url": site.url("/echo") }, "session": "acme" });
    let seen = ran(&rig, &again).await;
    assert!(text(&seen, "result").contains("kept=2"), "{seen}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_its_time_with_the_job_and_with_the_answer_of_a_plain_run() {
    // Nothing becomes a job here for the time that it takes.
    let rig = Rig::start_with(|config| config.inline_limit = Duration::from_hours(1)).await;
    let site = Site::start().await;
    let url = site.url("/several");
    // Nobody comes; the script sees it and goes on, and is cancelled while it waits again.
    let script =
        "goto(args.url); try { pause_for_human(\"at once\", #{ timeout: \"50ms\" }); } catch (e) { emit(e.code); }
                  emit(title()); pause_for_human(\"for ever\");";
    let job = job(&rig, &json!({ "script": script, "args": { "url": url } })).await;
    let mut events = Events::of(&rig, &job, 0).await;
    assert_eq!(told(&mut events, "pause").await["reason"], "at once");
    assert_eq!(told(&mut events, "pause_over").await, json!({ "done": false }));
    assert_eq!(told(&mut events, "emit").await, json!({ "value": "human_timeout" }));
    assert_eq!(told(&mut events, "emit").await, json!({ "value": "Several" }));
    let pause = told(&mut events, "pause").await;
    let mut somebody = person(&rig, text(&pause, "url")).await;
    rig.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    heard(&mut somebody, "closed").await;
    assert_eq!(events.rest().await.pop().unwrap().2, json!({ "status": "cancelled" }));

    // A run that is not followed is answered as soon as it waits, and is a job from then on. Here in a browser of its own.
    let script =
        "session(\"own\", #{ profile: true }); goto(args.url); pause_for_human(\"go on\"); evaluate(\"innerWidth\")";
    let answered = rig.post("/v1/run", &json!({ "script": script, "args": { "url": url } })).await;
    assert_eq!(answered.status, StatusCode::ACCEPTED, "{}", answered.text);
    let waits = answered.json();
    assert_eq!(
        (&waits["status"], &waits["pause"]["reason"]),
        (&json!("waiting_for_human"), &json!("go on")),
        "{waits}"
    );
    let mut somebody = person(&rig, text(&waits["pause"], "url")).await;
    sees(&mut somebody).await;
    say(&mut somebody, json!({ "type": "done" })).await;
    let job = text(&waits, "job_id");
    let last = Events::of(&rig, job, 0).await.rest().await.pop().unwrap();
    assert_eq!(last.2, json!({ "status": "completed" }));
    assert_eq!(result(&rig, job).await.json()["session"]["id"], "own");

    // The run's own time ends it, too.
    let script = "goto(args.url); pause_for_human(\"never\");";
    let input = json!({ "script": script, "args": { "url": url }, "timeout_ms": 3_000 });
    let job = self::job(&rig, &input).await;
    let last = Events::of(&rig, &job, 0).await.rest().await.pop().unwrap();
    assert_eq!(last.2, json!({ "status": "failed" }));
    assert_eq!(result(&rig, &job).await.json()["error"]["code"], "timeout");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_acts_in_a_browser_that_is_live_and_both_see_it() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let live = made(&rig, &json!({ "profile": true, "start_url": site.url("/") })).await;
    let id = text(&live, "session_id");
    let mut looking = person(&rig, text(&live, "embed_url")).await;
    tabs(&mut looking, |tabs| tabs[0]["title"] == "Start").await;
    let script = "let s = session(args.id, #{ live: true }); emit(s.id); evaluate(\"document.title = 'by the script'; localStorage.kept = 'k'\");
                  session(args.id); wait_for_url(\"**/orders\"); pause_for_human(\"look\"); title()";
    let input = json!({ "script": script, "args": { "id": id } });
    let job_id = job(&rig, &input).await;
    let mut events = Events::of(&rig, &job_id, 0).await;
    let told_live = told(&mut events, "live").await;
    assert_eq!(id_of(text(&told_live, "url")), id, "the live browser's own");
    assert_eq!(told(&mut events, "emit").await["value"], *id);
    tabs(&mut looking, |tabs| tabs[0]["title"] == "by the script").await;
    // Another one at the same time is not kept out.
    let second = "session(args.id, #{ live: true }); title()";
    let beside = ran(&rig, &json!({ "script": second, "args": { "id": id } })).await;
    assert_eq!((&beside["result"], &beside["session"]), (&json!("by the script"), &Value::Null), "{beside}");
    say(&mut looking, json!({ "type": "navigate", "url": site.url("/orders") })).await;
    let pause = told(&mut events, "pause").await;
    assert_eq!(id_of(text(&pause, "url")), id);
    assert_eq!(heard(&mut looking, "pause").await["reason"], "look");
    say(&mut looking, json!({ "type": "done" })).await;
    assert_eq!(events.rest().await.pop().unwrap().2, json!({ "status": "completed" }));

    // What is the live browser's is not the script's to end; of others it is nothing.
    let deleting = json!({ "script": "delete(session(args.id, #{ live: true }))", "args": { "id": id } });
    let refused = rig.post("/v1/run", &deleting).await;
    assert!(refused.text.contains("session_read_only"), "{}", refused.text);
    let other = rig.token_of("other", &Scope::ALL).await;
    let strange =
        rig.ask_as(&other, Method::POST, "/v1/run", Some(&json!({ "script": second, "args": { "id": id } }))).await;
    assert_eq!((strange.status, strange.json()["result"].clone()), (StatusCode::OK, json!("")), "{}", strange.text);
    let node = rig.beside(|_| {}).await;
    let elsewhere = node
        .ask_as(&rig.token, Method::POST, "/v1/run", Some(&json!({ "script": second, "args": { "id": id } })))
        .await;
    assert!(elsewhere.text.contains("live_elsewhere") && elsewhere.text.contains(id), "{}", elsewhere.text);

    // It goes on.
    say(&mut looking, json!({ "type": "ping", "t": 7 })).await;
    heard(&mut looking, "pong").await;
    end(&rig, id).await;
    let script = "session(args.id); goto(args.url); evaluate(\"localStorage.kept\")";
    let reads = ran(&rig, &json!({ "script": script, "args": { "id": id, "url": site.url("/") } })).await;
    assert_eq!(reads["result"], "k", "{reads}");
    node.stop().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_watch_and_steer_while_a_script_runs() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let script = "session(\"seen\", #{ live: true }); goto(args.url); pause_for_human(\"first\");
                  wait_for(\"text=first\"); pause_for_human(\"second\"); text_content(\"#out\")";
    let args = json!({ "url": site.url("/several") });
    let job = job(&rig, &json!({ "script": script, "args": args })).await;
    let mut events = Events::of(&rig, &job, 0).await;
    let live = told(&mut events, "live").await;
    assert_eq!(live["session"], "seen");
    let pause = told(&mut events, "pause").await;
    assert_eq!(id_of(text(&pause, "url")), id_of(text(&live, "url")), "one view of one session");
    let mut person = person(&rig, text(&live, "url")).await;
    say(&mut person, json!({ "type": "done" })).await;
    assert_eq!(told(&mut events, "pause_over").await, json!({ "done": true }));
    // It is seen, and steered, also while the script goes on.
    for (key, kind) in [("Tab", "down"), ("Tab", "up"), ("Enter", "down"), ("Enter", "up")] {
        let pressed = json!({ "type": "key", "kind": kind, "key": key, "code": key, "location": 0, "repeat": false, "modifiers": 0 });
        say(&mut person, pressed).await;
    }
    assert_eq!(told(&mut events, "pause").await["reason"], "second");
    say(&mut person, json!({ "type": "done" })).await;
    assert_eq!(heard(&mut person, "closed").await["reason"], "done");
    assert_eq!(events.rest().await.pop().unwrap().2, json!({ "status": "completed" }));
    assert_eq!(result(&rig, &job).await.json()["result"], "first");
    rig.stop().await;
}
