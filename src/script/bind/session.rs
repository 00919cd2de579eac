//! `session`, `save`, `cookies`, and what a `Session`, a `Page` and an error have as properties.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map};

use super::{Answer, Call, Verb};
use crate::base::SessionId;
use crate::page::Page;
use crate::script::{Host, ScriptError, bridge, identity, value};
use crate::session::{Identity, Mode, Session, SessionError, SessionOptions};

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("session", session),
    ("save", save),
    ("cookies", cookies),
    ("changes", changes),
    ("history", history),
    ("fork", fork),
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
    let (identity, anew) = asked(call)?;
    let options = SessionOptions { ttl, mode, profile: options.maybe_flag("profile"), identity, anew };
    let session = call.wait(call.host.workspace.session(&id, &options))?;
    // Of a fork that stands in for a busy session, its own.
    let id = session.id().unwrap_or(&id);
    call.host.announce(id.as_str(), session.version().map(|version| version.0));
    Ok(Dynamic::from(session))
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
    let outcome = call.wait(session.save(call.deadline()))?;
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

/// The getters of the values that our functions answer; `table::PROPERTIES` documents them.
pub(super) fn register_properties(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<Session>("Session").register_type_with_name::<Page>("Page");
    engine.register_get("id", |session: &mut Session| {
        session.id().map_or(Dynamic::UNIT, |id| Dynamic::from(id.as_str().to_owned()))
    });
    engine.register_get("version", |session: &mut Session| session.version().map_or(Dynamic::UNIT, version));
    let host = host.clone();
    engine.register_get("page", move |session: &mut Session| -> Result<Page, Box<EvalAltResult>> {
        Ok(bridge::wait(&host, session.page())?.map_err(ScriptError::from)?)
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
