//! A failure as text: header, excerpt, what was tried, what was near, the calls that led there, the way out.

use std::fmt::Write;

use super::excerpt::excerpt;
use super::harmless::harmless_failure;
use super::{Style, Tone, blanked, hint, visible_line};
use crate::run::{ALSO, Failure, Place};

/// The script that failed, and how to get at the ones it imports.
#[derive(Clone, Copy)]
pub struct Script<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The text of an imported file by the name that a [`Place`] gives it; none where it cannot be had.
    pub imported: &'a dyn Fn(&str) -> Option<String>,
}

impl Script<'_> {
    /// For failures that have no script.
    pub const NONE: Script<'static> = Script { name: "", text: "", imported: &|_| None };

    fn name_at(&self, place: &Place) -> String {
        visible_line(place.file.as_deref().unwrap_or(self.name))
    }

    fn excerpt(&self, place: &Place, style: Style) -> Option<String> {
        let imported = place.file.as_deref().map(|file| (self.imported)(file));
        let text = match &imported {
            Some(text) => text.as_deref()?,
            None => self.text,
        };
        excerpt(&self.name_at(place), &blanked(text), place, style)
    }
}

/// `failure` as a person reads it, ending with a newline. Nothing of a page or a script in it can steer the terminal.
pub fn render(failure: &Failure, script: &Script<'_>, style: Style) -> String {
    let failure = &harmless_failure(failure.clone());
    let mut out = String::new();
    let label = style.paint(Tone::Bad, &format!("error[{}]:", failure.code));
    line(&mut out, &format!("{label} {}", style.paint(Tone::Strong, failure.message.trim_end())));
    if let Some(place) = &failure.place {
        match script.excerpt(place, style) {
            Some(frame) => out.push_str(&frame),
            None => line(&mut out, &format!("  at {}:{}:{}", script.name_at(place), place.line, place.column)),
        }
    }
    for cause in &failure.causes {
        let label = if cause.starts_with(ALSO) { "" } else { "because: " };
        line(&mut out, &format!("  {label}{cause}"));
    }
    section(&mut out, style, "tried:", failure.log.iter().cloned());
    let heading = if failure.code == "strict_violation" {
        "the matches, each with a selector of its own:"
    } else {
        "did you mean:"
    };
    section(&mut out, style, heading, elements(&failure.elements, style.width));
    let calls = failure.stack.iter().map(|frame| {
        format!(
            "{} called at {}:{}:{}",
            visible_line(&frame.function),
            script.name_at(&frame.place),
            frame.place.line,
            frame.place.column
        )
    });
    section(&mut out, style, "in:", calls);
    if let Some(hint) = failure.hint.clone().or_else(|| hint(&failure.code).map(str::to_owned)) {
        let mut lines = hint.lines();
        let first = lines.next().unwrap_or_default();
        line(&mut out, &format!("  {} {first}", style.paint(Tone::Good, "help:")));
        lines.for_each(|more| line(&mut out, &format!("        {more}")));
    }
    out
}

/// Selectors in one column, previews in the next, cut at the width.
fn elements(elements: &[(String, String)], width: usize) -> impl Iterator<Item = String> {
    let column = elements.iter().map(|(selector, _)| selector.chars().count()).max().unwrap_or(0).min(width / 2);
    elements
        .iter()
        .map(move |(selector, preview)| clip(&format!("{selector:column$}  {preview}"), width.saturating_sub(4)))
}

fn clip(text: &str, width: usize) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(width) {
        Some(_) => text.chars().take(width.saturating_sub(2)).chain("..".chars()).collect(),
        None => text.to_owned(),
    }
}

fn section(out: &mut String, style: Style, heading: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        line(out, &format!("  {}", style.paint(Tone::Strong, heading)));
        lines.for_each(|text| line(out, &format!("    {text}")));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{FailureKind, StackFrame};

    fn place(line: usize, column: usize) -> Place {
        Place { file: None, line, column }
    }

    fn failure(code: &str, message: &str) -> Failure {
        Failure {
            kind: FailureKind::Script,
            code: code.to_owned(),
            message: message.to_owned(),
            causes: Vec::new(),
            place: Some(place(2, 3)),
            stack: Vec::new(),
            log: Vec::new(),
            elements: Vec::new(),
            hint: None,
            is_thrown: false,
        }
    }

    fn show(failure: &Failure) -> String {
        let imported = |file: &str| (file == "lib.rhai").then(|| "fn go() {\n  click(\"#x\");\n}\n".to_owned());
        let script = Script { name: "a.rhai", text: "fn go() {\n  click(\"#nope\");\n}\ngo();\n", imported: &imported };
        render(failure, &script, Style::PLAIN)
    }

    #[test]
    fn a_timeout_shows_what_was_tried_what_is_near_and_who_called() {
        let shown = show(&Failure {
            log: vec!["waiting for \"#nope\"".into(), "no element matches (12 times)".into()],
            elements: vec![
                ("#note".into(), "<div id=\"note\">".into()),
                ("text=No".into(), "<button>No</button>".into()),
            ],
            stack: vec![StackFrame { function: "go()".into(), place: place(4, 1) }],
            ..failure("timeout", "timeout of 1 s while waiting for \"#nope\"")
        });
        insta::assert_snapshot!(shown, @r##"
        error[timeout]: timeout of 1 s while waiting for "#nope"
           ╭─[a.rhai:2:3]
         1 │ fn go() {
         2 │   click("#nope");
           ·   ─────
         3 │ }
           ╰────
          tried:
            waiting for "#nope"
            no element matches (12 times)
          did you mean:
            #note    <div id="note">
            text=No  <button>No</button>
          in:
            go() called at a.rhai:4:1
          help: a longer time is #{ timeout: "60s" } or set_default_timeout(..)
        "##);
    }

    #[test]
    fn an_ambiguous_selector_lists_the_matches() {
        let shown = show(&Failure {
            elements: vec![("#a".into(), "<b>".into())],
            hint: Some("one\ntwo".into()),
            ..failure("strict_violation", "b matches 2 elements, one was wanted")
        });
        insta::assert_snapshot!(shown, @r##"
        error[strict_violation]: b matches 2 elements, one was wanted
           ╭─[a.rhai:2:3]
         1 │ fn go() {
         2 │   click("#nope");
           ·   ─────
         3 │ }
           ╰────
          the matches, each with a selector of its own:
            #a  <b>
          help: one
                two
        "##);
    }

    #[test]
    fn an_imported_file_is_shown_where_it_can_be_had_and_named_where_not() {
        let at =
            |file: &str| Failure { place: Some(Place { file: Some(file.into()), ..place(2, 3) }), ..failure("x", "y") };
        insta::assert_snapshot!(show(&at("lib.rhai")), @r##"
        error[x]: y
           ╭─[lib.rhai:2:3]
         1 │ fn go() {
         2 │   click("#x");
           ·   ─────
         3 │ }
           ╰────
        "##);
        insta::assert_snapshot!(show(&at("std/login")), @r##"
        error[x]: y
          at std/login:2:3
        "##);
    }

    #[test]
    fn colours_come_only_where_they_are_wanted() {
        let colored = render(&failure("x", "y"), &Script::NONE, Style { color: true, ..Style::PLAIN });
        assert!(colored.contains("\u{1b}["));
        assert!(!show(&failure("x", "y")).contains('\u{1b}'));
    }

    #[test]
    fn nothing_in_a_failure_reaches_the_terminal_raw() {
        let evil = || "a\u{1b}[2J\u{9b}31m\u{7}".to_owned();
        let failure = Failure {
            message: evil(),
            causes: vec![evil()],
            log: vec![evil()],
            elements: vec![(evil(), evil())],
            stack: vec![StackFrame { function: evil(), place: Place { file: Some(evil()), ..place(4, 1) } }],
            hint: Some(evil()),
            place: Some(Place { file: Some(evil()), ..place(1, 1) }),
            ..failure(&evil(), "")
        };
        let imported = |_: &str| Some(evil());
        let script = Script { name: &evil(), text: &evil(), imported: &imported };
        let shown = render(&failure, &script, Style::PLAIN);
        assert!(shown.contains("\\u{1b}[2J") && shown.contains("a\u{fffd}[2J"), "{shown}");
        assert!(!shown.chars().any(|character| character.is_control() && character != '\n'), "{shown:?}");
    }

    #[test]
    fn a_long_preview_is_cut_at_the_width() {
        let lines: Vec<String> = elements(&[("a".into(), "x".repeat(200))], 40).collect();
        assert_eq!(lines[0].chars().count(), 36);
    }
}
