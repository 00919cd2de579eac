//! What a page's handles share: the tree, the sessions that feed it, and the ways to wait for a change of it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use crate::base::Deadline;
use crate::browser::{BrowserError, Cdp, RawEvents, Target, TargetEvent, TargetKind};

use super::PageError;
use super::credentials;
use super::dialogs::Dialogs;
use super::emulation::{self, Emulation};
use super::events::{self, FrameTree, METHODS, Reaction};
use super::rpc::{Ack, rpc};
use super::tree::{Tree, WORLD};
use super::world::EARLY;

/// Shared by all handles of one page.
pub(super) struct Inner {
    pub target: Target,
    tree: Mutex<Tree>,
    /// Counts the changes of the tree.
    changed: watch::Sender<u64>,
    /// By session id: asks the loop of that session to say when it has applied all events that have come.
    barriers: Mutex<Vec<(String, mpsc::UnboundedSender<oneshot::Sender<()>>)>>,
    /// The mouse and the keyboard are one each per page.
    pub input: tokio::sync::Mutex<()>,
    emulation: Mutex<Emulation>,
    /// Where it was last taken to by address.
    taken: Mutex<Option<Url>>,
    /// Sees frames in processes of their own before they run.
    greeting: Mutex<Option<Greeting>>,
    /// Who sees to its dialogs.
    pub dialogs: Dialogs,
}

/// Is given the session of a frame in a process of its own.
pub(super) type Greeting = Arc<dyn Fn(&Cdp) + Send + Sync>;

/// How long a held target may take to answer before it is let go unanswered. Either way is right; the one is surer.
const HELD: Duration = Duration::from_millis(30);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TreeAnswer {
    frame_tree: FrameTree,
}

impl Inner {
    /// Sets the target up and resumes it.
    pub async fn attach(target: Target, emulation: Emulation) -> Result<Arc<Self>, PageError> {
        let cdp = target.cdp().clone();
        let main = target.id().inner().clone();
        let inner = Arc::new(Self {
            tree: Mutex::new(Tree::new(main, cdp.clone())),
            changed: watch::Sender::new(0),
            barriers: Mutex::default(),
            input: tokio::sync::Mutex::default(),
            emulation: Mutex::new(emulation),
            taken: Mutex::default(),
            greeting: Mutex::default(),
            dialogs: Dialogs::default(),
            target: target.clone(),
        });
        tokio::select! {
            done = set_up(&inner, &target) => done?,
            error = target.gone() => return Err(error.into()),
        }
        Ok(inner)
    }

    /// The tree. Never held over an await.
    pub fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its targets tell otherwise than the browser. Never held over an await.
    pub fn emulation(&self) -> MutexGuard<'_, Emulation> {
        self.emulation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it was last taken to by address; not where links, scripts or other sites have led it. Never held over an await.
    pub fn taken(&self) -> MutexGuard<'_, Option<Url>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands every frame in a process of its own to `greeting` before it runs; those that run already now.
    pub fn greet_with(&self, greeting: &Greeting) {
        *self.greeting.lock().unwrap_or_else(PoisonError::into_inner) = Some(greeting.clone());
        let sessions: Vec<Cdp> = self.tree().frames.iter().map(|node| node.cdp.clone()).collect();
        let own = self.target.cdp().session_id();
        sessions.iter().filter(|cdp| cdp.session_id() != own).for_each(|cdp| greeting(cdp));
    }

    fn greet(&self, frame: &Cdp) {
        let greeting = self.greeting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(greeting) = greeting {
            greeting(frame);
        }
    }

    /// Changes the tree and wakes those who wait for it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Tree) -> T) -> T {
        let value = change(&mut self.tree());
        self.changed.send_modify(|count| *count += 1);
        value
    }

    /// Waits until `look` finds something in the tree.
    pub async fn until<T>(&self, mut look: impl FnMut(&Tree) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = look(&self.tree()) {
                return found;
            }
            if changed.changed().await.is_err() {
                // The sender lives in self; it cannot have gone.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Why the page is over; waits while it is not.
    pub async fn over(&self) -> PageError {
        let over = self.until(|tree| match (tree.crashed, tree.closed) {
            (true, _) => Some(PageError::PageCrashed),
            (_, true) => Some(PageError::PageClosed),
            _ => None,
        });
        let error = over.await;
        match (error, self.target.is_gone()) {
            // A browser that went takes its pages with it: say which of the two it was.
            (PageError::PageClosed, true) => match self.target.gone().await {
                gone @ BrowserError::Gone(_) => gone.into(),
                _ => PageError::PageClosed,
            },
            (error, _) => error,
        }
    }

    /// `work` until it is done, the deadline passes (`None`), or the page is over.
    pub async fn race<T>(
        &self,
        deadline: Deadline,
        work: impl Future<Output = Result<T, PageError>>,
    ) -> Option<Result<T, PageError>> {
        tokio::select! {
            biased;
            done = work => match done {
                Err(PageError::Browser(BrowserError::TargetGone)) => Some(Err(self.over_soon().await)),
                done => Some(done),
            },
            error = self.over() => Some(Err(error)),
            () = tokio::time::sleep_until(deadline.instant()) => None,
        }
    }

    /// A call said that the target has gone; the event that says how is on its way.
    async fn over_soon(&self) -> PageError {
        let grace = Duration::from_millis(200);
        tokio::time::timeout(grace, self.over()).await.unwrap_or(PageError::PageClosed)
    }

    /// Waits until all events that this session has sent so far are in the tree.
    pub async fn barrier(&self, session: &str) {
        let (done, wait) = oneshot::channel();
        {
            let barriers = self.barriers.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((_, barrier)) = barriers.iter().find(|(id, _)| id == session) else { return };
            if barrier.send(done).is_err() {
                return;
            }
        }
        // An error is a loop that has ended: nothing more will come.
        let _ = wait.await;
    }
}

/// Enables what has to be in force before the first navigation of a page's or frame's session, and resumes it.
async fn set_up(inner: &Arc<Inner>, target: &Target) -> Result<(), PageError> {
    let cdp = target.cdp();
    let raw = cdp.raw_events(&METHODS);
    let enables: Vec<(&'static str, Value)> = vec![
        ("Page.enable", json!({})),
        ("Page.setLifecycleEventsEnabled", json!({"enabled": true})),
        ("Runtime.enable", json!({})),
        ("Page.addScriptToEvaluateOnNewDocument", json!({"source": EARLY, "worldName": WORLD})),
        ("Emulation.setFocusEmulationEnabled", json!({"enabled": true})),
    ];
    let emulation = inner.emulation().clone();
    let own = target.id() == inner.target.id();
    let nothing = Emulation::default();
    let orders = if own { emulation.for_page(&nothing) } else { emulation.for_frame(&nothing) };
    if emulation.credentials.is_some() {
        credentials::follow(inner, cdp);
    }
    let all = enables.into_iter().chain(orders);
    let sent = all.map(|(method, params)| cdp.send(rpc::<Ack>(method, params)));
    let mut sent = join_all(sent.collect::<Vec<_>>());
    let tree = cdp.send(rpc::<TreeAnswer>("Page.getFrameTree", json!({})));
    // A popup without an opener has no renderer yet that could answer; it gets one only when it is let go, and then hears
    // all this first.
    let answers = if let Ok(answers) = tokio::time::timeout(HELD, &mut sent).await {
        answers
    } else {
        target.resume();
        sent.await
    };
    for answer in answers {
        emulation::taken(answer)?;
    }
    let found = tree.await?.frame_tree;
    inner.change(|tree| events::adopt(tree, cdp, &found));
    let (barrier, barriers) = mpsc::unbounded_channel();
    {
        let mut all = inner.barriers.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, barrier)| !barrier.is_closed());
        all.push((cdp.session_id().to_owned(), barrier));
    }
    tokio::spawn(feed(Arc::downgrade(inner), target.clone(), raw, barriers));
    tokio::spawn(adopt_children(Arc::downgrade(inner), target.clone()));
    target.resume();
    Ok(())
}

/// Applies the events of one session until it ends.
async fn feed(
    inner: Weak<Inner>,
    target: Target,
    mut raw: RawEvents,
    mut barriers: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    let cdp = target.cdp();
    loop {
        tokio::select! {
            biased;
            event = raw.next() => {
                let (Some(event), Some(inner)) = (event, inner.upgrade()) else { break };
                if inner.dialogs.took(cdp, &event) {
                    continue;
                }
                if let Reaction::Dialog(accept) = inner.change(|tree| events::apply(tree, cdp, &event)) {
                    drop(cdp.send(rpc::<Ack>("Page.handleJavaScriptDialog", json!({"accept": accept}))));
                }
            }
            barrier = barriers.recv() => {
                let Some(done) = barrier else { break };
                let _ = done.send(());
            }
        }
    }
    // Not before the last event was applied: that may have been the crash that ended it.
    if let Some(inner) = inner.upgrade().filter(|inner| inner.target.id() == target.id()) {
        inner.change(|tree| tree.closed = true);
    }
}

/// Takes in frames of other sites as they come, and lets workers run.
async fn adopt_children(inner: Weak<Inner>, parent: Target) {
    let mut children = parent.children();
    while let Some(event) = children.next().await {
        let Some(inner) = inner.upgrade() else { return };
        match event {
            TargetEvent::Attached(child) if *child.kind() == TargetKind::Iframe => {
                tokio::spawn(adopt_frame(inner, child, parent.cdp().clone()));
            }
            TargetEvent::Attached(child) => child.resume(),
            TargetEvent::Detached(id) | TargetEvent::Crashed(id) => inner.change(|tree| {
                // Where it went back into its parent's process, the parent speaks for it already.
                if tree.get(id.inner()).is_some_and(|node| node.cdp.session_id() != parent.cdp().session_id()) {
                    tree.remove(id.inner());
                }
            }),
        }
    }
}

/// Boxed, because frames within frames come back here.
fn adopt_frame(inner: Arc<Inner>, child: Target, parent: Cdp) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let id = child.id().inner().clone();
        inner.change(|tree| {
            if tree.get(&id).is_none() {
                tree.ensure(&id, None, &parent);
            }
        });
        // First: what is sent before the frame is let run is in force in its first document.
        inner.greet(child.cdp());
        let done = tokio::select! { done = set_up(&inner, &child) => done.is_ok(), _ = child.gone() => false };
        if !done {
            // It went while it was being set up.
            child.resume();
        }
    })
}
