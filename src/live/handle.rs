//! What whoever runs a live browser holds of it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};

use crate::session::{Session, SessionError};

use super::engine::{Engine, Order, Orders};
use super::folder::Folder;
use super::keep::Keepsake;
use super::mailbox::Mailbox;
use super::pause::{self, Pause};
use super::tabs::fit;
use super::viewer::Viewer;
use super::wire::{Role, ToViewer, WarningKind};

/// How a session is made live.
#[derive(Debug, Clone)]
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
    /// The addresses that are bookmarked already.
    pub bookmarks: Vec<String>,
    /// The most bytes of all downloads together; one that goes beyond is broken off. They stand where the browser's own folder does,
    /// which may be memory.
    pub most_download_bytes: u64,
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
            bookmarks: Vec::new(),
            most_download_bytes: 256 << 20,
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
    ended: watch::Sender<bool>,
    pub folder: Folder,
}

struct State {
    roles: HashMap<u32, Role>,
    seen: Instant,
    acted: Instant,
    downloads: HashMap<String, Downloaded>,
    keepsakes: Vec<Keepsake>,
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

    pub fn keep(&self, keepsake: Keepsake) {
        self.state().keepsakes.push(keepsake);
    }

    pub fn end(&self) {
        self.ended.send_replace(true);
    }
}

impl Live {
    /// Makes an open session live: its tabs, those that come, and what people do in them from now on.
    pub async fn over(session: Session, options: LiveOptions) -> Result<Self, SessionError> {
        // There is always one to look at.
        session.page().await?;
        let parent = session.context().browser().folder().map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = Folder::make(&parent)?;
        let pages = session.pages();
        let size = (options.width, options.height);
        // Before anybody looks: they would see it change.
        join_all(pages.iter().map(|page| fit(page.clone(), size))).await;
        let now = Instant::now();
        let state =
            State { roles: HashMap::new(), seen: now, acted: now, downloads: HashMap::new(), keepsakes: Vec::new() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            last_viewer: AtomicU32::new(0),
            ended: watch::Sender::new(false),
            folder,
        });
        let (orders, queue) = mpsc::unbounded_channel();
        let engine = Engine::new(session.clone(), options, shared.clone(), Orders(orders.downgrade()));
        tokio::spawn(engine.run(queue, pages));
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
        self.shared.came(number, role);
        if self.orders.send(Order::Joined(number, role, mailbox.clone())).is_err() || self.has_ended() {
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

    /// A download that is whole, by the id that the viewers are told.
    pub fn downloaded(&self, id: &str) -> Option<Downloaded> {
        self.shared.state().downloads.get(id).cloned()
    }

    /// Bookmarks and passwords that people wanted kept since the last call.
    pub fn take_keepsakes(&self) -> Vec<Keepsake> {
        std::mem::take(&mut self.shared.state().keepsakes)
    }

    /// The folder of its downloads and of the files that viewers hand over; removed at its end.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        *self.shared.ended.borrow()
    }

    /// Ends it: viewers are told why, nothing is cast any more. The session stays open.
    pub async fn close(&self, reason: &str) {
        let mut ended = self.shared.ended.subscribe();
        if self.orders.send(Order::Close(reason.to_owned())).is_ok() {
            let _ = ended.wait_for(|ended| *ended).await;
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
