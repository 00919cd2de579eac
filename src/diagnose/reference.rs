//! A function of the script surface as people read it, from the table that also registers it.

use std::fmt::Write as _;

use super::{Style, Tone, paragraph, table};
use crate::script::{Entry, Kind, Receiver};

/// How to call `entry`, its options, an example. `asking` is what tells of a topic: `rhaven docs`. Ends with a newline.
pub fn reference(entry: &Entry, asking: &str, style: Style, is_terminal: bool) -> String {
    let mut text = String::new();
    for signature in entry.signatures() {
        line(&mut text, &format!("{} -> {}", style.paint(Tone::Strong, &signature), entry.returns));
    }
    line(&mut text, &format!("\n{}", paragraph(entry.doc, 0, style)));
    if !entry.receivers.is_empty() {
        line(&mut text, &format!("\nAlso a method of {}.", receivers(entry)));
    }
    if !entry.options.is_empty() {
        let rows = entry
            .options_in_full()
            .into_iter()
            .map(|(name, option)| [name, option.kind.wanted(), option.default.to_owned(), option.doc.to_owned()]);
        line(&mut text, &format!("\n{}", style.paint(Tone::Strong, "options")));
        line(&mut text, &table(["NAME", "TAKES", "DEFAULT", "WHAT IT DOES"], rows, style, is_terminal));
    }
    line(&mut text, &format!("\n{}\n  {}", style.paint(Tone::Strong, "example"), entry.example.replace('\n', "\n  ")));
    for (kind, topic, what) in [(Kind::Selector, "selectors", "selector"), (Kind::Pattern, "globs", "pattern")] {
        if entry.shapes.iter().any(|shape| shape.iter().any(|param| param.kind == kind)) {
            line(&mut text, &format!("\n`{asking} {topic}` tells how to write the {what}."));
        }
    }
    text
}

/// What `entry` is a method of, in words.
pub fn receivers(entry: &Entry) -> String {
    let names = entry.receivers.iter().map(|receiver| match receiver {
        Receiver::Session => "Session",
        Receiver::Page => "Page",
    });
    names.collect::<Vec<_>>().join(" and ")
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
