//! The one task that a live browser is: it takes orders from viewers, tabs and whoever holds the browser, one after the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::browser::{Cdp, RawEvent};
use crate::page::{Page, Screen};
use crate::session::Session;

use super::cast::Cast;
use super::dialogs::Shown;
use super::downloads::Downloads;
use super::handle::{LiveOptions, Shared};
use super::hands::{Hands, World};
use super::icons::Icons;
use super::keep::{Keeper, Offer};
use super::mailbox::{self, LONGEST_ERROR, cut};
use super::pause::Waiting;
use super::pickers::Open;
use super::tabs::Tab;
use super::undo::Follows;
use super::uploads::Uploads;
use super::wire::{FromViewer, Role, ToViewer};

/// Timers are looked at no more often than this.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// Something for the engine to do.
pub(super) enum Order {
    /// A viewer has come.
    Joined(u32, Watcher),
    /// It has gone.
    Left(u32),
    /// It has sent something.
    From(u32, FromViewer),
    /// A viewer has room for a picture.
    Room,
    /// An event of a tab, from one of its sessions.
    Event(u32, Cdp, RawEvent),
    /// A download, as the browser tells it.
    Download(RawEvent),
    /// What was done elsewhere, to be taken in; also what whoever holds the browser wants.
    Do(Box<dyn FnOnce(&mut Engine) + Send>),
    /// It is over.
    Close(String),
}

/// Sends orders to the engine as long as there is one, without keeping it.
#[derive(Clone)]
pub(super) struct Orders(pub(super) mpsc::WeakUnboundedSender<Order>);

impl Orders {
    pub fn send(&self, order: Order) {
        if let Some(orders) = self.0.upgrade() {
            let _ = orders.send(order);
        }
    }

    /// Has the engine do it.
    pub fn then(&self, work: impl FnOnce(&mut Engine) + Send + 'static) {
        self.send(Order::Do(Box::new(work)));
    }
}

/// A viewer, as the engine has it. Dropped, it is told that all is over, whatever became of the engine.
pub(super) struct Watcher {
    pub role: Role,
    pub mailbox: mailbox::Shared,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // After another last word it is nothing.
        self.mailbox.post(ToViewer::Closed { reason: "ended".to_owned() });
    }
}

/// The state of a live browser.
pub(super) struct Engine {
    pub session: Session,
    pub options: LiveOptions,
    pub shared: Arc<Shared>,
    pub orders: Orders,
    pub hands: Hands,
    pub viewers: BTreeMap<u32, Watcher>,
    /// Who is in control.
    pub holder: Option<u32>,
    pub tabs: Vec<Tab>,
    /// The tab in front.
    pub active: u32,
    pub cast: Cast,
    /// Where the mouse was last.
    pub mouse: (f64, f64),
    /// What is being dragged, as Chromium tells it.
    pub drag: Option<serde_json::Value>,
    pub worlds: Vec<(u32, World)>,
    pub dialogs: Vec<Shown>,
    pub picker: Option<Open>,
    pub cursor: String,
    pub caret: Option<super::wire::Caret>,
    /// Who waits for what is copied, and the number of that copy.
    pub copying: Option<(u32, u32)>,
    /// Who pressed something last, and when.
    pub pressed: Option<(u32, Instant)>,
    pub offers: VecDeque<Offer>,
    /// The addresses that are bookmarked, as far as is known.
    pub bookmarks: BTreeSet<String>,
    pub knows_bookmarks: bool,
    /// What was told last of whether the page in front is bookmarked.
    pub bookmarked: Option<(String, bool)>,
    pub keeper: Keeper,
    pub pauses: VecDeque<Waiting>,
    pub warning: Option<ToViewer>,
    pub downloads: Downloads,
    pub uploads: Uploads,
    pub icons: Icons,
    /// The last number that was given to a tab, dialog or the like.
    pub numbers: u32,
    /// What listens to the tabs.
    pub follows: Follows,
    /// The size that each page had.
    pub screens: Vec<(Page, Option<Screen>)>,
    /// Tabs that are being opened.
    pub opening: usize,
    /// When the tabs were told last, and when they are to be next.
    pub tabs_told: Option<Instant>,
    pub tabs_due: Option<Instant>,
    touched: Option<Instant>,
}

impl Engine {
    pub fn new(
        session: Session,
        options: LiveOptions,
        shared: Arc<Shared>,
        orders: Orders,
        screens: Vec<(Page, Option<Screen>)>,
    ) -> Self {
        Self {
            session,
            options,
            shared,
            orders,
            hands: Hands::new(),
            viewers: BTreeMap::new(),
            holder: None,
            tabs: Vec::new(),
            active: 0,
            cast: Cast::default(),
            mouse: (0.0, 0.0),
            drag: None,
            worlds: Vec::new(),
            dialogs: Vec::new(),
            picker: None,
            cursor: "default".to_owned(),
            caret: None,
            copying: None,
            pressed: None,
            offers: VecDeque::new(),
            bookmarks: BTreeSet::new(),
            knows_bookmarks: false,
            bookmarked: None,
            keeper: Keeper::default(),
            pauses: VecDeque::new(),
            warning: None,
            downloads: Downloads::default(),
            uploads: Uploads::default(),
            icons: Icons::default(),
            numbers: 0,
            follows: Follows::default(),
            screens,
            opening: 0,
            tabs_told: None,
            tabs_due: None,
            touched: None,
        }
    }

    /// Works until it is closed or nobody holds it any more.
    pub async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, first: Vec<Page>) {
        self.allow_downloads();
        let mut added = self.session.pages_added();
        for page in first {
            self.add_tab(page);
        }
        let mut ticked = Instant::now();
        let reason = loop {
            let due = if self.viewers.values().any(|viewer| viewer.mailbox.has_room()) {
                self.cast.due(self.pause_between_pictures()).map(|due| due.max(ticked + LEAST_PAUSE))
            } else {
                None
            };
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Close(reason)) => break reason,
                    Some(order) => self.take(order),
                    None => break "ended".to_owned(),
                },
                Ok(()) = added.changed() => self.look_for_pages(),
                () = until(self.tabs_due) => self.tell_tabs_now(),
                () = until(due) => {
                    ticked = Instant::now();
                    self.pump();
                }
            }
        };
        let shared = self.shared.clone();
        self.end(reason).await;
        // Before the orders that are left are dropped: who joins now finds one or the other.
        shared.end();
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Joined(number, watcher) => self.joined(number, watcher),
            Order::Left(number) => self.left(number),
            Order::From(number, message) => self.said(number, message),
            Order::Room => self.pump(),
            Order::Event(tab, cdp, event) => self.event(tab, &cdp, &event),
            Order::Download(event) => self.download(&event),
            Order::Do(work) => work(self),
            Order::Close(_) => {}
        }
    }

    /// A number that nothing else has.
    pub fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Tells all viewers.
    pub fn tell(&self, message: &ToViewer) {
        self.viewers.values().for_each(|viewer| viewer.mailbox.post(message.clone()));
    }

    /// Tells one viewer, where it is still there.
    pub fn tell_one(&self, viewer: u32, message: ToViewer) {
        if let Some(viewer) = self.viewers.get(&viewer) {
            viewer.mailbox.post(message);
        }
    }

    /// Tells one viewer that something was not done.
    pub fn refuse(&self, viewer: u32, code: &str, message: impl Into<String>) {
        let message = cut(&message.into(), LONGEST_ERROR).to_owned();
        self.tell_one(viewer, ToViewer::Error { code: code.to_owned(), message, picker: None });
    }

    /// Somebody has done something: what the session keeps may change.
    pub fn somebody_did(&mut self) {
        let now = Instant::now();
        self.shared.did(now);
        if self.touched.is_none_or(|at| now >= at + Duration::from_secs(1)) {
            self.touched = Some(now);
            self.session.touched();
        }
    }

    async fn end(mut self, reason: String) {
        self.shared.begin_end();
        self.let_go();
        self.stop_cast();
        for tab in &self.tabs {
            tab.page.keep_dialogs(None);
        }
        for shown in self.dialogs.drain(..) {
            shown.dialog.answer_by_default();
        }
        self.forbid_downloads();
        self.tell(&ToViewer::Closed { reason });
        std::mem::take(&mut self.keeper).finish().await;
        if self.options.goes_on {
            self.give_back().await;
        }
        let shared = self.shared.clone();
        let _ = tokio::task::spawn_blocking(move || shared.folder.remove()).await;
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
