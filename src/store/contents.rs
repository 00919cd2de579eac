//! What a store holds, counted: nothing is opened for it.

use std::collections::BTreeSet;

use crate::seal::TenantTag;

use super::copy::{CHECK, documents, names, sizes};
use super::{Backends, StoreError};

/// How much there is of what. Bytes are those of what is sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Tenants that have a session.
    pub tenants: usize,
    /// Sessions that have a version and have not run out.
    pub sessions: usize,
    /// Their kept versions.
    pub versions: usize,
    /// Bytes of their records, indexes, parts and checkpoints.
    pub session_bytes: u64,
    /// Secrets, identities, names of tenants, the key check ..
    pub documents: usize,
    /// Their bytes.
    pub document_bytes: u64,
    /// Large values.
    pub blobs: usize,
    /// Their bytes.
    pub blob_bytes: u64,
}

impl Backends {
    /// Whether nobody has ever opened it with a key.
    pub async fn is_new(&self) -> Result<bool, StoreError> {
        Ok(self.documents.list(TenantTag([0; 16]), CHECK, None, 1).await?.is_empty())
    }

    /// Counts what is in the store. Reads all of it but the blobs, one session after the other.
    pub async fn contents(&self) -> Result<Contents, StoreError> {
        let mut found = Contents::default();
        let mut tenants = BTreeSet::new();
        for name in names(&*self.records).await?.saved {
            let Some(snapshot) = self.records.snapshot(&name).await? else { continue };
            tenants.insert(name.tenant);
            found.sessions += 1;
            found.versions += snapshot.versions.len();
            let indexes = snapshot.versions.iter().map(|version| version.index.len());
            let parts = snapshot.parts.iter().map(|(_, body)| body.len());
            let left = snapshot.checkpoint.iter().map(|left| left.state.len());
            let bytes: usize = indexes.chain(parts).chain(left).chain([snapshot.record.len()]).sum();
            found.session_bytes += bytes as u64;
        }
        found.tenants = tenants.len();
        for document in documents(&*self.documents).await? {
            found.documents += 1;
            found.document_bytes += document.value.len() as u64;
        }
        for bytes in sizes(&*self.blobs).await?.into_values() {
            found.blobs += 1;
            found.blob_bytes += bytes;
        }
        Ok(found)
    }
}
