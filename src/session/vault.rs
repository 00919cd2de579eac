//! The vault: secrets as documents of the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Secret, Tenant};

use super::documents::{bad_name, now};
use super::{SessionError, Sessions};

/// The kind of these documents.
const KIND: &str = "secret";
/// The longest value, in bytes: keys and certificates fit, files do not.
const LONGEST_VALUE: usize = 64 << 10;

/// A secret as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// When its value was set (RFC 3339).
    pub set_at: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    name: String,
    value: Zeroizing<String>,
    set_at: String,
}

impl Sessions {
    /// Puts a secret into the tenant's vault; answers whether another value was there. [`SessionError::Secret`] for a name or
    /// a value that cannot be.
    pub async fn set_secret(&self, tenant: &Tenant, name: &str, value: &Secret) -> Result<bool, SessionError> {
        check(name, value.expose())?;
        let value = Zeroizing::new(value.expose().to_owned());
        let kept = Kept { format: 1, name: name.to_owned(), value, set_at: now() };
        self.put_document(tenant, KIND, name, &kept).await
    }

    /// The secret by that name; none where the vault has none.
    pub async fn secret(&self, tenant: &Tenant, name: &str) -> Result<Option<Secret>, SessionError> {
        let kept: Option<Kept> = self.document(tenant, KIND, name).await?;
        Ok(kept.map(|mut kept| Secret::new(&kept.name, std::mem::take(&mut *kept.value))))
    }

    /// Those of `names` that the vault has, or that an identity of the tenant calls one of the vault's. Opens none of them.
    pub async fn known_secrets(
        &self,
        tenant: &Tenant,
        names: BTreeSet<String>,
    ) -> Result<BTreeSet<String>, SessionError> {
        let (mut known, mut others) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            if self.has_document(tenant, KIND, &name).await? {
                known.insert(name);
            } else {
                others.insert(name);
            }
        }
        if others.is_empty() {
            return Ok(known);
        }
        // What an identity calls so is known once a session has it.
        for info in self.identities(tenant).await? {
            for (name, of) in info.identity.secrets.unwrap_or_default() {
                if others.contains(&name) && self.has_document(tenant, KIND, &of).await? {
                    known.insert(name);
                }
            }
        }
        Ok(known)
    }

    /// The tenant's secrets by name, without their values.
    pub async fn secrets(&self, tenant: &Tenant) -> Result<Vec<SecretInfo>, SessionError> {
        let kept: Vec<Kept> = self.all_documents(tenant, KIND).await?;
        let mut all: Vec<_> = kept.into_iter().map(|Kept { name, set_at, .. }| SecretInfo { name, set_at }).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes a secret. [`SessionError::NoSecret`] where there is none.
    pub async fn delete_secret(&self, tenant: &Tenant, name: &str) -> Result<(), SessionError> {
        let was_there = self.remove_document(tenant, KIND, name).await?;
        if was_there { Ok(()) } else { Err(SessionError::NoSecret(name.to_owned())) }
    }
}

/// Whether a secret can be called so. [`SessionError::Secret`] where not.
pub fn secret_name(name: &str) -> Result<String, SessionError> {
    bad_name("a secret's", name).map_or_else(|| Ok(name.to_owned()), |bad| Err(SessionError::Secret(bad)))
}

fn check(name: &str, value: &str) -> Result<(), SessionError> {
    secret_name(name)?;
    if value.is_empty() {
        return Err(SessionError::Secret(format!("the value of {name} is empty, which counts as not set")));
    }
    if value.len() > LONGEST_VALUE {
        return Err(SessionError::Secret(format!(
            "the value of {name} has {} bytes; a secret has at most {LONGEST_VALUE}",
            value.len()
        )));
    }
    Ok(())
}
