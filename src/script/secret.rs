//! Secrets in scripts: opaque, joined with `+`, accepted by verbs, and never turned into text.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use crate::base::Secret;

use super::{Host, ScriptError, Stop};

type Text = rhai::ImmutableString;

/// The error for a secret that was about to become visible.
pub fn exposed(secret: &Secret, how: &str) -> ScriptError {
    let name = secret.name();
    ScriptError::new("secret_exposed", format!("the secret {name:?} cannot be {how}: its value would become visible"))
        .with_hint(
            "hand the secret itself to a verb, e.g. fill(\"#password\", secret(\"NAME\")); join text to it with +",
        )
}

/// Teaches `engine` what can be done with a secret, and what cannot.
pub fn register(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<Secret>("Secret");
    engine.register_fn("+", |before: Text, secret: Secret| secret.surrounded(&before, ""));
    engine.register_fn("+", |secret: Secret, after: Text| secret.surrounded("", &after));
    engine.register_fn("+", |first: Secret, second: Secret| first.surrounded("", second.expose()));
    engine.register_fn("+=", |secret: &mut Secret, after: Text| *secret = secret.surrounded("", &after));
    refuse_assignment(engine);
    for (name, how) in [("to_string", "turned into text"), ("to_debug", "shown"), ("to_json", "turned into JSON")] {
        refuse(engine, host, name, how);
    }
    // The stock function would write the type's name for a secret inside; ours says what is wrong.
    let asked = host.clone();
    engine.register_fn(
        "to_json",
        move |context: NativeCallContext, map: rhai::Map| -> Result<String, Box<EvalAltResult>> {
            let text = super::value::to_json(&Dynamic::from_map(map)).map_err(|error| {
                let error = error.at(context.call_position());
                if error.code() == "secret_exposed" {
                    asked.stop.stop(Stop::Fatal(Box::new(error.clone())));
                }
                error
            })?;
            Ok(text.to_string())
        },
    );
}

/// Where text is asked for, Rhai itself (interpolation, `print`, arrays) passes over an error and writes the type's name. So the
/// script is stopped as well: exposing a secret is not something to catch.
fn refuse(engine: &mut Engine, host: &Arc<Host>, name: &'static str, how: &'static str) {
    let host = host.clone();
    let refuse = move |context: NativeCallContext, secret: Secret| -> Result<Text, Box<EvalAltResult>> {
        let error = exposed(&secret, how).at(context.call_position());
        host.stop.stop(Stop::Fatal(Box::new(error.clone())));
        Err(error.into())
    };
    engine.register_fn(name, refuse);
}

/// `text += secret` cannot make a secret of a variable that holds text.
fn refuse_assignment(engine: &mut Engine) {
    engine.register_fn("+=", |_: &mut Text, secret: Secret| -> Result<(), Box<EvalAltResult>> {
        Err(exposed(&secret, "appended to plain text")
            .with_hint("write text = text + secret(..): that gives a Secret")
            .into())
    });
}
