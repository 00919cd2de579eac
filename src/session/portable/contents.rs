//! What a session holds, in clear, between its store and a file.

use serde_json::Value;

use crate::base::{SessionId, Tenant};
use crate::session::part::Part;
use crate::session::sessions::{Sessions, Stored};
use crate::session::state::Index;
use crate::session::{Cookie, Partial, SessionError};

/// The storage of one storage key.
#[allow(clippy::struct_field_names)] // a storage key is called so everywhere
pub(super) struct Storage {
    pub(super) storage_key: String,
    pub(super) part: Part,
    /// What of it could not be kept when it was captured.
    pub(super) partial: Vec<Partial>,
}

/// A version without its seals.
pub(super) struct Contents {
    /// The record's settings, where a format holds them.
    pub(super) settings: Option<Value>,
    /// Its list of parts counts for nothing here: `parts` does.
    pub(super) index: Index,
    pub(super) parts: Vec<Storage>,
}

impl Contents {
    /// Cookies and storages from elsewhere.
    pub(super) fn of(cookies: Vec<Cookie>, parts: Vec<Storage>) -> Self {
        Self { settings: None, index: Index::new(cookies, Vec::new()), parts }
    }

    /// HEAD of a session, opened in full. Takes no lease: what is read is one version, whoever writes the next.
    pub(super) async fn read(
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
    ) -> Result<(Self, Stored), SessionError> {
        let name = sessions.name(tenant, id);
        let head = sessions.records().read(&name, None).await?.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let stored = sessions.open_head(tenant, &name, &head)?;
        let mut parts = Vec::with_capacity(stored.index.parts.len());
        for part in &stored.index.parts {
            parts.push(Storage {
                storage_key: part.storage_key.clone(),
                part: sessions.open_part(tenant, &stored, part, None).await?,
                partial: part.partial.clone(),
            });
        }
        let settings = Some(stored.record.settings()?);
        Ok((Self { settings, index: stored.index.clone(), parts }, stored))
    }

    /// How many origins have something in them.
    pub(super) fn origins(&self) -> usize {
        self.parts.iter().filter(|part| !part.part.is_empty()).count()
    }
}
