//! What `.help` answers. Pure.

use super::commands::COMMANDS;
use crate::base::closest;
use crate::diagnose::{Style, Tone, markdown, reference, table};
use crate::script;

/// The commands, and how to learn of the rest.
pub(super) fn commands(style: Style) -> String {
    let rows = COMMANDS.iter().map(|command| {
        [format!(".{} {}", command.name, command.argument).trim_end().to_owned(), command.doc.to_owned()]
    });
    let list = table(["COMMAND", "WHAT IT DOES"], rows, style, true);
    let topics = script::topics().map(|topic| topic.name).collect::<Vec<_>>().join(", ");
    format!(
        "{list}\n\nEverything else is a script's text: goto(\"https://example.com\"), title(), let x = 1.\n\
         Tab completes. Ctrl-C stops a verb. `.help click` tells of a function; topics are {topics}."
    )
}

/// A function, a topic or a command; what was perhaps meant where there is none of that name.
pub(super) fn about(name: &str, style: Style) -> Result<String, String> {
    let plain = name.trim_start_matches('.').trim_end_matches("()");
    let entry = script::find(plain).filter(|_| !name.starts_with('.'));
    let topic = script::topic(plain).filter(|_| !name.starts_with('.'));
    let mut parts: Vec<String> = entry.map(|entry| reference(entry, ".help", style, true)).into_iter().collect();
    parts.extend(topic.map(|topic| markdown(topic.text, style)));
    if let Some(property) = script::PROPERTIES.iter().find(|property| property.of == "script" && property.name == plain)
    {
        parts.push(format!("{}\n\n{}", style.paint(Tone::Strong, property.name), property.doc));
    }
    if parts.is_empty()
        && let Some(command) = COMMANDS.iter().find(|command| command.name == plain)
    {
        parts.push(format!(".{} {}: {}", command.name, command.argument, command.doc));
    }
    if !parts.is_empty() {
        return Ok(parts.join("\n").trim_end().to_owned());
    }
    let functions = script::docs().map(|entry| entry.name).chain(script::topics().map(|topic| topic.name));
    let names = functions.chain(COMMANDS.iter().map(|command| command.name));
    let meant = closest(plain, names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Err(format!("there is no function, topic or command {plain:?}{meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_topics_and_commands_are_told_of() {
        let tells = |name: &str, says: &str| {
            let text = about(name, Style::PLAIN).unwrap();
            assert!(text.contains(says), "{name}: {text}");
        };
        tells("click", "click(selector, #{..})");
        tells("click", ".help selectors");
        tells("selectors", "role=");
        tells("args", "--arg");
        tells(".save", ".save FILE");
        tells("undo", ".undo");
        assert!(about("clik", Style::PLAIN).unwrap_err().ends_with("did you mean click?"));
        assert!(commands(Style::PLAIN).contains(".snapshot [SELECTOR]"));
    }
}
