//! The table of functions in the form that Rhai's language server reads: a definition file, one line for each way to call a
//! function, with its documentation before it.

use std::fmt::Write as _;

use super::identity::Trait;
use super::kind::Kind;
use super::table::{self, Entry, PROPERTIES, Param, Receiver};

/// The text of the definition file.
pub fn definitions() -> String {
    let mut text = String::from("module static;\n");
    for property in PROPERTIES {
        push(&mut text, &comment(property.doc));
        let line = match property.of {
            "script" => format!("let {}: Map;", property.name),
            of => {
                let returns = property_type(of, property.name);
                format!("fn get {}({}: {of}) -> {returns};", property.name, of.to_lowercase())
            }
        };
        push(&mut text, &line);
    }
    for entry in table::docs() {
        let documentation = documentation(entry);
        for receiver in std::iter::once(None).chain(entry.receivers.iter().map(Some)) {
            for shape in entry.shapes {
                push(&mut text, &documentation);
                push(&mut text, &signature(entry, receiver.copied(), shape));
            }
        }
    }
    text
}

/// A block, after an empty line where it begins one.
fn push(text: &mut String, block: &str) {
    let gap = if block.starts_with("///") { "\n" } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{gap}{block}");
}

/// `fn click(page: Page, selector: String, options: Map);`
fn signature(entry: &Entry, receiver: Option<Receiver>, shape: &[Param]) -> String {
    let receiver = receiver.map(|receiver| match receiver {
        Receiver::Session => "session: Session".to_owned(),
        Receiver::Page => "page: Page".to_owned(),
    });
    let params = shape.iter().map(|param| format!("{}: {}", param.name, type_name(param.kind)));
    let params: Vec<String> = receiver.into_iter().chain(params).collect();
    format!("fn {}({}) -> {};", entry.name, params.join(", "), returned(entry.returns))
}

fn documentation(entry: &Entry) -> String {
    let mut lines = vec![entry.doc.to_owned()];
    if !matches!(entry.returns, "()" | "text" | "Session" | "Secret") {
        lines.extend([String::new(), format!("Answers {}.", entry.returns)]);
    }
    if !entry.options.is_empty() {
        lines.push(String::new());
        for (name, option) in entry.options_in_full() {
            let doc = format!("{} (takes {}; default: {})", option.doc, option.kind.wanted(), option.default);
            lines.push(format!("- `{name}`: {doc}"));
        }
    }
    lines.extend([String::new(), "```rhai".to_owned(), entry.example.to_owned(), "```".to_owned()]);
    comment(&lines.join("\n"))
}

fn comment(text: &str) -> String {
    text.lines().map(|line| format!("/// {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "?",
        Kind::Text
        | Kind::Url
        | Kind::Selector
        | Kind::Picture
        | Kind::OneOf(_)
        | Kind::Trait(Trait::UserAgent | Trait::Locale | Trait::Timezone | Trait::Device) => "String",
        Kind::Input => "String | Secret",
        Kind::Selectors => "String | Array",
        Kind::Time | Kind::TimeOrNever => "int | float | String",
        Kind::Count | Kind::Times => "int",
        Kind::Flag => "bool",
        Kind::SomeOf(_) | Kind::Cookies => "Array",
        Kind::Point
        | Kind::Fields(_)
        | Kind::Options
        | Kind::Trait(Trait::Viewport | Trait::Geolocation | Trait::Headers | Trait::Credentials) => "Map",
        Kind::Pattern => "String | Pattern",
        Kind::Choice | Kind::Files => "String | Map | Array",
        Kind::Function => "FnPtr",
        Kind::State | Kind::Trait(Trait::Identity | Trait::Proxy) => "String | Map",
    }
}

/// The type that the table's words for an answer stand for; unknown where it is one of several.
fn returned(words: &str) -> &'static str {
    match words {
        "()" => "()",
        "text" => "String",
        "Session" => "Session",
        "Secret" => "Secret",
        "a regular expression" => "Pattern",
        _ if words.starts_with("true") => "bool",
        _ if words.starts_with("list") => "Array",
        _ if words.starts_with("#{") => "Map",
        _ => "?",
    }
}

fn property_type(of: &str, name: &str) -> &'static str {
    match (of, name) {
        ("Session", "page") => "Page",
        ("Error", "code" | "message") => "String",
        ("Error", "log") => "Array",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and types of a `fn` line: the grammar of the language server, as far as we use it.
    fn parse(line: &str) -> Option<(String, Vec<String>)> {
        let (head, returns) = line.strip_prefix("fn ")?.strip_suffix(';')?.split_once(") -> ")?;
        let (name, params) = head.split_once('(')?;
        let name = name.strip_prefix("get ").unwrap_or(name);
        is_name(name).then_some(())?;
        (returns == "()" || is_type(returns)).then_some(())?;
        let params = params.split(", ").filter(|param| !param.is_empty()).map(|param| {
            let (name, kind) = param.split_once(": ")?;
            (is_name(name) && is_type(kind)).then(|| kind.to_owned())
        });
        Some((name.to_owned(), params.collect::<Option<_>>()?))
    }

    fn is_name(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|char| char.is_ascii_lowercase() || char == '_')
    }

    fn is_type(text: &str) -> bool {
        let known = [
            "?", "String", "int", "float", "bool", "Map", "Array", "FnPtr", "Secret", "Pattern", "Session", "Page",
            "Error",
        ];
        text.split(" | ").all(|part| known.contains(&part))
    }

    #[test]
    fn every_line_is_one_that_the_language_server_reads() {
        let text = definitions();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("module static;"));
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with("///")) {
            assert!(line == "let args: Map;" || parse(line).is_some(), "{line}");
        }
    }

    #[test]
    fn every_way_to_call_every_function_has_its_line() {
        let text = definitions();
        let functions = text.lines().filter(|line| !line.starts_with("fn get "));
        let defined: Vec<(String, Vec<String>)> = functions.filter_map(parse).collect();
        for entry in table::docs() {
            let of_name = defined.iter().filter(|(name, _)| name == entry.name);
            assert_eq!(of_name.count(), entry.shapes.len() * (1 + entry.receivers.len()), "{}", entry.name);
        }
        for property in PROPERTIES {
            assert!(text.contains(&format!(" {}", property.name)), "{}", property.name);
        }
        assert!(text.contains("fn click(page: Page, selector: String, options: Map) -> ();"), "{text}");
    }

    #[test]
    fn every_answer_that_the_table_names_has_a_type_or_may_be_several() {
        let several: Vec<&str> =
            table::docs().map(|entry| entry.returns).filter(|words| returned(words) == "?").collect();
        let open = ["HTTP status", "what ", "the path", "the value", "text, or ()"];
        for words in several {
            assert!(open.iter().any(|start| words.starts_with(start)), "{words}: has it a type of its own?");
        }
    }
}
