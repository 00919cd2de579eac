//! Every kind of state that is promised, through two processes: one writes and saves it, the next finds it. Kinds are counted; what
//! is not kept has to be named.

use rhaven::base::Tenant;
use rhaven::page::{Frame, GotoOptions, Page, UrlPattern};
use rhaven::session::{Saved, Session, SessionOptions, Workspace};
use serde_json::{Value, json};

use super::child::{ChildProcess, Task, room, tell};
use super::embedded::embed;
use super::matrix::{KINDS, Kind, popup};
use super::permissions;
use super::profile::{
    BOOKMARK, BOOKMARKS, HISTORY, PASSWORD, PASSWORDS, SECRET_KEY, assert_nothing_left, in_settings, profile,
};
use super::rig::{Rig, evaluate, goto, id, soon};

const VALUES: &str = include_str!("values.js");

/// What a server sets: no page can set all of it.
const SET: &str = "cookies?plain=1&long=2;%20Max-Age=86400&http=3;%20HttpOnly&strict=4;%20SameSite=Strict&lax=5;%20SameSite=Lax\
                   &secure=6;%20Secure;%20SameSite=None&__Host-h=7;%20Secure;%20Path=/&high=8;%20Priority=High&low=9;%20Priority=Low\
                   &deep=10;%20Path=/echo&part=11;%20Secure;%20SameSite=None;%20Partitioned";
const SET_IN_FRAME: &str = "cookies?framed=12;%20Secure;%20SameSite=None;%20Partitioned";

/// An attribute, the cookie that has it, and how Chromium tells of it.
type Attribute = (&'static str, &'static str, fn(&Value) -> bool);

const ATTRIBUTES: &[Attribute] = &[
    ("without an expiry date", "plain", |c| c.get("expires").is_none()),
    ("with an expiry date", "long", |c| c["expires"].is_f64()),
    ("HttpOnly", "http", |c| c["httpOnly"] == true),
    ("SameSite=Strict", "strict", |c| c["sameSite"] == "Strict"),
    ("SameSite=Lax", "lax", |c| c["sameSite"] == "Lax"),
    ("SameSite=None", "secure", |c| c["sameSite"] == "None"),
    ("without SameSite", "plain", |c| c.get("sameSite").is_none()),
    ("Secure", "secure", |c| c["secure"] == true),
    ("__Host-", "__Host-h", |c| c["secure"] == true && c["path"] == "/" && c["domain"] == "localhost"),
    ("high priority", "high", |c| c["priority"] == "High"),
    ("low priority", "low", |c| c["priority"] == "Low"),
    ("a path", "deep", |c| c["path"] == "/echo"),
    ("the scheme that set it", "plain", |c| c["sourceScheme"] == "NonSecure"),
    ("the port that set it", "plain", |c| c["sourcePort"].as_i64().is_some_and(|port| port > 1023)),
    ("a partition key of its own site", "part", |c| c["partitionKey"]["hasCrossSiteAncestor"] == false),
    ("a partition key of another site", "framed", |c| {
        c["partitionKey"]["hasCrossSiteAncestor"] == true
            && c["partitionKey"]["topLevelSite"].as_str().unwrap().starts_with("http://127.0.0.1")
    }),
];

/// Storage of a frame of another site.
const IN_FRAME: &[Kind] = &[
    Kind {
        store: "localStorage",
        name: "partitioned localStorage",
        write: "localStorage.setItem('token', 'framed')",
        read: "localStorage.getItem('token')",
        wanted: || json!("framed"),
    },
    Kind {
        store: "indexedDB",
        name: "a partitioned database",
        write: "await new Promise(done => { const r = indexedDB.open('framed', 2); r.onupgradeneeded = () => r.result.createObjectStore('s');
                  r.onsuccess = () => { r.result.close(); done(); }; })",
        read: "(await indexedDB.databases()).map(d => [d.name, d.version])",
        wanted: || json!([["framed", 2]]),
    },
    Kind {
        store: "cacheStorage",
        name: "a partitioned cache",
        write: "await (await caches.open('framed')).put('/x', new Response('cached'))",
        read: "await (await (await caches.open('framed')).match('/x'))?.text()",
        wanted: || json!("cached"),
    },
];

/// Writes all of these.
async fn write(frame: &Frame, kinds: impl Iterator<Item = &'static Kind>) {
    let writes: Vec<_> = kinds.map(|kind| format!("{{ {}; }}", kind.write)).collect();
    frame.evaluate(&format!("async () => {{ {} }}", writes.join("\n")), None, soon()).await.unwrap();
}

/// Tells which of these a page finds as they were written.
async fn look(frame: &Frame, kinds: impl Iterator<Item = &'static Kind>) {
    for kind in kinds {
        let read = format!("async () => {{ try {{ return {}; }} catch (e) {{ return String(e); }} }}", kind.read);
        let found = frame.evaluate(&read, None, soon()).await.unwrap();
        if found == (kind.wanted)() { found_kind(kind.name) } else { tell(format_args!("lost {}: {found}", kind.name)) }
    }
}

fn found_kind(name: impl std::fmt::Display) {
    tell(format_args!("kind {name}"));
}

fn is_found(name: &str, found: &Value, wanted: &Value) {
    if found == wanted { found_kind(name) } else { tell(format_args!("lost {name}: {found}")) }
}

/// What the child processes do: write all, or look for all. Each tells what it sees of it.
pub async fn visit(task: &Task) {
    let [one, other] = &task.urls;
    let (writing, is_profile) = (task.tag.contains("write"), task.tag.contains("profile"));
    let workspace = Workspace::new(Rig::config_at(&task.home));
    // It is a profile session from then on.
    let options = if writing && is_profile { profile() } else { SessionOptions::default() };
    let session = workspace.session(&id("acme"), &options).await.unwrap();
    assert_eq!(session.is_profile(), is_profile);
    if writing {
        let page = session.page().await.unwrap();
        if is_profile {
            keep_in_browser(&page).await;
        }
        goto(&page, &format!("{other}{SET}")).await;
        goto(&page, one).await;
        write(&page.main_frame(), KINDS.iter().chain([&SECRET_KEY])).await;
        let frame = embed(&page, &page.main_frame(), &format!("{other}{SET_IN_FRAME}")).await;
        write(&frame, IN_FRAME.iter()).await;
        permissions::set(&page, "geolocation", allowed(), one.trim_end_matches('/')).await;
        popup(&session, &page, &format!("{other}first?tab=2"), "noopener").await;
    } else {
        session.reopen_tabs(soon()).await.unwrap();
    }
    look_around(&session, [one, other]).await;
    if is_profile && !writing {
        look_in_browser(&session.pages()[1]).await;
    }
    let outcome = workspace.finish(soon()).await.remove(0);
    tell(format_args!("outcome {}", json!(outcome)));
}

fn allowed() -> chromiumoxide::cdp::browser_protocol::browser::PermissionSetting {
    chromiumoxide::cdp::browser_protocol::browser::PermissionSetting::Granted
}

/// Tells which kinds are there, and whatever cookies there are.
async fn look_around(session: &Session, [one, other]: [&String; 2]) {
    let page = session.page().await.unwrap();
    page.wait_for_load_state(rhaven::page::LoadState::Load, soon()).await.unwrap();
    let second = UrlPattern::Glob("**tab=2".into());
    session.pages()[1].wait_for_url(&second, &GotoOptions::default(), soon()).await.unwrap();
    let tabs: Vec<_> = session.pages().iter().map(|page| page.main_frame().url()).collect();
    is_found("open tabs", &json!(tabs), &json!([one, format!("{other}first?tab=2")]));
    look(&page.main_frame(), KINDS.iter().chain([&SECRET_KEY])).await;
    let values = evaluate(&page, &format!("async () => {{ {VALUES}; return await check(); }}")).await;
    for name in values["names"].as_array().unwrap() {
        let is_lost = values["failures"].as_array().unwrap().contains(name);
        tell(format_args!("{} value: {}", if is_lost { "lost" } else { "kind" }, name.as_str().unwrap()));
    }
    let frame = embed(&page, &page.main_frame(), &format!("{other}?again")).await;
    look(&frame, IN_FRAME.iter()).await;
    is_found("permissions", &permissions::states(&page).await[0], &json!("granted"));

    let mut cookies: Vec<Value> = session.cookies(None, soon()).await.unwrap().into_iter().map(Value::Object).collect();
    for cookie in &mut cookies {
        // A double with microseconds; everything else has to be equal to the letter.
        if let Some(expires) = cookie.get("expires").and_then(Value::as_f64) {
            cookie["expires"] = json!(expires.round());
        }
    }
    cookies.sort_by_key(ToString::to_string);
    for (attribute, name, holds) in ATTRIBUTES {
        let named = cookies.iter().find(|cookie| cookie["name"] == *name);
        is_found(&format!("cookie: {attribute}"), &json!(named.is_some_and(holds)), &json!(true));
    }
    let seen = frame.evaluate("document.cookie", None, soon()).await.unwrap();
    let sent = "fetch('/echo').then(answer => answer.text())";
    let sent = session.pages()[1].main_frame().evaluate(sent, None, soon()).await.unwrap();
    let sorted = |text: &Value| {
        let mut all: Vec<_> = text.as_str().unwrap().split("; ").map(str::to_owned).collect();
        all.sort();
        all
    };
    tell(format_args!("cookies {}", json!([cookies, sorted(&seen), sorted(&sent)])));
}

async fn keep_in_browser(page: &Page) {
    assert_eq!(in_settings(page, "chrome://bookmarks", BOOKMARK).await, json!("mine"));
    assert_eq!(in_settings(page, "chrome://password-manager/passwords", PASSWORD).await, json!("kept"));
}

async fn look_in_browser(page: &Page) {
    let bookmarks = in_settings(page, "chrome://bookmarks", BOOKMARKS).await;
    is_found("bookmarks", &bookmarks, &json!(["https://b.example/"]));
    let passwords = in_settings(page, "chrome://password-manager/passwords", PASSWORDS).await;
    is_found("saved passwords", &passwords, &json!(["user"]));
    let titles = in_settings(page, "chrome://history", HISTORY).await;
    let visited = ["page", "first"].iter().all(|title| titles.as_array().unwrap().contains(&json!(title)));
    is_found("history", &json!(visited), &json!(true));
}

/// What a child told.
struct Told {
    kinds: Vec<String>,
    lost: Vec<String>,
    cookies: Value,
    outcome: Value,
}

/// One visit, in a process of its own and in a folder of its own for browsers.
fn in_another_process(rig: &Rig, tag: &str) -> Told {
    let room = room();
    let task = Task { tag: tag.to_owned(), ..Task::of(rig, "visit") };
    let told = ChildProcess::start(&task, room.path()).done();
    let all = |start: &str| -> Vec<String> {
        let mut all: Vec<_> = told.iter().filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect();
        all.sort();
        all
    };
    let json = |start| serde_json::from_str(&all(start)[0]).unwrap();
    Told { kinds: all("kind "), lost: all("lost "), cookies: json("cookies "), outcome: json("outcome ") }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_state_comes_back_in_another_process() {
    let rig = Rig::start().await;
    let written = tokio::task::block_in_place(|| in_another_process(&rig, "write"));
    assert_eq!(written.lost, Vec::<String>::new(), "a page does not find what it wrote itself");
    assert_eq!((&written.outcome["save_error"], &written.outcome["updated"]), (&Value::Null, &json!(true)));
    for kind in KINDS.iter().chain(IN_FRAME) {
        let named = written.outcome["changes"].as_array().unwrap().iter().any(|change| change["store"] == kind.store);
        assert!(named, "{} is not named: {}", kind.name, written.outcome["changes"]);
    }
    let found = tokio::task::block_in_place(|| in_another_process(&rig, "read"));
    let partial = written.outcome["partial"].as_array().unwrap();
    println!(
        "{} kinds written, {} kept, {} named as not kept: {partial:?}",
        written.kinds.len(),
        found.kinds.len(),
        partial.len()
    );
    // The one that is not kept is named, with its place and the reason.
    let [one] = &**partial else { panic!("{partial:?}") };
    assert_eq!(
        (&one["origin"], &one["store"], &one["key"]),
        (&json!(rig.url("/")), &json!("indexedDB:keys/s"), &json!("mine"))
    );
    assert!(one["reason"].as_str().unwrap().contains("extract"), "{one}");
    let kept: Vec<_> = written.kinds.iter().filter(|kind| *kind != SECRET_KEY.name).cloned().collect();
    assert_eq!((&found.kinds, kept.len()), (&kept, written.kinds.len() - 1), "{:#?}", found.lost);
    assert_eq!(found.lost.len(), 1, "{:#?}", found.lost);
    assert!(kept.len() > 100, "{}", kept.len());
    assert_eq!(found.cookies, written.cookies);
    assert_eq!(found.outcome["changes"], json!([]));
    assert_eq!((&found.outcome["updated"], &found.outcome["save_error"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_state_comes_back_in_a_profile_in_another_process() {
    let rig = Rig::start().await;
    let written = tokio::task::block_in_place(|| in_another_process(&rig, "write profile"));
    assert_eq!(written.lost, Vec::<String>::new(), "a page does not find what it wrote itself");
    assert_eq!((&written.outcome["saved"], &written.outcome["partial"]), (&json!(Saved::Full), &json!([])));
    // Another process, another folder.
    let found = tokio::task::block_in_place(|| in_another_process(&rig, "read profile"));
    println!("{} kinds written, {} kept", written.kinds.len() + 3, found.kinds.len());
    assert_eq!(found.lost, Vec::<String>::new());
    let mut wanted = written.kinds.clone();
    wanted.extend(["bookmarks", "history", "saved passwords"].map(str::to_owned));
    wanted.sort();
    assert_eq!(found.kinds, wanted);
    assert_eq!(found.cookies, written.cookies);
    assert_eq!((&found.outcome["changes"], &found.outcome["saved"]), (&json!([]), &json!(Saved::Full)));
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    let kept = info.profile.unwrap();
    assert_eq!((kept.saved, info.partial), (Saved::Full, vec![]));
    assert!(kept.files > 20 && kept.bytes > 100_000 && kept.chromium.unwrap().contains('.'));
    assert_nothing_left();
}
