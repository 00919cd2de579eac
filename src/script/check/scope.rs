//! The names that a file defines, exports and imports, and what its variables are sure to hold.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, Expr, FnAccess, Position, Stmt};

use super::known::{self, Known};

/// The functions by a name: the parameters of each.
pub type Functions = BTreeMap<String, Vec<Vec<String>>>;

/// What a module shows to the scripts that import it, and what they may want of it in vain.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Its functions that are not private.
    pub functions: Functions,
    /// Its variables that are exported.
    pub exports: BTreeSet<String>,
    /// Its variables, exported or not.
    pub variables: BTreeSet<String>,
    /// The names in its maps: a closure in one is called as the map's method.
    pub fields: BTreeSet<String>,
}

/// What calls in one file may name.
#[derive(Default)]
pub struct FileNames {
    functions: Functions,
    public: Functions,
    exports: BTreeSet<String>,
    /// Those that a `let`, `const` or `for` defines.
    defined: BTreeSet<String>,
    parameters: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// Variables of which every use is sure to see the same kind of value.
    held: BTreeMap<String, Known>,
    modules: BTreeMap<String, Module>,
}

/// What is known of an imported module.
pub enum Module {
    /// What it shows.
    Read(Imported),
    /// It could not be read, which is a problem of its own.
    Unread,
}

impl FileNames {
    /// What `ast` defines itself.
    pub fn of(ast: &AST) -> Self {
        let mut file = Self::default();
        for function in ast.iter_functions() {
            let params: Vec<String> = function.params.iter().map(|param| (*param).to_owned()).collect();
            file.parameters.extend(params.iter().cloned());
            if function.access == FnAccess::Public {
                file.public.entry(function.name.to_owned()).or_default().push(params.clone());
            }
            file.functions.entry(function.name.to_owned()).or_default().push(params);
        }
        let mut changed = BTreeSet::new();
        let mut values = Vec::new();
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(statement)) => file.statement(statement, &mut changed, &mut values),
                // A closure in a map is called as its method.
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    file.fields.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                _ => {}
            }
            true
        });
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<&str> =
            values.iter().map(|(name, ..)| name.as_str()).filter(|name| !seen.insert(*name)).collect();
        for (name, value, constant) in &values {
            if twice.contains(name.as_str()) || changed.contains(name) || file.parameters.contains(name) {
                continue;
            }
            let kind = known::of(value, &file);
            // A value that is no constant can be changed in place: text by replace(..), a list by push(..).
            if *constant || !matches!(kind, Known::Value(_)) {
                file.held.insert(name.clone(), kind);
            }
        }
        file
    }

    fn statement(&mut self, statement: &Stmt, changed: &mut BTreeSet<String>, values: &mut Vec<(String, Expr, bool)>) {
        match statement {
            Stmt::Var(definition, flags, _) => {
                let (name, value) = (definition.0.name.to_string(), definition.1.clone());
                if flags.intersects(ASTFlags::EXPORTED) {
                    self.exports.insert(name.clone());
                }
                self.defined.insert(name.clone());
                values.push((name, value, flags.intersects(ASTFlags::CONSTANT)));
            }
            Stmt::Export(export, _) => {
                let (name, alias) = &**export;
                self.exports.insert(if alias.name.is_empty() { name.name.to_string() } else { alias.name.to_string() });
            }
            Stmt::For(loops, _) => {
                let (item, counter, _) = &**loops;
                for name in std::iter::once(item).chain(counter) {
                    changed.insert(name.name.to_string());
                    self.defined.insert(name.name.to_string());
                }
            }
            Stmt::TryCatch(parts, _) => {
                if let Expr::Variable(variable, ..) = &parts.expr {
                    changed.insert(variable.1.to_string());
                }
            }
            Stmt::Assignment(assignment) => match &assignment.1.lhs {
                Expr::Variable(variable, ..) => {
                    changed.insert(variable.1.to_string());
                }
                // `m.run = || ..` and `m["run"] = || ..`
                place => self.fields.extend(known::assigned_fields(place)),
            },
            _ => {}
        }
    }

    /// Adds an imported module.
    pub fn import(&mut self, alias: String, module: Module) {
        if let Module::Read(imported) = &module {
            self.fields.extend(imported.fields.iter().cloned());
        }
        if !alias.is_empty() {
            self.modules.insert(alias, module);
        }
    }

    /// What those see who import this file.
    pub fn shown(&self) -> Imported {
        Imported {
            functions: self.public.clone(),
            exports: self.exports.clone(),
            variables: self.defined.clone(),
            fields: self.fields.clone(),
        }
    }

    /// The functions that the file defines.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Whether `name`, called alone or as a method, may be a closure: in a variable, or in a map.
    pub fn may_be_closure(&self, name: &str, method: bool) -> bool {
        if method { self.fields.contains(name) } else { self.defined.contains(name) || self.parameters.contains(name) }
    }

    /// Whether `name` is a function of the file, or something that may hold one.
    pub fn defines(&self, name: &str) -> bool {
        self.functions.contains_key(name) || self.may_be_closure(name, true) || self.may_be_closure(name, false)
    }

    /// The variables that are defined somewhere in the file.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.defined.iter().map(String::as_str)
    }

    /// What a variable is sure to hold.
    pub fn held(&self, name: &str) -> Known {
        self.held.get(name).cloned().unwrap_or(Known::Unknown)
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
