//! Profile sessions: a browser of their own, whose whole user-data directory is kept.

use std::path::PathBuf;

use rhaven::base::Tenant;
use rhaven::browser::LaunchOptions;
use rhaven::page::Page;
use rhaven::session::{Mode, Saved, Saving, Session, SessionOptions};
use serde_json::{Value, json};

use super::dying::Run;
use super::matrix::{KINDS, Kind};
use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// A key that no page can give away, in a database of its own.
const SECRET_KEY: Kind = Kind {
    name: "indexedDB",
    write: "const { privateKey: key } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
            await new Promise(done => { const r = indexedDB.open('keys', 1);
              r.onupgradeneeded = () => r.result.createObjectStore('s').put(key, 'mine');
              r.onsuccess = () => { r.result.close(); done(); }; })",
    read: "await new Promise(done => { const r = indexedDB.open('keys');
             r.onsuccess = () => { const g = r.result.transaction('s').objectStore('s').get('mine');
               g.onsuccess = async () => { r.result.close();
                 const signed = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, g.result, new Uint8Array(3));
                 done([g.result.extractable, signed.byteLength]); }; }; })",
    wanted: || json!([false, 64]),
};

pub fn profile() -> SessionOptions {
    SessionOptions { profile: Some(true), ..SessionOptions::default() }
}

fn all_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain([&SECRET_KEY])
}

fn write_all() -> String {
    let writes: Vec<_> = all_kinds().map(|kind| format!("{{ {}; }}", kind.write)).collect();
    format!("async () => {{ {} }}", writes.join("\n"))
}

async fn read_all(page: &Page) {
    let reads: Vec<_> = all_kinds().map(|kind| format!("out.push({});", kind.read)).collect();
    let read = evaluate(page, &format!("async () => {{ const out = []; {} return out; }}", reads.join("\n"))).await;
    for (kind, read) in all_kinds().zip(read.as_array().unwrap()) {
        assert_eq!(read, &(kind.wanted)(), "{}", kind.name);
    }
}

/// Living children of this process, by pid and command line.
fn browsers() -> Vec<(u32, Vec<String>)> {
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
fn own_browser() -> u32 {
    let own: Vec<_> = browsers().into_iter().filter(|(_, line)| !line[0].ends_with("shell")).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    own[0].0
}

fn kill_own_browser() {
    let pid = rustix::process::Pid::from_raw(own_browser().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Nothing of this process may be left: neither its browsers' folders nor their processes.
fn assert_nothing_left() {
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
async fn in_settings(page: &Page, url: &str, expression: &str) -> Value {
    goto(page, url).await;
    evaluate(page, expression).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_state_comes_back_in_a_profile() {
    let rig = Rig::start().await;
    let first = rig
        .run_with(&profile(), |_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, &write_all()).await;
            }
        })
        .await;
    assert_eq!((first.save_error, first.profile_error), (None, None));
    assert_eq!((first.saved, first.partial), (Some(Saved::Full), vec![]));
    // Opened without the option it is one all the same.
    let second = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                assert!(session.is_profile());
                goto(&page, &url).await;
                read_all(&page).await;
            }
        })
        .await;
    assert_eq!((second.save_error, second.changes), (None, vec![]));
    assert_eq!((second.saved, second.updated), (Some(Saved::Full), false));
    assert!(second.version > first.version);
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    let kept = info.profile.unwrap();
    assert_eq!((kept.saved, info.partial), (Saved::Full, vec![]));
    assert!(kept.files > 20 && kept.bytes > 100_000 && kept.chromium.unwrap().contains('.'));
    assert_nothing_left();
}

/// Adds a bookmark, and waits until the browser says that it has it.
const BOOKMARK: &str = "new Promise(done => chrome.bookmarks.create({ parentId: '1', title: 'mine', url: 'https://b.example/' }, node => done(node.title)))";
const BOOKMARKS: &str =
    "new Promise(done => chrome.bookmarks.search('mine', list => done(list.map(node => node.url))))";
const PASSWORD: &str = "new Promise(done => chrome.passwordsPrivate.addPassword(
    { url: 'https://p.example/', username: 'user', password: 'pw-7', note: '', useAccountStore: false },
    () => done(chrome.runtime.lastError?.message ?? 'kept')))";
const PASSWORDS: &str = "new Promise(done => chrome.passwordsPrivate.getCredentialGroups(groups =>
    done(groups.flatMap(group => group.entries).map(entry => entry.username))))";
/// The titles of the history, out of the shadow trees that the page is made of, as soon as there are any.
const HISTORY: &str = "new Promise(done => {
    const all = root => [...root.querySelectorAll('*')].flatMap(one => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
    const look = () => { const items = all(document).filter(one => one.localName === 'history-item');
      const titles = items.map(one => one.shadowRoot?.querySelector('#link')?.getAttribute('title') ?? '').filter(Boolean);
      titles.length ? done(titles) : requestAnimationFrame(look); };
    look(); })";

#[tokio::test(flavor = "multi_thread")]
async fn bookmarks_history_and_passwords_come_back() {
    let rig = Rig::start().await;
    let url = rig.url("/first");
    let first = rig
        .run_with(&profile(), |_, page| {
            let url = url.clone();
            async move {
                goto(&page, &url).await;
                assert_eq!(in_settings(&page, "chrome://bookmarks", BOOKMARK).await, json!("mine"));
                assert_eq!(in_settings(&page, "chrome://password-manager/passwords", PASSWORD).await, json!("kept"));
            }
        })
        .await;
    // Nothing of this is cookies or storage.
    assert_eq!((first.saved, first.updated, first.version.is_some()), (Some(Saved::Full), false, true));
    rig.run(|_, page| {
        async move {
            assert_eq!(in_settings(&page, "chrome://bookmarks", BOOKMARKS).await, json!(["https://b.example/"]));
            assert_eq!(in_settings(&page, "chrome://password-manager/passwords", PASSWORDS).await, json!(["user"]));
            let titles = in_settings(&page, "chrome://history", HISTORY).await;
            // Nothing of ours is among what was visited.
            assert_eq!(titles, json!(["first"]));
        }
    })
    .await;
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_saved_later_is_laid_over_the_archive() {
    let rig = Rig::start().await;
    let (one, other) = (rig.url("/"), rig.other_url("/"));
    let first = rig
        .run_with(&profile(), |_, page| {
            let (one, other) = (one.clone(), other.clone());
            async move {
                goto(&page, &other).await;
                evaluate(&page, "localStorage.setItem('gone', 'soon'); document.cookie = 'gone=soon; max-age=3600'")
                    .await;
                goto(&page, &one).await;
                evaluate(&page, &write_all()).await;
            }
        })
        .await;
    assert_eq!(first.saved, Some(Saved::Full));

    // A save in the middle is of the state alone; then the browser is killed.
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &other).await;
    evaluate(
        &page,
        "localStorage.clear(); document.cookie = 'gone=x; max-age=0'; document.cookie = 'late=1; max-age=3600'",
    )
    .await;
    let saved = session.save(soon()).await.unwrap().unwrap();
    assert_eq!(changes(&saved), ["added cookie late", "removed cookie gone", "removed localstorage gone"],);
    assert_eq!(saved.saved, Some(Saved::State));
    evaluate(&page, "localStorage.setItem('lost', '1')").await;
    kill_own_browser();
    workspace.browser_gone().await;
    let killed = workspace.finish(soon()).await.remove(0);
    assert_eq!((killed.saved, killed.version), (Some(Saved::State), saved.version));
    assert_eq!(killed.save_error.unwrap().0, "browser_gone");
    assert_nothing_left();
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    assert_eq!(info.profile.unwrap().saved, Saved::State);

    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let notices = workspace.take_notices();
    assert!(notices.iter().any(|text| text.contains("its profile was last saved with v1")), "{notices:?}");
    let page = session.page().await.unwrap();
    goto(&page, &other).await;
    assert_eq!(evaluate(&page, "[localStorage.length, document.cookie]").await, json!([0, "late=1"]));
    // What did not change is as the profile has it, with the key that no state can hold.
    goto(&page, &one).await;
    read_all(&page).await;
    let last = workspace.finish(soon()).await.remove(0);
    assert_eq!((last.save_error, last.changes, last.saved), (None, vec![], Some(Saved::Full)));
    assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_killed_leaves_the_last_archive() {
    let rig = Rig::start().await;
    let write = |text: &'static str| {
        let url = rig.url("/");
        move |_: Session, page: Page| async move {
            goto(&page, &url).await;
            evaluate(&page, &format!("localStorage.setItem('k', '{text}')")).await;
            if text == "two" {
                kill_own_browser();
            }
        }
    };
    let first = rig.run_with(&profile(), write("one")).await;
    // Without checkpoints: one might have been written by now.
    let workspace = rig.workspace_saving(Saving::AtEnd);
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    write("two")(session, page).await;
    let second = workspace.finish(soon()).await.remove(0);
    assert_eq!((second.saved, second.version), (Some(Saved::None), first.version));
    assert_eq!(second.save_error.unwrap().0, "browser_gone");
    let (_, seen) = rig.visit("localStorage.getItem('k')").await;
    assert_eq!(seen, json!("one"));
    assert_nothing_left();
}

/// What a killed run left on this machine goes; nobody else's does.
fn assert_reaped() {
    tokio::task::block_in_place(rhaven::browser::reap);
    let folders = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let ours = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("rhaven-browser-"));
    let dead = ours.filter(|folder| {
        let owner = std::fs::read_to_string(folder.path().join("owner.json")).unwrap_or_default();
        let owner: Value = serde_json::from_str(&owner).unwrap_or_default();
        let pid = owner["owner"]["pid"].as_u64();
        pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) && folder.path().exists()
    });
    assert_eq!(dead.map(|folder| folder.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_checkpoint_of_a_killed_run_is_laid_over_its_profile() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let rig = &rig;
        async move {
            goto(&page, &rig.url("/")).await;
            evaluate(&page, &write_all()).await;
            goto(&page, &rig.other_url("/")).await;
            evaluate(&page, "localStorage.setItem('k', 'before')").await;
        }
    })
    .await;
    let mut run = Run::start(&rig, None);
    run.order(&format!("goto {}", rig.other_url("/")));
    run.order("evaluate localStorage.setItem('k', 'after'); document.cookie = 'k=after; max-age=99'");
    run.next("checkpoint.written").expect("a checkpoint");
    run.kill();
    let outcome = rig
        .run(|session, page| {
            let rig = &rig;
            async move {
                assert!(session.is_profile());
                goto(&page, &rig.other_url("/")).await;
                let seen = evaluate(&page, "[localStorage.getItem('k'), document.cookie.includes('k=after')]").await;
                assert_eq!(seen, json!(["after", true]));
                goto(&page, &rig.url("/")).await;
                let key = evaluate(&page, &format!("async () => {}", SECRET_KEY.read)).await;
                assert_eq!(key, (SECRET_KEY.wanted)());
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.saved, outcome.recovered), (None, Some(Saved::Full), true));
    assert_reaped();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_it_archives_leaves_the_profile_of_before() {
    let rig = Rig::start().await;
    rig.run_with(&profile(), |_, page| {
        let url = rig.url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, &write_all()).await;
        }
    })
    .await;
    let points = [
        "profile.unpacked",
        "profile.browser_ended",
        "archive.blob_written",
        "archive.manifest_written",
        "profile.packed",
    ];
    for point in points {
        let mut run = Run::start(&rig, Some(point));
        if point != "profile.unpacked" {
            run.order(&format!("goto {}", rig.url("/")));
            run.begin("end");
        }
        run.dies();
    }
    let outcome = rig
        .run(|session, page| {
            let url = rig.url("/");
            async move {
                assert_eq!(session.version().map(|version| version.0), Some(1));
                goto(&page, &url).await;
                read_all(&page).await;
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.saved, outcome.changes), (None, Some(Saved::Full), vec![]));
    assert_reaped();
}

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
