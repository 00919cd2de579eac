//! Documents and blobs in memory.

use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use jiff::Timestamp;

use crate::seal::{NameTag, RawBlob, Sealed, SealedStream, TenantTag};

use super::super::clock::{later, timestamp};
use super::super::{BlobId, Blobs, DocumentName, Documents, Expected, KeptDocument, ListedBlob, StoreError, StoreId};
use super::{Blob, DocumentKey, MemoryStore, State};

fn key(name: &DocumentName) -> DocumentKey {
    (name.tenant, name.kind, name.name)
}

impl State {
    /// The document, unless it has run out.
    fn document(&self, now: u64, key: DocumentKey) -> Option<&Sealed> {
        let (value, expires_at) = self.documents.get(&key)?;
        expires_at.is_none_or(|at| at > now).then_some(value)
    }
}

#[async_trait]
impl Documents for MemoryStore {
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        let (state, now) = self.lock();
        Ok(state.document(now, key(name)).cloned())
    }

    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let (mut state, now) = self.lock();
        let found = state.document(now, key(name));
        let as_expected = match expected {
            Expected::Anything => true,
            Expected::Absent => found.is_none(),
            Expected::Value(wanted) => found == Some(wanted),
        };
        // No two sealings are alike: what is there already was put by this very call, whose answer was lost.
        if !as_expected && found != Some(value) {
            return Err(StoreError::DocumentChanged);
        }
        state.documents.retain(|_, (_, expires_at)| expires_at.is_none_or(|at| at > now));
        let expires_at = ttl.and_then(|ttl| later(now, ttl));
        state.documents.insert(key(name), (value.clone(), expires_at));
        Ok(())
    }

    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        let (mut state, now) = self.lock();
        let was_there = state.document(now, key(name)).is_some();
        state.documents.remove(&key(name));
        Ok(was_there)
    }

    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        let (state, now) = self.lock();
        let of_kind = state.documents.iter().filter(|((of, is, _), _)| *of == tenant && *is == kind);
        let living = of_kind.filter(|(_, (_, expires_at))| expires_at.is_none_or(|at| at > now));
        let named = living.map(|((_, _, name), (value, _))| (*name, value.clone()));
        Ok(named.filter(|(name, _)| after.is_none_or(|after| *name > after)).take(limit).collect())
    }

    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        let (state, now) = self.lock();
        let later = |key: &DocumentKey| {
            after.is_none_or(|after| (key.0, key.1, key.2) > (after.tenant, after.kind.as_str(), after.name))
        };
        let living = state.documents.iter().filter(|(key, (_, at))| later(key) && at.is_none_or(|at| at > now));
        let kept = living.map(|((tenant, kind, name), (value, expires_at))| KeptDocument {
            tenant: *tenant,
            kind: (*kind).to_owned(),
            name: *name,
            value: value.clone(),
            expires_at: expires_at.and_then(timestamp),
        });
        Ok(kept.take(limit).collect())
    }

    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        let (mut state, now) = self.lock();
        let is_it = |key: &DocumentKey| (key.0, key.1, key.2) == (kept.tenant, kept.kind.as_str(), kept.name);
        let living = state.documents.iter_mut().filter(|(_, (_, at))| at.is_none_or(|at| at > now));
        let found = living.filter(|(key, _)| is_it(key)).map(|(_, (value, _))| value).next();
        let Some(value) = found.filter(|value| **value == kept.value || *value == new) else { return Ok(false) };
        *value = new.clone();
        Ok(true)
    }
}

#[async_trait]
impl Blobs for MemoryStore {
    async fn put(&self, id: &BlobId, body: SealedStream) -> Result<(), StoreError> {
        let pieces: Vec<Bytes> = body.into_inner().try_collect().await.map_err(|source| StoreError::Unavailable {
            what: "the body of a blob".to_owned(),
            source: source.into(),
        })?;
        let (mut state, now) = self.lock();
        if let Entry::Vacant(free) = state.blobs.entry(*id) {
            free.insert(Blob { pieces, written_at: now });
        }
        Ok(())
    }

    async fn get(&self, id: &BlobId) -> Result<RawBlob, StoreError> {
        let (state, _) = self.lock();
        let pieces = state.blobs.get(id).map(|blob| blob.pieces.clone()).ok_or(StoreError::NotFound("blob"))?;
        Ok(RawBlob(Box::pin(stream::iter(pieces.into_iter().map(Ok)))))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<(), StoreError> {
        let (mut state, _) = self.lock();
        for id in ids {
            state.blobs.remove(id);
        }
        Ok(())
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError> {
        let (state, _) = self.lock();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let listed = state.blobs.range((from, Bound::Unbounded)).map(|(id, blob)| ListedBlob {
            id: *id,
            bytes: blob.pieces.iter().map(|piece| piece.len() as u64).sum(),
            written_at: timestamp(blob.written_at).unwrap_or(Timestamp::MAX),
        });
        Ok(listed.take(limit).collect())
    }

    async fn claim(&self, store: StoreId) -> Result<StoreId, StoreError> {
        let (mut state, _) = self.lock();
        Ok(*state.owner.get_or_insert(store))
    }

    async fn discard_unfinished(&self, _before: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now = self.lock().1;
        Ok(timestamp(now).unwrap_or(Timestamp::MAX))
    }
}
