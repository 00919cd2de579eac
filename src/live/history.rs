//! Where the tabs are in their histories, and the ways back and forward there.

use serde_json::{Value, json};

use super::engine::Engine;
use super::rpc::rpc;
use super::told::shortened;

/// Whether a tab is being asked where it is. Answers may overtake each other, so it is asked once at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is not.
    #[default]
    No,
    /// It is.
    Once,
    /// It is, and something has changed since.
    Again,
}

impl Engine {
    /// Asks where the tab is in its history.
    pub(super) fn refresh(&mut self, id: u32) {
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id) else { return };
        if tab.asked != Asked::No {
            tab.asked = Asked::Again;
            return;
        }
        tab.asked = Asked::Once;
        let (history, orders) = (tab.cdp.send(rpc("Page.getNavigationHistory", json!({}))), self.orders.clone());
        tokio::spawn(async move {
            let history = history.await.ok();
            orders.then(move |engine| engine.placed(id, history.as_ref()));
        });
    }

    fn placed(&mut self, id: u32, history: Option<&Value>) {
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id) else { return };
        let again = std::mem::take(&mut tab.asked) == Asked::Again;
        if let Some(history) = history {
            let number = |by| entry(history, by).and_then(|entry| entry["id"].as_i64());
            (tab.back, tab.forward) = (number(-1), number(1));
            let now = entry(history, 0);
            if let Some(title) = now.and_then(|now| now["title"].as_str()).filter(|title| !title.is_empty()) {
                tab.title = shortened(title);
            }
            if let Some(url) = now.and_then(|now| now["url"].as_str()).filter(|_| !tab.loading) {
                url.clone_into(&mut tab.url);
            }
            self.tell_tabs();
        }
        if again {
            self.refresh(id);
        }
    }

    /// Takes the tab in front so many pages back or forward. From where it is now: what was told of it last may be of the page before.
    pub(super) fn step(&self, by: i64) {
        let Some(cdp) = self.active_tab().map(|tab| tab.cdp.clone()) else { return };
        let history = cdp.send(rpc("Page.getNavigationHistory", json!({})));
        tokio::spawn(async move {
            let Ok(history) = history.await else { return };
            if let Some(entry) = entry(&history, by) {
                cdp.send(rpc("Page.navigateToHistoryEntry", json!({"entryId": entry["id"]}))).forget();
            }
        });
    }
}

/// The entry so many after the one that the tab is at.
fn entry(history: &Value, by: i64) -> Option<&Value> {
    let at = history["currentIndex"].as_i64()?.checked_add(by)?;
    history["entries"].as_array()?.get(usize::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_history_lead_nowhere() {
        let history = json!({"currentIndex": 1, "entries": [{"id": 5}, {"id": 7}, {"id": 9}]});
        let id = |by| entry(&history, by).map(|entry| entry["id"].clone());
        assert_eq!([id(-2), id(-1), id(0), id(1), id(2)], [None, Some(json!(5)), Some(json!(7)), Some(json!(9)), None]);
        assert_eq!(entry(&json!({}), 0), None);
    }
}
