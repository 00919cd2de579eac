//! Extraction schemas: reading what a script gave, and the plan that the injected code runs.

use serde_json::{Map, Value, json};

use super::PageError;
use super::convert::{Convert, Kind};
use super::selector::{Selector, Step};
use super::verb::Verb;

/// A parsed extraction schema (`spec: script-api, "extract"`).
#[derive(Debug, Clone)]
pub struct Schema {
    pub(super) plan: Plan,
}

/// What to take, in the shape in which it comes back.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Value(Field),
    All(Field),
    Map(Vec<(String, Plan)>),
    Rows { field: Field, fields: Vec<(String, Plan)>, single: bool },
}

/// Where a value comes from and what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Tells the fields of one schema apart.
    pub id: usize,
    /// As written.
    pub source: String,
    /// None: the row itself.
    pub selector: Option<Selector>,
    pub attr: Option<String>,
    pub limit: Option<u64>,
    pub convert: Convert,
}

const OPTIONS: [&str; 9] = ["selector", "attr", "type", "optional", "default", "trim", "regex", "limit", "fields"];

impl Schema {
    /// Reads the schema from what the script gave: a string, a list or a map. Unknown options of a field are errors that
    /// name the nearest known one.
    pub fn parse(value: &Value) -> Result<Self, PageError> {
        let mut next = 0;
        let plan = plan(value, "", &mut next)?;
        Ok(Self { plan })
    }

    /// What a timeout of an extraction was about, where that was a field.
    pub(super) fn missing(verb: &Verb) -> Option<PageError> {
        verb.missing.strip_prefix(MISSING).map(|what| {
            PageError::Extract(format!("{what} within {}", crate::base::show_duration(verb.deadline.span())))
        })
    }
}

/// Marks a wait for a field in [`Verb::missing`].
pub(super) const MISSING: &str = "extract: ";

fn plan(value: &Value, name: &str, next: &mut usize) -> Result<Plan, PageError> {
    match value {
        Value::String(text) => Ok(Plan::Value(short(text, name, next)?)),
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => Ok(Plan::All(short(text, name, next)?)),
            [Value::Object(map)] if map.contains_key("selector") => match field_or_rows(map, name, next)? {
                Plan::Value(field) => Ok(Plan::All(field)),
                Plan::Rows { field, fields, .. } => Ok(Plan::Rows { field, fields, single: false }),
                other => Ok(other),
            },
            _ => Err(bad(name, "a list holds one selector, or one map with selector and fields")),
        },
        Value::Object(map) if matches!(map.get("selector"), Some(Value::String(_))) => field_or_rows(map, name, next),
        Value::Object(map) if map.is_empty() => Err(bad(name, "the map is empty; give at least one field")),
        Value::Object(map) => named(map, name, next).map(Plan::Map),
        other => Err(bad(name, &format!("expected a selector, a list or a map, found {other}"))),
    }
}

fn named(map: &Map<String, Value>, name: &str, next: &mut usize) -> Result<Vec<(String, Plan)>, PageError> {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    map.iter().map(|(key, value)| Ok((key.clone(), plan(value, &inner(key), next)?))).collect()
}

/// `"a@href"`.
fn short(text: &str, name: &str, next: &mut usize) -> Result<Field, PageError> {
    let (selector, attr) = split_attr(text);
    field(text, selector, attr.map(str::to_owned), Convert::default(), name, next)
}

fn field(
    source: &str,
    selector: &str,
    attr: Option<String>,
    convert: Convert,
    name: &str,
    next: &mut usize,
) -> Result<Field, PageError> {
    let selector = selector.trim();
    let selector = match selector {
        "." => None,
        "" if attr.is_some() => None,
        "" => return Err(bad(name, "the selector is empty; \".\" is the row itself")),
        other => Some(Selector::parse(other)?),
    };
    *next += 1;
    Ok(Field { id: *next, source: source.to_owned(), selector, attr, limit: None, convert })
}

fn field_or_rows(map: &Map<String, Value>, name: &str, next: &mut usize) -> Result<Plan, PageError> {
    if let Some(unknown) = map.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        let hint = crate::base::closest(unknown, OPTIONS)
            .map_or_else(|| format!("known are {}", OPTIONS.join(", ")), |near| format!("did you mean {near}?"));
        return Err(bad(name, &format!("unknown option {unknown:?}; {hint}")));
    }
    let text = |key: &str| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(bad(name, &format!("{key} is a string, found {other}"))),
    };
    let flag = |key: &str| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(bad(name, &format!("{key} is true or false, found {other}"))),
    };
    let source = text("selector")?.unwrap_or_default();
    let (selector, at) = split_attr(&source);
    let attr = text("attr")?.or(at.map(str::to_owned));
    let kind = match text("type")? {
        None => Kind::default(),
        Some(kind) => Kind::named(&kind).map_err(|reason| bad(name, &reason))?,
    };
    let regex = match text("regex")? {
        None => None,
        Some(regex) => Some(regex::Regex::new(&regex).map_err(|error| bad(name, &format!("regex: {error}")))?),
    };
    let convert = Convert {
        kind,
        optional: flag("optional")?.unwrap_or(false),
        default: map.get("default").cloned(),
        trim: flag("trim")?.unwrap_or(true),
        regex,
    };
    let mut field = field(&source, selector, attr, convert, name, next)?;
    field.limit = match map.get("limit") {
        None | Some(Value::Null) => None,
        Some(limit) => {
            Some(limit.as_u64().ok_or_else(|| bad(name, &format!("limit is a number from 0, found {limit}")))?)
        }
    };
    match map.get("fields") {
        None => Ok(Plan::Value(field)),
        Some(Value::Object(fields)) => Ok(Plan::Rows { field, fields: named(fields, name, next)?, single: true }),
        Some(other) => Err(bad(name, &format!("fields is a map, found {other}"))),
    }
}

fn bad(name: &str, reason: &str) -> PageError {
    PageError::Argument(if name.is_empty() {
        format!("extract: {reason}")
    } else {
        format!("extract, {name}: {reason}")
    })
}

/// The last `@name` outside quotes and brackets, and never one in a `text=` selector.
#[allow(clippy::match_same_arms, reason = "the order of the arms is the meaning")]
fn split_attr(text: &str) -> (&str, Option<&str>) {
    let step = text.rsplit(">>").next().unwrap_or(text).trim_start();
    if step.starts_with("text=") || step.starts_with('"') {
        return (text, None);
    }
    let (mut depth, mut quote, mut last) = (0_i32, None, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth -= 1,
            (None, '@') if depth == 0 => last = Some(at),
            _ => {}
        }
    }
    let Some(at) = last else { return (text, None) };
    let name = text[at + 1..].trim();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_:.".contains(c));
    if !plain {
        return (text, None);
    }
    // `//a/@href` is how XPath people write it.
    let selector = text[..at].trim_end();
    (
        selector.strip_suffix('/').filter(|s| s.starts_with("//") || s.starts_with("xpath=")).unwrap_or(selector),
        Some(name),
    )
}

impl Plan {
    /// For the injected code. `top`: outside of any row, where missing things may still be on their way.
    pub fn to_json(&self) -> Value {
        let fields = |fields: &[(String, Plan)]| -> Vec<Value> {
            fields.iter().map(|(name, plan)| json!([name, plan.to_json()])).collect()
        };
        match self {
            Self::Value(field) => json!({"k": "value", "field": field.to_json()}),
            Self::All(field) => json!({"k": "all", "field": field.to_json()}),
            Self::Map(map) => json!({"k": "map", "fields": fields(map)}),
            Self::Rows { field, fields: inner, single } => {
                let mut rows = field.to_json();
                if *single {
                    rows["limit"] = json!(1);
                }
                json!({"k": "rows", "field": rows, "fields": fields(inner)})
            }
        }
    }

    /// The field with this id.
    pub fn field(&self, id: usize) -> Option<&Field> {
        match self {
            Self::Value(field) | Self::All(field) => (field.id == id).then_some(field),
            Self::Map(fields) => fields.iter().find_map(|(_, plan)| plan.field(id)),
            Self::Rows { field, fields, .. } if field.id != id => fields.iter().find_map(|(_, plan)| plan.field(id)),
            Self::Rows { field, .. } => Some(field),
        }
    }
}

impl Field {
    fn to_json(&self) -> Value {
        let steps: &[Step] = self.selector.as_ref().map_or(&[], |selector| selector.steps());
        json!({
            "id": self.id,
            "source": self.source,
            "steps": steps,
            "self": self.selector.is_none(),
            // The script's own words for these stand with an @ before them; an attribute has none.
            "attr": self.attr.as_ref().map(|attr| if matches!(attr.as_str(), "html" | "text" | "value") { format!("@{attr}") } else { attr.clone() }),
            "html": self.convert.kind == Kind::Html,
            "url": self.convert.kind == Kind::Url,
            "optional": self.convert.is_optional(),
            "limit": self.limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_the_last_at_outside_brackets() {
        assert_eq!(split_attr("a@href"), ("a", Some("href")));
        assert_eq!(split_attr(".x @data-y"), (".x", Some("data-y")));
        assert_eq!(split_attr("a[href='x@y']"), ("a[href='x@y']", None));
        assert_eq!(split_attr("text=me@example"), ("text=me@example", None));
        assert_eq!(split_attr("//a/@href"), ("//a", Some("href")));
        assert_eq!(split_attr("//a[@b]"), ("//a[@b]", None));
        assert_eq!(split_attr("@href"), ("", Some("href")));
    }

    #[test]
    fn mistakes_are_told_with_their_field() {
        let check = |schema: Value, wanted: &str| {
            let error = Schema::parse(&schema).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        };
        check(
            json!({"a": {"selector": "b", "optonal": true}}),
            "a: unknown option \"optonal\"; did you mean optional?",
        );
        check(json!({"a": {"selector": "b", "type": "nubmer"}}), "did you mean number?");
        check(json!([]), "a list holds one");
        check(json!({"a": 1}), "a: expected a selector");
        check(json!({"a": {"selector": "b >> "}}), "invalid selector");
    }
}
