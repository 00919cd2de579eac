//! Extraction: what a request wants to know of a page, and the value that is found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::input::{Output, check_selector};
use super::outputs::{Failed, Source, read_aside};
use super::visit::Visit;
use crate::document::heuristic::{self, Provenance};
use crate::document::llm::{Llm, LlmError};
use crate::document::{self, MarkdownOptions};
use crate::page::Schema;
use crate::serve::error::ApiError;

/// The most fields of one extraction.
const MOST_FIELDS: usize = 200;
/// The longest instruction or description, in bytes.
const LONGEST_TEXT: usize = 16_384;
/// Attributes that hold an address, which is made absolute.
const ADDRESSES: [&str; 5] = ["href", "src", "action", "formaction", "poster"];

/// What the `json` output is to hold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtractInput {
    /// How it is said what is wanted.
    mode: Mode,
    /// Mode `selectors`: by name, where each value stands. Of several matches the first counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<BTreeMap<String, FieldInput>>,
    /// Mode `schema`: by name, what is wanted in words. The description's shape is the result's: `"array of order IDs and statuses"`
    /// makes a list of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    schema: Option<Value>,
    /// Mode `instruction`: what is wanted, in words, for a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 16384)]
    instruction: Option<String>,
    /// Modes `schema` and `instruction`: what reads the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    engine: Option<Engine>,
}

/// How it is said what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// What the page says of itself: title, description, headings, main text, links, structured data.
    Page,
    /// By CSS selectors; with a browser, by all selectors that scripts have.
    Selectors,
    /// By descriptions.
    Schema,
    /// By an instruction to a language model.
    Instruction,
}

/// What reads a page without selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engine {
    /// Ours, on this machine: repeated structures, tables, definition lists, labelled values, structured data.
    Heuristic,
    /// The language model that the server was started with.
    Llm,
}

/// Where a value stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FieldInput {
    /// Which element.
    selector: String,
    /// What of it.
    #[serde(rename = "type", default)]
    kind: FieldKind,
    /// Type `attr`: which attribute. Addresses are made absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
}

/// What of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FieldKind {
    /// Its text.
    #[default]
    Text,
    /// The HTML within it.
    Html,
    /// One of its attributes.
    Attr,
}

/// What was found.
pub(super) struct Extracted {
    pub(super) value: Value,
    /// What read the page, where that was a choice.
    pub(super) engine: Option<&'static str>,
    /// Where each value was taken from, by the engine.
    pub(super) sources: Vec<Provenance>,
    /// What was not found, by name.
    pub(super) missing: Vec<Failed>,
}

impl Extracted {
    fn plain(value: Value, missing: Vec<Failed>) -> Self {
        Self { value, engine: None, sources: Vec::new(), missing }
    }
}

impl ExtractInput {
    /// What the page says of itself.
    pub(super) fn page() -> Self {
        Self { mode: Mode::Page, fields: None, schema: None, instruction: None, engine: None }
    }

    /// By an instruction.
    pub(super) fn instruction(text: String) -> Self {
        Self { mode: Mode::Instruction, instruction: Some(text), ..Self::page() }
    }

    /// Checks that what its mode needs is there, and nothing else.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let given = [
            ("fields", self.fields.is_some(), self.mode == Mode::Selectors),
            ("schema", self.schema.is_some(), self.mode == Mode::Schema),
            ("instruction", self.instruction.is_some(), self.mode == Mode::Instruction),
        ];
        let mode = self.mode_name();
        for (member, is_given, is_wanted) in given {
            let path = format!("extract.{member}");
            match (is_given, is_wanted) {
                (true, false) => return Err(ApiError::invalid(&path, format!("mode {mode:?} has no {member}"))),
                (false, true) => return Err(ApiError::invalid(&path, format!("mode {mode:?} needs {member}"))),
                _ => {}
            }
        }
        if self.engine.is_some() && matches!(self.mode, Mode::Page | Mode::Selectors) {
            return Err(ApiError::invalid("extract.engine", format!("mode {mode:?} has no engine")));
        }
        if self.mode == Mode::Instruction && self.engine == Some(Engine::Heuristic) {
            let message = "an instruction is for a language model: the heuristic engine reads a schema";
            return Err(ApiError::invalid("extract.engine", message));
        }
        self.check_names()
    }

    fn check_names(&self) -> Result<(), ApiError> {
        if let Some(count) = self.fields.as_ref().map(BTreeMap::len).filter(|count| !(1..=MOST_FIELDS).contains(count))
        {
            let message = format!("1 to {MOST_FIELDS} fields are possible, found {count}");
            return Err(ApiError::invalid("extract.fields", message));
        }
        for (name, field) in self.fields.iter().flatten() {
            let at = |member: &str| format!("extract.fields.{name}.{member}");
            check_selector(&field.selector).map_err(|reason| ApiError::invalid(&at("selector"), reason))?;
            if (field.kind == FieldKind::Attr) != field.attribute.is_some() {
                let message = "an attribute goes with type \"attr\", and that with an attribute";
                return Err(ApiError::invalid(&at("attribute"), message));
            }
        }
        if let Some(schema) = &self.schema {
            heuristic::Schema::parse(schema).map_err(|error| ApiError::invalid("extract.schema", error.to_string()))?;
        }
        match self.instruction.as_deref().map(str::len) {
            Some(bytes) if !(1..=LONGEST_TEXT).contains(&bytes) => {
                let message = format!("an instruction has 1 to {LONGEST_TEXT} bytes, this one has {bytes}");
                Err(ApiError::invalid("extract.instruction", message))
            }
            _ => Ok(()),
        }
    }

    fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Page => "page",
            Mode::Selectors => "selectors",
            Mode::Schema => "schema",
            Mode::Instruction => "instruction",
        }
    }

    /// Whether it needs a language model.
    pub(super) fn needs_llm(&self) -> bool {
        self.engine == Some(Engine::Llm) || self.mode == Mode::Instruction
    }

    /// Reads it from a page.
    pub(super) async fn run(&self, visit: &Visit, source: &Source<'_>) -> Result<Extracted, Failed> {
        match self.mode {
            Mode::Page => self.of_page(source).await,
            Mode::Selectors => self.by_selectors(source).await,
            Mode::Schema => self.by_schema(visit, source).await,
            Mode::Instruction => self.by_instruction(visit, source).await,
        }
    }

    async fn by_instruction(&self, visit: &Visit, source: &Source<'_>) -> Result<Extracted, Failed> {
        let text = self.instruction.as_deref().unwrap_or_default();
        let (html, base) = source.document(Output::Json, true).await?;
        let llm = llm(visit)?;
        let answer = llm.instruct(&html, Some(&base), text, &visit.redactor, visit.task.deadline).await;
        let value = answer.map_err(|error| Failed::json(error.code(), error.to_string()))?;
        Ok(Extracted { engine: Some("llm"), ..Extracted::plain(value, Vec::new()) })
    }

    async fn of_page(&self, source: &Source<'_>) -> Result<Extracted, Failed> {
        let (html, base) = source.document(Output::Json, true).await?;
        let read = move || {
            let heads = json!({"title": "title", "description": "meta[name=description]@content", "lang": "html@lang", "headings": ["h1, h2, h3"]});
            let mut page = document::select(&html, &base, &heads)?;
            page["markdown"] = document::markdown(&html, &base, &MarkdownOptions::default())?.into();
            page["links"] = json!(document::links(&html, &base)?);
            page["structured_data"] = json!(document::structured_data(&html, &base)?);
            Ok(page)
        };
        Ok(Extracted::plain(read_aside(Output::Json, read).await?, Vec::new()))
    }

    async fn by_schema(&self, visit: &Visit, source: &Source<'_>) -> Result<Extracted, Failed> {
        let schema = self.schema.as_ref().unwrap_or(&Value::Null);
        let schema =
            heuristic::Schema::parse(schema).map_err(|error| Failed::json("invalid_request", error.to_string()))?;
        let (html, base) = source.document(Output::Json, true).await?;
        let by_llm = self.engine == Some(Engine::Llm);
        let found = if by_llm {
            let read = llm(visit)?.extract(&html, Some(&base), &schema, &visit.redactor, visit.task.deadline);
            read.await.map_err(|error| Failed::json(error.code(), error.to_string()))?
        } else {
            let read = heuristic::extract_by(html, Some(base), schema, visit.task.deadline).await;
            read.map_err(|error| Failed::json(error.code(), error.to_string()))?
        };
        if found.data.is_empty() {
            let message = format!("nothing on the page fits what the schema describes: {}", found.missing.join(", "));
            return Err(Failed::json("schema_validation_failed", message));
        }
        let missing = found
            .missing
            .iter()
            .map(|name| Failed::json("field_missing", format!("{name}: nothing on the page fits its description")));
        let missing = missing.collect();
        Ok(Extracted {
            value: found.data.into(),
            engine: Some(if by_llm { "llm" } else { "heuristic" }),
            sources: found.sources,
            missing,
        })
    }

    async fn by_selectors(&self, source: &Source<'_>) -> Result<Extracted, Failed> {
        let fields = self.fields.as_ref();
        let found = match source {
            Source::Page { page, deadline, .. } => {
                let plan: Map<String, Value> =
                    fields.into_iter().flatten().map(|(name, field)| (name.clone(), field.plan())).collect();
                let schema =
                    Schema::parse(&plan.into()).map_err(|error| Failed::json(error.code(), error.to_string()))?;
                let found = page.main_frame().extract(&schema, *deadline).await;
                found.map_err(|error| Failed::json(error.error.code(), error.to_string()))?
            }
            Source::Response(_) => {
                let (html, base) = source.document(Output::Json, true).await?;
                let fields = json!(fields);
                read_aside(Output::Json, move || document::select(&html, &base, &fields)).await?
            }
        };
        let Value::Object(found) = found else { return Err(Failed::json("extract_failed", "no fields".to_owned())) };
        let first = |value: Value| match value {
            Value::Array(items) => items.into_iter().next().unwrap_or_default(),
            one => one,
        };
        let value: Map<String, Value> = found.into_iter().map(|(name, value)| (name, first(value))).collect();
        let is_missing = |(name, _): &(&String, &FieldInput)| value.get(*name).is_none_or(Value::is_null);
        let missing = fields.into_iter().flatten().filter(is_missing).map(|(name, field)| {
            let what = field.attribute.as_ref().map_or_else(String::new, |name| format!(" with an attribute {name}"));
            Failed::json("field_missing", format!("{name}: nothing matches {:?}{what}", field.selector))
        });
        let missing = missing.collect();
        Ok(Extracted::plain(value.into(), missing))
    }
}

/// The language model; that there is one was looked at before anything was opened.
fn llm(visit: &Visit) -> Result<&Llm, Failed> {
    let llm = visit.app.config.llm.as_ref();
    llm.ok_or_else(|| Failed::json("llm_unavailable", LlmError::unset().to_string()))
}

impl FieldInput {
    /// As a schema of the page floor: a list of the first match, so that none is no error.
    fn plan(&self) -> Value {
        let kind = match (self.kind, self.attribute.as_deref()) {
            (FieldKind::Html, _) => "html",
            (FieldKind::Attr, Some(name)) if ADDRESSES.contains(&name) => "url",
            _ => "text",
        };
        let mut field = json!({"selector": self.selector, "type": kind, "optional": true, "limit": 1});
        if let Some(attribute) = &self.attribute {
            field["attr"] = attribute.as_str().into();
        }
        json!([field])
    }
}
