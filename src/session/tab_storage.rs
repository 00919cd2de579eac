//! sessionStorage, which belongs to a tab: what each tab holds of each origin, also of those that it has left, and what is
//! put in place in the tab that comes to an origin first.
//!
//! It has to be known before a tab goes anywhere: Chromium takes no new-document script while a navigation waits, and that is
//! when other storage is restored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chromiumoxide::cdp::browser_protocol::dom_storage::{
    EnableParams, GetDomStorageItemsParams, Item, SerializedStorageKey, StorageId,
};
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, RemoveScriptToEvaluateOnNewDocumentParams, ScriptIdentifier,
};
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::browser::{BrowserError, Cdp, Pending, RawEvent};
use crate::page::Page;

use super::dirty::{self, Dirty};
use super::late::Late;
use super::part::Names;
use super::storage_key;
use super::tab_held::Held;
use super::tabs::origin_of;

/// The isolated world that the script runs in.
const WORLD: &str = "rhaven-storage";
const SCRIPT: &str = include_str!("injected/session.js");
/// About how much one script holds.
const SCRIPT_BYTES: usize = 64 << 10;
pub(super) const EVENTS: [&str; 9] = [
    dirty::EVENTS[0],
    dirty::EVENTS[1],
    dirty::EVENTS[2],
    dirty::EVENTS[3],
    "Page.frameNavigated",
    "DOMStorage.domStorageItemAdded",
    "DOMStorage.domStorageItemUpdated",
    "DOMStorage.domStorageItemRemoved",
    "DOMStorage.domStorageItemsCleared",
];

/// Lines of a part (`{"t":"ss",..}`), by storage key.
pub(super) type KeptLines = BTreeMap<String, Zeroizing<String>>;

/// What the tabs of one context hold. Clones share it.
#[derive(Clone, Default)]
pub(super) struct TabStorages(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    /// What no tab has been given yet.
    pub(super) kept: KeptLines,
    pub(super) tabs: Vec<Tab>,
    /// Service workers that could not be put back.
    workers: KeptLines,
    /// Counts uses, to tell which tab was used last.
    clock: u64,
    /// Is told of everything that may be a change, of whatever storage.
    dirty: Dirty,
    /// What came after the state began to be read for the last time.
    late: Late,
}

pub(super) struct Tab {
    pub(super) id: String,
    cdp: Cdp,
    /// Opened by a page and not by us: it has of its opener what a browser gives it, and nothing is put in place.
    pub(super) has_opener: bool,
    /// What a closed tab held still counts where no open one ever held something: a script may close its page at the end.
    is_open: bool,
    /// Cancelled once all is noted that its session has told, which has ended.
    pub(super) noted: CancellationToken,
    pub(super) scripts: Vec<Script>,
    pub(super) seen: HashMap<String, Seen>,
    /// The sessions of frames of other sites in it.
    pub(super) frames: BTreeSet<String>,
}

/// A new-document script that is in force, and the storage keys that it is for.
pub(super) struct Script {
    /// Where it is: in the tab, or in a frame of another site.
    pub(super) cdp: Cdp,
    id: ScriptIdentifier,
    keys: BTreeSet<String>,
}

/// What a tab holds of one origin.
#[derive(Default)]
pub(super) struct Seen {
    used_at: u64,
    /// Whether it ever held something.
    pub(super) touched: bool,
    pub(super) items: BTreeMap<String, String>,
}

impl Seen {
    /// Of before anything happened.
    pub(super) fn before(items: BTreeMap<String, String>) -> Self {
        Self { used_at: 0, touched: true, items }
    }
}

/// Where an origin's sessionStorage is read.
#[derive(Default)]
pub(super) struct Source {
    /// The tab that was used last at the origin.
    pub(super) tab: Option<String>,
    /// What that tab holds, for where no document of it can be asked.
    items: Vec<(String, String)>,
    /// What is kept and was given to no tab: it stays where the tab has nothing of its own.
    kept: Option<Zeroizing<String>>,
    /// Service workers that are kept and could not be put back.
    workers: Option<Zeroizing<String>>,
}

impl Source {
    /// For capture.js: where the document in which it runs has the tab's sessionStorage, or has not.
    pub(super) fn argument(&self, own: bool) -> Value {
        let text = |lines: &Option<Zeroizing<String>>| lines.as_ref().map(|lines| Value::from(lines.as_str()));
        json!({"items": (!own).then_some(&self.items), "kept": text(&self.kept), "workers": text(&self.workers)})
    }
}

/// The fields of `Page.frameNavigated` that matter here.
#[derive(Deserialize)]
struct Navigated {
    frame: NavigatedFrame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NavigatedFrame {
    id: String,
    parent_id: Option<String>,
    url: String,
}

/// The fields of the four events of `DOMStorage`: without a value an item went, without a key all did.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    storage_id: StorageId,
    key: Option<String>,
    new_value: Option<String>,
}

/// A script on its way.
pub(super) type Sent = (BTreeSet<String>, Pending<AddScriptToEvaluateOnNewDocumentParams>);

/// Puts scripts for new documents on the wire, each for some storage keys: a call for every key would be long with many.
pub(super) fn send_scripts(cdp: &Cdp, kept: &KeptLines) -> Vec<Sent> {
    let (mut sent, mut rest) = (Vec::new(), kept.iter().peekable());
    while rest.peek().is_some() {
        let (mut keys, mut all) = (BTreeSet::new(), Zeroizing::new(String::new()));
        while let Some((key, lines)) = rest.next_if(|_| all.len() < SCRIPT_BYTES) {
            let origin = storage_key::origin(key);
            let (place, origin) = (&key[origin.len()..], origin.trim_end_matches('/'));
            let entry = format!("[{},{},[{}]],", json!(origin), json!(place), lines.trim_end().replace('\n', ","));
            all.push_str(&entry);
            keys.insert(key.clone());
        }
        let mut params = AddScriptToEvaluateOnNewDocumentParams::new(format!("{SCRIPT}([{}])", all.as_str()));
        params.world_name = Some(WORLD.to_owned());
        sent.push((keys, cdp.send(params)));
    }
    sent
}

impl TabStorages {
    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may have changed in the tabs.
    pub(super) fn dirty(&self) -> Dirty {
        self.state().dirty.clone()
    }

    /// Follows a page that has been nowhere yet. Answers when all that is kept is ready to be put in place in it; nothing is
    /// where a page opened it.
    pub(super) async fn follow(&self, page: &Page) -> Result<(), BrowserError> {
        self.follow_holding(page, Held::default()).await
    }

    /// [`Self::follow`] of a page whose tab has something already, which counts as what is kept.
    pub(super) async fn follow_holding(&self, page: &Page, held: Held) -> Result<(), BrowserError> {
        let (target, cdp) = (page.target(), page.target().cdp().clone());
        let (id, has_opener) = (target.id().inner().clone(), target.opener().is_some());
        let mut events = cdp.raw_events(&EVENTS);
        let enabled = cdp.send(EnableParams::default());
        let noted = CancellationToken::new();
        let todo = {
            let mut state = self.state();
            let (scripts, seen, frames) = (Vec::new(), held.seen(), BTreeSet::new());
            state.kept.retain(|key, _| !seen.contains_key(key));
            let (id, cdp, noted, is_open) = (id.clone(), cdp.clone(), noted.clone(), true);
            state.tabs.push(Tab { id, cdp, has_opener, is_open, noted, scripts, seen, frames });
            if has_opener { KeptLines::new() } else { state.kept.clone() }
        };
        let (storages, tab) = (self.clone(), id.clone());
        page.greet_frames(move |frame| storages.follow_frame(&tab, frame));
        let (storages, own) = (self.clone(), cdp.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                storages.note(&id, &own, &event).await;
            }
            storages.state().tabs.iter_mut().filter(|tab| tab.id == id).for_each(|tab| tab.is_open = false);
            noted.cancel();
        });
        self.install(target.id().inner(), &cdp, &todo).await?;
        enabled.await.map(drop)
    }

    /// Makes a copy of what the tabs hold ready in a page that is not followed and has been nowhere yet: what changes there goes
    /// with it, and what is kept waits for another tab still.
    pub(super) async fn copy_to(&self, page: &Page) -> Result<(), BrowserError> {
        let copy = {
            let state = self.state();
            let seen = state.tabs.iter().flat_map(|tab| tab.seen.keys());
            let keys: BTreeSet<&String> = state.kept.keys().chain(seen).collect();
            keys.into_iter().filter_map(|key| Some((key.clone(), state.now(key)?))).collect()
        };
        self.install(page.target().id().inner(), page.target().cdp(), &copy).await
    }

    /// Takes what is kept, and makes it ready in the pages that are open.
    pub(super) async fn keep(&self, kept: KeptLines) -> Result<(), BrowserError> {
        let tabs: Vec<_> = {
            let mut state = self.state();
            state.kept = kept.clone();
            let own = state.tabs.iter().filter(|tab| tab.is_open && !tab.has_opener);
            own.map(|tab| (tab.id.clone(), tab.cdp.clone())).collect()
        };
        try_join_all(tabs.iter().map(|(id, cdp)| self.install(id, cdp, &kept))).await.map(drop)
    }

    /// Remembers service workers that could not be put back: they are not to count as removed.
    pub(super) fn keep_workers(&self, key: &str, lines: Zeroizing<String>) {
        self.state().workers.insert(key.to_owned(), lines);
    }

    /// The state is about to be read.
    pub(super) fn forget_late(&self) {
        self.state().late = Late::default();
    }

    /// Whether nothing has come since [`Self::forget_late`] but what is in a state with these names.
    pub(super) fn has_only(&self, names: &HashMap<String, Names>) -> bool {
        self.state().late.is_in(names)
    }

    /// Whether a service worker is kept that could not be put back.
    pub(super) fn has_lost_workers(&self) -> bool {
        !self.state().workers.is_empty()
    }

    async fn install(&self, id: &str, cdp: &Cdp, kept: &KeptLines) -> Result<(), BrowserError> {
        self.installed(id, cdp, send_scripts(cdp, kept)).await
    }

    pub(super) async fn installed(&self, id: &str, cdp: &Cdp, sent: Vec<Sent>) -> Result<(), BrowserError> {
        for (keys, answer) in sent {
            let identifier = answer.await?.identifier;
            let taken = {
                let mut state = self.state();
                let taken: Vec<String> = keys.iter().filter(|key| !state.kept.contains_key(*key)).cloned().collect();
                if let Some(tab) = state.tabs.iter_mut().find(|tab| tab.id == id) {
                    tab.scripts.push(Script { cdp: cdp.clone(), id: identifier, keys });
                }
                taken
            };
            // Documents that came before the answer.
            for key in taken {
                self.taken(&key);
            }
        }
        Ok(())
    }

    /// What is kept under this key is in place in a tab: no other gets it. What shared a script with it gets another.
    pub(super) fn taken(&self, key: &str) {
        let mut state = self.state();
        let State { kept, tabs, .. } = &mut *state;
        kept.remove(key);
        for tab in tabs {
            for Script { cdp, id, keys } in tab.scripts.extract_if(.., |script| script.keys.contains(key)) {
                let left = kept.iter().filter(|(kept, _)| keys.contains(*kept));
                // Before the old one goes: at no moment is there none.
                let sent = send_scripts(&cdp, &left.map(|(key, lines)| (key.clone(), lines.clone())).collect());
                cdp.send(RemoveScriptToEvaluateOnNewDocumentParams::new(id)).forget();
                // Chromium may answer late, and what happens meanwhile has to be noted. A tab that is gone needs none.
                let (storages, id) = (self.clone(), tab.id.clone());
                tokio::spawn(async move { drop(storages.installed(&id, &cdp, sent).await) });
            }
        }
    }

    /// Takes an event of a tab, or of a frame in it that has a session of its own.
    pub(super) async fn note(&self, id: &str, cdp: &Cdp, event: &RawEvent) {
        if &*event.method == "Page.frameNavigated" {
            let Some(Navigated { frame }) = event.decode() else { return };
            let Some(key) = origin_of(&frame.url) else { return };
            self.state().late.moved();
            if frame.parent_id.is_some() {
                return self.frame_came(id, cdp, frame.id, key);
            }
            self.dirty().touch(&key);
            self.came(id, &key, cdp, true).await;
        } else if dirty::EVENTS.contains(&&*event.method) {
            self.dirty().note(event);
        } else if let Some(Changed { storage_id, key, new_value }) = event.decode() {
            if let Some(storage_key) = &storage_id.storage_key {
                self.dirty().touch(storage_key.inner());
            }
            if let Some(storage_key) = storage_id.storage_key.as_ref().filter(|_| storage_id.is_local_storage) {
                self.state().late.changed(storage_key.inner(), key, new_value);
                return;
            }
            self.change(id, &storage_id, |items| match (key, new_value) {
                (Some(key), Some(value)) => drop(items.insert(key, value)),
                (Some(key), None) => drop(items.remove(&key)),
                (None, _) => items.clear(),
            });
            if let Some(key) = storage_id.storage_key {
                self.begun(id, key.inner());
            }
        }
    }

    /// A document of `key` is in the tab, or in a frame of it. Where something was ready for the tab's own, it is in place now, and is
    /// needed no more.
    pub(super) async fn came(&self, id: &str, key: &str, cdp: &Cdp, is_main: bool) {
        let (inherited, ready) = {
            let mut state = self.state();
            let state = &mut *state;
            state.clock += 1;
            let Some(tab) = state.tabs.iter_mut().find(|tab| tab.id == id) else { return };
            let first = !tab.seen.contains_key(key);
            let seen = tab.seen.entry(key.to_owned()).or_default();
            seen.used_at = state.clock;
            seen.touched |= tab.has_opener;
            (first && tab.has_opener, is_main && !tab.has_opener && state.kept.contains_key(key))
        };
        if ready {
            self.taken(key);
        }
        // A popup begins with a copy of what its opener held, of which no event tells.
        if !inherited {
            return;
        }
        let mut storage = StorageId::new(false);
        storage.storage_key = Some(SerializedStorageKey::new(key));
        if let Ok(answer) = cdp.send(GetDomStorageItemsParams::new(storage.clone())).await {
            self.change(id, &storage, |items| {
                let pairs = answer.entries.iter().map(Item::inner);
                items.extend(pairs.filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone()))));
            });
        }
    }

    fn change(&self, id: &str, storage: &StorageId, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let Some(key) = storage.storage_key.as_ref().filter(|_| !storage.is_local_storage) else { return };
        let mut state = self.state();
        state.clock += 1;
        let used_at = state.clock;
        let Some(tab) = state.tabs.iter_mut().find(|tab| tab.id == id) else { return };
        let seen = tab.seen.entry(key.inner().clone()).or_default();
        (seen.used_at, seen.touched) = (used_at, true);
        change(&mut seen.items);
    }

    /// Where the sessionStorage of `key` is read: in the tab that was used last there, among those that ever held something.
    pub(super) fn source(&self, key: &str) -> Source {
        let state = self.state();
        let last = state.last(key);
        Source {
            tab: last.map(|(tab, _)| tab.id.clone()),
            items: last.map(|(_, seen)| seen.items.clone().into_iter().collect()).unwrap_or_default(),
            kept: state.kept.get(key).cloned(),
            workers: state.workers.get(key).cloned(),
        }
    }
}

impl Tab {
    /// The storage keys that it ever held something of.
    pub(super) fn held(&self) -> impl Iterator<Item = &String> {
        self.seen.iter().filter(|(_, seen)| seen.touched).map(|(key, _)| key)
    }
}

impl State {
    /// The tab that was used last at `key`, among those that ever held something.
    fn last(&self, key: &str) -> Option<(&Tab, &Seen)> {
        let here = self.tabs.iter().filter_map(|tab| Some((tab, tab.seen.get(key)?)));
        here.max_by_key(|(tab, seen)| (seen.touched, tab.is_open, seen.used_at))
    }

    /// What the session holds of `key` now, as lines of a part; none where that is nothing.
    fn now(&self, key: &str) -> Option<Zeroizing<String>> {
        match self.last(key).filter(|(_, seen)| seen.touched) {
            Some((_, seen)) if seen.items.is_empty() => None,
            Some((_, seen)) => {
                let line = |(k, v): (&String, &String)| format!("{}\n", json!({"t": "ss", "k": k, "v": v}));
                Some(Zeroizing::new(seen.items.iter().map(line).collect()))
            }
            None => self.kept.get(key).cloned(),
        }
    }
}
