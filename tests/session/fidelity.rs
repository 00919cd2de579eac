//! What is saved comes back, and is there before the first page script.

use rhaven::page::{ClickOptions, Selector};
use rhaven::session::SessionOptions;
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, id, soon};

/// Writes and checks every kind of value that a page can put into IndexedDB and that can leave it again.
const VALUES: &str = include_str!("values.js");

#[tokio::test(flavor = "multi_thread")]
async fn storage_is_in_place_before_the_first_page_script() {
    let rig = Rig::start().await;
    let (first, _) = rig
        .visit(
            "async () => { localStorage.setItem('token', 'tok-1'); document.cookie = 'lang=cs; max-age=3600';
               await new Promise(done => { const r = indexedDB.open('app', 3);
                 r.onupgradeneeded = () => r.result.createObjectStore('devices', {autoIncrement: true}).put('mine');
                 r.onsuccess = () => { r.result.close(); done(); }; }); }",
        )
        .await;
    assert_eq!(first.restored, None);
    assert_eq!(
        changes(&first),
        ["added cookie lang", "added indexeddb app", "added indexeddb app/devices", "added localstorage token"]
    );

    let (second, seen) = rig.visit("async () => { await window.ready; return window.seen; }").await;
    assert_eq!(seen, json!({"token": "tok-1", "cookie": "lang=cs", "databases": ["app"]}));
    assert_eq!(second.restored, first.version);
    assert!(!second.updated, "{:?}", second.changes);
    assert_eq!(second.version, first.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_structured_clone_value_survives() {
    let rig = Rig::start().await;
    let write = format!("async () => {{ {VALUES}; await write(); return (await check()).failures; }}");
    let (first, failures) = rig.visit(&write).await;
    assert_eq!(failures, json!([]), "the page cannot read back what it wrote");
    assert_eq!(first.partial, [], "nothing of this is unkeepable");

    let check = format!("async () => {{ {VALUES}; return await check(); }}");
    let (second, checked) = rig.visit(&check).await;
    assert_eq!(checked["failures"], json!([]));
    assert!(checked["count"].as_u64() > Some(60), "{checked}");
    assert!(!second.updated, "{:?}", second.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_survives_with_its_generators() {
    let rig = Rig::start().await;
    let schema = "const schema = async () => {
        const db = await new Promise((done, fail) => { const r = indexedDB.open('s', 7); r.onerror = () => fail(r.error);
          r.onupgradeneeded = () => { const d = r.result;
            const a = d.createObjectStore('inline', {keyPath: 'id', autoIncrement: true});
            a.createIndex('by tag', 'tags', {multiEntry: true}); a.createIndex('unique', ['a', 'b.c'], {unique: true});
            d.createObjectStore('outline', {autoIncrement: true}); d.createObjectStore('compound', {keyPath: ['x', 'y']});
            d.createObjectStore('nested', {keyPath: 'deep.er.id', autoIncrement: true}); d.createObjectStore('empty'); };
          r.onsuccess = () => done(r.result); });
        const t = db.transaction([...db.objectStoreNames]);
        const out = { version: db.version, stores: [...db.objectStoreNames].map(n => { const s = t.objectStore(n);
          return [n, s.keyPath, s.autoIncrement, [...s.indexNames].map(i => { const x = s.index(i); return [i, x.keyPath, x.unique, x.multiEntry]; })]; }) };
        db.close(); return out; };
      const put = async (drop) => { const db = await new Promise(done => { const r = indexedDB.open('s'); r.onsuccess = () => done(r.result); });
        const keys = []; const t = db.transaction(['inline', 'outline', 'nested'], 'readwrite');
        for (const [n, v] of [['inline', {tags: ['t']}], ['outline', 'v'], ['nested', {}]]) await new Promise(done => {
          const r = t.objectStore(n).add(v); r.onsuccess = () => { keys.push(r.result); if (drop) t.objectStore(n).delete(r.result); done(); }; });
        await new Promise(done => { t.oncomplete = done; }); db.close(); return keys; };";
    let (_, first) = rig
        .visit(&format!("async () => {{ {schema} const s = await schema(); await put(); await put(); await put(true); await put(true); return s; }}"))
        .await;
    let (unchanged, seen) = rig.visit(&format!("async () => {{ {schema} return await schema(); }}")).await;
    assert_eq!(seen, first);
    assert!(!unchanged.updated, "{:?}", unchanged.changes);
    // Records 3 and 4 are gone, but a site never sees their keys again.
    let (third, keys) = rig.visit(&format!("async () => {{ {schema} return await put(); }}")).await;
    assert_eq!(keys, json!([5, 5, 5]));
    assert_eq!(
        changes(&third),
        ["changed indexeddb s/inline", "changed indexeddb s/nested", "changed indexeddb s/outline"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_keep_every_attribute() {
    let rig = Rig::start().await;
    let path = "/cookies?plain=1&http=2;%20HttpOnly&strict=3;%20SameSite=Strict&lax=4;%20SameSite=Lax;%20Path=/echo\
                &long=5;%20Max-Age=86400&secure=6;%20Secure;%20SameSite=None&__Host-h=7;%20Secure;%20Path=/\
                &part=8;%20Secure;%20SameSite=None;%20Partitioned&high=9;%20Priority=High";
    let read = async |rig: &Rig, path: &str| {
        let mut cookies = Value::Null;
        let outcome = rig
            .run(|session, page| {
                // `localhost` counts as secure, so that Secure cookies can be set over http.
                let (url, cookies) = (rig.other_url(path), &mut cookies);
                async move {
                    goto(&page, &url).await;
                    *cookies = session.cookies(None, soon()).await.unwrap().into_iter().map(Value::Object).collect();
                }
            })
            .await;
        (outcome, cookies)
    };
    let (first, mut set) = read(&rig, path).await;
    assert_eq!(first.changes.len(), 9, "{:?}", first.changes);
    let (second, mut restored) = read(&rig, "/").await;
    assert!(!second.updated, "{:?}", second.changes);
    for cookies in [&mut set, &mut restored] {
        for cookie in cookies.as_array_mut().unwrap() {
            // A double with microseconds; everything else has to be equal to the letter.
            if let Some(expires) = cookie.get("expires").and_then(Value::as_f64) {
                cookie["expires"] = json!(expires.round());
            }
        }
    }
    assert_eq!(restored, set);
    assert!(set.to_string().contains("partitionKey"), "{set}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_visited_origin_is_kept_and_untouched_ones_are_carried_over() {
    let rig = Rig::start().await;
    // The first origin is left again; the second is reached by a redirect; a popup writes to a third.
    let first = rig
        .run(|_, page| {
            let (one, two) = (rig.url("/"), format!("/redirect?to={}", rig.other_url("/")));
            let (two, rig) = (rig.url(&two), &rig);
            async move {
                goto(&page, &one).await;
                evaluate(&page, "localStorage.setItem('token', 'one')").await;
                goto(&page, &two).await;
                evaluate(&page, "localStorage.setItem('token', 'two')").await;
                assert!(evaluate(&page, "location.href").await.as_str().unwrap().starts_with(&rig.other_url("/")));
            }
        })
        .await;
    assert_eq!(first.save_error, None);
    assert_eq!(first.changes.len(), 2, "{:?}", first.changes);
    // A run that touches the second only, and changes it.
    let second = rig
        .run(|_, page| {
            let url = rig.url(&format!("/redirect?to={}", rig.other_url("/")));
            async move {
                goto(&page, &url).await;
                assert_eq!(evaluate(&page, "window.seen.token").await, json!("two"));
                evaluate(&page, "localStorage.setItem('token', 'TWO')").await;
            }
        })
        .await;
    assert_eq!(changes(&second), ["changed localstorage token"]);
    let (third, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!("one"));
    assert!(!third.updated);
    let info = rig.sessions().await.unwrap().show(&rhaven::base::Tenant::default(), &id("acme")).await.unwrap();
    assert_eq!(info.origins.len(), 2, "{:?}", info.origins);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_popup_finds_its_storage_too() {
    let rig = Rig::start().await;
    rig.run(|_, page| {
        let url = rig.other_url("/");
        async move {
            goto(&page, &url).await;
            evaluate(&page, "localStorage.setItem('token', 'pop')").await;
        }
    })
    .await;
    for rel in ["opener", "noopener"] {
        let link = format!(
            "document.body.innerHTML = `<a id=go target=_blank rel={rel} href='{}'>open</a>`",
            rig.other_url("/")
        );
        let workspace = rig.workspace();
        let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
        let page = session.page().await.unwrap();
        goto(&page, &rig.url("/")).await;
        evaluate(&page, &link).await;
        page.locator(&Selector::parse("#go").unwrap()).click(&ClickOptions::default(), soon()).await.unwrap();
        let popup = soon()
            .race(async {
                loop {
                    if let Some(popup) =
                        session.pages().into_iter().find(|other| other.target().id() != page.target().id())
                    {
                        break popup;
                    }
                    tokio::task::yield_now().await;
                }
            })
            .await
            .expect("no popup came");
        popup.wait_for_load_state(rhaven::page::LoadState::Load, soon()).await.unwrap();
        let url = rhaven::page::UrlPattern::Glob(format!("{}**", rig.other_url("/")));
        popup.wait_for_url(&url, &rhaven::page::GotoOptions::default(), soon()).await.unwrap();
        assert_eq!(evaluate(&popup, "window.seen.token").await, json!("pop"), "{rel}");
        workspace.finish(soon()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_storages_go_through_in_pieces() {
    let rig = Rig::start().await;
    let (first, _) = rig
        .visit(
            "async () => { const db = await new Promise(done => { const r = indexedDB.open('big', 1);
               r.onupgradeneeded = () => r.result.createObjectStore('s'); r.onsuccess = () => done(r.result); });
             const t = db.transaction('s', 'readwrite'); const s = t.objectStore('s');
             for (let i = 0; i < 3000; i++) s.put({ i, text: String(i % 10).repeat(4000) }, i);
             await new Promise(done => { t.oncomplete = done; }); db.close(); }",
        )
        .await;
    assert_eq!(first.partial, []);
    let (second, sum) = rig
        .visit(
            "async () => { const db = await new Promise(done => { const r = indexedDB.open('big'); r.onsuccess = () => done(r.result); });
             const all = await new Promise(done => { const r = db.transaction('s').objectStore('s').getAll(); r.onsuccess = () => done(r.result); });
             db.close(); return [all.length, all.every((v, i) => v.i === i && v.text === String(i % 10).repeat(4000))]; }",
        )
        .await;
    assert_eq!(sum, json!([3000, true]));
    assert!(!second.updated, "{:?}", second.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_named_and_the_rest_is_kept() {
    let rig = Rig::start().await;
    let script = "async () => { const key = await crypto.subtle.generateKey({name: 'AES-GCM', length: 256}, false, ['encrypt']);
        const db = await new Promise(done => { const r = indexedDB.open('keys', 1);
          r.onupgradeneeded = () => r.result.createObjectStore('s'); r.onsuccess = () => done(r.result); });
        const t = db.transaction('s', 'readwrite'); t.objectStore('s').put(key, 'device'); t.objectStore('s').put('plain', 'other');
        await new Promise(done => { t.oncomplete = done; }); db.close(); }";
    let (first, _) = rig.visit(script).await;
    let mut named: Vec<_> = first.partial.iter().map(|p| (p.store.as_str(), p.key.as_deref())).collect();
    named.sort_unstable();
    assert_eq!(named, [("indexedDB:keys/s", Some("device"))]);
    let (second, kept) = rig
        .visit(
            "async () => { const db = await new Promise(done => { const r = indexedDB.open('keys'); r.onsuccess = () => done(r.result); });
             const keys = await new Promise(done => { const r = db.transaction('s').objectStore('s').getAllKeys(); r.onsuccess = () => done(r.result); });
             db.close(); return keys; }",
        )
        .await;
    assert_eq!(kept, json!(["other"]));
    assert!(!second.updated, "{:?}", second.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_named_like_properties_of_storage_are_kept() {
    let rig = Rig::start().await;
    let names = "['length', 'key', 'getItem', '__proto__', 'constructor', '0', '']";
    rig.visit(&format!("{names}.forEach(name => localStorage.setItem(name, 'v-' + name))")).await;
    let (outcome, kept) = rig.visit(&format!("{names}.map(name => localStorage.getItem(name) === 'v-' + name)")).await;
    assert_eq!(kept, json!([true, true, true, true, true, true, true]));
    assert!(!outcome.updated, "{:?}", outcome.changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_kept_although_its_page_leaves_while_it_is_read() {
    let rig = Rig::start().await;
    // The page goes away again and again; whatever the moment, its origin is read in the end.
    let outcome = rig
        .run(|_, page| {
            let url = rig.url("/");
            async move {
                goto(&page, &url).await;
                evaluate(&page, "localStorage.setItem('token', 'kept'); setInterval(() => location.reload(), 1); 1")
                    .await;
            }
        })
        .await;
    assert_eq!((outcome.save_error.as_ref(), changes(&outcome)), (None, vec!["added localstorage token".to_owned()]));
}
