//! Calls: is there such a function, do its literal arguments fit.

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Position, Stmt};

use super::habits;
use super::scope::{FileNames, Module};
use crate::base::{SessionId, closest};
use crate::page::Schema;
use crate::script::ScriptError;
use crate::script::host::secret_not_set;
use crate::script::kind::Kind;
use crate::script::options::{misfit, unknown};
use crate::script::table::{self, Entry, Param};
use crate::script::{names, pattern::Pattern};

type Found = (ScriptError, Position);

/// All that is wrong with the calls of a file.
pub fn problems(ast: &AST, file: &FileNames, has_secret: &dyn Fn(&str) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let (call, position, method) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => {
                (call, *position, false)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => (call, *position, true),
            _ => return true,
        };
        if !call.is_operator_call() {
            found.extend(name_problem(call, method, file).map(|error| (error, position)));
            if !call.is_qualified() && !file.functions().contains(call.name.as_str()) {
                found.extend(argument_problems(call, position, method));
                found.extend(secret_problem(call, has_secret).map(|error| (error, position)));
            }
        }
        true
    });
    found.sort_by_key(|(_, position)| (position.line(), position.position()));
    found
}

/// A name that nothing defines.
fn name_problem(call: &FnCallExpr, method: bool, file: &FileNames) -> Option<ScriptError> {
    let name = call.name.as_str();
    if call.is_qualified() {
        return qualified_problem(call, file);
    }
    // Names of the engine's own making (operators, getters) hold signs that no script can write.
    let written = name.chars().all(|char| char.is_alphanumeric() || char == '_');
    // A method may also be a closure in a map.
    let known = file.defines(name) || table::find(name).is_some() || !written || names::is_stock(name);
    if known {
        return None;
    }
    let what = if method { "method" } else { "function" };
    let error = ScriptError::new("unknown_function", format!("there is no {what} {name}"));
    if let Some(hint) = habits::later(name) {
        return Some(error.with_hint(hint));
    }
    Some(match names::nearest(name, file.functions().iter().map(String::as_str)) {
        Some(meant) => error.with_hint(format!("did you mean {meant}?")),
        None => error.with_hint("rhaven docs lists all functions"),
    })
}

/// `login::ensrue(..)`.
fn qualified_problem(call: &FnCallExpr, file: &FileNames) -> Option<ScriptError> {
    let [alias] = call.namespace.path.as_slice() else { return None };
    let (alias, name) = (alias.name.as_str(), call.name.as_str());
    let Some(module) = file.module(alias) else {
        return Some(no_module(alias, name, file));
    };
    let Module::Read(functions) = module else { return None };
    if functions.contains(name) {
        return None;
    }
    let error = ScriptError::new("unknown_function", format!("the module {alias} has no function {name}"));
    let listed = functions.iter().map(String::as_str).filter(|name| !name.starts_with("anon$"));
    let listed = listed.collect::<Vec<_>>();
    Some(match closest(name, listed.iter().copied()) {
        Some(meant) => error.with_hint(format!("did you mean {alias}::{meant}?")),
        None => error.with_hint(format!("it has {}", listed.join(", "))),
    })
}

/// The error for `alias::name` where nothing is imported as `alias`.
pub fn no_module(alias: &str, name: &str, file: &FileNames) -> ScriptError {
    let error = ScriptError::new("unknown_module", format!("no module is imported as {alias}"));
    match closest(alias, file.aliases()) {
        Some(meant) => error.with_hint(format!("did you mean {meant}::{name}?")),
        None => error.with_hint(format!("import \"..\" as {alias};")),
    }
}

/// Wrong literals among the arguments of one of our functions, or a number of them that it does not take.
fn argument_problems(call: &FnCallExpr, position: Position, method: bool) -> Vec<Found> {
    let name = call.name.as_str();
    let Some(entry) = table::find(name) else { return Vec::new() };
    let args: Vec<&Expr> = call.args.iter().collect();
    let Some(shape) = likely_shape(entry, &args) else {
        // The receiver counts where it stands in front (`"#a".click()`) or first (`click(session, "#a")`).
        let count = args.len();
        let counts = |wanted: usize| entry.shapes.iter().any(|shape| shape.len() == wanted);
        let as_method = method && counts(count + 1);
        let with_receiver = !method && !entry.receivers.is_empty() && count > 0 && counts(count - 1);
        if counts(count) || as_method || with_receiver || names::is_stock(name) {
            return Vec::new();
        }
        let message = format!("{name} does not take {count} argument{}", if count == 1 { "" } else { "s" });
        let hint = format!("the ways to call it: {}", entry.signatures().join("  "));
        return vec![(ScriptError::new("invalid_argument", message).with_hint(hint), position)];
    };
    shape.iter().zip(args).flat_map(|(param, arg)| argument_problem(entry, param, arg)).collect()
}

/// The shape with this many parameters; where there are several, the one that the literals fit.
fn likely_shape(entry: &'static Entry, args: &[&Expr]) -> Option<&'static [Param]> {
    let fits = |shape: &&&'static [Param]| {
        shape.len() == args.len()
            && shape.iter().zip(args).all(|(param, arg)| match literal(arg) {
                Some(value) => param.kind.takes(&value),
                None if matches!(arg, Expr::Map(..)) => matches!(param.kind, Kind::Options | Kind::Any | Kind::Choice),
                None => true,
            })
    };
    let mut fitting = entry.shapes.iter().filter(fits);
    let first = fitting.next().copied();
    first.or_else(|| {
        let mut same_length = entry.shapes.iter().filter(|shape| shape.len() == args.len());
        let only = same_length.next()?;
        (same_length.next().is_none() && entry.receivers.is_empty()).then_some(*only)
    })
}

fn argument_problem(entry: &Entry, param: &Param, arg: &Expr) -> Vec<Found> {
    if param.kind == Kind::Options {
        return option_problems(entry, arg);
    }
    let Some(value) = literal(arg) else { return Vec::new() };
    let fault = param.kind.fault(&value).or_else(|| match (entry.name, param.name) {
        ("regex", _) => Pattern::new(&crate::script::kind::text(&value)).err(),
        ("session", "id") => SessionId::new(crate::script::kind::text(&value)).err().map(|error| invalid(&error)),
        // A list or text has an `extract` of its own in Rhai, which takes numbers.
        ("extract", "schema") if !value.is_int() => {
            let schema = crate::script::value::to_json(&value).ok()?;
            Schema::parse(&schema).err().map(ScriptError::from)
        }
        _ => None,
    });
    let name = |fault: ScriptError| {
        let mut parts = fault.into_parts();
        parts.message = format!("{}, {}: {}", entry.name, param.name, parts.message);
        ScriptError::from(parts)
    };
    fault.map(|fault| (name(fault), arg.position())).into_iter().collect()
}

fn invalid(error: &dyn std::fmt::Display) -> ScriptError {
    ScriptError::new("invalid_argument", error.to_string())
}

/// Unknown names and wrong literals in an options map that stands in the call.
fn option_problems(entry: &Entry, arg: &Expr) -> Vec<Found> {
    let Expr::Map(map, _) = arg else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in &map.0 {
        let Some(option) = entry.options.iter().find(|option| option.name == name.name.as_str()) else {
            found.push((unknown(&name.name, entry.name, entry.options), name.pos));
            continue;
        };
        let fault = literal(value).and_then(|value| option.kind.fault(&value));
        found.extend(fault.map(|fault| (misfit(option.name, entry.name, &fault), value.position())));
    }
    found
}

/// `secret("X")` where X is not set.
fn secret_problem(call: &FnCallExpr, has_secret: &dyn Fn(&str) -> bool) -> Option<ScriptError> {
    let ("secret", [Expr::StringConstant(name, _)]) = (call.name.as_str(), call.args.as_slice()) else { return None };
    (!has_secret(name)).then(|| secret_not_set(name))
}

/// The value of an expression that is written out.
fn literal(expression: &Expr) -> Option<Dynamic> {
    match expression {
        // Negative numbers are calls; they are left to the run.
        Expr::FnCall(..) => None,
        other => other.get_literal_value(None),
    }
}
