//! Every kind of state of an origin that is promised, as a page writes and reads it (`elsewhere` has it go through another process),
//! and what is particular to each.

use rhaven::base::Tenant;
use rhaven::page::{ClickOptions, Page, Selector};
use rhaven::session::{Session, SessionOptions};
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// One kind of state, as a page writes it and reads it again.
pub struct Kind {
    /// As a change of it is named.
    pub store: &'static str,
    /// Which of those.
    pub name: &'static str,
    pub write: &'static str,
    pub read: &'static str,
    pub wanted: fn() -> Value,
}

pub const KINDS: &[Kind] = &[
    Kind {
        store: "cookie",
        name: "cookies of a page",
        write: "document.cookie = 'c=1; max-age=3600'; document.cookie = 's=2'",
        read: "document.cookie.split('; ').sort().join()",
        wanted: || json!("c=1,s=2"),
    },
    Kind {
        store: "localStorage",
        name: "localStorage",
        write: "localStorage.setItem('l', 'local')",
        read: "localStorage.getItem('l')",
        wanted: || json!("local"),
    },
    Kind {
        store: "sessionStorage",
        name: "sessionStorage",
        write: "sessionStorage.setItem('step', '2')",
        read: "sessionStorage.getItem('step')",
        wanted: || json!("2"),
    },
    Kind {
        store: "localStorage",
        name: "localStorage with odd keys",
        write: "['length', 'getItem', '\\ud800', '\\0'].forEach(key => localStorage.setItem(key, key + '\\udfff'))",
        read: "['length', 'getItem', '\\ud800', '\\0'].map(key => localStorage.getItem(key) === key + '\\udfff')",
        wanted: || json!([true, true, true, true]),
    },
    Kind {
        store: "sessionStorage",
        name: "sessionStorage with odd keys",
        write: "['length', 'getItem', '__proto__', '', '\\ud800', '\\0'].forEach(key => sessionStorage.setItem(key, key + '\\udfff'))",
        read: "['length', 'getItem', '__proto__', '', '\\ud800', '\\0'].map(key => sessionStorage.getItem(key) === key + '\\udfff')",
        wanted: || json!([true, true, true, true, true, true]),
    },
    Kind {
        store: "indexedDB",
        name: "a schema: version, key paths, autoIncrement, indexes, stores without records",
        write: "await new Promise((done, fail) => { const r = indexedDB.open('schema', 7); r.onerror = () => fail(r.error);
                  r.onupgradeneeded = () => { const d = r.result;
                    const a = d.createObjectStore('inline', { keyPath: 'id', autoIncrement: true });
                    a.createIndex('tag', 'tags', { multiEntry: true }); a.createIndex('unique', ['a', 'b.c'], { unique: true });
                    d.createObjectStore('compound', { keyPath: ['x', 'y.z'] }).put({ x: 1, y: { z: 'two' } });
                    d.createObjectStore('nested', { keyPath: 'deep.er' }); d.createObjectStore('out', { autoIncrement: true }); };
                  r.onsuccess = () => { r.result.close(); done(); }; })",
        read: "await new Promise(done => { const r = indexedDB.open('schema'); r.onsuccess = () => { const d = r.result;
                 const t = d.transaction([...d.objectStoreNames]);
                 const stores = [...d.objectStoreNames].map(n => { const s = t.objectStore(n);
                   return [n, s.keyPath, s.autoIncrement, [...s.indexNames].map(i => { const x = s.index(i); return [i, x.keyPath, x.unique, x.multiEntry]; })]; });
                 const g = t.objectStore('compound').getAllKeys(); g.onsuccess = () => { d.close(); done([d.version, stores, g.result]); }; }; })",
        wanted: || {
            let indexes = json!([["tag", "tags", false, true], ["unique", ["a", "b.c"], true, false]]);
            let stores = json!([
                ["compound", ["x", "y.z"], false, []],
                ["inline", "id", true, indexes],
                ["nested", "deep.er", false, []],
                ["out", null, true, []]
            ]);
            json!([7, stores, [[1, "two"]]])
        },
    },
    Kind {
        store: "indexedDB",
        name: "the position of key generators",
        write: "await new Promise((done, fail) => { const r = indexedDB.open('generators', 1); r.onerror = () => fail(r.error);
                  r.onupgradeneeded = () => { const s = [r.result.createObjectStore('in', { keyPath: 'a.b', autoIncrement: true }),
                      r.result.createObjectStore('out', { autoIncrement: true })];
                    for (let i = 0; i < 4; i++) s.forEach(s => s.add({})); s.forEach(s => { s.delete(3); s.delete(4); }); };
                  r.onsuccess = () => { r.result.close(); done(); }; })",
        // An aborted transaction leaves the generators where they were.
        read: "await new Promise(done => { const r = indexedDB.open('generators'); r.onsuccess = () => { const d = r.result, keys = [];
                 const t = d.transaction(['in', 'out'], 'readwrite'); t.onabort = () => { d.close(); done(keys); };
                 t.objectStore('in').add({}).onsuccess = e => keys.push(e.target.result);
                 t.objectStore('out').add({}).onsuccess = e => { keys.push(e.target.result); t.abort(); }; }; })",
        wanted: || json!([5, 5]),
    },
    Kind {
        store: "indexedDB",
        name: "a database without stores",
        write: "await new Promise(done => { const r = indexedDB.open('void', 3); r.onsuccess = () => { r.result.close(); done(); }; })",
        read: "(await indexedDB.databases()).find(d => d.name === 'void')?.version",
        wanted: || json!(3),
    },
    Kind {
        store: "indexedDB",
        name: "values and keys",
        write: concat!(include_str!("values.js"), "; await write()"),
        read: concat!("await (async () => { ", include_str!("values.js"), "; return (await check()).failures; })()"),
        wanted: || json!([]),
    },
    Kind {
        store: "indexedDB",
        name: "a database",
        write: "await new Promise(done => { const r = indexedDB.open('d', 2);
                  r.onupgradeneeded = () => r.result.createObjectStore('s').put(new Date(7), 'k');
                  r.onsuccess = () => { r.result.close(); done(); }; })",
        read: "await new Promise(done => { const r = indexedDB.open('d');
                 r.onsuccess = () => { const g = r.result.transaction('s').objectStore('s').get('k');
                   g.onsuccess = () => { done([r.result.version, g.result.getTime()]); r.result.close(); }; }; })",
        wanted: || json!([2, 7]),
    },
    Kind {
        store: "cacheStorage",
        name: "Cache Storage",
        write: "const made = (body, init) => new Response(body, init);
                const bytes = Uint8Array.from({ length: 2000000 }, (_, i) => i * 7);
                const z = await caches.open('z'); const a = await caches.open('a');
                await z.put('/big', made(bytes, { status: 203, statusText: 'Mine', headers: { 'x-a': '1', 'content-type': 'a/b' } }));
                await z.put('/none', made(null, { status: 204 }));
                for (const lang of ['en']) await a.put(new Request('/v?q=1', { headers: { 'accept-language': lang } }),
                  made(lang, { headers: { vary: 'accept-language' } }));
                await caches.open('empty')",
        read: "await (async () => { const z = await caches.open('z'), big = await z.match('/big');
                 const bytes = new Uint8Array(await big.arrayBuffer()); const a = await caches.open('a');
                 const lang = async l => (await a.match(new Request('/v?q=1', { headers: { 'accept-language': l } })))?.text();
                 return [await caches.keys(), big.status, big.statusText, big.headers.get('x-a'), big.headers.get('content-type'), bytes.length,
                   bytes.every((b, i) => b === (i * 7) % 256), (await z.match('/none')).status, (await lang('cs')) ?? null, await lang('en'),
                   (await lang('de')) ?? null, (await z.keys()).map(r => new URL(r.url).pathname)]; })()",
        wanted: || {
            json!([["z", "a", "empty"], 203, "Mine", "1", "a/b", 2_000_000, true, 204, null, "en", null, ["/big", "/none"]])
        },
    },
    Kind {
        store: "fileSystem",
        name: "private files",
        write: "const root = await navigator.storage.getDirectory(); const dir = await root.getDirectoryHandle('deep', { create: true });
                await root.getDirectoryHandle('empty', { create: true });
                for (const [at, name, body] of [[root, 'a b.txt', 'text'], [dir, 'zero', ''], [dir, 'big', new Uint8Array(2000000).fill(9)]]) {
                  const w = await (await at.getFileHandle(name, { create: true })).createWritable(); await w.write(body); await w.close(); }",
        read: "await (async () => { const root = await navigator.storage.getDirectory(); const out = [];
                 const walk = async (at, path) => { for await (const [name, h] of at.entries()) {
                   if (h.kind === 'directory') { out.push(path + name + '/'); await walk(h, path + name + '/'); }
                   else { const f = await h.getFile(); out.push([path + name, f.size, (await f.slice(-4).text())]); } } };
                 await walk(root, ''); return out.map(x => JSON.stringify(x)).sort(); })()",
        wanted: || json!(["\"deep/\"", "\"empty/\"", "[\"a b.txt\",4,\"text\"]", "[\"deep/big\",2000000,\"\\t\\t\\t\\t\"]", "[\"deep/zero\",0,\"\"]"]),
    },
    Kind {
        store: "serviceWorker",
        name: "a service worker",
        write: "await navigator.serviceWorker.register('/sw.js?v=1', { scope: '/first', updateViaCache: 'all' });
                await new Promise(done => { const look = async () => {
                  (await navigator.serviceWorker.getRegistration('/first')).active?.state === 'activated' ? done() : setTimeout(look, 5); }; look(); })",
        read: "await (async () => { const r = await navigator.serviceWorker.getRegistration('/first');
                 return [new URL(r.scope).pathname, new URL(r.active.scriptURL).search, r.updateViaCache]; })()",
        wanted: || json!(["/first", "?v=1", "all"]),
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_shown_by_name() {
    let rig = Rig::start().await;
    let writes: Vec<_> = KINDS.iter().map(|kind| format!("{{ {}; }}", kind.write)).collect();
    rig.visit(&format!("async () => {{ {} }}", writes.join("\n"))).await;
    let info = rig.sessions().await.unwrap().show(&Tenant::default(), &id("acme")).await.unwrap();
    assert_eq!(info.tabs, [rig.url("/")]);
    let origin = &info.origins[0];
    assert!(origin.local_storage.iter().any(|key| key == "l"), "{:?}", origin.local_storage);
    assert_eq!((origin.local_storage.len(), origin.session_storage.len()), (8, 7));
    let caches: Vec<_> = origin.caches.iter().map(|cache| (cache.name.as_str(), cache.records)).collect();
    assert_eq!(caches, [("z", 2), ("a", 1), ("empty", 0)]);
    assert_eq!(origin.files, ["a b.txt", "deep/", "deep/big", "deep/zero", "empty/"]);
    assert_eq!(origin.service_workers, [rig.url("/first")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_of_these_kinds_is_named() {
    let rig = Rig::start().await;
    let opaque = format!("await c.put('/opaque', await fetch('{}?secret', {{ mode: 'no-cors' }}))", rig.other_url("/"));
    let large = "new Blob(Array(66).fill(new Uint8Array(1 << 20)))";
    let write = format!(
        "const c = await caches.open('c'); {opaque}; await c.put('/small', new Response('kept')); await c.put('/large', new Response({large}));
         const root = await navigator.storage.getDirectory(); const h = await root.getFileHandle('large', {{ create: true }});
         const w = await h.createWritable(); await w.write({large}); await w.close();"
    );
    let (first, _) = rig.visit(&format!("async () => {{ {write} }}")).await;
    let mut named: Vec<_> = first.partial.iter().map(|p| (p.store.as_str(), p.key.clone())).collect();
    named.sort_unstable();
    let opaque = Some(rig.url("/opaque"));
    assert_eq!(named, [("cacheStorage:c", None), ("cacheStorage:c", opaque), ("fileSystem", None)]);
    assert!(!format!("{:?}", first.partial).contains("secret"));
    let (_, kept) =
        rig.visit("async () => (await (await caches.open('c')).keys()).map(r => new URL(r.url).pathname)").await;
    assert_eq!(kept, json!(["/small"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_the_larger_kinds_is_named() {
    let rig = Rig::start().await;
    let put = "const c = await caches.open('c'); await c.put('/x', new Response('1'));
               const root = await navigator.storage.getDirectory(); const h = await root.getFileHandle('f', { create: true });
               const w = await h.createWritable(); await w.write('1'); await w.close(); sessionStorage.setItem('s', '1')";
    let (first, _) = rig.visit(&format!("async () => {{ {put} }}")).await;
    assert_eq!(changes(&first), ["added cachestorage c", "added filesystem f", "added sessionstorage s"]);
    let (second, _) = rig.visit(&format!("async () => {{ {} }}", put.replace("'1'", "'2'"))).await;
    assert_eq!(changes(&second), ["changed cachestorage c", "changed filesystem f", "changed sessionstorage s"]);
    let remove = "async () => { await caches.delete('c'); await (await navigator.storage.getDirectory()).removeEntry('f'); sessionStorage.clear() }";
    let (third, _) = rig.visit(remove).await;
    assert_eq!(changes(&third), ["removed cachestorage c", "removed filesystem f", "removed sessionstorage s"]);
    let (fourth, left) = rig.visit("async () => [sessionStorage.length, await caches.keys()]").await;
    assert_eq!((left, fourth.updated), (json!([0, []]), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_is_in_place_before_the_first_page_script_and_only_once() {
    let rig = Rig::start().await;
    rig.visit("sessionStorage.setItem('step', '2')").await;
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/first");
            async move {
                goto(&page, &url).await;
                assert_eq!(evaluate(&page, "window.first.step").await, json!("2"));
                evaluate(&page, "sessionStorage.clear()").await;
                goto(&page, &url).await;
                assert_eq!(evaluate(&page, "window.first.step").await, json!(null), "it was put in place twice");
            }
        })
        .await;
    assert_eq!(changes(&outcome), ["removed sessionstorage step"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_of_an_origin_that_the_tab_has_left_is_kept() {
    let rig = Rig::start().await;
    let leave = async |script: &'static str| {
        rig.run(|_, page| {
            let (one, two) = (rig.url("/"), rig.other_url("/"));
            async move {
                goto(&page, &one).await;
                evaluate(&page, script).await;
                goto(&page, &two).await;
            }
        })
        .await
    };
    let first = leave(
        "sessionStorage.setItem('step', '2'); sessionStorage.setItem('gone', '1'); sessionStorage.removeItem('gone')",
    )
    .await;
    assert_eq!(changes(&first), ["added sessionstorage step"]);
    assert_eq!(leave("1").await.changes, []);
    assert_eq!(changes(&leave("sessionStorage.setItem('step', '3')").await), ["changed sessionstorage step"]);
    let (_, seen) = rig.visit("sessionStorage.getItem('step')").await;
    assert_eq!(seen, json!("3"));
    // What cannot be told exactly from outside the page is said.
    let lone = leave("sessionStorage.setItem('lone', '\\ud800')").await;
    let named: Vec<_> = lone.partial.iter().map(|p| (p.store.as_str(), p.key.as_deref())).collect();
    assert_eq!(named, [("sessionStorage", Some("lone"))]);
}

/// Clicks a link to the site that opens a tab of its own, and answers that tab.
pub async fn popup(session: &Session, page: &Page, url: &str, rel: &str) -> Page {
    let before = session.pages().len();
    let link = format!("document.body.innerHTML = `<a id=go target=_blank rel={rel} href='{url}'>open</a>`");
    evaluate(page, &link).await;
    page.locator(&Selector::parse("#go").unwrap()).click(&ClickOptions::default(), soon()).await.unwrap();
    let deadline = soon();
    loop {
        if let Some(popup) = session.pages().into_iter().nth(before)
            && popup.main_frame().url() == url
        {
            popup.wait_for_load_state(rhaven::page::LoadState::Load, soon()).await.unwrap();
            return popup;
        }
        let pause = evaluate(page, "new Promise(done => setTimeout(done, 5))");
        assert!(deadline.race(pause).await.is_some(), "no popup");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_is_not_put_into_popups_and_not_lost_by_them() {
    let rig = Rig::start().await;
    rig.visit("sessionStorage.setItem('step', '2')").await;
    // Only a popup comes to the origin: it is given nothing, and what is kept stays.
    let outcome = rig
        .run(|session, page| {
            let (one, two) = (rig.url("/first"), rig.other_url("/"));
            async move {
                goto(&page, &two).await;
                let popup = popup(&session, &page, &one, "noopener").await;
                assert_eq!(evaluate(&popup, "window.first.step").await, json!(null));
            }
        })
        .await;
    assert_eq!(outcome.changes, []);
    let (_, seen) = rig.visit("sessionStorage.getItem('step')").await;
    assert_eq!(seen, json!("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_is_that_of_the_tab_that_was_used_last() {
    let rig = Rig::start().await;
    for (last, wanted) in [(1, "tab 1"), (0, "tab 0")] {
        rig.run(|session, page| {
            let (one, rig) = (rig.url("/"), &rig);
            async move {
                goto(&page, &one).await;
                let popup = popup(&session, &page, &rig.url("/first"), "opener").await;
                let pages = [page, popup];
                for tab in [1 - last, last] {
                    evaluate(&pages[tab], &format!("sessionStorage.setItem('step', 'tab {tab}')")).await;
                }
            }
        })
        .await;
        let (_, seen) = rig.visit("sessionStorage.getItem('step')").await;
        assert_eq!(seen, json!(wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_service_worker_controls_the_first_load() {
    let rig = Rig::start().await;
    let register =
        "async () => { await navigator.serviceWorker.register('/sw.js'); await navigator.serviceWorker.ready; }";
    rig.visit(register).await;
    let outcome = rig
        .run(|_, page| {
            let (url, script) = (rig.url("/first"), rig.url("/sw.js"));
            async move {
                goto(&page, &url).await;
                assert_eq!(
                    evaluate(&page, "[window.answered, window.first.controlled]").await,
                    json!(["worker", script])
                );
            }
        })
        .await;
    assert_eq!((outcome.save_error, outcome.changes), (None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_worker_that_cannot_be_put_back_is_said_and_stays_kept() {
    let rig = Rig::start().await;
    rig.visit(
        "async () => { await navigator.serviceWorker.register('/sw.js?once'); await navigator.serviceWorker.ready; }",
    )
    .await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    assert_eq!(evaluate(&page, "navigator.serviceWorker.getRegistrations().then(r => r.length)").await, json!(0));
    let notices = workspace.take_notices();
    assert!(notices.iter().any(|text| text.starts_with("the service worker of http")), "{notices:?}");
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.changes), (None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_storage_of_a_page_that_is_closed_at_the_end_is_kept() {
    let rig = Rig::start().await;
    for step in ["1", "2"] {
        rig.run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, &format!("sessionStorage.setItem('step', '{step}')")).await;
                page.close().await.unwrap();
            }
        })
        .await;
        let (_, seen) = rig.visit("sessionStorage.getItem('step')").await;
        assert_eq!(seen, json!(step));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_larger_than_a_call_go_through_in_pieces() {
    let rig = Rig::start().await;
    let write = "async () => { const root = await navigator.storage.getDirectory(); const h = await root.getFileHandle('large', { create: true });
        const w = await h.createWritable(); const piece = Uint8Array.from({ length: 1 << 20 }, (_, i) => i % 251);
        for (let i = 0; i < 6; i++) await w.write(piece); await w.close(); }";
    let (first, _) = rig.visit(write).await;
    assert_eq!((first.partial, first.save_error), (vec![], None));
    let read = "async () => { const root = await navigator.storage.getDirectory(); const f = await (await root.getFileHandle('large')).getFile();
        const last = new Uint8Array(await f.slice(-(1 << 20)).arrayBuffer()); return [f.size, last.every((b, i) => b === i % 251)]; }";
    let (second, seen) = rig.visit(read).await;
    assert_eq!((seen, second.updated), (json!([6 << 20, true]), false));
}
