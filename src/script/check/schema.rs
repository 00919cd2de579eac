//! Schemas of `extract` that stand in the call: what is wrong with one, and which part of it is.

use rhai::{Expr, Ident, Position};
use serde_json::{Map, Value, json};

use crate::base::closest;
use crate::page::Schema;
use crate::script::ScriptError;
use crate::script::described::Described;
use crate::script::value::to_json;

/// What is wrong with a schema, and where. Parts that only a run can know are taken to be right.
pub fn fault(schema: &Expr) -> Option<(ScriptError, Position)> {
    let mut given = written(schema)?;
    if let (Expr::Map(map, _), Value::Object(given)) = (schema, &mut given) {
        // What only a run can know is right.
        let unknown = |name: &str| map.0.iter().any(|(known, value)| known.name == name && written(value).is_none());
        given.retain(|name, _| !(["engine", "details"].contains(&name.as_str()) && unknown(name)));
    }
    match Described::read(&given) {
        Ok(Some(_)) => return None,
        Ok(None) => {}
        Err(error) => return Some((error, described_place(schema))),
    }
    let mut error = ScriptError::from(Schema::parse(&given).err()?);
    if let Expr::Array(items, _) = schema
        && let [Expr::Map(map, _)] = items.as_slice()
        && lacks_selector(&map.0)
        && let Some(near) = map.0.iter().find(|(name, _)| closest(&name.name, ["selector"]).is_some())
    {
        error = error.with_hint(format!("did you mean selector instead of {}?", near.0.name));
    }
    Some((error, place(schema)))
}

/// Where a description is wrong, or an option beside it: the nearest part that is wrong alone.
fn described_place(schema: &Expr) -> Position {
    let Expr::Map(map, position) = schema else { return schema.position() };
    let wrong = |(name, value): &&(Ident, Expr)| match name.name.as_str() {
        "schema" => written(value).is_some_and(|value| Described::read(&json!({ "schema": value })).is_err()),
        other => {
            let value = written(value).unwrap_or(Value::Null);
            Described::read(&json!({ "schema": { "x": "x" }, other: value })).is_err()
        }
    };
    map.0
        .iter()
        .find(wrong)
        .map_or(*position, |(name, value)| if is_option(&name.name) { value.position() } else { name.pos })
}

fn is_option(name: &str) -> bool {
    ["schema", "engine", "details", "instruction"].contains(&name)
}

fn lacks_selector(map: &[(Ident, Expr)]) -> bool {
    map.iter().all(|(name, _)| name.name != "selector")
}

fn is_wrong(schema: &Expr) -> bool {
    written(schema).is_some_and(|value| Schema::parse(&value).is_err())
}

/// A schema as it is written, with something right in the place of what is not. None where that is the whole.
fn written(expression: &Expr) -> Option<Value> {
    if let Some(value) = expression.get_literal_value(None) {
        return to_json(&value).ok();
    }
    match expression {
        Expr::Array(items, _) => items.iter().map(|item| Some(listed(item).unwrap_or_else(|| json!("x")))).collect(),
        // A field of that name, or the selector of a field: that depends on what it will be.
        Expr::Map(map, _) if map.0.iter().any(|(name, value)| name.name == "selector" && written(value).is_none()) => {
            None
        }
        Expr::Map(map, _) => Some(fields(&map.0, is_field(&map.0))),
        Expr::InterpolatedString(..) => Some(json!("x")),
        _ => None,
    }
}

/// What stands in a list: a map with a selector is a field there, whatever the selector is.
fn listed(item: &Expr) -> Option<Value> {
    match item {
        Expr::Map(map, _) => Some(fields(&map.0, !lacks_selector(&map.0))),
        other => written(other),
    }
}

fn fields(map: &[(Ident, Expr)], is_field: bool) -> Value {
    let right = |name: &str| if is_field { right_option(name) } else { json!("x") };
    let entry =
        |(name, value): &(Ident, Expr)| (name.name.to_string(), written(value).unwrap_or_else(|| right(&name.name)));
    Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
}

/// Whether a map is a field with options: its selector is text.
fn is_field(map: &[(Ident, Expr)]) -> bool {
    let is_text = |value: &Expr| matches!(value, Expr::StringConstant(..) | Expr::InterpolatedString(..));
    map.iter().any(|(name, value)| name.name == "selector" && is_text(value))
}

/// A value that the option of a field may have.
fn right_option(name: &str) -> Value {
    match name {
        "type" => json!("text"),
        "optional" | "trim" | "default" | "limit" => Value::Null,
        "fields" => json!({}),
        _ => json!("x"),
    }
}

/// Where the smallest part stands that is wrong.
fn place(schema: &Expr) -> Position {
    match schema {
        Expr::Array(items, position) => match items.as_slice() {
            [only @ Expr::Map(map, _)] if lacks_selector(&map.0) => only.position(),
            [only @ Expr::Map(map, _)] => {
                map.0.iter().find_map(|entry| wrong_entry(true, entry)).unwrap_or_else(|| only.position())
            }
            [only] if is_wrong(only) => place(only),
            _ => *position,
        },
        Expr::Map(map, position) => match map.0.iter().find_map(|entry| wrong_entry(is_field(&map.0), entry)) {
            Some(found) => found,
            None => *position,
        },
        other => other.position(),
    }
}

/// Where `entry` is wrong, if it is what makes the map wrong.
fn wrong_entry(in_field: bool, entry: &(Ident, Expr)) -> Option<Position> {
    let (name, value) = entry;
    if !in_field {
        return is_wrong(value).then(|| place(value));
    }
    if let (Expr::Map(fields, _), "fields") = (value, name.name.as_str()) {
        return fields.0.iter().find(|(_, value)| is_wrong(value)).map(|(_, value)| place(value));
    }
    let is_wrong_as = |value: Value| {
        let mut field = json!({ "selector": "x" });
        field[name.name.as_str()] = value;
        Schema::parse(&field).is_err()
    };
    if !is_wrong_as(written(value)?) {
        return None;
    }
    // What is wrong whatever its value is no option at all.
    Some(if is_wrong_as(right_option(&name.name)) { name.pos } else { value.position() })
}
