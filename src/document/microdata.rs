//! Microdata, by the HTML standard: items with their properties, nested, with `itemref`.

use std::collections::{HashMap, HashSet};

use dom_query::{NodeId, NodeRef};
use serde_json::{Map, Value, json};

use super::dom::{Dom, attribute, is_hidden, name, text};

/// How deep items nest.
const MAX_NESTED: usize = 32;
/// How many elements are looked at in all: `itemref` could lead through the same ones again and again.
const MAX_VISITED: usize = 50_000;

/// The items that belong to no other.
pub(super) fn read(dom: &Dom) -> Vec<Value> {
    let tops: Vec<NodeRef<'_>> =
        dom.elements().filter(|node| node.has_attr("itemscope") && !node.has_attr("itemprop")).collect();
    if tops.is_empty() {
        return Vec::new();
    }
    let mut by_id = HashMap::new();
    for node in dom.elements() {
        if let Some(id) = attribute(&node, "id") {
            by_id.entry(id).or_insert(node);
        }
    }
    let mut reader = Reader { dom, by_id, path: HashSet::new(), visits: 0 };
    tops.iter().map(|item| reader.item(item)).collect()
}

struct Reader<'a> {
    dom: &'a Dom,
    by_id: HashMap<String, NodeRef<'a>>,
    /// The items that are being read, so that none is read within itself.
    path: HashSet<NodeId>,
    visits: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, item: &NodeRef<'a>) -> Value {
        self.path.insert(item.id);
        let mut properties: Map<String, Value> = Map::new();
        let mut open: Vec<NodeRef<'a>> = Vec::new();
        let referred = attribute(item, "itemref").unwrap_or_default();
        let mut roots: Vec<NodeRef<'a>> =
            referred.split_whitespace().filter_map(|id| self.by_id.get(id).copied()).collect();
        roots.reverse();
        open.extend(roots);
        open.extend(item.children_it(true));
        let mut seen = HashSet::new();
        while let Some(node) = open.pop() {
            self.visits += 1;
            if self.visits > MAX_VISITED {
                break;
            }
            if !node.is_element() || !seen.insert(node.id) {
                continue;
            }
            let names = attribute(&node, "itemprop").unwrap_or_default();
            if let Some(value) = (!names.is_empty()).then(|| self.value(&node)).flatten() {
                self.visits += value.as_str().map_or(0, str::len) / 16;
                for name in names.split_whitespace() {
                    let list = properties.entry(name.to_owned()).or_insert_with(|| json!([]));
                    list.as_array_mut().into_iter().for_each(|list| list.push(value.clone()));
                }
            }
            if !node.has_attr("itemscope") {
                open.extend(node.children_it(true));
            }
        }
        self.path.remove(&item.id);
        let mut answer = Map::new();
        if let Some(types) = attribute(item, "itemtype") {
            answer.insert("type".to_owned(), types.split_whitespace().collect::<Vec<_>>().into());
        }
        if let Some(id) = attribute(item, "itemid") {
            answer.insert("id".to_owned(), self.dom.absolute(&id).into());
        }
        answer.insert("properties".to_owned(), Value::Object(properties));
        Value::Object(answer)
    }

    /// The value of a property; none where it would be an item within itself.
    fn value(&mut self, node: &NodeRef<'a>) -> Option<Value> {
        if node.has_attr("itemscope") {
            let is_open = self.path.contains(&node.id) || self.path.len() >= MAX_NESTED;
            return (!is_open).then(|| self.item(node));
        }
        if let Some(content) = node.attr("content") {
            return Some(content.trim().into());
        }
        let address = |attr: &str| attribute(node, attr).map(|href| self.dom.absolute(&href));
        let told = match name(node).as_str() {
            "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => address("src"),
            "a" | "area" | "link" => address("href"),
            "object" => address("data"),
            "data" | "meter" => attribute(node, "value"),
            "time" => attribute(node, "datetime"),
            _ => None,
        };
        // A hidden element is read, too: that is what machines are told and readers are not.
        let read = || if is_hidden(node) { super::dom::collapse(&node.text()) } else { text(node) };
        Some(told.unwrap_or_else(read).into())
    }
}
