//! `pause()`: hands a dialogue with the script's own variables to whoever is there to take it.
//!
//! It is syntax of its own and no function: functions of the engine's host do not see the variables of the script that calls
//! them.

use std::sync::Arc;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, ImmutableString, LexError, ParseError, ParseErrorType, Position,
};
use tokio::sync::mpsc as channel;

use super::desk::Desk;
use super::{Console, serve};
use crate::script::{Event, Host, bridge};

/// The word.
pub const KEYWORD: &str = "pause";

/// Reads what follows the word: nothing but parentheses.
pub fn parse(so_far: &[ImmutableString], next: &str, _: &mut Dynamic) -> Result<Option<ImmutableString>, ParseError> {
    match (so_far.len(), next) {
        (1, "()") => Ok(Some("()".into())),
        (1, "(") => Ok(Some("(".into())),
        (2, _) if so_far[1] == "(" => Ok(Some(")".into())),
        (1, _) => {
            let wanted =
                format!("{KEYWORD} is called as {KEYWORD}(), and cannot be the name of a variable or a property");
            let error = ParseErrorType::BadInput(LexError::ImproperSymbol(next.to_owned(), wanted));
            Err(ParseError(error.into(), Position::NONE))
        }
        _ => Ok(None),
    }
}

/// Where nobody takes the pause: says so.
fn passed_over(host: &Host) {
    let why = if host.stop.is_in_input() { "you are in a dialogue already" } else { "nobody is at a terminal" };
    host.tell(Event::Notice { text: format!("{KEYWORD}(): {why}; the script goes on") });
}

/// Hands the dialogue over and serves it until it is finished or dropped, or the run is stopped.
pub fn take_over(
    host: &Arc<Host>,
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
) -> Result<(), Box<EvalAltResult>> {
    let Some(take) = host.pauses.as_ref().filter(|_| !host.stop.is_in_input()) else {
        passed_over(host);
        return Ok(());
    };
    let engine: &Engine = context.engine();
    let scope = std::mem::take(context.scope_mut());
    let mut desk = Desk::new(engine, host, scope, context.global_runtime_state().clone());
    host.progress.pause(true);
    let (requests, asked) = channel::unbounded_channel();
    take(Console { host: host.clone(), requests, ended: None });
    serve(host, &mut desk, asked);
    host.progress.pause(false);
    let Desk { scope, global, .. } = desk;
    *context.scope_mut() = scope;
    // Closures that were made in the pause are found by their names in the script's own functions.
    let of_script = context.global_runtime_state_mut();
    if let (Some(first), Some(learned)) = (of_script.lib.first_mut(), global.lib.first()) {
        *first = learned.clone();
    }
    if host.stop.reason().is_some() { Err(bridge::terminated(host).into()) } else { Ok(()) }
}
