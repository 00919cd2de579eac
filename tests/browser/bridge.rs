//! Other clients of a browser of ours, as Playwright and Puppeteer are ones.

use rhaven::browser::{Bridge, Browser, Flavor};
use serde_json::{Value, json};

use super::support::*;

/// A client that counts its messages and keeps what it was not waiting for.
pub struct Client {
    pub bridge: Bridge,
    last: i64,
    pub events: Vec<Value>,
}

impl Client {
    pub async fn of(browser: &Browser, hidden: &str) -> Self {
        let hidden = hidden.to_owned();
        let bridge = browser.bridge(move |target| target == hidden).await.unwrap();
        Self { bridge, last: 0, events: Vec::new() }
    }

    pub async fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.bridge.send(&message.to_string());
        loop {
            let message = self.next().await;
            if message["id"] == self.last {
                assert_eq!(message["sessionId"].as_str(), session);
                return message;
            }
            self.events.push(message);
        }
    }

    pub async fn next(&mut self) -> Value {
        let message =
            in_time("a message for the client", self.bridge.next()).await.expect("the client's connection ended");
        serde_json::from_str(&message).unwrap()
    }

    pub fn attached(&self) -> Vec<(&str, &str)> {
        let attached = self.events.iter().filter(|event| event["method"] == "Target.attachedToTarget");
        let pages = attached.map(|event| &event["params"]).filter(|params| params["targetInfo"]["type"] == "page");
        pages
            .map(|params| (params["targetInfo"]["targetId"].as_str().unwrap(), params["sessionId"].as_str().unwrap()))
            .collect()
    }
}

pub fn attach() -> Value {
    json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_works_beside_us_and_leaves_everything_as_it_is() {
    let browser = start().await;
    let (context, ours) = tab(&browser).await;
    let hidden = tab_in(&context).await;
    let mut client = Client::of(&browser, hidden.id().inner()).await;
    let version = client.call(None, "Browser.getVersion", json!({})).await;
    assert!(version["result"]["product"].as_str().unwrap().contains("Chrome"), "{version}");
    client.call(None, "Target.setAutoAttach", attach()).await;
    let [(target, session)] = client.attached()[..] else { panic!("{:?}", client.attached()) };
    assert_eq!(target, ours.id().inner(), "it is told of our tab, and not of the one that is hidden");
    let session = session.to_owned();
    client.call(Some(&session), "Runtime.enable", json!({})).await;
    client.call(Some(&session), "Runtime.evaluate", json!({ "expression": "globalThis.hers = 1" })).await;
    assert_eq!(evaluate(ours.cdp(), "hers").await, json!(1));
    // A tab that comes while it waits for the debuggers of both.
    let popup = client.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
    let id = popup["result"]["targetId"].as_str().unwrap();
    let theirs = client.attached().into_iter().find(|(target, _)| *target == id).map(|(_, session)| session.to_owned());
    let theirs = if let Some(session) = theirs {
        session
    } else {
        let event = client.next().await;
        event["params"]["sessionId"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned()
    };
    client.call(Some(&theirs), "Runtime.runIfWaitingForDebugger", json!({})).await;
    let sum = client.call(Some(&theirs), "Runtime.evaluate", json!({ "expression": "40 + 2" })).await;
    assert_eq!(sum["result"]["result"]["value"], 42);
    // What it may not.
    let refused = client.call(Some(&session), "DOM.setFileInputFiles", json!({ "files": ["/etc/passwd"] })).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("machine"), "{refused}");
    let unknown = client.call(Some("another"), "Runtime.evaluate", json!({ "expression": "1" })).await;
    assert_eq!(unknown["error"]["code"], -32001);
    // It cannot speak by a session of ours.
    let stolen = client.call(Some(ours.cdp().session_id()), "Runtime.evaluate", json!({ "expression": "1" })).await;
    assert_eq!(stolen["error"]["code"], -32001);
    assert!(!client.bridge.closing().is_cancelled());
    client.call(None, "Browser.close", json!({})).await;
    assert!(client.bridge.closing().is_cancelled(), "the end is left to us");
    drop(client);
    assert_eq!(evaluate(ours.cdp(), "hers + 1").await, json!(2));
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_apart_and_end_with_the_browser() {
    let browser = start().await;
    let (_context, _ours) = tab(&browser).await;
    let (mut one, mut other) = (Client::of(&browser, "").await, Client::of(&browser, "").await);
    one.call(None, "Target.setAutoAttach", attach()).await;
    let (_, session) = one.attached()[0];
    let session = session.to_owned();
    let foreign = other.call(Some(&session), "Runtime.evaluate", json!({ "expression": "1" })).await;
    assert_eq!(foreign["error"]["code"], -32001);
    assert!(other.events.is_empty(), "{:?}", other.events);
    end(browser).await;
    loop {
        if in_time("the end", one.bridge.next()).await.is_none() {
            break;
        }
    }
    assert_eq!(in_time("the end", other.bridge.next()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_is_in_no_window_is_ours_before_anybody_can_say_so() {
    let browser = start_with(&options(Flavor::Full)).await;
    let (context, _ours) = tab(&browser).await;
    let mut client = Client::of(&browser, "").await;
    client.call(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    client.call(None, "Target.setAutoAttach", attach()).await;
    let unseen = context.new_hidden_target().await.unwrap();
    let all = client.call(None, "Target.getTargets", json!({})).await;
    let id = unseen.id().inner();
    let told = client.events.iter().any(|event| event.to_string().contains(id));
    assert!(!told && !all.to_string().contains(id), "{:?} {all}", client.events);
    for method in ["Target.attachToTarget", "Target.closeTarget", "Target.activateTarget", "Target.getTargetInfo"] {
        let answer = client.call(None, method, json!({ "targetId": id, "flatten": true })).await;
        assert_eq!(answer["error"]["message"], "No target with given id found", "{method}: {answer}");
    }
    assert_eq!(evaluate(unseen.cdp(), "1").await, json!(1), "it is still there");
    drop(client);
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_by_tabs_does_not_wait_for_a_page_that_is_hidden() {
    let browser = start().await;
    let (context, ours) = tab(&browser).await;
    let hidden = tab_in(&context).await;
    let mut client = Client::of(&browser, hidden.id().inner()).await;
    // As Puppeteer does: tabs first, then the page in each, and it is ready when it has one for each tab.
    let mut params = attach();
    params["filter"] = json!([{ "type": "page", "exclude": true }, {}]);
    client.call(None, "Target.setAutoAttach", params.clone()).await;
    let attached = client.events.iter().filter(|event| event["method"] == "Target.attachedToTarget");
    let tabs = attached.filter(|event| event["params"]["targetInfo"]["type"] == "tab");
    let mut tabs: Vec<String> = tabs.map(|tab| tab["params"]["sessionId"].as_str().unwrap().to_owned()).collect();
    params["filter"] = json!([{}]);
    for tab in &tabs {
        client.call(Some(tab), "Target.setAutoAttach", params.clone()).await;
    }
    let [(target, _)] = client.attached()[..] else { panic!("{:?}", client.attached()) };
    assert_eq!(target, ours.id().inner());
    let gone = client.events.iter().filter(|event| event["method"] == "Target.detachedFromTarget");
    let gone: Vec<&Value> = gone.map(|event| &event["params"]).collect();
    let [gone] = gone[..] else { panic!("{gone:?}") };
    let gone = gone.clone();
    tabs.retain(|tab| gone["sessionId"] == tab.as_str());
    assert_eq!(tabs.len(), 1, "the tab of the hidden page has gone");
    let destroyed = client.events.iter().find(|event| event["method"] == "Target.targetDestroyed").unwrap();
    assert_eq!(destroyed["params"]["targetId"], gone["targetId"]);
    let unknown = client.call(Some(&tabs[0]), "Target.getTargetInfo", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32001);
    let close = json!({ "targetId": gone["targetId"] });
    let closed = client.call(None, "Target.closeTarget", close).await;
    assert_eq!(closed["error"]["code"], -32602, "the tab around the hidden page is not closed either");
    assert_eq!(evaluate(hidden.cdp(), "1").await, json!(1));
    drop((client, context));
    end(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn popups_come_to_every_client_and_chromiums_own_windows_to_none() {
    let browser = start_with(&options(Flavor::Full)).await;
    let (context, ours) = tab(&browser).await;
    let (mut one, mut other) = (Client::of(&browser, "").await, Client::of(&browser, "").await);
    for client in [&mut one, &mut other] {
        client.call(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    }
    one.call(None, "Target.setAutoAttach", attach()).await;
    for open in ["open('about:blank', '', 'width=300,height=200')", "open('about:blank')"] {
        let mut targets = context.targets();
        let known: Vec<_> = one.attached().into_iter().map(|(target, _)| target.to_owned()).collect();
        // Not to be waited for: it comes back once both who debug the popup have let it run.
        evaluate(ours.cdp(), &format!("setTimeout(() => {open}); 1")).await;
        let popup = loop {
            let target = attached(&mut targets).await;
            if !known.iter().any(|known| known == target.id().inner()) {
                break target;
            }
        };
        popup.resume();
        let id = popup.id().inner();
        let session = loop {
            if let Some((_, session)) = one.attached().into_iter().find(|(target, _)| target == id) {
                break session.to_owned();
            }
            let event = one.next().await;
            one.events.push(event);
        };
        one.call(Some(&session), "Runtime.runIfWaitingForDebugger", json!({})).await;
        let name = one.call(Some(&session), "Runtime.evaluate", json!({ "expression": "opener !== null" })).await;
        assert_eq!(name["result"]["result"]["value"], true, "{name}");
        let is_told = |event: &Value| {
            let target = &event["params"]["targetInfo"];
            event["method"] == "Target.targetCreated" && target["targetId"] == id.as_str() && target["type"] == "page"
        };
        while !other.events.iter().any(is_told) {
            let event = other.next().await;
            other.events.push(event);
        }
        let all = other.call(None, "Target.getTargets", json!({})).await;
        assert!(all.to_string().contains(id) && !all.to_string().contains("browser_ui"), "{all}");
    }
    let of_chromium = one.events.iter().chain(&other.events).find(|event| event.to_string().contains("browser_ui"));
    assert!(of_chromium.is_none(), "{of_chromium:?}");
    drop((one, other, context));
    end(browser).await;
}
