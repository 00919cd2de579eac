//! What other clients of a browser of ours do not get, with the real Chromium: files of this machine, downloads, contexts of others.

use std::io::Write;

use chromiumoxide::cdp::browser_protocol::input::DispatchDragEventParams;
use serde_json::{Value, json};

use super::bridge::{Client, attach};
use super::site::Site;
use super::support::*;

/// Takes what is dropped on it and says what it was.
const TARGET: &str = "new Promise(done => {
    document.body.innerHTML = '<div style=\"position:fixed;inset:0\"></div>';
    globalThis.got = [];
    for (const kind of ['dragenter', 'dragover']) document.addEventListener(kind, event => event.preventDefault());
    document.addEventListener('drop', async event => {
        event.preventDefault();
        const [file, text] = [event.dataTransfer.files[0], event.dataTransfer.getData('text/plain')];
        got.push(file ? await file.text() : text);
    });
    requestAnimationFrame(() => requestAnimationFrame(() => done(1)));
})";

fn drag(kind: &str, data: &Value) -> Value {
    json!({ "type": kind, "x": 20, "y": 20, "data": data })
}

/// The client's session with the first page that it knows of.
pub async fn first_page(client: &mut Client) -> String {
    client.call(None, "Target.setAutoAttach", attach()).await;
    client.attached()[0].1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_reads_no_file_of_this_machine_by_dragging_one() {
    let browser = start().await;
    let (_context, ours) = tab(&browser).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a secret of the server").unwrap();
    let mut client = Client::of(&browser, "").await;
    let page = first_page(&mut client).await;
    evaluate(ours.cdp(), TARGET).await;
    let files =
        json!({ "items": [{ "mimeType": "text/plain", "data": "" }], "files": [file.path()], "dragOperationsMask": 1 });
    for kind in ["dragEnter", "dragOver", "drop"] {
        let answer = client.call(Some(&page), "Input.dispatchDragEvent", drag(kind, &files)).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("files"), "{answer}");
    }
    let text = json!({ "items": [{ "mimeType": "text/plain", "data": "dragged" }], "dragOperationsMask": 1 });
    for kind in ["dragEnter", "dragOver", "drop"] {
        let answer = client.call(Some(&page), "Input.dispatchDragEvent", drag(kind, &text)).await;
        assert!(answer["error"].is_null(), "{answer}");
    }
    assert_eq!(evaluate(ours.cdp(), "got").await, json!(["dragged"]));
    // Chromium itself would have: it is the guard that keeps it.
    for kind in ["dragEnter", "dragOver", "drop"] {
        let event: DispatchDragEventParams = serde_json::from_value(drag(kind, &files)).unwrap();
        in_time("the drag", ours.cdp().call(event)).await.unwrap();
    }
    let read =
        "new Promise(done => { const look = () => got.length > 1 ? done(got[1]) : setTimeout(look, 5); look() })";
    assert_eq!(evaluate(ours.cdp(), read).await, json!("a secret of the server"));
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_client_drives_opens_no_file_of_this_machine() {
    let (browser, site) = tokio::join!(start(), Site::start());
    let (_context, ours) = tab(&browser).await;
    goto(&ours, &site.url("/")).await;
    let mut client = Client::of(&browser, "").await;
    let page = first_page(&mut client).await;
    let page = Some(page.as_str());
    let tree = client.call(page, "Page.getFrameTree", json!({})).await;
    let world = json!({ "frameId": tree["result"]["frameTree"]["frame"]["id"], "grantUniveralAccess": true });
    let world = client.call(page, "Page.createIsolatedWorld", world).await;
    let world = world["result"]["executionContextId"].as_i64().unwrap();
    // With all that a client can have a page's script do: every origin is its own there, and it is a person who asks.
    let script = "(async () => {
        const read = await fetch('file:///etc/passwd').then(answer => answer.text(), () => 'refused');
        const frame = document.body.appendChild(document.createElement('iframe'));
        const loaded = new Promise(done => { frame.onload = done; setTimeout(done, 2000) });
        try { frame.src = 'file:///etc/passwd' } catch {}
        await loaded;
        let inside = '';
        try { inside = frame.contentDocument?.body?.innerText ?? '' } catch {}
        try { location.href = 'file:///etc/passwd' } catch {}
        return [read, inside.includes('root:')];
    })()";
    let asked = json!({ "expression": script, "contextId": world, "userGesture": true, "awaitPromise": true, "returnByValue": true });
    let told = client.call(page, "Runtime.evaluate", asked).await;
    assert_eq!(told["result"]["result"]["value"], json!(["refused", false]), "{told}");
    let opened = "try { const other = open('file:///etc/passwd'); other ? other.location.href : 'none' } catch (error) { String(error) }";
    let asked = json!({ "expression": opened, "userGesture": true, "returnByValue": true });
    let told = client.call(page, "Runtime.evaluate", asked).await;
    assert!(!told.to_string().contains("file://"), "{told}");
    let all = client.call(None, "Target.getTargets", json!({})).await;
    assert!(!all.to_string().contains("file://"), "{all}");
    assert_eq!(evaluate(ours.cdp(), "location.href").await, json!(site.url("/")));
    for address in ["file:///etc/passwd", "view-source:file:///etc/passwd", "chrome://version", "devtools://devtools/x"]
    {
        let answer = client.call(page, "Page.navigate", json!({ "url": address })).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("not opened here"), "{answer}");
        let answer = client.call(None, "Target.createTarget", json!({ "url": address })).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("not opened here"), "{answer}");
    }
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_its_own_contexts_only_and_downloads_in_none() {
    let browser = start().await;
    let (context, ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    let foreign = json!({ "browserContextId": context.id().inner() });
    let answer = client.call(None, "Target.disposeBrowserContext", foreign).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(evaluate(ours.cdp(), "1").await, json!(1));
    let made = client.call(None, "Target.createBrowserContext", json!({})).await;
    let id = made["result"]["browserContextId"].clone();
    // As Playwright does, which is told of what becomes of a download.
    let wanted =
        json!({ "behavior": "allowAndName", "browserContextId": id, "downloadPath": "/tmp", "eventsEnabled": true });
    let answer = client.call(None, "Browser.setDownloadBehavior", wanted).await;
    assert_eq!(answer["result"], json!({}), "{answer}");
    let wanted = json!({ "behavior": "allow", "browserContextId": id, "downloadPath": "/tmp" });
    let answer = client.call(None, "Browser.setDownloadBehavior", wanted).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("downloads"), "{answer}");
    let tab = client.call(None, "Target.createTarget", json!({ "url": "about:blank", "browserContextId": id })).await;
    let tab = json!({ "targetId": tab["result"]["targetId"], "flatten": true });
    let page =
        client.call(None, "Target.attachToTarget", tab).await["result"]["sessionId"].as_str().unwrap().to_owned();
    let script = "const a = document.createElement('a'); a.href = 'data:application/octet-stream,x'; a.download = 'x'; a.click()";
    client.call(Some(&page), "Runtime.evaluate", json!({ "expression": script, "userGesture": true })).await;
    loop {
        let seen = std::mem::take(&mut client.events);
        let next = if seen.is_empty() { vec![client.next().await] } else { seen };
        let mut progress = next.iter().filter(|event| event["method"] == "Browser.downloadProgress");
        if let Some(state) = progress.find(|event| event["params"]["state"] != "inProgress") {
            assert_eq!(state["params"]["state"], "canceled", "{state}");
            break;
        }
    }
    // What was asked where nobody answers any more has an answer nonetheless.
    let never = json!({ "expression": "new Promise(() => {})", "awaitPromise": true });
    client.bridge.send(
        &json!({ "id": 1_000_000, "method": "Runtime.evaluate", "params": never, "sessionId": page }).to_string(),
    );
    client.bridge.send(
        &json!({ "id": 1_000_001, "method": "Target.disposeBrowserContext", "params": { "browserContextId": id } })
            .to_string(),
    );
    loop {
        let message = client.next().await;
        if message["id"] == 1_000_000 {
            assert!(!message["error"].is_null(), "{message}");
            break;
        }
    }
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_traces_the_browser_and_takes_no_requests_of_all() {
    let browser = start().await;
    let (_context, _ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    let taken = client.call(None, "Fetch.enable", json!({})).await;
    assert_eq!(taken["error"]["code"], -32000, "{taken}");
    let session = client.call(None, "Target.attachToBrowserTarget", json!({})).await;
    let session = session["result"]["sessionId"].as_str().unwrap().to_owned();
    let taken = client.call(Some(&session), "Fetch.enable", json!({})).await;
    assert_eq!(taken["error"]["code"], -32000, "{taken}");
    let refused = client.call(None, "Tracing.start", json!({ "perfettoConfig": "AAAA" })).await;
    assert!(!refused["error"].is_null(), "{refused}");
    let started =
        client.call(None, "Tracing.start", json!({ "categories": "v8", "transferMode": "ReturnAsStream" })).await;
    assert!(started["error"].is_null(), "{started}");
    client.call(None, "Tracing.end", json!({})).await;
    loop {
        let seen = std::mem::take(&mut client.events);
        let next = if seen.is_empty() { vec![client.next().await] } else { seen };
        if next.iter().any(|event| event["method"] == "Tracing.tracingComplete") {
            break;
        }
    }
    drop(client);
    end(browser).await;
}
