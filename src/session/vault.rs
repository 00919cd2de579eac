//! The vault: secrets as documents of the store, each sealed under its tenant's key with its name inside.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Secret, Tenant};
use crate::seal::{Context, NameTag, Sealed, seal};
use crate::store::{DocumentName, Expected, StoreError};

use super::keys::seal_error;
use super::state::{decode, encode};
use super::{SessionError, Sessions};

/// The kind of these documents.
const KIND: &str = "secret";
/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;
/// The longest value, in bytes: keys and certificates fit, files do not.
const LONGEST_VALUE: usize = 64 << 10;
/// How many are read at a time.
const PAGE: usize = 100;

/// A secret as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        let document = self.secret_name(tenant, name);
        loop {
            self.before_sealing(tenant).await?;
            let before = self.documents().get(&document).await?;
            let kept = Kept {
                format: 1,
                name: name.to_owned(),
                value: Zeroizing::new(value.expose().to_owned()),
                set_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            };
            let context = Context::Document { tenant, kind: KIND, name: &document.name };
            let sealed = seal(&self.tenant_key(tenant), context, &encode(&kept)?);
            let sealed = sealed.map_err(|error| seal_error(&what(name), error))?;
            let replaced = before.is_some();
            let expected = before.map_or(Expected::Absent, Expected::Value);
            match self.documents().put(&document, &expected, &sealed, None).await {
                Ok(()) => return Ok(replaced),
                // Set by another, or sealed under a new key, between our look and our write.
                Err(StoreError::DocumentChanged) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The secret by that name; none where the vault has none.
    pub async fn secret(&self, tenant: &Tenant, name: &str) -> Result<Option<Secret>, SessionError> {
        let document = self.secret_name(tenant, name);
        let Some(sealed) = self.documents().get(&document).await? else { return Ok(None) };
        if !self.keys().ring().knows(sealed.key_id()) {
            self.keys().refresh(self.documents()).await?;
        }
        let mut kept = self.open_secret(tenant, &document.name, &sealed, &what(name))?;
        Ok(Some(Secret::new(&kept.name, std::mem::take(&mut *kept.value))))
    }

    /// Those of `names` that the vault has. Opens none of them.
    pub async fn known_secrets(
        &self,
        tenant: &Tenant,
        names: BTreeSet<String>,
    ) -> Result<BTreeSet<String>, SessionError> {
        let mut known = BTreeSet::new();
        for name in names {
            if self.documents().get(&self.secret_name(tenant, &name)).await?.is_some() {
                known.insert(name);
            }
        }
        Ok(known)
    }

    /// The tenant's secrets by name, without their values.
    pub async fn secrets(&self, tenant: &Tenant) -> Result<Vec<SecretInfo>, SessionError> {
        self.keys().refresh(self.documents()).await?;
        let (tag, mut after, mut all) = (self.keys().names().tenant(tenant), None, Vec::new());
        loop {
            let page = self.documents().list(tag, KIND, after, PAGE).await?;
            after = page.last().map(|(name, _)| *name);
            for (name, sealed) in &page {
                let Kept { name, set_at, .. } = self.open_secret(tenant, name, sealed, "a secret")?;
                all.push(SecretInfo { name, set_at });
            }
            if page.len() < PAGE {
                break;
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes a secret. [`SessionError::NoSecret`] where there is none.
    pub async fn delete_secret(&self, tenant: &Tenant, name: &str) -> Result<(), SessionError> {
        let was_there = self.documents().remove(&self.secret_name(tenant, name)).await?;
        if was_there { Ok(()) } else { Err(SessionError::NoSecret(name.to_owned())) }
    }

    fn secret_name(&self, tenant: &Tenant, name: &str) -> DocumentName {
        let names = self.keys().names();
        DocumentName { tenant: names.tenant(tenant), kind: KIND, name: names.name(tenant, KIND, name) }
    }

    fn open_secret(&self, tenant: &Tenant, name: &NameTag, sealed: &Sealed, what: &str) -> Result<Kept, SessionError> {
        decode(&self.open_tenant(tenant, Context::Document { tenant, kind: KIND, name }, sealed, what)?, what)
    }
}

fn what(name: &str) -> String {
    format!("the secret {name:?}")
}

/// Whether a secret can be called so. [`SessionError::Secret`] where not.
pub fn secret_name(name: &str) -> Result<String, SessionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(SessionError::Secret(format!(
            "a secret's name has 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, '_', '-' and '.', found {name:?}"
        )));
    }
    Ok(name.to_owned())
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
