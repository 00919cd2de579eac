//! Calls and names: is there such a function, method, property or constant.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::known::{Chains, Known};
use super::scope::{FileNames, Imported, Module};
use super::{Source, arguments, habits};
use crate::base::closest;
use crate::script::error::no_identity;
use crate::script::host::secret_not_set;
use crate::script::identity::BROWSER;
use crate::script::table::{self, PROPERTIES};
use crate::script::{ScriptError, names};

/// Something wrong, and where.
pub type Found = (ScriptError, Position);

/// All that is wrong with the calls of a file, and with the constants of modules that it reads.
pub fn problems(ast: &AST, file: &FileNames, source: &Source<'_>) -> Vec<Found> {
    let chains = Chains::of(ast, file);
    let mut found: Vec<Found> = chains.properties.iter().filter_map(property_problem).collect();
    ast.walk(&mut |path: &[ASTNode]| {
        let (call, position, receiver) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => {
                (call, *position, None)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => (call, *position, Some(chains.receiver(call))),
            Some(ASTNode::Expr(Expr::Variable(variable, _, position))) => {
                if let [alias] = variable.2.path.as_slice() {
                    found.extend(constant_problem(&alias.name, &variable.1, file).map(|error| (error, *position)));
                }
                return true;
            }
            _ => return true,
        };
        if call.is_qualified() {
            found.extend(qualified_problem(call, file).map(|error| (error, position)));
        } else if !call.is_operator_call() {
            match name_problem(call, receiver.as_ref(), file) {
                Some(error) => found.push((error, position)),
                None => found.extend(call_problems(call, position, receiver, file, source)),
            }
        }
        true
    });
    found
}

/// A name that nothing defines.
fn name_problem(call: &FnCallExpr, receiver: Option<&Known>, file: &FileNames) -> Option<ScriptError> {
    let name = call.name.as_str();
    // Names of the engine's own making (operators, getters) hold signs that no script can write.
    let written = name.chars().all(|char| char.is_alphanumeric() || char == '_');
    // A method may also be a closure in a map.
    let known = file.defines(name) || table::find(name).is_some() || !written || names::is_stock(name);
    if known {
        return None;
    }
    if let Some(hint) = habits::later(name) {
        let what = if receiver.is_some() { "method" } else { "function" };
        return Some(ScriptError::new("unknown_function", format!("there is no {what} {name}")).with_hint(hint));
    }
    if let Some(error) = receiver.and_then(|receiver| arguments::no_method(name, receiver)) {
        return Some(error);
    }
    let what = if receiver.is_some() { "method" } else { "function" };
    let error = ScriptError::new("unknown_function", format!("there is no {what} {name}"));
    Some(match names::nearest(name, file.functions().keys().map(String::as_str)) {
        Some(meant) => error.with_hint(format!("did you mean {meant}?")),
        None => error.with_hint("rhaven docs lists all functions"),
    })
}

/// What is wrong with a call of a function that there is.
fn call_problems(
    call: &FnCallExpr,
    position: Position,
    receiver: Option<Known>,
    file: &FileNames,
    source: &Source<'_>,
) -> Vec<Found> {
    let name = call.name.as_str();
    let own = file.functions().get(name);
    let fits = own.is_some_and(|all| all.iter().any(|params| params.len() == call.args.len()));
    if fits || file.may_be_closure(name, receiver.is_some()) {
        return Vec::new();
    }
    // Where the script's own do not fit, Rhai looks on among all others.
    if let (Some(own), None, false) = (own, table::find(name), names::is_stock(name)) {
        let hint = format!("the ways to call it: {}", signatures("", name, own));
        return vec![(arguments::wrong_number(name, call.args.len()).with_hint(hint), position)];
    }
    let mut found = arguments::problems(call, position, receiver, file);
    found.extend(secret_problem(call, source).map(|error| (error, position)));
    found.extend(identity_problem(call, source));
    found
}

/// `greet(a)  greet(a, b)`.
fn signatures(prefix: &str, name: &str, functions: &[Vec<String>]) -> String {
    let mut ways: Vec<&Vec<String>> = functions.iter().collect();
    ways.sort_by_key(|params| params.len());
    let ways: Vec<String> = ways.iter().map(|params| format!("{prefix}{name}({})", params.join(", "))).collect();
    ways.join("  ")
}

/// `login::ensrue(..)`, `login::ensure()`.
fn qualified_problem(call: &FnCallExpr, file: &FileNames) -> Option<ScriptError> {
    let [alias] = call.namespace.path.as_slice() else { return None };
    let (alias, name) = (alias.name.as_str(), call.name.as_str());
    let Some(module) = file.module(alias) else {
        return Some(no_module(alias, name, file.aliases()));
    };
    let Module::Read(Imported { functions, exports, .. }) = module else { return None };
    if exports.contains(name) {
        return None;
    }
    if let Some(own) = functions.get(name) {
        let fits = own.iter().any(|params| params.len() == call.args.len());
        let hint = format!("the ways to call it: {}", signatures(&format!("{alias}::"), name, own));
        let error = || arguments::wrong_number(&format!("{alias}::{name}"), call.args.len());
        return (!fits).then(|| error().with_hint(hint));
    }
    Some(not_in_module(alias, name, functions.keys().map(String::as_str)))
}

/// The error for `alias::name` where the module has no such function.
pub fn not_in_module<'a>(alias: &str, name: &str, functions: impl Iterator<Item = &'a str>) -> ScriptError {
    let error = ScriptError::new("unknown_function", format!("the module {alias} has no function {name}"));
    // Closures have names that nobody gave them.
    let there: Vec<&str> = functions.filter(|name| !name.starts_with("anon$")).collect();
    error.with_hint(meant(alias, name, &there))
}

/// `config::BSAE`, or a constant that the module keeps to itself.
fn constant_problem(alias: &str, name: &str, file: &FileNames) -> Option<ScriptError> {
    let Some(Module::Read(module)) = file.module(alias) else { return None };
    if module.exports.contains(name) {
        return None;
    }
    let error = ScriptError::new("unknown_variable", format!("the module {alias} exports no variable {name}"));
    Some(if module.variables.contains(name) {
        error.with_hint(format!("write export const {name} = ..; in the module"))
    } else if module.functions.contains_key(name) {
        error.with_hint(format!("{name} is a function: {alias}::{name}(..)"))
    } else {
        error.with_hint(meant(alias, name, &module.exports.iter().map(String::as_str).collect::<Vec<_>>()))
    })
}

fn meant(alias: &str, name: &str, there: &[&str]) -> String {
    match closest(name, there.iter().copied()) {
        Some(meant) => format!("did you mean {alias}::{meant}?"),
        None if there.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", there.join(", ")),
    }
}

/// `session("a").titel`.
fn property_problem((name, position, of): &(String, Position, Known)) -> Option<Found> {
    let kind = match of {
        Known::Session => "Session",
        Known::Page => "Page",
        _ => return None,
    };
    let known = || PROPERTIES.iter().filter(|property| property.of == kind).map(|property| property.name);
    if known().any(|property| property == name) {
        return None;
    }
    let error = ScriptError::new("unknown_property", format!("{} has no property {name}", of.called()));
    let methods = || table::docs().filter(|entry| !entry.receivers.is_empty()).map(|entry| entry.name);
    let hint = match closest(name, known().chain(methods())) {
        Some(near) if table::find(near).is_some() => format!("{near} is a function: .{near}(..)"),
        Some(near) => format!("did you mean {near}?"),
        None => "rhaven docs lists all functions".to_owned(),
    };
    Some((error.with_hint(hint), *position))
}

/// The error for `alias::name` where nothing is imported as `alias`.
pub fn no_module<'a>(alias: &str, name: &str, aliases: impl Iterator<Item = &'a str>) -> ScriptError {
    let error = ScriptError::new("unknown_module", format!("no module is imported as {alias}"));
    match closest(alias, aliases) {
        Some(meant) => error.with_hint(format!("did you mean {meant}::{name}?")),
        None => error.with_hint(format!("import \"..\" as {alias};")),
    }
}

/// `secret("X")` where X is not set.
fn secret_problem(call: &FnCallExpr, source: &Source<'_>) -> Option<ScriptError> {
    let ("secret", [Expr::StringConstant(name, _)]) = (call.name.as_str(), call.args.as_slice()) else { return None };
    (!(source.has_secret)(name)).then(|| secret_not_set(name))
}

/// `session("acme", #{ identity: "x" })` where nothing is called x.
fn identity_problem(call: &FnCallExpr, source: &Source<'_>) -> Option<Found> {
    let ("session", [_, Expr::Map(options, _)]) = (call.name.as_str(), call.args.as_slice()) else { return None };
    let (_, written) = options.0.iter().find(|(name, _)| name.name == "identity")?;
    let Expr::StringConstant(name, position) = written else { return None };
    let near = Some(name).filter(|name| name.as_str() != BROWSER).and_then(|name| (source.has_identity)(name).err())?;
    Some((no_identity(name, near.as_deref()), *position))
}
