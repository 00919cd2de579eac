//! Execution contexts: finding the one of a frame's world, evaluating the bundle in it once, and calling it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::browser::{BrowserError, Cdp};

use super::PageError;
use super::inner::Inner;
use super::rpc::{Ack, Evaluated, Resolved, rpc};
use super::tree::{Tree, WORLD};

/// What is in every document of ours before its own scripts run.
pub(super) const EARLY: &str = include_str!("injected/early.js");

/// The code that runs in pages, joined from its files. The first is there already, but in documents that were before us.
const BUNDLE: &str = concat!(
    include_str!("injected/early.js"),
    include_str!("injected/head.js"),
    include_str!("injected/dom.js"),
    include_str!("injected/select.js"),
    include_str!("injected/describe.js"),
    include_str!("injected/state.js"),
    include_str!("injected/act.js"),
    include_str!("injected/fields.js"),
    include_str!("injected/upload.js"),
    include_str!("injected/read.js"),
    include_str!("injected/written.js"),
    include_str!("injected/scroll.js"),
    include_str!("injected/extract.js"),
    include_str!("injected/suggest.js"),
    include_str!("injected/tail.js"),
);

/// How long to wait for the page's own world before it is asked for, and between two times.
const WAKE: Duration = Duration::from_millis(50);

/// A world of one document.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub cdp: Cdp,
    pub context: i64,
}

impl World {
    /// Puts a call of `method` on the wire whose answer nobody waits for.
    pub fn post(&self, method: &str, args: &[Arg]) {
        drop(self.cdp.send(rpc::<Value>("Runtime.callFunctionOn", invoke(self, method, args, true))));
    }
}

/// Why a call into a document came to nothing.
#[derive(Debug)]
pub(super) enum CallError {
    /// The document has been replaced or its frame has gone: look again.
    Lost,
    /// Anything else.
    Page(PageError),
}

impl From<PageError> for CallError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<BrowserError> for CallError {
    fn from(error: BrowserError) -> Self {
        // Chromium says it in many words; all of them mean that the document is not there any more.
        const LOST: [&str; 8] = [
            "context was destroyed",
            "Cannot find context",
            "navigated or closed",
            "Promise was collected",
            "Could not find object",
            "find node with given id",
            "No frame for given id",
            "does not belong to the document",
        ];
        match &error {
            BrowserError::Cdp { message, .. } if LOST.iter().any(|lost| message.contains(lost)) => Self::Lost,
            _ => Self::Page(error.into()),
        }
    }
}

/// An argument of a call into the page: a value, or something that lives there.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Value(Value),
    Object(String),
}

impl Arg {
    fn to_json(&self) -> Value {
        match self {
            Self::Value(value) => json!({"value": value}),
            Self::Object(id) => json!({"objectId": id}),
        }
    }
}

impl Inner {
    /// The world `name` of the frame's current document (empty for the page's own); waits until there is one.
    pub async fn world(&self, frame: &str, name: &str) -> Result<World, CallError> {
        let find = |tree: &Tree| tree.get(frame).map(|node| (node.cdp.clone(), node.worlds.get(name).copied()));
        let found = find(&self.tree());
        match found {
            None => return Err(CallError::Lost),
            Some((cdp, Some(context))) => return Ok(World { cdp, context }),
            // Documents that were there before us have only the worlds that one makes.
            Some((cdp, None)) if !name.is_empty() => {
                let params = json!({"frameId": frame, "worldName": name});
                drop(cdp.send(rpc::<Ack>("Page.createIsolatedWorld", params)));
            }
            Some(_) => {}
        }
        let there = self.until(|tree| match find(tree) {
            None => Some(Err(CallError::Lost)),
            Some((cdp, Some(context))) => Some(Ok(World { cdp, context })),
            Some((_, None)) => None,
        });
        if !name.is_empty() {
            return there.await;
        }
        tokio::select! {
            biased;
            there = there => there,
            never = self.wake_own_world(frame) => match never {},
        }
    }

    /// Has Chromium make and tell the page's own world. It does so by itself, but for a document without scripts that came to a
    /// process which was there already, as a frame's of the page before: that has none until somebody runs something in it.
    async fn wake_own_world(&self, frame: &str) -> Infallible {
        loop {
            sleep(WAKE).await;
            let cdp = self.tree().get(frame).map(|node| node.cdp.clone());
            if let Some(cdp) = cdp {
                // Without a context it is that of the document that is there now.
                drop(cdp.call(rpc::<Ack>("Runtime.evaluate", json!({"expression": "0"}))).await);
            }
        }
    }

    /// Calls `method` of the bundle in the frame's document; answers its tagged JSON.
    pub async fn call(&self, frame: &str, method: &str, args: &[Arg]) -> Result<Value, CallError> {
        let world = self.bundled(frame).await?;
        self.call_in(frame, &world, method, args).await
    }

    /// As [`Self::call`], in a document that is known to hold the bundle.
    pub async fn call_in(&self, frame: &str, world: &World, method: &str, args: &[Arg]) -> Result<Value, CallError> {
        let sent = world.cdp.send(rpc::<Evaluated>("Runtime.callFunctionOn", invoke(world, method, args, true)));
        let lost = self.until(|tree| {
            let here = tree.get(frame).is_some_and(|node| node.worlds.get(WORLD) == Some(&world.context));
            (!here).then_some(())
        });
        tokio::select! {
            biased;
            answer = sent => Ok(outcome(answer?)?.value),
            () = lost => Err(CallError::Lost),
        }
    }

    /// Calls `method` and answers a handle on what it returns.
    pub async fn handle(&self, world: &World, method: &str, args: &[Arg]) -> Result<Option<String>, CallError> {
        let call = rpc::<Evaluated>("Runtime.callFunctionOn", invoke(world, method, args, false));
        Ok(outcome(world.cdp.call(call).await?)?.object_id)
    }

    /// The frame's isolated world, with the bundle in it. The evaluation is on the wire before anything that follows.
    pub async fn bundled(&self, frame: &str) -> Result<World, CallError> {
        let world = self.world(frame, WORLD).await?;
        // Not `change`: nobody waits for this.
        let fresh =
            self.tree().get_mut(frame).is_some_and(|node| node.bundled.replace(world.context) != Some(world.context));
        if fresh {
            let params = json!({"expression": BUNDLE, "contextId": world.context});
            drop(world.cdp.send(rpc::<Value>("Runtime.evaluate", params)));
        }
        Ok(world)
    }

    /// Handles on nodes in our world, by their ids in the browser; none for ones that have gone.
    pub async fn nodes(&self, world: &World, backend: &[i64]) -> Result<Vec<Option<String>>, CallError> {
        let sent: Vec<_> = backend
            .iter()
            .map(|id| {
                let params = json!({"backendNodeId": id, "executionContextId": world.context, "objectGroup": "rhaven"});
                world.cdp.send(rpc::<Resolved>("DOM.resolveNode", params))
            })
            .collect();
        let mut found = Vec::new();
        for answer in join_all(sent).await {
            match answer.map_err(CallError::from) {
                Ok(resolved) => found.push(resolved.object.object_id),
                Err(CallError::Lost | CallError::Page(PageError::Browser(BrowserError::Cdp { .. }))) => {
                    found.push(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn invoke(world: &World, method: &str, args: &[Arg], by_value: bool) -> Value {
    let arguments: Vec<Value> =
        std::iter::once(json!({"value": method})).chain(args.iter().map(Arg::to_json)).collect();
    json!({
        "functionDeclaration": "function(m,...a){return globalThis.__rhaven[m](...a)}",
        "executionContextId": world.context,
        "arguments": arguments,
        "awaitPromise": true,
        "returnByValue": by_value,
        "objectGroup": "rhaven",
    })
}

fn outcome(answer: Evaluated) -> Result<super::rpc::Remote, PageError> {
    match answer.exception_details {
        None => Ok(answer.result),
        Some(exception) => Err(PageError::JavaScript(super::evaluate::describe(&exception, 0))),
    }
}

/// Shared by everything that hands out handles.
pub(super) type Shared = Arc<Inner>;
