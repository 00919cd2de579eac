//! The arguments of a call: is there a way to call the function so, do those that are written out fit.

use rhai::{Expr, FnCallExpr, Position};

use super::calls::Found;
use super::known::{self, Known};
use super::scope::FileNames;
use super::{schema, stock};
use crate::base::{SessionId, closest};
use crate::page;
use crate::script::fields::Fields;
use crate::script::kind::{self, Kind};
use crate::script::options::{misfit, unknown};
use crate::script::pattern::Pattern;
use crate::script::table::{self, Entry, Param, Receiver};
use crate::script::{ScriptError, bind, names};

/// An argument, or the receiver that stands in front of the function.
#[derive(Clone)]
struct Given<'a> {
    known: Known,
    /// None for a receiver: it stands in front.
    written: Option<&'a Expr>,
}

/// A call, with its receiver among what it is given.
struct Call<'a> {
    name: &'a str,
    position: Position,
    given: Vec<Given<'a>>,
    method: bool,
    file: &'a FileNames,
}

/// All that is wrong with the arguments of a call of a function that the file does not define itself.
pub fn problems(call: &FnCallExpr, position: Position, receiver: Option<Known>, file: &FileNames) -> Vec<Found> {
    let method = receiver.is_some();
    let arguments = call.args.iter().map(|arg| Given { known: known::of(arg, file), written: Some(arg) });
    let receiver = receiver.map(|known| Given { known, written: None });
    let given = receiver.into_iter().chain(arguments).collect();
    let call = Call { name: &call.name, position, given, method, file };
    match table::find(call.name) {
        Some(entry) => call.ours(entry),
        None => call.stock().map(|error| (error, position)).into_iter().collect(),
    }
}

/// What a session or a page has no method for.
pub fn no_method(name: &str, receiver: &Known) -> Option<ScriptError> {
    let kind = as_receiver(receiver)?;
    let error = ScriptError::new("unknown_function", format!("{} has no method {name}", receiver.called()));
    if let Some(entry) = table::find(name) {
        return Some(error.with_hint(format!("it stands alone: {}", entry.signatures().join("  "))));
    }
    let methods = table::docs().filter(|entry| entry.receivers.contains(&kind)).map(|entry| entry.name);
    Some(match closest(name, methods) {
        Some(meant) => error.with_hint(format!("did you mean {meant}?")),
        None => error.with_hint("rhaven docs lists all functions"),
    })
}

fn as_receiver(known: &Known) -> Option<Receiver> {
    match known {
        Known::Session => Some(Receiver::Session),
        Known::Page => Some(Receiver::Page),
        _ => None,
    }
}

impl<'a> Call<'a> {
    /// A call of one of our functions.
    fn ours(&self, entry: &'static Entry) -> Vec<Found> {
        let lists = self.without_receiver(entry);
        let of_length = || {
            let pairs = lists.iter().flat_map(|list| entry.shapes.iter().map(move |shape| (*shape, *list)));
            pairs.filter(|(shape, list)| shape.len() == list.len())
        };
        let fits = |(shape, list): &(&'static [Param], &[Given])| {
            shape.iter().zip(*list).all(|(param, given)| given.known.fits(param.kind))
        };
        let ways: Vec<_> = of_length().filter(fits).collect();
        let mut problems: Vec<Vec<Found>> = Vec::new();
        for (shape, list) in &ways {
            let found = shape.iter().zip(*list).flat_map(|(param, given)| self.argument(entry, param, given));
            problems.push(found.collect());
        }
        if problems.iter().any(Vec::is_empty) || self.stock_may_take() {
            return Vec::new();
        }
        if let Some(found) = problems.into_iter().next() {
            return found;
        }
        let near: Vec<_> = of_length().collect();
        let no_method = self.given.first().filter(|_| self.method).and_then(|first| {
            let foreign = as_receiver(&first.known).is_some_and(|kind| !entry.receivers.contains(&kind));
            foreign.then(|| no_method(self.name, &first.known)).flatten()
        });
        match (no_method, near.as_slice()) {
            (Some(error), _) => vec![(error, self.position)],
            (None, [(shape, list)]) => {
                let misfits = shape.iter().zip(*list).filter(|(param, given)| !given.known.fits(param.kind));
                misfits.flat_map(|(param, given)| self.argument(entry, param, given)).collect()
            }
            (None, _) => vec![(self.wrong_arguments(entry, near.is_empty()), self.position)],
        }
    }

    /// The arguments without the receiver; twice where it is not known whether the first is one.
    fn without_receiver(&self, entry: &Entry) -> Vec<&[Given<'a>]> {
        let all = self.given.as_slice();
        let Some((first, rest)) = all.split_first() else { return vec![all] };
        match (&first.known, as_receiver(&first.known)) {
            (_, Some(kind)) if entry.receivers.contains(&kind) => vec![rest],
            (Known::Unknown, _) if !entry.receivers.is_empty() && self.method => vec![rest, all],
            (Known::Unknown, _) if !entry.receivers.is_empty() => vec![all, rest],
            _ => vec![all],
        }
    }

    /// Whether Rhai has a function of that name that would be called instead.
    fn stock_may_take(&self) -> bool {
        let given: Vec<&Known> = self.given.iter().map(|given| &given.known).collect();
        let ours = match given.as_slice() {
            [only] => only.type_id().is_some_and(|kind| bind::stock_types(self.name).contains(&kind)),
            _ => false,
        };
        let guessed = self.method && matches!(given.first(), Some(Known::Unknown));
        !ours && (stock::takes(self.name, &given) || (guessed && stock::counts(self.name).contains(&given.len())))
    }

    /// A number of arguments that no function of Rhai's of that name takes.
    fn stock(&self) -> Option<ScriptError> {
        if let Some(first) = self.given.first().filter(|first| self.method && as_receiver(&first.known).is_some()) {
            let known = names::is_keyword(self.name) || self.stock_may_take();
            return if known { None } else { no_method(self.name, &first.known) };
        }
        let counts = stock::counts(self.name);
        if counts.is_empty() || counts.contains(&self.given.len()) || names::is_keyword(self.name) {
            return None;
        }
        let counts: Vec<String> =
            counts.iter().map(|count| count.saturating_sub(usize::from(self.method)).to_string()).collect();
        Some(self.wrong_number().with_hint(format!("it takes {}", counts.join(" or "))))
    }

    fn wrong_number(&self) -> ScriptError {
        wrong_number(self.name, self.given.len() - usize::from(self.method))
    }

    fn wrong_arguments(&self, entry: &Entry, by_number: bool) -> ScriptError {
        let error = if by_number {
            self.wrong_number()
        } else {
            let given = self.given.iter().skip(usize::from(self.method)).map(|given| given.known.called());
            let message = format!("{} does not take ({})", self.name, given.collect::<Vec<_>>().join(", "));
            ScriptError::new("invalid_argument", message)
        };
        error.with_hint(format!("the ways to call it: {}", entry.signatures().join("  ")))
    }

    /// What is wrong with one argument.
    fn argument(&self, entry: &Entry, param: &Param, given: &Given<'_>) -> Vec<Found> {
        let position = given.written.map_or(self.position, Expr::position);
        let named = |fault: ScriptError| {
            let mut parts = fault.into_parts();
            // Some name the function and the field themselves.
            if !parts.message.starts_with(entry.name) {
                parts.message = format!("{}, {}: {}", entry.name, param.name, parts.message);
            }
            ScriptError::from(parts)
        };
        if let (Kind::Options, Some(Expr::Map(map, _))) = (param.kind, given.written) {
            return map.0.iter().flat_map(|(name, value)| self.option(entry, name, value)).collect();
        }
        if let Some(mut fault) = given.known.fault(param.kind) {
            if !given.known.fits(param.kind) && fault.parts().hint.is_none() {
                fault = fault.with_hint(format!("the ways to call it: {}", entry.signatures().join("  ")));
            }
            return vec![(named(fault), position)];
        }
        if let ("extract", "schema", Some(written)) = (entry.name, param.name, given.written) {
            let fault = schema::fault(written);
            return fault.map(|(error, place)| (named(error), place)).into_iter().collect();
        }
        content_fault(entry, param, &given.known).map(|fault| (named(fault), position)).into_iter().collect()
    }

    /// What is wrong with one entry of an options map.
    fn option(&self, entry: &Entry, name: &rhai::Ident, value: &Expr) -> Vec<Found> {
        let Some(option) = entry.options.iter().find(|option| option.name == name.name.as_str()) else {
            return vec![(unknown(&name.name, entry.name, entry.options), name.pos)];
        };
        let found = match (option.kind, value) {
            (Kind::Fields(fields), Expr::Map(map, position)) => self.fields(fields, &map.0, *position),
            _ => known::of(value, self.file)
                .fault(option.kind)
                .map(|fault| (fault, value.position()))
                .into_iter()
                .collect(),
        };
        found.into_iter().map(|(fault, position)| (misfit(option.name, entry.name, &fault), position)).collect()
    }

    /// What is wrong with the entries of a map that is the value of an option.
    fn fields<'m>(
        &self,
        fields: &Fields,
        map: impl IntoIterator<Item = &'m (rhai::Ident, Expr)> + Copy,
        position: Position,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        for (name, value) in map {
            match fields.find(&name.name) {
                None => found.push((fields.unknown(&name.name), name.pos)),
                Some(field) => {
                    let fault = known::of(value, self.file).fault(field.kind);
                    found.extend(fault.map(|fault| (kind::in_entry(field.name, &fault), value.position())));
                }
            }
        }
        let has = |wanted: &str| map.into_iter().any(|(name, _)| name.name == wanted);
        // Of a name that is only written wrongly enough is said.
        if found.is_empty() {
            found.extend(fields.missing(has).map(|fault| (fault, position)));
        }
        found
    }
}

/// What is wrong with a value whose kind is right.
fn content_fault(entry: &Entry, param: &Param, known: &Known) -> Option<ScriptError> {
    if let (Kind::Choice, Known::Value(value)) = (param.kind, known) {
        return bind::choices(value).err();
    }
    let text = known.text()?;
    match (entry.name, param.name) {
        ("regex", _) => Pattern::new(&text).err(),
        ("session", "id") => {
            SessionId::new(text).err().map(|error| ScriptError::new("invalid_argument", error.to_string()))
        }
        ("goto", "url") => page::check_url(&text).err().map(ScriptError::from),
        ("press", "key") => page::check_key(&text).err().map(ScriptError::from),
        _ => None,
    }
}

/// The error for a number of arguments that a function does not take.
pub fn wrong_number(name: &str, count: usize) -> ScriptError {
    let message = format!("{name} does not take {count} argument{}", if count == 1 { "" } else { "s" });
    ScriptError::new("invalid_argument", message)
}
