//! The router: which answer belongs to which call and which event to which subscriber. Knows nothing of how bytes travel
//! (`transport`) and nothing of what targets mean (`registry`).
//!
//! Payloads never appear in logs or errors: they hold passwords, cookies and what people type.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

use super::bridge::Links;
use super::transport::Outbox;
use super::{BrowserError, Egress, RawEvent};

/// What a call comes to: the raw result or an error.
pub(super) type Answer = Result<Box<RawValue>, BrowserError>;

/// Chromium's code for a command to a session that has ended.
pub(super) const SESSION_NOT_FOUND: i64 = -32001;

/// The commands that change what sites may do.
const PERMISSIONS: [&str; 3] = ["Browser.setPermission", "Browser.grantPermissions", "Browser.resetPermissions"];

/// Locks, also after a panic elsewhere: what these locks guard is consistent between statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state shared by all sessions of one connection.
pub(super) struct Router {
    /// Where commands go.
    pub(super) outbox: Outbox,
    /// Calls without an answer yet. Never held together with another lock.
    calls: Mutex<Calls>,
    /// Other clients of the browser.
    pub(super) links: Links,
    /// The only way out that the browser has, where it was started with one.
    pub(super) egress: Option<Egress>,
    /// What it goes through without being confined to it.
    pub(super) proxy: Option<Egress>,
    /// How often somebody here has changed what sites may do.
    permissions: AtomicU64,
    /// Why the connection ended; none while it lives. Waited on by everybody who asks whether the browser is gone.
    ended: watch::Sender<Option<BrowserError>>,
}

#[derive(Default)]
struct Calls {
    last_id: u64,
    waiting: HashMap<u64, (Arc<Session>, oneshot::Sender<Answer>)>,
}

/// One message of Chromium's, parsed once; the payload stays raw.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incoming<'a> {
    pub(super) id: Option<u64>,
    #[serde(borrow)]
    pub(super) session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) params: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a, P> {
    id: u64,
    method: &'a str,
    params: &'a P,
    #[serde(skip_serializing_if = "str::is_empty")]
    session_id: &'a str,
}

impl Router {
    pub(super) fn new(egress: Option<Egress>, proxy: Option<Egress>) -> Self {
        let (outbox, calls, permissions) = (Outbox::default(), Mutex::default(), AtomicU64::default());
        let links = Links::default();
        Self { outbox, calls, links, egress, proxy, permissions, ended: watch::Sender::new(None) }
    }

    /// How often somebody here has changed what sites may do.
    pub(super) fn permissions(&self) -> u64 {
        self.permissions.load(Ordering::Acquire)
    }

    /// Puts a command on the wire: when this returns it is queued behind all that were, so calls of one task arrive in
    /// their order. Ids only tell calls apart; between tasks a later one may go first.
    pub(super) fn send(
        &self,
        session: &Arc<Session>,
        method: &str,
        params: &impl Serialize,
    ) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        if PERMISSIONS.contains(&method) {
            self.permissions.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(error) = self.end_reason().or_else(|| session.end_reason()) {
            let _ = answer.send(Err(error));
            return receiver;
        }
        let id = {
            let mut calls = lock(&self.calls);
            calls.last_id += 1;
            let id = calls.last_id;
            calls.waiting.insert(id, (session.clone(), answer));
            id
        };
        match serde_json::to_vec(&Outgoing { id, method, params, session_id: session.id() }) {
            Ok(message) => self.outbox.push(&message),
            Err(error) => self.answer(
                id,
                Err(BrowserError::Protocol { method: method.to_owned(), reason: format!("not sent: {error}") }),
            ),
        }
        // The end may have come between the look above and the insertion; whoever ends drains after setting the reason.
        if let Some(error) = self.end_reason().or_else(|| session.end_reason()) {
            self.answer(id, Err(error));
        }
        receiver
    }

    /// An id that no other call has.
    pub(super) fn next_id(&self) -> u64 {
        let mut calls = lock(&self.calls);
        calls.last_id += 1;
        calls.last_id
    }

    /// Puts a command on the wire whose answer is not for a call of ours.
    pub(super) fn push(&self, id: u64, method: &str, params: &impl Serialize, session_id: &str) {
        if let Ok(message) = serde_json::to_vec(&Outgoing { id, method, params, session_id }) {
            self.outbox.push(&message);
        }
    }

    /// Hands an answer to its call.
    pub(super) fn answered(&self, message: &Incoming<'_>) {
        let Some(id) = message.id else { return };
        let refusal = message.error.map(|error| serde_json::from_str::<Refusal>(error.get()).unwrap_or_default());
        let answer = match (refusal, message.result) {
            (Some(refusal), _) if refusal.code == SESSION_NOT_FOUND => Err(BrowserError::TargetGone),
            // The method is filled in by whoever waits.
            (Some(refusal), _) => {
                Err(BrowserError::Cdp { method: String::new(), code: refusal.code, message: refusal.message })
            }
            (None, result) => Ok(result.map_or_else(empty, ToOwned::to_owned)),
        };
        self.answer(id, answer);
    }

    fn answer(&self, id: u64, answer: Answer) {
        let waiting = lock(&self.calls).waiting.remove(&id);
        if let Some((_, call)) = waiting {
            let _ = call.send(answer);
        }
    }

    /// Ends `session`: its calls fail, its subscriptions end.
    pub(super) fn end_session(&self, session: &Arc<Session>, error: &BrowserError) {
        session.end(error);
        let over: Vec<_> = lock(&self.calls).waiting.extract_if(|_, (owner, _)| Arc::ptr_eq(owner, session)).collect();
        for (_, (_, call)) in over {
            let _ = call.send(Err(error.clone()));
        }
    }

    /// Ends the connection: every call that waits fails now, every later one at once.
    pub(super) fn end(&self, error: &BrowserError) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| error.clone());
            first
        });
        let reason = self.end_reason().unwrap_or_else(|| error.clone());
        let over = std::mem::take(&mut lock(&self.calls).waiting);
        for (_, (_, call)) in over {
            let _ = call.send(Err(reason.clone()));
        }
        self.outbox.close();
    }

    /// Why the connection ended, if it has.
    pub(super) fn end_reason(&self) -> Option<BrowserError> {
        self.ended.borrow().clone()
    }

    /// Waits for the end of the connection.
    pub(super) async fn ended(&self) -> BrowserError {
        let mut ended = self.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| BrowserError::Gone("its connection was dropped".to_owned()))
    }
}

/// The result of commands that answer nothing.
fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

/// One CDP session: its id and who listens to it.
pub(super) struct Session {
    id: Arc<str>,
    /// Listeners until the end, the reason after it.
    listeners: Mutex<Result<Vec<Listener>, BrowserError>>,
    /// Its way out, where it has another than its browser.
    way: OnceLock<Egress>,
}

struct Listener {
    /// Methods of interest; empty for all.
    methods: Vec<Cow<'static, str>>,
    queue: mpsc::UnboundedSender<RawEvent>,
}

impl Session {
    pub(super) fn new(id: &str) -> Arc<Self> {
        Arc::new(Self { id: id.into(), listeners: Mutex::new(Ok(Vec::new())), way: OnceLock::new() })
    }

    pub(super) fn goes_out_by(&self, way: &Egress) {
        let _ = self.way.set(way.clone());
    }

    pub(super) fn way(&self) -> Option<&Egress> {
        self.way.get()
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Listens from now on. On a session that has ended the queue is closed from the start.
    pub(super) fn subscribe(&self, methods: Vec<Cow<'static, str>>) -> mpsc::UnboundedReceiver<RawEvent> {
        let (queue, receiver) = mpsc::unbounded_channel();
        if let Ok(listeners) = &mut *lock(&self.listeners) {
            listeners.retain(|listener| !listener.queue.is_closed());
            listeners.push(Listener { methods, queue });
        }
        receiver
    }

    /// Hands an event to those who asked for it. It is copied only if somebody did.
    pub(super) fn dispatch(&self, method: &str, params: Option<&RawValue>) {
        let Ok(listeners) = &*lock(&self.listeners) else { return };
        let mut event = None;
        for listener in listeners {
            if listener.methods.is_empty() || listener.methods.iter().any(|wanted| wanted == method) {
                let event = event.get_or_insert_with(|| RawEvent {
                    method: method.into(),
                    params: params.map_or_else(empty, ToOwned::to_owned).into(),
                });
                // A listener that has gone is dropped at the next subscription.
                let _ = listener.queue.send(event.clone());
            }
        }
    }

    /// No more events and no more commands.
    pub(super) fn end(&self, error: &BrowserError) {
        let mut listeners = lock(&self.listeners);
        if listeners.is_ok() {
            *listeners = Err(error.clone());
        }
    }

    fn end_reason(&self) -> Option<BrowserError> {
        lock(&self.listeners).as_ref().err().cloned()
    }
}
