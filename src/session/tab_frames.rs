//! sessionStorage of frames of other sites. It belongs to the tab and to the frame's storage key: a frame that comes again in the same
//! tab finds it, though nobody can read it while there is none. So it is followed as that of tabs is, in the sessions of
//! such frames as well, and put in place in the first frame that comes to where it belongs.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::dom_storage::EnableParams;
use chromiumoxide::cdp::browser_protocol::page::FrameId;
use chromiumoxide::cdp::browser_protocol::storage::GetStorageKeyParams;

use crate::base::Deadline;
use crate::browser::Cdp;

use super::storage_key;
use super::tab_storage::{EVENTS, State, Tab, TabStorages, send_scripts};

/// How long a document that has just come may take to be counted by Chromium.
const COUNTED: Duration = Duration::from_secs(5);

impl TabStorages {
    /// Follows a frame in a process of its own that has not run yet. Puts all it needs on the wire before it returns: what is sent
    /// before the frame is let run is in force in its first document.
    pub(super) fn follow_frame(&self, tab: &str, cdp: &Cdp) {
        let mut events = cdp.raw_events(&EVENTS);
        let sent = {
            let mut state = self.state();
            let State { tabs, kept, .. } = &mut *state;
            let Some(tab) = tabs.iter_mut().find(|known| known.id == tab) else { return };
            if !tab.frames.insert(cdp.session_id().to_owned()) {
                return;
            }
            cdp.send(EnableParams::default()).forget();
            if tab.has_opener { Vec::new() } else { send_scripts(cdp, kept) }
        };
        let (storages, tab, frame) = (self.clone(), tab.to_owned(), cdp.clone());
        let (installing, id, cdp) = (self.clone(), tab.clone(), cdp.clone());
        tokio::spawn(async move { drop(installing.installed(&id, &cdp, sent).await) });
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                storages.note(&tab, &frame, &event).await;
            }
            let mut state = storages.state();
            if let Some(tab) = state.tabs.iter_mut().find(|known| known.id == tab) {
                tab.frames.remove(frame.session_id());
                tab.scripts.retain(|script| script.cdp.session_id() != frame.session_id());
            }
        });
    }

    /// A document of `origin` is in a frame. Asks for its storage key, while what happens meanwhile is noted.
    pub(super) fn frame_came(&self, tab: &str, cdp: &Cdp, frame: String, origin: String) {
        let (storages, tab, cdp) = (self.clone(), tab.to_owned(), cdp.clone());
        tokio::spawn(async move {
            let asked = Deadline::after(COUNTED).race(key_of(&cdp, frame, &origin)).await;
            // A frame that is gone again has told of what it wrote to sessionStorage, and of nothing else.
            let Some(Some(key)) = asked else { return storages.dirty().touch(&origin) };
            storages.dirty().touch(&key);
            storages.came(&tab, &key, &cdp, false).await;
        });
    }

    /// sessionStorage of `key` was written to in a tab: where something was ready for a frame there, that was it.
    pub(super) fn begun(&self, tab: &str, key: &str) {
        let was_ready = {
            let state = self.state();
            state.kept.contains_key(key) && state.tabs.iter().any(|known| known.id == tab && !known.has_opener)
        };
        if was_ready {
            self.taken(key);
        }
    }

    /// The storage keys of frames of other sites of which some tab ever held something.
    pub(super) fn seen_below(&self) -> Vec<String> {
        let state = self.state();
        let keys = state.tabs.iter().flat_map(Tab::held);
        keys.filter(|key| key.contains('^')).cloned().collect()
    }
}

/// The storage key of a document that has just come. The frame tells of it a moment before Chromium counts it as there: until
/// then it has the key of the one before.
async fn key_of(cdp: &Cdp, frame: String, origin: &str) -> Option<String> {
    loop {
        let asked = GetStorageKeyParams { frame_id: Some(FrameId::new(frame.clone())) };
        let key = String::from(cdp.call(asked).await.ok()?.storage_key);
        if storage_key::origin(&key) == origin {
            return Some(key);
        }
    }
}
