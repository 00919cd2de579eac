//! Names and numbers that carry their own rules: tenants, session ids, versions, fences.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest session id, in bytes (the HTTP contract's limit).
const MAX_SESSION_ID: usize = 256;
/// The longest tenant name, in bytes.
const MAX_TENANT: usize = 64;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// A session id has to have 1 to 256 bytes.
    #[error("a session id has 1 to {MAX_SESSION_ID} bytes, this one has {0}")]
    SessionIdLength(usize),
    /// A session id goes into messages and file names of exports; control characters would break both.
    #[error("a session id has no control characters, this one has {0:?}")]
    SessionIdControl(char),
    /// A tenant is a short plain name.
    #[error("a tenant name has 1 to {MAX_TENANT} of a-z, A-Z, 0-9, '.', '_' and '-', found {0:?}")]
    Tenant(String),
}

/// The id that a user gives a session: any text of 1 to 256 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// Checks and wraps `id`.
    pub fn new(id: impl Into<String>) -> Result<Self, IdError> {
        let id = id.into();
        if id.is_empty() || id.len() > MAX_SESSION_ID {
            return Err(IdError::SessionIdLength(id.len()));
        }
        match id.chars().find(|c| c.is_control()) {
            Some(control) => Err(IdError::SessionIdControl(control)),
            None => Ok(Self(id)),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = IdError;
    fn try_from(id: String) -> Result<Self, IdError> {
        Self::new(id)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who owns sessions, secrets and identities. Two tenants share nothing, not even the existence of an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

impl Tenant {
    /// Checks and wraps `name`.
    pub fn new(name: impl Into<String>) -> Result<Self, IdError> {
        let name = name.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > MAX_TENANT || !name.chars().all(plain) {
            return Err(IdError::Tenant(name));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// The tenant of the command line where none is named: `default`.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TryFrom<String> for Tenant {
    type Error = IdError;
    fn try_from(name: String) -> Result<Self, IdError> {
        Self::new(name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a saved state of a session: 1 for the first, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// The number that a lease was granted under. A store refuses a write with any fence but the latest granted, so a holder
/// that slept past its lease cannot overwrite its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl Fence {
    /// The fence after `last`, given the store's clock in microseconds: the clock makes it grow although nothing of an
    /// expired or deleted session is kept.
    #[must_use]
    pub fn after(last: Option<Fence>, clock_micros: u64) -> Self {
        Self(last.map_or(0, |fence| fence.0 + 1).max(clock_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_any_short_text() {
        for id in ["a", "acme prod", "žluťoučký/kůň", &"x".repeat(256)] {
            assert_eq!(SessionId::new(id).unwrap().as_str(), id);
        }
        assert_eq!(SessionId::new(""), Err(IdError::SessionIdLength(0)));
        assert_eq!(SessionId::new("x".repeat(257)), Err(IdError::SessionIdLength(257)));
        assert_eq!(SessionId::new("a\nb"), Err(IdError::SessionIdControl('\n')));
    }

    #[test]
    fn a_fence_grows_even_when_the_clock_stands_still() {
        assert_eq!(Fence::after(None, 7), Fence(7));
        assert_eq!(Fence::after(Some(Fence(7)), 7), Fence(8));
        assert_eq!(Fence::after(Some(Fence(7)), 3), Fence(8));
        assert_eq!(Fence::after(Some(Fence(7)), 90), Fence(90));
    }

    #[test]
    fn tenants_are_plain_names() {
        assert_eq!(Tenant::new("acme-1").unwrap().as_str(), "acme-1");
        for bad in ["", "a b", "a/b", &"x".repeat(65)] {
            assert!(Tenant::new(bad).is_err(), "{bad:?} was taken");
        }
    }
}
