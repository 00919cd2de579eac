//! What a live browser keeps: everything, on another machine too, and nothing that others could read; and what is left of it by each way
//! in which it can end.

use std::time::Duration;

use axum::response::{Html, Redirect};
use axum::routing::get;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::browser::{evaluate, goto};
use super::machine::{Common, Machine, Serving, files};
use super::rig::Rig;
use super::site::Site;
use super::vm::{Socket, client, end, heard, in_time, made, say, shown, text, token_of};
use crate::processes::outlived;

/// Stands in everything that is kept.
const NEEDLE: &str = "swordfish";
/// How long processes that were told to end may take.
const PATIENCE: Duration = Duration::from_mins(1);

const SIGN_IN: &str = "<!doctype html><title>swordfish title</title><form method=post>
    <input id=u name=u autocomplete=username style='position:absolute;left:10px;top:10px;width:200px;height:30px'>
    <input id=p name=p type=password autocomplete=current-password style='position:absolute;left:10px;top:60px;width:200px;height:30px'>
    <button style='position:absolute;left:10px;top:110px'>in</button></form>";

/// A site with a form to sign in by; where it is.
async fn sign_in_site() -> String {
    let form = get(|| async { Html(SIGN_IN) }).post(|| async { Redirect::to("/in") });
    let app = axum::Router::new().route("/", form).route("/in", get(|| async { Html("<title>in</title>") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/")
}

/// Joins the live page.
async fn joined(serving: &Serving, live: &Value) -> Socket {
    let (id, token) = (text(live, "session_id"), token_of(text(live, "embed_url")));
    let mut request = format!("ws://{}/live/{id}/socket", serving.host()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", format!("rhaven.v1, token.{token}").parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    heard(&mut socket, "hello").await;
    socket
}

async fn click(person: &mut Socket, y: u32) {
    for kind in ["move", "down", "up"] {
        let buttons = u8::from(kind == "down");
        say(
            person,
            json!({ "type": "mouse", "kind": kind, "x": 50, "y": y, "button": 0, "buttons": buttons, "clicks": 1 }),
        )
        .await;
    }
}

/// Waits until the page that is in front is bookmarked.
async fn bookmarked(person: &mut Socket, url: &str) {
    let told = heard(person, "bookmarked").await;
    assert_eq!((&told["url"], &told["is"]), (&json!(url), &json!(true)));
}

const WRITE: &str = "document.cookie = 'session=swordfish-1'; document.cookie = 'lasting=swordfish-2; max-age=9999';
    localStorage.kept = 'swordfish-3';
    new Promise((done, failed) => { const r = indexedDB.open('d'); r.onupgradeneeded = () => r.result.createObjectStore('s').put('swordfish-4', 'k');
        r.onerror = failed; r.onsuccess = () => { r.result.close(); done(true); }; })";
const READ: &str = "new Promise((done, failed) => { const r = indexedDB.open('d'); r.onerror = failed; r.onsuccess = () => {
    const g = r.result.transaction('s').objectStore('s').get('k');
    g.onsuccess = () => done([document.cookie.split('; ').sort().join(), localStorage.kept, g.result].join(' ')); }; })";
const KEPT: &str = "lasting=swordfish-2,session=swordfish-1 swordfish-3 swordfish-4";

/// Signs in as a person does, and has everything kept.
async fn sign_in(serving: &Serving, live: &Value, site: &str) {
    let (browser, tab) = client(live).await;
    let mut person = joined(serving, live).await;
    let url = format!("{site}?swordfish-history");
    goto(&tab, &url).await;
    evaluate(tab.cdp(), WRITE).await;
    in_time("the page", async {
        while heard(&mut person, "tabs").await["tabs"].to_string().matches(&url).count() < 1 {}
    })
    .await;
    say(&mut person, json!({ "type": "bookmark" })).await;
    bookmarked(&mut person, &url).await;
    click(&mut person, 25).await;
    say(&mut person, json!({ "type": "text", "text": "ann" })).await;
    click(&mut person, 75).await;
    say(&mut person, json!({ "type": "text", "text": "swordfish-5" })).await;
    for kind in ["down", "up"] {
        say(&mut person, json!({ "type": "key", "kind": kind, "key": "Enter", "code": "Enter", "modifiers": 0 })).await;
    }
    let offer = heard(&mut person, "password_offer").await;
    assert_eq!((&offer["username"], offer["origin"].as_str()), (&json!("ann"), Some(site.trim_end_matches('/'))));
    say(&mut person, json!({ "type": "save_password", "id": offer["id"], "accept": true })).await;
    // What is asked last is kept, too: the end of the browser waits for it.
    say(&mut person, json!({ "type": "ping", "t": 1 })).await;
    heard(&mut person, "pong").await;
    drop(browser);
}

/// Everything is there that was kept.
async fn look(serving: &Serving, live: &Value, site: &str) {
    let history =
        serving.profiles().iter().any(|folder| has_needle(&folder.join("Default/History"), b"swordfish-history"));
    assert!(history, "the history has the page");
    let (browser, tab) = client(live).await;
    let mut person = joined(serving, live).await;
    let url = format!("{site}?swordfish-history");
    goto(&tab, &url).await;
    assert_eq!(evaluate(tab.cdp(), READ).await, json!(KEPT));
    bookmarked(&mut person, &url).await;
    // Chromium fills it in, once somebody does something in the page; what comes before that is drawn it drops.
    in_time("a password that is filled in", async {
        while evaluate(tab.cdp(), "p.value === 'swordfish-5' && u.value === 'ann'").await != json!(true) {
            click(&mut person, 300).await;
            say(&mut person, json!({ "type": "ping", "t": 1 })).await;
            heard(&mut person, "pong").await;
        }
    })
    .await;
    drop(browser);
}

fn has_needle(file: &std::path::Path, needle: &[u8]) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_again_on_another_machine_and_nobody_can_read_it() {
    let common = Common::start();
    let (one, other) = (Machine::on(&common), Machine::on(&common));
    let (token, site) = (one.token(), sign_in_site().await);
    let serving = one.serve(&token);
    let live = serving.made(json!({ "profile": { "save": true } })).await;
    let id = text(&live, "session_id").to_owned();
    sign_in(&serving, &live, &site).await;
    let mut folders = serving.profiles();
    assert_eq!(folders.len(), 1, "{folders:?}");
    serving.delete(&live).await;
    assert_eq!(serving.end_of(&live).await, (json!("request"), json!("full")));
    assert_eq!(serving.browsers(), []);
    // On another machine, while the first still runs; its end comes by a signal.
    let elsewhere = other.serve(&token);
    let again = elsewhere.made(json!({ "profile": id })).await;
    look(&elsewhere, &again, &site).await;
    let (status, busy) = serving.ask(Method::POST, "/v0/vm", Some(json!({ "profile": id }))).await;
    assert_eq!((status, &busy["error"]["code"]), (StatusCode::CONFLICT, &json!("session_busy")), "{busy}");
    folders.extend(elsewhere.profiles());
    let browsers = elsewhere.browsers();
    assert_eq!(elsewhere.terminate().code(), Some(0), "{}", other.log());
    assert_eq!(outlived(&browsers, PATIENCE), []);
    // After a restart.
    assert_eq!(serving.terminate().code(), Some(0), "{}", one.log());
    let serving = one.serve(&token);
    assert_eq!(serving.end_of(&again).await, (json!("shutdown"), json!("full")));
    let loaded = serving.made(json!({ "profile": { "load": id } })).await;
    look(&serving, &loaded, &site).await;
    folders.extend(serving.profiles());
    serving.delete(&loaded).await;
    assert_eq!(serving.end_of(&loaded).await, (json!("request"), json!("none")));
    assert_eq!(serving.terminate().code(), Some(0), "{}", one.log());

    assert!(folders.len() == 3 && !folders.iter().any(|folder| folder.exists()), "{folders:?}");
    let kept = common.s3.keys();
    assert!(kept.len() > 3, "{kept:?}");
    for key in kept {
        let bytes = common.s3.object(&key);
        for needle in [NEEDLE, &id] {
            let found = key.contains(needle) || bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
            assert!(!found, "{needle} can be read in {key}");
        }
    }
    for file in files(common.redis.folder.path()) {
        assert!(![NEEDLE, &id].iter().any(|needle| has_needle(&file, needle.as_bytes())), "{}", file.display());
    }
    for file in files(one.home.path()).into_iter().chain(files(other.home.path())) {
        assert!(!has_needle(&file, NEEDLE.as_bytes()), "{} can be read", file.display());
    }
}

/// Writes into localStorage alone, which is the first that differs from what is saved; waits until as many states are kept beside.
async fn keep_beside(machine: &Machine, live: &Value, site: &Site, word: &str, wanted: i64) {
    let (browser, tab) = client(live).await;
    goto(&tab, &site.url("/")).await;
    evaluate(tab.cdp(), &format!("localStorage.word = {word:?}")).await;
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    in_time("a checkpoint", async {
        while machine.checkpoints() != wanted {
            looks.tick().await;
        }
    })
    .await;
    drop(browser);
}

async fn word(live: &Value, site: &Site) -> Value {
    let (browser, tab) = client(live).await;
    goto(&tab, &site.url("/")).await;
    let word = evaluate(tab.cdp(), "localStorage.word").await;
    drop(browser);
    word
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_or_a_server_that_is_killed_leaves_the_last_archive_and_the_state() {
    let (machine, site, form) = (Machine::alone(), Site::start().await, sign_in_site().await);
    let token = machine.token();
    let serving = machine.serve(&token);
    let first = serving.made(json!({ "profile": true })).await;
    let id = text(&first, "session_id").to_owned();
    sign_in(&serving, &first, &form).await;
    serving.delete(&first).await;

    // Chromium is killed.
    let crashed = serving.made(json!({ "profile": id })).await;
    assert_eq!(serving.shown(&crashed).await["saved"], "full", "as it was last archived");
    keep_beside(&machine, &crashed, &site, "crashed", 1).await;
    let browsers = serving.browsers();
    browsers.iter().for_each(crate::processes::Process::kill);
    in_time("its end", async {
        while serving.shown(&crashed).await["termination_date"].is_null() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(serving.end_of(&crashed).await, (json!("crashed"), json!("state")));
    assert_eq!(outlived(&browsers, PATIENCE), []);
    // At once: nobody holds it any more.
    let after = serving.made(json!({ "profile": id })).await;
    assert_eq!(word(&after, &site).await, json!("crashed"));
    serving.delete(&after).await;
    assert_eq!(serving.end_of(&after).await, (json!("request"), json!("full")));

    // The server is killed: of one that was saved before, of a new one, and of one in which nothing was done.
    let over = serving.made(json!({ "profile": id })).await;
    keep_beside(&machine, &over, &site, "over", 1).await;
    let new = serving.made(json!({ "profile": true })).await;
    keep_beside(&machine, &new, &site, "new", 2).await;
    let idle = serving.made(json!({ "profile": true })).await;
    let (browsers, folders) = (serving.browsers(), serving.profiles());
    assert_eq!(folders.len(), 3, "{folders:?}");
    serving.kill();
    assert_eq!(outlived(&browsers, PATIENCE), []);
    let serving = machine.serve(&token);
    for (live, saved) in [(&over, "state"), (&new, "state"), (&idle, "none")] {
        assert_eq!(serving.end_of(live).await, (json!("lost"), json!(saved)), "{live}");
    }
    let loaded = serving.made(json!({ "profile": { "load": new["session_id"] } })).await;
    assert_eq!(word(&loaded, &site).await, json!("new"));
    let after = serving.made(json!({ "profile": id })).await;
    assert_eq!(word(&after, &site).await, json!("over"));
    look(&serving, &after, &form).await;
    assert!(!folders.iter().any(|folder| folder.exists()), "what the killed one had is removed: {folders:?}");
    // Known from its start on, and empty until its first save.
    let empty = serving.made(json!({ "profile": idle["session_id"] })).await;
    assert_eq!(word(&empty, &site).await, Value::Null);
    let browsers = serving.browsers();
    serving.delete(&empty).await;
    serving.delete(&loaded).await;
    serving.delete(&after).await;
    // It stays as it was told.
    assert_eq!(serving.end_of(&over).await, (json!("lost"), json!("state")));
    assert_eq!(serving.end_of(&after).await, (json!("request"), json!("full")));
    assert_eq!(outlived(&browsers, PATIENCE), []);
    assert_eq!(serving.terminate().code(), Some(0), "{}", machine.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_every_time_that_is_over_all_is_saved_and_whoever_wants_it_waits_for_that() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    for (name, seconds) in [("absolute", 2), ("inactive", 2), ("offline", 3)] {
        let timeout = json!({ "offline": null, "warning": null, name: seconds });
        let live = made(&rig, &json!({ "profile": true, "timeout": timeout, "start_url": site.url("/") })).await;
        let id = text(&live, "session_id").to_owned();
        if name == "offline" {
            // Nobody is there, and it ends soon: this waits for it.
            let next = made(&rig, &json!({ "profile": id })).await;
            end(&rig, text(&next, "session_id")).await;
        }
        in_time("its end", async {
            while shown(&rig, &id).await["termination_date"].is_null() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let after = shown(&rig, &id).await;
        assert_eq!((&after["saved"], &after["termination_reason"]), (&json!("full"), &json!(name)), "{after}");
    }
    rig.stop().await;
}
