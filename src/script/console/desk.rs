//! What a dialogue keeps between its inputs, and the evaluation of one input.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, GlobalRuntimeState, Position, Scope, Stmt,
    StmtBlock,
};

use super::pieces::pieces;
use super::shown::{alike, shown, type_name, weight};
use super::{Answer, Shown, Variable};
use crate::script::failure::{self, Known, ScriptFailure};
use crate::script::{Host, check};

/// How many inputs can be taken back.
const PAST: usize = 16;
/// Bytes of variables, about, that are kept of one input: so many are copied and compared in far less than anybody notices.
const MOST: usize = 1 << 20;

/// The state of a dialogue.
pub struct Desk<'e, 's> {
    engine: &'e Engine,
    host: &'e Arc<Host>,
    /// The variables. Taken from the script where it paused, and given back.
    pub scope: Scope<'s>,
    /// Imports, constants and functions; a failed statement leaves no trace in it.
    pub global: GlobalRuntimeState,
    /// The functions, those of a paused script included.
    library: AST,
    /// Where functions were defined, for the places of errors in them.
    origins: BTreeMap<String, String>,
    past: Vec<Past>,
    inputs: usize,
}

/// What an input may change, as it was before.
struct Past {
    /// The input's number.
    input: usize,
    /// Of every variable; none of one that the input cannot change.
    variables: Vec<Option<Kept>>,
    global: GlobalRuntimeState,
    /// Of every constant; none as above.
    constants: BTreeMap<rhai::ImmutableString, Option<Dynamic>>,
    library: AST,
    origins: BTreeMap<String, String>,
}

/// A variable as it was.
struct Kept {
    name: String,
    is_constant: bool,
    value: Dynamic,
    /// The cell that closures share with the variable.
    cell: Option<Dynamic>,
}

impl Kept {
    /// Name, whether it is a constant, and its value, in the cell that closures know.
    fn restored(self) -> (String, bool, Dynamic) {
        let Self { name, is_constant, value, cell } = self;
        let Some(mut cell) = cell else { return (name, is_constant, value) };
        if let Some(mut inside) = cell.write_lock::<Dynamic>() {
            *inside = value;
        }
        (name, is_constant, cell)
    }
}

impl<'e, 's> Desk<'e, 's> {
    /// With the variables, imports and functions that there are already.
    pub fn new(engine: &'e Engine, host: &'e Arc<Host>, scope: Scope<'s>, mut global: GlobalRuntimeState) -> Self {
        // Shared by every later evaluation; the engine makes its own only where it thinks that somebody could ask.
        global.constants.get_or_insert_default();
        let library = global.lib.first().map_or_else(AST::empty, |library| AST::new_from_module(library.clone()));
        let origins = library.iter_functions().map(|function| (function.name.to_owned(), host.name.clone())).collect();
        Self { engine, host, scope, global, library, origins, past: Vec::new(), inputs: 0 }
    }

    /// Runs one input. Must be called on a thread with a stack that suits scripts.
    pub fn eval(&mut self, text: &str) -> Answer {
        self.inputs += 1;
        let ast = match check::parse(self.engine, text) {
            Ok(ast) => ast,
            Err((error, position)) => {
                let place = failure::Place::new(None, position);
                let failed = ScriptFailure { error, place, stack: Vec::new() };
                return Answer { value: Shown::Nothing, worked: Vec::new(), failed: Some(failed), changed: false };
            }
        };
        let before = self.past(text);
        self.learn(&ast);
        let mut answer = Answer { value: Shown::Nothing, worked: Vec::new(), failed: None, changed: false };
        let mut value = Dynamic::UNIT;
        // What stands behind a statement that ended the input was not reached; functions are known wherever they stand.
        let mut ended = false;
        for piece in pieces(self.engine, text, &ast) {
            if !piece.statements.is_empty() {
                if ended {
                    continue;
                }
                match self.run(piece.statements) {
                    Ok(Ended::Done(result)) => value = result,
                    Ok(Ended::Left(result)) => (value, ended) = (result, true),
                    Err(error) => {
                        answer.failed = Some(self.failure(*error));
                        (value, ended) = (Dynamic::UNIT, true);
                        continue;
                    }
                }
            }
            answer.worked.push(piece.text);
        }
        answer.value = shown(&value, &self.host.redactor);
        drop(value);
        answer.changed = before.as_ref().is_none_or(|before| self.differs(before, &ast));
        match before {
            Some(before) if answer.changed => {
                self.past.push(before);
                let surplus = self.past.len().saturating_sub(PAST);
                self.past.drain(..surplus);
            }
            Some(_) => {}
            // What was before it cannot be reached any more.
            None => self.past.clear(),
        }
        answer
    }

    /// Runs statements in the kept scope; where they fail they leave no variable and no import behind.
    fn run(&mut self, statements: Vec<Stmt>) -> Result<Ended, Box<EvalAltResult>> {
        let variables = self.scope.len();
        let mut global = self.global.clone();
        // Each statement has the run's operations to itself.
        global.num_operations = Default::default();
        let block = Expr::Stmt(Box::new(StmtBlock::new(statements, Position::NONE, Position::NONE)));
        let mut caches = Caches::new();
        let mut context = EvalContext::new(self.engine, &mut global, &mut caches, &mut self.scope, None);
        // Not deprecated: Rhai marks what may change so, hence the pinned minor version.
        #[allow(deprecated)]
        let result = context.eval_expression_tree_raw(&(&block).into(), false);
        let result = match result {
            // Text was made of a secret by a function that passes over errors.
            _ if self.host.stop.reason().is_some() => Err(crate::script::bridge::terminated(self.host).into()),
            Ok(value) => Ok(Ended::Done(value)),
            Err(error) => match *error {
                EvalAltResult::Return(value, _) | EvalAltResult::Exit(value, _) => Ok(Ended::Left(value)),
                other => Err(other.into()),
            },
        };
        if result.is_ok() {
            self.global = global;
            self.offer_constants(variables);
        } else {
            self.scope.rewind(variables);
        }
        result
    }

    /// Constants from `since` on are seen in functions as `global::NAME`.
    fn offer_constants(&mut self, since: usize) {
        let Some(constants) = &self.global.constants else { return };
        let Ok(mut constants) = constants.write() else { return };
        for (name, is_constant, value) in oldest_first(&self.scope).skip(since) {
            if is_constant {
                constants.insert(name.into(), value.flatten_clone());
            }
        }
    }

    /// Makes the functions of an input known; one of the same name and number of parameters is replaced.
    fn learn(&mut self, ast: &AST) {
        if !ast.has_functions() {
            return;
        }
        let origin = format!("{INPUT}{}", self.inputs);
        self.origins.extend(ast.iter_functions().map(|function| (function.name.to_owned(), origin.clone())));
        self.library = self.library.merge(&ast.clone_functions_only());
        self.offer_library();
    }

    fn offer_library(&mut self) {
        let library = self.library.shared_lib().clone();
        match self.global.lib.first_mut() {
            Some(first) => *first = library,
            None => self.global.lib.push(library),
        }
    }

    /// Takes back the input by that number, and those after it; false where it changed nothing or is too long ago.
    pub fn undo_input(&mut self, number: usize) -> bool {
        let Some(at) = self.past.iter().position(|past| past.input == number) else { return false };
        self.past.truncate(at + 1);
        self.undo()
    }

    /// Takes back the last input that changed something; false where there is none.
    pub fn undo(&mut self) -> bool {
        let Some(past) = self.past.pop() else { return false };
        let now: Vec<(String, bool, Dynamic)> = oldest_first(&self.scope)
            .zip(&past.variables)
            .map(|((name, is_constant, value), kept)| {
                let value = if kept.is_some() { Dynamic::UNIT } else { value.clone() };
                (name.to_owned(), is_constant, value)
            })
            .collect();
        self.scope.rewind(0);
        for ((name, is_constant, now), kept) in now.into_iter().zip(past.variables) {
            let (name, is_constant, value) = match kept {
                None => (name, is_constant, now),
                Some(kept) => kept.restored(),
            };
            if is_constant {
                self.scope.push_constant_dynamic(name, value);
            } else {
                self.scope.push_dynamic(name, value);
            }
        }
        self.global = past.global;
        if let Some(mut constants) = self.global.constants.as_ref().and_then(|constants| constants.write().ok()) {
            constants.retain(|name, _| past.constants.contains_key(name));
            constants.extend(past.constants.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        self.library = past.library;
        self.origins = past.origins;
        self.offer_library();
        true
    }

    /// The newest variable of each name, in the order of their definition; `args` where any were given.
    pub fn variables(&self) -> Vec<Variable> {
        let mut newest: Vec<(&str, &Dynamic)> = Vec::new();
        for (name, _, value) in oldest_first(&self.scope) {
            newest.retain(|(other, _)| *other != name);
            newest.push((name, value));
        }
        let variable = |(name, value): (&str, &Dynamic)| Variable { name: name.to_owned(), kind: type_name(value) };
        let args = Variable { name: "args".to_owned(), kind: "map".to_owned() };
        let has_args = !self.host.args.is_empty() && !self.scope.contains("args");
        has_args.then_some(args).into_iter().chain(newest.into_iter().map(variable)).collect()
    }

    fn failure(&self, error: EvalAltResult) -> ScriptFailure {
        let origin = format!("{INPUT}{}", self.inputs);
        let known = Known {
            variables: oldest_first(&self.scope).map(|(name, ..)| name.to_owned()).collect(),
            functions: self.library.iter_functions().map(|function| function.name.to_owned()).collect(),
            modules: self
                .global
                .iter_imports()
                .map(|(alias, module)| (alias.to_owned(), functions_of(module)))
                .collect(),
            // The functions of this very input stand in its own text.
            origins: self
                .origins
                .iter()
                .filter(|(_, from)| **from != origin)
                .map(|(f, from)| (f.clone(), from.clone()))
                .collect(),
        };
        failure::read_knowing(error, self.host, &known)
    }

    /// What `text` may change: variables that it names, or that a closure shares, which may hide anywhere. None where that is too
    /// large to be kept.
    fn past(&self, text: &str) -> Option<Past> {
        let mut room = MOST;
        let mut kept = |(name, is_constant, value): (&str, bool, &Dynamic)| {
            if is_constant || !(value.is_shared() || text.contains(name)) {
                return Some(None);
            }
            room = room.checked_sub(weight(value, room)?)?;
            Some(Some(Kept {
                name: name.to_owned(),
                is_constant,
                value: value.flatten_clone(),
                cell: value.is_shared().then(|| value.clone()),
            }))
        };
        let variables = oldest_first(&self.scope).map(&mut kept).collect::<Option<_>>()?;
        let constants = self.global.constants.as_ref().and_then(|constants| constants.read().ok());
        let constants = constants.iter().flat_map(|constants| constants.iter());
        let constant = |(name, value): (&rhai::ImmutableString, &Dynamic)| {
            // What changes it is a new one of its name.
            let value = (text.contains("const") && text.contains(name.as_str())).then(|| value.clone());
            (name.clone(), value)
        };
        Some(Past {
            input: self.inputs,
            variables,
            global: self.global.clone(),
            constants: constants.map(constant).collect(),
            library: self.library.clone(),
            origins: self.origins.clone(),
        })
    }

    /// Whether an input changed anything that can be taken back.
    fn differs(&self, before: &Past, ast: &AST) -> bool {
        let is_named = |function: rhai::ScriptFnMetadata<'_>| !function.name.starts_with("anon$");
        let same = |(kept, (name, is_constant, value)): (&Option<Kept>, (&str, bool, &Dynamic))| {
            kept.as_ref().is_none_or(|kept| {
                kept.name == name && kept.is_constant == is_constant && alike(&kept.value, &value.flatten_clone())
            })
        };
        ast.iter_functions().any(is_named)
            || before.global.num_imports() != self.global.num_imports()
            || before.variables.len() != self.scope.len()
            || !before.variables.iter().zip(oldest_first(&self.scope)).all(same)
    }
}

/// What stands for an input's text in the places of errors, before its number.
const INPUT: &str = "input ";

/// How statements came to their end.
enum Ended {
    /// By themselves.
    Done(Dynamic),
    /// By `return` or `exit`: what follows is not reached.
    Left(Dynamic),
}

/// The engine lists the newest variable first.
fn oldest_first<'a>(scope: &'a Scope<'_>) -> impl Iterator<Item = (&'a str, bool, &'a Dynamic)> {
    let newest_first: Vec<_> = scope.iter_raw().collect();
    newest_first.into_iter().rev()
}

fn functions_of(module: &rhai::Module) -> Vec<String> {
    module.iter_script_fn_info().map(|(_, _, name, ..)| name.to_owned()).collect()
}
