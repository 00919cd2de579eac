//! What whoever runs a live browser holds of it.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::page::Page;
use crate::session::{Session, SessionError};

use super::engine::{Engine, Order, Orders, Watcher};
use super::folder::Folder;
use super::mailbox::Mailbox;
use super::pause::{self, Pause};
use super::tabs::fit;
use super::viewer::Viewer;
use super::wire::{Role, ToViewer, WarningKind};

/// More than these do not look on at once.
const MOST_VIEWERS: usize = 100;

/// How long the end may take to begin: the engine is never busy for so long, so something is wrong with it.
const BEGINS: Duration = Duration::from_secs(10);

/// How long it may take once it has begun; more than all that it waits for together.
const ENDS: Duration = Duration::from_secs(30);

/// How a session is made live.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct LiveOptions {
    /// The width of the viewport, in CSS pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// The most pixels that a viewer may make it: width times height.
    pub most_pixels: u32,
    /// The most pictures a second, 1 to 60.
    pub fps: u32,
    /// Whether the first who may steer is in control at once.
    pub control_at_once: bool,
    /// Whether pages show the picture alone.
    pub kiosk: bool,
    /// Whether pages do not show the pointer.
    pub hide_cursor: bool,
    /// Whether passwords are offered to be kept, and bookmarks taken; in a session whose profile is saved, and in no other.
    pub keeps: bool,
    /// The most bytes of all downloads together; one that goes beyond is broken off. They stand where the browser's own folder does,
    /// which may be memory.
    pub most_download_bytes: u64,
    /// The most bytes of all files together that viewers have handed over and a page may still read; what goes beyond is refused. They
    /// stand there too.
    pub most_upload_bytes: u64,
    /// Whether the session goes on after its end, as a script's does: then pages are given back as they were, and `width` and `height`
    /// are those of the page in front where it has a size of its own.
    pub goes_on: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            most_pixels: 1920 * 1080,
            fps: 24,
            control_at_once: true,
            kiosk: false,
            hide_cursor: false,
            keeps: true,
            most_download_bytes: 256 << 20,
            most_upload_bytes: 256 << 20,
            goes_on: false,
        }
    }
}

/// When somebody was there, and did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// How many viewers there are.
    pub connected: usize,
    /// When there was a viewer last: now where there are some, and at first when it was made live.
    pub seen: Instant,
    /// When somebody steered last; at first when it was made live.
    pub acted: Instant,
}

/// A download that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Where it is, as long as the browser is live.
    pub path: PathBuf,
    /// What it is to be called.
    pub name: String,
}

/// A session that people watch and steer. Cheap to clone; it ends with [`Live::close`], or with the last of its clones and viewers.
#[derive(Clone)]
pub struct Live {
    session: Session,
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
}

/// What the engine and its handles both look at.
pub(super) struct Shared {
    state: Mutex<State>,
    last_viewer: AtomicU32,
    stage: watch::Sender<Stage>,
    /// It is to end, or ends: nothing new is begun.
    pub closing: CancellationToken,
    pub folder: Folder,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Live,
    Ending,
    Ended,
}

/// Tells of the end of the engine, be it a panic.
struct AtEnd(Arc<Shared>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct State {
    roles: HashMap<u32, Role>,
    seen: Instant,
    acted: Instant,
    downloads: HashMap<String, Downloaded>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn did(&self, now: Instant) {
        self.state().acted = now;
    }

    /// Whether somebody is there.
    pub fn has_viewers(&self) -> bool {
        !self.state().roles.is_empty()
    }

    pub fn came(&self, viewer: u32, role: Role) {
        self.state().roles.insert(viewer, role);
    }

    pub fn went(&self, viewer: u32) {
        let mut state = self.state();
        state.roles.remove(&viewer);
        state.seen = Instant::now();
    }

    pub fn downloaded(&self, id: String, downloaded: Downloaded) {
        self.state().downloads.insert(id, downloaded);
    }

    pub fn begin_end(&self) {
        self.closing.cancel();
        self.stage.send_replace(Stage::Ending);
    }

    pub fn end(&self) {
        self.closing.cancel();
        self.stage.send_replace(Stage::Ended);
    }
}

impl Live {
    /// Makes an open session live: its tabs, those that come, and what people do in them from now on.
    pub async fn over(session: Session, mut options: LiveOptions) -> Result<Self, SessionError> {
        // There is always one to look at.
        let front = session.page().await?;
        if let Some(screen) = front.emulation().screen.filter(|_| options.goes_on) {
            (options.width, options.height) = (screen.width, screen.height);
        }
        let parent = session.context().browser().folder().map_or_else(std::env::temp_dir, Path::to_owned);
        let made = tokio::task::spawn_blocking(move || Folder::make(&parent));
        let folder = made.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))?;
        let pages = session.pages();
        let size = (options.width, options.height);
        let screens = pages.iter().map(|page| (page.clone(), page.emulation().screen)).collect();
        // Before anybody looks: they would see it change.
        join_all(pages.iter().map(|page| fit(page.clone(), size))).await;
        let now = Instant::now();
        let state = State { roles: HashMap::new(), seen: now, acted: now, downloads: HashMap::new() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            last_viewer: AtomicU32::new(0),
            stage: watch::Sender::new(Stage::Live),
            closing: CancellationToken::new(),
            folder,
        });
        let (orders, queue) = mpsc::unbounded_channel();
        let engine = Engine::new(session.clone(), options, shared.clone(), Orders(orders.downgrade()), screens);
        let at_end = AtEnd(shared.clone());
        tokio::spawn(async move {
            let _at_end = at_end;
            engine.run(queue, pages).await;
        });
        Ok(Self { session, orders, shared })
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A viewer more; it is told how things stand, and shown it.
    pub fn join(&self, role: Role) -> Viewer {
        let number = self.shared.last_viewer.fetch_add(1, Ordering::Relaxed) + 1;
        let mailbox = Arc::<Mailbox>::default();
        // Where nobody takes it, it is dropped, and tells so.
        let watcher = Watcher { role, mailbox: mailbox.clone() };
        if self.shared.state().roles.len() >= MOST_VIEWERS {
            mailbox.post(ToViewer::Closed { reason: "full".to_owned() });
        } else {
            self.shared.came(number, role);
            let _ = self.orders.send(Order::Joined(number, watcher));
        }
        if self.has_ended() {
            mailbox.post(ToViewer::Closed { reason: "ended".to_owned() });
        }
        Viewer { number, mailbox, orders: self.orders.clone() }
    }

    /// The viewers and what they may.
    pub fn viewers(&self) -> Vec<(u32, Role)> {
        let mut viewers: Vec<_> = self.shared.state().roles.iter().map(|(number, role)| (*number, *role)).collect();
        viewers.sort_unstable_by_key(|(number, _)| *number);
        viewers
    }

    /// What a viewer may from now on.
    pub fn set_role(&self, viewer: u32, role: Role) {
        self.then(move |engine| engine.set_role(viewer, role));
    }

    /// Sends a viewer away.
    pub fn remove(&self, viewer: u32, reason: &str) {
        let reason = reason.to_owned();
        self.then(move |engine| {
            engine.tell_one(viewer, ToViewer::Closed { reason });
            engine.left(viewer);
        });
    }

    /// When somebody was there, and did something.
    pub fn activity(&self) -> Activity {
        let state = self.shared.state();
        let connected = state.roles.len();
        let seen = if connected > 0 { Instant::now() } else { state.seen };
        Activity { connected, seen, acted: state.acted }
    }

    /// Tells the viewers that it ends in so many seconds.
    pub fn warn(&self, kind: WarningKind, seconds: u64) {
        self.then(move |engine| engine.set_warning(Some(ToViewer::Warning { kind, seconds })));
    }

    /// It goes on after all.
    pub fn warning_over(&self) {
        self.then(|engine| engine.set_warning(None));
    }

    /// Asks the viewers to do something, until one of them says that it is done. Dropping the answer takes it back.
    pub fn pause(&self, reason: &str) -> Pause {
        let (pause, waiting) = pause::begin(reason, Orders(self.orders.downgrade()));
        self.then(move |engine| engine.pause(waiting));
        pause
    }

    /// Brings a tab to the front, where it is one.
    pub fn bring_to_front(&self, page: &Page) {
        let target = page.target().id().clone();
        self.then(move |engine| {
            let tab = engine.tabs.iter().find(|tab| *tab.page.target().id() == target).map(|tab| tab.id);
            if let Some(tab) = tab {
                engine.bring_to_front(tab);
            }
        });
    }

    /// A download that is whole, by the id that the viewers are told.
    pub fn downloaded(&self, id: &str) -> Option<Downloaded> {
        self.shared.state().downloads.get(id).cloned()
    }

    /// The folder of its downloads and of the files that viewers hand over; removed at its end.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        *self.shared.stage.borrow() == Stage::Ended
    }

    /// Ends it: viewers are told why, nothing is cast any more, and what they wanted kept is. The session stays open. Waits for that, but
    /// not without end: whoever saves the session then goes on.
    pub async fn close(&self, reason: &str) {
        let mut stage = self.shared.stage.subscribe();
        self.shared.closing.cancel();
        if self.orders.send(Order::Close(reason.to_owned())).is_err() {
            return;
        }
        let begun = tokio::time::timeout(BEGINS, stage.wait_for(|stage| *stage != Stage::Live)).await.is_ok();
        if !begun || tokio::time::timeout(ENDS, stage.wait_for(|stage| *stage == Stage::Ended)).await.is_err() {
            tracing::warn!("a live browser does not come to its end; it is gone on without");
        }
    }

    fn then(&self, work: impl FnOnce(&mut Engine) + Send + 'static) {
        let _ = self.orders.send(Order::Do(Box::new(work)));
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live({} viewers)", self.shared.state().roles.len())
    }
}
