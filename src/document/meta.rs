//! What a document says of itself in its head: Open Graph, Twitter cards, `<meta>`, title, canonical address, language.

use serde_json::{Map, Value};

use super::dom::{Dom, attribute, collapse, is, name};

/// What was found, by family.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub open_graph: Map<String, Value>,
    pub twitter: Map<String, Value>,
    pub other: Map<String, Value>,
}

/// Names whose content is an address.
const ADDRESSES: &[&str] = &["image", "url", "audio", "video", "secure_url", "player", "src"];

pub(super) fn read(dom: &Dom) -> Meta {
    let mut found = Meta::default();
    for node in dom.elements() {
        match name(&node).as_str() {
            "html" => {
                if let Some(lang) = attribute(&node, "lang") {
                    add(&mut found.other, "lang", lang);
                }
            }
            // Those of pictures (SVG) are no titles of the document.
            "title" if node.parent().is_some_and(|parent| is(&parent, &["head"])) => {
                add(&mut found.other, "title", collapse(&node.text()));
            }
            "link" => {
                let rel = attribute(&node, "rel").unwrap_or_default().to_ascii_lowercase();
                let href = attribute(&node, "href");
                if let (true, Some(href)) = (rel.split_whitespace().any(|rel| rel == "canonical"), href) {
                    add(&mut found.other, "canonical", dom.absolute(&href));
                }
            }
            "meta" => {
                let named = ["property", "name", "itemprop"].iter().find_map(|key| attribute(&node, key));
                if let (Some(key), Some(content)) = (named, attribute(&node, "content")) {
                    file(dom, &mut found, &key, &content);
                }
            }
            _ => {}
        }
    }
    found
}

fn file(dom: &Dom, found: &mut Meta, key: &str, content: &str) {
    let key = key.to_ascii_lowercase();
    let content = collapse(content);
    let content =
        if ADDRESSES.contains(&key.rsplit(':').next().unwrap_or_default()) { dom.absolute(&content) } else { content };
    if let Some(key) = key.strip_prefix("og:") {
        add(&mut found.open_graph, key, content);
    } else if let Some(key) = key.strip_prefix("twitter:") {
        add(&mut found.twitter, key, content);
    } else if !matches!(key.as_str(), "viewport" | "csrf-token" | "csrf-param" | "robots" | "generator" | "theme-color")
    {
        add(&mut found.other, &key, content);
    }
}

/// Adds a value; a name that comes again has a list.
fn add(map: &mut Map<String, Value>, key: &str, value: String) {
    match map.get_mut(key) {
        None => drop(map.insert(key.to_owned(), value.into())),
        Some(Value::Array(list)) => list.push(value.into()),
        Some(one) => {
            if *one != value {
                *one = Value::Array(vec![one.take(), value.into()]);
            }
        }
    }
}
