//! A script that has been read and checked, and its run on a thread of its own.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, Scope, Stmt};
use serde_json::Value;

use super::failure::{self, ScriptFailure};
use super::{Host, Stop, bridge, check, engine, table, value};
use crate::base::SessionId;
use crate::session::SessionOptions;

/// The stack of a script's thread: enough for the deepest nesting that the limits allow, in debug builds too. Memory is only
/// taken for what is used.
const STACK_BYTES: usize = 64 << 20;

/// How long a run that is dropped waits for its script's thread.
const GRACE: Duration = Duration::from_millis(200);

/// A checked script.
#[derive(Debug)]
pub struct Program(AST);

impl Program {
    /// Reads and checks a script. Reads its modules from the disk; does not start anything.
    pub fn read(source: &check::Source<'_>) -> Result<Self, Vec<check::Problem>> {
        let (ast, problems) = check::read(source);
        match ast {
            Some(ast) if problems.is_empty() => Ok(Self(ast)),
            _ => Err(problems),
        }
    }

    /// Whether it may need a browser at all: it calls a verb, opens a session, or imports something that may.
    pub fn needs_browser(&self) -> bool {
        let mut needs = false;
        self.0.walk(&mut |path: &[ASTNode]| {
            needs |= match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                    | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => {
                    table::find(&call.name).is_some_and(|entry| entry.name == "session" || !entry.receivers.is_empty())
                }
                // A pause is one: what is said in it may do anything.
                Some(ASTNode::Stmt(Stmt::Import(..)) | ASTNode::Expr(Expr::Custom(..))) => true,
                _ => false,
            };
            !needs
        });
        needs
    }

    /// Runs it on a thread of its own; `session` is opened first. Answers the value of the last expression. Where this future is
    /// dropped, the script is stopped.
    pub async fn run(self, host: Arc<Host>, session: Option<SessionId>) -> Result<Value, ScriptFailure> {
        let (alive, ended) = mpsc::channel::<()>();
        let _stop = StopOnDrop { host: host.clone(), ended };
        let answer = on_thread(move || {
            // Goes last, after all that the script holds.
            let _alive = alive;
            let (program, host) = (self, host);
            execute(&program.0, &host, session.as_ref())
        });
        answer.await.unwrap_or_else(|| Err(thread_lost()))
    }
}

/// Stops the script of a run that is given up, and gives its thread the moment that it needs to let go of the browser before
/// the process may end.
struct StopOnDrop {
    host: Arc<Host>,
    ended: mpsc::Receiver<()>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.host.stop.stop_for_good(Stop::Cancelled);
        // Nothing is ever sent: this ends when the other end goes, or after the grace.
        let _ = self.ended.recv_timeout(GRACE);
    }
}

/// Runs `work` on a thread with a stack that suits scripts; none where there is no thread or it died.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    start_thread(move || {
        // Nobody waits any more where the run was dropped.
        let _ = answer.send(work());
    })?;
    answered.await.ok()
}

/// Starts a thread with a stack that suits scripts; none where the system gives none.
pub fn start_thread(body: impl FnOnce() + Send + 'static) -> Option<()> {
    let started = std::thread::Builder::new().name("script".into()).stack_size(STACK_BYTES).spawn(body);
    started.ok().map(drop)
}

fn execute(ast: &AST, host: &Arc<Host>, session: Option<&SessionId>) -> Result<Value, ScriptFailure> {
    // Timers and sockets are made on this thread before they are waited for.
    let _inside = host.runtime.enter();
    let engine = engine::runner(host);
    let value = open(host, session).and_then(|()| evaluate(&engine, ast));
    let value = value.map_err(|error| failure::read(*error, host))?;
    let failed = |error: super::ScriptError| ScriptFailure { error, place: None, stack: Vec::new() };
    // A secret that became text in the very last expression has stopped the script after its end.
    if let Some(reason) = host.stop.reason() {
        return Err(ScriptFailure::stopped(reason));
    }
    value::to_json(&value).map_err(failed)
}

fn open(host: &Arc<Host>, session: Option<&SessionId>) -> Result<(), Box<rhai::EvalAltResult>> {
    let Some(id) = session else { return Ok(()) };
    let opened = bridge::wait(host, host.workspace.session(id, &SessionOptions::default()))?;
    let opened = opened.map_err(super::ScriptError::from)?;
    host.announce(id.as_str(), opened.version().map(|version| version.0));
    host.tell_notices();
    Ok(())
}

fn evaluate(engine: &Engine, ast: &AST) -> Result<Dynamic, Box<rhai::EvalAltResult>> {
    engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), ast)
}

/// The thread could not be started, or it died: a bug below, told as what it is.
fn thread_lost() -> ScriptFailure {
    let error = super::ScriptError::new("internal_error", "the script's thread could not run to its end");
    ScriptFailure { error, place: None, stack: Vec::new() }
}
