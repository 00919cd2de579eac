//! What sessions are called whose names in the store are known: for who has copied them without opening any.

use std::collections::BTreeMap;

use crate::store::RecordName;

use super::{Sessions, tenants};

impl Sessions {
    /// `TENANT/ID` of those that can be opened; the others are left out.
    pub async fn called(&self, names: &[RecordName]) -> BTreeMap<RecordName, String> {
        let mut called = BTreeMap::new();
        // Whoever asks has other names for what is left out.
        let Ok((tenants, _)) = tenants::all(self).await else { return called };
        for name in names {
            let Some(tenant) = tenants.get(&name.tenant) else { continue };
            let Ok(Some(head)) = self.records().read(name, None).await else { continue };
            if let Ok(stored) = self.open_head(tenant, name, &head) {
                called.insert(*name, format!("{tenant}/{}", stored.record.id));
            }
        }
        called
    }
}
