//! What callers hold of the router: a CDP session, the answer to a command, subscriptions to events.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use chromiumoxide::types::{Command, MethodType};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::lenient::decode;
use super::router::{Answer, Router, Session};
use super::{BrowserError, Missed, confined};

/// One CDP session (the browser's own, a page's, an out-of-process frame's, a worker's). Cheap to clone.
#[derive(Clone)]
pub struct Cdp {
    pub(super) router: Arc<Router>,
    pub(super) session: Arc<Session>,
}

impl Cdp {
    /// Puts the command on the wire now, in the order of the calls; the answer comes with the returned future. Dropping
    /// the future does not take the command back.
    pub fn send<C: Command>(&self, command: C) -> Pending<C> {
        let method = command.identifier();
        if let Some(error) = confined::refused(self.router.egress.as_ref(), &method, &command) {
            let (refused, answer) = oneshot::channel();
            let _ = refused.send(Err(error));
            return Pending { method, answer, command: PhantomData };
        }
        self.send_unasked(command)
    }

    /// [`Self::send`], also where the address in it is not of the web: for addresses that stand in our own code.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "commands are made to be sent; a reference at each call is noise"
    )]
    pub(super) fn send_unasked<C: Command>(&self, command: C) -> Pending<C> {
        let method = command.identifier();
        let answer = self.router.send(&self.session, &method, &command);
        Pending { method, answer, command: PhantomData }
    }

    /// [`Self::send`] and wait.
    pub async fn call<C: Command>(&self, command: C) -> Result<C::Response, BrowserError> {
        self.send(command).await
    }

    /// Events of this session from now on, decoded; ones that do not decode are passed over with a trace line.
    pub fn events<E: MethodType + DeserializeOwned>(&self) -> Events<E> {
        Events { raw: RawEvents { queue: self.session.subscribe(vec![E::method_id()]) }, event: PhantomData }
    }

    /// Events of this session with one of these methods from now on, in the order in which Chromium sent them, not
    /// decoded. An empty list means all.
    pub fn raw_events(&self, methods: &[&'static str]) -> RawEvents {
        RawEvents { queue: self.session.subscribe(methods.iter().map(|method| Cow::Borrowed(*method)).collect()) }
    }

    /// Why a navigation to `url` that was begun after `since` has failed as `net_error` says, where the way out knows.
    pub fn missed(&self, url: &str, net_error: &str, since: Instant) -> Option<Missed> {
        let way = self.session.way().or(self.router.egress.as_ref()).or(self.router.proxy.as_ref());
        way?.missed(url, net_error, since)
    }

    /// Chromium's session id; empty for the browser's own.
    pub fn session_id(&self) -> &str {
        self.session.id()
    }
}

impl fmt::Debug for Cdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cdp({:?})", self.session_id())
    }
}

/// The answer to a command that has been sent.
#[must_use = "the command is sent, but whether it worked is known only from its answer"]
pub struct Pending<C: Command> {
    method: Cow<'static, str>,
    answer: oneshot::Receiver<Answer>,
    command: PhantomData<fn() -> C>,
}

impl<C: Command> Pending<C> {
    /// Lets the command run without looking at its answer.
    pub fn forget(self) {}
}

impl<C: Command> Future for Pending<C> {
    type Output = Result<C::Response, BrowserError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        let method = || self.method.clone().into_owned();
        Poll::Ready(match answer {
            Ok(Ok(result)) => decode(&result)
                .map_err(|reason| BrowserError::Protocol { method: method(), reason: reason.to_string() }),
            Ok(Err(BrowserError::Cdp { code, message, .. })) => {
                Err(BrowserError::Cdp { method: method(), code, message })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BrowserError::Gone("its connection was dropped".to_owned())),
        })
    }
}

/// A subscription to one kind of event.
pub struct Events<E> {
    raw: RawEvents,
    event: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned> Events<E> {
    /// The next event; none when the CDP session or the browser has ended.
    pub async fn next(&mut self) -> Option<E> {
        loop {
            let event = self.raw.next().await?;
            if let Some(event) = event.decode_or_trace() {
                return Some(event);
            }
        }
    }

    /// An event that has come already; none where nothing waits. Events that Chromium sent before the answer to a command
    /// are here once that answer is.
    pub fn try_next(&mut self) -> Option<E> {
        std::iter::from_fn(|| self.raw.try_next()).find_map(|event| event.decode_or_trace())
    }
}

/// An event as it came.
#[derive(Clone)]
pub struct RawEvent {
    /// Its method, e.g. `Page.frameNavigated`.
    pub method: Arc<str>,
    /// Its parameters.
    pub params: Arc<RawValue>,
}

impl RawEvent {
    /// The parameters as `E`; none where they do not decode.
    pub fn decode<E: DeserializeOwned>(&self) -> Option<E> {
        decode(&self.params).ok()
    }

    fn decode_or_trace<E: DeserializeOwned>(&self) -> Option<E> {
        let event = self.decode();
        if event.is_none() {
            tracing::trace!(method = &*self.method, "an event that does not decode was passed over");
        }
        event
    }
}

impl fmt::Debug for RawEvent {
    /// The method only: parameters carry what users type and what sites set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawEvent({})", self.method)
    }
}

/// A subscription to several kinds of events in their common order.
pub struct RawEvents {
    queue: mpsc::UnboundedReceiver<RawEvent>,
}

impl RawEvents {
    /// The next event; none when the CDP session or the browser has ended.
    pub async fn next(&mut self) -> Option<RawEvent> {
        self.queue.recv().await
    }

    /// An event that has come already; none where nothing waits.
    pub fn try_next(&mut self) -> Option<RawEvent> {
        self.queue.try_recv().ok()
    }
}
