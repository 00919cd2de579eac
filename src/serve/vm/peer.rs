//! The other side of a WebSocket, which is let go once nothing comes from it any more and it takes nothing. A link that breaks without a
//! word would else count as somebody who is there, for ever.
//!
//! People's pages are asked for a sign of life now and then. Programs are not: some read nothing but text, and one that stands at a
//! breakpoint answers nothing. Where their link breaks the system notices (`server`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::http::Extensions;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Interval, MissedTickBehavior, timeout};
use tokio_tungstenite::tungstenite;

use super::super::moved::Moved;

/// How long whoever is connected may take to hear of the end.
pub(super) const READING: Duration = Duration::from_secs(2);

/// The other side of a socket.
pub(super) struct Peer {
    moved: Moved,
    patience: Duration,
    is_asked: bool,
    is_sent_to: AtomicBool,
}

impl Peer {
    /// A person's page, of the request that becomes the socket; it is let go once nothing has come for `patience`, to be looked for in
    /// `gone`, and is to be asked at each `beat`.
    pub(super) fn person(extensions: &Extensions, patience: Duration) -> Self {
        Self::of(extensions, patience, true)
    }

    /// A program, which may be silent: it is let go where it takes nothing of what it is sent for `patience`.
    pub(super) fn program(extensions: &Extensions, patience: Duration) -> Self {
        Self::of(extensions, patience, false)
    }

    fn of(extensions: &Extensions, patience: Duration, is_asked: bool) -> Self {
        let moved = extensions.get::<Moved>().cloned().unwrap_or_default();
        Self { moved, patience, is_asked, is_sent_to: AtomicBool::new(false) }
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

    /// Ends the connection: tells it why, where there is something to tell, and waits a moment for its last word. May wait as [`Self::send`].
    pub(super) async fn close(
        &self,
        mut sink: SplitSink<WebSocket, Message>,
        mut stream: SplitStream<WebSocket>,
        last: Option<Last>,
    ) {
        if let Some((code, reason)) = last
            && !self.send(&mut sink, closing(code, reason)).await
        {
            return;
        }
        let ends = async {
            let _ = sink.close().await;
            while stream.next().await.is_some_and(|came| came.is_ok()) {}
            if last.is_some_and(|(code, _)| code == close_code::SIZE) {
                // A connection that is dropped with something unread in it takes back what was said last.
                std::future::pending::<()>().await;
            }
        };
        let _ = timeout(READING, ends).await;
    }

    /// Resolves once nothing has come from it for so long, not a part of a message and no answer to a beat. While it is sent something
    /// large over a slow link its answer has to wait behind that: then what it takes counts, too.
    pub(super) async fn gone(&self) {
        let (mut seen, mut since) = (self.signs(), Instant::now());
        loop {
            tokio::time::sleep(self.patience / 6).await;
            let now = self.signs();
            if now.is_none() || now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= self.patience {
                return;
            }
        }
    }

    /// What tells that it is there; none where its silence tells nothing.
    fn signs(&self) -> Option<(u64, Option<u64>)> {
        let is_sent_to = self.is_sent_to.load(Ordering::Relaxed);
        let went = is_sent_to.then(|| self.moved.went());
        (self.is_asked || is_sent_to).then(|| (self.moved.came(), went))
    }
}

/// Why nothing more comes: a code, one of RFC 6455's or of ours from 4000 on, and a reason.
pub(super) type Last = (u16, &'static str);

/// The last message to it.
pub(super) fn closing(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() }))
}

/// What it is told where nothing can be read from it any more: one of its messages was larger than it may be. None where it is gone.
pub(super) fn unreadable(error: axum::Error) -> Option<Last> {
    let error = error.into_inner();
    let is_too_large = matches!(error.downcast_ref(), Some(tungstenite::Error::Capacity(_)));
    is_too_large.then_some((close_code::SIZE, "the message is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_may_be_silent_and_has_to_take_what_it_is_sent() {
        let (patience, request) = (Duration::from_millis(30), Extensions::new());
        let (program, person) = (Peer::program(&request, patience), Peer::person(&request, patience));
        let who = tokio::select! {
            biased;
            () = program.gone() => "the program",
            () = person.gone() => "the person",
        };
        assert_eq!(who, "the person");
        program.is_sent_to.store(true, Ordering::Relaxed);
        program.gone().await;
    }
}
