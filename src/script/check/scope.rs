//! The names that a file defines and imports.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, Position, Stmt};

/// The functions of a module.
pub type Imported = BTreeSet<String>;

/// What calls in one file may name.
pub struct FileNames {
    functions: Imported,
    /// Variables and parameters: a closure in one is called by the variable's name.
    variables: BTreeSet<String>,
    /// Those of them that a `let`, `const` or `for` defines.
    defined: BTreeSet<String>,
    modules: BTreeMap<String, Module>,
}

/// What is known of an imported module.
pub enum Module {
    /// The functions that it has.
    Read(Imported),
    /// It could not be read, which is a problem of its own.
    Unread,
}

impl FileNames {
    /// What `ast` defines itself.
    pub fn of(ast: &AST) -> Self {
        let mut variables = BTreeSet::new();
        let mut defined = BTreeSet::new();
        let mut functions = BTreeSet::new();
        for function in ast.iter_functions() {
            functions.insert(function.name.to_owned());
            variables.extend(function.params.iter().map(|param| (*param).to_owned()));
        }
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(definition, ..))) => {
                    defined.insert(definition.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::For(loops, ..))) => {
                    defined.insert(loops.0.name.to_string());
                }
                // A closure in a map is called as its method.
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    variables.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                _ => {}
            }
            true
        });
        variables.extend(defined.iter().cloned());
        Self { functions, variables, defined, modules: BTreeMap::new() }
    }

    /// Adds an imported module.
    pub fn import(&mut self, alias: String, module: Module) {
        if !alias.is_empty() {
            self.modules.insert(alias, module);
        }
    }

    /// The functions that the file defines.
    pub fn functions(&self) -> &Imported {
        &self.functions
    }

    /// Whether `name` is a function of the file, or a variable that may hold one.
    pub fn defines(&self, name: &str) -> bool {
        self.functions.contains(name) || self.variables.contains(name)
    }

    /// The variables that are defined somewhere in the file.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.defined.iter().map(String::as_str)
    }

    /// The module imported as `alias`.
    pub fn module(&self, alias: &str) -> Option<&Module> {
        self.modules.get(alias)
    }

    /// The aliases of all imported modules.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }
}

/// The imports of a file whose path is a literal: alias, path, position.
pub fn imports(ast: &AST) -> Vec<(String, String, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
            let (expression, alias) = &**import;
            if let Expr::StringConstant(path, position) = expression {
                found.push((alias.name.to_string(), path.to_string(), *position));
            }
        }
        true
    });
    found
}
