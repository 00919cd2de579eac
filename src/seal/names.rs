//! Names under which a store keeps things: HMACs, so that ids are never in clear.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::base::Tenant;

use super::derive::{KEY_LEN, mac, push_field};

/// Bytes of a [`TenantTag`].
const TENANT_TAG_LEN: usize = 16;

/// A tenant's name in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantTag(pub [u8; TENANT_TAG_LEN]);

/// A session's, document's or storage key's name in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameTag(pub [u8; KEY_LEN]);

/// The key of the HMACs; random per store, sealed in its check document, the same across root key rotations.
#[derive(Clone)]
pub struct NameKey(Arc<Zeroizing<[u8; KEY_LEN]>>);

impl NameKey {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Arc::new(bytes))
    }

    /// The tenant's tag.
    pub fn tenant(&self, tenant: &Tenant) -> TenantTag {
        let mut tag = [0; TENANT_TAG_LEN];
        tag.copy_from_slice(&self.tag("tenant", &[tenant.as_str()])[..TENANT_TAG_LEN]);
        TenantTag(tag)
    }

    /// The tag of `name` of `kind` ("session", "document" ...) within the tenant.
    pub fn name(&self, tenant: &Tenant, kind: &str, name: &str) -> NameTag {
        NameTag(*self.tag("name", &[tenant.as_str(), kind, name]))
    }

    fn tag(&self, purpose: &str, fields: &[&str]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut input = Vec::new();
        push_field(&mut input, purpose.as_bytes());
        for field in fields {
            push_field(&mut input, field.as_bytes());
        }
        mac(&self.0, &[&input])
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey")
    }
}

#[cfg(test)]
mod tests {
    use super::super::DataKey;
    use super::*;

    #[test]
    fn tags_differ_by_every_field_and_by_the_key() {
        let key = DataKey::from_bytes(&[7; 48]).unwrap().name_key();
        let other = DataKey::from_bytes(&[8; 48]).unwrap().name_key();
        let (a, b) = (Tenant::new("a").unwrap(), Tenant::new("b").unwrap());
        let tags = [
            key.name(&a, "session", "x"),
            key.name(&b, "session", "x"),
            key.name(&a, "document", "x"),
            key.name(&a, "session", "y"),
            // The border between the fields counts, not only their text.
            key.name(&a, "sessionx", ""),
            other.name(&a, "session", "x"),
        ];
        for (i, tag) in tags.iter().enumerate() {
            assert!(!tags[..i].contains(tag), "tag {i} is not new");
        }
        assert_eq!(key.name(&a, "session", "x"), tags[0]);
        assert_ne!(key.tenant(&a), key.tenant(&b));
    }
}
