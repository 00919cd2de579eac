//! Inputs that failed and may hold a password that nobody could learn: their verbs were not reached, or they are no script. Pure.

use crate::script::{TokenKind, is_about_password, tokens};

/// The function whose argument is a name and no value.
const SECRET: &str = "secret";

/// What a bracket opened.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// Whether something about a password was named in it.
    named: bool,
    /// Whether it is a call of `secret`.
    is_secret: bool,
}

/// Whether a literal follows something about a password, in the same statement and call.
pub(super) fn is_doubtful(text: &str) -> bool {
    let tokens = tokens(text);
    let mut frames = vec![Frame::default()];
    let mut before = "";
    for token in &tokens {
        let written = text.get(token.range.clone()).unwrap_or_default();
        let top = frames.last().copied().unwrap_or_default();
        match written {
            "(" | "[" => frames.push(Frame { named: top.named, is_secret: written == "(" && before == SECRET }),
            // Options, or a block: what stands in it is named in it.
            "{" | "#{" => frames.push(Frame::default()),
            ")" | "]" | "}" if frames.len() > 1 => drop(frames.pop()),
            ";" => set_named(&mut frames, false),
            _ if top.is_secret || token.kind == TokenKind::Comment => {}
            _ if matches!(token.kind, TokenKind::Text(_)) && top.named => return true,
            _ if is_about_password(written) => set_named(&mut frames, true),
            _ => {}
        }
        before = written;
    }
    false
}

/// The same for a text that is no script, whose quotes and brackets may stand anywhere: whether anything follows.
pub(super) fn is_doubtful_piece(text: &str) -> bool {
    let tokens = tokens(text);
    let mut named = false;
    for (index, token) in tokens.iter().enumerate() {
        let written = text.get(token.range.clone()).unwrap_or_default();
        let at = |back: usize| tokens.get(index.checked_sub(back)?).and_then(|token| text.get(token.range.clone()));
        if at(2) == Some(SECRET) && at(1) == Some("(") && written.ends_with('"') && !written.contains(',') {
            continue;
        }
        let is_code = matches!(token.kind, TokenKind::Symbol | TokenKind::Keyword | TokenKind::Function);
        // A text that was not closed in time may hold what was meant to follow it.
        if !is_code && (named || (is_about_password(written) && written.contains([',', ' ', '\n']))) {
            return true;
        }
        named |= is_about_password(written);
    }
    false
}

fn set_named(frames: &mut [Frame], named: bool) {
    if let Some(top) = frames.last_mut() {
        top.named = named;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_behind_a_password_is_doubtful() {
        for text in [
            r##"fil("#password", "hunter22")"##,
            r##"goto("http://nowhere"); fill("#pwd", "hunter" + "22");"##,
            r##"fill("#password", `hunter22`)"##,
            r##"fill("#password", trim(("hunter22")))"##,
            r#"acme.fill("label=Password", ["hunter22"])"#,
            r##"fill_all(#{ "#user": "a", "#password": "hunter22" })"##,
            r#"let password = "hunter22"; nonsense()"#,
            r#"fil(password_field, "hunter22")"#,
        ] {
            assert!(is_doubtful(text), "{text}");
        }
        for text in [
            r##"fill("#password", secret("PASSWORD"), #{ timeout: "200ms" })"##,
            r##"click("#password-toggle", #{ timeout: "200ms" }); click("#b")"##,
            r##"fil("#user", "somebody")"##,
            r##"fill("#password", pw); print("done")"##,
            "click(\"#password\") // \"a\"",
            "",
        ] {
            assert!(!is_doubtful(text), "{text}");
        }
    }

    #[test]
    fn so_is_whatever_follows_in_a_text_that_is_no_script() {
        for text in [
            r##"fill("#password", "hunter22)"##,
            r##"fill("#password, "hunter22")"##,
            r#"fill(#password", "hunter22")"#,
            r##"fill("#password", hunter22")"##,
            r##"fill("#password, hunter22)"##,
            r"fill('#password', 'hunter22')",
        ] {
            assert!(is_doubtful_piece(text), "{text}");
        }
        for text in [
            r##"click("#password-toggle""##,
            r##"fill("#password", secret("PW")"##,
            r##"fill("#user", "somebody)"##,
            "let = 1",
        ] {
            assert!(!is_doubtful_piece(text), "{text}");
        }
    }
}
