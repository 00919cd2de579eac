//! Names and descriptions, read as what is wanted: one value, a list of values, records with attributes.

use serde_json::Value;

use super::describe;
use super::phrase::Phrase;
use super::shapes::{Kind, Output};
use super::words::{self, Word};

const MAX_FIELDS: usize = 100;
const MAX_DESCRIPTION: usize = 2_000;
const MAX_DEPTH: usize = 3;

/// A schema that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub String);

/// What is wanted under each name.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(super) fields: Vec<(String, Want)>,
    /// As it was given.
    written: Value,
}

/// The shape of what is wanted.
#[derive(Debug, Clone)]
pub(super) enum Want {
    One(Attribute),
    Record(Vec<(String, Attribute)>),
    List(List),
}

#[derive(Debug, Clone)]
pub(super) struct List {
    /// What the list is of.
    pub entity: Vec<Word>,
    pub attributes: Vec<(String, Attribute)>,
    /// Values instead of records.
    pub flat: bool,
    pub limit: Option<usize>,
}

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    /// Ways to say what it is; the best fit counts.
    pub phrases: Vec<Phrase>,
    pub kind: Kind,
    pub output: Output,
    /// Of several in a list the first is meant ("the latest order").
    pub first: bool,
    /// What it is a value of, and other words of the description.
    pub context: Vec<Word>,
    /// Several values, inside of a record.
    pub many: bool,
    /// A word for several: values, where a row has more than one.
    pub plural: bool,
    /// Several records, inside of a record.
    pub inner: Option<Box<List>>,
}

impl Schema {
    /// Reads `{name: description}`. In place of a description may stand a map (a record with those fields), or a list with one
    /// description or one map in it (a list of such).
    pub fn parse(schema: &Value) -> Result<Self, SchemaError> {
        let Value::Object(map) = schema else {
            return Err(SchemaError(format!("a schema is a map of names and descriptions, found {}", shown(schema))));
        };
        if map.is_empty() {
            return Err(SchemaError("the schema is empty; give at least one name with its description".into()));
        }
        let mut count = 0;
        let fields = map.iter().map(|(name, value)| Ok((name.clone(), want(name, value, 0, &mut count)?)));
        Ok(Self { fields: fields.collect::<Result<_, SchemaError>>()?, written: schema.clone() })
    }

    /// Names and descriptions, as they were given.
    pub fn descriptions(&self) -> &Value {
        &self.written
    }

    /// The shape of the answer: records as maps, lists with one element, a word for the type of each value.
    pub fn shape(&self) -> Value {
        let shape = |want: &Want| match want {
            Want::One(attribute) => attribute.shape(),
            Want::Record(attributes) => record(attributes),
            Want::List(list) => list.shape(),
        };
        self.fields.iter().map(|(name, want)| (name.clone(), shape(want))).collect::<serde_json::Map<_, _>>().into()
    }
}

fn shown(value: &Value) -> String {
    words::short(&value.to_string(), 60)
}

fn want(name: &str, value: &Value, depth: usize, count: &mut usize) -> Result<Want, SchemaError> {
    *count += 1;
    if *count > MAX_FIELDS {
        return Err(SchemaError(format!("the schema has more than {MAX_FIELDS} fields")));
    }
    if depth > MAX_DEPTH {
        return Err(SchemaError(format!("{name}: the schema is nested deeper than {MAX_DEPTH}")));
    }
    match value {
        Value::String(text) if text.len() > MAX_DESCRIPTION => {
            Err(SchemaError(format!("{name}: the description is longer than {MAX_DESCRIPTION} bytes")))
        }
        Value::String(text) => Ok(describe::read(name, text)),
        Value::Object(map) if !map.is_empty() => Ok(Want::Record(attributes(map, depth, count)?)),
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => Ok(describe::read_list(name, text)),
            [Value::Object(map)] if !map.is_empty() => Ok(Want::List(List {
                entity: words::label(name),
                attributes: attributes(map, depth, count)?,
                flat: false,
                limit: None,
            })),
            _ => {
                Err(SchemaError(format!("{name}: a list holds one description, or one map of names and descriptions")))
            }
        },
        other => Err(SchemaError(format!("{name}: expected a description, found {}", shown(other)))),
    }
}

fn attributes(
    map: &serde_json::Map<String, Value>,
    depth: usize,
    count: &mut usize,
) -> Result<Vec<(String, Attribute)>, SchemaError> {
    map.iter()
        .map(|(name, value)| match want(name, value, depth + 1, count)? {
            Want::One(attribute) => Ok((name.clone(), attribute)),
            Want::List(List { mut attributes, flat: true, .. }) if attributes.len() == 1 => {
                let (_, mut attribute) = attributes.swap_remove(0);
                attribute.many = true;
                Ok((name.clone(), attribute))
            }
            Want::List(list) => {
                let context = list.entity.clone();
                let attribute = Attribute {
                    phrases: Vec::new(),
                    kind: Kind::Any,
                    output: Output::Text,
                    first: false,
                    context,
                    many: true,
                    plural: false,
                    inner: Some(Box::new(list)),
                };
                Ok((name.clone(), attribute))
            }
            Want::Record(_) => Err(SchemaError(format!("{name}: a record holds values and lists, no further records"))),
        })
        .collect()
}

fn record(attributes: &[(String, Attribute)]) -> Value {
    attributes.iter().map(|(key, attribute)| (key.clone(), attribute.shape())).collect::<serde_json::Map<_, _>>().into()
}

impl List {
    fn shape(&self) -> Value {
        match (self.flat, self.attributes.first()) {
            (true, Some((_, attribute))) => vec![attribute.type_word()].into(),
            _ => vec![record(&self.attributes)].into(),
        }
    }
}

impl Attribute {
    fn shape(&self) -> Value {
        match &self.inner {
            Some(list) => list.shape(),
            None if self.many => vec![self.type_word()].into(),
            None => self.type_word().into(),
        }
    }

    fn type_word(&self) -> &'static str {
        match self.output {
            Output::Number => "number",
            Output::Integer => "integer",
            Output::Bool => "true or false",
            Output::Date => "date as YYYY-MM-DD",
            Output::DateTime => "date as ISO 8601",
            Output::Url => "absolute URL",
            Output::Text | Output::Loose => "text",
        }
    }

    /// How well a label says that its value is this: 0 to 1.
    pub fn fit(&self, label: &[Word]) -> f32 {
        self.phrases.iter().map(|phrase| phrase.fit(label, &self.context)).fold(0.0, f32::max)
    }

    /// Whether it is asked for without saying which ("price", not "old price").
    pub fn is_plain(&self) -> bool {
        self.phrases.first().is_some_and(Phrase::is_plain)
    }

    /// Whether what was once is asked for ("old price").
    pub fn is_of_old(&self) -> bool {
        let words = ["old", "original", "previous", "was", "regular", "list", "before"];
        self.phrases.iter().any(|phrase| words.iter().any(|word| phrase.speaks_of(word)))
    }

    /// Whether an address may be meant.
    pub fn wants_url(&self) -> bool {
        let words = ["url", "link", "website", "homepage", "site", "uri", "source", "profile", "identifier", "id"];
        matches!(self.kind, Kind::Url | Kind::Image)
            || self.phrases.iter().any(|phrase| words.iter().any(|word| phrase.speaks_of(word)))
    }

    /// Whether its look alone may tell it.
    pub fn is_plain_or_date(&self) -> bool {
        self.is_plain()
            || matches!(self.kind, Kind::Hours | Kind::Duration)
            || (self.kind == Kind::Date && self.is_of_beginning())
    }

    /// Whether it is asked for when something came to be: posted, published, ordered.
    pub fn is_of_beginning(&self) -> bool {
        let words = ["published", "posting", "created", "placed", "date"].map(Word::new);
        self.phrases
            .first()
            .is_some_and(|phrase| phrase.all(|word| words.iter().any(|known| known.likeness(word) > 0.5)))
    }

    /// As [`Self::fit`] where the look of the value stands for the last word ("release date" on what is released, and a date).
    pub fn fit_by_look(&self, label: &[Word]) -> f32 {
        self.phrases.iter().map(|phrase| phrase.fit_without_head(label, &self.context)).fold(0.0, f32::max)
    }
}
