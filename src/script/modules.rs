//! Where `import` finds modules: `std/NAME` inside the binary, everything else below the script's own folder, never above it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use rhai::{Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use super::ScriptError;
use crate::base::closest;

/// The modules that ship inside the binary, by name.
pub const STD: &[(&str, &str)] =
    &[("login", include_str!("../../stdlib/login.rhai")), ("paging", include_str!("../../stdlib/paging.rhai"))];
const PREFIX: &str = "std/";
const EXTENSION: &str = "rhai";

/// A module's text and how messages call it.
#[derive(Debug, Clone)]
pub struct Source {
    /// `std/login`, or the file's path below the script's folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Finds the module `path` for a script in the folder `root`. Files are read: may block on the disk.
pub fn locate(root: &Path, path: &str) -> Result<Source, ScriptError> {
    match path.strip_prefix(PREFIX) {
        Some(name) => standard(name),
        None => file(root, path),
    }
}

fn standard(name: &str) -> Result<Source, ScriptError> {
    let plain = name.strip_suffix(".rhai").unwrap_or(name);
    if let Some((name, text)) = STD.iter().find(|(known, _)| *known == plain) {
        return Ok(Source { name: format!("{PREFIX}{name}"), text: (*text).to_owned() });
    }
    let known: Vec<&str> = STD.iter().map(|(name, _)| *name).collect();
    let meant = closest(plain, known.iter().copied()).map(|name| format!("did you mean \"std/{name}\"? "));
    let hint = format!("{}rhaven brings std/{}", meant.unwrap_or_default(), known.join(", std/"));
    Err(ScriptError::new("module_not_found", format!("there is no module \"{PREFIX}{name}\"")).with_hint(hint))
}

fn file(root: &Path, path: &str) -> Result<Source, ScriptError> {
    let refused = |why: &str| {
        let message = format!("the module {path:?} {why}: modules are read below {} only", root.display());
        ScriptError::new("module_refused", message)
    };
    if !is_plain(path) {
        return Err(refused("is not a plain relative path"));
    }
    let candidates = candidates(root, path);
    let Some(found) = candidates.iter().find(|candidate| candidate.is_file()) else {
        let looked = candidates.iter().map(|candidate| candidate.display().to_string()).collect::<Vec<_>>();
        return Err(ScriptError::new("module_not_found", format!("there is no module {path:?}"))
            .with_hint(format!("looked for {}", looked.join(" and "))));
    };
    let unreadable = |error: std::io::Error| {
        ScriptError::new("module_not_found", format!("the module {path:?} cannot be read: {error}"))
    };
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let root = root.canonicalize().map_err(unreadable)?;
    let real = found.canonicalize().map_err(unreadable)?;
    let Ok(name) = real.strip_prefix(&root) else { return Err(refused("leads out through a symbolic link")) };
    let text = std::fs::read_to_string(&real).map_err(unreadable)?;
    Ok(Source { name: name.display().to_string(), text })
}

/// Relative, and never up.
fn is_plain(path: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !path.is_empty() && Path::new(path).components().all(plain)
}

/// The files on which it depends what module `path` is: those that are looked for in vain, and the one that is found. None for
/// modules that lie in no file.
pub fn files(root: &Path, path: &str) -> Vec<PathBuf> {
    if path.starts_with(PREFIX) || !is_plain(path) {
        return Vec::new();
    }
    let mut files = candidates(root, path);
    if let Some(found) = files.iter().position(|file| file.is_file()) {
        files.truncate(found + 1);
    }
    files
}

/// As written, and with the extension where it was left out.
fn candidates(root: &Path, path: &str) -> Vec<PathBuf> {
    let written = root.join(path);
    if written.extension().is_some_and(|extension| extension == EXTENSION) {
        return vec![written];
    }
    let mut extended = written.clone().into_os_string();
    extended.push(".");
    extended.push(EXTENSION);
    vec![PathBuf::from(extended), written]
}

/// Resolves the imports of one run. A module is run once, at its first import.
pub struct Resolver {
    root: PathBuf,
    loaded: Mutex<BTreeMap<String, Shared<Module>>>,
    /// Those that are being run, to tell a circle from a long way.
    loading: Mutex<Vec<String>>,
}

impl Resolver {
    /// For a script in the folder `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root, loaded: Mutex::default(), loading: Mutex::default() }
    }

    fn begin(&self, name: &str) -> Result<(), ScriptError> {
        let mut loading = self.loading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if loading.iter().any(|other| other == name) {
            return Err(circle(&loading, name));
        }
        loading.push(name.to_owned());
        Ok(())
    }

    fn end(&self) {
        self.loading.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.resolve_raw(engine, &mut engine.new_global_runtime_state(), &mut Scope::new(), path, pos)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let at = |error: ScriptError| Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(error), pos));
        let source = locate(&self.root, path).map_err(at)?;
        let loaded = || self.loaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(module) = loaded().get(&source.name) {
            return Ok(module.clone());
        }
        let inside = |error| Box::new(EvalAltResult::ErrorInModule(source.name.clone(), error, pos));
        let mut ast = engine.compile(&source.text).map_err(|error| inside(Box::new(error.into())))?;
        ast.set_source(&source.name);
        self.begin(&source.name).map_err(at)?;
        // Its own scope: a module does not see the importing script's variables.
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast);
        self.end();
        let module = Shared::new(module.map_err(inside)?);
        loaded().insert(source.name, module.clone());
        Ok(module)
    }
}

/// The error for modules that import each other.
pub fn circle(loading: &[String], name: &str) -> ScriptError {
    let way = loading.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
    ScriptError::new("import_circle", format!("modules import each other in a circle: {way}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_standard_library_is_in_the_binary() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let listed: Vec<&str> = STD.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, listed);
        assert!(locate(Path::new(""), "std/login").unwrap().text.contains("fn "));
    }

    #[test]
    fn modules_are_found_below_the_folder_and_nowhere_else() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("scripts");
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        std::fs::write(folder.join("lib/a.rhai"), "fn f() { 1 }").unwrap();
        std::fs::write(outside.path().join("b.rhai"), "fn f() { 1 }").unwrap();
        std::os::unix::fs::symlink(outside.path().join("b.rhai"), folder.join("link.rhai")).unwrap();
        for good in ["lib/a", "lib/a.rhai", "./lib/a"] {
            assert_eq!(locate(&folder, good).unwrap().name, "lib/a.rhai");
        }
        let check = |path: &str, code: &str| assert_eq!(locate(&folder, path).unwrap_err().code(), code, "{path}");
        check("../b", "module_refused");
        check("/etc/passwd", "module_refused");
        check("link", "module_refused");
        check("lib/c", "module_not_found");
        check("std/lgin", "module_not_found");
    }

    #[test]
    fn a_missing_module_says_where_it_was_looked_for() {
        let hint = locate(Path::new("/srv/x"), "lib/c").unwrap_err().parts().hint.clone().unwrap();
        assert_eq!(hint, "looked for /srv/x/lib/c.rhai and /srv/x/lib/c");
        let hint = locate(Path::new(""), "std/pagin").unwrap_err().parts().hint.clone().unwrap();
        assert!(hint.starts_with("did you mean \"std/paging\"?"), "{hint}");
    }
}
