//! Tabs that scripts do not see: hidden ones, in which storage is put in place and read, and guests, in which a guard looks.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use crate::browser::Target;
use crate::page::Page;

use super::tabs::Tabs;

/// The hidden pages in one browser, by id, and the frames in them, by address: not the user's. Clones share them.
#[derive(Clone)]
pub(super) struct HiddenIds {
    ids: Arc<Mutex<HashSet<String>>>,
    /// Whether they are to be in no window.
    unseen: bool,
}

impl HiddenIds {
    /// `unseen` where tabs will not do: people see a browser's windows, and a profile remembers where its tabs have been.
    pub(super) fn new(unseen: bool) -> Self {
        Self { ids: Arc::default(), unseen }
    }

    /// Whether they are to be in no window.
    pub(super) fn are_unseen(&self) -> bool {
        self.unseen
    }

    pub(super) fn add(&self, id: &str) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    pub(super) fn remove(&self, id: &str) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether a document is one of a hidden page: its main frame's, or one below that, which no site knows the address of.
    pub(super) fn contains(&self, frame: &str, url: &str) -> bool {
        let all = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(frame) || all.contains(url)
    }
}

/// A tab that scripts do not see. Closed when it goes.
pub(super) struct HiddenTab {
    target: Target,
    tabs: Tabs,
    /// Addresses of frames in it.
    frames: Vec<String>,
}

impl HiddenTab {
    /// Of a freshly made tab.
    pub(super) fn new(target: Target, tabs: Tabs) -> Self {
        tabs.hidden().add(target.id().inner());
        Self { target, tabs, frames: Vec::new() }
    }

    /// Announces the addresses that its frames are going to have, in place of those of before.
    pub(super) fn expect(&mut self, urls: &[String]) {
        let hidden = self.tabs.hidden();
        for gone in std::mem::replace(&mut self.frames, urls.to_vec()) {
            hidden.remove(&gone);
        }
        for url in urls {
            hidden.add(url);
        }
    }
}

impl Deref for HiddenTab {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Drop for HiddenTab {
    fn drop(&mut self) {
        self.tabs.shut(&self.target);
        self.tabs.hidden().remove(self.target.id().inner());
        for url in &self.frames {
            self.tabs.hidden().remove(url);
        }
    }
}

/// A page that scripts do not see. Closed when it goes.
pub(super) struct Guest {
    page: Page,
    _tab: GuestTab,
}

/// The tab of a [`Guest`], which goes even where it never becomes a page.
pub(super) struct GuestTab {
    target: Target,
    tabs: Tabs,
}

impl GuestTab {
    /// Of a freshly made tab.
    pub(super) fn new(target: Target, tabs: Tabs) -> Self {
        Self { target, tabs }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Its page, once it is set up.
    pub(super) fn with(self, page: Page) -> Guest {
        Guest { page, _tab: self }
    }
}

impl Deref for Guest {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

impl Drop for GuestTab {
    fn drop(&mut self) {
        self.tabs.shut(&self.target);
        self.tabs.forget_guest(self.target.id().inner());
    }
}
