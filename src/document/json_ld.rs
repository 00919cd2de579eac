//! JSON-LD: the blocks of a document as one list of nodes.

use serde_json::Value;

use super::dom::{Dom, attribute, is};

/// How deep lists and graphs are opened.
const MAX_NESTED: usize = 8;

/// The nodes, those of a `@graph` each by itself, and what could not be read.
pub(super) fn read(dom: &Dom) -> (Vec<Value>, Vec<String>) {
    let mut nodes = Vec::new();
    let mut problems = Vec::new();
    for script in dom.elements().filter(|node| is(node, &["script"])) {
        let kind = attribute(&script, "type").unwrap_or_default().to_ascii_lowercase();
        if kind.split(';').next().is_none_or(|kind| kind.trim() != "application/ld+json") {
            continue;
        }
        match parse(&script.text()) {
            Ok(Value::Null) => {}
            Ok(value) => open(value, None, &mut nodes, MAX_NESTED),
            Err(error) => problems.push(format!("a block of JSON-LD cannot be read: {error}")),
        }
    }
    (nodes, problems)
}

/// Parses a block as it stands in pages: with comments around it, or with line breaks in its strings.
fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut text = text.trim().trim_end_matches(';');
    for (before, after) in
        [("<!--", "-->"), ("//<![CDATA[", "//]]>"), ("/*<![CDATA[*/", "/*]]>*/"), ("<![CDATA[", "]]>")]
    {
        if let Some(inner) = text.strip_prefix(before) {
            text = inner.trim_end().strip_suffix(after).unwrap_or(inner).trim();
        }
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).or_else(|error| {
        let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        serde_json::from_str(&spaced).map_err(|_| error)
    })
}

/// Opens lists and graphs; a node of a graph has the graph's context where it has none of its own.
fn open(value: Value, context: Option<&Value>, nodes: &mut Vec<Value>, left: usize) {
    match value {
        Value::Array(list) if left > 0 => {
            for value in list {
                open(value, context, nodes, left - 1);
            }
        }
        Value::Object(mut node) => {
            let own = node.get("@context").cloned();
            let context = own.as_ref().or(context);
            if let Some(graph @ Value::Array(_)) = node.get_mut("@graph").filter(|_| left > 0).map(Value::take) {
                node.remove("@graph");
                if node.keys().any(|key| key != "@context" && key != "@id") {
                    nodes.push(Value::Object(node));
                }
                return open(graph, context, nodes, left - 1);
            }
            if let (false, Some(context)) = (node.contains_key("@context"), context) {
                node.insert("@context".to_owned(), context.clone());
            }
            nodes.push(Value::Object(node));
        }
        _ => {}
    }
}
