//! `session`, `save`, `cookies`, and what a `Session`, a `Page` and an error have as properties.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map};

use super::wait::url_pattern;
use super::{Answer, Call, Verb, people};
use crate::base::{Deadline, SessionId, Version};
use crate::page::Page;
use crate::script::options::Options;
use crate::script::{Attach, Event, Host, ScriptError, bridge, cookies, identity, value};
use crate::session::{
    Admission, GivenState, Guard, Identity, Mode, Partial, Session, SessionError, SessionOptions, SessionOutcome,
    StorageState,
};

/// How many of the things that a format has no place for are named.
const LOST_NAMED: usize = 20;

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("session", session),
    ("save", save),
    ("cookies", cookies),
    ("changes", changes),
    ("history", history),
    ("fork", fork),
    ("rollback", rollback),
    ("delete", delete),
    ("close", close),
    ("add_cookies", add_cookies),
    ("clear_cookies", clear_cookies),
    ("storage_state", storage_state),
    ("set_storage_state", set_storage_state),
];

fn session(call: &Call) -> Answer {
    let id = SessionId::new(call.text("id")).map_err(|error| ScriptError::from(SessionError::from(error)))?;
    let options = call.options();
    let never = options.text("ttl").is_some_and(|ttl| ttl == "never");
    let ttl = if never { Some(None) } else { options.time("ttl").map(Some) };
    let mode = match options.text("mode").as_deref() {
        Some("wait") => Mode::Wait(call.timeout()),
        Some("read_only") => Mode::ReadOnly,
        Some("fork") => Mode::Fork,
        _ => Mode::Fail,
    };
    let guard = options.fields("check").as_ref().map(guard);
    let live = options.flag("live");
    let id = match people::attach(call, id, live)? {
        Attach::Open(session) => return Ok(Dynamic::from(session)),
        Attach::Nobody(id) => id,
    };
    let (identity, anew) = asked(call)?;
    let profile = options.maybe_flag("profile");
    let asked = SessionOptions { ttl, mode, profile, identity, anew, through: None, guard };
    let session = call.wait(call.host.workspace.session(&id, &asked))?;
    // Not where it is open already: its pages are where the script has put them.
    let with_tabs = options.flag("tabs") && session.is_untouched();
    // Of a fork that stands in for a busy session, its own.
    let own = session.id().unwrap_or(&id);
    call.host.announce(own.as_str(), session.version().map(|version| version.0));
    let login = options.value("login").and_then(|value| value.clone().try_cast::<FnPtr>());
    match (call.wait(call.host.workspace.admit(&session, login.is_some()))?, login) {
        (Admission::SignIn(signing_in), Some(login)) => {
            sign_in(call, &login, &session.latest())?;
            // It may have opened another meanwhile.
            call.wait(call.host.workspace.session(own, &SessionOptions::default()))?;
            call.wait(signing_in.done())?;
        }
        (Admission::SignIn(_) | Admission::Admitted, _) => {}
    }
    let session = session.latest();
    if with_tabs {
        call.wait(session.reopen_tabs(Deadline::after(call.timeout())))?;
    }
    if live {
        people::show(call, &session)?;
    }
    Ok(Dynamic::from(session))
}

/// Calls the script's function with the session, or without, if it takes nothing.
fn sign_in(call: &Call, login: &FnPtr, session: &Session) -> Result<(), Box<EvalAltResult>> {
    let Err(failed) = login.call_raw(call.context, None, [Dynamic::from(session.clone())]) else { return Ok(()) };
    let is_another = |failed: &EvalAltResult| {
        let EvalAltResult::ErrorFunctionNotFound(signature, _) = failed else { return false };
        signature.split(' ').next() == Some(login.fn_name())
    };
    if !is_another(&failed) {
        return Err(failed);
    }
    match login.call_raw(call.context, None, []) {
        Ok(_) => Ok(()),
        Err(failed) if is_another(&failed) => {
            let message = "session, option \"login\": wanted a function with one parameter: |s| { .. }";
            Err(ScriptError::new("invalid_option", message).into())
        }
        Err(failed) => Err(failed),
    }
}

/// `check`; the table has seen to it that it is complete.
fn guard(given: &Options) -> Guard {
    let selector = |name| given.selectors(name).into_iter().next();
    let guard = Guard::at(given.text("url").unwrap_or_default());
    Guard {
        visible: selector("visible"),
        hidden: selector("hidden"),
        ends_at: given.value("ends_at").map(url_pattern),
        status: given.count("status").and_then(|status| u16::try_from(status).ok()),
        timeout: given.time("timeout").unwrap_or(guard.timeout),
        ..guard
    }
}

/// What the session is to tell sites, and whether what it told before does not count.
fn asked(call: &Call) -> Result<(Identity, bool), Box<EvalAltResult>> {
    let (base, anew) = match identity::given(call.options())? {
        identity::Given::Map(identity) => (*identity, false),
        identity::Given::Named(name) => (call.wait(call.host.workspace.identity(&name))?, false),
        identity::Given::Browser => (Identity::default(), true),
    };
    Ok((identity::of(call.options())?.over(&base), anew))
}

fn save(call: &Call) -> Answer {
    let session = call.session()?;
    // A throw-away session keeps nothing: there is no outcome.
    saved(call.wait(session.save(call.deadline()))?)
}

fn saved(outcome: Option<SessionOutcome>) -> Answer {
    let mut answer = Map::new();
    answer.insert("version".into(), outcome.as_ref().and_then(|saved| saved.version).map_or(Dynamic::UNIT, version));
    answer.insert("updated".into(), outcome.as_ref().is_some_and(|saved| saved.updated).into());
    answer.insert("changes".into(), as_json(&outcome.map(|saved| saved.changes).unwrap_or_default())?);
    Ok(answer.into())
}

fn cookies(call: &Call) -> Answer {
    let session = call.session()?;
    let url = call.arg("url").map(|_| call.text("url"));
    let cookies = call.wait_until(call.deadline(), session.cookies(url.as_deref(), call.deadline()))?;
    let cookies = cookies.into_iter().map(|cookie| value::from_json(cookie.into()));
    Ok(Dynamic::from_array(cookies.collect()))
}

fn changes(call: &Call) -> Answer {
    let session = call.session()?;
    let changes = call.wait_until(call.deadline(), session.changes(call.deadline()))?;
    Ok(as_json(&changes.unwrap_or_default())?)
}

fn history(call: &Call) -> Answer {
    let session = call.session()?;
    let versions = call.wait_until(call.deadline(), session.history())?;
    Ok(as_json(&versions.unwrap_or_default())?)
}

fn fork(call: &Call) -> Answer {
    let session = call.session()?;
    let new_id = SessionId::new(call.text("new_id")).map_err(|error| ScriptError::from(SessionError::from(error)))?;
    Ok(call.wait(session.fork(&new_id, call.deadline()))?.into())
}

fn rollback(call: &Call) -> Answer {
    let session = call.session()?;
    let to = call.arg("version").and_then(|value| value.as_int().ok()).and_then(|to| u64::try_from(to).ok());
    let done = call.wait(call.host.workspace.roll_back(&session, Version(to.unwrap_or_default())))?;
    // Nobody can sign in here: what it went back to is signed in, or is said not to be.
    if let Admission::SignIn(_) = call.wait(call.host.workspace.admit(&session, false))? {}
    Ok(as_json(&done)?)
}

fn delete(call: &Call) -> Answer {
    let session = call.session()?;
    call.wait(call.host.workspace.delete(&session)).map(Dynamic::from)
}

fn close(call: &Call) -> Answer {
    let session = call.session()?;
    let closed = call.wait(call.host.workspace.close(&session, call.deadline()))?;
    // Of a profile session, whose browser had ended by then.
    if let Some((code, message)) = closed.as_ref().and_then(|outcome| outcome.save_error.clone()) {
        return Err(ScriptError::new(code, message).into());
    }
    saved(closed)
}

fn add_cookies(call: &Call) -> Answer {
    let session = call.session()?;
    let given = call.arg("cookies").map(cookies::read).transpose()?.unwrap_or_default();
    call.wait_until(call.deadline(), session.add_cookies(&given)).map(Dynamic::from)
}

fn clear_cookies(call: &Call) -> Answer {
    let session = call.session()?;
    call.wait_until(call.deadline(), session.clear_cookies()).map(Dynamic::from)
}

fn storage_state(call: &Call) -> Answer {
    let session = call.session()?;
    let StorageState { state, lost } = call.wait_until(call.deadline(), session.storage_state(call.deadline()))?;
    tell_lost(call, "storage_state() does not hold", &lost);
    Ok(value::from_json(state))
}

fn set_storage_state(call: &Call) -> Answer {
    let session = call.session()?;
    let given = match call.arg("state") {
        Some(text) if text.is_string() => GivenState::parse(&call.text("state")),
        Some(map) => GivenState::parse(&cookies::state(map)?.to_string()),
        None => GivenState::parse("{}"),
    };
    let given = given.map_err(ScriptError::from)?;
    let lost = call.wait_until(call.deadline(), session.set_storage_state(&given, call.deadline()))?;
    tell_lost(call, "set_storage_state(..) leaves out", &lost);
    Ok(Dynamic::UNIT)
}

/// What a format has no place for, by name.
fn tell_lost(call: &Call, what: &str, lost: &[Partial]) {
    if lost.is_empty() {
        return;
    }
    let name = |lost: &Partial| {
        let Partial { origin, store, key, reason } = lost;
        let key = key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
        format!("{store}{key} of {origin} ({reason})")
    };
    let named = lost.iter().take(LOST_NAMED).map(name).collect::<Vec<_>>().join(", ");
    let more = lost.len().saturating_sub(LOST_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    call.host.tell(Event::Notice { text: format!("{what}: {named}{more}") });
}

/// The getters of the values that our functions answer; `table::PROPERTIES` documents them.
pub(super) fn register_properties(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<Session>("Session").register_type_with_name::<Page>("Page");
    engine.register_get("id", |session: &mut Session| {
        session.id().map_or(Dynamic::UNIT, |id| Dynamic::from(id.as_str().to_owned()))
    });
    engine.register_get("version", |session: &mut Session| session.latest().version().map_or(Dynamic::UNIT, version));
    let host = host.clone();
    engine.register_get("page", move |session: &mut Session| -> Result<Page, Box<EvalAltResult>> {
        Ok(bridge::wait(&host, session.latest().page())?.map_err(ScriptError::from)?)
    });
    engine.register_type_with_name::<ScriptError>("Error");
    engine.register_get("code", |error: &mut ScriptError| error.code().to_owned());
    engine.register_get("message", |error: &mut ScriptError| error.parts().message.clone());
    engine.register_get("log", |error: &mut ScriptError| -> rhai::Array {
        error.parts().log.iter().cloned().map(Dynamic::from).collect()
    });
    engine.register_fn("to_string", |error: &mut ScriptError| error.to_string());
    engine.register_fn("to_debug", |error: &mut ScriptError| error.to_string());
}

fn version(version: crate::base::Version) -> Dynamic {
    i64::try_from(version.0).map_or(Dynamic::UNIT, Dynamic::from)
}

fn as_json(value: &impl serde::Serialize) -> Result<Dynamic, ScriptError> {
    let value = serde_json::to_value(value).map_err(|error| ScriptError::new("not_json", error.to_string()))?;
    Ok(value::from_json(value))
}
