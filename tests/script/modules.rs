//! Imports: where modules come from, when they run, how their errors are told.

use rhaven::run::FailureKind;
use serde_json::json;

use super::rig::{place, script};

#[tokio::test]
async fn modules_beside_the_script_are_found_and_run_once() {
    let ran = script("import \"lib/a\" as a; import \"lib/a.rhai\" as b; a::f() + b::f()")
        .file("lib/a.rhai", "print(\"loaded\"); fn f() { g() } fn g() { 1 }")
        .run()
        .await;
    assert_eq!(ran.report.result, json!(2));
    assert_eq!(ran.events.len(), 1, "{:?}", ran.events);
}

#[tokio::test]
async fn modules_can_import_and_see_args_and_our_functions() {
    let text = "import \"a\" as a; a::f()";
    let ran = script(text)
        .file("a.rhai", "import \"b\" as b; fn f() { b::g() }")
        .file("b.rhai", "fn g() { sleep(0); step(\"s\", || args.x) }")
        .arg("x", "y")
        .result()
        .await;
    assert_eq!(ran, json!("y"));
}

#[tokio::test]
async fn the_standard_library_is_in_the_binary() {
    let failure = script("import \"std/login\" as login; login::ensure(#{})").failure().await;
    assert_eq!(failure.code, "script_error");
    assert!(place(failure.place.as_ref()).starts_with("std/login:"), "{:?}", failure.place);
    assert_eq!(place(Some(&failure.stack[0].place)), "1:37");
}

#[tokio::test]
async fn an_error_in_a_module_names_its_file() {
    let failure = script("import \"a\" as a;\na::f([1])").file("a.rhai", "\nfn f(x) { sleep(x) }").failure().await;
    assert_eq!(place(failure.place.as_ref()), "a.rhai:2:11");
    let failure = script("\nimport \"a\" as a;").file("a.rhai", "let x = [];\nsleep(x);").failure().await;
    assert_eq!(place(failure.place.as_ref()), "a.rhai:2:1");
    assert_eq!(place(Some(&failure.stack[0].place)), "2:8");
    assert_eq!(failure.stack[0].function, "import \"a.rhai\"");
}

#[tokio::test]
async fn imports_that_do_not_resolve_fail_before_the_run() {
    let check = async |text: &str, code: &str| {
        let failure =
            script(text).file("a.rhai", "import \"b\" as b;").file("b.rhai", "import \"a\" as a;").failure().await;
        assert_eq!((failure.code.as_str(), failure.kind), (code, FailureKind::Parse), "{text}: {}", failure.message);
    };
    check("import \"lib/none\" as x;", "module_not_found").await;
    check("import \"std/lgin\" as x;", "module_not_found").await;
    check("import \"../up\" as x;", "module_refused").await;
    check("import \"a\" as a;", "import_circle").await;
    // A path that is made while the script runs is found out then.
    check("let p = \"no\"; import p as x;", "module_not_found").await;
    check("let p = \"a\"; import p as x;", "import_circle").await;
}
