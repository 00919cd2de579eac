//! Dialogs: shown to the viewers, answered by who is in control; where nobody looks they are answered at once, as scripts have it.

use std::time::Duration;

use crate::page::{DialogEvent, OpenDialog, Page};

use super::engine::Engine;
use super::mailbox::cut;
use super::wire::{Dialog, DialogKind, ToViewer};

/// Who looked may come back so long after a connection was lost; then a dialog is answered as if nobody had looked.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is shown of a text in a dialog, in bytes.
const LONGEST: usize = 4096;

/// A dialog that is shown.
pub(super) struct Shown {
    pub message: Dialog,
    pub dialog: OpenDialog,
}

impl Engine {
    /// Has the page's dialogs shown from now on.
    pub(super) fn keep_dialogs(&self, page: &Page, tab: u32) {
        let (orders, shared) = (self.orders.clone(), self.shared.clone());
        page.keep_dialogs(Some(Box::new(move |event| match event {
            DialogEvent::Opened(dialog) => {
                let shown = shared.has_viewers();
                if shown {
                    orders.then(move |engine| engine.show_dialog(tab, dialog));
                }
                shown
            }
            DialogEvent::Closed(session) => {
                orders.then(move |engine| engine.close_dialogs(|shown| shown.dialog.session() == session));
                true
            }
        })));
    }

    fn show_dialog(&mut self, tab: u32, dialog: OpenDialog) {
        // Several sessions of one tab tell of one dialog.
        if self.dialogs.iter().any(|shown| shown.message.tab == tab) {
            return;
        }
        let kind = match dialog.kind.as_str() {
            "confirm" => DialogKind::Confirm,
            "prompt" => DialogKind::Prompt,
            "beforeunload" => DialogKind::Beforeunload,
            _ => DialogKind::Alert,
        };
        let message =
            if kind == DialogKind::Beforeunload { String::new() } else { cut(&dialog.message, LONGEST).to_owned() };
        let default = (kind == DialogKind::Prompt).then(|| cut(&dialog.default, LONGEST).to_owned());
        let message =
            Dialog { id: self.number(), kind, message, default, url: cut(&dialog.url, LONGEST).to_owned(), tab };
        self.tell(&ToViewer::Dialog(message.clone()));
        self.dialogs.push(Shown { message, dialog });
        if self.viewers.is_empty() {
            self.leave_dialogs();
        }
    }

    pub(super) fn answer_dialog(&mut self, id: u32, accept: bool, text: Option<&str>) {
        if let Some(shown) = self.dialogs.iter().find(|shown| shown.message.id == id) {
            let text = text.filter(|_| shown.message.kind == DialogKind::Prompt);
            shown.dialog.answer(accept, text);
        }
    }

    /// These were answered, by whomever, or have gone with their tab.
    pub(super) fn close_dialogs(&mut self, which: impl Fn(&Shown) -> bool) {
        let closed: Vec<Shown> = self.dialogs.extract_if(.., |shown| which(shown)).collect();
        for shown in &closed {
            self.tell(&ToViewer::DialogClosed { id: shown.message.id });
        }
    }

    /// Nobody looks any more: the dialogs are answered, unless somebody comes soon.
    pub(super) fn leave_dialogs(&self) {
        if self.dialogs.is_empty() {
            return;
        }
        let orders = self.orders.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            orders.then(|engine| {
                if engine.viewers.is_empty() {
                    engine.dialogs.iter().for_each(|shown| shown.dialog.answer_by_default());
                }
            });
        });
    }
}
