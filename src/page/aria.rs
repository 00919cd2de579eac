//! `Page::aria_snapshot`: the accessibility trees of a page's frames, as Chromium computes them, put together and told as text.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::PageError;
use super::outline::{Document, Node};
use super::resolve::{Ask, ask};
use super::rpc::{FrameOwner, rpc};
use super::selector::Selector;
use super::verb::Verb;
use super::world::{Arg, CallError, Shared};

#[derive(Debug, Deserialize)]
struct Full {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Described {
    node: Owner,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    backend_node_id: i64,
}

/// A document, and the frame and element in which it stands.
struct Part {
    frame: String,
    parent: Option<String>,
    element: Option<i64>,
    document: Document,
}

/// `Page::aria_snapshot`.
pub(super) async fn snapshot(
    page: &Shared,
    main: &str,
    verb: &mut Verb,
    selector: Option<&Selector>,
) -> Result<String, PageError> {
    loop {
        page.settle(main, verb).await;
        let (frame, element) = match selector {
            None => (main.to_owned(), None),
            Some(selector) => {
                let found = ask(page, main, selector, verb, &Ask::new("hold", &[], &[])).await?;
                (found.frame, Some(verb.token.clone()))
            }
        };
        "the accessibility tree".clone_into(&mut verb.missing);
        match look(page, &frame, element.as_deref(), verb).await {
            Ok(text) => return Ok(text),
            Err(CallError::Lost) if page.tree().get(main).is_some() => {
                verb.log.line("the document was replaced, looking again");
                // The event that tells of it may still be on its way.
                page.barrier(page.target.cdp().session_id()).await;
            }
            Err(error) => return Err(super::resolve::lost(error)),
        }
    }
}

/// One look at `frame` and all below it: everything is asked for at once.
async fn look(page: &Shared, frame: &str, token: Option<&str>, verb: &mut Verb) -> Result<String, CallError> {
    let backend = match token {
        Some(token) => Some(element(page, frame, token).await?),
        None => None,
    };
    let whole = below(page, frame);
    // A frame of another site may be stuck for good; it does not take the rest with it.
    let patience = verb.deadline.remaining() / 2;
    let parts = join_all(whole.iter().map(|id| async move {
        let part = part(page, id, id == frame);
        if id == frame { Some(part.await) } else { tokio::time::timeout(patience, part).await.ok() }
    }));
    let mut found = Vec::new();
    for (id, part) in whole.iter().zip(parts.await) {
        match part {
            Some(Ok(part)) => found.push(part),
            Some(Err(error)) if id == frame => return Err(error),
            Some(Err(_)) => {}
            None => verb.log.line(format!("a frame does not answer: {}", url(page, id))),
        }
    }
    Ok(joined(found).map(|document| document.outline(backend)).unwrap_or_default())
}

fn url(page: &Shared, frame: &str) -> String {
    page.tree().get(frame).map(|node| node.url.clone()).unwrap_or_default()
}

/// The frame and those below it, each before its children.
fn below(page: &Shared, frame: &str) -> Vec<String> {
    let tree = page.tree();
    let mut found = vec![frame.to_owned()];
    let mut at = 0;
    while let Some(parent) = found.get(at).cloned() {
        found.extend(
            tree.frames.iter().filter(|node| node.parent.as_ref() == Some(&parent)).map(|node| node.id.clone()),
        );
        at += 1;
    }
    found
}

/// Chromium's id of the element that the page holds under the verb's token.
async fn element(page: &Shared, frame: &str, token: &str) -> Result<i64, CallError> {
    let world = page.bundled(frame).await?;
    let token = [Arg::Value(token.into())];
    let object = page.handle(&world, "node", &token).await?.ok_or(CallError::Lost)?;
    let described = world.cdp.send(rpc::<Described>("DOM.describeNode", json!({"objectId": object})));
    world.post("release", &token);
    Ok(described.await?.node.backend_node_id)
}

/// The tree of one frame, and the element of its parent's document that shows it.
async fn part(page: &Shared, frame: &str, is_root: bool) -> Result<Part, CallError> {
    let (cdp, parent, above) = {
        let tree = page.tree();
        let node = tree.get(frame).ok_or(CallError::Lost)?;
        let above = node.parent.as_deref().and_then(|id| tree.get(id)).map(|node| node.cdp.clone());
        (node.cdp.clone(), node.parent.clone(), above)
    };
    let asked = cdp.send(rpc::<Full>("Accessibility.getFullAXTree", json!({"frameId": frame})));
    let owner =
        above.filter(|_| !is_root).map(|above| above.send(rpc::<FrameOwner>("DOM.getFrameOwner", owner_of(frame))));
    let element = match owner {
        Some(owner) => Some(owner.await?.backend_node_id),
        None => None,
    };
    Ok(Part { frame: frame.to_owned(), parent, element, document: Document::new(asked.await?.nodes) })
}

fn owner_of(frame: &str) -> Value {
    json!({"frameId": frame})
}

/// The first of them with all others in their places.
fn joined(parts: Vec<Part>) -> Option<Document> {
    let mut waiting: HashMap<String, Vec<(i64, Document)>> = HashMap::new();
    let mut first = None;
    // Children stand behind their parents: from the end on, each has all of its own already.
    for mut part in parts.into_iter().rev() {
        part.document.frames.extend(waiting.remove(&part.frame).unwrap_or_default());
        match (part.element, part.parent) {
            (Some(element), Some(parent)) => waiting.entry(parent).or_default().push((element, part.document)),
            _ => first = Some(part.document),
        }
    }
    first
}
