//! From the table of functions to functions of the engine: one closure per name and number of arguments, for free calls and
//! methods alike.

mod act;
mod call;
mod emulate;
mod navigate;
mod password;
mod people;
mod read;
mod screenshot;
mod script;
mod session;
mod wait;

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString};

use super::{Host, table};
pub(super) use act::choices;
pub(crate) use call::Call;

/// What a function does once its arguments have been checked.
type Verb = fn(&Call) -> Answer;
/// Its value, or why it has none.
type Answer = Result<Dynamic, Box<EvalAltResult>>;

/// Every function that there is. A test holds this list against the table.
const VERBS: &[&[(&str, Verb)]] = &[
    session::VERBS,
    emulate::VERBS,
    navigate::VERBS,
    act::VERBS,
    wait::VERBS,
    people::VERBS,
    read::VERBS,
    screenshot::VERBS,
    script::VERBS,
];

/// The stock functions of Rhai with a type of their own in the first place, which would win over ours: for these names ours is
/// registered for that type, too.
pub(super) fn stock_types(name: &str) -> Vec<TypeId> {
    match name {
        "clear" => vec![TypeId::of::<ImmutableString>()],
        "log" => vec![TypeId::of::<INT>(), TypeId::of::<FLOAT>()],
        "sleep" => vec![TypeId::of::<INT>(), TypeId::of::<FLOAT>(), TypeId::of::<ImmutableString>()],
        _ => Vec::new(),
    }
}

/// Registers every function of the table.
pub fn register(engine: &mut Engine, host: &Arc<Host>) {
    for entry in table::docs() {
        let Some(verb) = find(entry.name) else { continue };
        let free = entry.shapes.iter().map(|shape| shape.len());
        let method = entry.shapes.iter().filter(|_| !entry.receivers.is_empty()).map(|shape| shape.len() + 1);
        for count in free.chain(method).collect::<BTreeSet<usize>>() {
            let any = vec![TypeId::of::<Dynamic>(); count];
            let exact = stock_types(entry.name).into_iter().filter(|_| count == 1).map(|kind| vec![kind]);
            for types in std::iter::once(any).chain(exact) {
                let host = host.clone();
                engine.register_raw_fn(entry.name, types, move |context, args| {
                    // Cloned and not taken: the first may be the caller's own variable.
                    let args = args.iter().map(|arg| arg.flatten_clone()).collect();
                    Call::new(&host, &context, entry, args)?.run(verb)
                });
            }
        }
    }
    session::register_properties(engine, host);
}

fn find(name: &str) -> Option<Verb> {
    VERBS.iter().copied().flatten().find(|(known, _)| *known == name).map(|(_, verb)| *verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_functions_agree() {
        for entry in table::docs() {
            assert!(find(entry.name).is_some(), "{} is documented and does not exist", entry.name);
        }
        for (name, _) in VERBS.iter().copied().flatten() {
            assert!(table::find(name).is_some(), "{name} exists and is not documented");
        }
    }
}
