//! The statements of an input, told apart so that each can be run, fail and be written down on its own.

use std::ops::Range;

use rhai::{AST, Engine, Position, Stmt};

use crate::script::tokens::{TokenAt, TokenKind, tokens};

/// Words and signs that begin a statement which its closing brace ends.
const BLOCKS: &[&str] = &["fn", "private", "if", "while", "loop", "for", "try", "{"];
/// Words that go on where a brace has closed.
const GO_ON: &[&str] = &["else", "catch"];

/// A whole statement or function of an input, with the comments before it.
#[derive(Debug)]
pub struct Piece {
    /// As it was written, without the space around it.
    pub text: String,
    /// What of it runs: nothing of a function.
    pub statements: Vec<Stmt>,
}

/// The pieces of `text`, which `ast` was read from with `engine`.
pub fn pieces(engine: &Engine, text: &str, ast: &AST) -> Vec<Piece> {
    let ranges = ranges(engine, text);
    let mut found: Vec<Piece> = ranges
        .iter()
        .map(|range| Piece {
            text: text.get(range.clone()).unwrap_or_default().trim().to_owned(),
            statements: Vec::new(),
        })
        .collect();
    let lines = Lines::of(text);
    let mut last = 0;
    for statement in ast.statements() {
        // A statement without a place belongs to the one before it.
        if let Some(byte) = lines.byte(statement.position()) {
            last = ranges.partition_point(|range| range.start <= byte).saturating_sub(1).max(last);
        }
        if let Some(piece) = found.get_mut(last) {
            piece.statements.push(statement.clone());
        }
    }
    found
}

/// Where each line begins.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn byte(&self, position: Position) -> Option<usize> {
        let start = *self.starts.get(position.line()?.checked_sub(1)?)?;
        let column = position.position().unwrap_or(1).saturating_sub(1);
        let rest = self.text.get(start..)?;
        Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
    }
}

/// Where the pieces stand; together they cover the text.
fn ranges(engine: &Engine, text: &str) -> Vec<Range<usize>> {
    let all = tokens(text);
    let written = |token: &TokenAt| text.get(token.range.clone()).unwrap_or_default();
    let (comments, code): (Vec<&TokenAt>, Vec<&TokenAt>) =
        all.iter().partition(|token| token.kind == TokenKind::Comment);
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut start, mut first, mut depth) = (0, "", 0_usize);
    for (at, token) in code.iter().enumerate() {
        let here = written(token);
        if first.is_empty() {
            first = here;
        }
        if token.kind != TokenKind::Symbol {
            continue;
        }
        match here {
            "(" | "[" | "{" | "#{" | "?[" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let next = code.get(at + 1).map_or("", |next| written(next));
        let closes = here == "}" && BLOCKS.contains(&first) && next != ";" && !GO_ON.contains(&next);
        // The condition of a block may hold braces of its own: only the whole of it is read without an error.
        let is_whole = || engine.compile(text.get(start..token.range.end).unwrap_or_default()).is_ok();
        if depth == 0 && (here == ";" || (closes && is_whole())) {
            let end = with_comment(text, &comments, token.range.end);
            found.push(start..end);
            (start, first) = (end, "");
        }
    }
    if !first.is_empty() {
        found.push(start..text.len());
    } else if let Some(last) = found.last_mut() {
        last.end = text.len();
    }
    found
}

/// The end of a piece whose last token ends at `end`: a comment on the same line belongs to it.
fn with_comment(text: &str, comments: &[&TokenAt], end: usize) -> usize {
    let after = comments.iter().find(|comment| comment.range.start >= end);
    let same_line = |comment: &&&TokenAt| {
        text.get(end..comment.range.start).is_some_and(|between| between.trim_matches([' ', '\t']).is_empty())
    };
    after.filter(same_line).map_or(end, |comment| comment.range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Limits, engine};

    fn split(text: &str) -> Vec<(String, usize)> {
        let engine = engine::reader(&Limits::default());
        let ast = engine.compile(text).unwrap();
        pieces(&engine, text, &ast).into_iter().map(|piece| (piece.text, piece.statements.len())).collect()
    }

    #[test]
    fn statements_are_told_apart_as_they_were_written() {
        let check = |text: &str, wanted: &[&str]| {
            let found: Vec<String> = split(text).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, wanted, "{text}");
        };
        check("let a = 1; let b = 2;\na + b", &["let a = 1;", "let b = 2;", "a + b"]);
        check("fn f() { 1; 2 } f()", &["fn f() { 1; 2 }", "f()"]);
        check("if a { 1; } else { 2; } print(1);", &["if a { 1; } else { 2; }", "print(1);"]);
        check("try { 1; } catch (e) { 2; }\nx;", &["try { 1; } catch (e) { 2; }", "x;"]);
        check("for x in if a { [1] } else { [2] } { y; } z;", &["for x in if a { [1] } else { [2] } { y; }", "z;"]);
        check("let m = #{ a: || { 1; 2 } }; m", &["let m = #{ a: || { 1; 2 } };", "m"]);
        check(
            "// one\na(); // same line\n/* two */ b();\n// end",
            &["// one\na(); // same line", "/* two */ b();\n// end"],
        );
        check("`${ { let x = 1; x } }`; \"a;b\"", &["`${ { let x = 1; x } }`;", "\"a;b\""]);
        check("fn f() {};", &["fn f() {};"]);
        check("do { a; } while b; c", &["do { a; } while b;", "c"]);
        check("let x = switch a { 1 => 2, _ => { 3 } }; x", &["let x = switch a { 1 => 2, _ => { 3 } };", "x"]);
        check("// nothing", &[]);
    }

    #[test]
    fn each_piece_has_its_own_statements() {
        let text = "let a = \"ž😀\"; (1 + 2).x; -z;\n  fn f() { 1 } while a { b } { c; d } !x";
        let counts: Vec<usize> = split(text).into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 1, 0, 1, 1, 1]);
    }
}
