//! An accessibility tree as indented text: which nodes are told, with which states, and how a line is quoted. Pure: fed by
//! `aria.rs`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::selector::normal;

/// Items stand no deeper than this; what is deeper is told at this depth.
const DEEPEST: usize = 100;
/// A longer address says nothing to a reader.
const LONGEST_URL: usize = 200;

/// A node as Chromium tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    #[serde(rename = "nodeId")]
    id: String,
    #[serde(default)]
    ignored: bool,
    role: Option<Held>,
    name: Option<Held>,
    value: Option<Held>,
    #[serde(default)]
    properties: Vec<Property>,
    #[serde(default)]
    child_ids: Vec<String>,
    #[serde(rename = "backendDOMNodeId")]
    backend: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Held {
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
struct Property {
    name: String,
    value: Held,
}

/// The tree of one document.
pub(super) struct Document {
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
    /// Documents by the element that shows them.
    pub frames: HashMap<i64, Document>,
}

/// A line with what stands below it.
#[derive(Default)]
struct Item {
    head: String,
    name: String,
    below: Vec<Below>,
}

enum Below {
    Text(String),
    /// `/url: ..`
    Property(&'static str, String),
    Item(Item),
}

/// What a node is to a reader.
enum Kind {
    Nothing,
    Text(String),
    /// Only what is in it counts; whether it stands apart from the text around it.
    Through {
        apart: bool,
    },
    /// A line; whether what is in it is told, too.
    Line {
        role: String,
        whole: bool,
    },
}

enum Step<'a> {
    Enter(&'a Document, usize),
    Space,
    Leave,
}

impl Document {
    pub fn new(nodes: Vec<Node>) -> Self {
        let by_id = nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
        Self { nodes, by_id, frames: HashMap::new() }
    }

    /// The text: of all, or of the node of one element; nothing where the tree does not have it (it is hidden).
    pub fn outline(&self, of: Option<i64>) -> String {
        let first = match of {
            None => (!self.nodes.is_empty()).then_some(0),
            Some(backend) => self.nodes.iter().position(|node| node.backend == Some(backend)),
        };
        let mut out = String::new();
        if let Some(first) = first {
            for below in walk(self, first).below {
                below.write(&mut out, 0);
            }
        }
        out.truncate(out.trim_end().len());
        out
    }

    fn children<'a>(&'a self, node: &'a Node) -> impl DoubleEndedIterator<Item = usize> + 'a {
        node.child_ids.iter().filter_map(|id| self.by_id.get(id).copied())
    }

    /// The text in a field, as it is shown.
    fn shown_text(&self, node: &Node) -> String {
        let mut text = String::new();
        let mut next: Vec<usize> = self.children(node).rev().collect();
        while let Some(at) = next.pop() {
            let node = &self.nodes[at];
            if node.role() == "StaticText" {
                text.push_str(&node.name());
            } else {
                next.extend(self.children(node).rev());
            }
        }
        text
    }
}

/// Without recursion: a page decides how deep its tree is.
fn walk(document: &Document, first: usize) -> Item {
    let mut open = vec![Item::default()];
    let mut steps = vec![Step::Enter(document, first)];
    while let Some(step) = steps.pop() {
        let Some(top) = open.last_mut() else { break };
        match step {
            Step::Space => top.text(" "),
            Step::Leave => {
                let Some(item) = open.pop() else { break };
                if let Some(above) = open.last_mut() {
                    above.below.push(Below::Item(item.finished()));
                }
            }
            Step::Enter(document, at) => {
                let node = &document.nodes[at];
                let frame = node.backend.and_then(|backend| document.frames.get(&backend));
                let mut inner: Vec<Step> = document.children(node).map(|at| Step::Enter(document, at)).collect();
                inner.extend(frame.filter(|frame| !frame.nodes.is_empty()).map(|frame| Step::Enter(frame, 0)));
                match node.kind() {
                    Kind::Nothing => {}
                    Kind::Text(text) => top.text(&text),
                    Kind::Line { role, whole } if open.len() < DEEPEST => {
                        open.push(document.item(node, &role, whole));
                        steps.push(Step::Leave);
                        if whole {
                            steps.extend(inner.into_iter().rev());
                        }
                    }
                    Kind::Line { .. } | Kind::Through { apart: true } => {
                        steps.push(Step::Space);
                        steps.extend(inner.into_iter().rev());
                        steps.push(Step::Space);
                    }
                    Kind::Through { .. } => steps.extend(inner.into_iter().rev()),
                }
            }
        }
    }
    open.into_iter().next().unwrap_or_default().finished()
}

impl Document {
    fn item(&self, node: &Node, role: &str, whole: bool) -> Item {
        let name = normal(&node.name());
        let mut head = role.to_owned();
        if !name.is_empty() {
            head.push(' ');
            head.push_str(&quoted(&name));
        }
        for state in ["checked", "disabled", "expanded", "level", "pressed", "selected"] {
            match node.property(state).as_str() {
                "" | "false" => {}
                // Chromium gives a level to every item of a list.
                _ if state == "level" && role != "heading" => {}
                "true" => head.extend([" [", state, "]"]),
                value => head.extend([" [", state, "=", value, "]"]),
            }
        }
        let mut item = Item { head, name, below: Vec::new() };
        let url = node.property("url");
        if role == "link" && !url.is_empty() {
            item.below.push(Below::Property("/url", cut(&url)));
        }
        // The options of a list say which of them is selected.
        let value = if role == "combobox" && self.has_options(node) { String::new() } else { normal(&node.value()) };
        if !value.is_empty() && value != item.name && VALUED.contains(&role) {
            let hidden = is_masked(&value) || (!whole && is_masked(&self.shown_text(node)));
            item.below.push(Below::Text(if hidden { HIDDEN.to_owned() } else { value }));
        }
        item
    }

    fn has_options(&self, node: &Node) -> bool {
        self.children(node).any(|at| self.nodes[at].role() == "MenuListPopup")
    }
}

/// What stands for a password.
const HIDDEN: &str = "***";

/// Roles whose value is told.
const VALUED: [&str; 9] =
    ["textbox", "searchbox", "spinbutton", "combobox", "slider", "scrollbar", "progressbar", "meter", "button"];

/// Chromium shows a password as dots, whatever the page's styles say.
fn is_masked(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, '•' | '◦' | '■' | '\u{25cf}'))
}

impl Node {
    fn role(&self) -> &str {
        self.role.as_ref().and_then(|role| role.value.as_str()).unwrap_or_default()
    }

    fn name(&self) -> String {
        text(self.name.as_ref())
    }

    fn value(&self) -> String {
        text(self.value.as_ref())
    }

    fn property(&self, name: &str) -> String {
        text(self.properties.iter().find(|property| property.name == name).map(|property| &property.value))
    }

    fn kind(&self) -> Kind {
        let line = |role: &str, whole| Kind::Line { role: role.to_owned(), whole };
        match self.role() {
            "InlineTextBox" | "ListMarker" => Kind::Nothing,
            _ if self.ignored => Kind::Through { apart: false },
            "StaticText" => Kind::Text(self.name()),
            "LineBreak" => Kind::Text(" ".to_owned()),
            "generic" | "none" if self.name().trim().is_empty() => Kind::Through { apart: true },
            "Iframe" | "IframePresentational" => line("iframe", true),
            // What is in them is the browser's own.
            role @ ("textbox" | "searchbox" | "spinbutton") => line(role, false),
            "Date" | "DateTime" | "InputTime" | "ColorWell" => line("textbox", false),
            "Video" => line("video", false),
            "Audio" => line("audio", false),
            "image" => line("img", true),
            // Chromium's own roles, which no author can give.
            role if role.starts_with(|c: char| c.is_ascii_uppercase()) || role.is_empty() => {
                Kind::Through { apart: true }
            }
            role => line(role, true),
        }
    }
}

fn text(held: Option<&Held>) -> String {
    match held.map(|held| &held.value) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn cut(url: &str) -> String {
    match url.char_indices().nth(LONGEST_URL) {
        Some((at, _)) => format!("{}…", &url[..at]),
        None => url.to_owned(),
    }
}

impl Item {
    /// Text that joins what stands before it.
    fn text(&mut self, more: &str) {
        match self.below.last_mut() {
            Some(Below::Text(text)) => text.push_str(more),
            _ => self.below.push(Below::Text(more.to_owned())),
        }
    }

    /// Without white space, and without text that its name has told already.
    fn finished(mut self) -> Self {
        let name = std::mem::take(&mut self.name);
        self.below.retain_mut(|below| match below {
            Below::Text(text) => {
                *text = normal(text);
                !text.is_empty() && !name.contains(text.as_str())
            }
            _ => true,
        });
        self
    }
}

impl Below {
    fn write(&self, out: &mut String, depth: usize) {
        out.push_str(&"  ".repeat(depth));
        out.push_str("- ");
        match self {
            Self::Text(text) => out.extend(["text: ", &scalar(text)]),
            Self::Property(name, value) => out.extend([name, ": ", &scalar(value)]),
            Self::Item(item) => {
                out.push_str(&key(&item.head));
                match item.below.as_slice() {
                    [] => {}
                    [Self::Text(text)] => out.extend([": ", &scalar(text)]),
                    below => {
                        out.push_str(":\n");
                        for one in below {
                            one.write(out, depth + 1);
                        }
                        return;
                    }
                }
            }
        }
        out.push('\n');
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A line's beginning as a YAML key.
fn key(text: &str) -> String {
    if text.contains(": ") || text.contains(" #") || text.ends_with(':') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    text.to_owned()
}

/// A text as a YAML value: as it is where that is still the same text when it is read.
fn scalar(text: &str) -> String {
    let first = text.chars().next().unwrap_or('"');
    let means_itself =
        !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "~");
    let is_plain = text == HIDDEN
        || means_itself
            && text.parse::<f64>().is_err()
            && !"-?:,[]{}#&*!|>'\"%@`=<".contains(first)
            && !text.contains(": ")
            && !text.contains(" #")
            && !text.ends_with(':')
            && !text.chars().any(char::is_control);
    if is_plain { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(id: &str, role: &str, name: &str, children: &[&str]) -> Value {
        json!({"nodeId": id, "role": {"value": role}, "name": {"value": name}, "childIds": children, "backendDOMNodeId": 7})
    }

    fn outline(nodes: &Value) -> String {
        Document::new(serde_json::from_value(nodes.clone()).unwrap()).outline(None)
    }

    #[test]
    fn values_are_quoted_where_yaml_would_read_something_else() {
        for plain in ["Ann", "a b", "it's", "a:b", "http://a.example/x?y=1#z", "Žluťoučký"] {
            assert_eq!(scalar(plain), plain);
        }
        for special in ["12", "true", "- a", "a: b", "a #b", "[x]", "", "\"x\"", "a:"] {
            assert_eq!(scalar(special), Value::from(special).to_string());
        }
        assert_eq!(key("button \"a: it's\""), "'button \"a: it''s\"'");
    }

    #[test]
    fn a_tree_of_any_depth_is_told() {
        let depth = 20_000;
        let nodes: Vec<Value> = (0..=depth)
            .map(|at| match at {
                0 => node("0", "RootWebArea", "", &["1"]),
                at if at == depth => node(&at.to_string(), "StaticText", "bottom", &[]),
                at => node(&at.to_string(), "list", "", &[&(at + 1).to_string()]),
            })
            .collect();
        let text = outline(&json!(nodes));
        assert_eq!(text.lines().count(), DEEPEST - 1);
        assert!(text.ends_with("- list: bottom"), "{text}");
    }

    #[test]
    fn a_masked_value_is_not_told() {
        let field = |value: &str| json!([{"nodeId": "1", "role": {"value": "textbox"}, "name": {"value": "P"}, "value": {"value": value}}]);
        assert_eq!(outline(&field("•••••")), "- textbox \"P\": ***");
        assert_eq!(outline(&field("a•")), "- textbox \"P\": a•");
        assert_eq!(outline(&json!([])), "");
    }
}
