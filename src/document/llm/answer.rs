//! A model's answer, fitted to the schema and to the page: keys that nobody asked for and values that the page does not have go.

use serde_json::{Map, Value};

use super::super::heuristic::{Extraction, Reading, Schema};

/// What of `answer` has the shape that is asked for and stands on the page.
pub fn fitted(answer: &Map<String, Value>, schema: &Schema, page: &Reading) -> Extraction {
    let mut found = Extraction { data: Map::new(), missing: Vec::new(), sources: Vec::new() };
    let shape = schema.shape();
    for (name, shape) in shape.as_object().into_iter().flatten() {
        match answer.get(name).and_then(|value| fit(value, shape, page)) {
            Some(value) => drop(found.data.insert(name.clone(), value)),
            None => found.missing.push(name.clone()),
        }
    }
    found
}

/// The value where it fits; lists without what does not, records with null in its place.
fn fit(value: &Value, shape: &Value, page: &Reading) -> Option<Value> {
    match (shape, value) {
        (Value::Array(of), Value::Array(items)) => {
            let item = of.first()?;
            let fitting: Vec<Value> = items.iter().filter_map(|value| fit(value, item, page)).collect();
            (!fitting.is_empty()).then_some(Value::Array(fitting))
        }
        (Value::Object(keys), Value::Object(values)) => {
            let entry = |(key, shape): (&String, &Value)| {
                let value = values.get(key).and_then(|value| fit(value, shape, page));
                (key.clone(), value.unwrap_or(Value::Null))
            };
            let record: Map<String, Value> = keys.iter().map(entry).collect();
            record.values().any(|value| !value.is_null()).then_some(Value::Object(record))
        }
        (Value::String(_), Value::String(text)) => {
            (!text.trim().is_empty() && page.has_text(text)).then(|| value.clone())
        }
        (Value::String(_), Value::Number(number)) => page.has_number(number).then(|| value.clone()),
        // Nothing to compare with: what a page says of it are words.
        (Value::String(_), Value::Bool(_)) => Some(value.clone()),
        _ => None,
    }
}
