//! Colours of what is being typed: by token, with the bracket at the cursor and its partner. Pure.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::script::{self, TokenKind, tokens};

/// `text` with colours, the cursor at the byte `cursor`. Its width on the screen stays as it is.
pub(super) fn highlight(text: &str, cursor: usize) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    if text.starts_with('.') {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        paint(&mut out, color(AnsiColor::Yellow), &text[..end]);
        out.push_str(&text[end..]);
        return out;
    }
    let tokens = tokens(text);
    let symbols: Vec<(usize, &str)> = tokens
        .iter()
        .filter(|token| token.kind == TokenKind::Symbol)
        .filter_map(|token| Some((token.range.start, text.get(token.range.clone())?)))
        .collect();
    let matched = matched(&symbols, cursor);
    let mut at = 0;
    for token in &tokens {
        let range = token.range.clone();
        // A token is never trusted to stand where it says: what cannot be is left plain.
        let (Some(before), Some(written)) = (text.get(at..range.start), text.get(range.clone())) else { continue };
        out.push_str(before);
        let is_matched = matched.is_some_and(|(one, other)| range.start == one || range.start == other);
        paint(
            &mut out,
            if is_matched { Style::new().bold().underline() } else { style(&token.kind, written) },
            written,
        );
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn style(kind: &TokenKind, written: &str) -> Style {
    match kind {
        TokenKind::Keyword => color(AnsiColor::Magenta),
        TokenKind::Function if script::find(written).is_some() => color(AnsiColor::Blue).bold(),
        TokenKind::Function => color(AnsiColor::Blue),
        TokenKind::Text(_) => color(AnsiColor::Green),
        TokenKind::Number => color(AnsiColor::Cyan),
        TokenKind::Comment => Style::new().dimmed(),
        TokenKind::Unknown => color(AnsiColor::Red),
        TokenKind::Name | TokenKind::Symbol => Style::new(),
    }
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}

fn paint(out: &mut String, style: Style, text: &str) {
    if style == Style::new() {
        out.push_str(text);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "{style}{text}{style:#}");
    }
}

/// Where the bracket at or before the cursor stands, and the one that belongs to it.
fn matched(symbols: &[(usize, &str)], cursor: usize) -> Option<(usize, usize)> {
    let at = |(start, written): &(usize, &str)| *start == cursor || start + written.len() == cursor;
    let mut stack: Vec<(usize, &str)> = Vec::new();
    let mut pairs = Vec::new();
    for (start, written) in symbols {
        match *written {
            "(" | "[" | "{" | "#{" => stack.push((*start, written)),
            ")" | "]" | "}" => {
                let (opened, bracket) = stack.pop()?;
                let fits = matches!((bracket, *written), ("(", ")") | ("[", "]") | ("{" | "#{", "}"));
                fits.then_some(())?;
                pairs.push(((opened, bracket), (*start, *written)));
            }
            _ => {}
        }
    }
    pairs.iter().find(|(one, other)| at(other) || at(one)).map(|(one, other)| (one.0, other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn tokens_have_colours_and_the_text_stays() {
        let text = "let x = click(\"#a\", 12); // é";
        let shown = highlight(text, text.len());
        assert_eq!(plain(&shown), text);
        for piece in ["\u{1b}[35mlet", "\u{1b}[32m\"#a\"", "\u{1b}[36m12", "\u{1b}[2m// é"] {
            assert!(shown.contains(piece), "no {piece:?} in {shown:?}");
        }
    }

    #[test]
    fn the_bracket_at_the_cursor_and_its_partner_stand_out() {
        let shown = highlight("f(g())", 6);
        assert!(shown.contains("\u{1b}[1m\u{1b}[4m(\u{1b}[0m"), "{shown:?}");
        assert_eq!(matched(&[(0, "("), (1, "]")], 1), None);
    }

    #[test]
    fn commands_are_no_script() {
        assert_eq!(highlight(".help click", 3), "\u{1b}[33m.help\u{1b}[0m click");
    }
}
