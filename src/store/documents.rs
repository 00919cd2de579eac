//! Documents: small sealed values by tenant, kind and name (secrets, identities, tokens, jobs, the key check).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::seal::{NameTag, Sealed, TenantTag};

use super::StoreError;

/// A document's name in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentName {
    /// Whose; all zero for what belongs to the store as a whole.
    pub tenant: TenantTag,
    /// What it is: `check`, `secret`, `identity` ... The one word that a store sees in clear.
    pub kind: &'static str,
    /// Which.
    pub name: NameTag,
}

/// What has to be there for a write to happen.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Whatever there is.
    Anything,
    /// Nothing.
    Absent,
    /// Exactly this.
    Value(Sealed),
}

/// A document as it stands in the store, whatever its tenant and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument {
    /// Whose; all zero for what belongs to the store as a whole.
    pub tenant: TenantTag,
    /// What it is.
    pub kind: String,
    /// Which.
    pub name: NameTag,
    /// What it holds.
    pub value: Sealed,
    /// When it runs out; none for never.
    pub expires_at: Option<Timestamp>,
}

/// Documents at rest. Every operation is one atomic step.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The document, unless there is none or it has run out.
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError>;

    /// Writes it if what is there is as `expected`, else [`StoreError::DocumentChanged`]. It runs out after `ttl`.
    /// A put that is repeated with the same sealed value, because its answer was lost, is answered as done.
    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError>;

    /// Removes it; answers whether it was there.
    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError>;

    /// The documents of a kind, by name, after `after`, at most `limit`.
    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError>;

    /// Every document of every tenant and kind that has not run out, by tenant, kind and name, after `after`, at most
    /// `limit`.
    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError>;

    /// Puts `new` in the place of the value that `kept` has, and leaves the moment at which it runs out. Answers false, with
    /// nothing written, where the value is another by now or gone; one that is `new` already is answered as done.
    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError>;
}
