//! Named identities: documents of the store that sessions are opened with.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::{Tenant, closest};

use super::documents::{bad_name, now};
use super::{Identity, SessionError, Sessions};

/// The kind of these documents.
const KIND: &str = "identity";

/// An identity that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityInfo {
    /// Its name.
    pub name: String,
    /// What it tells.
    pub identity: Identity,
    /// When it was set (RFC 3339).
    pub set_at: String,
}

/// What is sealed of it.
#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    name: String,
    #[serde(with = "super::proxy::whole")]
    identity: Identity,
    set_at: String,
}

impl From<Document> for IdentityInfo {
    fn from(Document { name, identity, set_at, .. }: Document) -> Self {
        Self { name, identity, set_at }
    }
}

impl Sessions {
    /// Keeps an identity by that name; answers whether there was one, which is replaced. [`SessionError::Identity`] for a name or
    /// an identity that cannot be. The password of its proxy may be the one that is kept by that name.
    pub async fn set_identity(
        &self,
        tenant: &Tenant,
        name: &str,
        mut identity: Identity,
    ) -> Result<bool, SessionError> {
        let name = identity_name(name)?;
        if let Some(proxy) = identity.proxy.take_if(|proxy| proxy.wants_kept_password()) {
            let kept = self.document::<Document>(tenant, KIND, &name).await?;
            identity.proxy = Some(proxy.keeping(kept.as_ref().and_then(|kept| kept.identity.proxy.as_ref()))?);
        }
        let identity = identity.checked()?;
        if identity.is_empty() {
            return Err(SessionError::Identity(format!("identity {name} says nothing: give it a device, a locale ..")));
        }
        let info = Document { format: 1, name: name.clone(), identity, set_at: now() };
        self.put_document(tenant, KIND, &name, &info).await
    }

    /// The identity by that name. [`SessionError::NoIdentity`] where there is none.
    pub async fn identity(&self, tenant: &Tenant, name: &str) -> Result<IdentityInfo, SessionError> {
        match self.document::<Document>(tenant, KIND, name).await? {
            Some(document) => Ok(document.into()),
            None => Err(self.no_identity(tenant, name).await),
        }
    }

    /// Those of `names` that the tenant has no identity by, each with the nearest name that there is. Opens one only to look for
    /// a near name.
    pub async fn missing_identities(
        &self,
        tenant: &Tenant,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Option<String>>, SessionError> {
        let mut missing = BTreeMap::new();
        for name in names {
            if !self.has_document(tenant, KIND, &name).await? {
                let near = self.near_identity(tenant, &name).await;
                missing.insert(name, near);
            }
        }
        Ok(missing)
    }

    /// One that is damaged is no reason not to say what is missing.
    async fn near_identity(&self, tenant: &Tenant, name: &str) -> Option<String> {
        let all = self.identities(tenant).await.unwrap_or_default();
        closest(name, all.iter().map(|kept| kept.name.as_str())).map(str::to_owned)
    }

    async fn no_identity(&self, tenant: &Tenant, name: &str) -> SessionError {
        SessionError::NoIdentity { name: name.to_owned(), near: self.near_identity(tenant, name).await }
    }

    /// The tenant's identities, by name.
    pub async fn identities(&self, tenant: &Tenant) -> Result<Vec<IdentityInfo>, SessionError> {
        let all: Vec<Document> = self.all_documents(tenant, KIND).await?;
        let mut all: Vec<IdentityInfo> = all.into_iter().map(IdentityInfo::from).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes an identity. Sessions that were opened with it keep what it told. [`SessionError::NoIdentity`] where there is none.
    pub async fn delete_identity(&self, tenant: &Tenant, name: &str) -> Result<(), SessionError> {
        let was_there = self.remove_document(tenant, KIND, name).await?;
        if was_there { Ok(()) } else { Err(self.no_identity(tenant, name).await) }
    }
}

/// Whether an identity can be called so. [`SessionError::Identity`] where not: `browser` is what the browser has by itself.
pub fn identity_name(name: &str) -> Result<String, SessionError> {
    if let Some(bad) = bad_name("an identity's", name) {
        return Err(SessionError::Identity(bad));
    }
    if name == "browser" {
        let message = "identity \"browser\" is what the browser has by itself; another name is wanted";
        return Err(SessionError::Identity(message.to_owned()));
    }
    Ok(name.to_owned())
}
