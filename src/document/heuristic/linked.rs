//! What pages say for machines in JSON-LD: facts of their things, and sets of things of one kind.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::dom::Dom;
use super::model::{Aspect, Cell, Column, Facet, Fact, Label, Labels, Set, Source};
use super::words;

const MAX_DEPTH: usize = 8;
const MAX_OBJECTS: usize = 3_000;
/// Those that are about the site, not about the page.
const BESIDES: &[&str] = &[
    "WebSite",
    "Organization",
    "BreadcrumbList",
    "WebPage",
    "SiteNavigationElement",
    "SearchAction",
    "ImageObject",
    "ListItem",
];

/// What is said.
#[derive(Default)]
pub struct Linked {
    pub facts: Vec<Fact>,
    pub sets: Vec<Set>,
    seen: usize,
}

/// Reads all JSON-LD of a document; what is no JSON is passed over.
pub fn gather(dom: &Dom, labels: &mut Labels) -> Linked {
    let mut linked = Linked::default();
    for text in &dom.linked {
        let text = text.trim().trim_start_matches("<!--").trim_end_matches("-->");
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        let things = things(&value);
        for thing in &things {
            let kind = kind(thing);
            let weight = if BESIDES.contains(&kind.as_str()) { 0.6 } else { 0.94 };
            linked.thing(labels, thing, &kind, &[], weight);
        }
        linked.kinds(labels, &things);
    }
    linked
}

/// The things of a document: one, several, or those of a graph.
fn things(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Array(items) => items.iter().flat_map(things).take(MAX_OBJECTS).collect(),
        Value::Object(map) => match map.get("@graph") {
            Some(graph @ Value::Array(_)) => things(graph),
            _ => vec![map],
        },
        _ => Vec::new(),
    }
}

fn kind(thing: &Map<String, Value>) -> String {
    let kind = match thing.get("@type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(Value::String(kind)) => Some(kind.as_str()),
        _ => None,
    };
    kind.map(|kind| kind.rsplit(['/', ':']).next().unwrap_or(kind).to_owned()).unwrap_or_default()
}

/// A value as text; the addresses of enumerations lose their site.
fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Object(map) => return map.get("@value").or(map.get("name")).and_then(scalar),
        _ => return None,
    };
    let short = ["https://schema.org/", "http://schema.org/"].iter().find_map(|site| text.strip_prefix(site));
    let text = short.map_or_else(|| text.clone(), str::to_owned);
    (!text.is_empty()).then(|| words::plain(&text))
}

impl Linked {
    fn thing(&mut self, labels: &mut Labels, thing: &Map<String, Value>, path: &str, above: &[&str], weight: f32) {
        self.seen += 1;
        if above.len() > MAX_DEPTH || self.seen > MAX_OBJECTS {
            return;
        }
        let inner = above.last().copied();
        for (key, value) in thing.iter().filter(|(key, _)| !key.starts_with('@')) {
            let here = format!("{path}.{key}");
            let mut said: Vec<Label> = Vec::new();
            let vague =
                ["name", "url", "image", "description", "text", "title", "email", "telephone", "address", "value"]
                    .contains(&key.as_str());
            match inner {
                None => said.extend(labels.of(key, weight)),
                Some(inner) => {
                    said.extend(labels.of(&format!("{inner} {key}"), weight));
                    // `address.addressLocality`
                    if let Some(rest) = key.strip_prefix(inner).filter(|rest| rest.starts_with(char::is_uppercase)) {
                        said.extend(labels.of(rest, weight - 0.06));
                    }
                    if above.len() > 1 {
                        said.extend(labels.of(&format!("{}_{key}", above.join("_")), weight));
                    }
                    said.extend(labels.of(key, weight - if vague { 0.35 } else { 0.06 }));
                }
            }
            let kind = words::split(path.split('.').next().unwrap_or_default()).pop();
            if inner.is_none() && key == "name" {
                said.extend(labels.of("title", weight - 0.02));
            }
            if let (None, Some(kind)) = (inner, kind) {
                said.extend(labels.of(&format!("{kind} {key}"), weight));
            }
            self.value(labels, value, key, said, &here, above, weight);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a recursion over a tree")]
    fn value(
        &mut self,
        labels: &mut Labels,
        value: &Value,
        key: &str,
        said: Vec<Label>,
        here: &str,
        above: &[&str],
        weight: f32,
    ) {
        let fact = |said: Vec<Label>, values: Vec<String>| Fact {
            labels: said,
            values: values.into_iter().map(Cell::Data).collect(),
            source: Source::Data(format!("json-ld {here}")),
        };
        match value {
            Value::Array(items) => {
                let scalars: Vec<String> = items
                    .iter()
                    .filter(|item| !item.is_object() || is_named(item))
                    .filter_map(scalar)
                    .take(500)
                    .collect();
                if scalars.len() == items.len() && !items.is_empty() {
                    self.facts.push(fact(said, scalars));
                }
                let objects: Vec<&Map<String, Value>> =
                    items.iter().filter_map(Value::as_object).map(unwrapped).collect();
                if objects.len() > 1 || (objects.len() == 1 && !is_named(&items[0])) {
                    let mut entity: Vec<Label> = labels.of(key, 0.95).into_iter().collect();
                    entity.extend(objects.first().and_then(|first| labels.of(&kind(first), 0.95)));
                    self.set(labels, &objects, entity, here);
                }
                if let [only] = objects.as_slice() {
                    self.thing(labels, only, here, &[above, &[key]].concat(), weight - 0.02);
                }
            }
            Value::Object(map) => {
                if let Some(text) = scalar(value) {
                    self.facts.push(fact(said, vec![text]));
                }
                self.thing(labels, map, here, &[above, &[key]].concat(), weight - 0.02);
            }
            _ => self.facts.extend(scalar(value).map(|text| fact(said, vec![text]))),
        }
    }

    /// Things of one kind, side by side.
    fn kinds(&mut self, labels: &mut Labels, things: &[&Map<String, Value>]) {
        let mut kinds: Vec<String> = things.iter().map(|thing| kind(thing)).collect();
        kinds.sort();
        kinds.dedup();
        for wanted in kinds {
            let same: Vec<&Map<String, Value>> = things.iter().copied().filter(|thing| kind(thing) == wanted).collect();
            if same.len() > 1 {
                let entity = labels.of(&wanted, 0.95).into_iter().collect();
                self.set(labels, &same, entity, &wanted);
            }
        }
    }

    fn set(&mut self, labels: &mut Labels, rows: &[&Map<String, Value>], entity: Vec<Label>, here: &str) {
        let mut order: Vec<String> = Vec::new();
        let mut flat: Vec<Vec<(String, Vec<String>)>> = Vec::new();
        for row in rows.iter().take(2_000) {
            let mut values = Vec::new();
            flatten(row, "", 0, &mut values);
            for (key, _) in &values {
                if !order.contains(key) && order.len() < 80 {
                    order.push(key.clone());
                }
            }
            flat.push(values);
        }
        let mut columns = Vec::new();
        for key in &order {
            let of = |row: &Vec<(String, Vec<String>)>| {
                let found = row.iter().find(|(known, _)| known == key);
                found.map(|(_, values)| values.iter().cloned().map(Cell::Data).collect()).unwrap_or_default()
            };
            let cells = flat.iter().map(of).collect();
            let parts: Vec<&str> = key.split('.').collect();
            let last = parts.last().copied().unwrap_or_default();
            let vague = parts.len() > 1 && ["name", "url", "image", "description", "text"].contains(&last);
            let mut said: Vec<Label> = Vec::new();
            let tail = parts[parts.len().saturating_sub(2)..].join(" ");
            said.extend(labels.of(&tail, 0.94));
            said.extend(labels.of(last, if vague { 0.55 } else { 0.92 }));
            if last == "name" && parts.len() > 1 {
                said.extend(labels.of(parts[parts.len() - 2], 0.94));
            }
            columns.push(Column {
                labels: said,
                facet: Facet::Text,
                cells,
                whole: false,
                aspect: Aspect::Text,
                nth: false,
                path: key.clone(),
            });
        }
        if !columns.is_empty() {
            let source = Source::Data(format!("json-ld {here}"));
            self.sets.push(Set {
                labels: entity,
                columns,
                rows: flat.len(),
                source,
                row_nodes: Vec::new(),
                sure: 1.0,
                leaves: OnceCell::new(),
            });
        }
    }
}

fn is_named(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().all(|key| key.starts_with('@') || key == "name" || key == "url"))
}

/// The thing itself where it is an item of a list.
fn unwrapped(item: &Map<String, Value>) -> &Map<String, Value> {
    match item.get("item") {
        Some(Value::Object(inner)) if kind(item) == "ListItem" => inner,
        _ => item,
    }
}

fn flatten(thing: &Map<String, Value>, above: &str, depth: usize, out: &mut Vec<(String, Vec<String>)>) {
    for (key, value) in thing.iter().filter(|(key, _)| !key.starts_with('@')) {
        if out.len() > 100 {
            return;
        }
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Object(inner) if depth < 4 => flatten(inner, &path, depth + 1, out),
            Value::Array(items) => {
                let values: Vec<String> = items.iter().filter_map(scalar).take(200).collect();
                if !values.is_empty() {
                    out.push((path.clone(), values));
                }
                if let [Value::Object(inner)] = items.as_slice()
                    && depth < 4
                {
                    flatten(inner, &path, depth + 1, out);
                }
            }
            other => out.extend(scalar(other).map(|text| (path, vec![text]))),
        }
    }
}
