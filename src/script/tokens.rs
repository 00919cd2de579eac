//! The tokens of a script's text, for highlighting, completion and telling secrets apart; and the judgement whether a text is
//! whole. Never fails: what cannot be read is a token, too.
//!
//! The engine's own lexer reads; what is ours is where each token stands in bytes, comments, and what follows a text that the
//! lexer gave up on.

use std::ops::Range;
use std::sync::LazyLock;

use rhai::{Engine, InputStream, LexError, ParseErrorType, Position, Token, TokenizeState, get_next_token};

use super::{Limits, engine, names};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// `let`, `if` ...
    Keyword,
    /// A name that a call's parenthesis follows.
    Function,
    /// Any other name.
    Name,
    /// `"..."`, also one that is not closed: its value, escapes resolved; none where it interpolates. One that the engine cannot
    /// read is here as it is written.
    Text(Option<String>),
    /// A number.
    Number,
    /// `//` or `/* */`.
    Comment,
    /// Operators and brackets.
    Symbol,
    /// What the engine cannot read.
    Unknown,
}

/// A token and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAt {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub range: Range<usize>,
}

/// All tokens of `text`, in order.
pub fn tokens(text: &str) -> Vec<TokenAt> {
    read(text).0
}

/// Whether a text can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It parses, or it is wrong in a way that more text does not mend.
    Yes,
    /// More text is wanted: a bracket, a string or a block is open.
    NotYet,
}

/// Reads scripts, made once: it is asked at every Enter.
static READER: LazyLock<Engine> = LazyLock::new(|| engine::reader(&Limits::default()));

/// The parser's own judgement. Recursive in the text's nesting: call it on a thread with a stack that suits (see `on_thread`).
pub fn is_whole(text: &str) -> Whole {
    let (tokens, open) = read(text);
    let last = tokens.iter().rfind(|token| token.kind != TokenKind::Comment);
    let failed = match READER.compile(text) {
        Ok(_) if open == Some(Open::Comment) => return Whole::NotYet,
        // The parser takes a closure without a body for one that does nothing.
        Ok(_) if last.is_some_and(|last| text.get(last.range.clone()).is_some_and(|last| last.ends_with('|'))) => {
            return Whole::NotYet;
        }
        Ok(_) => return Whole::Yes,
        Err(failed) => failed,
    };
    let unterminated = matches!(failed.err_type(), ParseErrorType::BadInput(LexError::UnterminatedString));
    let ends_inside = open == Some(Open::Text) && unterminated;
    let at_end = last.is_none_or(|last| failed.position() >= position(text, last.range.end));
    if ends_inside || at_end { Whole::NotYet } else { Whole::Yes }
}

/// Where a byte stands, as the engine counts: lines from 1, characters from 1.
fn position(text: &str, byte: usize) -> Position {
    let before = text.get(..byte).unwrap_or(text);
    let (line, start) = match before.rfind('\n') {
        Some(at) => (before.matches('\n').count() + 1, at + 1),
        None => (1, 0),
    };
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    let fit = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Position::new(fit(line), fit(column))
}

/// What the end of a text left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Comment,
    Text,
}

/// The characters of a text, one after the other, and how far they have been taken.
struct Stream<'a> {
    text: &'a str,
    at: usize,
}

impl Stream<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl InputStream for Stream<'_> {
    fn unget(&mut self, ch: char) {
        self.at = self.at.saturating_sub(ch.len_utf8());
    }

    fn get_next(&mut self) -> Option<char> {
        let next = self.peek_next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn peek_next(&mut self) -> Option<char> {
        self.rest().chars().next()
    }
}

/// The tokens, and what is open where they end.
fn read(text: &str) -> (Vec<TokenAt>, Option<Open>) {
    let mut lexer = Lexer {
        stream: Stream { text, at: 0 },
        state: TokenizeState::default(),
        braces: Vec::new(),
        found: Vec::new(),
        open: None,
    };
    while lexer.step() {}
    let Lexer { mut found, open, .. } = lexer;
    mark_functions(text, &mut found);
    (found, open)
}

struct Lexer<'a> {
    stream: Stream<'a>,
    state: TokenizeState,
    /// The open braces; whether text goes on behind each.
    braces: Vec<bool>,
    found: Vec<TokenAt>,
    open: Option<Open>,
}

impl Lexer<'_> {
    /// Reads one token; false at the end.
    fn step(&mut self) -> bool {
        let goes_on = self.state.is_within_text_terminated_by.is_some();
        if !goes_on {
            let rest = self.stream.rest();
            self.stream.at += rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_whitespace()).len();
            if self.comment() {
                return true;
            }
        }
        let start = self.stream.at;
        if start >= self.stream.text.len() {
            if goes_on {
                self.open = Some(Open::Text);
            }
            return false;
        }
        let (token, _) = get_next_token(&mut self.stream, &mut self.state, &mut Position::new(1, 0));
        let kind = match token {
            Token::EOF => return false,
            Token::LexError(_) if self.stream.text[start..].starts_with(['"', '\'']) => self.unread_text(start),
            Token::StringConstant(value) => self.text(&value, goes_on),
            Token::InterpolatedString(_) => {
                // The brace that opens what is interpolated comes next.
                self.braces.push(true);
                self.push(TokenKind::Text(None), start);
                let brace = self.stream.at;
                let _ = get_next_token(&mut self.stream, &mut self.state, &mut Position::new(1, 0));
                self.push(TokenKind::Symbol, brace);
                return true;
            }
            Token::CharConstant(value) => TokenKind::Text(Some(value.to_string())),
            other => self.plain(&other),
        };
        // A lexer that stood still would be asked for ever.
        if self.stream.at == start && self.stream.get_next().is_none() {
            return false;
        }
        self.push(kind, start);
        true
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.found.push(TokenAt { kind, range: start..self.stream.at });
    }

    /// `//` to the end of its line, or `/* */`, nested.
    fn comment(&mut self) -> bool {
        let rest = self.stream.rest();
        let length = if rest.starts_with("//") {
            rest.find(['\n', '\r']).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let whole = block_comment(rest);
            let length = whole.unwrap_or(rest.len());
            if whole.is_none() {
                self.open = Some(Open::Comment);
            }
            length
        } else {
            return false;
        };
        let start = self.stream.at;
        self.stream.at += length;
        self.push(TokenKind::Comment, start);
        true
    }

    /// A text that the lexer could read to its end, or to that of the whole.
    fn text(&mut self, value: &str, goes_on: bool) -> TokenKind {
        if self.state.is_within_text_terminated_by.is_some() {
            self.open = Some(Open::Text);
            self.state.is_within_text_terminated_by = None;
        }
        TokenKind::Text((!goes_on).then(|| value.to_owned()))
    }

    /// A text that the lexer gave up on: it goes on to its quote, or to the end of its line.
    fn unread_text(&mut self, start: usize) -> TokenKind {
        let written = &self.stream.text[start..];
        let mut chars = written.char_indices();
        let quote = chars.next().map_or('"', |(_, quote)| quote);
        let (mut escaped, mut inside, mut end) = (false, written.len(), written.len());
        for (at, char) in chars {
            match char {
                '\n' if !escaped => {
                    (inside, end) = (at, at);
                    break;
                }
                char if char == quote && !escaped => {
                    (inside, end) = (at, at + 1);
                    break;
                }
                char => escaped = char == '\\' && !escaped,
            }
        }
        if inside == written.len() {
            self.open = Some(Open::Text);
        }
        let raw = &written[1.min(inside)..inside];
        let value = closed_value(raw).unwrap_or_else(|| raw.to_owned());
        self.stream.at = start + end;
        self.state = TokenizeState::default();
        TokenKind::Text(Some(value))
    }

    /// A token that is no text.
    fn plain(&mut self, token: &Token) -> TokenKind {
        if matches!(token, Token::LeftBrace | Token::MapStart) {
            self.braces.push(false);
        } else if matches!(token, Token::RightBrace) && self.braces.pop() == Some(true) {
            self.state.is_within_text_terminated_by = Some("`".into());
        }
        match token {
            Token::IntegerConstant(_) | Token::FloatConstant(_) => TokenKind::Number,
            Token::Identifier(_) => TokenKind::Name,
            Token::Reserved(word) => reserved(word),
            token if token.is_standard_keyword() || matches!(token, Token::Switch) => TokenKind::Keyword,
            Token::LexError(_) => TokenKind::Unknown,
            _ => TokenKind::Symbol,
        }
    }
}

/// How long a block comment is; none where it is open.
fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut level) = (0, 0_usize);
    while at < bytes.len() {
        let step = match bytes.get(at..at + 2) {
            Some(b"/*") => {
                level += 1;
                2
            }
            Some(b"*/") => {
                level -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if level == 0 {
            return Some(at);
        }
    }
    None
}

/// What an open text holds, had it been closed.
fn closed_value(raw: &str) -> Option<String> {
    let text = format!("\"{raw}\"");
    let mut stream = Stream { text: &text, at: 0 };
    match get_next_token(&mut stream, &mut TokenizeState::default(), &mut Position::new(1, 0)).0 {
        Token::StringConstant(value) if stream.at == text.len() => Some(value.to_string()),
        _ => None,
    }
}

/// Words and signs that the engine keeps for itself.
fn reserved(word: &str) -> TokenKind {
    match word {
        "this" | "global" => TokenKind::Keyword,
        word if engine::FREED.contains(&word) || (word != "eval" && names::is_stock(word)) => TokenKind::Name,
        _ => TokenKind::Unknown,
    }
}

/// Names that a parenthesis follows are functions.
fn mark_functions(text: &str, found: &mut [TokenAt]) {
    let mut called = false;
    for token in found.iter_mut().rev() {
        match token.kind {
            TokenKind::Comment => continue,
            TokenKind::Name if called => token.kind = TokenKind::Function,
            _ => {}
        }
        called = text.get(token.range.clone()).is_some_and(|written| written.starts_with('('));
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
