//! `kill -9` of a run at random moments: the next run finds no old browser alive and the session as it was last
//! acknowledged. `RHAVEN_SOAK_KILLS` says how often (5 unless set).

use std::time::Duration;

use crate::home::{Home, Running, Said, said};
use crate::processes::{browsers_of, outlived};

/// Counts in a cookie and in every kind of storage, one of them so large that it is a blob, on two sites; answers the count where
/// all of them agree and `torn` where they do not.
const COUNTER: &str = r#"
fn count(go_on) {
    evaluate(`async (goOn) => {
        const baked = () => Number((document.cookie.match(/(?:^|; )n=(\d+)/) ?? [0, 0])[1]);
        const upgrade = r => { r.onupgradeneeded = () => r.result.createObjectStore('s'); };
        const open = () => new Promise((done, failed) => { const r = indexedDB.open('d'); upgrade(r); r.onerror = failed; r.onsuccess = () => done(r.result); });
        const ask = request => new Promise((done, failed) => { request.onsuccess = () => done(request.result); request.onerror = failed; });
        const db = await open();
        const store = () => db.transaction('s', 'readwrite').objectStore('s');
        const cache = await caches.open('c');
        const folder = await navigator.storage.getDirectory();
        const file = await folder.getFileHandle('f', { create: true });
        const all = async () => [baked(), Number(localStorage.n ?? 0), Number(sessionStorage.n ?? 0), Number((localStorage.large ?? '0').trim()),
            Number(await ask(store().get('n')) ?? 0), Number(await (await cache.match('/n'))?.text() ?? 0), Number(await (await file.getFile()).text() || 0)];
        let found = await all();
        if (goOn && new Set(found).size === 1) {
            const n = found[0] + 1;
            document.cookie = 'n=' + n + '; max-age=99999';
            localStorage.n = sessionStorage.n = n;
            localStorage.large = n + ' '.repeat(300000);
            await ask(store().put(n, 'n'));
            await cache.put('/n', new Response(String(n)));
            const writer = await file.createWritable();
            await writer.write(String(n));
            await writer.close();
            found = await all();
        }
        db.close();
        return new Set(found).size === 1 ? found[0] : 'torn ' + found.join();
    }`, go_on)
}

fn count_on_both(base, go_on) {
    goto(base + "/form");
    let one = count(go_on);
    base.replace("127.0.0.1", "localhost");
    goto(base + "/form");
    let other = count(go_on);
    if one == other { one } else { `torn ${one} ${other}` }
}
"#;

/// Saves a counter and acknowledges each save, on and on.
const COUNTS: &str = "session(\"acme\"); loop { let n = count_on_both(args.base, true); save(); emit(n); }";
const READS: &str = "session(\"acme\"); count_on_both(args.base, false)";
/// In watch mode each run counts once; it is saved, and by that acknowledged, before the next begins.
const COUNTS_ONCE: &str = "session(\"acme\"); let n = count_on_both(args.base, true); print(`counted ${n}`);";

/// The longest that a run is left alive, and a bit more than a start takes.
const LONGEST_MILLIS: u64 = 2_500;

fn kills() -> u64 {
    std::env::var("RHAVEN_SOAK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

fn script(main: &str) -> String {
    format!("{COUNTER}\n{main}")
}

/// What the next run finds after a kill, where `last` is what was acknowledged before: the count, in everything that it counts in.
/// The one in flight may have been saved without having been acknowledged.
///
/// A checkpoint is of a moment, which may be one between two steps of a run: some of it counts one more than the rest. Then the run
/// has to say that it goes on from one, all of it has to be of these two steps, and the version before it has to be whole.
fn found_after(home: &Home, last: u64, about: &str) -> u64 {
    let next = home.run(&script(READS), &[]).ends(0);
    let about = format!("{about}: found {} after {last}\n{}", next.out.trim(), next.err);
    let Some(torn) = next.out.trim().strip_prefix("torn ") else { return whole(&next, last, &about) };
    let Some(recovered) = recovered(&next) else { panic!("{about}") };
    let mut counts = torn.split([' ', ',']).filter(|part| *part != "torn").map(str::parse::<u64>);
    assert!(counts.all(|count| count.is_ok_and(|count| count == last || count == last + 1)), "{about}");
    if recovered == 1 {
        // Nothing had been saved before that could have been acknowledged.
        assert_eq!(last, 0, "{about}");
        said(&mut home.command(&["session", "delete", "acme", "--yes"])).ends(0);
        return 0;
    }
    let before = format!("v{}", recovered - 1);
    said(&mut home.command(&["session", "rollback", "acme", &before, "--yes"])).ends(0);
    whole(&home.run(&script(READS), &[]).ends(0), last, &format!("{about}rolled back to {before}"))
}

fn whole(next: &Said, last: u64, about: &str) -> u64 {
    let found = next.out.trim().parse().unwrap_or_else(|_| panic!("{about}: {}\n{}", next.out, next.err));
    assert!(last <= found && found <= last + 1, "{about}: {found}");
    found
}

/// The version that a run says it has made of what one before it left.
fn recovered(next: &Said) -> Option<u64> {
    let (_, told) = next.err.split_once("ended without saving left changes")?;
    let (_, told) = told.split_once("they are v")?;
    told.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn a_killed_run_leaves_no_browser_and_the_last_acknowledged_version() {
    let home = Home::new();
    let mut acknowledged = 0;
    for round in 0..kills() {
        let run = Running::start(&mut home.run_command(&script(COUNTS), &[]));
        let moment = Duration::from_millis(random() % LONGEST_MILLIS);
        let pid = run.pid();
        let mut browsers = Vec::new();
        let lines = run.kill_after(moment, || browsers = browsers_of(pid));
        acknowledged = lines.iter().filter_map(|line| line.parse().ok()).fold(acknowledged, u64::max);
        let about = format!("round {round}, killed after {moment:?}");
        acknowledged = found_after(&home, acknowledged, &about);
        assert_eq!(outlived(&browsers, Duration::from_secs(5)), [], "{about}");
    }
}

#[test]
fn a_killed_watch_leaves_no_browser_and_a_whole_version() {
    let home = Home::new();
    let mut last = 0;
    for round in 0..kills().div_ceil(5) {
        home.write("watched.rhai", &script(COUNTS_ONCE));
        let base = format!("base={}", home.site());
        let watch = Running::start(&mut home.command(&["watch", "watched.rhai", "--keep-state", "--arg", &base]));
        let moment = Duration::from_millis(random() % (2 * LONGEST_MILLIS));
        let pid = watch.pid();
        let mut browsers = Vec::new();
        watch.kill_after(moment, || browsers = browsers_of(pid));
        let about = format!("round {round}, killed after {moment:?}");
        // Nothing changes the script: there is one run in it.
        last = found_after(&home, last, &about);
        assert_eq!(outlived(&browsers, Duration::from_secs(5)), [], "{about}");
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    u64::from_ne_bytes(bytes)
}
