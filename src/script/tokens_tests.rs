//! What tokens are found where, and which texts are whole.

use proptest::prelude::*;

use super::*;

fn kinds(text: &str) -> Vec<(String, TokenKind)> {
    tokens(text).into_iter().map(|token| (text[token.range].to_owned(), token.kind)).collect()
}

#[test]
fn tokens_are_found_where_they_stand() {
    use TokenKind::{Comment, Function, Keyword, Name, Number, Symbol, Text, Unknown};
    let check = |text: &str, wanted: &[(&str, TokenKind)]| {
        let wanted: Vec<(String, TokenKind)> =
            wanted.iter().map(|(text, kind)| ((*text).to_owned(), kind.clone())).collect();
        assert_eq!(kinds(text), wanted, "{text}");
    };
    let value = |value: &str| Text(Some(value.to_owned()));
    check("let ž = -5;", &[("let", Keyword), ("ž", Unknown), ("=", Symbol), ("-5", Number), (";", Symbol)]);
    check("goto (\"a\\n\")", &[("goto", Function), ("(", Symbol), ("\"a\\n\"", value("a\n")), (")", Symbol)]);
    check("save()", &[("save", Function), ("()", Symbol)]);
    check("pause()", &[("pause", Function), ("()", Symbol)]);
    check("print(default)", &[("print", Function), ("(", Symbol), ("default", Name), (")", Symbol)]);
    check("a // b\nc", &[("a", Name), ("// b", Comment), ("c", Name)]);
    check("/* a /* b */ */ c /// d", &[("/* a /* b */ */", Comment), ("c", Name), ("/// d", Comment)]);
    check("x !in y", &[("x", Name), ("!in", Symbol), ("y", Name)]);
    check("1.5e3 'x'", &[("1.5e3", Number), ("'x'", value("x"))]);
    check("#\"raw\\\"#", &[("#\"raw\\\"#", value("raw\\"))]);
    check("`plain`", &[("`plain`", value("plain"))]);
    check(
        "`a ${f(`b`)} c` d",
        &[
            ("`a $", Text(None)),
            ("{", Symbol),
            ("f", Function),
            ("(", Symbol),
            ("`b`", value("b")),
            (")", Symbol),
            ("}", Symbol),
            (" c`", Text(None)),
            ("d", Name),
        ],
    );
    check("var x", &[("var", Unknown), ("x", Name)]);
    check("switch this { }", &[("switch", Keyword), ("this", Keyword), ("{", Symbol), ("}", Symbol)]);
    // Texts that are open or wrong are texts all the same.
    check("fill(\"pw", &[("fill", Function), ("(", Symbol), ("\"pw", value("pw"))]);
    check("\"a\\\"b\nc", &[("\"a\\\"b", value("a\"b")), ("c", Name)]);
    check("\"a\\qb\" c", &[("\"a\\qb\"", value("a\\qb")), ("c", Name)]);
    check("'single quotes' c", &[("'single quotes'", value("single quotes")), ("c", Name)]);
    check("`open\nc", &[("`open\nc", value("open\nc"))]);
    check("/* open", &[("/* open", Comment)]);
    check("a @ b", &[("a", Name), ("@", Unknown), ("b", Name)]);
}

#[test]
fn texts_are_whole_or_wait_for_more() {
    let more = [
        "let x =",
        "let x = ",
        "foo(",
        "foo(1,",
        "foo(1",
        "[1, 2",
        "#{ a: 1",
        "#{ a:",
        "if x",
        "if x {",
        "if x { 1 } else",
        "for i in",
        "for",
        "while true {\n  print(1);\n",
        "fn f(a) {",
        "fn f(",
        "fn f",
        "try { 1 }",
        "do { 1 }",
        "switch x {",
        "switch x { 1 =>",
        "x.",
        "1 +",
        "let f = |a|",
        "let f = |a",
        "import",
        "import \"a\" as",
        "\"abc",
        "\"abc\\",
        "`abc",
        "`abc\n",
        "`a ${",
        "`a ${ b",
        "`a ${ b }",
        "#\"raw",
        "/* abc",
        "1; /* abc",
        "pause(",
        "click(\"#a\",\n  // why\n",
        "(((((",
        "x[",
        "x[1",
        "throw -",
        "const",
        "let",
    ];
    for text in more {
        assert_eq!(is_whole(text), Whole::NotYet, "{text:?}: {:?}", READER.compile(text).err());
    }
    let whole = [
        "",
        "// only",
        "1",
        "let x = 1",
        "foo(1)",
        "if x { 1 }",
        "fn f() { 1 }",
        "let x",
        "foo)",
        "let let",
        "let = \"abc",
        "\"abc\n",
        "1 2",
        "let x = null;",
        "f({ a: 1 })",
        "} else {",
        "let a = ;",
        "'ab'",
        "\"\\q\"",
        "pause()",
        "var x = (",
    ];
    for text in whole {
        assert_eq!(is_whole(text), Whole::Yes, "{text:?}: {:?}", READER.compile(text).err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_tokens_in_order(text in prop_oneof![
        ".{0,80}",
        "[\"'`#$\\\\{}()/*!\\-+0-9a-zx.\n\r |?&=<>:;ž😀]{0,60}",
        prop::collection::vec(any::<char>(), 0..60).prop_map(|chars| chars.into_iter().collect::<String>()),
    ]) {
        let mut end = 0;
        for token in tokens(&text) {
            prop_assert!(token.range.start >= end && token.range.end > token.range.start, "{text:?} {token:?}");
            prop_assert!(text.get(end..token.range.start).is_some_and(|between| between.trim_matches(|c: char| c.is_ascii_whitespace()).is_empty()), "{text:?} {token:?}");
            prop_assert!(text.get(token.range.clone()).is_some());
            end = token.range.end;
        }
        is_whole(&text);
    }
}
