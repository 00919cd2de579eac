//! `profile` of a live browser: which session it is loaded from, and which it is saved to.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::base::SessionId;

/// What is said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProfileInput {
    load: Option<SessionId>,
    save: Save,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Save {
    #[default]
    Nothing,
    /// Under the id of the live browser.
    New,
    Over(SessionId),
}

/// What is to be done, with the ids of sessions: `new` stands for that of the live browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing is kept.
    Nothing,
    /// A new profile, under the id of the live browser.
    New,
    /// One is loaded, and saved over.
    Over(SessionId),
    /// One is loaded, and nothing saved.
    Read(SessionId),
    /// A copy of one, under the id of the live browser.
    Fork(SessionId),
    /// One is loaded, and saved over another.
    Onto { load: SessionId, save: SessionId },
}

impl ProfileInput {
    /// What that comes to; none where it does not say what is to be saved over another.
    pub(super) fn plan(&self) -> Option<Plan> {
        Some(match (self.load.clone(), self.save.clone()) {
            (None, Save::Nothing) => Plan::Nothing,
            (None, Save::New) => Plan::New,
            (None, Save::Over(_)) => return None,
            (Some(load), Save::Nothing) => Plan::Read(load),
            (Some(load), Save::New) => Plan::Fork(load),
            (Some(load), Save::Over(save)) if load == save => Plan::Over(load),
            (Some(load), Save::Over(save)) => Plan::Onto { load, save },
        })
    }
}

/// The object's members.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileMembers)]
pub(super) struct Members {
    /// The profile to begin with: the id of a session that has one, or of a live browser that saved one.
    #[serde(default)]
    load: Option<String>,
    /// `true`: what there is at the end is kept under the new `session_id`. An id: it is kept over that one.
    #[serde(default)]
    #[schema(value_type = Option<SaveSchema>)]
    save: Option<SaveInput>,
}

struct SaveInput(Save);

/// As a client writes it.
#[derive(ToSchema)]
#[schema(as = ProfileSave)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) enum SaveSchema {
    Whether(bool),
    Over(String),
}

/// Absent or false: nothing is kept. True: a new profile. An id: that one is loaded and saved over. An object says both.
#[derive(ToSchema)]
#[schema(as = ProfileChoice)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
pub(super) enum ProfileInputSchema {
    Whether(bool),
    Id(String),
    Both(Members),
}

fn id<E: Error>(text: &str) -> Result<SessionId, E> {
    SessionId::new(text).map_err(E::custom)
}

impl<'de> Deserialize<'de> for SaveInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = SaveInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or the id of a profile")
            }

            fn visit_bool<E: Error>(self, save: bool) -> Result<SaveInput, E> {
                Ok(SaveInput(if save { Save::New } else { Save::Nothing }))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SaveInput, E> {
                Ok(SaveInput(Save::Over(id(text)?)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for ProfileInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ProfileInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, the id of a profile, or an object with load and save")
            }

            fn visit_unit<E: Error>(self) -> Result<ProfileInput, E> {
                Ok(ProfileInput::default())
            }

            fn visit_bool<E: Error>(self, save: bool) -> Result<ProfileInput, E> {
                Ok(ProfileInput { load: None, save: if save { Save::New } else { Save::Nothing } })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ProfileInput, E> {
                let id = id(text)?;
                Ok(ProfileInput { load: Some(id.clone()), save: Save::Over(id) })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProfileInput, A::Error> {
                let Members { load, save } = Members::deserialize(MapAccessDeserializer::new(map))?;
                let load = load.as_deref().map(id).transpose()?;
                Ok(ProfileInput { load, save: save.map_or(Save::Nothing, |save| save.0) })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_form_has_its_plan() {
        let id = |text: &str| SessionId::new(text).unwrap();
        let plan = |input: Value| serde_json::from_value::<ProfileInput>(input).unwrap().plan();
        let some = |input: Value| plan(input).unwrap();
        assert_eq!(some(json!(null)), Plan::Nothing);
        assert_eq!(some(json!(false)), Plan::Nothing);
        assert_eq!(some(json!({})), Plan::Nothing);
        assert_eq!(some(json!({ "save": false })), Plan::Nothing);
        assert_eq!(some(json!(true)), Plan::New);
        assert_eq!(some(json!({ "save": true })), Plan::New);
        assert_eq!(some(json!("a")), Plan::Over(id("a")));
        assert_eq!(some(json!({ "load": "a", "save": "a" })), Plan::Over(id("a")));
        assert_eq!(some(json!({ "load": "a" })), Plan::Read(id("a")));
        assert_eq!(some(json!({ "load": "a", "save": true })), Plan::Fork(id("a")));
        assert_eq!(some(json!({ "load": "a", "save": "b" })), Plan::Onto { load: id("a"), save: id("b") });
        assert_eq!(plan(json!({ "save": "b" })), None);
    }
}
