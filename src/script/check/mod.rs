//! What can be known to be wrong with a script before it runs: syntax, imports, names, options, selectors, times, secrets.

mod arguments;
mod calls;
mod habits;
mod known;
mod schema;
pub(super) mod scope;
mod stock;
mod variables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use rhai::{AST, Engine, Position};

use super::failure::{Place, parse_message};
use super::given::{HasIdentity, HasSecret};
use super::modules::{self, locate};
use super::{Limits, ScriptError, engine, hint};
pub use calls::{no_module as unknown_module, not_in_module};
use scope::{FileNames, Imported, Module};
pub use variables::undefined as unknown_variable;

/// A script to check.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its text.
    pub text: &'a str,
    /// The folder that its imports resolve below.
    pub import_root: &'a Path,
    /// Tells whether a secret is set.
    pub has_secret: &'a HasSecret<'a>,
    /// Tells whether there is an identity; where there is none, the nearest name.
    pub has_identity: &'a HasIdentity<'a>,
}

/// Something wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The stable code.
    pub code: Cow<'static, str>,
    /// One line.
    pub message: String,
    /// Where; none where the engine does not know.
    pub place: Option<Place>,
    /// The way out.
    pub hint: Option<String>,
}

/// All that is wrong with `text`, in the order of its lines; modules that it imports are checked with it.
pub fn check(source: &Source<'_>) -> Vec<Problem> {
    read(source).1
}

/// The script, where it parses, and all that is wrong with it. Recursive in the script's nesting: call it on a thread with a
/// stack that suits.
pub fn read(source: &Source<'_>) -> (Option<AST>, Vec<Problem>) {
    let engine = engine::reader(&Limits::default());
    let mut checker =
        Checker { engine, source: *source, problems: Vec::new(), modules: BTreeMap::new(), loading: Vec::new() };
    let ast = checker.file(source.text, None).map(|(ast, _)| ast);
    (ast, checker.problems)
}

/// Reads a text, or says what is wrong with it and where.
pub fn parse(engine: &Engine, text: &str) -> Result<AST, (ScriptError, Position)> {
    engine.compile(text).map_err(|error| {
        let failed = ScriptError::new("parse_error", parse_message(error.err_type()));
        let hint = habits::hint(text, error.err_type(), error.position());
        let failed = match hint {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        };
        (failed, error.position())
    })
}

/// The state of one check.
struct Checker<'a> {
    engine: Engine,
    source: Source<'a>,
    problems: Vec<Problem>,
    /// What the modules that were checked show, by their names in messages.
    modules: BTreeMap<String, Imported>,
    /// The modules that are being checked.
    loading: Vec<String>,
}

impl Checker<'_> {
    /// Checks one file; answers what it defines, or nothing where it does not parse.
    fn file(&mut self, text: &str, file: Option<&str>) -> Option<(AST, Imported)> {
        let ast = match parse(&self.engine, text) {
            Ok(ast) => ast,
            Err((error, position)) => {
                self.add(error, file, position);
                return None;
            }
        };
        let mut names = FileNames::of(&ast);
        for (alias, path, position) in scope::imports(&ast) {
            match self.import(&path) {
                Ok(imported) => names.import(alias, imported.map_or(Module::Unread, Module::Read)),
                Err(error) => {
                    names.import(alias, Module::Unread);
                    self.add(error, file, position);
                }
            }
        }
        let mut found = calls::problems(&ast, &names, &self.source);
        let more = variables::problems(text, &names);
        let told = found.iter().any(|(error, _)| error.code() == "unknown_module");
        found.extend(more.into_iter().filter(|(error, _)| !told || error.code() != "unknown_module"));
        found.sort_by_key(|(_, position)| (position.line(), position.position()));
        for (error, position) in found {
            self.add(error, file, position);
        }
        Some((ast, names.shown()))
    }

    /// Checks a module once. None where it does not parse: that is a problem of its own already.
    fn import(&mut self, path: &str) -> Result<Option<Imported>, ScriptError> {
        let module = locate(self.source.import_root, path)?;
        if let Some(known) = self.modules.get(&module.name) {
            return Ok(Some(known.clone()));
        }
        if self.loading.contains(&module.name) {
            return Err(modules::circle(&self.loading, &module.name));
        }
        self.loading.push(module.name.clone());
        let shown = self.file(&module.text, Some(&module.name)).map(|(_, shown)| shown);
        self.loading.pop();
        if let Some(shown) = &shown {
            self.modules.insert(module.name, shown.clone());
        }
        Ok(shown)
    }

    fn add(&mut self, error: ScriptError, file: Option<&str>, position: Position) {
        let parts = error.into_parts();
        let hint = parts.hint.or_else(|| hint(&parts.code).map(str::to_owned));
        let place = Place::new(file, position);
        let problem = Problem { code: parts.code, message: parts.message, place, hint };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
