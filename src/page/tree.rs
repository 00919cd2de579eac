//! What is known of a page's frames: pure bookkeeping, fed by `events.rs`, read by everything else.

use std::collections::{HashMap, HashSet};

use tokio::sync::mpsc::UnboundedSender;

use crate::browser::Cdp;

/// The name of our isolated world; pages cannot see it.
pub(super) const WORLD: &str = "rhaven";

/// All frames of a page and what happened to it.
pub(super) struct Tree {
    pub main: String,
    /// Frames in the order in which they came.
    pub frames: Vec<Node>,
    pub notices: Vec<String>,
    pub crashed: bool,
    pub closed: bool,
    /// (frame id, URL) of every committed document, for whoever asks later.
    pub commits: Vec<(String, String)>,
    pub watchers: Vec<UnboundedSender<(String, String)>>,
}

/// A frame.
pub(super) struct Node {
    pub id: String,
    pub parent: Option<String>,
    /// The session that speaks for it: the page's, or that of its own process.
    pub cdp: Cdp,
    pub url: String,
    /// Its document is Chromium's own, about an address that did not answer.
    pub unreachable: bool,
    pub loader: String,
    /// How many documents it has had; tells a new document from the one before.
    pub documents: u64,
    /// How many same-document navigations it has had.
    pub moves: u64,
    pub lifecycle: HashSet<String>,
    /// Execution contexts by world; the page's own is the empty name.
    pub worlds: HashMap<String, i64>,
    /// The context in which the bundle has been evaluated.
    pub bundled: Option<i64>,
    pub pending: Option<Pending>,
}

/// A navigation that has begun and not yet committed.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub url: String,
    /// Whether Chromium works on it already; before that it may be taken back.
    pub started: bool,
}

impl Tree {
    pub fn new(main: String, cdp: Cdp) -> Self {
        let root = Node::new(main.clone(), None, cdp);
        Self {
            main,
            frames: vec![root],
            notices: Vec::new(),
            crashed: false,
            closed: false,
            commits: Vec::new(),
            watchers: Vec::new(),
        }
    }

    pub fn get(&self, id: &str) -> Option<&Node> {
        self.frames.iter().find(|node| node.id == id)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Node> {
        self.frames.iter_mut().find(|node| node.id == id)
    }

    /// The frame `id`, made if it is new, spoken for by `cdp` from now on.
    pub fn ensure(&mut self, id: &str, parent: Option<&str>, cdp: &Cdp) -> &mut Node {
        let known = self.frames.iter().position(|node| node.id == id);
        let index = known.unwrap_or_else(|| {
            self.frames.push(Node::new(id.to_owned(), parent.map(str::to_owned), cdp.clone()));
            self.frames.len() - 1
        });
        let node = &mut self.frames[index];
        if node.cdp.session_id() != cdp.session_id() {
            node.cdp = cdp.clone();
            node.worlds.clear();
            node.bundled = None;
        }
        node
    }

    /// The frame has gone, with all below it.
    pub fn remove(&mut self, id: &str) {
        if id == self.main {
            return;
        }
        self.remove_below(id);
        self.frames.retain(|node| node.id != id);
    }

    /// A new document has no frames yet.
    pub fn remove_below(&mut self, id: &str) {
        let children: Vec<String> =
            self.frames.iter().filter(|node| node.parent.as_deref() == Some(id)).map(|node| node.id.clone()).collect();
        for child in children {
            self.remove(&child);
        }
    }

    /// A document has been committed.
    pub fn committed(&mut self, id: &str, url: &str) {
        let commit = (id.to_owned(), url.to_owned());
        self.watchers.retain(|watcher| watcher.send(commit.clone()).is_ok());
        self.commits.push(commit);
    }

    /// The session's contexts have gone: one, or all.
    pub fn forget_contexts(&mut self, session: &str, context: Option<i64>) {
        for node in self.frames.iter_mut().filter(|node| node.cdp.session_id() == session) {
            node.worlds.retain(|_, id| context.is_some_and(|gone| gone != *id));
            if context.is_none() || node.bundled == context {
                node.bundled = None;
            }
        }
    }
}

impl Node {
    fn new(id: String, parent: Option<String>, cdp: Cdp) -> Self {
        Self {
            id,
            parent,
            cdp,
            url: "about:blank".to_owned(),
            unreachable: false,
            loader: String::new(),
            documents: 0,
            moves: 0,
            lifecycle: HashSet::new(),
            worlds: HashMap::new(),
            bundled: None,
            pending: None,
        }
    }
}
