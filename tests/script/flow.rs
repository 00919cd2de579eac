//! Values, arguments, output, steps, retries, errors and their places.

use rhaven::run::{Event, FailureKind};
use serde_json::json;

use super::rig::{place, script};

#[tokio::test]
async fn the_last_expression_is_the_result() {
    let check = async |text: &str, value| assert_eq!(script(text).result().await, value, "{text}");
    check("40 + 2", json!(42)).await;
    check("#{ b: [1, 2.5, ()], a: 'x' }", json!({ "a": "x", "b": [1, 2.5, null] })).await;
    check("let x = 1;", json!(null)).await;
    check("exit(7); 8", json!(7)).await;
    check("fn twice(x) { x * 2 } [1, 2].map(|x| twice(x))", json!([2, 4])).await;
}

#[tokio::test]
async fn args_are_seen_everywhere() {
    let text = "fn inner() { args.url + (|| args.url).call() } [args.url, inner(), [0].map(|x| args.url)[0]]";
    assert_eq!(script(text).arg("url", "u").result().await, json!(["u", "uu", "u"]));
    assert_eq!(script("let args = 5; args").result().await, json!(5));
    assert_eq!(script("args.missing").result().await, json!(null));
}

#[tokio::test]
async fn freed_words_are_names() {
    assert_eq!(script("let default = 3; #{ default: default }").result().await, json!({ "default": 3 }));
    let failure = script("let eval = 1;").failure().await;
    assert_eq!((failure.code.as_str(), failure.kind), ("parse_error", FailureKind::Parse));
}

#[tokio::test]
async fn output_comes_as_events_in_order() {
    let ran =
        script("print(1); log(#{ a: 1 }); log(2.5); log(7); emit([1]); print(`x${1}`); debug(\"d\");").run().await;
    let told: Vec<String> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Print { text } => Some(format!("print {text}")),
            Event::Log { text } => Some(format!("log {text}")),
            Event::Emit { value } => Some(format!("emit {value}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["print 1", r#"log {"a":1}"#, "log 2.5", "log 7", "emit [1]", "print x1", r#"log 1: "d""#]);
}

#[tokio::test]
async fn verbs_are_told_with_their_lines() {
    let ran = script("print(1);\nsleep(0);\nlog(2);").run().await;
    let calls: Vec<(String, Option<usize>)> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verb { call, line } => Some((call.clone(), *line)),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("sleep(0)".to_owned(), Some(2))]);
}

#[tokio::test]
async fn a_step_answers_the_value_of_its_function_and_tells_its_end() {
    let ran = script("let n = 20; step(\"count\", || n + 1) + step(\"more\", || 1)").run().await;
    assert_eq!(ran.report.result, json!(22));
    let failed = script("fn f() { throw \"no\" } step(\"fails\", || f())").run().await;
    assert!(
        failed.events.iter().any(|event| matches!(event, Event::StepEnded { name, ok: false, .. } if name == "fails"))
    );
    assert_eq!(failed.report.failure.unwrap().message, "no");
}

#[tokio::test]
async fn retry_tries_until_it_works_and_throws_the_last_error() {
    let text = "let n = 0; let tries = || { n += 1; if n < 3 { throw `try ${n}` } n }; retry(5, tries, #{ delay: 1 })";
    assert_eq!(script(text).result().await, json!(3));
    let text = "let n = 0; retry(2, || { n += 1; throw `try ${n}` }, #{ delay: \"1ms\" })";
    assert_eq!(script(text).failure().await.message, "try 2");
}

#[tokio::test]
async fn errors_can_be_caught_by_code() {
    let text = "let t = []; try { sleep(t) } catch (e) { t = [e.code, e.message, e.log, type_of(e), e.to_string()] } t";
    let message = r#"sleep, time: wanted a time: milliseconds or text such as "250ms", "5s", "2m", found a list"#;
    let value = json!(["invalid_argument", message, [], "Error", format!("invalid_argument: {message}")]);
    assert_eq!(script(text).result().await, value);
    let text = "fn f() { regex(\"a(\" + \"b\") } let c = 0; try { f() } catch (e) { c = e.code } c";
    assert_eq!(script(text).result().await, json!("invalid_argument"));
    let text = "let t = []; try { sleep(t) } catch (e) { throw e; }";
    assert_eq!(script(text).failure().await.code, "invalid_argument");
}

#[tokio::test]
async fn a_failure_has_place_and_calls() {
    let failure = script("fn inner(t) {\n  sleep(t)\n}\nfn outer() { inner([]) }\n\n  outer();").failure().await;
    assert_eq!(place(failure.place.as_ref()), "2:3");
    let stack: Vec<String> =
        failure.stack.iter().map(|frame| format!("{} {}", frame.function, place(Some(&frame.place)))).collect();
    assert_eq!(stack, ["inner 4:14", "outer 6:3"]);
    assert_eq!(failure.kind, FailureKind::Script);
}

#[tokio::test]
async fn columns_count_characters() {
    let failure = script("let z = \"ž😀😀\"; throw z").failure().await;
    assert_eq!(place(failure.place.as_ref()), "1:16");
}

#[tokio::test]
async fn what_a_script_throws_is_its_own_error() {
    let check = async |text: &str, message: &str| {
        let failure = script(text).failure().await;
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("script_error", message), "{text}");
    };
    check("throw \"signed out\"", "signed out").await;
    check("throw #{ a: 1 }", r#"{"a":1}"#).await;
    check("throw #{ message: \"m\" }", "m").await;
    check("throw #{ code: \"not a code\", message: \"m\" }", "m").await;
    check("throw #{ code: 1, message: \"m\" }", "m").await;
    check("throw;", "the script threw ()").await;
    let failure = script("throw #{ code: \"out_of_stock\", message: \"none left\" }").failure().await;
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("out_of_stock", "none left"));
    assert_eq!(failure.kind, FailureKind::Script);
    check("let a = [1]; a[5]", "array index 5 out of bounds: only 1 element in array").await;
}

#[tokio::test]
async fn environment_variables_have_to_be_opened() {
    let mut open = script("env(\"STAGE\")");
    open.job.env.insert("STAGE".into(), "test".into());
    assert_eq!(open.result().await, json!("test"));
    assert_eq!(script("env(\"HOME\")").failure().await.code, "env_not_allowed");
}

#[tokio::test]
async fn stock_functions_that_share_a_name_still_work() {
    let text = "let a = [1]; a.clear(); let m = #{ x: 1 }; m.clear(); [a, m, log(8.0, 2.0), [3, 4].extract(1)]";
    assert_eq!(script(text).result().await, json!([[], {}, 3.0, [4]]));
}
