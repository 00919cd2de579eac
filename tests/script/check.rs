//! What is found before a run.

use std::path::Path;

use rhaven::script::{Problem, Source, check};

use super::rig::place;

fn problems(text: &str) -> Vec<Problem> {
    check(&Source {
        text,
        import_root: Path::new("/nonexistent"),
        has_secret: &|name| name == "SET",
        has_identity: &|_| Ok(()),
    })
}

/// One problem, as `code place: message | hint`.
fn one(text: &str) -> String {
    let problems = problems(text);
    let [problem] = problems.as_slice() else { panic!("{text}: {problems:#?}") };
    let hint = problem.hint.as_deref().unwrap_or_default();
    format!("{} {}: {} | {hint}", problem.code, place(problem.place.as_ref()), problem.message)
}

#[test]
fn good_scripts_have_no_problems() {
    for text in [
        "",
        "session(\"a\").goto(\"https://x\"); let s = session(\"b\"); s.page.click(\"#a\", #{ timeout: \"5s\", force: true });",
        "fn f(x) { x.len() } f(\"a\"); let g = |x| x + 1; g.call(1); [1].map(g).filter(|x| x > 1).len()",
        "let m = #{ run: || 1 }; m.run(); press(\"Enter\"); press(\"#a\", \"Enter\"); press(\"Enter\", #{ delay: 5 });",
        "secret(\"SET\"); import \"std/login\" as login; login::ensure(#{ url: \"u\" }); print(args.x); exit(1);",
        "click(session(\"a\"), \"#a\"); \"#a\".click(); 5.max(3); \"a\".to_upper().contains(\"A\"); timestamp().elapsed",
        "for i in 0..3 { sleep(i); } switch args.x { 1 => (), _ => throw \"x\" } wait_for_url(regex(\"a+\"), #{})",
        "screenshot(\"a.png\", #{ mask: [\"#a\", \"#b\"] }); select_option(\"#a\", [#{ label: \"x\" }, \"y\"]);",
        "extract(#{ title: \"h1\", rows: [#{ selector: \"tr\", fields: #{ a: \"td\" } }] }, #{ timeout: 5 })",
        "extract(#{ schema: #{ orders: \"array of order IDs\", n: args.x }, engine: args.e }); extract(#{ instruction: `sum ${1}` })",
        "try { sleep(1) } catch (e) { print(e.code) } is_def_fn(\"f\", 1); wait_for_load_state(#{ timeout: 1 });",
    ] {
        assert_eq!(problems(text), [], "{text}");
    }
}

#[test]
fn syntax_errors_have_a_place() {
    let found = one("let a = 1;\nlet b = ;");
    assert!(found.starts_with("parse_error 2:9: "), "{found}");
    assert!(one("let new = 1;").starts_with("parse_error 1:5: \"new\" is a reserved word"));
}

#[test]
fn descriptions_are_checked() {
    let found = one("extract(#{ schema: #{ a: 1 } })");
    assert!(found.starts_with("invalid_argument 1:"), "{found}");
    assert!(found.contains("a: expected a description, found 1"), "{found}");
    let found = one("extract(#{ schema: #{ a: \"b\" }, engine: \"best\" })");
    assert!(found.starts_with("invalid_argument 1:41: ") && found.contains("engine is"), "{found}");
    let found = one("extract(#{ schema: #{ a: \"b\" }, engin: \"llm\" })");
    assert!(found.starts_with("invalid_argument 1:33: ") && found.contains("did you mean engine?"), "{found}");
}

#[test]
fn unknown_functions_lead_to_the_nearest() {
    let check = |text: &str, expected: &str| assert_eq!(one(text), expected);
    check("clik(\"#a\")", "unknown_function 1:1: there is no function clik | did you mean click?");
    check("session(\"a\").gotto(\"u\")", "unknown_function 1:14: a session has no method gotto | did you mean goto?");
    check("fn greet() {} gret()", "unknown_function 1:15: there is no function gret | did you mean greet?");
    check("if false { zzz() }", "unknown_function 1:12: there is no function zzz | rhaven docs lists all functions");
    check("let f = || [1].map(|x| clik(x));", "unknown_function 1:24: there is no function clik | did you mean click?");
    check(
        "import \"std/login\" as login; login::ensrue(#{})",
        "unknown_function 1:37: the module login has no function ensrue | did you mean login::ensure?",
    );
    check("logn::f()", "unknown_module 1:7: no module is imported as logn | import \"..\" as logn;");
}

#[test]
fn arguments_are_checked_where_they_are_written_out() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check(
        "click(\"#a\", #{ timout: 5 })",
        "invalid_option 1:16: click has no option \"timout\" | did you mean \"timeout\"?",
    );
    check("click(\"#a\", #{ timeout: \"5 parsecs\" })", "invalid_option 1:25: click, option \"timeout\": a time is");
    check("click(\"#a\", #{ button: \"lft\" })", "invalid_option 1:24: click, option \"button\": wanted one of");
    check("sleep(\"soon\")", "invalid_argument 1:7: sleep, time: a time is");
    check("wait_for(\"#a\", #{ state: \"visble\" })", "invalid_option 1:26: wait_for, option \"state\": wanted one of");
    check("regex(\"a(\")", "invalid_argument 1:7: regex, pattern: invalid regular expression");
    check("click(\"a >> >> b\")", "invalid_selector 1:7: click, selector: invalid selector");
    check("click()", "invalid_argument 1:1: click does not take 0 arguments | the ways to call it: click(selector)");
    check("step(\"a\", 5)", "invalid_argument 1:11: step, work: wanted a function such as || .., found a whole number");
    check("session(\"a\").fill(\"#a\", \"b\", #{}, 4)", "invalid_argument 1:14: fill does not take 4 arguments");
}

#[test]
fn secrets_have_to_be_set() {
    assert!(
        one("fill(\"#a\", secret(\"OTHER\"))")
            .starts_with("secret_not_set 1:12: the secret \"OTHER\" is not set | set RHAVEN_SECRET_OTHER")
    );
}

#[test]
fn all_problems_are_found_at_once() {
    let codes: Vec<_> =
        problems("clik(1);\nsleep(\"x\");\nsecret(\"NO\");").iter().map(|problem| problem.code.clone()).collect();
    assert_eq!(codes, ["unknown_function", "invalid_argument", "secret_not_set"]);
}

#[test]
fn variables_that_nothing_defines_are_found() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("page.click(\"#a\")", "unknown_variable 1:1: there is no variable page here | verbs are free functions");
    check("console.log(1)", "unknown_variable 1:1: there is no variable console here | write print(..) or log(..)");
    check("let total = 1; print(totl)", "unknown_variable 1:22: there is no variable totl here | did you mean total?");
    check("fn f() { X } const X = 1;", "unknown_variable 1:10: there is no variable X here | it is defined elsewhere");
    check("let f = || later;", "unknown_variable 1:12: there is no variable later here | define it");
    check("logn::X", "unknown_module 1:1: no module is imported as logn");
    let two = problems("print(foo); print(foo); print(bar); clik(\"#a\");");
    let codes: Vec<&str> = two.iter().map(|problem| &*problem.code).collect();
    assert_eq!(codes, ["unknown_variable", "unknown_variable", "unknown_function"]);
}

#[test]
fn names_that_are_seen_are_no_problem() {
    for text in [
        "fn f() { args.a + g(1) } fn g(x) { let y = x; let h = |z| x + y + z; h.call(1) }",
        "[1].map(later); fn later(x) { x } const K = 1; fn k() { global::K }",
        "try { sleep(1) } catch (e) { e.code } for (x, at) in [1] { print(x + at) } let s = switch 1 { 1 => 2 };",
        "import \"std/login\" as login; fn f() { login::ensure(#{ url: \"u\" }) } let n = #{ a: 1 }; n.a = 2; n[\"b\"] = 3;",
        "let x = 1; { let y = x; y } let outer = || { let inner = || x; inner.call() }; loop { break x; }",
    ] {
        assert_eq!(problems(text), [], "{text}");
    }
}

#[test]
fn literal_schemas_and_ids_are_read_before_the_run() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("extract(#{ a: \"li >> >> b\" })", "invalid_selector 1:15: extract, schema: ");
    check(
        "extract(#{ a: #{ selector: \"b\", tpye: \"number\" } })",
        "invalid_argument 1:33: extract, a: unknown option",
    );
    check(
        "extract([#{ selektor: \"b\", fields: #{} }])",
        "invalid_argument 1:10: extract: a list holds one selector, or one map with selector and fields | did you mean selector",
    );
    check(
        "extract([#{ selector: \"b\", fields: #{ a: \"c\", d: \"\" } }])",
        "invalid_argument 1:50: extract, d: the selector",
    );
    check("extract(#{ a: #{ selector: \"b\", type: \"nubmer\" } })", "invalid_argument 1:39: extract, a: unknown type");
    check("extract(#{ a: #{ selector: \"b\", limit: -1 } })", "invalid_argument 1:40: extract, a: limit");
    check("extract(#{ a: #{ selector: \"b\", regex: \"(\" } })", "invalid_argument 1:40: extract, a: regex");
    check("extract(#{ a: args.x, b: 5 })", "invalid_argument 1:26: extract, b: expected a selector");
    check(
        "extract([#{ selector: args.x, fields: #{ a: `#a-${args.n}`, b: \"//\" + args.y, c: \">>\" } }])",
        "invalid_selector 1:82: extract, schema",
    );
    check("let s = session(\"a\"); s.page.extract(\"txt=a\")", "invalid_selector 1:38: extract, schema");
    check("session(\"\")", "invalid_argument 1:9: session, id: ");
}

#[test]
fn paths_counts_and_modifiers_are_checked_before_the_run() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check(
        "screenshot(\"#b1\")",
        "invalid_argument 1:12: screenshot, path: wanted a path that ends in .png, .jpg or .jpeg, found \"#b1\" | for a picture of an element",
    );
    check(
        "click(\"#a\", #{ click_count: 0 })",
        "invalid_option 1:29: click, option \"click_count\": wanted a whole number from 1",
    );
    let found = one("click(\"#a\", #{ modifiers: [\"Ctrl\"] })");
    assert!(found.contains("did you mean \"Control\"?"), "{found}");
    assert_eq!(problems("screenshot(\"a/B.JPEG\"); click(\"#a\", #{ click_count: 3 })"), []);
}

#[test]
fn habits_from_elsewhere_get_a_way_out() {
    let check = |text: &str, hint: &str| {
        let found = problems(text).remove(0);
        let given = found.hint.unwrap_or_default();
        assert!(given.contains(hint), "{text}: {}: {given}", found.message);
    };
    check("click(\"#a\", { timeout: 5 })", "a map is written #{");
    check("let m = { a: 1 };", "a map is written #{");
    check("click('#abc')", "double quotes or backticks");
    check("let x = await click(\"#a\");", "leave await out");
    check("[1].map(x => x)", "a closure is written |a|");
    check("let x = null;", "nothing is written ()");
    check("expect(\"#a\")", "expect is not in this version; write wait_for(\"h1\")");
    check("locator(\"#a\").click()", "locator is not in this version");
    check("get_by_role(\"button\")", "get_by_role is not in this version; write click(\"role=button");
    check("new_page()", "new_page is not in this version");
    check("waitForSelector(\"#a\")", "write wait_for(");
}

#[test]
fn methods_of_what_is_known_are_checked_as_free_calls_are() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("session(\"a\").clik(\"#b\")", "unknown_function 1:14: a session has no method clik | did you mean click?");
    check("let s = session(\"a\"); s.clik(\"#b\")", "unknown_function 1:25: a session has no method clik");
    check(
        "let s = session(\"a\"); s.page.save()",
        "unknown_function 1:30: a page has no method save | it stands alone",
    );
    check("let p = session(\"a\").page; p.len()", "unknown_function 1:30: a page has no method len");
    check(
        "let s = session(\"a\"); s.titel",
        "unknown_property 1:25: a session has no property titel | title is a function",
    );
    check(
        "let s = session(\"a\"); s.title",
        "unknown_property 1:25: a session has no property title | title is a function",
    );
    check("session(\"a\").click(\"#a\", \"5s\")", "invalid_argument 1:26: click, options: wanted an options map");
    check("click(\"#a\", \"5s\")", "invalid_argument 1:13: click, options: wanted an options map");
    check("let s = session(\"a\"); click(s)", "invalid_argument 1:23: click does not take 1 argument");
    check(
        "let s = session(\"a\"); fill(\"#a\", s)",
        "invalid_argument 1:34: fill, text: wanted text or a secret, found a s",
    );
    check("fn f(x) { x.click(\"a >> >> b\") }", "invalid_selector 1:19: click, selector");
    check(
        "goto(args.url, #{ timeout: secret(\"SET\") })",
        "invalid_option 1:28: goto, option \"timeout\": wanted a time",
    );
    check("const T = \"soon\"; sleep(T)", "invalid_argument 1:25: sleep, time");
    check("sleep(-1)", "invalid_argument 1:7: sleep, time: a time is");
    check("press(secret(\"SET\"))", "invalid_argument 1:7: press, key: wanted text, found a secret");
    check("press(5, 6)", "invalid_argument 1:1: press does not take (a whole number, a whole number)");
    check("parse_int()", "invalid_argument 1:1: parse_int does not take 0 arguments | it takes 1 or 2");
    check("\"a\".contains()", "invalid_argument 1:5: contains does not take 0 arguments | it takes 1");
}

#[test]
fn contents_are_read_where_they_are_written_out() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("goto(\"/login\")", "invalid_argument 1:6: goto, url: \"/login\" is not an absolute URL");
    check(
        "goto(\"example.com\")",
        "invalid_argument 1:6: goto, url: \"example.com\" is not an absolute URL; did you mean",
    );
    check("press(\"Ctrl+A\")", "invalid_argument 1:7: press, key: there is no modifier");
    check("press(\"#a\", \"Entr\")", "invalid_argument 1:13: press, key: ");
    check("wait_for_url(\"**/{a\")", "invalid_argument 1:14: wait_for_url, pattern: \"**/{a\" is not a URL pattern");
    check("wait_for_url(regex(\"(\"))", "invalid_argument 1:20: regex, pattern: invalid regular expression");
    check("select_option(\"#a\", #{ lable: \"x\" })", "invalid_argument 1:21: select_option, choice: ");
    check("session(\"\")", "invalid_argument 1:9: session, id: ");
    check("retry(-1, || click(\"#a\"))", "invalid_argument 1:7: retry, times: wanted a whole number from 0");
}

#[test]
fn the_scripts_own_functions_take_what_they_say() {
    let check = |text: &str, expected: &str| {
        let found = one(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check(
        "fn greet(name) {} fn greet(a, b) {} greet()",
        "invalid_argument 1:37: greet does not take 0 arguments | the ways to call it: greet(name)  greet(a, b)",
    );
    check("fn f(a) { 1 } fn f(b) { 2 }", "parse_error 1:15: function f with 1 parameter already exists");
    check(
        "fn f(a) { g(a) } fn g() { 1 }",
        "invalid_argument 1:11: g does not take 1 argument | the ways to call it: g()",
    );
    for text in [
        "fn f(a) { 1 } let f = || 2; f.call(); \"x\".f(1);",
        "fn click(a, b, c) { 1 } click(1, 2, 3); click(\"#a\");",
        "let m = #{}; m.run = |a, b| a + b; m.run(1, 2); m[\"walk\"] = || 1; m.walk();",
        "let title = title(); let url = url(); fn f(click) { click.call(1) } let s = \"x\"; s.len(); s.replace(\"x\", \"y\")",
        "let s = session(\"a\"); if true { s = session(\"b\").page; } s.click(\"#a\"); s.whatever_it_is;",
        "let a = [session(\"a\"), \"x\"]; a[0].click(\"#a\"); a[1].len(); a[0].page.click(\"#b\"); [1, 2][0].max(3);",
        "let s = session(\"a\"); s.type_of(); s.id; s.version; s.page.goto(\"https://x\"); s.log(); [s].len(); s.page.url()",
        "for s in [session(\"a\")] { s.click(\"#a\") } try { click(\"#a\") } catch (s) { s.code }",
        "let o = #{ timeout: \"5s\" }; click(\"#a\", o); fill(\"#a\", args.x); press(args.key, args.other); let e = [1]; e.extract(1)",
    ] {
        assert_eq!(problems(text), [], "{text}");
    }
}

#[test]
fn modules_are_checked_with_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let lib = "export const BASE = \"https://x\"; const HIDDEN = 1; fn open(path) { goto(global::BASE + path) } private fn own() { 1 }\n\
               fn make() { #{ run: |a| a } } fn pay() { secret(\"UNSET\") }";
    std::fs::write(folder.path().join("lib.rhai"), lib).unwrap();
    let all = |text: &str| {
        let problems =
            check(&Source { text, import_root: folder.path(), has_secret: &|_| false, has_identity: &|_| Ok(()) });
        let told = |problem: &Problem| format!("{} {}", place(problem.place.as_ref()), problem.message);
        problems.iter().map(told).collect::<Vec<_>>().join("\n")
    };
    let check = |text: &str, expected: &str| {
        let found = all(&format!("import \"lib\" as lib; {text}"));
        let (module, rest) = found.split_once('\n').unwrap_or((&found, ""));
        assert_eq!(module, "lib.rhai:2:42 the secret \"UNSET\" is not set");
        assert_eq!(rest, expected, "{text}");
    };
    check("lib::BASE + lib::open(\"/a\"); let m = lib::make(); m.run(1); global::X; const X = 1;", "");
    check("lib::BSAE", "1:27 the module lib exports no variable BSAE");
    check("lib::HIDDEN", "1:27 the module lib exports no variable HIDDEN");
    check("lib::open()", "1:27 lib::open does not take 0 arguments");
    check("lib::own()", "1:27 the module lib has no function own");
}

#[test]
fn whatever_is_right_is_left_in_peace() {
    let right = |name: &str, text: &str, root: &Path| {
        let problems = check(&Source { text, import_root: root, has_secret: &|_| true, has_identity: &|_| Ok(()) });
        assert_eq!(problems, [], "{name}:\n{text}");
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Those show what a mistake looks like.
    let wrong = ["syntax_error", "unknown_function", "unknown_option", "same_session_twice", "imported_failure"];
    for folder in ["scripts", "stdlib", "tests/golden", "benches/compare"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_some_and(|extension| extension == "rhai") && !wrong.contains(&name.as_str()) {
                right(&name, &std::fs::read_to_string(&path).unwrap(), path.parent().unwrap());
            }
        }
    }
    for entry in rhaven::script::docs() {
        // What an example takes for granted.
        let before = "let orders = [];\n";
        right(entry.name, &format!("{before}{}", entry.example), root);
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let texts = rhaven::script::topics().map(|topic| (topic.name, topic.text)).chain([("README", readme.as_str())]);
    for (name, text) in texts {
        for block in text.split("```rhai\n").skip(1) {
            right(name, block.split("```").next().unwrap(), root);
        }
    }
}
