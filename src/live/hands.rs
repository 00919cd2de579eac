//! What people do with mouse, keys and fingers, on its way to Chromium: in the order in which it came, pipelined, on a task of its own.
//! Moves and turns of the wheel that come faster than the page takes them become one.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::browser::{Cdp, Pending};

use super::keys;
use super::rpc::{Rpc, rpc};

/// More than this unanswered, and the page does not listen: what comes is dropped.
const MOST_UNANSWERED: usize = 512;

/// How long a page may take over the clipboard before the next key goes out.
const CLIPBOARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A world of ours in a document: its session and its context.
pub(super) type World = (Cdp, i64);

/// Something to do.
pub(super) enum Act {
    /// Any command.
    Send(Cdp, &'static str, Value),
    /// The mouse moves.
    Move(Cdp, Value),
    /// The wheel turns, by so much.
    Wheel(Cdp, Value, (f64, f64)),
    /// Pastes a text; the worlds are those of the tab.
    Paste(Cdp, String, Vec<World>),
    /// Presses Control and a letter; the answer says when the page has taken it.
    Shortcut(Cdp, char, oneshot::Sender<()>),
    /// Nothing: the answer says when the page has taken what was done before.
    Settled(oneshot::Sender<()>),
}

/// Where what people do is put in.
pub(super) struct Hands(mpsc::UnboundedSender<Act>);

impl Hands {
    /// Begins the task; it ends with them.
    pub fn new() -> Self {
        let (acts, queue) = mpsc::unbounded_channel();
        tokio::spawn(work(queue));
        Self(acts)
    }

    pub fn act(&self, act: Act) {
        let _ = self.0.send(act);
    }
}

/// What moves, and waits until the last move was taken.
#[derive(Default)]
struct Motion {
    under_way: Option<BoxFuture<'static, ()>>,
    waiting: Option<Act>,
}

async fn work(mut acts: mpsc::UnboundedReceiver<Act>) {
    let mut motion = Motion::default();
    let mut unanswered: FuturesUnordered<Pending<Rpc>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = unanswered.next() => {}
            () = async { if let Some(move_) = &mut motion.under_way { move_.await } else { std::future::pending().await } } => {
                motion.under_way = None;
                motion.flush();
            }
            act = acts.recv() => {
                let Some(act) = act else { return };
                if unanswered.len() < MOST_UNANSWERED
                    && let Some(act) = motion.take(act)
                {
                    if matches!(act, Act::Paste(..) | Act::Settled(_)) {
                        // A paste goes another way than the rest: what was done before has to be taken first.
                        let taken = async { while unanswered.next().await.is_some() {} };
                        let _ = tokio::time::timeout(CLIPBOARD_TIMEOUT, taken).await;
                    }
                    unanswered.extend(perform(act).await);
                }
            }
        }
    }
}

impl Motion {
    /// Takes what moves; gives back everything else, before which what waits goes out.
    fn take(&mut self, act: Act) -> Option<Act> {
        let act = match (act, &mut self.waiting) {
            (Act::Move(cdp, to), Some(Act::Move(before, at))) if before.session_id() == cdp.session_id() => {
                *at = to;
                return None;
            }
            (Act::Wheel(cdp, to, by), Some(Act::Wheel(before, at, sum))) if before.session_id() == cdp.session_id() => {
                *at = to;
                *sum = (sum.0 + by.0, sum.1 + by.1);
                return None;
            }
            (act, _) => act,
        };
        self.flush();
        match act {
            Act::Move(..) | Act::Wheel(..) if self.under_way.is_some() => self.waiting = Some(act),
            Act::Move(..) | Act::Wheel(..) => self.go(act),
            act => return Some(act),
        }
        None
    }

    fn flush(&mut self) {
        if let Some(act) = self.waiting.take() {
            self.go(act);
        }
    }

    fn go(&mut self, act: Act) {
        let sent = match act {
            Act::Move(cdp, params) => cdp.send(rpc("Input.dispatchMouseEvent", params)),
            Act::Wheel(cdp, mut params, (x, y)) => {
                params["deltaX"] = json!(x);
                params["deltaY"] = json!(y);
                cdp.send(rpc("Input.dispatchMouseEvent", params))
            }
            _ => return,
        };
        self.under_way = Some(Box::pin(async move { drop(sent.await) }));
    }
}

async fn perform(act: Act) -> Vec<Pending<Rpc>> {
    match act {
        Act::Send(cdp, method, params) => vec![cdp.send(rpc(method, params))],
        Act::Paste(cdp, text, worlds) => paste(&cdp, &text, worlds).await,
        Act::Shortcut(cdp, letter, done) => {
            let sent = press(&cdp, letter);
            tokio::spawn(async move {
                let _ = tokio::time::timeout(CLIPBOARD_TIMEOUT, join_all(sent)).await;
                let _ = done.send(());
            });
            Vec::new()
        }
        Act::Settled(settled) => {
            let _ = settled.send(());
            Vec::new()
        }
        Act::Move(..) | Act::Wheel(..) => Vec::new(),
    }
}

fn press(cdp: &Cdp, letter: char) -> Vec<Pending<Rpc>> {
    keys::shortcut(letter).into_iter().map(|key| cdp.send(rpc("Input.dispatchKeyEvent", key))).collect()
}

/// Puts the text onto the browser's clipboard and presses Control and V, so that the page hears of a paste as of a person's; where
/// that is not to be had (a field for a password lets nothing be copied), the text goes in as if typed.
async fn paste(cdp: &Cdp, text: &str, worlds: Vec<World>) -> Vec<Pending<Rpc>> {
    if hold(text, worlds).await {
        press(cdp, 'v')
    } else {
        vec![cdp.send(rpc("Input.insertText", json!({"text": text})))]
    }
}

/// Whether the text is on the clipboard now.
async fn hold(text: &str, worlds: Vec<World>) -> bool {
    let Ok(text) = serde_json::to_string(text) else { return false };
    let expression = format!("__rhavenLive.isFocused() && __rhavenLive.hold({text})");
    let ask = |(cdp, context): World| {
        let params =
            json!({"expression": expression, "contextId": context, "returnByValue": true, "userGesture": true});
        cdp.send(rpc("Runtime.evaluate", params))
    };
    let answers = join_all(worlds.into_iter().map(ask));
    let Ok(answers) = tokio::time::timeout(CLIPBOARD_TIMEOUT, answers).await else { return false };
    answers.into_iter().flatten().any(|answer| answer["result"]["value"] == true)
}
