//! What people want kept beyond the session's own state: bookmarks and passwords. Gathered here; storing them is for whoever holds the
//! live browser.

use crate::base::Secret;

use super::engine::Engine;
use super::wire::ToViewer;

/// Offers that nobody answers make room for new ones.
const MOST_OFFERS: usize = 8;

/// Something to keep.
#[derive(Debug, Clone)]
pub enum Keepsake {
    /// A page is to be bookmarked.
    Bookmark {
        /// Its title.
        title: String,
        /// Its address.
        url: String,
    },
    /// A page is to be bookmarked no more.
    NoBookmark {
        /// Its address.
        url: String,
    },
    /// A password that was sent with a form, and that a person wants kept.
    Password {
        /// The site.
        origin: String,
        /// Where the form was sent.
        action: String,
        /// The user's name there; may be empty.
        username: String,
        /// The password.
        password: Secret,
    },
}

/// A password that was offered.
pub(super) struct Offer {
    id: u32,
    origin: String,
    action: String,
    username: String,
    password: Secret,
}

impl Engine {
    /// A form with a password was sent: who is in control is asked.
    pub(super) fn offer(&mut self, origin: String, action: String, username: String, password: Secret) {
        let Some(holder) = self.holder.filter(|_| origin.starts_with("http")) else { return };
        // A form is sent again where the password was wrong.
        self.offers.retain(|offer| offer.origin != origin || offer.username != username);
        if self.offers.len() >= MOST_OFFERS {
            self.offers.pop_front();
        }
        let id = self.number();
        self.tell_one(holder, ToViewer::PasswordOffer { id, origin: origin.clone(), username: username.clone() });
        self.offers.push_back(Offer { id, origin, action, username, password });
    }

    pub(super) fn answer_offer(&mut self, id: u32, accept: bool) {
        let Some(at) = self.offers.iter().position(|offer| offer.id == id) else { return };
        if let Some(Offer { origin, action, username, password, .. }) = self.offers.remove(at)
            && accept
        {
            self.shared.keep(Keepsake::Password { origin, action, username, password });
        }
    }

    /// Bookmarks the page in front, or takes its bookmark away.
    pub(super) fn bookmark(&mut self) {
        let Some((title, url)) = self.active_tab().map(|tab| (tab.title.clone(), tab.url.clone())) else { return };
        if !url.starts_with("http") {
            return;
        }
        let is = !self.bookmarks.contains(&url);
        if is {
            self.bookmarks.push(url.clone());
            self.shared.keep(Keepsake::Bookmark { title, url: url.clone() });
        } else {
            self.bookmarks.retain(|known| *known != url);
            self.shared.keep(Keepsake::NoBookmark { url: url.clone() });
        }
        self.tell(&ToViewer::Bookmarked { url, is });
    }
}
