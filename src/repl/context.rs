//! Where in a script's text the cursor stands: inside which calls, maps and strings. Pure; nothing is ever wrong with a text.

use crate::script::{TokenAt, TokenKind, tokens};

/// A bracket that is open at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open<'t> {
    /// `(`, `[`, `{` or `#{`.
    pub bracket: &'t str,
    /// The function whose call it opens.
    pub function: Option<&'t str>,
    /// How many commas came since.
    pub commas: usize,
    /// Whether anything came since the last comma.
    pub filled: bool,
    /// Inside `#{`: the key whose value is being written.
    pub key: Option<&'t str>,
}

/// What stands before the cursor.
#[derive(Debug)]
pub(super) struct Context<'t> {
    /// Up to the cursor.
    pub text: &'t str,
    /// The brackets that are open, outermost first.
    pub open: Vec<Open<'t>>,
    /// Tokens before the word that is being written, comments left out.
    pub before: Vec<TokenAt>,
    /// Where that word begins; inside a string, the string's content.
    pub word: usize,
    /// Whether the cursor is inside a string.
    pub quoted: bool,
    /// Whether it is inside a comment.
    pub commented: bool,
}

impl<'t> Context<'t> {
    /// Reads `text`, which ends at the cursor.
    pub fn of(text: &'t str) -> Self {
        let mut before = tokens(text);
        let commented = before.last().is_some_and(|last| is_open_comment(text, last));
        before.retain(|token| token.kind != TokenKind::Comment && text.get(token.range.clone()).is_some());
        let (mut word, mut quoted) = (text.len(), false);
        if let Some(last) = before.last()
            && last.range.end == text.len()
        {
            let written = &text[last.range.clone()];
            if matches!(last.kind, TokenKind::Text(_) | TokenKind::Unknown) && is_open_text(written) {
                (word, quoted) = (last.range.start + 1, true);
                before.pop();
            } else if is_word(written) {
                word = last.range.start;
                before.pop();
            }
        }
        let open = open_brackets(text, &before);
        Self { text, open, before, word, quoted, commented }
    }

    /// The word, or the beginning of the string's content, as it is written.
    pub fn written(&self) -> &'t str {
        &self.text[self.word..]
    }

    /// The token before the word.
    pub fn last(&self) -> Option<&'t str> {
        self.before.last().map(|token| &self.text[token.range.clone()])
    }

    /// The innermost call and its open bracket, with the options map inside it that the cursor is in.
    pub fn call(&self) -> Option<(&Open<'t>, Option<&Open<'t>>)> {
        let mut options = None;
        for open in self.open.iter().rev() {
            match open.bracket {
                "(" => return open.function.is_some().then_some((open, options)),
                // Of two maps in each other the outer one is the call's.
                "#{" => options = Some(open),
                "[" => {}
                _ => return None,
            }
        }
        None
    }
}

/// Whether the end of `text` is inside a string in double quotes.
pub(super) fn is_in_text(text: &str) -> bool {
    let context = Context::of(text);
    context.quoted && text[..context.word].ends_with('"')
}

fn open_brackets<'t>(text: &'t str, before: &[TokenAt]) -> Vec<Open<'t>> {
    let mut stack: Vec<Open<'t>> = Vec::new();
    let mut previous: Option<&TokenAt> = None;
    for token in before {
        let written = &text[token.range.clone()];
        match written {
            "(" | "[" | "{" | "#{" => {
                if let Some(parent) = stack.last_mut() {
                    parent.filled = true;
                }
                let name = previous.filter(|_| written == "(").filter(|name| is_word(&text[name.range.clone()]));
                let function = name.map(|name| &text[name.range.clone()]);
                stack.push(Open { bracket: written, function, commas: 0, filled: false, key: None });
            }
            ")" | "]" | "}" => drop(stack.pop()),
            _ => {
                if let Some(open) = stack.last_mut() {
                    match written {
                        "," => (open.commas, open.filled, open.key) = (open.commas + 1, false, None),
                        ":" if open.bracket == "#{" => {
                            open.key = previous.map(|key| text[key.range.clone()].trim_matches('"'));
                            open.filled = false;
                        }
                        _ => open.filled = true,
                    }
                }
            }
        }
        previous = Some(token);
    }
    stack
}

/// Whether it is a name, or the beginning of one.
pub(super) fn is_word(written: &str) -> bool {
    let mut characters = written.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|other| other.is_alphanumeric() || other == '_')
}

/// Whether a string's closing quote is missing.
pub(super) fn is_open_text(written: &str) -> bool {
    let mut characters = written.chars();
    let Some(quote @ ('"' | '`')) = characters.next() else { return false };
    while let Some(character) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            return false;
        }
    }
    true
}

fn is_open_comment(text: &str, token: &TokenAt) -> bool {
    let Some(written) = text.get(token.range.clone()) else { return false };
    token.kind == TokenKind::Comment
        && token.range.end == text.len()
        && (written.starts_with("//") && !written.ends_with('\n')
            || written.starts_with("/*") && !written.ends_with("*/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_the_argument_and_the_option_are_known() {
        let context = Context::of("click(\"#go\", #{ timeout: \"5s\", but");
        let (call, options) = context.call().unwrap();
        assert_eq!((call.function, call.commas), (Some("click"), 1));
        assert_eq!(options.map(|map| (map.commas, map.filled, map.key)), Some((1, false, None)));
        assert_eq!((context.written(), context.quoted), ("but", false));
    }

    #[test]
    fn a_string_that_is_not_closed_is_where_the_cursor_is() {
        let context = Context::of("click(\"#us");
        assert_eq!((context.written(), context.quoted), ("#us", true));
        assert_eq!(context.call().unwrap().0.function, Some("click"));
        assert!(!Context::of("click(\"#us\"").quoted);
        assert!(is_open_text("\"a\\\"") && !is_open_text("\"a\\\\\""));
    }

    #[test]
    fn an_options_value_knows_its_key() {
        let context = Context::of("click(\"a\", #{ button: \"le");
        assert_eq!(context.call().unwrap().1.unwrap().key, Some("button"));
        assert!(Context::of("click(\"a\"); if x { ").call().is_none());
    }
}
