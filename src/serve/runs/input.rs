//! What `/v1/run` is asked, and the shape of its answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::app::App;
use super::super::error::ApiError;
use super::super::failures;
use super::super::library::Script;
use super::super::session_input::{SessionInput, SessionInputSchema};
use super::said::LogLine;
use crate::session::SessionOutcome;

/// How a script is called that was sent.
const SENT: &str = "script";

/// What `/v1/run` is asked. Either `script` or `name`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"script": "goto(args.url); title()", "args": {"url": "https://example.com/"}, "session": "acme"}))]
pub(in crate::serve) struct RunInput {
    /// The script's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    /// The name of one that the server has: `GET /v1/scripts` lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `args` in the script.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub(super) args: Map<String, Value>,
    /// The session that is open from the script's first line, and saved after its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SessionInputSchema>)]
    pub(in crate::serve) session: Option<SessionInput>,
    /// The identity that the session tells sites from now on; without a session, that of the pages of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    /// Whether what it opens goes through the proxy that the server was started with, where no identity has one of its own.
    /// `proxy_unavailable` where it was started with none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) use_proxy: bool,
    /// How long it may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    timeout_ms: Option<u64>,
    /// What the answer is to have; all of it where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Vec<RunOutput>>,
}

/// A part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::serve) enum RunOutput {
    /// The value of the script's last expression.
    Result,
    /// What it emitted.
    Emitted,
    /// What it printed and logged.
    Logs,
}

/// What a script came to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema: the answer is put together from what there is")]
pub(in crate::serve) struct RunAnswer {
    #[schema(example = "req_5f0c2b1e9d3a4c7f8e6b5a4d3c2b1a09")]
    request_id: String,
    /// `completed`.
    #[schema(example = "completed")]
    status: String,
    /// The value of the script's last expression.
    #[schema(required = false)]
    result: Value,
    /// What it emitted, in order.
    #[schema(required = false)]
    emitted: Vec<Value>,
    /// What it printed and logged, and what it was to be told.
    #[schema(required = false)]
    logs: Vec<LogLine>,
    /// What became of the session: null where there was none.
    #[schema(required = true)]
    session: Option<SessionTold>,
    duration_ms: u64,
}

/// What became of a session.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(in crate::serve) struct SessionTold {
    id: String,
    /// Whether cookies or storage changed.
    updated: bool,
    /// Its newest version; null where it has none.
    #[schema(required = true)]
    version: Option<u64>,
    /// What changed, by name.
    #[schema(value_type = Vec<Object>)]
    changes: Vec<Value>,
}

impl RunInput {
    /// The session that it works in, where that is to be saved.
    pub(in crate::serve) fn session_id(&self) -> Option<&str> {
        let session = self.session.as_ref().filter(|session| session.is_saved())?;
        Some(session.id.as_str())
    }

    /// How long it may take. Fails for what no server does.
    pub(in crate::serve) fn timeout(&self, app: &App) -> Result<Duration, ApiError> {
        let Some(millis) = self.timeout_ms else { return Ok(app.config.run_timeout) };
        let (span, most) = (Duration::from_millis(millis), app.config.max_run_timeout);
        if millis == 0 || span > most {
            let message = format!("timeout_ms: from 1 to {}, found {millis}", most.as_millis());
            return Err(ApiError::invalid("timeout_ms", message));
        }
        Ok(span)
    }

    /// What can be told to be wrong with it before it is begun.
    pub(in crate::serve) fn check(&self, app: &App) -> Result<(), ApiError> {
        self.timeout(app)?;
        app.upstream(self.use_proxy)?;
        self.source(app).map(drop)
    }

    /// The script's text, whoever has it.
    pub(super) fn source(&self, app: &App) -> Result<Script, ApiError> {
        match (&self.script, &self.name) {
            (Some(text), None) => {
                let most = app.config.max_script;
                if text.len() > most {
                    let message = format!("script: {} bytes; {most} is the most here", text.len());
                    return Err(ApiError::new("payload_too_large", message).with("path", "script"));
                }
                Ok(Script { name: SENT.to_owned(), text: text.clone(), import_root: None })
            }
            (None, Some(name)) => {
                let script = app.library.script(name)?;
                app.library.check_args(name, &self.args)?;
                Ok(script)
            }
            (Some(_), Some(_)) => Err(ApiError::invalid("name", "name: script is given too: one of them")),
            (None, None) => Err(ApiError::invalid("script", "script: the text of a script is wanted, or name")),
        }
    }

    /// `session`, and `sessions` where there was more than one.
    pub(in crate::serve) fn session_members(&self, outcomes: &[SessionOutcome]) -> Map<String, Value> {
        let session = match &self.session {
            None => outcomes.first().map_or(Value::Null, failures::told),
            Some(session) => failures::told_of(&session.id, outcomes),
        };
        let mut members = Map::from_iter([("session".to_owned(), session)]);
        if outcomes.len() > 1 {
            members.insert("sessions".to_owned(), outcomes.iter().map(failures::told).collect());
        }
        members
    }

    pub(super) fn wants(&self, output: RunOutput) -> bool {
        self.output.as_ref().is_none_or(|wanted| wanted.contains(&output))
    }
}
