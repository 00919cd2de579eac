//! What people want kept beyond the session's own state: bookmarks and passwords. Chromium keeps them, in the profile; here they are
//! offered, and taken to it one after the other.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::base::{Deadline, Secret, with_causes};
use crate::session::{Session, SessionError};

use super::engine::{Engine, Orders};
use super::wire::ToViewer;

/// Offers that nobody answers make room for new ones.
const MOST_OFFERS: usize = 8;
/// How long Chromium may take with one of them.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long those that are under way may take when the browser is to end.
const LAST: Duration = Duration::from_secs(15);

/// Something to keep.
enum Wish {
    Bookmark { title: String, url: String },
    NoBookmark { url: String },
    Password { origin: String, username: String, password: Secret },
}

/// Takes wishes to Chromium, in their order.
#[derive(Default)]
pub(super) struct Keeper(Option<Keeping>);

/// Wishes, each with the viewer whose it is, and the task that sees to them.
type Keeping = (mpsc::UnboundedSender<(u32, Wish)>, JoinHandle<()>);

impl Keeper {
    fn take(&mut self, session: &Session, orders: &Orders, viewer: u32, wish: Wish) {
        let (wishes, _) = self.0.get_or_insert_with(|| {
            let (wishes, queue) = mpsc::unbounded_channel();
            (wishes, tokio::spawn(keep(session.clone(), orders.clone(), queue)))
        });
        let _ = wishes.send((viewer, wish));
    }

    /// Waits until all that was wished for is kept. Where Chromium does not get to it, it is not.
    pub async fn finish(self) {
        let Some((wishes, kept)) = self.0 else { return };
        drop(wishes);
        let stop = kept.abort_handle();
        if tokio::time::timeout(LAST, kept).await.is_err() {
            stop.abort();
        }
    }
}

async fn keep(session: Session, orders: Orders, mut wishes: mpsc::UnboundedReceiver<(u32, Wish)>) {
    while let Some((viewer, wish)) = wishes.recv().await {
        let done = match &wish {
            Wish::Bookmark { title, url } => session.bookmark(title, url, Deadline::after(PATIENCE)).await,
            Wish::NoBookmark { url } => session.remove_bookmark(url, Deadline::after(PATIENCE)).await,
            Wish::Password { origin, username, password } => {
                session.keep_password(origin, username, password, Deadline::after(PATIENCE)).await
            }
        };
        orders.then(move |engine| engine.kept(viewer, wish, done));
    }
}

/// A password that was offered.
pub(super) struct Offer {
    id: u32,
    origin: String,
    username: String,
    password: Secret,
}

impl Engine {
    /// Learns what is bookmarked in the profile, once somebody looks on.
    pub(super) fn look_for_bookmarks(&mut self) {
        // In a profile that is new there is nothing yet.
        if self.knows_bookmarks || self.session.version().is_none() || !self.session.is_profile() {
            return;
        }
        self.knows_bookmarks = true;
        let (session, orders) = (self.session.clone(), self.orders.clone());
        tokio::task::spawn_blocking(move || {
            let known = session.bookmarks();
            orders.then(move |engine| {
                engine.bookmarks.extend(known);
                engine.tell_bookmarked();
            });
        });
    }

    /// Tells whether the page in front is bookmarked, where that is something else than was told last.
    pub(super) fn tell_bookmarked(&mut self) {
        let Some(url) = self.active_tab().map(|tab| tab.url.clone()) else { return };
        let now = (url.clone(), self.bookmarks.contains(&url));
        if self.bookmarked.as_ref() == Some(&now) || (!now.1 && self.bookmarked.is_none()) {
            return;
        }
        self.tell(&ToViewer::Bookmarked { url, is: now.1 });
        self.bookmarked = Some(now);
    }

    /// A form with a password was sent: who is in control is asked.
    pub(super) fn offer(&mut self, origin: String, username: String, password: Secret) {
        let Some(holder) = self.holder.filter(|_| self.keeps() && origin.starts_with("http")) else { return };
        // A form is sent again where the password was wrong.
        self.offers.retain(|offer| offer.origin != origin || offer.username != username);
        if self.offers.len() >= MOST_OFFERS {
            self.offers.pop_front();
        }
        let id = self.number();
        self.tell_one(holder, ToViewer::PasswordOffer { id, origin: origin.clone(), username: username.clone() });
        self.offers.push_back(Offer { id, origin, username, password });
    }

    pub(super) fn answer_offer(&mut self, viewer: u32, id: u32, accept: bool) {
        let Some(at) = self.offers.iter().position(|offer| offer.id == id) else { return };
        if let Some(Offer { origin, username, password, .. }) = self.offers.remove(at)
            && accept
        {
            self.wish(viewer, Wish::Password { origin, username, password });
        }
    }

    /// Bookmarks the page in front, or takes its bookmark away.
    pub(super) fn bookmark(&mut self, viewer: u32) {
        let Some((title, url)) = self.active_tab().map(|tab| (tab.title.clone(), tab.url.clone())) else { return };
        if !url.starts_with("http") {
            return;
        }
        if !self.keeps() {
            return self.refuse(viewer, "failed", "nothing is kept of this browser, so there are no bookmarks");
        }
        // At once, so that two wishes are not the same one twice.
        let wish = if self.bookmarks.insert(url.clone()) {
            Wish::Bookmark { title, url }
        } else {
            self.bookmarks.remove(&url);
            Wish::NoBookmark { url }
        };
        self.wish(viewer, wish);
    }

    /// Whether there is a profile to keep anything in.
    pub(super) fn keeps(&self) -> bool {
        self.options.keeps && self.session.is_profile() && !self.session.is_read_only()
    }

    fn wish(&mut self, viewer: u32, wish: Wish) {
        self.keeper.take(&self.session, &self.orders, viewer, wish);
    }

    /// What came of a wish.
    fn kept(&mut self, viewer: u32, wish: Wish, done: Result<(), SessionError>) {
        let (is, url, what) = match wish {
            Wish::Bookmark { url, .. } => (true, url, "the bookmark was not kept"),
            Wish::NoBookmark { url } => (false, url, "the bookmark was not taken away"),
            Wish::Password { .. } => (false, String::new(), "the password was not kept"),
        };
        let Err(error) = done else { return self.tell_bookmarked() };
        tracing::warn!(code = error.code(), "{what}: {}", with_causes(&error));
        self.refuse(viewer, "failed", format!("{what}: {error}"));
        if is {
            self.bookmarks.remove(&url);
        } else if !url.is_empty() {
            self.bookmarks.insert(url);
        }
    }
}
