//! What `rhaven docs` tells of topics, held against the source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::home::Home;

#[test]
fn topics_are_listed_told_and_guessed() {
    let home = Home::new();
    let list = home.rhaven(&["docs"]).ends(0).out;
    let reference = home.rhaven(&["docs", "--markdown"]).ends(0).out;
    for (topic, says, heading) in [
        ("selectors", "role=button[name=\"Save\"]", "# Selectors"),
        ("extract", "\"integer\"", "# Extraction"),
        ("globs", "{a,b}", "# Globs"),
        ("sessions", "session_busy", "# Sessions"),
        ("secrets", "--secrets-file", "# Secrets"),
        ("repl", ".snapshot", "# REPL"),
        ("limits", "64 MiB", "# Limits"),
        ("watch", "--keep-state", "# Watch mode"),
        ("errors", "strict_violation", "# Errors"),
    ] {
        assert!(list.contains(&format!("\n  {topic} ")), "{topic} is not listed");
        assert!(home.rhaven(&["docs", topic]).ends(0).out.contains(says), "{topic} does not tell of {says}");
        assert!(reference.contains(heading), "{topic} is not in the reference");
        let json = home.rhaven(&["docs", topic, "--json"]).ends(0).json();
        assert!(json["text"].as_str().is_some_and(|text| text.starts_with(heading)), "{json}");
    }
    home.rhaven(&["docs", "selector"]).ends(1).tells("did you mean selectors?");
    home.rhaven(&["docs", "eror"]).ends(1).tells("did you mean errors?");
    let click = home.rhaven(&["docs", "click"]).ends(0).out;
    assert!(click.contains("rhaven docs selectors"), "{click}");
}

#[test]
fn extract_is_told_of_as_a_function_and_as_a_topic() {
    let extract = Home::new().rhaven(&["docs", "extract"]).ends(0).out;
    for says in ["extract(schema, #{..})", "\"integer\"", "optional: true", "DEFAULT"] {
        assert!(extract.contains(says), "{says} is missing in\n{extract}");
    }
}

#[test]
fn tables_and_paragraphs_fit_the_width() {
    for topic in ["selectors", "errors", "sessions"] {
        let text = Home::new().rhaven(&["docs", topic]).ends(0).out;
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{wide:#?}");
        assert!(!text.contains("|---") && !text.contains("# "), "{topic} is shown as it is written");
    }
}

#[test]
fn every_error_code_of_the_source_is_documented_and_no_other() {
    let json = Home::new().rhaven(&["docs", "errors", "--json"]).ends(0).json();
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \|").expect("a pattern");
    let text = json["text"].as_str().expect("a text");
    let documented: BTreeSet<String> = row.captures_iter(text).map(|found| found[1].to_owned()).collect();
    assert_eq!(codes_of_the_source(), documented, "left: the source, right: src/script/docs/errors.md");
}

/// The codes in functions named `code`, and those that errors are made with on the spot.
fn codes_of_the_source() -> BTreeSet<String> {
    let word = Regex::new(r#""([a-z]+(?:_[a-z]+)*)""#).expect("a pattern");
    let function = Regex::new(r"(?s)fn code\(&self\) -> &'static str \{.*?\n    \}").expect("a pattern");
    let spot = Regex::new(r#"(?:(?:ScriptError|ApiError|Self)::new\(|usage_failure\(|\bsimple\(|\bcode: |error\[)\s*"?([a-z]+(?:_[a-z]+)*)["\]]"#)
        .expect("a pattern");
    let mut codes = BTreeSet::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "stdlib"].iter().flat_map(|folder| source_files(&root.join(folder))) {
        let text = std::fs::read_to_string(&path).expect("a source file");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for found in function.find_iter(text) {
            codes.extend(word.captures_iter(found.as_str()).map(|code| code[1].to_owned()));
        }
        codes.extend(spot.captures_iter(text).map(|code| code[1].to_owned()));
    }
    codes
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "rhai") {
            files.push(path);
        }
    }
    files
}
