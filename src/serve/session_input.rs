//! `session` in a request: an id, or an object that says more.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::base::{SessionId, parse_duration};
use crate::session::{Identity, Mode, SessionOptions, Workspace};

use super::error::ApiError;
use super::task::Task;

/// How much of its time a request waits for a session that others hold; after that it is told who has it.
const PATIENCE: f32 = 0.9;

/// The session that the work is to be done in: it is opened before, and saved after. An id, or an object.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SessionInput {
    /// Any text of 1 to 256 bytes.
    pub(super) id: SessionId,
    /// The identity that it tells sites from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    /// What to do where others hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<ModeInput>,
    /// Whether it has a browser profile of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<bool>,
    /// How long it is kept unused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<String>,
}

/// How a session is opened that others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionMode)]
pub(super) enum ModeInput {
    /// The request fails: `session_busy`.
    Fail,
    /// The request waits for it, nearly to its deadline.
    Wait,
    /// What is saved is read, and nothing is saved.
    ReadOnly,
    /// A fork of what is saved is opened.
    Fork,
}

/// The object's members.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionMembers)]
pub(super) struct Members {
    /// Any text of 1 to 256 bytes; made on first use.
    #[schema(min_length = 1, max_length = 256, example = "acme")]
    id: String,
    /// The identity that it tells sites from now on: the name of one that is kept.
    #[serde(default)]
    identity: Option<String>,
    /// What to do where others hold it; `wait` where nothing is said. Requests of this server wait for each other in any case.
    #[serde(default)]
    mode: Option<ModeInput>,
    /// Whether it has a browser profile of its own; as it was made, where nothing is said.
    #[serde(default)]
    profile: Option<bool>,
    /// How long it is kept unused: `30d`, `never`.
    #[serde(default)]
    #[schema(example = "30d")]
    ttl: Option<String>,
}

/// Any text of 1 to 256 bytes.
#[derive(ToSchema)]
#[schema(as = SessionId, min_length = 1, max_length = 256, example = "acme")]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) struct IdSchema(String);

/// As a client writes it: for the document of the interface alone.
#[derive(ToSchema)]
#[schema(as = SessionOrId)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) enum SessionInputSchema {
    /// Its id: any text of 1 to 256 bytes.
    Id(IdSchema),
    /// More.
    Object(Members),
}

impl<'de> Deserialize<'de> for SessionInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = SessionInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a session, or an object with an id")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SessionInput, E> {
        let id = SessionId::new(text).map_err(E::custom)?;
        Ok(SessionInput { id, identity: None, mode: None, profile: None, ttl: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SessionInput, A::Error> {
        let Members { id, identity, mode, profile, ttl } = Members::deserialize(MapAccessDeserializer::new(map))?;
        let id = SessionId::new(id).map_err(|error| A::Error::custom(format!("id: {error}")))?;
        Ok(SessionInput { id, identity, mode, profile, ttl })
    }
}

impl SessionInput {
    /// Whether it is opened to be saved as itself, which is done by one at a time.
    pub(super) fn is_saved(&self) -> bool {
        !matches!(self.mode, Some(ModeInput::ReadOnly | ModeInput::Fork))
    }

    /// How it is opened; `identity` is one that the request names beside it. Asks the store for the identity.
    pub(super) async fn options(
        &self,
        workspace: &Workspace,
        task: &Task,
        identity: Option<&str>,
    ) -> Result<SessionOptions, ApiError> {
        let identity = match (self.identity.as_deref(), identity) {
            (Some(one), Some(other)) if one != other => {
                return Err(ApiError::invalid(
                    "identity",
                    "identity: session.identity names another: leave one of them out",
                ));
            }
            (Some(name), _) | (None, Some(name)) => workspace.identity(name).await?,
            (None, None) => Identity::default(),
        };
        let mode = match self.mode {
            Some(ModeInput::Fail) => Mode::Fail,
            None | Some(ModeInput::Wait) => Mode::Wait(task.deadline.remaining().mul_f32(PATIENCE)),
            Some(ModeInput::ReadOnly) => Mode::ReadOnly,
            Some(ModeInput::Fork) => Mode::Fork,
        };
        let ttl = self.ttl.as_deref().map(ttl).transpose()?;
        Ok(SessionOptions { ttl, mode, profile: self.profile, identity, ..SessionOptions::default() })
    }
}

fn ttl(text: &str) -> Result<Option<std::time::Duration>, ApiError> {
    if text == "never" {
        return Ok(None);
    }
    let bad = |error| ApiError::invalid("session.ttl", format!("session.ttl: {error}"));
    parse_duration(text).map(Some).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::super::json::read;
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        session: SessionInput,
    }

    #[test]
    fn a_session_is_an_id_or_an_object() {
        let asked: Asked = read(br#"{"session": "acme"}"#).unwrap();
        assert_eq!(asked.session.id.as_str(), "acme");
        let asked: Asked = read(br#"{"session": {"id": "a b", "mode": "read_only", "ttl": "3d"}}"#).unwrap();
        assert_eq!((asked.session.mode, asked.session.ttl.as_deref()), (Some(ModeInput::ReadOnly), Some("3d")));
        // Kept with a job, and read again.
        let kept = serde_json::json!({ "session": asked.session });
        let again: Asked = read(kept.to_string().as_bytes()).unwrap();
        assert_eq!(again.session.mode, Some(ModeInput::ReadOnly));
    }

    #[test]
    fn what_is_wrong_with_it_is_told_with_its_place() {
        let path = |body: &str| read::<Asked>(body.as_bytes()).unwrap_err().details["path"].clone();
        assert_eq!(path(r#"{"session": ""}"#), "session");
        assert_eq!(path(r#"{"session": 7}"#), "session");
        assert_eq!(path(r#"{"session": {"id": "a", "mode": "x"}}"#), "session.mode");
        assert_eq!(path(r#"{"session": {"id": "a", "profil": true}}"#), "session.profil");
    }
}
