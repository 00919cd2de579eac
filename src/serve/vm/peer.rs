//! The other side of a WebSocket: it is asked for a sign of life now and then, and let go once nothing comes from it any more and it takes
//! nothing. A link that breaks without a word would else count as somebody who is there, for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use axum::http::Extensions;
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::time::{Interval, MissedTickBehavior};

use super::super::moved::Moved;

/// How long whoever is connected may take to hear of the end.
pub(super) const READING: Duration = Duration::from_secs(2);

/// The other side of a socket.
pub(super) struct Peer {
    moved: Moved,
    patience: Duration,
    is_sent_to: AtomicBool,
}

impl Peer {
    /// Of the request that becomes the socket; it is let go once nothing has come for `patience`, to be looked for in `gone`.
    pub(super) fn of(extensions: &Extensions, patience: Duration) -> Self {
        let moved = extensions.get::<Moved>().cloned().unwrap_or_default();
        Self { moved, patience, is_sent_to: AtomicBool::new(false) }
    }

    /// When it is to be asked for a sign of life.
    pub(super) fn beat(&self) -> Interval {
        let every = self.patience / 3;
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat
    }

    /// Sends it something; whether that went out. May wait for as long as it takes nothing: to be raced with [`Self::gone`].
    pub(super) async fn send(&self, sink: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
        self.is_sent_to.store(true, Ordering::Relaxed);
        let sent = sink.send(message).await;
        self.is_sent_to.store(false, Ordering::Relaxed);
        sent.is_ok()
    }

    /// Resolves once nothing has come from it for so long, not a part of a message and no answer to a beat. While it is sent something
    /// large over a slow link its answer has to wait behind that: then what it takes counts, too.
    pub(super) async fn gone(&self) {
        let (mut seen, mut since) = (self.signs(), Instant::now());
        loop {
            tokio::time::sleep(self.patience / 6).await;
            let now = self.signs();
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= self.patience {
                return;
            }
        }
    }

    fn signs(&self) -> (u64, Option<u64>) {
        let is_sent_to = self.is_sent_to.load(Ordering::Relaxed);
        (self.moved.came(), is_sent_to.then(|| self.moved.went()))
    }
}
