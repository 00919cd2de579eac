//! Script text without secrets: where a literal holds the value of one, `secret("NAME")` stands instead. Pure.

use std::collections::BTreeMap;

use crate::base::{Redactor, Secret};
use crate::script::{TokenKind, tokens};

/// A value shorter than this is replaced only where it is the whole literal: it would be found everywhere.
const SHORTEST_PART: usize = 4;

/// A password that was typed is replaced as a part of a literal from so many characters on, and where no word is like it.
const SHORTEST_TYPED_PART: usize = 8;

/// The values that must not stand in code, as they were when it was made.
#[derive(Clone)]
pub(super) struct Vault {
    /// A value that holds another comes before it.
    known: Vec<Known>,
    /// Finds those that are replaced in parts where no expression can stand for them.
    strict: Redactor,
}

#[derive(Clone)]
struct Known {
    secret: Secret,
    /// Whether it is replaced within a longer literal, too.
    in_parts: bool,
}

/// What becomes of a text literal.
enum Rewritten {
    /// It holds no secret and stays.
    Not,
    /// This expression.
    As(String),
    /// A secret stands in it in a form that no expression makes.
    Impossible,
}

enum Piece {
    Plain(String),
    Secret(String),
}

/// Whether a password that somebody typed can be told from the words of selectors and texts: `admin` cannot.
fn is_distinct(value: &str) -> bool {
    value.len() >= SHORTEST_TYPED_PART && !value.chars().all(char::is_alphabetic)
}

impl Vault {
    /// Of the secrets that scripts can ask for, and of what `redactor` knows beside them: passwords that were typed.
    pub fn new(secrets: &BTreeMap<String, Secret>, redactor: &Redactor) -> Self {
        let given = secrets.values().cloned();
        let given = given.map(|secret| Known { in_parts: secret.expose().len() >= SHORTEST_PART, secret });
        let typed = redactor.secrets().into_iter().filter(|secret| !secrets.contains_key(secret.name()));
        let typed = typed.map(|secret| Known { in_parts: is_distinct(secret.expose()), secret });
        let mut known: Vec<Known> = given.chain(typed).filter(|known| !known.secret.expose().is_empty()).collect();
        known.sort_by_key(|known| std::cmp::Reverse(known.secret.expose().len()));
        let strict = Redactor::default();
        known.iter().filter(|known| known.in_parts).for_each(|known| strict.learn(&known.secret));
        Self { known, strict }
    }

    /// Whether no secret stands in `text`, whatever it is.
    pub fn is_clean(&self, text: &str) -> bool {
        self.strict.redact(text) == text
    }

    /// `text` with `secret("NAME")` in place of values; none where one stands in it in a way that cannot be written so.
    pub fn without_secrets(&self, text: &str) -> Option<String> {
        let tokens = tokens(text);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (index, token) in tokens.iter().enumerate() {
            let TokenKind::Text(value) = &token.kind else { continue };
            let (Some(before), Some(written)) = (text.get(at..token.range.start), text.get(token.range.clone())) else {
                continue;
            };
            let replaced = match value {
                Some(value) if !written.starts_with('`') => self.literal(value),
                _ => self.in_backticks(written),
            };
            let replaced = match replaced {
                Rewritten::As(replaced) => replaced,
                Rewritten::Not => continue,
                Rewritten::Impossible => return None,
            };
            let neighbour = |token: Option<&crate::script::TokenAt>| token.map(|token| &text[token.range.clone()]);
            let stands_alone =
                matches!(
                    neighbour(index.checked_sub(1).and_then(|index| tokens.get(index))),
                    None | Some("(" | "," | ":" | "=" | "[" | ";" | "{")
                ) && matches!(neighbour(tokens.get(index + 1)), None | Some(")" | "," | ";" | "]" | "}"));
            out.push_str(before);
            // What goes on behind an interpolation cannot be put in parentheses from here.
            if stands_alone || value.is_none() || !replaced.contains(" + ") {
                out.push_str(&replaced);
            } else {
                out.push('(');
                out.push_str(&replaced);
                out.push(')');
            }
            at = token.range.end;
        }
        out.push_str(text.get(at..)?);
        self.is_clean(&out).then_some(out)
    }

    /// An expression in place of a text with this value.
    fn literal(&self, value: &str) -> Rewritten {
        let Some(pieces) = self.split(value) else { return Rewritten::Impossible };
        if !pieces.iter().any(|piece| matches!(piece, Piece::Secret(_))) {
            return Rewritten::Not;
        }
        Rewritten::As(joined(pieces, |text| format!("\"{}\"", escaped(text))))
    }

    /// The same for a piece of a text in backticks, as it is written: it is closed before the secret, and opened behind it.
    fn in_backticks(&self, written: &str) -> Rewritten {
        let Some(pieces) = self.split(written) else { return Rewritten::Impossible };
        if !pieces.iter().any(|piece| matches!(piece, Piece::Secret(_))) {
            return Rewritten::Not;
        }
        let written = pieces.into_iter().map(|piece| match piece {
            Piece::Plain(text) => text,
            Piece::Secret(name) => format!("` + {} + `", call(&name)),
        });
        let written: String = written.collect();
        // Nothing is said by an empty text at either end.
        let written = written.strip_prefix("`` + ").unwrap_or(&written);
        Rewritten::As(written.strip_suffix(" + ``").unwrap_or(written).to_owned())
    }

    /// `value` in pieces; none where a secret stands in it in another form than its own.
    fn split(&self, value: &str) -> Option<Vec<Piece>> {
        let mut pieces = vec![Piece::Plain(value.to_owned())];
        for Known { secret, in_parts } in &self.known {
            if value == secret.expose() {
                return Some(vec![Piece::Secret(secret.name().to_owned())]);
            }
            if *in_parts {
                pieces = pieces.into_iter().flat_map(|piece| cut(piece, secret.expose(), secret.name())).collect();
            }
        }
        // An encoding of one: no script can make that of the secret.
        let is_clean = |piece: &Piece| match piece {
            Piece::Plain(text) => self.is_clean(text),
            Piece::Secret(_) => true,
        };
        pieces.iter().all(is_clean).then_some(pieces)
    }
}

fn cut(piece: Piece, value: &str, name: &str) -> Vec<Piece> {
    let Piece::Plain(text) = piece else { return vec![piece] };
    let mut pieces = Vec::new();
    for (index, part) in text.split(value).enumerate() {
        if index > 0 {
            pieces.push(Piece::Secret(name.to_owned()));
        }
        pieces.push(Piece::Plain(part.to_owned()));
    }
    pieces
}

fn joined(pieces: Vec<Piece>, plain: impl Fn(&str) -> String) -> String {
    let written = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Plain(text) if text.is_empty() => None,
        Piece::Plain(text) => Some(plain(&text)),
        Piece::Secret(name) => Some(call(&name)),
    });
    written.collect::<Vec<_>>().join(" + ")
}

fn call(name: &str) -> String {
    format!("secret({name:?})")
}

/// As it stands between the quotes of a script's string.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: Option<&str>) {
        let secret = |name: &str, value: &str| (name.to_owned(), Secret::new(name, value.to_owned()));
        let secrets = BTreeMap::from([secret("PW", "hunter2222"), secret("TOKEN", "tok\"en 1"), secret("PIN", "77")]);
        let redactor = Redactor::default();
        for secret in secrets.values() {
            redactor.learn(secret);
        }
        redactor.learn(&Secret::new("PASSWORD", "typed-by-hand".into()));
        redactor.learn(&Secret::new("PASSWORD_2", "admin".into()));
        redactor.learn(&Secret::new("PASSWORD_3", "password".into()));
        let vault = Vault::new(&secrets, &redactor);
        assert_eq!(vault.without_secrets(text).as_deref(), wanted, "{text}");
    }

    #[test]
    fn a_value_becomes_the_call() {
        check("fill(\"#p\", \"hunter2222\");", Some("fill(\"#p\", secret(\"PW\"));"));
        check("fill(\"#p\", \"tok\\\"en 1\")", Some("fill(\"#p\", secret(\"TOKEN\"))"));
        check("fill(\"#p\", `hunter2222`)", Some("fill(\"#p\", secret(\"PW\"))"));
        // A short one only where it is all.
        check("fill(\"#p\", \"77\", \"1770\")", Some("fill(\"#p\", secret(\"PIN\"), \"1770\")"));
    }

    #[test]
    fn a_text_that_holds_one_is_split() {
        check("f(\"Bearer hunter2222!\")", Some("f(\"Bearer \" + secret(\"PW\") + \"!\")"));
        check("let x = \"a hunter2222\".len()", Some("let x = (\"a \" + secret(\"PW\")).len()"));
        check("f(`${g(\"hunter2222\")}`)", Some("f(`${g(secret(\"PW\"))}`)"));
        check("f(`hunter2222 ${x}`)", Some("f(secret(\"PW\") + ` ${x}`)"));
        check("f(`a ${x} hunter2222 ${y}`)", Some("f(`a ${x} ` + secret(\"PW\") + ` ${y}`)"));
    }

    #[test]
    fn a_password_that_was_typed_gets_a_name() {
        check("fill(\"#p\", \"typed-by-hand\")", Some("fill(\"#p\", secret(\"PASSWORD\"))"));
    }

    #[test]
    fn a_weak_password_that_was_typed_leaves_words_alone() {
        check("fill(\"#password\", \"password\")", Some("fill(\"#password\", secret(\"PASSWORD_3\"))"));
        check("goto(\"/admin\"); let admin = \"admin\"", Some("goto(\"/admin\"); let admin = secret(\"PASSWORD_2\")"));
        check("f(\"a typed-by-hand\")", Some("f(\"a \" + secret(\"PASSWORD\"))"));
    }

    #[test]
    fn what_cannot_be_written_so_is_not_written_at_all() {
        check("// it is hunter2222", None);
        check("let hunter2222 = 1;", None);
        // An encoding of it.
        check("goto(\"http://a/?q=tok%22en+1\")", None);
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for text in ["", "let x = 1; // hunter", "f(`a ${b(\"}\")} c`)", "\"open", "`open ${", "'x'"] {
            check(text, Some(text));
        }
    }
}
