//! An engine that is kept over several inputs, on a script thread of its own or on that of a script that paused.

mod desk;
mod pause;
mod pieces;
mod shown;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use rhai::Scope;
use serde_json::Value;
use tokio::sync::{mpsc as channel, oneshot};

use super::{Host, ScriptFailure, Stop, bridge, engine, program};
use desk::Desk;
pub use pause::{KEYWORD as PAUSE, parse as parse_pause, take_over};

/// How long a dialogue that is dropped waits for its thread.
const GRACE: Duration = Duration::from_millis(200);

/// A value as the REPL shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// `()`.
    Nothing,
    /// Anything that has JSON; secrets and functions inside stand as text such as `secret("NAME")`.
    Json(Value),
    /// A picture: its bytes, PNG or JPEG.
    Picture(Vec<u8>),
    /// Other bytes: how many.
    Bytes(usize),
    /// What has no JSON: a Session, a Page, a Secret, a function; one line.
    Opaque(String),
}

/// A variable in scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The name of its type as scripts' documentation calls it: `Session`, `Page`, `Error`, `text`, `map` ...
    pub kind: String,
}

/// What one input came to.
#[derive(Debug)]
pub struct Answer {
    /// The value of its last statement that worked; nothing where one failed.
    pub value: Shown,
    /// The statements and functions that worked, as they were written.
    pub worked: Vec<String>,
    /// Why the next one failed. Not redacted yet.
    pub failed: Option<ScriptFailure>,
    /// Whether there is something of it to take back.
    pub changed: bool,
}

/// What the thread of a dialogue is asked for.
enum Request {
    Eval { text: String, ticket: Ticket, answer: oneshot::Sender<Answer> },
    Undo(oneshot::Sender<bool>),
    UndoInput(usize, oneshot::Sender<bool>),
    Variables(oneshot::Sender<Vec<Variable>>),
}

/// The handle on a dialogue. Where it is dropped, what runs is stopped and the thread ends; that of a paused script goes on.
pub struct Console {
    host: Arc<Host>,
    requests: channel::UnboundedSender<Request>,
    /// Hears when the thread has ended; none where the thread is a paused script's.
    ended: Option<mpsc::Receiver<()>>,
}

impl Console {
    /// Starts the thread. None where the system gives none.
    pub fn start(host: Arc<Host>) -> Option<Self> {
        let (requests, asked) = channel::unbounded_channel();
        let (alive, ended) = mpsc::channel::<()>();
        let inner = host.clone();
        program::start_thread(move || {
            // Goes last, after all that the variables hold.
            let _alive = alive;
            let (host, asked) = (inner, asked);
            // Timers and sockets are made on this thread before they are waited for.
            let _inside = host.runtime.enter();
            let engine = engine::runner(&host);
            let mut desk = Desk::new(&engine, &host, Scope::new(), engine.new_global_runtime_state());
            serve(&host, &mut desk, asked);
        })?;
        Some(Self { host, requests, ended: Some(ended) })
    }

    /// The world that its inputs run in.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Whether it is a paused script's.
    pub fn is_pause(&self) -> bool {
        self.ended.is_none()
    }

    /// Begins to run an input.
    /// One that is `stopped` already does nothing.
    pub fn eval(&self, text: &str, stopped: Option<Stop>) -> Asked {
        static INPUTS: AtomicU64 = AtomicU64::new(1);
        let number = INPUTS.fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket { number, stopped: Arc::default(), host: self.host.clone() };
        if let Some(reason) = stopped {
            ticket.stop(reason);
        }
        let (answer, answered) = oneshot::channel();
        // Where nobody listens any more the answer's end tells.
        let _ = self.requests.send(Request::Eval { text: text.to_owned(), ticket: ticket.clone(), answer });
        Asked { ticket, answered }
    }

    /// Takes back the last input that changed something; false where there is none.
    pub async fn undo(&self) -> bool {
        self.ask(Request::Undo).await.unwrap_or(false)
    }

    /// Takes back the input by that number, and those after it; false where it changed nothing or is too long ago.
    pub async fn undo_input(&self, number: usize) -> bool {
        self.ask(|answer| Request::UndoInput(number, answer)).await.unwrap_or(false)
    }

    /// Resolves when the thread has ended.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// The variables in scope, the newest of a name only.
    pub async fn variables(&self) -> Vec<Variable> {
        self.ask(Request::Variables).await.unwrap_or_default()
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).ok()?;
        answered.await.ok()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let Some(ended) = &self.ended else { return };
        self.host.stop.stop_for_good(Stop::Cancelled);
        // Nothing is ever sent: this ends when the other end goes, or after the grace.
        let _ = ended.recv_timeout(GRACE);
    }
}

/// An input that is being run. Where it is dropped before its answer came, the input is stopped.
pub struct Asked {
    ticket: Ticket,
    answered: oneshot::Receiver<Answer>,
}

impl Asked {
    /// Stops this input, and no other.
    pub fn stop(&self, reason: Stop) {
        self.ticket.stop(reason);
    }

    /// The answer; none where the thread has ended. May be asked again where the waiting was given up.
    pub async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answered).await.ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.stop(Stop::Cancelled);
    }
}

/// By what an input is known to those who stop it, also before its turn has come.
#[derive(Clone)]
struct Ticket {
    number: u64,
    stopped: Arc<OnceLock<Stop>>,
    host: Arc<Host>,
}

impl Ticket {
    fn stop(&self, reason: Stop) {
        // Lost on purpose where there is a reason already.
        let _ = self.stopped.set(reason.clone());
        self.host.stop.stop_input(self.number, reason);
    }

    fn begin(&self) {
        self.host.stop.begin_input(self.number);
        if let Some(reason) = self.stopped.get() {
            self.host.stop.stop_input(self.number, reason.clone());
        }
    }
}

/// Answers requests until nobody can ask any more, or all is stopped.
fn serve(host: &Arc<Host>, desk: &mut Desk<'_, '_>, mut asked: channel::UnboundedReceiver<Request>) {
    while let Ok(Some(request)) = bridge::wait(host, asked.recv()) {
        // An answer that nobody waits for any more is let go.
        match request {
            Request::Eval { text, ticket, answer } => {
                ticket.begin();
                let outcome = desk.eval(&text);
                host.stop.reset();
                let _ = answer.send(outcome);
            }
            Request::Undo(answer) => drop(answer.send(desk.undo())),
            Request::UndoInput(number, answer) => drop(answer.send(desk.undo_input(number))),
            Request::Variables(answer) => drop(answer.send(desk.variables())),
        }
    }
}
