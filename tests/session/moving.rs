//! What is replaced, renamed or upgraded while it is read is kept whole, as it was before or after, or named: never a part of it.

use rhaven::base::Tenant;
use rhaven::session::SessionOptions;
use serde_json::{Value, json};

use super::rig::{Rig, evaluate, goto, id, soon};

/// Files that are replaced without end, one of several pieces among them, and one that has another name each time; `window.rounds`
/// counts. Each piece of `large` takes a call of its own to be read.
const FILES: &str = "(async () => {
    const root = await navigator.storage.getDirectory();
    const write = async (name, text) => {
        const writer = await (await root.getFileHandle(name, { create: true })).createWritable();
        await writer.write(text);
        await writer.close();
    };
    const both = async letter => { await write('large', letter.repeat(15e5)); await write('small', letter.repeat(100)); };
    await both('a');
    await write('here', 'moved');
    Object.assign(window, { rounds: 0, goes_on: true });
    const replace = async () => { for (let n = 0; window.goes_on; n++, window.rounds++) await both('abcdefgh'[n % 8]); };
    const rename = async () => { for (let at = 'here'; window.goes_on;) {
        const to = at === 'here' ? 'there' : 'here';
        await (await root.getFileHandle(at)).move(to);
        at = to;
    } };
    window.ended = Promise.all([replace(), rename()]);
})()";

/// Answers once something has been replaced.
const BEGIN: &str = "(window.begins(), new Promise(done => {
    const look = () => window.rounds ? done(1) : setTimeout(look);
    look();
}))";

const STOP: &str = "(window.goes_on = false, window.ended.then(() => 1))";

/// By name: how long a file is and the letters in it.
const READ_FILES: &str = "(async () => {
    const found = {};
    for await (const [name, handle] of (await navigator.storage.getDirectory()).entries()) {
        const text = await (await handle.getFile()).text();
        found[name] = [text.length, [...new Set(text)].join('')];
    }
    return found;
})()";

/// A database that gets a new version without end. Its records take more than one reading.
const UPGRADES: &str = "(async () => {
    const open = (version, upgrade) => new Promise((done, failed) => {
        const request = indexedDB.open('d', version);
        request.onupgradeneeded = () => upgrade?.(request.result);
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
    });
    const db = await open(1, db => ['s', 't'].map(name => db.createObjectStore(name)));
    const all = db.transaction(['s', 't'], 'readwrite');
    for (const name of ['s', 't']) for (let n = 0; n < 1000; n++) all.objectStore(name).put('x'.repeat(500) + n, n);
    await new Promise(done => { all.oncomplete = done; });
    db.close();
    Object.assign(window, { rounds: 0, goes_on: true });
    const upgrade = async () => { for (let version = 2; window.goes_on; version++, window.rounds++) {
        (await open(version)).close();
        await new Promise(done => setTimeout(done, 20));
    } };
    window.ended = upgrade();
})()";

const READ_DATABASE: &str = "(async () => {
    const db = await new Promise(done => { const request = indexedDB.open('d'); request.onsuccess = () => done(request.result); });
    const count = name => new Promise(done => {
        const request = db.transaction(name).objectStore(name).count();
        request.onsuccess = () => done(request.result);
    });
    const found = db.objectStoreNames.length ? [await count('s'), await count('t')] : [];
    db.close();
    return found;
})()";

/// The reading of private files as the session does it, with something done to them once a line tells of a certain one.
const READING: &str = concat!(
    "(async () => {\n",
    include_str!("../../src/session/injected/codec.js"),
    include_str!("../../src/session/injected/bodies.js"),
    "
    const root = await navigator.storage.getDirectory();
    const write = async (at, name, text) => {
        const writer = await (await at.getFileHandle(name, { create: true })).createWritable();
        await writer.write(text);
        await writer.close();
    };
    const folder = async () => {
        const at = await root.getDirectoryHandle('folder', { create: true });
        for (const name of ['a', 'b', 'c']) await write(at, name, name);
    };
    const read = async (last, act) => {
        const found = [];
        const missing = [];
        try {
            for await (const text of bodies.files((...lost) => missing.push(lost))) {
                const line = JSON.parse(text);
                if (line.t === 'body') continue;
                found.push(line.path.map(codec.decodeString).join('/'));
                if (found.at(-1) === last) await act();
            }
        } catch (error) { return error instanceof bodies.Torn ? 'torn' : String(error); }
        return [found.sort(), missing];
    };
    const move = async (from, to) => (await root.getFileHandle(from)).move(to);
    const answers = {};
    await folder();
    answers.folder = await read('folder/a', () => root.removeEntry('folder', { recursive: true }));
    await folder();
    answers.replaced = await read('folder/a', async () => { await root.removeEntry('folder', { recursive: true }); await folder(); });
    await root.removeEntry('folder', { recursive: true });
    for (const name of ['a', 'b', 'x']) await write(root, name, name);
    answers.moved = await read('a', () => move('a', 'z'));
    answers.ahead = await read();
    answers.other = await read('b', () => move('x', 'a'));
    answers.made = await read('a', () => write(root, 'late', '1'));
    answers.deleted = await read('late', () => root.removeEntry('late'));
    await write(root, 'own.crswap', 'a file of the page');
    const writer = await (await root.getFileHandle('b')).createWritable();
    await writer.write('not done');
    answers.swap = await read();
    await writer.abort();
    return answers;
})()"
);

/// Goes to the site, saves, and keeps the state some times over while `script` goes on; answers the names.
async fn kept_meanwhile(rig: &Rig, script: &str, times: usize) -> Vec<String> {
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    evaluate(&page, &script.replace("window.ended = ", "window.begins = () => window.ended = ")).await;
    session.save(soon()).await.unwrap();
    evaluate(&page, BEGIN).await;
    let mut names = Vec::new();
    for n in 0..times {
        let name = format!("moment-{n}");
        assert!(session.fork(&id(&name), soon()).await.unwrap());
        names.push(name);
    }
    evaluate(&page, STOP).await;
    workspace.finish(soon()).await;
    names
}

/// By name of one of them: what the next run finds in it, and what is named there.
async fn found(rig: &Rig, names: Vec<String>, script: &str) -> Vec<(String, Value, Vec<String>)> {
    let (sessions, workspace) = (rig.sessions().await.unwrap(), rig.workspace());
    let mut all = Vec::new();
    for name in names {
        let info = sessions.show(&Tenant::default(), &id(&name)).await.unwrap();
        let missing =
            info.partial.iter().map(|lost| format!("{} {:?} {}", lost.store, lost.key, lost.reason)).collect();
        let session = workspace.session(&id(&name), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        all.push((name, evaluate(&page, script).await, missing));
    }
    workspace.finish(soon()).await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_replaced_while_they_are_read_are_whole() {
    let rig = Rig::start().await;
    let names = kept_meanwhile(&rig, FILES, 3).await;
    for (name, found, missing) in found(&rig, names, READ_FILES).await {
        let files = found.as_object().unwrap();
        for (file, content) in files {
            let (length, letters) = (content[0].as_u64().unwrap(), content[1].as_str().unwrap());
            let is_whole = match file.as_str() {
                "large" => (length, letters.len()) == (1_500_000, 1),
                "small" => (length, letters.len()) == (100, 1),
                "here" | "there" => letters == "moved",
                _ => false,
            };
            assert!(is_whole, "{name}: {file} of {found}, {missing:?}");
        }
        let is_there = |file: &str| files.contains_key(file) || missing.iter().any(|lost| lost.contains(file));
        assert!(is_there("large") && is_there("small"), "{name}: {found}, {missing:?}");
        assert!(is_there("here") || is_there("there"), "{name}: {found}, {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_upgraded_while_it_is_read_is_whole() {
    let rig = Rig::start().await;
    let names = kept_meanwhile(&rig, UPGRADES, 3).await;
    for (name, found, missing) in found(&rig, names, READ_DATABASE).await {
        assert_eq!(found, json!([1000, 1000]), "{name}: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_go_away_between_two_pieces_are_kept_whole_or_read_anew() {
    let rig = Rig::start().await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let expected = json!({
        "folder": "torn",
        // The same names are there: what was read and what is there now are both whole.
        "replaced": [["folder", "folder/a", "folder/b", "folder/c"], []],
        "moved": "torn",
        "ahead": [["b", "x", "z"], []],
        // Moved before it was read: under its new name only.
        "other": [["a", "b", "z"], []],
        "made": [["a", "b", "late", "z"], []],
        "deleted": [["a", "b", "late", "z"], []],
        "swap": [["a", "b", "own.crswap", "z"], []],
    });
    assert_eq!(evaluate(&page, READING).await, expected);
    workspace.finish(soon()).await;
}
