//! What a session holds, in clear, between its store and a file.

use serde_json::{Map, Value};

use crate::base::{SessionId, Tenant};
use crate::session::part::Part;
use crate::session::sessions::{Sessions, Stored};
use crate::session::{Cookie, Partial, SessionError};

/// The storage of one storage key.
#[allow(clippy::struct_field_names)] // Chromium's word
pub(in crate::session) struct Storage {
    pub(in crate::session) storage_key: String,
    pub(in crate::session) part: Part,
    /// What of it could not be kept when it was captured.
    pub(in crate::session) partial: Vec<Partial>,
}

/// Cookies and storage without seals.
pub(in crate::session) struct Contents {
    pub(in crate::session) cookies: Vec<Cookie>,
    pub(in crate::session) parts: Vec<Storage>,
}

impl Contents {
    /// Those of a version, opened in full.
    pub(super) async fn read(sessions: &Sessions, tenant: &Tenant, stored: &Stored) -> Result<Self, SessionError> {
        let mut parts = Vec::with_capacity(stored.index.parts.len());
        for part in &stored.index.parts {
            parts.push(Storage {
                storage_key: part.storage_key.clone(),
                part: sessions.open_part(tenant, stored, part, None).await?,
                partial: part.partial.clone(),
            });
        }
        Ok(Self { cookies: stored.index.cookies.clone(), parts })
    }
}

/// HEAD of a session. Takes no lease: what is read is one version, whoever writes the next.
pub(super) async fn head(sessions: &Sessions, tenant: &Tenant, id: &SessionId) -> Result<Stored, SessionError> {
    let name = sessions.name(tenant, id);
    let head = sessions.records().read(&name, None).await?.ok_or_else(|| SessionError::NotFound(id.clone()))?;
    sessions.open_head(tenant, &name, &head)
}

/// What a version has besides cookies and storage, by name: formats of others hold nothing of it.
pub(super) fn beside(stored: &Stored) -> Result<Vec<Partial>, SessionError> {
    let bad = |error: serde_json::Error| SessionError::Format { what: "the session".into(), reason: error.to_string() };
    let members = |value: Value| if let Value::Object(members) = value { members } else { Map::new() };
    let mut all = members(serde_json::to_value(&stored.index.beside).map_err(bad)?);
    all.extend(members(stored.record.settings()?));
    // How long it is kept is a matter of the store that it is in.
    all.remove("ttl_seconds");
    // Told of a version against the one before it.
    all.remove("own_files");
    all.retain(|_, value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    });
    let lost = |(store, _)| Partial { origin: "-".into(), store, key: None, reason: super::HOLDS_NOT.into() };
    Ok(all.into_iter().map(lost).collect())
}
