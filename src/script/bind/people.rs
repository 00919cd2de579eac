//! Sessions that a script and people share: `pause_for_human`, and what `live: true` means in `session`.

use std::sync::{Arc, PoisonError};

use rhai::{Dynamic, EvalAltResult};

use super::{Answer, Call, Verb};
use crate::base::{Deadline, SessionId, show_duration};
use crate::script::{Attach, Event, Handover, ScriptError};
use crate::session::Session;

pub(super) const VERBS: &[(&str, Verb)] = &[("pause_for_human", pause_for_human)];

fn pause_for_human(call: &Call) -> Answer {
    let handover = call.host.handover.clone().ok_or_else(|| {
        ScriptError::new("nobody_to_ask", "pause_for_human: there is nobody here whom the session could be shown to")
    })?;
    let (session, page) = (call.session()?, call.page()?);
    let reason = call.text("reason");
    let url = call.wait(handover.show(session.clone(), Some(page)))?;
    call.host.tell(Event::Pause { reason: reason.clone(), url });
    let shown = call.host.redactor.redact(&reason);
    let asked = call.wait(ask(&*handover, &session, shown, call.options().time("timeout").map(Deadline::after)));
    call.host.tell(Event::PauseOver { done: asked.is_ok() });
    if !is_shown(call, &session) {
        // Also where the script was stopped meanwhile, after which it waits for nothing.
        let hidden = call.host.runtime.spawn(async move { handover.hide(session).await });
        call.wait(async {
            let _ = hidden.await;
            Ok::<_, ScriptError>(())
        })?;
    }
    asked.map(Dynamic::from)
}

/// Waits for the person: no longer than until `deadline`, and not for a browser that has gone.
async fn ask(
    handover: &dyn Handover,
    session: &Session,
    reason: String,
    deadline: Option<Deadline>,
) -> Result<(), ScriptError> {
    let ended =
        || ScriptError::new("live_ended", "the browser ended, or its last page was closed, while a person was asked");
    let asked = async {
        tokio::select! {
            asked = handover.ask(session.clone(), reason) => asked,
            () = session.left() => Err(ended()),
        }
    };
    let Some(deadline) = deadline else { return asked.await };
    let late = || {
        let message = format!("nobody said within {} that it is done", show_duration(deadline.span()));
        ScriptError::new("human_timeout", message)
    };
    deadline.race(asked).await.unwrap_or_else(|| Err(late()))
}

/// `session(id, #{ live: true })`: the session that a live browser has open, made current. One that the run has is its own.
pub(super) fn attach(call: &Call, id: SessionId, live: bool) -> Result<Attach, Box<EvalAltResult>> {
    let workspace = &call.host.workspace;
    if let Some(session) = workspace.lent(&id) {
        workspace.adopt(&id, &session);
        return Ok(Attach::Open(session));
    }
    let handover = call.host.handover.as_ref().filter(|_| live && !workspace.has(&id));
    let Some(handover) = handover else { return Ok(Attach::Nobody(id)) };
    let attached = call.wait(handover.attach(id.clone()))?;
    if let Attach::Open(session) = &attached {
        workspace.adopt(&id, session);
        call.host.announce(session.id().unwrap_or(&id).as_str(), session.version().map(|version| version.0));
        show(call, session)?;
    }
    Ok(attached)
}

/// Shows a session until the script ends.
pub(super) fn show(call: &Call, session: &Session) -> Result<(), Box<EvalAltResult>> {
    if is_shown(call, session) {
        return Ok(());
    }
    let Some(handover): Option<&Arc<dyn Handover>> = call.host.handover.as_ref() else {
        let text = "session, live: true: there is nobody here whom it could be shown to; the script goes on".to_owned();
        call.host.tell(Event::Notice { text });
        return Ok(());
    };
    let url = call.wait(handover.show(session.clone(), None))?;
    call.host.progress.shown.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
    call.host.tell(Event::Live { session: session.id().map(|id| id.as_str().to_owned()), url });
    Ok(())
}

fn is_shown(call: &Call, session: &Session) -> bool {
    let shown = call.host.progress.shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.iter().any(|shown| shown.is_same(session))
}
