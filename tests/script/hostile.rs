//! What a dialogue is told by accident or malice: it neither ends nor hangs.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::talk::{open, quiet};

const WORDS: &[&str] = &[
    "let",
    "x",
    "=",
    "1",
    "\"",
    "`",
    "${",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "fn",
    "f",
    "|",
    "||",
    ";",
    "\n",
    "//",
    "/*",
    "*/",
    "#{",
    "#\"",
    "if",
    "else",
    "for",
    "in",
    "loop",
    "break",
    "import",
    "as",
    "export",
    "const",
    "pause",
    "()",
    "exit(1)",
    "return",
    "throw",
    "try",
    "catch",
    "switch",
    "=>",
    "global::x",
    "this",
    "eval(\"1\")",
    "print(1)",
    "secret(\"PW\")",
    "\\",
    "'",
    "😀",
    "\u{0}",
    "\u{202e}",
    "ž",
    "..",
    "..=",
    "+",
    "-",
    "!",
    "?.",
    "??",
    "::",
    "9999999999999999999",
    "0x",
    "1e999",
    "x.y.z",
    "x[0]",
    "Fn(\"f\")",
    "call",
    "curry",
    "args",
    "undefined",
    "await",
    ",",
    ".",
    "type_of(x)",
    "x += 1",
    "while false",
    "do",
    "until",
];

/// Whole statements, most of which run, in any order.
const STATEMENTS: &[&str] = &[
    "let x = 1;",
    "x += 1;",
    "let x = [x, x];",
    "x.push(x);",
    "let m = #{ a: x };",
    "m.a = m;",
    "fn f(n) { n + x }",
    "f(1);",
    "fn f(n) { if n == 0 { 0 } else { f(n - 1) } }",
    "f(1000);",
    "let g = || x;",
    "g.call();",
    "let h = |a| { x = a; g };",
    "h.call(g);",
    "x = g;",
    "const C = x;",
    "global::C;",
    "fn c() { global::C }",
    "c();",
    "for i in 0..5 { x = i; }",
    "loop { }",
    "while true { x = [x]; }",
    "throw x;",
    "try { throw m } catch (e) { x = e }",
    "return x;",
    "exit(x);",
    "print(x);",
    "debug(m);",
    "x = secret(\"PW\");",
    "m.s = secret(\"PW\") + \"!\";",
    "`${x}`;",
    "x.to_string();",
    "m.to_json();",
    "emit(m);",
    "pause();",
    "import \"std/login\" as l;",
    "l::f();",
    "import x as y;",
    "export x;",
    "switch x { 1 => 2, _ => 3 }",
    "let s = \"ž😀\"; s += s;",
    "x[0];",
    "x?.y?.z;",
    "type_of(this)",
    "Fn(\"f\").curry(1).call();",
    "x = timestamp();",
    "blob(100, 255)",
    "0..10",
    "1 / 0;",
    "{ let y = 1; y }",
];

/// Token soups, characters of all kinds, deep nesting, texts cut in the middle.
fn hostile() -> impl Strategy<Value = String> {
    let soup = prop::collection::vec(prop::sample::select(WORDS), 1..40);
    let deep = (
        prop::sample::select(&["(", "[", "{", "#{a:", "|| ", "!", "-", "if true {", "fn f() {", "`${", "f("][..]),
        1..3000_usize,
    );
    prop_oneof![
        4 => prop::collection::vec(prop::sample::select(STATEMENTS), 1..12).prop_map(|statements| statements.join("\n")),
        4 => soup.clone().prop_map(|words| words.join(" ")),
        2 => soup.prop_map(|words| words.concat()),
        2 => ".{0,200}",
        1 => deep.prop_map(|(open, times)| open.repeat(times)),
        1 => (any::<Vec<char>>()).prop_map(|chars| chars.into_iter().collect()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_inputs_neither_end_the_dialogue_nor_hang_it() {
    const VALUE: &str = "hunter2-and-more";
    let script = quiet("").secret("PW", VALUE).limits(|limits| {
        limits.operations = 20_000;
        limits.string_bytes = 10_000;
        limits.array_len = 1_000;
    });
    let mut talk = open(script).await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let text = hostile().new_tree(&mut runner).unwrap().current();
        let turn = tokio::time::timeout(Duration::from_secs(20), talk.say(&text)).await;
        let turn = turn.unwrap_or_else(|_| panic!("{text:?} hangs"));
        let internal = turn.failure.as_ref().is_some_and(|failure| failure.code == "internal_error");
        assert!(!internal && !format!("{turn:?}").contains(VALUE), "{text:?}: {turn:?}");
        talk.dialogue.variables().await;
    }
    assert_eq!(talk.value("40 + 2").await, json!(42));
    while talk.dialogue.undo().await {}
    assert_eq!(talk.value("40 + 2").await, json!(42));
    talk.finish().await;
}
