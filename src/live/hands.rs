//! What people do with mouse, keys and fingers, on its way to Chromium: in the order in which it came, pipelined, on a task of its own.
//! Moves and turns of the wheel that come faster than the page takes them become one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::browser::{Cdp, Pending};

use super::held::{Held, lets_go};
use super::keys;
use super::rpc::{Rpc, rpc};

/// More than this unanswered, and the page does not listen: what comes is dropped.
const MOST_UNANSWERED: usize = 512;

/// More bytes than these do not wait to be done, since a page that hangs is waited for; what comes then is dropped.
const MOST_WAITING: usize = 8 << 20;

/// What lets go of something is let in when nothing else is.
const SPARE: usize = 1 << 20;

/// How long a page may take over the clipboard before the next key goes out.
const CLIPBOARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A world of ours in a document: its session and its context.
pub(super) type World = (Cdp, i64);

/// Something to do.
pub(super) enum Act {
    /// Any command.
    Send(Cdp, &'static str, Value),
    /// The mouse moves, by this command.
    Move(Cdp, &'static str, Value),
    /// The wheel turns, by so much.
    Wheel(Cdp, Value, (f64, f64)),
    /// Pastes a text; the worlds are those of the tab.
    Paste(Cdp, String, Vec<World>),
    /// Presses Control and a letter; the answer says when the page has taken it.
    Shortcut(Cdp, char, oneshot::Sender<()>),
    /// Nothing: the answer says when the page has taken what was done before.
    Settled(oneshot::Sender<()>),
    /// Lets go of all that is held down.
    LetGo,
}

impl Act {
    /// Whose it is; none where it is no session's.
    fn session(&self) -> Option<&str> {
        match self {
            Self::Send(cdp, ..)
            | Self::Move(cdp, ..)
            | Self::Wheel(cdp, ..)
            | Self::Paste(cdp, ..)
            | Self::Shortcut(cdp, ..) => Some(cdp.session_id()),
            Self::Settled(_) | Self::LetGo => None,
        }
    }

    /// About how many bytes it has.
    fn weight(&self) -> usize {
        256 + match self {
            Self::Send(_, _, params) | Self::Move(_, _, params) => size(params),
            Self::Paste(_, text, worlds) => text.len() + 100 * worlds.len(),
            _ => 0,
        }
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(size).sum(),
        Value::Object(all) => all.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 8,
    }
}

/// Where what people do is put in.
pub(super) struct Hands {
    acts: mpsc::UnboundedSender<(Act, usize)>,
    waiting: Arc<AtomicUsize>,
}

impl Hands {
    /// Begins the task; it ends with them.
    pub fn new() -> Self {
        let (acts, queue) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        tokio::spawn(work(queue, waiting.clone()));
        Self { acts, waiting }
    }

    pub fn act(&self, act: Act) {
        let weight = act.weight();
        let is_spared = match &act {
            Act::Send(_, method, params) => lets_go(method, params),
            act => matches!(act, Act::LetGo),
        };
        let most = if is_spared { MOST_WAITING + SPARE } else { MOST_WAITING };
        // Only the engine puts in.
        if self.waiting.load(Ordering::Relaxed) + weight <= most {
            self.waiting.fetch_add(weight, Ordering::Relaxed);
            let _ = self.acts.send((act, weight));
        }
    }
}

/// What moves, and waits until the last move was taken.
#[derive(Default)]
struct Motion {
    /// Whose it is, and whether something is dragged.
    of: (String, bool),
    under_way: Option<BoxFuture<'static, ()>>,
    waiting: Option<Act>,
}

/// What was sent and not answered, as its session; each tab for itself, since one that hangs answers nothing.
#[derive(Default)]
struct Unanswered {
    all: FuturesUnordered<BoxFuture<'static, String>>,
    of: HashMap<String, usize>,
}

impl Unanswered {
    fn count(&self, session: Option<&str>) -> usize {
        session.map_or(self.all.len(), |session| self.of.get(session).copied().unwrap_or(0))
    }

    fn add(&mut self, session: &str, sent: Pending<Rpc>) {
        *self.of.entry(session.to_owned()).or_default() += 1;
        let session = session.to_owned();
        self.all.push(Box::pin(async move {
            drop(sent.await);
            session
        }));
    }

    /// The next answer; none where nothing is waited for.
    async fn next(&mut self) -> Option<()> {
        let session = self.all.next().await?;
        if let Some(count) = self.of.get_mut(&session) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&session);
            }
        }
        Some(())
    }

    /// Waits until all of a session is answered, or all there is.
    async fn taken(&mut self, session: Option<&str>) {
        while self.count(session) > 0 && self.next().await.is_some() {}
    }
}

async fn work(mut acts: mpsc::UnboundedReceiver<(Act, usize)>, waiting: Arc<AtomicUsize>) {
    let (mut motion, mut unanswered, mut held) = (Motion::default(), Unanswered::default(), Held::default());
    loop {
        tokio::select! {
            biased;
            Some(()) = unanswered.next() => {}
            () = async { if let Some(move_) = &mut motion.under_way { move_.await } else { std::future::pending().await } } => {
                motion.under_way = None;
                motion.flush();
            }
            act = acts.recv() => {
                let Some((act, weight)) = act else { return };
                take(act, &mut motion, &mut unanswered, &mut held).await;
                waiting.fetch_sub(weight, Ordering::Relaxed);
            }
        }
    }
}

async fn take(act: Act, motion: &mut Motion, unanswered: &mut Unanswered, held: &mut Held) {
    if matches!(act, Act::LetGo) {
        motion.flush();
        return held.let_go();
    }
    let session = act.session().map(str::to_owned);
    let is_full = session.is_some() && unanswered.count(session.as_deref()) >= MOST_UNANSWERED;
    let was_held = match &act {
        Act::Send(cdp, method, params) if !is_full || held.has(cdp, method, params) => held.note(cdp, method, params),
        Act::Move(cdp, _, params) => {
            held.moved(cdp, params);
            false
        }
        _ => false,
    };
    if is_full && !was_held {
        return;
    }
    let Some(act) = motion.take(act) else { return };
    if matches!(act, Act::Paste(..) | Act::Settled(_)) {
        // A paste goes another way than the rest: what was done before has to be taken first.
        let _ = tokio::time::timeout(CLIPBOARD_TIMEOUT, unanswered.taken(session.as_deref())).await;
    }
    for sent in perform(act).await {
        unanswered.add(session.as_deref().unwrap_or_default(), sent);
    }
}

impl Motion {
    /// Takes what moves; gives back everything else, before which what waits goes out.
    fn take(&mut self, act: Act) -> Option<Act> {
        if let Act::Move(cdp, ..) | Act::Wheel(cdp, ..) = &act {
            let is_drag = matches!(act, Act::Move(_, "Input.dispatchDragEvent", _));
            if (self.of.0.as_str(), self.of.1) != (cdp.session_id(), is_drag) {
                // Another tab has nothing to do with what the one before takes or does not, nor a drag with what began it.
                self.flush();
                self.under_way = None;
                self.of = (cdp.session_id().to_owned(), is_drag);
            }
        }
        let act = match (act, &mut self.waiting) {
            (Act::Move(_, _, to), Some(Act::Move(_, _, at))) => {
                *at = to;
                return None;
            }
            (Act::Wheel(_, to, by), Some(Act::Wheel(_, at, sum))) => {
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
            Act::Move(cdp, method, params) => cdp.send(rpc(method, params)),
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
        Act::Move(..) | Act::Wheel(..) | Act::LetGo => Vec::new(),
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
