//! Which targets there are: follows Chromium's attach and detach events and hands targets to their context or parent.
//!
//! Runs inside the reading task, so that a new session is known before the first event of it is routed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::inspector::EnableParams as InspectorEnable;
use chromiumoxide::cdp::browser_protocol::target::{FilterEntry, SetAutoAttachParams, TargetFilter, TargetId};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::hub::Hub;
use super::lenient::decode;
use super::router::{Incoming, Session, lock};
use super::target::Attachment;
use super::{BrowserError, Cdp, Egress, Target, TargetKind};

/// The browser as a target.
const BROWSER: &str = "browser";

/// Targets that nobody drives: the browser as a target, the tab around a page (whose page comes by itself), parts of
/// full Chromium's own window.
const NEVER: [&str; 3] = [BROWSER, "tab", "browser_ui"];

/// Attached on the browser's session, so not once more below each page that uses them.
const BROWSER_WIDE: [&str; 3] = ["page", "service_worker", "shared_worker"];

/// All targets of one browser.
pub(super) struct Registry {
    /// The browser's own session.
    pub(super) browser: Cdp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By CDP session id.
    targets: HashMap<String, Entry>,
    /// Contexts that somebody asked for; targets of others are let run and left alone.
    contexts: HashMap<BrowserContextId, Arc<ContextTargets>>,
    /// Who has asked for another session with a tab that is there.
    renewals: HashMap<TargetId, oneshot::Sender<Target>>,
    ended: bool,
}

#[derive(Clone)]
struct Entry {
    target: Target,
    /// The target below which it was attached; none for the browser.
    parent: Option<Target>,
}

/// What is attached in one context on the browser's own session.
pub(super) struct ContextTargets {
    pub(super) pages: Hub,
    pub(super) workers: Hub,
    /// What every worker is sent before it runs.
    prelude: Mutex<Vec<(&'static str, Value)>>,
    /// Its way out, where it has one of its own.
    way: OnceLock<Egress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    session_id: String,
    target_info: Info,
    #[serde(default)]
    waiting_for_debugger: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    target_id: TargetId,
    r#type: String,
    #[serde(default)]
    url: String,
    opener_id: Option<TargetId>,
    browser_context_id: Option<BrowserContextId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detached {
    session_id: String,
}

impl Registry {
    pub(super) fn new(browser: Cdp) -> Self {
        Self { browser, state: Mutex::default() }
    }

    /// Begins to attach to everything; sent before any other command.
    pub(super) fn begin(&self) {
        self.browser.send(auto_attach(&NEVER)).forget();
    }

    /// Takes one message from the wire.
    pub(super) fn handle(&self, message: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Incoming<'_>>(message) else {
            tracing::trace!("a message that is not one of the protocol was passed over");
            return;
        };
        let router = &self.browser.router;
        let Some(method) = message.method.as_deref() else {
            if !router.links.answered(router, &message) {
                router.answered(&message);
            }
            return;
        };
        if let Some(session) = message.session_id.as_deref()
            && router.links.event(router, session, method, message.params)
        {
            return;
        }
        let from = match message.session_id.as_deref() {
            None | Some("") => None,
            Some(id) => match lock(&self.state).targets.get(id) {
                Some(entry) => Some(entry.clone()),
                // Late news of a session that has ended.
                None => return,
            },
        };
        match method {
            "Target.attachedToTarget" => {
                if let Some(attached) = message.params.and_then(|params| decode(params).ok()) {
                    self.attached(from.as_ref().map(|entry| &entry.target), attached);
                }
            }
            "Target.detachedFromTarget" => {
                if let Some(Detached { session_id }) = message.params.and_then(|params| decode(params).ok()) {
                    self.detached(&session_id);
                }
            }
            _ => {}
        }
        let session = from.as_ref().map_or(&self.browser.session, |entry| &entry.target.cdp().session);
        session.dispatch(method, message.params);
        // Told to the subscribers before their subscription ends with the target.
        if let ("Inspector.targetCrashed", Some(entry)) = (method, &from) {
            self.crashed(entry);
        }
    }

    fn attached(&self, parent: Option<&Target>, attached: Attached) {
        let Attached { session_id, target_info: info, waiting_for_debugger: held } = attached;
        if info.r#type == BROWSER {
            // Another client's session: it speaks for itself.
            return;
        }
        let cdp = Cdp { router: self.browser.router.clone(), session: Session::new(&session_id) };
        let attachment = Attachment {
            id: info.target_id,
            kind: TargetKind::named(&info.r#type),
            context: info.browser_context_id,
            opener: info.opener_id,
            url: info.url,
            held,
        };
        let target = Target::new(attachment, cdp, self.browser.clone());
        let (context, renewal) = {
            let mut state = lock(&self.state);
            if state.ended {
                return;
            }
            state.targets.insert(session_id, Entry { target: target.clone(), parent: parent.cloned() });
            let renewal = if parent.is_none() { state.renewals.remove(target.id()) } else { None };
            (target.context_id().and_then(|id| state.contexts.get(id)).cloned(), renewal)
        };
        if let Some(way) = context.as_ref().and_then(|context| context.way.get()) {
            target.cdp().session.goes_out_by(way);
        }
        target.cdp().send(auto_attach(&[&NEVER[..], &BROWSER_WIDE[..]].concat())).forget();
        if matches!(target.kind(), TargetKind::Other(_)) {
            if let Some(context) = &context {
                context.greet(&target);
            }
            target.resume();
        } else {
            // Without it a crash is not reported.
            target.cdp().send(InspectorEnable::default()).forget();
        }
        if let Some(renewal) = renewal {
            if let Some(context) = &context {
                context.hub(&target).renewed(&target);
            }
            // Where nobody waits any more it stays until its tab goes.
            drop(renewal.send(target));
            return;
        }
        match (parent, context) {
            (Some(parent), _) => parent.hub().attached(&target),
            (None, Some(context)) => context.hub(&target).attached(&target),
            (None, None) => target.resume(),
        }
    }

    fn detached(&self, session_id: &str) {
        self.browser.router.links.ended(session_id);
        let (entry, goes_on) = {
            let mut state = lock(&self.state);
            let Some(entry) = state.targets.remove(session_id) else { return };
            let is_same = |other: &Entry| other.parent.is_none() && other.target.id() == entry.target.id();
            let goes_on = entry.parent.is_none() && state.targets.values().any(is_same);
            (entry, goes_on)
        };
        entry.target.end(&BrowserError::TargetGone);
        if !goes_on {
            self.told(&entry, |hub| hub.detached(entry.target.id()));
        }
    }

    /// The next session with this tab is for who asks, who is to ask Chromium for it.
    pub(super) fn renewal(&self, id: &TargetId) -> oneshot::Receiver<Target> {
        let (renewal, renewed) = oneshot::channel();
        lock(&self.state).renewals.insert(id.clone(), renewal);
        renewed
    }

    /// None is coming.
    pub(super) fn no_renewal(&self, id: &TargetId) {
        lock(&self.state).renewals.remove(id);
    }

    fn crashed(&self, entry: &Entry) {
        entry.target.end(&BrowserError::TargetGone);
        self.told(entry, |hub| hub.crashed(entry.target.id()));
    }

    /// Tells the hub that knows the target.
    fn told(&self, entry: &Entry, tell: impl FnOnce(&Hub)) {
        if let Some(parent) = &entry.parent {
            return tell(parent.hub());
        }
        let context = entry.target.context_id().and_then(|id| lock(&self.state).contexts.get(id).cloned());
        if let Some(context) = context {
            tell(context.hub(&entry.target));
        }
    }

    /// Follows a context from now on; to be called before the first target is made in it.
    pub(super) fn follow(&self, id: &BrowserContextId) -> Arc<ContextTargets> {
        let mut state = lock(&self.state);
        let context = state.contexts.entry(id.clone()).or_insert_with(|| Arc::new(ContextTargets::new())).clone();
        if state.ended {
            context.end(&BrowserError::TargetGone);
        }
        context
    }

    /// Follows a context from now on that others have made: what is in it counts as having come.
    pub(super) fn follow_as_found(&self, id: &BrowserContextId) -> Arc<ContextTargets> {
        let mut state = lock(&self.state);
        let State { contexts, targets, ended, .. } = &mut *state;
        let context = contexts.entry(id.clone()).or_insert_with(|| {
            let context = ContextTargets::new();
            let found = targets.values().filter(|entry| entry.parent.is_none()).map(|entry| &entry.target);
            found
                .filter(|target| target.context_id() == Some(id))
                .for_each(|target| context.hub(target).attached(target));
            Arc::new(context)
        });
        if *ended {
            context.end(&BrowserError::TargetGone);
        }
        context.clone()
    }

    /// Whether a context is followed.
    pub(super) fn knows(&self, id: &BrowserContextId) -> bool {
        lock(&self.state).contexts.contains_key(id)
    }

    /// How many contexts are followed.
    pub(super) fn contexts(&self) -> usize {
        lock(&self.state).contexts.len()
    }

    /// The context of a target that is below no other.
    pub(super) fn context_of(&self, target: &str) -> Option<BrowserContextId> {
        let state = lock(&self.state);
        let mut all = state.targets.values().filter(|entry| entry.parent.is_none());
        all.find(|entry| entry.target.id().inner() == target)?.target.context_id().cloned()
    }

    /// What there is in a context, but for what is below something else in it.
    pub(super) fn targets_in(&self, id: &BrowserContextId) -> Vec<Target> {
        let state = lock(&self.state);
        let all = state.targets.values().filter(|entry| entry.parent.is_none()).map(|entry| &entry.target);
        all.filter(|target| target.context_id() == Some(id)).cloned().collect()
    }

    /// Forgets a context that Chromium has disposed of.
    pub(super) fn forget(&self, id: &BrowserContextId) {
        let context = lock(&self.state).contexts.remove(id);
        if let Some(context) = context {
            context.end(&BrowserError::TargetGone);
        }
    }

    /// The browser has gone, and so has everything in it. Only the first reason counts.
    pub(super) fn finish(&self, error: &BrowserError) {
        self.browser.router.end(error);
        let error = &self.browser.router.end_reason().unwrap_or_else(|| error.clone());
        let (targets, contexts) = {
            let mut state = lock(&self.state);
            state.ended = true;
            (std::mem::take(&mut state.targets), std::mem::take(&mut state.contexts))
        };
        for entry in targets.values() {
            entry.target.end(error);
        }
        for context in contexts.values() {
            context.end(error);
        }
        self.browser.session.end(error);
    }
}

impl ContextTargets {
    fn new() -> Self {
        Self { pages: Hub::new(), workers: Hub::new(), prelude: Mutex::default(), way: OnceLock::new() }
    }

    /// Its targets ask this why something was not reached. To be said before there are any.
    pub(super) fn go_out_by(&self, way: &Egress) {
        let _ = self.way.set(way.clone());
    }

    pub(super) fn before_workers(&self, commands: Vec<(&'static str, Value)>) {
        *lock(&self.prelude) = commands;
    }

    /// Sends a worker what it is to get before it runs. What it does not know it refuses, and nobody waits for that.
    fn greet(&self, target: &Target) {
        let cdp = target.cdp();
        for (method, params) in &*lock(&self.prelude) {
            drop(cdp.router.send(&cdp.session, method, params));
        }
    }

    fn hub(&self, target: &Target) -> &Hub {
        if *target.kind() == TargetKind::Page { &self.pages } else { &self.workers }
    }

    fn end(&self, error: &BrowserError) {
        for target in self.pages.end().into_iter().chain(self.workers.end()) {
            target.end(error);
        }
    }
}

fn auto_attach(excluded: &[&str]) -> SetAutoAttachParams {
    let excluded = excluded.iter().map(|kind| FilterEntry { exclude: Some(true), r#type: Some((*kind).to_owned()) });
    let filter: Vec<_> = excluded.chain([FilterEntry { exclude: None, r#type: None }]).collect();
    SetAutoAttachParams {
        auto_attach: true,
        wait_for_debugger_on_start: true,
        flatten: Some(true),
        filter: Some(TargetFilter::new(filter)),
    }
}
