//! The framed lines of a script with the failing call underlined.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use super::Style;
use crate::run::Place;

/// Lines shown before and after the failing one.
const CONTEXT_LINES: usize = 1;

/// The frame around `place` in `text`, which messages call `name`; none where `text` has no such place.
pub(super) fn excerpt(name: &str, text: &str, place: &Place, style: Style) -> Option<String> {
    let span = span(text, place)?;
    let framed = Framed { source: NamedSource::new(name, text.to_owned()), span };
    let mut out = String::new();
    GraphicalReportHandler::new_themed(theme(style))
        .with_width(style.width)
        .with_context_lines(CONTEXT_LINES)
        .without_syntax_highlighting()
        .render_report(&mut out, &framed)
        .ok()?;
    // The first line is the diagnostic's own header, which is ours to write.
    let (_, frame) = out.split_once('\n')?;
    // miette counts the bytes of the line, people its characters.
    let frame = frame.replacen(&format!(":{}]", byte_column(text, span)), &format!(":{}]", place.column), 1);
    let mut lines: Vec<&str> = frame.trim_end().lines().map(str::trim_end).collect();
    // Ends the last line.
    lines.push("");
    Some(lines.join("\n"))
}

fn theme(style: Style) -> GraphicalTheme {
    match (style.unicode, style.color) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme { characters: miette::ThemeCharacters::ascii(), ..GraphicalTheme::unicode() },
        (false, false) => {
            GraphicalTheme { characters: miette::ThemeCharacters::ascii(), ..GraphicalTheme::unicode_nocolor() }
        }
    }
}

/// The bytes of what stands at `place`: a name, a quoted text, else one character. Rhai counts lines and characters.
fn span(text: &str, place: &Place) -> Option<SourceSpan> {
    let line_start: usize = text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(line_start..)?.lines().next().unwrap_or("");
    let column = place.column.saturating_sub(1);
    let before = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let rest = &line[before..];
    let name_len: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    let len = match rest.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => rest[1..].find(quote).map_or(1, |end| end + 2),
        Some(_) if name_len > 0 => name_len,
        Some(other) => other.len_utf8(),
        None => 0,
    };
    Some((line_start + before, len).into())
}

fn byte_column(text: &str, span: SourceSpan) -> usize {
    span.offset() - text[..span.offset()].rfind('\n').map_or(0, |end| end + 1) + 1
}

/// Only what the frame needs of a diagnostic.
#[derive(Debug)]
struct Framed {
    source: NamedSource<String>,
    span: SourceSpan,
}

impl fmt::Display for Framed {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Framed {}

impl Diagnostic for Framed {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, self.span))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str, line: usize, column: usize) -> String {
        excerpt("a.rhai", text, &Place { file: None, line, column }, Style::PLAIN).unwrap()
    }

    #[test]
    fn the_call_is_underlined_with_a_line_around_it() {
        insta::assert_snapshot!(frame("goto(url);\nlet ž = 1; click(\"#nope\");\nsave();\n", 2, 12), @r##"
          ╭─[a.rhai:2:12]
        1 │ goto(url);
        2 │ let ž = 1; click("#nope");
          ·            ─────
        3 │ save();
          ╰────
        "##);
    }

    #[test]
    fn the_end_of_the_text_can_be_the_place() {
        insta::assert_snapshot!(frame("if true {\n", 2, 1), @r#"
          ╭─[a.rhai:2:1]
        1 │ if true {
          ╰────
        "#);
    }

    #[test]
    fn a_quoted_text_is_underlined_whole_and_ascii_needs_no_more_than_ascii() {
        let place = Place { file: None, line: 1, column: 5 };
        let style = Style { unicode: false, ..Style::PLAIN };
        let frame = excerpt("a.rhai", "type(\"#a b\", 1)", &Place { column: 6, ..place }, style).unwrap();
        assert!(frame.is_ascii(), "{frame}");
        insta::assert_snapshot!(frame, @r##"
          ,-[a.rhai:1:6]
        1 | type("#a b", 1)
          :      ^^^^^^
          `----
        "##);
    }

    #[test]
    fn a_place_outside_the_text_has_no_frame() {
        let outside = Place { file: None, line: 0, column: 1 };
        assert_eq!(excerpt("a", "x", &outside, Style::PLAIN), None);
    }
}
