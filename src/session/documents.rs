//! Documents of a tenant by name: secrets, identities. Each is sealed under the tenant's key with its name inside.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::Tenant;
use crate::seal::{Context, NameTag, Sealed, seal};
use crate::store::{DocumentName, Expected, StoreError};

use super::keys::seal_error;
use super::state::{decode, encode};
use super::{SessionError, Sessions};

/// What became of a document that was to be put over what had been read.
pub(super) enum Put {
    /// It stands there, as this.
    Done(Sealed),
    /// Something else stood there; nothing was written.
    Changed,
}

/// How many are read at a time.
const PAGE: usize = 100;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;

impl Sessions {
    /// Seals `value` and puts it by that name, in the place of what was there; answers whether something was.
    pub(super) async fn put_document<T: Serialize>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
        value: &T,
    ) -> Result<bool, SessionError> {
        let document = self.document_name(tenant, kind, name);
        loop {
            self.before_sealing(tenant).await?;
            let before = self.documents().get(&document).await?;
            let context = Context::Document { tenant, kind, name: &document.name };
            let sealed = seal(&self.tenant_key(tenant), context, &encode(value)?);
            let sealed = sealed.map_err(|error| seal_error(&what(kind, name), error))?;
            let replaced = before.is_some();
            let expected = before.map_or(Expected::Absent, Expected::Value);
            match self.documents().put(&document, &expected, &sealed, None).await {
                Ok(()) => return Ok(replaced),
                // Put by another, or sealed under a new key, between our look and our write.
                Err(StoreError::DocumentChanged) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Seals `value` and puts it by that name where `read` still stands there (none: nothing). It is gone after `ttl`.
    pub(super) async fn put_document_over<T: Serialize>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
        value: &T,
        read: Option<Sealed>,
        ttl: Option<Duration>,
    ) -> Result<Put, SessionError> {
        let document = self.document_name(tenant, kind, name);
        self.before_sealing(tenant).await?;
        let context = Context::Document { tenant, kind, name: &document.name };
        let sealed = seal(&self.tenant_key(tenant), context, &encode(value)?);
        let sealed = sealed.map_err(|error| seal_error(&what(kind, name), error))?;
        let expected = read.map_or(Expected::Absent, Expected::Value);
        match self.documents().put(&document, &expected, &sealed, ttl).await {
            Ok(()) => Ok(Put::Done(sealed)),
            Err(StoreError::DocumentChanged) => Ok(Put::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the store for something that is not there: whether it answers at all.
    pub async fn reach(&self) -> Result<(), SessionError> {
        self.has_document(&Tenant::default(), "reach", "reach").await.map(drop)
    }

    /// The document by that name; none where there is none.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
    ) -> Result<Option<T>, SessionError> {
        Ok(self.document_as_it_stands(tenant, kind, name).await?.map(|(value, _)| value))
    }

    /// The same, with what stands in the store.
    pub(super) async fn document_as_it_stands<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
    ) -> Result<Option<(T, Sealed)>, SessionError> {
        let document = self.document_name(tenant, kind, name);
        let Some(sealed) = self.documents().get(&document).await? else { return Ok(None) };
        if !self.keys().ring().knows(sealed.key_id()) {
            self.keys().refresh(self.documents()).await?;
        }
        let value = self.open_document(tenant, kind, &document.name, &sealed, &what(kind, name))?;
        Ok(Some((value, sealed)))
    }

    /// Whether there is one by that name. Opens nothing.
    pub(super) async fn has_document(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
    ) -> Result<bool, SessionError> {
        Ok(self.documents().get(&self.document_name(tenant, kind, name)).await?.is_some())
    }

    /// All of that kind, in no order.
    pub(super) async fn all_documents<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
    ) -> Result<Vec<T>, SessionError> {
        self.documents_but(tenant, kind, Err).await
    }

    /// The same, but for those that cannot be opened where `passes` lets them pass.
    pub(super) async fn documents_but<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        passes: fn(SessionError) -> Result<(), SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        self.keys().refresh(self.documents()).await?;
        let (tag, mut after, mut all) = (self.keys().names().tenant(tenant), None, Vec::new());
        loop {
            let page = self.documents().list(tag, kind, after, PAGE).await?;
            after = page.last().map(|(name, _)| *name);
            for (name, sealed) in &page {
                match self.open_document(tenant, kind, name, sealed, &format!("a document ({kind})")) {
                    Ok(value) => all.push(value),
                    Err(error) => passes(error)?,
                }
            }
            if page.len() < PAGE {
                return Ok(all);
            }
        }
    }

    /// Removes one; answers whether it was there.
    pub(super) async fn remove_document(
        &self,
        tenant: &Tenant,
        kind: &'static str,
        name: &str,
    ) -> Result<bool, SessionError> {
        Ok(self.documents().remove(&self.document_name(tenant, kind, name)).await?)
    }

    fn document_name(&self, tenant: &Tenant, kind: &'static str, name: &str) -> DocumentName {
        let names = self.keys().names();
        DocumentName { tenant: names.tenant(tenant), kind, name: names.name(tenant, kind, name) }
    }

    fn open_document<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        kind: &str,
        name: &NameTag,
        sealed: &Sealed,
        what: &str,
    ) -> Result<T, SessionError> {
        decode(&self.open_tenant(tenant, Context::Document { tenant, kind, name }, sealed, what)?, what)
    }
}

fn what(kind: &str, name: &str) -> String {
    format!("the {kind} {name:?}")
}

/// Now, as documents tell when they were set.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Why a document cannot be called so, if it cannot; `called` is what it is.
pub(super) fn bad_name(called: &str, name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let bad = name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain);
    bad.then(|| format!("{called} name has 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, '_', '-' and '.', found {name:?}"))
}
