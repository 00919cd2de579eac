//! One who looks on, and steers when in control: what the socket holds of a live browser.

use tokio::sync::mpsc;

use super::engine::Order;
use super::mailbox::{LONGEST_ERROR, Sent, Shared, cut};
use super::wire::{FromViewer, ToViewer};

/// A viewer. It leaves when it is dropped.
pub struct Viewer {
    pub(super) number: u32,
    pub(super) mailbox: Shared,
    pub(super) orders: mpsc::UnboundedSender<Order>,
}

impl Viewer {
    /// Its number, as the other viewers are told it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is to be sent to it next; waits for it. None once `closed` was handed out. One caller at a time.
    pub async fn next(&self) -> Option<Sent> {
        let (sent, has_room) = self.mailbox.next().await?;
        if has_room {
            let _ = self.orders.send(Order::Room);
        }
        Some(sent)
    }

    /// Takes what it has sent. Never blocks.
    pub fn take(&self, received: FromViewer) {
        match received {
            FromViewer::Ack { frame } => {
                if self.mailbox.acknowledged(frame) {
                    let _ = self.orders.send(Order::Room);
                }
            }
            FromViewer::Ping { t, .. } => self.mailbox.post(ToViewer::Pong { t }),
            other => drop(self.orders.send(Order::From(self.number, other))),
        }
    }

    /// Tells it that what it sent was not understood.
    pub fn misunderstood(&self, message: &str) {
        let message = cut(message, LONGEST_ERROR).to_owned();
        self.mailbox.post(ToViewer::Error { code: "not_understood".to_owned(), message, picker: None });
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Left(self.number));
    }
}
