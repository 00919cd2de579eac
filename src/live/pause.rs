//! A script that waits for a person.

use tokio::sync::oneshot;

use super::engine::{Engine, Orders};
use super::folder::random_name;
use super::hands::Act;
use super::wire::ToViewer;

/// How a pause ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// Somebody said that it is done.
    Done,
    /// The live browser has ended.
    Ended,
}

/// Waits for a person. Dropped, it is taken back.
pub struct Pause {
    name: String,
    done: oneshot::Receiver<()>,
    orders: Orders,
}

/// A pause as the engine has it.
pub(super) struct Waiting {
    name: String,
    reason: String,
    done: oneshot::Sender<()>,
}

pub(super) fn begin(reason: &str, orders: Orders) -> (Pause, Waiting) {
    let (done, answer) = oneshot::channel();
    let name = random_name();
    (Pause { name: name.clone(), done: answer, orders }, Waiting { name, reason: reason.to_owned(), done })
}

impl Pause {
    /// Waits until somebody says that it is done.
    pub async fn done(mut self) -> Paused {
        match (&mut self.done).await {
            Ok(()) => Paused::Done,
            Err(_) => Paused::Ended,
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        self.orders.then(move |engine| engine.unpause(&name));
    }
}

impl Engine {
    /// Shows what is waited for; one after the other where there are several.
    pub(super) fn pause(&mut self, waiting: Waiting) {
        if waiting.done.is_closed() {
            return;
        }
        self.pauses.push_back(waiting);
        if self.pauses.len() == 1 {
            self.show_pause();
        }
    }

    pub(super) fn pause_message(&self) -> Option<ToViewer> {
        self.pauses.front().map(|waiting| ToViewer::Pause { reason: waiting.reason.clone() })
    }

    fn show_pause(&self) {
        self.tell(&self.pause_message().unwrap_or(ToViewer::PauseOver {}));
    }

    fn unpause(&mut self, name: &str) {
        let shown = self.pauses.front().is_some_and(|waiting| waiting.name == name);
        self.pauses.retain(|waiting| waiting.name != name);
        if shown {
            self.show_pause();
        }
    }

    /// A person says that it is done.
    pub(super) fn done(&mut self) {
        if let Some(waiting) = self.pauses.pop_front() {
            let (settled, taken) = oneshot::channel();
            self.hands.act(Act::Settled(settled));
            tokio::spawn(async move {
                // What the person did last is done before the script goes on.
                let _ = taken.await;
                let _ = waiting.done.send(());
            });
            self.show_pause();
        }
    }

    pub(super) fn set_warning(&mut self, warning: Option<ToViewer>) {
        if let Some(warning) = &warning {
            self.tell(warning);
        } else if self.warning.is_some() {
            self.tell(&ToViewer::WarningOver {});
        }
        self.warning = warning;
    }
}
