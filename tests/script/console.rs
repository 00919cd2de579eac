//! Dialogues: several inputs in one run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhaven::practice::{EMAIL, PASSWORD, Practice};
use rhaven::run::{Event, Failure, FailureKind};
use rhaven::script::{Shown, Variable};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::rig::{Script, place, script};
use super::talk::{Talk, open, quiet, talk};

fn hint(failure: &Failure) -> &str {
    failure.hint.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn inputs_share_variables_functions_constants_and_closures() {
    let mut talk = talk().await;
    assert_eq!(talk.value("let a = 1;").await, json!(null));
    assert_eq!(talk.value("fn twice(x) { x * 2 } twice(a)").await, json!(2));
    assert_eq!(talk.value("let f = || { a += 1; twice(a) };").await, json!(null));
    assert_eq!(talk.value("f.call() + a").await, json!(6));
    assert_eq!(talk.value("const LIMIT = 7;").await, json!(null));
    assert_eq!(talk.value("fn over(n) { n > global::LIMIT } over(8)").await, json!(true));
    assert_eq!(talk.value("fn twice(x) { x * 20 } twice(1) + f.call()").await, json!(20 + 60));
    assert_eq!(talk.value("[1, 2].map(|x| twice(x))").await, json!([20, 40]));
    assert_eq!(talk.value("let a = 'x'; a").await, json!("x"));
    assert_eq!(talk.value("exit(9); 8").await, json!(9));
    assert_eq!(talk.value("let default = 3; return default; 8").await, json!(3));
    assert_eq!(talk.value("").await, json!(null));
    assert_eq!(talk.value("// nothing").await, json!(null));
    talk.finish().await;
}

#[tokio::test]
async fn imports_stay_known() {
    let mut talk = open(quiet("").file("lib/a.rhai", "fn f() { 40 } fn g() { throw \"no\" }")).await;
    talk.value("import \"lib/a\" as a;").await;
    assert_eq!(talk.value("a::f() + 1").await, json!(41));
    assert_eq!(talk.value("fn h() { a::f() } h()").await, json!(40));
    let failure = talk.failure("1;\n  a::g()").await;
    assert_eq!(place(failure.place.as_ref()), "lib/a.rhai:1:24");
    assert_eq!(failure.stack[0].place.line, 2);
    let failure = talk.failure("a::ff()").await;
    assert_eq!((failure.code.as_str(), hint(&failure)), ("unknown_function", "did you mean a::f?"));
    let failure = talk.failure("b::f()").await;
    assert_eq!(failure.code, "unknown_module", "{failure:?}");
    talk.finish().await;
}

#[tokio::test]
async fn a_failure_keeps_what_worked_before_it() {
    let mut talk = talk().await;
    let text = "let a = 1; // one\nlet b = a + 1;\n// bad\nlet c = nothing;\nlet d = 4; fn f() { 5 }";
    let turn = talk.say(text).await;
    assert_eq!(turn.worked, ["let a = 1; // one", "let b = a + 1;", "fn f() { 5 }"]);
    let failure = turn.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.kind), ("unknown_variable", FailureKind::Script));
    assert_eq!(place(failure.place.as_ref()), "4:9");
    assert_eq!(turn.value, Shown::Nothing);
    assert_eq!(talk.value("[a, b, f()]").await, json!([1, 2, 5]));
    let names: Vec<String> = talk.dialogue.variables().await.into_iter().map(|variable| variable.name).collect();
    assert_eq!(names, ["a", "b"]);
    // A statement that fails half way leaves no variable.
    talk.failure("{ let x = 1; throw x; }").await;
    talk.failure("if true { let x = 1; } let y = { let z = 1; throw 1 };").await;
    assert_eq!(talk.dialogue.variables().await.len(), 2);
    talk.finish().await;
}

#[tokio::test]
async fn places_are_those_of_the_input() {
    let mut talk = talk().await;
    let check = async |talk: &mut Talk, text: &str, wanted: &str| {
        let failure = talk.failure(text).await;
        assert_eq!(place(failure.place.as_ref()), wanted, "{text}: {failure:?}");
    };
    check(&mut talk, "let z = \"ž😀😀\"; throw z", "1:16").await;
    check(&mut talk, "let a = 1;\n\n  throw a;", "3:3").await;
    check(&mut talk, "let a = = 1;", "1:9").await;
    check(&mut talk, "1; [1][\n 5]", "2:2").await;
    // A function of an earlier input names that input.
    talk.value("1;\nfn bad() { throw 1 }").await;
    let failure = talk.failure("2;\n bad()").await;
    let file = failure.place.as_ref().and_then(|place| place.file.clone()).unwrap();
    assert_eq!(talk.dialogue.text(&file), Some("1;\nfn bad() { throw 1 }"));
    assert_eq!(place(failure.place.as_ref()), format!("{file}:2:12"));
    assert_eq!(place(Some(&failure.stack[0].place)), "2:2");
    check(&mut talk, "fn bad() { throw 2 } bad()", "1:12").await;
    talk.finish().await;
}

#[tokio::test]
async fn mistakes_get_the_hints_of_the_check() {
    let mut talk = talk().await;
    talk.value("let address = 1; fn fetch_all() { 1 }").await;
    let check = async |talk: &mut Talk, text: &str, code: &str, wanted: &str| {
        let failure = talk.failure(text).await;
        assert_eq!(failure.code, code, "{text}");
        assert!(hint(&failure).contains(wanted), "{text}: {}", hint(&failure));
    };
    check(&mut talk, "adress + 1", "unknown_variable", "did you mean address?").await;
    check(&mut talk, "fetch_al()", "unknown_function", "did you mean fetch_all?").await;
    check(&mut talk, "clik(\"#a\")", "unknown_function", "did you mean click?").await;
    check(&mut talk, "paus()", "unknown_function", "did you mean pause?").await;
    check(&mut talk, "fn f() { address } f()", "unknown_variable", "does not see the script's variables").await;
    check(&mut talk, "let x = null;", "parse_error", "nothing is written ()").await;
    check(&mut talk, "f(a => 1)", "parse_error", "a closure is written").await;
    check(&mut talk, "secret(\"NONE\")", "secret_not_set", "RHAVEN_SECRET_NONE").await;
    talk.finish().await;
}

#[tokio::test]
async fn undo_takes_back_the_last_input_that_changed_something() {
    let mut talk = open(quiet("").file("m.rhai", "fn f() { 1 }")).await;
    assert!(!talk.dialogue.undo().await);
    talk.value("let a = [1]; let n = 1; let count = || { n += 1; n }; fn f() { 1 } const C = 1;").await;
    talk.value("a.push(2); count.call(); fn f() { 2 }").await;
    talk.value("a; f() + n").await;
    talk.value("import \"m\" as m; let b = 1; const C = 2; fn c() { global::C }").await;
    assert_eq!(talk.value("[a, f(), n, m::f(), b, c()]").await, json!([[1, 2], 2, 2, 1, 1, 2]));
    assert!(talk.dialogue.undo().await);
    assert_eq!(talk.value("[a, f(), n]").await, json!([[1, 2], 2, 2]));
    talk.failure("m::f()").await;
    talk.failure("b").await;
    talk.failure("c()").await;
    assert!(talk.dialogue.undo().await);
    assert_eq!(talk.value("[a, f(), n, C]").await, json!([[1], 1, 1, 1]));
    // The closure and the variable are still one.
    assert_eq!(talk.value("[count.call(), n]").await, json!([2, 2]));
    assert!(talk.dialogue.undo().await && talk.dialogue.undo().await);
    assert!(!talk.dialogue.undo().await);
    assert!(talk.dialogue.variables().await.is_empty());
    talk.finish().await;
}

#[tokio::test]
async fn large_variables_cost_only_the_inputs_that_name_them() {
    let mut talk = talk().await;
    talk.value("let big = \"x\"; for n in 0..22 { big += big; } let a = 1; const MANY = [big, 7]; const ONE = 1;")
        .await;
    talk.value("a += 1; const ONE = 2;").await;
    assert!(talk.dialogue.undo().await);
    assert_eq!(talk.value("[a, ONE, global::ONE, MANY[1]]").await, json!([1, 1, 1, 7]));
    assert!(talk.dialogue.undo().await);
    assert!(talk.dialogue.variables().await.is_empty());

    talk.value("let big = \"x\"; for n in 0..22 { big += big; } let a = 1;").await;
    talk.value("big += \"y\"; a += 1;").await;
    talk.value("a += 1;").await;
    assert!(talk.dialogue.undo().await);
    // It was too much to be kept, and what was before it is out of reach.
    assert!(!talk.dialogue.undo().await);
    assert_eq!(talk.value("[a, big.len()]").await, json!([2, (4 << 20) + 1]));
    talk.finish().await;
}

#[tokio::test]
async fn variables_are_told_with_their_kinds() {
    let mut talk = open(quiet("").arg("url", "u").secret("PW", "hunter22")).await;
    talk.value("let a = 1; let a = 1.5; let t = \"x\"; let l = []; let m = #{}; let f = || 1; let s = secret(\"PW\");")
        .await;
    talk.value("let b = true; let e = (); try { sleep([\"no\"][0]) } catch (x) { e = x }").await;
    let variables = talk.dialogue.variables().await;
    let told: Vec<String> = variables.iter().map(|Variable { name, kind }| format!("{name} {kind}")).collect();
    assert_eq!(
        told,
        ["args map", "a number", "t text", "l list", "m map", "f function", "s Secret", "b true or false", "e Error"]
    );
    assert_eq!(talk.value("args.url").await, json!("u"));
    talk.finish().await;
}

#[tokio::test]
async fn values_are_shown_by_their_kind() {
    let mut talk = open(quiet("").secret("PW", "hunter22")).await;
    let check =
        async |talk: &mut Talk, text: &str, wanted: Shown| assert_eq!(talk.say(text).await.value, wanted, "{text}");
    check(&mut talk, "blob(5)", Shown::Bytes(5)).await;
    check(&mut talk, "secret(\"PW\")", Shown::Opaque("secret(\"PW\")".into())).await;
    check(&mut talk, "fn f() { 1 } Fn(\"f\")", Shown::Opaque("function f".into())).await;
    check(&mut talk, "|x| x", Shown::Opaque("function".into())).await;
    check(&mut talk, "#{ a: [secret(\"PW\"), || 1] }", Shown::Json(json!({ "a": ["secret(\"PW\")", "function"] })))
        .await;
    talk.finish().await;
}

#[tokio::test]
async fn secrets_are_never_shown_and_exposing_one_ends_that_input_only() {
    const VALUE: &str = "hunter2-and-more";
    let mut talk = open(quiet("").secret("PW", VALUE).arg("p", VALUE)).await;
    for text in [
        "secret(\"PW\")",
        "`is ${secret(\"PW\")}`",
        "secret(\"PW\").to_string()",
        "print(secret(\"PW\"))",
        "debug(secret(\"PW\"))",
        "emit([secret(\"PW\")])",
        "[secret(\"PW\")].to_string()",
        "try { `${secret(\"PW\")}` } catch { }; 1",
        "let t = `${secret(\"PW\")}`; t",
        "throw secret(\"PW\")",
        "throw args.p",
        "print(args.p); #{ a: args.p }",
        "let v = args.p + \"\"; v",
    ] {
        let turn = talk.say(text).await;
        assert!(!format!("{:?} {:?}", turn.value, turn.failure).contains(VALUE), "{text}: {turn:?}");
        assert_eq!(talk.value("1 + 1").await, json!(2), "after {text}");
    }
    let failure = talk.failure("let a = 1;\n`is ${secret(\"PW\")}`").await;
    assert_eq!((failure.code.as_str(), place(failure.place.as_ref()).as_str()), ("secret_exposed", "2:6"));
    assert!(!format!("{:?}", talk.events.lock().unwrap()).contains(VALUE));
    talk.finish().await;
}

#[tokio::test]
async fn limits_end_an_input_and_not_the_dialogue() {
    let script = quiet("").limits(|limits| {
        limits.operations = 10_000;
        limits.wall_time = Duration::ZERO;
    });
    let mut talk = open(script).await;
    for _ in 0..3 {
        assert_eq!(talk.failure("loop { }").await.code, "limit_exceeded");
        assert_eq!(talk.value("let n = 0; for i in 0..1000 { n += i; } n").await, json!(499_500));
    }
    assert_eq!(talk.failure("fn f(n) { f(n + 1) } f(0)").await.code, "limit_exceeded");
    talk.finish().await;
}

#[tokio::test]
async fn an_interrupted_input_ends_at_once_and_the_next_one_works() {
    let mut talk = talk().await;
    talk.value("let n = 1;").await;
    for text in
        ["loop { }", "sleep(\"1h\")", "try { sleep(\"1h\") } catch { }", "loop { try { sleep(\"1h\") } catch { } }"]
    {
        let cancel = CancellationToken::new();
        let text = format!("n += 1; print(\"on\"); {text}");
        let told = talk.events.clone();
        told.lock().unwrap().clear();
        let interrupt = async {
            while !told.lock().unwrap().iter().any(|event| matches!(event, Event::Print { .. })) {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
            Instant::now()
        };
        let (turn, since) = tokio::join!(talk.dialogue.say(&text, cancel.clone()), interrupt);
        assert!(since.elapsed() < Duration::from_secs(1), "{text} took {:?}", since.elapsed());
        let failure = turn.failure.unwrap();
        assert_eq!((failure.code.as_str(), failure.kind), ("cancelled", FailureKind::Interrupted));
        assert_eq!(turn.worked, ["n += 1;", "print(\"on\");"]);
    }
    assert_eq!(talk.value("n").await, json!(5));
    // One that was cancelled before it began.
    let cancel = CancellationToken::new();
    cancel.cancel();
    let turn = talk.dialogue.say("loop { }", cancel).await;
    assert_eq!(turn.failure.unwrap().code, "cancelled");
    assert_eq!(talk.value("n").await, json!(5));
    talk.finish().await;
}

#[tokio::test]
async fn an_input_that_is_given_up_is_stopped() {
    let mut talk = talk().await;
    let given_up = tokio::time::timeout(Duration::from_millis(50), talk.say("loop { }")).await;
    assert!(given_up.is_err());
    assert_eq!(talk.value("1").await, json!(1));
    let given_up = tokio::time::timeout(Duration::from_millis(50), talk.say("loop { print(1); }")).await;
    assert!(given_up.is_err());
    let told = talk.events.clone();
    drop(talk);
    // The ear goes when the script's thread ends.
    let alone = async {
        while Arc::strong_count(&told) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), alone).await.unwrap();
}

fn on(site: &Practice) -> Script {
    script("").arg("site", site.url()).arg("email", EMAIL).secret("PASSWORD", PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_share_the_session_and_the_browser() {
    let site = Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut script = on(&site);
    script.job.session = Some(rhaven::base::SessionId::new("acme").unwrap());
    let mut talk = open(script).await;
    let opened =
        talk.events.lock().unwrap().iter().filter(|event| matches!(event, Event::SessionOpened { .. })).count();
    assert_eq!(opened, 1);
    talk.value("goto(args.site + \"/login\"); ()").await;
    talk.value("type(\"#email\", args.email); fill(\"#password\", secret(\"PASSWORD\"));").await;
    let turn = talk.say("let ok = 1; click(\"#nothing\", #{ timeout: \"300ms\" }); let never = 1;").await;
    assert_eq!(turn.worked, ["let ok = 1;"]);
    let failure = turn.failure.unwrap();
    assert_eq!((failure.code.as_str(), place(failure.place.as_ref()).as_str()), ("timeout", "1:13"));
    assert!(!failure.log.is_empty());
    talk.value("click(\"button[type=submit]\"); wait_for_url(\"**/dashboard*\"); ()").await;
    let turn = talk.say("let s = session(\"acme\"); s").await;
    assert_eq!(turn.value, Shown::Opaque("Session(\"acme\")".into()));
    assert_eq!(talk.say("s.page").await.value, Shown::Opaque("Page".into()));
    assert!(matches!(talk.say("screenshot()").await.value, Shown::Picture(_)));
    let kinds = talk.dialogue.variables().await;
    assert!(kinds.contains(&Variable { name: "s".into(), kind: "Session".into() }), "{kinds:?}");
    talk.value("save(); ()").await;
    assert_eq!(talk.say("s").await.value, Shown::Opaque("Session(\"acme\", version 1)".into()));
    assert!(!format!("{:?}", talk.events.lock().unwrap()).contains(PASSWORD));
    let pid = talk.dialogue.workspace().browser_pid().await.unwrap();
    talk.finish().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_verb_leaves_the_page_usable() {
    let mut talk = open(script("")).await;
    talk.value("goto(\"data:text/html,<h1>here</h1>\"); ()").await;
    let cancel = CancellationToken::new();
    let told = talk.events.clone();
    let interrupt = async {
        let waits = |event: &Event| matches!(event, Event::Verb { call, .. } if call.contains("never"));
        while !told.lock().unwrap().iter().any(waits) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
        Instant::now()
    };
    let (turn, since) = tokio::join!(talk.dialogue.say("wait_for(\"#never\")", cancel.clone()), interrupt);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(turn.failure.unwrap().code, "cancelled");
    assert_eq!(talk.value("text_content(\"h1\")").await, json!("here"));
    let pid = talk.dialogue.workspace().browser_pid().await.unwrap();
    talk.finish().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_is_taken_back_by_its_number() {
    let mut talk = talk().await;
    talk.value("let n = 1;").await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let turn = talk.dialogue.say("let late = 2;", cancel).await;
    assert_eq!((turn.number, turn.late), (2, false));
    talk.value("n = 3; let m = 4;").await;
    assert!(!talk.dialogue.undo_input(2).await, "it changed nothing");
    assert!(talk.dialogue.undo_input(1).await, "with all that came after it");
    assert!(talk.dialogue.variables().await.is_empty());
    talk.finish().await;
}
