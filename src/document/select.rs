//! Values by CSS selector, without a browser.

use dom_query::{Matcher, NodeRef};
use serde_json::{Map, Value};
use url::Url;

use super::DocumentError;
use super::dom::{Dom, text, with_dom};

/// How deep records nest.
const MAX_NESTED: usize = 16;

/// Reads values by CSS selectors. `fields` is a map from names to what is wanted: a selector, perhaps with `@attribute`;
/// `{selector, type?: text|html|attr, attribute?}`; with `fields` a record, relative to the match; a list of one of these for
/// all matches. What has no match is null, or an empty list. Of several matches the first counts. Blocks while it reads.
///
/// # Errors
///
/// [`DocumentError::SelectorUnsupported`] for what only a browser can follow (`text=`, `role=`, `>>`, `:visible`, ..).
pub fn select(html: &str, base: &Url, fields: &Value) -> Result<Value, DocumentError> {
    let fields = read_map(fields, MAX_NESTED)?;
    with_dom(html, base, |dom| Ok(record(dom, &dom.document.root(), &fields)))
}

/// What is taken of an element.
enum Take {
    Text,
    Html,
    Attribute(String),
    Record(Vec<(String, Field)>),
}

struct Field {
    /// None is the element that the record is about.
    selector: Option<Selector>,
    take: Take,
    all: bool,
}

/// A selector's matcher; parsed where it is used, for it must not leave its thread.
struct Selector(String);

fn read_map(fields: &Value, left: usize) -> Result<Vec<(String, Field)>, DocumentError> {
    let fields =
        fields.as_object().ok_or_else(|| DocumentError::InvalidField("fields: wanted a map of names".into()))?;
    fields.iter().map(|(name, field)| Ok((name.clone(), read_field(name, field, left)?))).collect()
}

fn read_field(name: &str, field: &Value, left: usize) -> Result<Field, DocumentError> {
    let invalid = |message: &str| DocumentError::InvalidField(format!("field {name:?}: {message}"));
    if left == 0 {
        return Err(invalid("records nest too deep"));
    }
    match field {
        Value::String(source) => {
            let (selector, attribute) = split(source);
            let take = match attribute {
                None | Some("text") => Take::Text,
                Some("html") => Take::Html,
                Some(attribute) => Take::Attribute(attribute.to_owned()),
            };
            Ok(Field { selector: selector_of(selector)?, take, all: false })
        }
        Value::Array(list) => match list.as_slice() {
            [one] => Ok(Field { all: true, ..read_field(name, one, left)? }),
            _ => Err(invalid("a list has one element: what is wanted of each match")),
        },
        Value::Object(map) => {
            let source = map.get("selector").and_then(Value::as_str).ok_or_else(|| invalid("wanted a selector"))?;
            let known = ["selector", "type", "attribute", "attr", "fields"];
            if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
                return Err(invalid(&format!("knows no {unknown:?}; it has {}", known.join(", "))));
            }
            if let Some(fields) = map.get("fields") {
                return Ok(Field {
                    selector: selector_of(source)?,
                    take: Take::Record(read_map(fields, left - 1)?),
                    all: false,
                });
            }
            let attribute = map.get("attribute").or_else(|| map.get("attr")).and_then(Value::as_str);
            let (selector, short) = split(source);
            let take = match (map.get("type").and_then(Value::as_str), attribute.or(short)) {
                (Some("html"), _) | (None, Some("html")) => Take::Html,
                (Some("text"), _) | (None, None | Some("text")) => Take::Text,
                (Some("attr") | None, Some(attribute)) => Take::Attribute(attribute.to_owned()),
                (Some("attr"), None) => return Err(invalid("type \"attr\" wants an attribute")),
                (Some(other), _) => return Err(invalid(&format!("no type {other:?}: text, html or attr"))),
            };
            Ok(Field { selector: selector_of(selector)?, take, all: false })
        }
        _ => Err(invalid("wanted a selector, a map or a list of one")),
    }
}

/// `a@href` is a selector and an attribute: the last `@name`, outside quotes and brackets.
fn split(source: &str) -> (&str, Option<&str>) {
    let at = source.rfind('@').filter(|at| {
        let name = source.get(at + 1..).unwrap_or_default();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
    });
    match at {
        Some(at) => (source.get(..at).unwrap_or_default(), source.get(at + 1..)),
        None => (source, None),
    }
}

fn selector_of(source: &str) -> Result<Option<Selector>, DocumentError> {
    let source = source.trim();
    if source.is_empty() || source == "." {
        return Ok(None);
    }
    if let Some(reason) = needs_browser(source) {
        return Err(DocumentError::SelectorUnsupported { selector: source.to_owned(), reason: reason.to_owned() });
    }
    let css = source.strip_prefix("css=").unwrap_or(source);
    // The parser of selectors goes one deeper with each.
    if css.matches('(').count() > MAX_NESTED {
        return Err(DocumentError::InvalidSelector(source.to_owned()));
    }
    match Matcher::new(css) {
        Ok(_) => Ok(Some(Selector(css.to_owned()))),
        Err(_) => Err(DocumentError::InvalidSelector(source.to_owned())),
    }
}

/// Pseudo-classes that are the browser's to answer.
const OF_BROWSER: &[&str] = &[
    ":visible",
    ":has-text(",
    ":text(",
    ":text-is(",
    ":contains(",
    ":only-text",
    ":hover",
    ":focus",
    ":active",
    ":visited",
    ":target",
    ":valid",
    ":invalid",
    ":user-",
    ":fullscreen",
    ":popover-open",
    ":placeholder-shown",
    ":autofill",
    ":modal",
    ":nth-match(",
    "::",
];

fn needs_browser(source: &str) -> Option<&'static str> {
    if source.contains(">>") {
        return Some("selectors are chained with >>");
    }
    if source.starts_with("//") || source.starts_with("(//") || source.starts_with("..") {
        return Some("it is an XPath");
    }
    let engine = source.split_once('=').map(|(engine, _)| engine).unwrap_or_default();
    let is_engine =
        !engine.is_empty() && engine.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'));
    if is_engine && engine != "css" {
        return Some("only CSS can be read from the HTML alone");
    }
    let lower = source.to_ascii_lowercase();
    OF_BROWSER
        .iter()
        .any(|of_browser| lower.contains(of_browser))
        .then_some("that pseudo-class is the browser's to answer")
}

fn record(dom: &Dom, scope: &NodeRef<'_>, fields: &[(String, Field)]) -> Value {
    let values: Map<String, Value> =
        fields.iter().map(|(name, field)| (name.clone(), value(dom, scope, field))).collect();
    Value::Object(values)
}

fn value(dom: &Dom, scope: &NodeRef<'_>, field: &Field) -> Value {
    let found: Vec<NodeRef<'_>> = match &field.selector {
        None => vec![*scope],
        Some(Selector(css)) => match Matcher::new(css) {
            Ok(matcher) => {
                let below = dom_query::Selection::from(*scope);
                let chosen =
                    if field.all { below.select_matcher(&matcher) } else { below.select_single_matcher(&matcher) };
                chosen.nodes().to_vec()
            }
            Err(_) => Vec::new(),
        },
    };
    let mut values = found.iter().map(|node| taken(dom, node, &field.take));
    if field.all { values.collect() } else { values.next().unwrap_or(Value::Null) }
}

fn taken(dom: &Dom, node: &NodeRef<'_>, take: &Take) -> Value {
    match take {
        Take::Text => text(node).into(),
        Take::Html => node.inner_html().to_string().into(),
        Take::Attribute(name) => {
            let is_address = matches!(name.as_str(), "href" | "src" | "action" | "poster");
            match node.attr(name) {
                Some(value) if is_address => dom.absolute(&value).into(),
                Some(value) => value.to_string().into(),
                None => Value::Null,
            }
        }
        Take::Record(fields) => record(dom, node, fields),
    }
}
