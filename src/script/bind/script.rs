//! The script itself: its input, its output, its flow.

use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult, FnPtr, ImmutableString};

use super::{Answer, Call, Verb};
use crate::script::pattern::Pattern;
use crate::script::{Event, ScriptError, Stop, bridge, kind, value};

/// The wait before a second try, unless the script says otherwise.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// No wait between tries grows beyond this.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("secret", secret),
    ("env", env),
    ("print", print),
    ("log", log),
    ("emit", emit),
    ("step", step),
    ("retry", retry),
    ("regex", regex),
    ("set_default_timeout", set_default_timeout),
    ("pause", pause),
];

fn secret(call: &Call) -> Answer {
    let name = call.text("name");
    if let Some(secret) = call.host.secret_at_hand(&name) {
        return Ok(Dynamic::from(secret));
    }
    Ok(Dynamic::from(bridge::wait(call.host, call.host.secret_of_vault(&name))??))
}

fn env(call: &Call) -> Answer {
    let name = call.text("name");
    let value = call.host.env.get(&name).cloned().map(Dynamic::from);
    let refused = || {
        ScriptError::new(
            "env_not_allowed",
            format!("the environment variable {name:?} is not set, or not open to scripts"),
        )
        .with_hint(format!("--allow-env {name} opens it to the script; args hold what --arg gives"))
    };
    Ok(value.ok_or_else(refused)?)
}

/// Answers the line: the engine hands what `print` answers to its `on_print`.
fn print(call: &Call) -> Answer {
    let value = call.arg("value").cloned().unwrap_or_default();
    call.context.call_native_fn::<ImmutableString>("to_string", (value,)).map(Dynamic::from)
}

fn log(call: &Call) -> Answer {
    let text = value::to_line(call.arg("value").unwrap_or(&Dynamic::UNIT)).map_err(|error| told(call, error))?;
    call.host.tell(Event::Log { text });
    Ok(Dynamic::UNIT)
}

fn emit(call: &Call) -> Answer {
    let value = value::to_json(call.arg("value").unwrap_or(&Dynamic::UNIT)).map_err(|error| told(call, error))?;
    call.host.emit(value).map_err(|reason| call.stop(reason))?;
    Ok(Dynamic::UNIT)
}

/// A secret that would have been told ends the script, as it does where text is made of it (`script/secret.rs`).
fn told(call: &Call, error: ScriptError) -> EvalAltResult {
    if error.code() != "secret_exposed" {
        return *Box::<EvalAltResult>::from(error);
    }
    let error = error.at(call.context.call_position());
    call.stop(Stop::Fatal(Box::new(error)))
}

fn step(call: &Call) -> Answer {
    let name = call.text("name");
    call.host.tell(Event::StepStarted { name: name.clone() });
    let started = Instant::now();
    let answer = work(call)?.call_raw(call.context, None, []);
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    call.host.tell(Event::StepEnded { name, millis, ok: answer.is_ok() });
    answer
}

fn retry(call: &Call) -> Answer {
    let work = work(call)?;
    let times = call.arg("times").and_then(|value| value.as_int().ok()).unwrap_or(1);
    let mut delay = call.options().time("delay").unwrap_or(RETRY_DELAY);
    let mut tried = 0;
    loop {
        tried += 1;
        let failed = match work.call_raw(call.context, None, []) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if tried >= times || !catchable(&failed) {
            return Err(failed);
        }
        bridge::wait(call.host, tokio::time::sleep(delay))?;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

fn regex(call: &Call) -> Answer {
    Ok(Dynamic::from(Pattern::new(&call.text("pattern"))?))
}

fn set_default_timeout(call: &Call) -> Answer {
    let span = call.arg("time").map(kind::time).transpose()?.unwrap_or_default();
    call.host.set_verb_timeout(span);
    Ok(Dynamic::UNIT)
}

/// Only reached by way of `Fn("pause")`: written out it is syntax (`console/pause.rs`).
fn pause(_: &Call) -> Answer {
    let message = "pause() has to be written out: called as a value it does not see the script's variables";
    Err(ScriptError::new("invalid_argument", message).into())
}

fn work(call: &Call) -> Result<FnPtr, ScriptError> {
    let work = call.arg("work").and_then(|value| value.clone().try_cast::<FnPtr>());
    work.ok_or_else(|| ScriptError::new("invalid_argument", "wanted a function such as || .."))
}

/// Whether a script's own `catch` would see it.
fn catchable(error: &EvalAltResult) -> bool {
    !error.is_pseudo_error() && error.unwrap_inner().is_catchable()
}
