//! The rules of the house, read from the source itself: the floors and their one direction, headers, sizes, nothing
//! left to do, no sleeping in tests, no paths of one machine.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Each module's floor; a module imports only from lower ones, so equal floors never meet. `seal` stands on `base`, which
/// is why its number is its own.
const FLOORS: [(&str, u32); 20] = [
    ("base", 0),
    ("seal", 1),
    ("browser", 10),
    ("store", 10),
    ("egress", 10),
    ("document", 10),
    ("files", 10),
    ("practice", 10),
    ("page", 20),
    ("session", 30),
    ("script", 40),
    ("live", 40),
    ("run", 50),
    ("diagnose", 60),
    ("repl", 70),
    ("watch", 70),
    ("serve", 70),
    ("record", 70),
    ("batch", 70),
    ("cli", 80),
];
const MAIN_FLOOR: u32 = 90;
const MAX_LINES: usize = 500;

#[test]
fn modules_import_only_from_lower_floors() {
    check(rust_files(&["src"]).filter(|file| !file.path.ends_with("src/lib.rs")), |file| {
        let own = file.module();
        let Some(own_floor) = floor_of(&own) else {
            return vec![(1, format!("`{own}` is on no floor: give it one in ARCHITECTURE.md and here"))];
        };
        imports(&file.text)
            .into_iter()
            .filter(|(_, module)| *module != own)
            .filter_map(|(line, module)| {
                let floor = floor_of(&module)?;
                let fault = if floor > own_floor { "upward" } else { "sideways" };
                (floor >= own_floor).then(|| (line, format!("{fault}: `{own}` imports `{module}`")))
            })
            .collect()
    });
}

#[test]
fn every_source_file_says_what_it_owns() {
    check(rust_files(&["src", "tests", "benches"]), |file| {
        if file.text.starts_with("//! ") { vec![] } else { vec![(1, "does not begin with `//! `".to_owned())] }
    });
}

#[test]
fn no_source_file_is_long() {
    check(rust_files(&["src", "tests", "benches"]), |file| {
        let lines = file.text.lines().count();
        if lines > MAX_LINES { vec![(lines, format!("more than {MAX_LINES} lines"))] } else { vec![] }
    });
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, or this file would be its own first offender.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("// XX", "X"),
        concat!("dbg", "!("),
        concat!("#[", "ignore"),
        concat!("unimplemented", "!("),
        concat!("todo", "!("),
    ];
    check(rust_files(&["src", "tests", "benches"]), |file| file.lines_with(&marks));
}

#[test]
fn tests_never_sleep_for_a_fixed_time() {
    let naps = [concat!("thread::", "sleep"), concat!("time::", "sleep("), concat!(" sleep", "(Duration")];
    check(rust_files(&["src", "tests"]), |file| {
        let tests_begin = if file.path.starts_with(root().join("tests")) || file.path.ends_with("tests.rs") {
            0
        } else {
            file.text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX)
        };
        file.lines_with(&naps).into_iter().filter(|(line, _)| *line > tests_begin).collect()
    });
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    check(text_files(&root()).into_iter(), |file| file.lines_with(&places));
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "use crate::base::Secret;\nuse crate::{store::Records, seal};\nlet a = crate::page::Page::new();\n\
                use super::super::browser;\n// use crate::cli;\nuse rhaven::run::Job;";
    let found: Vec<(usize, String)> = imports(text);
    let expected = [(1, "base"), (2, "store"), (2, "seal"), (3, "page"), (4, "browser"), (6, "run")];
    assert_eq!(found, expected.map(|(line, module)| (line, module.to_owned())));
}

struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    fn read(path: PathBuf) -> Option<Self> {
        // What is no text (an image, say) has no lines to look at.
        let text = fs::read_to_string(&path).ok()?;
        Some(Self { path, text })
    }

    /// The first name below `src`: `store` for `src/store/sqlite.rs`, `main` for `src/main.rs`.
    fn module(&self) -> String {
        let below = self.path.strip_prefix(root().join("src")).expect("a file in src");
        let first = below.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".rs").to_owned()
    }

    fn lines_with(&self, marks: &[&str]) -> Vec<(usize, String)> {
        let lines = self.text.lines().enumerate();
        let found =
            lines.filter_map(|(index, line)| Some((index + 1, *marks.iter().find(|mark| line.contains(**mark))?)));
        found.map(|(line, mark)| (line, format!("has `{mark}`"))).collect()
    }
}

fn floor_of(module: &str) -> Option<u32> {
    if module == "main" {
        return Some(MAIN_FLOOR);
    }
    FLOORS.iter().find_map(|(name, floor)| (*name == module).then_some(*floor))
}

/// Line and name of every module of the crate that `text` reaches for, comments aside.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let single = Regex::new(r"\b(?:crate|rhaven|super::super)::([a-z_]+)").expect("a pattern");
    let group = Regex::new(r"\b(?:crate|rhaven)::\{").expect("a pattern");
    let mut found: Vec<(usize, String)> = single
        .captures_iter(&code)
        .filter_map(|captures| captures.get(1))
        .map(|name| (name.start(), name.as_str().to_owned()))
        .chain(group.find_iter(&code).flat_map(|brace| group_members(&code, brace.end())))
        .collect();
    found.sort();
    let line_of = |offset: usize| code[..offset].matches('\n').count() + 1;
    found.into_iter().map(|(offset, name)| (line_of(offset), name)).collect()
}

/// The first name of each member of the `{..}` that opens before `start`: `store` and `seal` in `{store::Records, seal}`.
fn group_members(code: &str, start: usize) -> Vec<(usize, String)> {
    let (mut depth, mut member, mut members) = (1_u32, start, Vec::new());
    for (offset, character) in code[start..].char_indices().map(|(offset, character)| (start + offset, character)) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && character == ',') {
            let text = &code[member..offset];
            let name = text.trim_start().split("::").next().unwrap_or_default().trim();
            members.push((member + text.len() - text.trim_start().len(), name.to_owned()));
            member = offset + 1;
        }
        if depth == 0 {
            break;
        }
    }
    members.retain(|(_, name)| !name.is_empty());
    members
}

/// Fails with every offence there is, not only the first.
fn check(files: impl Iterator<Item = SourceFile>, offences: impl Fn(&SourceFile) -> Vec<(usize, String)>) {
    let mut seen = 0;
    let mut list = Vec::new();
    for file in files {
        seen += 1;
        let name = file.path.strip_prefix(root()).unwrap_or(&file.path).display().to_string();
        list.extend(offences(&file).into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    assert!(seen > 0, "no files were found, so nothing was checked");
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folders: &[&str]) -> impl Iterator<Item = SourceFile> {
    let files = folders.iter().flat_map(|folder| text_files(&root().join(folder))).collect::<Vec<_>>();
    files.into_iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "rs"))
}

/// Every text file below `folder` that belongs to the project.
fn text_files(folder: &Path) -> Vec<SourceFile> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("a folder entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != ".git" && name != "node_modules" && !name.starts_with("target") {
            files.extend(text_files(&path));
        } else if path.is_file() && name != ".git" {
            files.extend(SourceFile::read(path));
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}
