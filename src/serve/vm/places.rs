//! Places for live browsers: how many there may be at a time, and how many of them one tenant may have. They are held for as long as a
//! client likes, so nobody waits for one: who finds none is told so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::Tenant;

use super::super::app::App;
use super::super::error::ApiError;

/// How long who finds none is told to stay away, in seconds.
const AWAY: u64 = 10;

/// The places of a server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    /// How many each tenant has.
    held: Arc<Mutex<BTreeMap<Tenant, usize>>>,
}

/// A place, given back when dropped.
pub(super) struct Place {
    places: Places,
    tenant: Tenant,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// So many is the most of all tenants together.
    OfAll(usize),
    /// So many is the most of one.
    OfOne(usize),
}

/// A place for one more of the tenant. Where nobody has said how many one may have, it leaves one to others, if there are tokens of others.
pub(super) async fn place_of(app: &App, tenant: &Tenant) -> Result<Place, ApiError> {
    let (all, said) = (app.config.max_live, app.config.max_live_per_tenant);
    let most = said.unwrap_or_else(|| all.saturating_sub(1).max(1));
    match app.vms.place(tenant, most) {
        Err(NoPlace::OfOne(_)) if said.is_none() && !has_others(app, tenant).await => Ok(app.vms.place(tenant, all)?),
        taken => Ok(taken?),
    }
}

async fn has_others(app: &App, tenant: &Tenant) -> bool {
    // Who cannot be read is somebody else.
    app.sessions.tokens(None).await.map_or(true, |all| all.iter().any(|token| token.tenant != *tenant))
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// One for a tenant that may have `of_one`.
    pub(super) fn take(&self, tenant: &Tenant, of_one: usize) -> Result<Place, NoPlace> {
        let mut held = self.lock();
        if held.values().sum::<usize>() >= self.most {
            return Err(NoPlace::OfAll(self.most));
        }
        let own = held.entry(tenant.clone()).or_default();
        if *own >= of_one {
            return Err(NoPlace::OfOne(of_one));
        }
        *own += 1;
        Ok(Place { places: self.clone(), tenant: tenant.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        if let Some(own) = held.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.tenant);
            }
        }
    }
}

impl From<NoPlace> for ApiError {
    fn from(none: NoPlace) -> Self {
        let message = match none {
            NoPlace::OfAll(most) => format!("{most} live browsers is the most here: end one, or try again later"),
            NoPlace::OfOne(most) => {
                format!("{most} live browsers is the most that a tenant may have here: end one, or try again later")
            }
        };
        Self { retry_after: Some(AWAY), ..Self::new("rate_limited", message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_leaves_what_it_may_not_have() {
        let places = Places::new(3);
        let [a, b] = ["a", "b"].map(|name| Tenant::new(name).unwrap());
        let (first, _second) = (places.take(&a, 2).unwrap(), places.take(&a, 2).unwrap());
        assert_eq!(places.take(&a, 2).err(), Some(NoPlace::OfOne(2)));
        let _others = places.take(&b, 2).unwrap();
        assert_eq!(places.take(&b, 2).err(), Some(NoPlace::OfAll(3)));
        drop(first);
        assert!(places.take(&a, 2).is_ok());
        assert_eq!(places.take(&b, 1).err(), Some(NoPlace::OfOne(1)));
    }
}
