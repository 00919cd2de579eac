//! Chromium's events, applied to the tree. What is not known or does not decode is passed over.

use serde::Deserialize;

use crate::browser::{Cdp, RawEvent};

use super::tree::{Pending, Tree};

/// The events that the page floor listens to, in their common order.
pub(super) const METHODS: [&str; 18] = [
    "Page.frameAttached",
    "Page.frameDetached",
    "Page.frameNavigated",
    "Page.navigatedWithinDocument",
    "Page.lifecycleEvent",
    "Page.frameRequestedNavigation",
    "Page.frameScheduledNavigation",
    "Page.frameClearedScheduledNavigation",
    "Page.frameStartedNavigating",
    "Page.frameStartedLoading",
    "Page.frameStoppedLoading",
    "Page.downloadWillBegin",
    "Page.javascriptDialogOpening",
    "Page.javascriptDialogClosed",
    "Runtime.executionContextCreated",
    "Runtime.executionContextDestroyed",
    "Runtime.executionContextsCleared",
    "Inspector.targetCrashed",
];

/// The fields of all of them that matter; each event has some.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    frame_id: String,
    parent_frame_id: String,
    loader_id: String,
    name: String,
    url: String,
    reason: String,
    delay: f64,
    disposition: String,
    navigation_type: String,
    frame: FrameFields,
    execution_context_id: i64,
    context: ContextFields,
    r#type: String,
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FrameFields {
    pub id: String,
    pub parent_id: Option<String>,
    pub loader_id: String,
    pub url: String,
    pub url_fragment: String,
    pub unreachable_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContextFields {
    id: i64,
    name: String,
    aux_data: AuxData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuxData {
    is_default: bool,
    frame_id: String,
}

/// A frame and those below it, as `Page.getFrameTree` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameTree {
    pub frame: FrameFields,
    #[serde(default)]
    pub child_frames: Vec<FrameTree>,
}

/// What has to be answered at once.
pub(super) enum Reaction {
    None,
    /// A dialog stands in the way: accept it or not.
    Dialog(bool),
}

impl FrameFields {
    fn whole_url(&self) -> String {
        // A failed document stands at chrome-error://; people know it by the address that they asked for.
        let url = if self.unreachable_url.is_empty() { &self.url } else { &self.unreachable_url };
        format!("{url}{}", self.url_fragment)
    }
}

/// What `Page.getFrameTree` answered, put into the tree.
pub(super) fn adopt(tree: &mut Tree, cdp: &Cdp, found: &FrameTree) {
    let known = tree.get(&found.frame.id).and_then(|node| node.parent.clone());
    let parent = found.frame.parent_id.clone().or(known);
    let node = tree.ensure(&found.frame.id, parent.as_deref(), cdp);
    node.url = found.frame.whole_url();
    node.unreachable = !found.frame.unreachable_url.is_empty();
    node.loader.clone_from(&found.frame.loader_id);
    let url = node.url.clone();
    tree.committed(&found.frame.id, &url);
    for child in &found.child_frames {
        adopt(tree, cdp, child);
    }
}

/// Applies one event of the session `cdp`.
pub(super) fn apply(tree: &mut Tree, cdp: &Cdp, event: &RawEvent) -> Reaction {
    let Some(fields) = event.decode::<Fields>() else { return Reaction::None };
    match &*event.method {
        "Page.javascriptDialogOpening" => return dialog(tree, &fields),
        "Inspector.targetCrashed" => {
            tree.crashed |= tree.get(&tree.main).is_some_and(|n| n.cdp.session_id() == cdp.session_id());
        }
        method if method.starts_with("Runtime.") => context(tree, cdp, method, &fields),
        method => frame(tree, cdp, method, &fields),
    }
    Reaction::None
}

fn dialog(tree: &mut Tree, fields: &Fields) -> Reaction {
    let accept = fields.r#type == "beforeunload";
    let notice = if accept {
        "a beforeunload dialog was accepted".to_owned()
    } else {
        format!("a dialog was dismissed: {} {:?}", fields.r#type, fields.message)
    };
    tree.notices.push(notice);
    Reaction::Dialog(accept)
}

fn context(tree: &mut Tree, cdp: &Cdp, method: &str, fields: &Fields) {
    match method {
        "Runtime.executionContextCreated" => {
            let context = &fields.context;
            let Some(node) = tree.get_mut(&context.aux_data.frame_id) else { return };
            if node.cdp.session_id() == cdp.session_id() {
                let world = if context.aux_data.is_default { String::new() } else { context.name.clone() };
                node.worlds.insert(world, context.id);
            }
        }
        "Runtime.executionContextDestroyed" => {
            tree.forget_contexts(cdp.session_id(), Some(fields.execution_context_id));
        }
        _ => tree.forget_contexts(cdp.session_id(), None),
    }
}

fn frame(tree: &mut Tree, cdp: &Cdp, method: &str, fields: &Fields) {
    let id = if fields.frame_id.is_empty() { &fields.frame.id } else { &fields.frame_id };
    match method {
        "Page.frameAttached" => {
            tree.ensure(id, Some(&fields.parent_frame_id), cdp);
            return;
        }
        // `swap`: it goes on in a process of its own, whose session is on its way.
        "Page.frameDetached" if fields.reason == "swap" => return,
        "Page.frameDetached" => {
            if tree.get(id).is_some_and(|node| node.cdp.session_id() == cdp.session_id()) {
                tree.remove(id);
            }
            return;
        }
        "Page.frameNavigated" => return navigated(tree, cdp, &fields.frame),
        _ => {}
    }
    let Some(node) = tree.get_mut(id) else { return };
    match method {
        "Page.navigatedWithinDocument" => {
            node.url.clone_from(&fields.url);
            node.moves += 1;
            node.pending = None;
        }
        "Page.lifecycleEvent" => {
            if fields.name == "init" {
                node.lifecycle.clear();
            }
            if node.loader.is_empty() || node.loader == fields.loader_id {
                node.lifecycle.insert(fields.name.clone());
            }
        }
        "Page.frameRequestedNavigation" if matches!(fields.disposition.as_str(), "" | "currentTab") => {
            node.pending = Some(Pending { url: fields.url.clone(), started: true });
        }
        // One that is far off (a refresh in five seconds) is nothing to wait for.
        "Page.frameScheduledNavigation" if fields.delay < 0.1 => {
            node.pending = Some(Pending { url: fields.url.clone(), started: false });
        }
        "Page.frameClearedScheduledNavigation" => {
            node.pending.take_if(|pending| !pending.started);
        }
        "Page.frameStartedNavigating" if !fields.navigation_type.to_lowercase().contains("samedocument") => {
            node.pending = Some(Pending { url: fields.url.clone(), started: true });
        }
        "Page.frameStartedLoading" => {
            if let Some(pending) = &mut node.pending {
                pending.started = true;
            }
        }
        "Page.frameStoppedLoading" | "Page.downloadWillBegin" => node.pending = None,
        _ => {}
    }
}

fn navigated(tree: &mut Tree, cdp: &Cdp, frame: &FrameFields) {
    let known = tree.get(&frame.id).and_then(|node| node.parent.clone());
    tree.remove_below(&frame.id);
    let parent = frame.parent_id.clone().or(known);
    let node = tree.ensure(&frame.id, parent.as_deref(), cdp);
    node.url = frame.whole_url();
    node.unreachable = !frame.unreachable_url.is_empty();
    if node.loader != frame.loader_id {
        node.lifecycle.clear();
        node.loader.clone_from(&frame.loader_id);
    }
    node.lifecycle.insert("commit".to_owned());
    node.documents += 1;
    node.pending = None;
    let url = node.url.clone();
    tree.committed(&frame.id, &url);
}
