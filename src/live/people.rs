//! Viewers as they come and go, who of them is in control, and what they say.

use super::LiveOptions;
use super::engine::{Engine, Watcher};
use super::mailbox;
use super::wire::{FromViewer, MOST_TEXT_BYTES, Role, ToViewer, VERSION};

/// Who comes is told no more icons than these at once: who is told more than fits waiting is taken for slow.
const MOST_ICONS: usize = 64;

impl Engine {
    pub(super) fn joined(&mut self, number: u32, watcher: Watcher) {
        let (role, mailbox) = (watcher.role, watcher.mailbox.clone());
        self.post_state(number, role, &mailbox);
        if let Some((count, picture)) = self.cast.last() {
            mailbox.show(*count, picture);
        }
        self.viewers.insert(number, watcher);
        if self.holder.is_none() && role == Role::Control && self.options.control_at_once {
            self.holder = Some(number);
        }
        self.tell_control();
        self.sync_cast();
        self.look_for_bookmarks();
    }

    /// Everything that one who has been there would know.
    fn post_state(&self, number: u32, role: Role, mailbox: &mailbox::Shared) {
        let LiveOptions { width, height, fps, kiosk, hide_cursor, .. } = self.options;
        let (version, viewer) = (VERSION, number);
        let keeps_nothing = !self.keeps();
        mailbox.post(ToViewer::Hello { version, viewer, role, width, height, fps, kiosk, hide_cursor, keeps_nothing });
        mailbox.post(self.tabs_message());
        self.icon_messages().take(MOST_ICONS).for_each(|message| mailbox.post(message));
        mailbox.post(ToViewer::Cursor { cursor: self.cursor.clone() });
        // None too: a page that comes back has what was there before.
        mailbox.post(ToViewer::Caret { at: self.caret.clone() });
        self.dialogs.iter().for_each(|shown| mailbox.post(ToViewer::Dialog(shown.message.clone())));
        if let Some(open) = &self.picker {
            mailbox.post(ToViewer::Picker(open.message.clone()));
        }
        if let Some((url, is)) = self.bookmarked.clone() {
            mailbox.post(ToViewer::Bookmarked { url, is });
        }
        self.downloads.messages().for_each(|message| mailbox.post(message));
        self.warning.iter().cloned().chain(self.pause_message()).for_each(|message| mailbox.post(message));
    }

    pub(super) fn left(&mut self, number: u32) {
        if self.viewers.remove(&number).is_none() {
            return;
        }
        self.shared.went(number);
        if self.holder == Some(number) {
            self.holder = None;
            self.let_go();
        }
        self.tell_control();
        self.sync_cast();
        self.pump();
        if self.viewers.is_empty() {
            self.leave_dialogs();
        }
    }

    pub(super) fn set_role(&mut self, number: u32, role: Role) {
        let Some(viewer) = self.viewers.get_mut(&number) else { return };
        viewer.role = role;
        self.shared.came(number, role);
        if role == Role::View && self.holder == Some(number) {
            self.holder = None;
            self.let_go();
        }
        self.tell_control();
    }

    fn tell_control(&self) {
        let viewers = u32::try_from(self.viewers.len()).unwrap_or(u32::MAX);
        for (number, viewer) in &self.viewers {
            let yours = self.holder == Some(*number);
            viewer.mailbox.post(ToViewer::Control { holder: self.holder, viewers, yours, role: viewer.role });
        }
    }

    pub(super) fn said(&mut self, number: u32, message: FromViewer) {
        let Some(viewer) = self.viewers.get(&number) else { return };
        match message {
            FromViewer::Visible { visible } => {
                viewer.mailbox.set_hidden(!visible);
                if let (true, Some((count, picture))) = (visible, self.cast.last()) {
                    viewer.mailbox.show(*count, picture);
                }
                self.sync_cast();
                self.pump();
            }
            FromViewer::TakeControl {} if viewer.role == Role::Control => {
                if self.holder != Some(number) {
                    self.let_go();
                }
                self.holder = Some(number);
                self.tell_control();
            }
            FromViewer::ReleaseControl {} => {
                if self.holder == Some(number) {
                    self.holder = None;
                    self.let_go();
                    self.tell_control();
                }
            }
            // It steers nothing: who could take control may say so without having it.
            FromViewer::Done {} if viewer.role == Role::Control => {
                self.somebody_did();
                self.done();
            }
            // Done at the mailbox already.
            FromViewer::Ack { .. } | FromViewer::Ping { .. } => {}
            _ if self.holder != Some(number) => {
                self.refuse(number, "not_in_control", "you are not in control; take control first");
            }
            message if text_of(&message).is_some_and(|text| text.len() > MOST_TEXT_BYTES) => {
                self.refuse(number, "too_large", format!("that is more than {MOST_TEXT_BYTES} bytes of text"));
            }
            message => {
                self.somebody_did();
                self.steer(number, message);
            }
        }
    }
}

fn text_of(message: &FromViewer) -> Option<&str> {
    match message {
        FromViewer::Text { text } | FromViewer::Paste { text } | FromViewer::Ime { text, .. } => Some(text),
        FromViewer::Navigate { url, .. } | FromViewer::TabNew { url: Some(url) } => Some(url),
        FromViewer::DialogAnswer { text, .. } => text.as_deref(),
        FromViewer::Key(key) => key.text.as_deref(),
        _ => None,
    }
}
