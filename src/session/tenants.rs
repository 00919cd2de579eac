//! The names of a store's tenants. What a tenant has is sealed under a key that is derived from its name, and the store knows
//! an HMAC of it only: a change of keys could not find it without these documents, one per tenant, sealed under the store's
//! key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::base::Tenant;
use crate::seal::{Context, NameTag, Sealed, TenantTag, open, seal};
use crate::store::{DocumentName, Expected, StoreError};

use super::keys::seal_error;
use super::state::{decode, encode};
use super::{SessionError, Sessions};

/// The kind of these documents.
pub(super) const KIND: &str = "tenant";
/// What one is called in errors.
const WHAT: &str = "the name of a tenant";
/// How many are read at a time.
const PAGE: usize = 100;

#[derive(Serialize, Deserialize)]
struct Registered {
    format: u32,
    tenant: Tenant,
}

/// The tenants that this process knows to be registered.
#[derive(Default)]
pub(super) struct Tenants(Mutex<BTreeSet<Tenant>>);

impl Tenants {
    /// Makes the tenant's document, unless it is there. Asks the store once per process.
    pub(super) async fn register(&self, sessions: &Sessions, tenant: &Tenant) -> Result<(), SessionError> {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(tenant) {
            return Ok(());
        }
        let name = sessions.keys().names().name(tenant, KIND, tenant.as_str());
        let document = DocumentName { tenant: TenantTag([0; 16]), kind: KIND, name };
        if sessions.documents().get(&document).await?.is_none() {
            let value = sealed(sessions, &name, tenant)?;
            match sessions.documents().put(&document, &Expected::Absent, &value, None).await {
                Ok(()) | Err(StoreError::DocumentChanged) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone());
        Ok(())
    }
}

fn sealed(sessions: &Sessions, name: &NameTag, tenant: &Tenant) -> Result<Sealed, SessionError> {
    let bytes = encode(&Registered { format: 1, tenant: tenant.clone() })?;
    let key = sessions.keys().ring().store_key(None).map_err(|error| seal_error(WHAT, error))?;
    seal(&key, Context::Tenant { name }, &bytes).map_err(|error| seal_error(WHAT, error))
}

/// Tenants by their names in the store, and why others could not be read.
type Read = (BTreeMap<TenantTag, Tenant>, Vec<SessionError>);

/// All tenants that are registered. One document that is damaged keeps no other from being read.
pub(super) async fn all(sessions: &Sessions) -> Result<Read, SessionError> {
    let (mut tenants, mut damaged, mut after) = (BTreeMap::new(), Vec::new(), None);
    let (names, ring) = (sessions.keys().names(), sessions.keys().ring());
    loop {
        let page = sessions.documents().list(TenantTag([0; 16]), KIND, after, PAGE).await?;
        after = page.last().map(|(name, _)| *name);
        for (name, value) in &page {
            // All that can be told of which one it is: the name stands inside.
            let what = format!("{WHAT} ({} in the store)", HEXLOWER.encode(&name.0));
            let opened = ring.store_key(Some(value)).and_then(|key| open(&key, Context::Tenant { name }, value));
            let read = opened.map_err(|error| seal_error(&what, error)).and_then(|bytes| decode(&bytes, &what));
            match read {
                Ok(Registered { tenant, .. }) => drop(tenants.insert(names.tenant(&tenant), tenant)),
                Err(error) => damaged.push(error),
            }
        }
        if page.len() < PAGE {
            return Ok((tenants, damaged));
        }
    }
}
