//! What of a client's commands and of their answers depends on what the client has: its contexts, and the targets that it may know of.

use std::collections::HashSet;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::browser::router::lock;

use super::guard::{Command, DOWNLOADS, download_behavior};

/// Chromium's code for parameters that name nothing.
const INVALID: i64 = -32602;

/// Chromium's code for a command that it does not do.
const REFUSED: i64 = -32000;

/// What Chromium says of a target that is not there, and so of one that is not the client's business.
const NO_TARGET: &str = "No target with given id found";

/// Kinds that are nobody's: a tab in no window is ours, and Chromium tells of it before anybody can know its id; and what its own windows
/// are made of, pages that may do more than a page of the web.
const UNSEEN: [&str; 2] = ["other", "browser_ui"];

/// What a client may know of, and what it has made.
pub(super) struct Known {
    hidden: Box<dyn Fn(&str) -> bool + Send + Sync>,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    /// Hidden for what they were last told to be.
    unseen: HashSet<String>,
    /// Those of which the client was not told when they came.
    untold: HashSet<String>,
    /// Chromium's tabs around hidden pages.
    lost: HashSet<String>,
    /// Chromium's tabs of which nobody knows yet whether their page is hidden.
    unproven: HashSet<String>,
    /// Those whose page is not.
    proven: HashSet<String>,
    /// Contexts of the client's own.
    contexts: HashSet<String>,
}

/// A target, as Chromium tells of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info<'a> {
    #[serde(borrow)]
    pub(super) target_id: &'a str,
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: &'a str,
}

/// What a command is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The browser, over the client's connection itself.
    Connection,
    /// The browser, over a session of its own.
    Browser,
    /// Anything in the browser.
    Target,
}

/// What is to be done with an answer before the client has it.
#[derive(Clone, Copy)]
pub(super) enum After {
    Nothing,
    /// A context has been made.
    Context,
    /// Tells of one target.
    Target,
    /// Tells of all targets.
    Targets,
}

/// What becomes of a command.
pub(super) enum Ruled {
    /// Chromium may have it.
    Pass(After),
    /// Chromium may have it with these parameters.
    Instead(Box<RawValue>),
    /// It is answered as if it were done.
    Done,
    /// It is answered with a code and a reason.
    Refused(i64, String),
}

/// An answer as the client gets it.
pub(super) enum Edited {
    AsItIs,
    Result(Box<RawValue>),
    Error(Box<RawValue>),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default)]
    target_id: Option<String>,
    #[serde(default)]
    browser_context_id: Option<String>,
    #[serde(default)]
    events_enabled: Option<bool>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Targets<'a> {
    #[serde(borrow)]
    target_infos: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneTarget<'a> {
    #[serde(borrow)]
    target_info: Info<'a>,
}

impl Known {
    pub(super) fn new(hidden: Box<dyn Fn(&str) -> bool + Send + Sync>) -> Self {
        Self { hidden, ids: Mutex::default() }
    }

    /// Whether a target is not the client's business. What it is counts as it is told now: Chromium may tell of a tab before it stands in
    /// its window.
    pub(super) fn hides(&self, target: &Info<'_>) -> bool {
        let Info { target_id: id, kind } = *target;
        if UNSEEN.contains(&kind) {
            lock(&self.ids).unseen.insert(id.to_owned());
        } else if !kind.is_empty() {
            lock(&self.ids).unseen.remove(id);
        }
        if kind == "tab" {
            self.met(id);
        }
        self.hides_id(id)
    }

    fn hides_id(&self, id: &str) -> bool {
        if (self.hidden)(id) {
            return true;
        }
        let ids = lock(&self.ids);
        ids.unseen.contains(id) || ids.lost.contains(id)
    }

    /// What an event about a target is to the client; none where it is not for it. One that was hidden when it came comes when it is not
    /// hidden any more.
    pub(super) fn told<'m>(&self, event: &'m str, target: &Info<'_>) -> Option<&'m str> {
        let (id, is_hidden) = (target.target_id, self.hides(target));
        match event {
            "Target.targetCreated" if is_hidden => {
                lock(&self.ids).untold.insert(id.to_owned());
            }
            "Target.targetInfoChanged" if !is_hidden && lock(&self.ids).untold.remove(id) => {
                return Some("Target.targetCreated");
            }
            "Target.targetDestroyed" => self.forget(id),
            _ => {}
        }
        (!is_hidden).then_some(event)
    }

    /// Chromium's tab around a hidden page is hidden from now on.
    pub(super) fn lose(&self, tab: &str) {
        let mut ids = lock(&self.ids);
        ids.unproven.remove(tab);
        ids.lost.insert(tab.to_owned());
    }

    /// A tab that the client learns of, which may hold a hidden page.
    fn met(&self, tab: &str) {
        let mut ids = lock(&self.ids);
        if !ids.lost.contains(tab) && !ids.proven.contains(tab) {
            ids.unproven.insert(tab.to_owned());
        }
    }

    /// The page in a tab is one that the client may know of.
    pub(super) fn proven(&self, tab: &str) {
        let mut ids = lock(&self.ids);
        ids.unproven.remove(tab);
        ids.proven.insert(tab.to_owned());
    }

    /// A target has gone.
    fn forget(&self, id: &str) {
        let mut ids = lock(&self.ids);
        let Ids { unseen, untold, lost, unproven, proven, contexts: _ } = &mut *ids;
        for set in [unseen, untold, lost, unproven, proven] {
            set.remove(id);
        }
    }

    /// What becomes of a command that the guard lets through.
    pub(super) fn rule(&self, command: &Command, place: Place) -> Ruled {
        let method = command.method.as_str();
        if place != Place::Target && method.starts_with("Fetch.") {
            let reason = "requests are taken in the session of a page here, not for the whole browser";
            return Ruled::Refused(REFUSED, reason.to_owned());
        }
        if !method.starts_with("Target.") && !method.starts_with("Browser.") {
            return Ruled::Pass(After::Nothing);
        }
        let Ok(named) = serde_json::from_str::<Named>(command.params.get()) else {
            return Ruled::Refused(INVALID, "Invalid parameters".to_owned());
        };
        if named.target_id.as_deref().is_some_and(|id| self.is_kept_from(id, method)) {
            return Ruled::Refused(INVALID, NO_TARGET.to_owned());
        }
        match method {
            "Target.createBrowserContext" => Ruled::Pass(After::Context),
            "Target.getTargetInfo" => Ruled::Pass(After::Target),
            "Target.getTargets" => Ruled::Pass(After::Targets),
            "Target.disposeBrowserContext" => {
                let id = named.browser_context_id.unwrap_or_default();
                if lock(&self.ids).contexts.remove(&id) {
                    Ruled::Pass(After::Nothing)
                } else {
                    Ruled::Refused(INVALID, format!("Failed to find context with id {id}"))
                }
            }
            "Browser.setDownloadBehavior" => self.downloads(command, named, place),
            _ => Ruled::Pass(After::Nothing),
        }
    }

    /// Whether a command may not name a target. What closes a tab closes the page in it.
    fn is_kept_from(&self, id: &str, method: &str) -> bool {
        let closes = matches!(method, "Target.closeTarget" | "Target.activateTarget");
        self.hides_id(id) || (closes && lock(&self.ids).unproven.contains(id))
    }

    /// In a context of the client's own nothing is downloaded, which it is told by events if it likes; the others are not its business.
    /// A session of its own on the browser would take that back at its end.
    fn downloads(&self, command: &Command, named: Named, place: Place) -> Ruled {
        let behavior = download_behavior(Some(&command.params));
        let own = named.browser_context_id.filter(|id| lock(&self.ids).contexts.contains(id));
        match (behavior.as_deref(), own) {
            (Some("allow"), _) | (Some("deny"), None) => Ruled::Refused(REFUSED, DOWNLOADS.to_owned()),
            (_, Some(id)) if place == Place::Connection => {
                let events = named.events_enabled.unwrap_or_default();
                let params = json!({ "behavior": "deny", "browserContextId": id, "eventsEnabled": events });
                to_raw_value(&params).map_or(Ruled::Done, Ruled::Instead)
            }
            _ => Ruled::Done,
        }
    }

    /// A context that was made: its id, for what is to be said of it before the client can use it.
    pub(super) fn made(&self, result: &RawValue) -> Option<String> {
        let id = serde_json::from_str::<Named>(result.get()).ok()?.browser_context_id?;
        lock(&self.ids).contexts.insert(id.clone());
        Some(id)
    }

    /// An answer without what is hidden.
    pub(super) fn edited(&self, after: After, result: &RawValue) -> Edited {
        let shows = |info: &&RawValue| serde_json::from_str(info.get()).is_ok_and(|info| !self.hides(&info));
        match after {
            After::Nothing | After::Context => Edited::AsItIs,
            After::Target => match serde_json::from_str::<OneTarget<'_>>(result.get()) {
                Ok(told) if !self.hides(&told.target_info) => Edited::AsItIs,
                _ => {
                    let error = json!({ "code": INVALID, "message": NO_TARGET });
                    to_raw_value(&error).map_or(Edited::AsItIs, Edited::Error)
                }
            },
            After::Targets => {
                let all = serde_json::from_str::<Targets<'_>>(result.get()).map(|told| told.target_infos);
                let target_infos = all.unwrap_or_default().into_iter().filter(shows).collect();
                to_raw_value(&Targets { target_infos }).map_or(Edited::AsItIs, Edited::Result)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_is_hidden_for_as_long_as_it_stands_in_no_window() {
        let known = Known::new(Box::new(|id| id == "ours"));
        let (created, changed) = ("Target.targetCreated", "Target.targetInfoChanged");
        let told = |event, target_id, kind| known.told(event, &Info { target_id, kind });
        assert_eq!(told(created, "popup", "other"), None);
        assert_eq!(told(changed, "popup", "other"), None);
        assert!(known.hides_id("popup"));
        // To the client it comes now, whoever has asked for it before.
        assert!(!known.hides(&Info { target_id: "popup", kind: "page" }));
        assert_eq!(told(changed, "popup", "page"), Some(created));
        assert_eq!(told(changed, "popup", "page"), Some(changed));
        assert_eq!(told("Target.targetCrashed", "popup", ""), Some("Target.targetCrashed"));
        assert_eq!(told("Target.targetDestroyed", "popup", ""), Some("Target.targetDestroyed"));
        // What is ours stays ours, and a tab that was lost is lost.
        assert_eq!((told(created, "ours", "page"), told(changed, "ours", "page")), (None, None));
        assert_eq!(told(created, "tab", "tab"), Some(created));
        known.lose("tab");
        assert_eq!(told(changed, "tab", "tab"), None);
        assert_eq!(told(created, "bar", "browser_ui"), None);
    }
}
