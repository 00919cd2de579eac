//! Which sessions and calls are a client's, and what waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::browser::router::{Incoming, Router, SESSION_NOT_FOUND, lock};

use super::commands::lets_go_on;
use super::guard::Command;
use super::rules::{After, Edited, Info, Known, Place, Ruled};

/// What may wait for a client that does not read, in bytes: some screenshots.
const MAX_WAITING: usize = 64 << 20;

/// How many of a client's commands may be without an answer. Some have none for long: they wait for something in a page.
const MAX_CALLS: usize = 10_000;

/// How many more there may be of those that let others have theirs.
const SPARE_CALLS: usize = 1_000;

/// Chromium's code for a command that it does not do.
const REFUSED: i64 = -32000;

/// What Chromium says of a session that is not there.
const NO_SESSION: &str = "Session with given id not found.";

/// Events that tell of targets by their id.
const OF_TARGETS: [&str; 4] =
    ["Target.targetCreated", "Target.targetInfoChanged", "Target.targetDestroyed", "Target.targetCrashed"];

/// One client.
pub(in crate::browser) struct Link {
    /// Its session on the browser, which it does not know of: to it that is the connection.
    root: String,
    known: Known,
    /// With each message, what it counts for.
    queue: mpsc::UnboundedSender<Queued>,
    waiting: AtomicUsize,
    /// How many have no answer.
    calls: AtomicUsize,
    over: CancellationToken,
    too_slow: AtomicBool,
}

/// A message, and what it counts for in what waits.
pub(super) type Queued = (String, usize);

/// All clients of a browser.
#[derive(Default)]
pub(in crate::browser) struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    /// By session.
    sessions: HashMap<String, Speaker>,
    /// Chromium's tabs, which hold pages, by the session that a client has on one.
    tabs: HashMap<String, String>,
    /// By the id that the call has on the wire.
    calls: HashMap<u64, Call>,
}

/// A session of a client's.
struct Speaker {
    link: Arc<Link>,
    /// The session below which it was attached; none for the client's connection.
    parent: Option<String>,
    place: Place,
}

struct Call {
    link: Arc<Link>,
    /// As the client names it.
    id: i64,
    /// The session by which the client made it.
    session: Option<String>,
    after: After,
}

impl Call {
    fn new(link: &Arc<Link>, id: i64, session: Option<String>, after: After) -> Self {
        link.calls.fetch_add(1, Ordering::Relaxed);
        Self { link: link.clone(), id, session, after }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.link.calls.fetch_sub(1, Ordering::Relaxed);
    }
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
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Queued>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let link = Self {
            root: root.to_owned(),
            known: Known::new(hidden),
            queue,
            waiting: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            over: CancellationToken::new(),
            too_slow: AtomicBool::new(false),
        };
        (Arc::new(link), receiver)
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Cancelled when nothing more comes.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Whether it was let go because too much waited for it.
    pub(super) fn is_too_slow(&self) -> bool {
        self.too_slow.load(Ordering::Relaxed)
    }

    /// Queues a message for the client. One that lets too much wait gets nothing more: its picture of the browser would be wrong. How
    /// large one message is is not the client's doing, so what counts is what waits before it, and one that nothing waits before counts
    /// for nothing much.
    pub(super) fn tell(&self, message: String) {
        if self.over.is_cancelled() {
            return;
        }
        let before = self.waiting.load(Ordering::Relaxed);
        if before > MAX_WAITING {
            tracing::debug!("a client of a browser does not read, and is let go");
            self.too_slow.store(true, Ordering::Relaxed);
            self.over.cancel();
            return;
        }
        let counted = if before == 0 { 1 } else { message.len().max(1) };
        self.waiting.fetch_add(counted, Ordering::Relaxed);
        let _ = self.queue.send((message, counted));
    }

    /// A message has left the queue.
    pub(super) fn taken(&self, counted: usize) {
        self.waiting.fetch_sub(counted, Ordering::Relaxed);
    }

    /// Whether too much is without an answer for this to be asked, too.
    fn has_asked_too_much(&self, method: &str) -> bool {
        let most = if lets_go_on(method) { MAX_CALLS + SPARE_CALLS } else { MAX_CALLS };
        self.calls.load(Ordering::Relaxed) >= most
    }

    /// The name that the client has for one of its sessions: none for its connection.
    fn named<'a>(&self, session: &'a str) -> Option<&'a str> {
        (session != self.root).then_some(session)
    }
}

impl Links {
    pub(super) fn add(&self, link: &Arc<Link>) {
        let connection = Speaker { link: link.clone(), parent: None, place: Place::Connection };
        lock(&self.0).sessions.insert(link.root.clone(), connection);
    }

    pub(super) fn remove(&self, link: &Arc<Link>) {
        let mut state = lock(&self.0);
        let State { sessions, tabs, calls } = &mut *state;
        sessions.retain(|_, owner| !Arc::ptr_eq(&owner.link, link));
        tabs.retain(|session, _| sessions.contains_key(session));
        calls.retain(|_, call| !Arc::ptr_eq(&call.link, link));
    }

    /// Puts a client's command on the wire, under an id of ours.
    pub(super) fn forward(&self, router: &Router, link: &Arc<Link>, command: Command) {
        let on = command.session.as_deref().unwrap_or(&link.root);
        let place = {
            let state = lock(&self.0);
            state.sessions.get(on).filter(|owner| Arc::ptr_eq(&owner.link, link)).map(|owner| owner.place)
        };
        let Some(place) = place else {
            return link.tell(refusal(command.id, command.session.as_deref(), SESSION_NOT_FOUND, NO_SESSION));
        };
        if link.has_asked_too_much(&command.method) {
            let reason = format!("{MAX_CALLS} commands of this client have no answer yet: wait for some of those");
            return link.tell(refusal(command.id, command.session.as_deref(), REFUSED, &reason));
        }
        let ruled = link.known.rule(&command, place);
        let Command { id, method, mut params, session } = command;
        let after = match ruled {
            Ruled::Pass(after) => after,
            Ruled::Instead(others) => {
                params = others;
                After::Nothing
            }
            Ruled::Done => {
                let mut done = json!({ "id": id, "result": {} });
                if let Some(session) = session {
                    done["sessionId"] = session.into();
                }
                return link.tell(done.to_string());
            }
            Ruled::Refused(code, reason) => return link.tell(refusal(id, session.as_deref(), code, &reason)),
        };
        let wire_id = router.next_id();
        let on = session.clone().unwrap_or_else(|| link.root.clone());
        let call = Call::new(link, id, session, after);
        {
            let mut state = lock(&self.0);
            // It may have ended since it was looked for, and then nobody would answer.
            if state.sessions.contains_key(&on) {
                state.calls.insert(wire_id, call);
            } else {
                drop(state);
                return link.tell(refusal(id, call.session.as_deref(), SESSION_NOT_FOUND, NO_SESSION));
            }
        }
        router.push(wire_id, &method, &params, &on);
    }

    /// Hands an answer to the client whose call it was; false where it is nobody's.
    pub(in crate::browser) fn answered(&self, router: &Router, message: &Incoming<'_>) -> bool {
        let Some(call) = message.id.and_then(|id| lock(&self.0).calls.remove(&id)) else { return false };
        let known = &call.link.known;
        if let (After::Context, Some(id)) = (call.after, message.result.and_then(|result| known.made(result))) {
            // Before the client hears of it, and so before there is anything in it.
            let deny = json!({ "behavior": "deny", "browserContextId": id });
            router.push(router.next_id(), "Browser.setDownloadBehavior", &deny, "");
        }
        let edited = message.result.map_or(Edited::AsItIs, |result| known.edited(call.after, result));
        let (result, error) = match &edited {
            Edited::AsItIs => (message.result, message.error),
            Edited::Result(result) => (Some(&**result), None),
            Edited::Error(error) => (None, Some(&**error)),
        };
        let session_id = call.session.as_deref();
        let wire = Wire { id: Some(call.id), method: None, params: None, result, error, session_id };
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
        let owner = lock(&self.0).sessions.get(session).map(|owner| owner.link.clone());
        let Some(link) = owner else { return false };
        let told = self.follows(router, &link, session, method, params);
        if told.is_some() {
            let session_id = link.named(session);
            link.tell(text(&Wire { id: None, method: told, params, result: None, error: None, session_id }));
        }
        if method == "Target.detachedFromTarget"
            && let Ok(detached) = serde_json::from_str::<Detached<'_>>(params.map_or("{}", RawValue::get))
        {
            self.close(detached.session_id);
        }
        true
    }

    /// A session on the browser has ended, which may be a client's.
    pub(in crate::browser) fn ended(&self, session: &str) {
        if let Some(owner) = lock(&self.0).sessions.get(session) {
            owner.link.over.cancel();
        }
    }

    /// Keeps track of a client's sessions; what the event is to it, none where it is not for it.
    fn follows<'m>(
        &self,
        router: &Router,
        link: &Arc<Link>,
        session: &str,
        method: &'m str,
        params: Option<&RawValue>,
    ) -> Option<&'m str> {
        let params = params.map_or("{}", RawValue::get);
        match method {
            "Target.attachedToTarget" => {
                let Ok(attached) = serde_json::from_str::<Attached<'_>>(params) else { return Some(method) };
                if link.known.hides(&attached.target_info) {
                    let detach = json!({ "sessionId": attached.session_id });
                    router.push(router.next_id(), "Runtime.runIfWaitingForDebugger", &(), attached.session_id);
                    router.push(router.next_id(), "Target.detachFromTarget", &detach, session);
                    self.lose_tab(router, link, session);
                    return None;
                }
                self.open(link, session, &attached);
                Some(method)
            }
            "Target.detachedFromTarget" => {
                let Ok(detached) = serde_json::from_str::<Detached<'_>>(params) else { return Some(method) };
                lock(&self.0).sessions.contains_key(detached.session_id).then_some(method)
            }
            _ if OF_TARGETS.contains(&method) => {
                let Ok(about) = serde_json::from_str::<OfTarget<'_>>(params) else { return Some(method) };
                let by_id = about.target_id.map(|target_id| Info { target_id, kind: "" });
                about.target_info.or(by_id).map_or(Some(method), |target| link.known.told(method, &target))
            }
            _ => Some(method),
        }
    }
}

impl Links {
    /// A session has come to a client.
    fn open(&self, link: &Arc<Link>, parent: &str, attached: &Attached<'_>) {
        let Info { target_id, kind } = attached.target_info;
        let place = if kind == "browser" { Place::Browser } else { Place::Target };
        let mut state = lock(&self.0);
        let speaker = Speaker { link: link.clone(), parent: Some(parent.to_owned()), place };
        state.sessions.insert(attached.session_id.to_owned(), speaker);
        if kind == "tab" {
            state.tabs.insert(attached.session_id.to_owned(), target_id.to_owned());
        } else if kind == "page"
            && let Some(tab) = state.tabs.get(parent)
        {
            link.known.proven(tab);
        }
    }

    /// A client's session has ended, and those below it with it. Chromium does not answer what was asked there.
    fn close(&self, session: &str) {
        let mut gone = vec![session.to_owned()];
        let unanswered: Vec<_> = {
            let mut state = lock(&self.0);
            let State { sessions, tabs, calls } = &mut *state;
            let mut next = 0;
            while let Some(session) = gone.get(next).cloned() {
                tabs.remove(&session);
                sessions.remove(&session);
                let below = sessions.iter().filter(|(_, owner)| owner.parent.as_ref() == Some(&session));
                gone.extend(below.map(|(session, _)| session.clone()));
                next += 1;
            }
            calls.extract_if(|_, call| call.session.as_ref().is_some_and(|session| gone.contains(session))).collect()
        };
        for (_, call) in unanswered {
            call.link.tell(refusal(call.id, call.session.as_deref(), SESSION_NOT_FOUND, NO_SESSION));
        }
    }

    /// To its client a tab whose page is hidden has gone: who goes by tabs, as Puppeteer does, waits for the page in each.
    fn lose_tab(&self, router: &Router, link: &Arc<Link>, session: &str) {
        let Some(target) = lock(&self.0).tabs.remove(session) else { return };
        let detach = json!({ "sessionId": session });
        router.push(router.next_id(), "Runtime.runIfWaitingForDebugger", &(), session);
        router.push(router.next_id(), "Target.detachFromTarget", &detach, &link.root);
        let detached = json!({ "sessionId": session, "targetId": target });
        link.known.lose(&target);
        link.tell(json!({ "method": "Target.detachedFromTarget", "params": detached }).to_string());
        link.tell(json!({ "method": "Target.targetDestroyed", "params": { "targetId": target } }).to_string());
        self.close(session);
    }
}

/// An answer that says why not.
fn refusal(id: i64, session: Option<&str>, code: i64, reason: &str) -> String {
    let mut answer = json!({ "id": id, "error": { "code": code, "message": reason } });
    if let Some(session) = session {
        answer["sessionId"] = session.into();
    }
    answer.to_string()
}

fn text(wire: &Wire<'_>) -> String {
    // Made of texts that were JSON already.
    serde_json::to_string(wire).unwrap_or_default()
}
