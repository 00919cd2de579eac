//! `rhaven docs`: the functions of the script surface, from the table that also registers them, and the topics beside them.

use std::fmt::Write as _;

use super::Outcome;
use super::config;
use super::error::CliError;
use super::terminal::Terminal;
use crate::base::closest;
use crate::diagnose::{self, Tone, receivers};
use crate::script::{self, Entry, Topic};

/// Arguments of `docs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven docs                 all functions and topics, a line each
  rhaven docs click           a function: how to call it, options, an example
  rhaven docs selectors       a topic; others are extract, globs, sessions,
                              secrets, limits, editors, errors
  rhaven docs --markdown > rhaven.md
  rhaven docs --definitions > .rhai/rhaven.d.rhai       for Rhai's language server
  rhaven docs --config-schema > rhaven.schema.json      for editors of rhaven.toml")]
pub(super) struct DocsArgs {
    /// The function or topic
    name: Option<String>,
    /// The whole reference as Markdown
    #[arg(long, conflicts_with_all = ["name", "definitions", "config_schema"])]
    markdown: bool,
    /// The functions as a definition file (.d.rhai) of Rhai's language server
    #[arg(long, conflicts_with_all = ["name", "config_schema"])]
    definitions: bool,
    /// The JSON schema of rhaven.toml
    #[arg(long, conflicts_with = "name")]
    config_schema: bool,
}

/// Shows one function or topic, or all.
pub(super) fn execute(args: &DocsArgs, terminal: &Terminal) -> Outcome {
    if args.markdown {
        terminal.data(markdown().trim_end());
        return Ok(super::OK);
    }
    if args.definitions {
        terminal.data(script::definitions().trim_end());
        return Ok(super::OK);
    }
    if args.config_schema {
        // A file for programs, laid out so that its changes can be read.
        terminal.data(&format!("{:#}", config::schema()));
        return Ok(super::OK);
    }
    let Some(name) = args.name.as_deref().map(|name| name.trim_end_matches("()")) else {
        if terminal.json {
            terminal.value(&script::docs().map(json).chain(script::topics().map(topic_json)).collect());
        } else {
            terminal.data(overview(terminal).trim_end());
        }
        return Ok(super::OK);
    };
    let (entry, topic) = (script::find(name), script::topic(name));
    if entry.is_none() && topic.is_none() {
        if let Some(variable) = script::PROPERTIES.iter().find(|known| known.of == "script" && known.name == name) {
            if terminal.json {
                terminal.value(&serde_json::json!({ "name": variable.name, "doc": variable.doc }));
            } else {
                let name = terminal.out_style.paint(Tone::Strong, variable.name);
                terminal.data(&format!("{name}\n\n{}", variable.doc));
            }
            return Ok(super::OK);
        }
        let names = script::docs().map(|entry| entry.name).chain(script::topics().map(|topic| topic.name));
        let near = closest(name, names).into_iter().map(str::to_owned).collect();
        return Err(CliError::Unknown { kind: "function or topic", name: name.to_owned(), near }.into());
    }
    if terminal.json {
        let mut value = entry.map_or_else(|| topic.map(topic_json).unwrap_or_default(), json);
        if let Some(topic) = topic {
            value["text"] = topic.text.into();
        }
        terminal.value(&value);
    } else {
        let entry = entry.map(|entry| diagnose::reference(entry, "rhaven docs", terminal.out_style, terminal.out_tty));
        let topic = topic.map(|topic| diagnose::markdown(topic.text, terminal.out_style));
        terminal.data(entry.into_iter().chain(topic).collect::<Vec<_>>().join("\n").trim_end());
    }
    Ok(super::OK)
}

/// The groups in the table's order, each with its functions.
fn groups() -> Vec<(&'static str, Vec<&'static Entry>)> {
    let mut groups: Vec<(&'static str, Vec<&'static Entry>)> = Vec::new();
    for entry in script::docs() {
        let name = entry.group.name();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => entries.push(entry),
            None => groups.push((name, vec![entry])),
        }
    }
    groups
}

fn overview(terminal: &Terminal) -> String {
    let mut text = String::new();
    let width = script::docs().map(|entry| entry.name.len()).max().unwrap_or(0);
    for (group, entries) in groups() {
        line(&mut text, &terminal.out_style.paint(Tone::Strong, group));
        for entry in entries {
            let doc = diagnose::paragraph(first_sentence(entry.doc), width + 4, terminal.out_style);
            line(&mut text, &format!("  {:width$}  {doc}", entry.name));
        }
        line(&mut text, "");
    }
    line(&mut text, &terminal.out_style.paint(Tone::Strong, "topics"));
    for topic in script::topics() {
        let doc = diagnose::paragraph(topic.doc, width + 4, terminal.out_style);
        line(&mut text, &format!("  {:width$}  {doc}", topic.name));
    }
    line(&mut text, "\n`rhaven docs NAME` tells more of one.");
    text
}

fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.')
}

fn markdown() -> String {
    let mut text = String::from("# Functions\n\n");
    for (group, entries) in groups() {
        line(&mut text, &format!("## {group}\n"));
        for entry in entries {
            line(&mut text, &format!("### {}\n", entry.name));
            let signatures = entry.signatures().into_iter().map(|call| format!("`{call}`"));
            let signatures = signatures.collect::<Vec<_>>().join(", ");
            line(&mut text, &format!("{signatures}; answers {}\n\n{}\n", code(entry.returns), entry.doc));
            if !entry.receivers.is_empty() {
                line(&mut text, &format!("Also a method of {}.\n", receivers(entry)));
            }
            if !entry.options.is_empty() {
                line(&mut text, "| option | takes | default | what it does |\n|---|---|---|---|");
                for (name, option) in entry.options_in_full() {
                    let cells =
                        [&option.kind.wanted(), option.default, option.doc].map(|cell| cell.replace('|', "\\|"));
                    line(&mut text, &format!("| `{name}` | {} |", cells.join(" | ")));
                }
                line(&mut text, "");
            }
            line(&mut text, &format!("```rhai\n{}\n```\n", entry.example));
        }
    }
    for topic in script::topics() {
        line(&mut text, topic.text);
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn json(entry: &Entry) -> serde_json::Value {
    let options = entry.options_in_full().into_iter().map(|(name, option)| {
        serde_json::json!({
            "name": name, "takes": option.kind.wanted(), "default": option.default, "doc": option.doc,
        })
    });
    serde_json::json!({
        "name": entry.name,
        "group": entry.group.name(),
        "signatures": entry.signatures(),
        "returns": entry.returns,
        "doc": entry.doc,
        "options": options.collect::<Vec<_>>(),
        "example": entry.example,
    })
}

fn topic_json(topic: &Topic) -> serde_json::Value {
    serde_json::json!({ "name": topic.name, "group": "topics", "doc": topic.doc, "text": topic.text })
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
