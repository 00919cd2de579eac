//! `extract` by description: `#{ schema: #{ name: description } }` and `#{ instruction: ".." }`, read and answered.

use serde_json::{Map, Value, json};
use url::Url;

use super::ScriptError;
use crate::base::{Deadline, Redactor, closest, show_duration};
use crate::document::heuristic::{self, Extraction, Schema};
use crate::document::llm::{Llm, LlmError};
use crate::page::Page;

const KEYS: [&str; 3] = ["schema", "engine", "details"];
const ENGINES: [&str; 2] = ["heuristic", "llm"];
/// How long a page that says nothing yet is left alone before it is read again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

/// What is asked for by description.
#[derive(Debug, Clone)]
pub enum Described {
    /// Values by name and description.
    Schema {
        /// What is wanted.
        schema: Box<Schema>,
        /// Whether a language model is asked.
        by_llm: bool,
        /// Whether to tell what was taken from where.
        details: bool,
    },
    /// What a language model is told to do.
    Instruction(String),
}

impl Described {
    /// Reads what `extract` was given; none where that is a schema of selectors.
    pub fn read(given: &Value) -> Result<Option<Self>, ScriptError> {
        let Value::Object(map) = given else { return Ok(None) };
        match (map.get("schema"), map.get("instruction")) {
            (Some(schema @ Value::Object(fields)), None) if !fields.contains_key("selector") => {
                if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
                    let hint = closest(unknown, KEYS).map_or_else(
                        || format!("known are {}", KEYS.join(", ")),
                        |near| format!("did you mean {near}?"),
                    );
                    return Err(bad(&format!("unknown option {unknown:?} beside schema")).with_hint(hint));
                }
                let schema = Schema::parse(schema).map_err(|error| bad(&error.to_string()))?;
                let by_llm = engine(map)? == ENGINES[1];
                let details = match map.get("details") {
                    None | Some(Value::Null) => false,
                    Some(Value::Bool(details)) => *details,
                    Some(other) => return Err(bad(&format!("details is true or false, found {other}"))),
                };
                Ok(Some(Self::Schema { schema: Box::new(schema), by_llm, details }))
            }
            (None, Some(Value::String(text))) if map.keys().all(|key| key == "instruction" || key == "engine") => {
                if map.contains_key("engine") && engine(map)? == ENGINES[0] {
                    return Err(bad("an instruction is for a language model: engine: \"llm\""));
                }
                Ok(Some(Self::Instruction(text.clone())))
            }
            _ => Ok(None),
        }
    }

    /// Reads the page until something of what is asked for is there; answers the value, and what is missing of it.
    pub async fn answer(
        &self,
        page: &Page,
        llm: Option<&Llm>,
        redactor: &Redactor,
        deadline: Deadline,
    ) -> Result<(Value, Vec<String>), ScriptError> {
        match self {
            Self::Instruction(text) => {
                let llm = llm.ok_or_else(LlmError::unset).map_err(|error| of_llm(&error))?;
                let (html, base) = document(page, deadline).await?;
                let answer = llm
                    .instruct(&html, base.as_ref(), text, redactor, deadline)
                    .await
                    .map_err(|error| of_llm(&error))?;
                Ok((answer, Vec::new()))
            }
            Self::Schema { schema, by_llm, details } => {
                let llm =
                    if *by_llm { Some(llm.ok_or_else(LlmError::unset).map_err(|error| of_llm(&error))?) } else { None };
                let found = match llm {
                    Some(llm) => {
                        let (html, base) = document(page, deadline).await?;
                        llm.extract(&html, base.as_ref(), schema, redactor, deadline)
                            .await
                            .map_err(|error| of_llm(&error))?
                    }
                    None => patiently(page, schema, deadline).await?,
                };
                if found.data.is_empty() {
                    return Err(nothing(&found, *by_llm, deadline));
                }
                let missing = found.missing.clone();
                Ok((answered(found, *details), missing))
            }
        }
    }
}

fn engine(map: &Map<String, Value>) -> Result<&str, ScriptError> {
    match map.get("engine") {
        None | Some(Value::Null) => Ok(ENGINES[0]),
        Some(Value::String(name)) if ENGINES.contains(&name.as_str()) => Ok(name),
        Some(other) => Err(bad(&format!("engine is \"heuristic\" or \"llm\", found {other}"))),
    }
}

fn bad(reason: &str) -> ScriptError {
    ScriptError::new("invalid_argument", format!("extract: {reason}"))
}

fn of_llm(error: &LlmError) -> ScriptError {
    ScriptError::new(error.code(), error.to_string())
}

/// The page as a reader has it now, and what its addresses are relative to.
async fn document(page: &Page, deadline: Deadline) -> Result<(String, Option<Url>), ScriptError> {
    let (html, base) = page.written(false, deadline).await.map_err(ScriptError::from)?;
    Ok((html, Some(base)))
}

/// Reads again, while nothing at all is found, until the deadline: much comes late.
async fn patiently(page: &Page, schema: &Schema, deadline: Deadline) -> Result<Extraction, ScriptError> {
    let mut before = String::new();
    let mut found = Extraction::default();
    loop {
        let (html, base) = document(page, deadline).await?;
        if html != before {
            before.clone_from(&html);
            let read = heuristic::extract_by(html, base, schema.clone(), deadline).await;
            found = read.map_err(|error| ScriptError::new(error.code(), error.to_string()))?;
        }
        if !found.data.is_empty() || deadline.remaining() < PAUSE {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn nothing(found: &Extraction, by_llm: bool, deadline: Deadline) -> ScriptError {
    let names = found.missing.join(", ");
    let message = if by_llm {
        format!("the language model found nothing on the page for {names}")
    } else {
        format!("nothing on the page fits {names}, within {}", show_duration(deadline.span()))
    };
    ScriptError::new("schema_validation_failed", message)
}

/// What is missing is (), so that a script can ask for it.
fn answered(found: Extraction, details: bool) -> Value {
    let Extraction { mut data, missing, sources } = found;
    for name in missing.iter().filter(|name| !name.contains(['[', '.'])) {
        data.insert(name.clone(), Value::Null);
    }
    if !details {
        return Value::Object(data);
    }
    let sources: Vec<Value> = sources
        .into_iter()
        .map(|source| json!({"field": source.field, "from": source.from, "confidence": source.confidence}))
        .collect();
    json!({"data": data, "missing": missing, "sources": sources})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_told_from_selectors() {
        let is = |given: Value| Described::read(&given).unwrap().is_some();
        assert!(is(json!({"schema": {"a": "the a"}})));
        assert!(is(json!({"schema": {"a": "the a"}, "engine": "llm", "details": true})));
        assert!(is(json!({"instruction": "sum it up"})));
        assert!(!is(json!({"schema": "h1"})), "a field of that name");
        assert!(!is(json!({"schema": {"selector": "h1", "type": "text"}})), "a field of that name with options");
        assert!(!is(json!({"instruction": ".x", "title": "h1"})), "fields of those names");
        assert!(!is(json!(["li"])));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |given: Value, wanted: &str| {
            let error = Described::read(&given).unwrap_err();
            assert!(error.parts().message.contains(wanted), "{}", error.parts().message);
        };
        check(json!({"schema": {"a": "b"}, "engine": "best"}), "engine is \"heuristic\" or \"llm\"");
        check(json!({"schema": {"a": "b"}, "engin": "llm"}), "unknown option \"engin\"");
        check(json!({"schema": {}}), "the schema is empty");
        check(json!({"schema": {"a": 1}}), "a: expected a description, found 1");
        check(json!({"instruction": "x", "engine": "heuristic"}), "for a language model");
    }
}
