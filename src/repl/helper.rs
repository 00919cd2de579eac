//! What rustyline asks while a line is typed: completion, hints, colours, and whether it is whole.

use std::borrow::Cow;
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::SearchDirection;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context};

use super::assistant::Assistant;
use super::commands::asked;
use super::context::is_in_text;
use super::editing::Editing;
use super::highlight::highlight;
use super::hint::signature;
use crate::diagnose::visible_line;
use crate::script::{Whole, is_whole};

/// Beyond this a line is not looked at while it is typed: somebody pasted a file.
const LONGEST: usize = 20_000;

#[derive(rustyline::Helper)]
pub(super) struct Helper {
    pub assistant: Assistant,
    pub editing: Arc<Editing>,
    pub color: bool,
}

/// Grey text behind the cursor.
pub(super) struct Shadow {
    text: String,
    /// Whether the right arrow takes it over: what was typed before is, a signature is not.
    is_input: bool,
}

impl Hint for Shadow {
    fn display(&self) -> &str {
        &self.text
    }

    fn completion(&self) -> Option<&str> {
        self.is_input.then_some(&self.text)
    }
}

impl Hinter for Helper {
    type Hint = Shadow;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<Shadow> {
        self.editing.type_line(line);
        if line.is_empty() || pos < line.len() || line.len() > LONGEST {
            return None;
        }
        if line.ends_with('\n') {
            return Some(Shadow { text: "  an empty line runs it".to_owned(), is_input: false });
        }
        let earlier = || {
            let from = ctx.history_index().min(ctx.history().len()).checked_sub(1)?;
            let found = ctx.history().starts_with(line, from, SearchDirection::Reverse).ok().flatten()?;
            let rest = found.entry.get(line.len()..).filter(|rest| !rest.is_empty() && !rest.contains('\n'))?;
            Some(Shadow { text: visible_line(rest), is_input: true })
        };
        signature(line).map(|text| Shadow { text, is_input: false }).or_else(earlier)
    }
}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if line.len() > LONGEST {
            return Ok((pos, Vec::new()));
        }
        let (start, found) = self.assistant.complete(line, pos);
        // What is chosen inside a string ends it: the grey signature behind the cursor looks as if it were closed already.
        let open = is_in_text(&line[..pos]) && !line[pos..].starts_with('"');
        let close = if open { "\"" } else { "" };
        let pairs = found.into_iter().map(|found| Pair { display: found.shown, replacement: found.text + close });
        Ok((start, pairs.collect()))
    }
}

impl Highlighter for Helper {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        if self.color && line.len() <= LONGEST { Cow::Owned(highlight(line, pos)) } else { Cow::Borrowed(line) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\u{1b}[2m{hint}\u{1b}[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.color
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        // An empty line after it sends it, whatever the parser says.
        let is_sent = asked(text).is_some() || text.trim().is_empty() || ends_empty(text);
        if is_sent || is_whole(text) == Whole::Yes {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(ValidationResult::Incomplete)
    }
}

/// Whether the last line of `text` has nothing on it.
fn ends_empty(text: &str) -> bool {
    text.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty())
}

/// Every choice in a list, whether it is ambiguous or not.
pub(super) const COMPLETION: CompletionType = CompletionType::List;
