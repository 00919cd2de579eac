//! Which sessions and calls are a client's, and what waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::browser::router::{Incoming, Router, SESSION_NOT_FOUND, lock};

use super::guard::Command;

/// What may wait for a client that does not read, in bytes: some screenshots.
const MAX_WAITING: usize = 64 << 20;

/// Events that tell of targets by their id.
const OF_TARGETS: [&str; 4] =
    ["Target.targetCreated", "Target.targetInfoChanged", "Target.targetDestroyed", "Target.targetCrashed"];

/// The kind of a tab that is in no window.
const UNSEEN: &str = "other";

/// One client.
pub(in crate::browser) struct Link {
    /// Its session on the browser, which it does not know of: to it that is the connection.
    root: String,
    hidden: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Chromium's tabs around pages that are hidden.
    husks: Mutex<HashSet<String>>,
    queue: mpsc::UnboundedSender<String>,
    waiting: AtomicUsize,
    over: CancellationToken,
}

/// All clients of a browser.
#[derive(Default)]
pub(in crate::browser) struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    /// By session.
    sessions: HashMap<String, Arc<Link>>,
    /// Chromium's tabs, which hold pages, by the session that a client has on one.
    tabs: HashMap<String, String>,
    /// By the id that the call has on the wire.
    calls: HashMap<u64, Call>,
}

struct Call {
    link: Arc<Link>,
    /// As the client names it.
    id: i64,
    /// The session by which the client made it.
    session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached<'a> {
    #[serde(borrow)]
    session_id: &'a str,
    #[serde(borrow)]
    target_info: Info<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    #[serde(borrow)]
    target_id: &'a str,
    #[serde(borrow, rename = "type", default)]
    kind: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTarget<'a> {
    #[serde(borrow, default)]
    target_id: Option<&'a str>,
    #[serde(borrow, default)]
    target_info: Option<Info<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detached<'a> {
    #[serde(borrow)]
    session_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
}

impl Link {
    pub(super) fn new(
        root: &str,
        hidden: Box<dyn Fn(&str) -> bool + Send + Sync>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let (root, waiting, over) = (root.to_owned(), AtomicUsize::new(0), CancellationToken::new());
        let husks = Mutex::default();
        (Arc::new(Self { root, hidden, husks, queue, waiting, over }), receiver)
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Cancelled when nothing more comes.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Queues a message for the client. One that lets too much wait gets nothing more: its picture of the browser would be wrong.
    pub(super) fn tell(&self, message: String) {
        let waiting = self.waiting.fetch_add(message.len(), Ordering::Relaxed) + message.len();
        if waiting > MAX_WAITING {
            tracing::debug!("a client of a browser does not read, and is let go");
            self.over.cancel();
        } else if !self.over.is_cancelled() {
            let _ = self.queue.send(message);
        }
    }

    /// A message has left the queue.
    pub(super) fn taken(&self, message: Option<&str>) {
        self.waiting.fetch_sub(message.map_or(0, str::len), Ordering::Relaxed);
    }

    /// The name that the client has for one of its sessions: none for its connection.
    fn named<'a>(&self, session: &'a str) -> Option<&'a str> {
        (session != self.root).then_some(session)
    }

    /// Tabs in no window are of this kind. They are ours, and Chromium tells of them before anybody can know their ids.
    fn hides(&self, target: &Info<'_>) -> bool {
        target.kind == UNSEEN || (self.hidden)(target.target_id) || lock(&self.husks).contains(target.target_id)
    }
}

impl Links {
    pub(super) fn add(&self, link: &Arc<Link>) {
        lock(&self.0).sessions.insert(link.root.clone(), link.clone());
    }

    pub(super) fn remove(&self, link: &Arc<Link>) {
        let mut state = lock(&self.0);
        let State { sessions, tabs, calls } = &mut *state;
        sessions.retain(|_, owner| !Arc::ptr_eq(owner, link));
        tabs.retain(|session, _| sessions.contains_key(session));
        calls.retain(|_, call| !Arc::ptr_eq(&call.link, link));
    }

    /// Puts a client's command on the wire, under an id of ours.
    pub(super) fn forward(&self, router: &Router, link: &Arc<Link>, command: Command) {
        let Command { id, method, params, session } = command;
        let known = session
            .as_deref()
            .is_none_or(|session| lock(&self.0).sessions.get(session).is_some_and(|owner| Arc::ptr_eq(owner, link)));
        if !known {
            let error = json!({ "code": SESSION_NOT_FOUND, "message": "Session with given id not found." });
            return link.tell(json!({ "id": id, "error": error, "sessionId": session }).to_string());
        }
        let wire_id = router.next_id();
        let on = session.clone().unwrap_or_else(|| link.root.clone());
        lock(&self.0).calls.insert(wire_id, Call { link: link.clone(), id, session });
        router.push(wire_id, &method, &params, &on);
    }

    /// Hands an answer to the client whose call it was; false where it is nobody's.
    pub(in crate::browser) fn answered(&self, message: &Incoming<'_>) -> bool {
        let Some(call) = message.id.and_then(|id| lock(&self.0).calls.remove(&id)) else { return false };
        let wire = Wire {
            id: Some(call.id),
            method: None,
            params: None,
            result: message.result,
            error: message.error,
            session_id: call.session.as_deref(),
        };
        call.link.tell(text(&wire));
        true
    }

    /// Hands an event to the client whose session it is of; false where it is nobody's.
    pub(in crate::browser) fn event(
        &self,
        router: &Router,
        session: &str,
        method: &str,
        params: Option<&RawValue>,
    ) -> bool {
        let Some(link) = lock(&self.0).sessions.get(session).cloned() else { return false };
        if self.follows(router, &link, session, method, params) {
            let session_id = link.named(session);
            let wire = Wire { id: None, method: Some(method), params, result: None, error: None, session_id };
            link.tell(text(&wire));
        }
        true
    }

    /// A session on the browser has ended, which may be a client's.
    pub(in crate::browser) fn ended(&self, session: &str) {
        if let Some(link) = lock(&self.0).sessions.get(session) {
            link.over.cancel();
        }
    }

    /// Keeps track of a client's sessions; false where the event is not for it.
    fn follows(
        &self,
        router: &Router,
        link: &Arc<Link>,
        session: &str,
        method: &str,
        params: Option<&RawValue>,
    ) -> bool {
        let params = params.map_or("{}", RawValue::get);
        match method {
            "Target.attachedToTarget" => {
                let Ok(attached) = serde_json::from_str::<Attached<'_>>(params) else { return true };
                if link.hides(&attached.target_info) {
                    let detach = json!({ "sessionId": attached.session_id });
                    router.push(router.next_id(), "Runtime.runIfWaitingForDebugger", &(), attached.session_id);
                    router.push(router.next_id(), "Target.detachFromTarget", &detach, session);
                    self.lose_tab(router, link, session);
                    return false;
                }
                let mut state = lock(&self.0);
                state.sessions.insert(attached.session_id.to_owned(), link.clone());
                if attached.target_info.kind == "tab" {
                    state.tabs.insert(attached.session_id.to_owned(), attached.target_info.target_id.to_owned());
                }
                true
            }
            "Target.detachedFromTarget" => {
                let Ok(detached) = serde_json::from_str::<Detached<'_>>(params) else { return true };
                let mut state = lock(&self.0);
                state.tabs.remove(detached.session_id);
                state.sessions.remove(detached.session_id).is_some()
            }
            _ if OF_TARGETS.contains(&method) => {
                let Ok(about) = serde_json::from_str::<OfTarget<'_>>(params) else { return true };
                let by_id = about.target_id.map(|target_id| Info { target_id, kind: "" });
                !about.target_info.or(by_id).is_some_and(|target| link.hides(&target))
            }
            _ => true,
        }
    }
}

impl Links {
    /// To its client a tab whose page is hidden has gone: who goes by tabs, as Puppeteer does, waits for the page in each.
    fn lose_tab(&self, router: &Router, link: &Arc<Link>, session: &str) {
        let target = {
            let mut state = lock(&self.0);
            let Some(target) = state.tabs.remove(session) else { return };
            state.sessions.remove(session);
            target
        };
        let detach = json!({ "sessionId": session });
        router.push(router.next_id(), "Runtime.runIfWaitingForDebugger", &(), session);
        router.push(router.next_id(), "Target.detachFromTarget", &detach, &link.root);
        let detached = json!({ "sessionId": session, "targetId": target });
        link.tell(json!({ "method": "Target.detachedFromTarget", "params": detached }).to_string());
        link.tell(json!({ "method": "Target.targetDestroyed", "params": { "targetId": target } }).to_string());
        lock(&link.husks).insert(target);
    }
}

fn text(wire: &Wire<'_>) -> String {
    // Made of texts that were JSON already.
    serde_json::to_string(wire).unwrap_or_default()
}
