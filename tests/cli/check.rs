//! `rhaven check` as it is called: files, folders, stdin; what it says, and with which exit code.

use crate::golden::compare;
use crate::home::{Home, said};

const WRONG: &str = "\
import \"lib/names\" as names;
let s = session(\"a\");
s.clik(\"#b\");
goto(names::BSAE);
extract([#{ selektor: \".order\", fields: #{ id: \".id\" } }]);
click(\"#a\", \"5s\");
names::open();
";

const LIB: &str = "export const BASE = \"https://example.com\";\nfn open(path) { fill(path, secret(\"NOT_SET\")) }\n";

#[test]
fn every_problem_is_told_with_its_place() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("lib")).expect("a folder");
    home.write("lib/names.rhai", LIB);
    home.write("wrong.rhai", WRONG);
    let said = home.rhaven(&["check", "wrong.rhai"]).ends(2);
    compare("check_wrong", &said, &home);
    let json = home.rhaven(&["check", "wrong.rhai", "--json"]).ends(2).json();
    assert_eq!(json["ok"], false);
    let problems = json["problems"].as_array().expect("a list").iter().map(|problem| {
        let place = &problem["problem"]["place"];
        format!(
            "{}:{}:{} {}",
            place["file"].as_str().unwrap_or("-"),
            place["line"],
            place["column"],
            problem["problem"]["code"]
        )
    });
    let expected = [
        "lib/names.rhai:2:28 \"secret_not_set\"",
        "-:3:3 \"unknown_function\"",
        "-:4:13 \"unknown_variable\"",
        "-:5:10 \"invalid_argument\"",
        "-:6:13 \"invalid_argument\"",
        "-:7:8 \"invalid_argument\"",
    ];
    assert_eq!(problems.collect::<Vec<_>>(), expected);
}

#[test]
fn a_folder_stands_for_all_scripts_below_it() {
    let home = Home::new();
    for folder in ["all/deep", "all/.hidden", "none"] {
        std::fs::create_dir_all(home.path().join(folder)).expect("a folder");
    }
    std::os::unix::fs::symlink(home.path().join("all"), home.path().join("all/deep/circle")).expect("a link");
    home.write("all/a.rhai", "clik(1)");
    home.write("all/deep/b.rhai", "1");
    home.write("all/.hidden/c.rhai", "clik(1)");
    home.write("all/rhaven.d.rhai", "module static;");
    home.write("all/note.txt", "clik(1)");
    home.rhaven(&["check", "all", "all/a.rhai"]).ends(2).tells("2 files: 1 problem").tells("all/a.rhai:1:1");
    home.rhaven(&["check", "all/deep"]).ends(0).tells("1 file: no problem found");
    home.rhaven(&["check", "none"]).ends(1).tells("there is no .rhai file in none or below");
    home.rhaven(&["check", "nowhere"]).ends(1).tells("error[file_error]");
}

#[test]
fn standard_input_is_a_script_too() {
    let home = Home::new();
    let script = home.write("one.rhai", "clik(1)");
    let mut command = home.command(&["check", "-"]);
    let said = said(command.stdin(std::fs::File::open(script).expect("the script"))).ends(2);
    assert!(said.err.contains("<stdin>:1:1"), "{}", said.err);
}
