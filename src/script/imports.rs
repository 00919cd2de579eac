//! Which files a script depends on, also where it does not parse.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rhai::{Engine, Token};

use super::check::scope;
use super::{Limits, engine, modules};

/// The files that `text` imports, and those that these import: the ones that are there, and for a module that is missing each
/// that would be it. Only paths that are written out are known. Reads the files; call it on a thread with a stack that suits
/// scripts.
pub fn files(text: &str, import_root: &Path) -> Vec<PathBuf> {
    let engine = engine::reader(&Limits::default());
    let mut files = BTreeSet::new();
    let mut left = paths(&engine, text);
    while let Some(path) = left.pop() {
        for file in modules::files(import_root, &path) {
            // Missing or not a text: it is watched all the same.
            if files.insert(file.clone())
                && let Ok(text) = std::fs::read_to_string(&file)
            {
                left.extend(paths(&engine, &text));
            }
        }
    }
    files.into_iter().collect()
}

fn paths(engine: &Engine, text: &str) -> Vec<String> {
    match engine.compile(text) {
        Ok(ast) => scope::imports(&ast).into_iter().map(|(_, path, _)| path).collect(),
        Err(_) => written(engine, text),
    }
}

/// What follows the word `import` in a text that does not parse.
fn written(engine: &Engine, text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut is_import = false;
    for (token, _) in engine.lex(&[text]).0 {
        match token {
            Token::StringConstant(ref path) if is_import => paths.push(path.to_string()),
            Token::EOF => break,
            _ => {}
        }
        is_import = matches!(token, Token::Import);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("lib")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        write("lib/a.rhai", "import \"lib/b\" as b;\nfn a() { 1 }");
        write("lib/b.rhai", "import \"lib/a\" as a;\nimport \"std/login\" as l;");
        write("plain", "");
        let found = files(text, root.path());
        let names: Vec<_> =
            found.iter().map(|file| file.strip_prefix(root.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, expected, "{text}");
    }

    #[test]
    fn what_is_imported_is_found_with_what_that_imports() {
        check("1", &[]);
        check("import \"lib/a\" as a; a::a()", &["lib/a.rhai", "lib/b.rhai"]);
        check("import \"std/login\" as l; import \"../x\" as x; let p = \"lib/a\"; import p as a;", &[]);
    }

    #[test]
    fn what_is_missing_is_named_as_it_would_be_found() {
        check("import \"new\" as n;", &["new", "new.rhai"]);
        check("import \"new.rhai\" as n;", &["new.rhai"]);
        check("import \"plain\" as p;", &["plain", "plain.rhai"]);
    }

    #[test]
    fn a_text_that_does_not_parse_still_names_its_imports() {
        check("// import \"new\"\nimport \"lib/b.rhai\" as b;\nlet a = = 1;", &["lib/a.rhai", "lib/b.rhai"]);
        check("import \"lib/b.rhai\" as b; let a = \"open", &["lib/a.rhai", "lib/b.rhai"]);
    }
}
