//! Profile sessions: a browser of their own, whose whole user-data directory is kept.

use std::path::PathBuf;

use rhaven::base::Tenant;
use rhaven::browser::LaunchOptions;
use rhaven::page::Page;
use rhaven::session::{Mode, Saved, SessionOptions};
use serde_json::{Value, json};

use super::matrix::{KINDS, Kind};
use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// A key that no page can give away, in a database of its own.
pub const SECRET_KEY: Kind = Kind {
    store: "indexedDB",
    name: "a key that cannot leave the page",
    write: "const { privateKey: key } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
            await new Promise(done => { const r = indexedDB.open('keys', 1);
              r.onupgradeneeded = () => r.result.createObjectStore('s').put(key, 'mine');
              r.onsuccess = () => { r.result.close(); done(); }; })",
    read: "await new Promise(done => { const r = indexedDB.open('keys');
             r.onsuccess = () => { const g = r.result.transaction('s').objectStore('s').get('mine');
               g.onsuccess = async () => { r.result.close();
                 if (!g.result) return done(null);
                 const signed = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, g.result, new Uint8Array(3));
                 done([g.result.extractable, signed.byteLength]); }; }; })",
    wanted: || json!([false, 64]),
};

pub fn profile() -> SessionOptions {
    SessionOptions { profile: Some(true), ..SessionOptions::default() }
}

pub fn all_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain([&SECRET_KEY])
}

pub fn write_all() -> String {
    let writes: Vec<_> = all_kinds().map(|kind| format!("{{ {}; }}", kind.write)).collect();
    format!("async () => {{ {} }}", writes.join("\n"))
}

pub async fn read_all(page: &Page) {
    let reads: Vec<_> = all_kinds().map(|kind| format!("out.push({});", kind.read)).collect();
    let read = evaluate(page, &format!("async () => {{ const out = []; {} return out; }}", reads.join("\n"))).await;
    for (kind, read) in all_kinds().zip(read.as_array().unwrap()) {
        assert_eq!(read, &(kind.wanted)(), "{}", kind.name);
    }
}

/// Living children of this process, by pid and command line.
pub fn browsers() -> Vec<(u32, Vec<String>)> {
    let me = std::process::id().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let child = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = line.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        (fields[0] != "Z" && fields[1] == me).then_some((pid, line))
    };
    pids.filter_map(child).filter(|(_, line): &(u32, Vec<String>)| line[0].contains("chrom")).collect()
}

/// The main process of the browser that a profile session has for itself.
pub fn own_browser() -> u32 {
    let own: Vec<_> = browsers().into_iter().filter(|(_, line)| !line[0].ends_with("shell")).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    own[0].0
}

pub fn kill_own_browser() {
    let pid = rustix::process::Pid::from_raw(own_browser().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Nothing of this process may be left: neither its browsers' folders nor their processes.
pub fn assert_nothing_left() {
    assert_eq!(browsers(), []);
    let owner = format!("\"pid\":{},", std::process::id());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parents = ["/dev/shm".into(), std::env::temp_dir()].into_iter().chain(runtime);
    let folders = parents.filter_map(|parent| std::fs::read_dir(parent).ok()).flatten().flatten();
    let ours = folders.filter(|folder| {
        std::fs::read_to_string(folder.path().join("owner.json")).is_ok_and(|text| text.contains(&owner))
    });
    assert_eq!(ours.map(|folder| folder.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// Evaluates in a page of the browser's own, where some parts come a moment after its load.
pub async fn in_settings(page: &Page, url: &str, expression: &str) -> Value {
    goto(page, url).await;
    evaluate(page, expression).await
}

/// Adds a bookmark, and waits until the browser says that it has it.
pub const BOOKMARK: &str = "new Promise(done => chrome.bookmarks.create({ parentId: '1', title: 'mine', url: 'https://b.example/' }, node => done(node.title)))";
pub const BOOKMARKS: &str =
    "new Promise(done => chrome.bookmarks.search('mine', list => done(list.map(node => node.url))))";
pub const PASSWORD: &str = "new Promise(done => chrome.passwordsPrivate.addPassword(
    { url: 'https://p.example/', username: 'user', password: 'pw-7', note: '', useAccountStore: false },
    () => done(chrome.runtime.lastError?.message ?? 'kept')))";
pub const PASSWORDS: &str = "new Promise(done => chrome.passwordsPrivate.getCredentialGroups(groups =>
    done(groups.flatMap(group => group.entries).map(entry => entry.username))))";
/// The titles of the history, out of the shadow trees that the page is made of, as soon as there are any.
pub const HISTORY: &str = "new Promise(done => {
    const all = root => [...root.querySelectorAll('*')].flatMap(one => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
    const look = () => { const items = all(document).filter(one => one.localName === 'history-item');
      const titles = items.map(one => one.shadowRoot?.querySelector('#link')?.getAttribute('title') ?? '').filter(Boolean);
      titles.length ? done(titles) : requestAnimationFrame(look); };
    look(); })";

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_a_later_chromium_is_not_opened() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let url = rig.url("/");
        async move { goto(&page, &url).await }
    })
    .await;
    let old = rig.home.path().join("chromium");
    let source = "#include <stdio.h>\nint main(void) { puts(\"Chromium 90.0.4430.212\"); return 0; }";
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-x", "c", "-", "-o"]).arg(&old).stdin(std::process::Stdio::piped());
    let mut compiler = compiler.spawn().expect("a C compiler: .ci/install toolchain");
    std::io::Write::write_all(&mut compiler.stdin.take().unwrap(), source.as_bytes()).unwrap();
    assert!(compiler.wait().unwrap().success());
    let workspace = rig.workspace_with(LaunchOptions { executable: Some(old), ..LaunchOptions::default() });
    let error = workspace.session(&id("acme"), &profile()).await.err().unwrap();
    assert_eq!(error.code(), "profile_newer", "{error}");
    assert_eq!(workspace.finish(soon()).await.len(), 0);
    // It is nobody's: the lease was given back.
    rig.visit("1").await;
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_and_a_state_session_are_open_in_one_run() {
    let rig = Rig::start().await;
    let set = |text: &str| format!("localStorage.setItem('k', '{text}'); document.cookie = 'k={text}'");
    let get = "[localStorage.getItem('k'), document.cookie]";
    for round in 0..2 {
        let workspace = rig.workspace();
        let options = if round == 0 { profile() } else { SessionOptions::default() };
        let mut pages = Vec::new();
        for (name, options) in [("profile", options), ("state", SessionOptions::default())] {
            let session = workspace.session(&id(name), &options).await.unwrap();
            let page = session.page().await.unwrap();
            goto(&page, &rig.url("/")).await;
            if round == 0 {
                evaluate(&page, &set(name)).await;
            }
            pages.push((name, page));
        }
        for (name, page) in pages {
            assert_eq!(evaluate(&page, get).await, json!([name, format!("k={name}")]));
        }
        let outcomes = workspace.finish(soon()).await;
        let saved: Vec<_> = outcomes.iter().map(|outcome| (outcome.save_error.clone(), outcome.saved)).collect();
        assert_eq!(saved, [(None, Some(Saved::Full)), (None, None)]);
        assert_nothing_left();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_puts_a_profile_back() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let url = rig.url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, "localStorage.setItem('k', 'kept')").await;
        }
    })
    .await;
    let workspace = rig.workspace();
    for round in 0..3 {
        let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        assert_eq!(evaluate(&page, "localStorage.getItem('k')").await, json!("kept"), "round {round}");
        evaluate(&page, "localStorage.setItem('k', 'dropped')").await;
        let before = own_browser();
        match round {
            0 => workspace.reset().await,
            1 => workspace.restart(None).await,
            _ => break,
        }
        assert!(!browsers().iter().any(|(pid, _)| *pid == before), "the browser lives");
        workspace.keep_warm().await;
    }
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((changes(&outcome), outcome.saved), (vec!["changed localstorage k".to_owned()], Some(Saved::Full)));
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_session_becomes_a_profile_session_and_stays_one() {
    let rig = Rig::start().await;
    let (one, other) = (rig.url("/"), rig.other_url("/"));
    rig.run(|_, page| {
        let (one, other) = (one.clone(), other.clone());
        async move {
            for url in [one, other] {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('k', location.host); document.cookie = 's=1'").await;
            }
        }
    })
    .await;
    let seen = json!([true, "s=1"]);
    let look = "[localStorage.getItem('k') === location.host, document.cookie]";
    // Only one of both is visited: the other is laid over the archive that this makes.
    for url in [&one, &other] {
        let options = if url == &one { profile() } else { SessionOptions::default() };
        let outcome = rig
            .run_with(&options, |_, page| {
                let seen = seen.clone();
                async move {
                    goto(&page, url).await;
                    assert_eq!(evaluate(&page, look).await, seen);
                }
            })
            .await;
        assert_eq!((outcome.save_error, outcome.changes, outcome.saved), (None, vec![], Some(Saved::Full)));
    }
    let workspace = rig.workspace();
    let no_profile = SessionOptions { profile: Some(false), ..SessionOptions::default() };
    let error = workspace.session(&id("acme"), &no_profile).await.err().unwrap();
    assert_eq!(error.code(), "session_kind", "{error}");
    workspace.session(&id("plain"), &no_profile).await.unwrap();
    let error = workspace.session(&id("plain"), &profile()).await.err().unwrap();
    assert_eq!(error.code(), "session_kind", "{error}");
    // Read only, whoever holds it.
    let reader = SessionOptions { mode: Mode::ReadOnly, ..SessionOptions::default() };
    let session = workspace.session(&id("acme"), &reader).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &one).await;
    assert_eq!(evaluate(&page, look).await, seen);
    let outcomes = workspace.finish(soon()).await;
    assert_eq!(outcomes[1].saved, Some(Saved::None));
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_without_an_expiry_outlive_the_last_page() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |session, page| {
        let url = rig.url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, "document.cookie = 's=1'; sessionStorage.setItem('step', '2')").await;
            page.close().await.unwrap();
            session.left().await;
        }
    })
    .await;
    let (_, seen) = rig.visit("[document.cookie, sessionStorage.getItem('step')]").await;
    assert_eq!(seen, json!(["s=1", "2"]));
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_and_a_fork_have_their_own_state_over_the_profile() {
    let rig = Rig::start().await;
    for (round, options) in [("1", profile()), ("2", SessionOptions::default()), ("3", SessionOptions::default())] {
        let outcome = rig
            .run_with(&options, |_, page| {
                let url = rig.url("/");
                async move {
                    goto(&page, &url).await;
                    evaluate(
                        &page,
                        &format!("localStorage.setItem('k', '{round}'); document.cookie = 'k={round}; max-age=99'"),
                    )
                    .await;
                }
            })
            .await;
        assert_eq!(outcome.saved, Some(Saved::Full));
    }
    let sessions = rig.sessions().await.unwrap();
    let tenant = Tenant::default();
    sessions.rollback(&tenant, &id("acme"), rhaven::base::Version(2)).await.unwrap();
    sessions.fork(&tenant, &id("acme"), &id("fork"), Some(rhaven::base::Version(1))).await.unwrap();
    let workspace = rig.workspace();
    for (name, wanted) in [("acme", "2"), ("fork", "1")] {
        let session = workspace.session(&id(name), &SessionOptions::default()).await.unwrap();
        assert!(session.is_profile());
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        let seen = evaluate(&page, "[localStorage.getItem('k'), document.cookie]").await;
        assert_eq!(seen, json!([wanted, format!("k={wanted}")]), "{name}");
    }
    assert_eq!(workspace.take_notices().iter().filter(|text| text.contains("profile")).count(), 0);
    workspace.finish(soon()).await;
    assert_nothing_left();
}
