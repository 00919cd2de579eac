//! Extraction by a language model: any endpoint that speaks `OpenAI`'s chat completions. What is asked for comes back in the shape
//! that the schema describes, and values that the page does not have are dropped, so that a model that makes things up makes
//! them missing. The client, the address and the key are given from above; secrets are taken out before anything is sent.

mod answer;
mod call;
mod prompt;

use std::fmt;

use serde_json::Value;
use url::Url;

use super::DocumentError;
use super::heuristic::{Extraction, Provenance, Schema};
use crate::base::{Deadline, Redactor, Secret};

/// Access to a language model. Cheap to clone.
#[derive(Clone)]
pub struct Llm {
    config: LlmConfig,
    client: reqwest::Client,
}

impl fmt::Debug for Llm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Llm({:?})", self.config)
    }
}

/// Which language model there is: what settings say, before there is a client for it.
#[derive(Clone)]
pub struct LlmConfig {
    endpoint: Url,
    model: String,
    key: Option<Secret>,
}

impl fmt::Debug for LlmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses may have credentials in them.
        write!(f, "LlmConfig({} at {})", self.model, self.endpoint.host_str().unwrap_or("?"))
    }
}

impl LlmConfig {
    /// `model` at `url`: the base of an API (`https://HOST/v1`) or the whole address of its chat completions. The error says what is
    /// wrong with the address.
    pub fn new(url: &str, model: &str, key: Option<Secret>) -> Result<Self, String> {
        let mut endpoint = Url::parse(url.trim()).map_err(|error| error.to_string())?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
            return Err("an address that begins with https:// or http:// is wanted".into());
        }
        if !endpoint.path().ends_with("/chat/completions") {
            let path = format!("{}/chat/completions", endpoint.path().trim_end_matches('/'));
            endpoint.set_path(&path);
        }
        Ok(Self { endpoint, model: model.to_owned(), key })
    }

    /// Access to it by `client`, which decides which way requests go.
    pub fn with(&self, client: reqwest::Client) -> Llm {
        Llm { config: self.clone(), client }
    }
}

/// Why a language model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LlmError {
    /// None is set up, or it cannot be reached, or it refused.
    #[error("{0}")]
    Unavailable(String),
    /// The deadline passed.
    #[error("timeout of {} while waiting for the language model", crate::base::show_duration(*.0))]
    Timeout(std::time::Duration),
    /// The page cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It answered, but twice not with what was asked for.
    #[error("{0}")]
    Answer(String),
}

impl LlmError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "llm_unavailable",
            Self::Timeout(_) => "timeout",
            Self::Document(error) => error.code(),
            Self::Answer(_) => "schema_validation_failed",
        }
    }

    /// That no language model is set up.
    pub fn unset() -> Self {
        Self::Unavailable(
            "no language model is set up: set RHAVEN_LLM_URL and RHAVEN_LLM_MODEL, and RHAVEN_LLM_KEY where it wants a key".into(),
        )
    }
}

impl Llm {
    /// The model's name.
    pub fn model(&self) -> &str {
        &self.config.model
    }

    /// Extracts what `schema` describes from a page. `redactor` knows what must not be sent.
    pub async fn extract(
        &self,
        html: &str,
        base: Option<&Url>,
        schema: &Schema,
        redactor: &Redactor,
        deadline: Deadline,
    ) -> Result<Extraction, LlmError> {
        self.hide_key(redactor);
        let (reading, text) = prompt::read(redactor.redact(html), base.cloned()).await?;
        let messages = prompt::for_schema(&text, base, schema, redactor);
        let answered = self.ask(messages, redactor, deadline).await?;
        let mut found = answer::fitted(&answered, schema, &reading);
        let from = format!("language model {}", self.config.model);
        let fields = found.data.keys().cloned();
        found.sources = fields.map(|field| Provenance { field, from: from.clone(), confidence: 0.5 }).collect();
        Ok(found)
    }

    /// Follows an instruction on a page; whatever JSON object comes back. It is not compared with the page: an instruction may ask
    /// for what stands nowhere, such as a summary.
    pub async fn instruct(
        &self,
        html: &str,
        base: Option<&Url>,
        instruction: &str,
        redactor: &Redactor,
        deadline: Deadline,
    ) -> Result<Value, LlmError> {
        self.hide_key(redactor);
        let (_, text) = prompt::read(redactor.redact(html), base.cloned()).await?;
        let messages = prompt::for_instruction(&text, base, instruction, redactor);
        self.ask(messages, redactor, deadline).await.map(Value::Object)
    }

    fn hide_key(&self, redactor: &Redactor) {
        if let Some(key) = &self.config.key {
            redactor.learn(key);
        }
    }
}
