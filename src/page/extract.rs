//! `extract`: a schema in, JSON out, one round trip to the page per call (`role=` fields aside).

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::PageError;
use super::resolve::invalid;
use super::schema::{Field, MISSING, Plan, Schema};
use super::selector::Step;
use super::verb::{Answer, Verb};
use super::world::{Arg, CallError, Shared};

/// How long one call stays in the page, as for other verbs.
const PATIENCE_MS: u64 = 500;

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Reply {
    #[serde(rename = "where")]
    place: Vec<Value>,
    selector: String,
    attr: Option<String>,
    found: String,
    id: usize,
    at: usize,
}

/// Runs the schema in the frame's document; waits for what is required.
pub(super) async fn run(page: &Shared, frame: &str, schema: &Schema, verb: &mut Verb) -> Result<Value, PageError> {
    let mut sets: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    let mut round = 0;
    loop {
        page.settle(frame, verb).await;
        let value = match look(page, frame, schema, verb, &sets, round).await {
            Ok(value) => value,
            Err(CallError::Lost) if page.tree().get(frame).is_some() => {
                verb.log.line("the document was replaced, looking again");
                sets.clear();
                continue;
            }
            Err(CallError::Lost) => return Err(PageError::Argument("the frame has gone from its page".into())),
            Err(CallError::Page(error)) => return Err(error),
        };
        let answer = Answer::deserialize(&value).map_err(|error| PageError::JavaScript(error.to_string()))?;
        let reply = Reply::deserialize(&value).unwrap_or_default();
        match answer.t.as_str() {
            "ok" => return build(&schema.plan, &answer.value, &mut Vec::new()),
            "role" => {
                let field = schema.plan.field(reply.id);
                let step = field.and_then(|field| field.selector.as_ref()).and_then(|s| s.steps().get(reply.at));
                let Some(Step::Role(role)) = step else { return Err(PageError::Extract("no such role".into())) };
                match page.by_role(frame, role).await {
                    Ok(nodes) => {
                        sets.insert((reply.id, reply.at), nodes);
                    }
                    Err(CallError::Lost) => sets.clear(),
                    Err(CallError::Page(error)) => return Err(error),
                }
                continue;
            }
            "many" => {
                let matches = answer.list;
                return Err(PageError::StrictViolation { selector: reply.selector, count: answer.n, matches });
            }
            "bad" => return Err(invalid_field(schema, answer.why)),
            _ => {
                let line = describe(&reply);
                // In a row that stands, what is not there will not come.
                if reply.place.iter().any(Value::is_number) && round > 0 {
                    return Err(PageError::Extract(line));
                }
                verb.log.line(&line);
                verb.missing = format!("{MISSING}{line}");
                if !sets.is_empty() {
                    // Roles are true for a moment only: the page wakes us, and they are asked for anew.
                    let _ = page.call(frame, "change", &[Arg::Value(PATIENCE_MS.into())]).await;
                    sets.clear();
                }
            }
        }
        round += 1;
    }
}

async fn look(
    page: &Shared,
    frame: &str,
    schema: &Schema,
    verb: &Verb,
    sets: &BTreeMap<(usize, usize), Vec<String>>,
    round: usize,
) -> Result<Value, CallError> {
    let remaining = u64::try_from(verb.deadline.remaining().as_millis()).unwrap_or(PATIENCE_MS);
    let patience = if round == 0 || !sets.is_empty() { 0 } else { PATIENCE_MS.min(remaining * 3 / 4) };
    let roles: Vec<Value> = sets.iter().map(|((id, step), nodes)| json!([id, step, nodes.len()])).collect();
    let mut args = vec![Arg::Value(json!({"patience": patience, "roles": roles})), Arg::Value(schema.plan.to_json())];
    args.extend(sets.values().flatten().cloned().map(Arg::Object));
    page.call(frame, "extract", &args).await
}

fn invalid_field(schema: &Schema, why: String) -> PageError {
    match first_selector(&schema.plan) {
        Some(selector) => invalid(selector, why),
        None => PageError::Argument(why),
    }
}

fn first_selector(plan: &Plan) -> Option<&super::Selector> {
    match plan {
        Plan::Value(field) | Plan::All(field) | Plan::Rows { field, .. } => field.selector.as_ref(),
        Plan::Map(fields) => fields.iter().find_map(|(_, plan)| first_selector(plan)),
    }
}

/// "field orders[3].status: no element matches ".status"".
fn describe(reply: &Reply) -> String {
    let place = place_of(&reply.place);
    match (&reply.attr, reply.found.is_empty()) {
        (Some(attr), false) => {
            format!("{place}{} has no {} ({:?})", reply.found, attr.trim_start_matches('@'), reply.selector)
        }
        _ => format!("{place}no element matches {:?}", reply.selector),
    }
}

fn place_of(place: &[Value]) -> String {
    let mut name = String::new();
    for part in place {
        match part {
            Value::Number(row) => drop(write!(name, "[{row}]")),
            Value::String(part) if name.is_empty() => name.push_str(part),
            Value::String(part) => drop(write!(name, ".{part}")),
            _ => {}
        }
    }
    if name.is_empty() { name } else { format!("field {name}: ") }
}

/// Puts the raw values into the shape of the plan.
fn build(plan: &Plan, raw: &Value, place: &mut Vec<Value>) -> Result<Value, PageError> {
    match plan {
        Plan::Value(field) => convert(field, raw, place),
        Plan::All(field) => numbered(raw, place, |raw, place| convert(field, raw, place)),
        Plan::Map(fields) => record(fields, raw, place),
        Plan::Rows { fields, single: true, field } => match raw.get(0) {
            Some(row) => record(fields, row, place),
            None => Ok(field.convert.absent()),
        },
        Plan::Rows { fields, .. } => numbered(raw, place, |row, place| record(fields, row, place)),
    }
}

fn numbered(
    raw: &Value,
    place: &mut Vec<Value>,
    mut each: impl FnMut(&Value, &mut Vec<Value>) -> Result<Value, PageError>,
) -> Result<Value, PageError> {
    let mut out = Vec::new();
    for (index, item) in raw.as_array().into_iter().flatten().enumerate() {
        place.push(index.into());
        out.push(each(item, place)?);
        place.pop();
    }
    Ok(Value::Array(out))
}

fn record(fields: &[(String, Plan)], raw: &Value, place: &mut Vec<Value>) -> Result<Value, PageError> {
    let mut out = Map::new();
    for (index, (name, plan)) in fields.iter().enumerate() {
        place.push(name.as_str().into());
        out.insert(name.clone(), build(plan, raw.get(index).unwrap_or(&Value::Null), place)?);
        place.pop();
    }
    Ok(Value::Object(out))
}

fn convert(field: &Field, raw: &Value, place: &[Value]) -> Result<Value, PageError> {
    let (Some(text), base) = (raw.get(0).and_then(Value::as_str), raw.get(1).and_then(Value::as_str)) else {
        return Ok(field.convert.absent());
    };
    field
        .convert
        .apply(text, base.unwrap_or_default())
        .map_err(|reason| PageError::Extract(format!("{}{reason} ({:?})", place_of(place), field.source)))
}
