//! Rhai's own functions: how many arguments each takes, and of which types.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rhai::{Dynamic, ImmutableString};

use super::known::Known;
use crate::script::{Limits, engine};

/// By name, the types of the parameters of each.
static FUNCTIONS: LazyLock<BTreeMap<String, Vec<Vec<TypeId>>>> = LazyLock::new(|| {
    let engine = engine::reader(&Limits::default());
    let read = |info: rhai::FuncInfo| {
        Some((info.metadata.name.to_string(), info.metadata.num_params, info.metadata.param_types.to_vec()))
    };
    let mut functions: BTreeMap<String, Vec<Vec<TypeId>>> = BTreeMap::new();
    for (name, count, mut types) in engine.collect_fn_metadata(None, read, true) {
        types.resize(count, TypeId::of::<Dynamic>());
        functions.entry(name).or_default().push(types);
    }
    functions
});

/// Whether one of them may take these arguments, the receiver among them.
pub fn takes(name: &str, arguments: &[&Known]) -> bool {
    let of_name = FUNCTIONS.get(name).map_or(&[][..], Vec::as_slice);
    of_name.iter().any(|types| {
        types.len() == arguments.len() && types.iter().zip(arguments).all(|(wanted, given)| may_be(*wanted, given))
    })
}

/// The numbers of arguments that functions of that name take; none where there is no such function, or it is one that the
/// engine treats in a way of its own.
pub fn counts(name: &str) -> BTreeSet<usize> {
    FUNCTIONS.get(name).map(|all| all.iter().map(Vec::len).collect()).unwrap_or_default()
}

fn may_be(wanted: TypeId, given: &Known) -> bool {
    let texts = [TypeId::of::<ImmutableString>(), TypeId::of::<String>(), TypeId::of::<&'static str>()];
    match given.type_id() {
        None => true,
        Some(_) if wanted == TypeId::of::<Dynamic>() => true,
        Some(given) => given == wanted || (texts.contains(&given) && texts.contains(&wanted)),
    }
}
