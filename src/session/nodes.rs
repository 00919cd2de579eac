//! What servers that share a store know of each other: of each a document of the store, sealed under the store's key, which runs out
//! unless it is put again; and proofs that something was said by one of them. What the documents say is the endpoint's.

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::{Tenant, with_causes};
use crate::seal::{KeyId, TenantTag};
use crate::store::{DocumentName, Expected};

use super::{SessionError, Sessions, whole};

/// The kind of these documents.
pub(super) const KIND: &str = "node";
/// How many are read at a time.
const PAGE: usize = 100;

/// What is sealed. The id stands inside, so that one document is not taken for another.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    format: u32,
    id: String,
    node: T,
}

impl Sessions {
    /// Keeps what the server `id` says of itself, for `ttl`, in the place of what it said before.
    pub async fn put_node<T: Serialize + Sync>(&self, id: &str, node: &T, ttl: Duration) -> Result<(), SessionError> {
        let sealed = whole::sealed(self, KIND, &Kept { format: 1, id: id.to_owned(), node }).await?;
        Ok(self.documents().put(&self.node_name(id), &Expected::Anything, &sealed, Some(ttl)).await?)
    }

    /// Forgets a server; answers whether it was there.
    pub async fn remove_node(&self, id: &str) -> Result<bool, SessionError> {
        Ok(self.documents().remove(&self.node_name(id)).await?)
    }

    /// What the server `id` says of itself; none where it was not heard of for too long.
    pub async fn node<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, SessionError> {
        let Some(sealed) = self.documents().get(&self.node_name(id)).await? else { return Ok(None) };
        let kept: Kept<T> = whole::opened(self, KIND, &sealed).await?;
        Ok((kept.id == id).then_some(kept.node))
    }

    /// All servers that were heard of lately, in no order. One whose document is damaged is passed over.
    pub async fn nodes<T: DeserializeOwned>(&self) -> Result<Vec<T>, SessionError> {
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = self.documents().list(TenantTag([0; 16]), KIND, after, PAGE).await?;
            after = page.last().map(|(name, _)| *name);
            for (name, sealed) in &page {
                match whole::opened::<Kept<T>>(self, KIND, sealed).await {
                    Ok(kept) if self.node_name(&kept.id).name == *name => all.push(kept.node),
                    Ok(_) => tracing::warn!("what is kept of a server is in another's place"),
                    Err(error) => {
                        let code = error.code();
                        tracing::warn!(code, "what is kept of a server is passed over: {}", with_causes(&error));
                    }
                }
            }
            if page.len() < PAGE {
                return Ok(all);
            }
        }
    }

    /// What proves to the other servers of this store that one of them said these `fields`.
    pub fn prove(&self, fields: &[&[u8]]) -> String {
        let ring = self.keys().ring();
        let id = ring.current_id();
        let proof = ring.proof_key(id).map(|key| key.prove(fields)).unwrap_or_default();
        format!("{id}.{}", HEXLOWER.encode(&proof))
    }

    /// Whether one of the servers of this store said these `fields`. Asks the store where the proof names a key that is not known
    /// here, as after a change of the root key; whoever makes such names up has it asked once a second, and not more.
    pub async fn is_proven(&self, proof: &str, fields: &[&[u8]]) -> Result<bool, SessionError> {
        let Some((id, proof)) = read(proof) else { return Ok(false) };
        self.keys().look_for(id, self.documents()).await?;
        Ok(self.keys().ring().proof_key(id).is_some_and(|key| key.is_proof(&proof, fields)))
    }

    fn node_name(&self, id: &str) -> DocumentName {
        let name = self.keys().names().name(&Tenant::default(), KIND, id);
        DocumentName { tenant: TenantTag([0; 16]), kind: KIND, name }
    }
}

/// The key that a proof names, and the proof.
fn read(text: &str) -> Option<(KeyId, Vec<u8>)> {
    let (id, proof) = text.split_once('.')?;
    let id = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
    Some((KeyId(id), HEXLOWER.decode(proof.as_bytes()).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::seal::{NameTag, Sealed};
    use crate::session::{KeySource, StoreConfig};
    use crate::store::{Documents, KeptDocument, StoreError};

    const SOON: Duration = Duration::from_mins(1);

    /// Counts what is read.
    struct Counted<'a> {
        documents: &'a dyn Documents,
        reads: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl Documents for Counted<'_> {
        async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.documents.get(name).await
        }

        async fn put(
            &self,
            name: &DocumentName,
            expected: &Expected,
            value: &Sealed,
            ttl: Option<Duration>,
        ) -> Result<(), StoreError> {
            self.documents.put(name, expected, value, ttl).await
        }

        async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
            self.documents.remove(name).await
        }

        async fn list(
            &self,
            tenant: TenantTag,
            kind: &'static str,
            after: Option<NameTag>,
            limit: usize,
        ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
            self.documents.list(tenant, kind, after, limit).await
        }

        async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
            self.documents.all(after, limit).await
        }

        async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
            self.documents.reseal(kept, new).await
        }
    }

    #[tokio::test]
    async fn keys_that_nobody_has_cost_a_read_now_and_then() {
        let home = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(home.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Embedded(home.path().join("store")), key).await.unwrap();
        let counted = Counted { documents: sessions.documents(), reads: AtomicUsize::new(0) };
        let looks = (1..=50).map(|number| sessions.keys().look_for(KeyId([number; 16]), &counted));
        assert!(futures_util::future::join_all(looks).await.iter().all(Result::is_ok));
        // The first is looked for at once, all others together.
        assert_eq!(counted.reads.load(Ordering::Relaxed), 2);
        let known = sessions.keys().ring().current_id();
        sessions.keys().look_for(known, &counted).await.unwrap();
        assert_eq!(counted.reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn servers_are_known_until_they_are_removed_also_over_a_change_of_keys() {
        let home = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(home.path().join("key"));
        let open = || Sessions::open(StoreConfig::Embedded(home.path().join("store")), key.clone());
        let (one, other) = (open().await.unwrap(), open().await.unwrap());
        one.put_node("a", &1, SOON).await.unwrap();
        one.put_node("b", &2, SOON).await.unwrap();
        one.put_node("a", &3, SOON).await.unwrap();
        let fields: &[&[u8]] = &[b"get", b"/"];
        let before = one.prove(fields);
        assert!(other.is_proven(&before, fields).await.unwrap());

        assert!(one.rotate(&Tenant::default()).await.unwrap().left.is_empty());
        let after = one.prove(fields);
        assert_ne!(before, after);
        for proof in [&before, &after] {
            assert!(other.is_proven(proof, fields).await.unwrap(), "{proof}");
            assert!(!other.is_proven(proof, &[b"get", b"/other"]).await.unwrap());
        }
        for bad in ["", ".", "00.00", &format!("{}.{}", "0".repeat(32), "0".repeat(64))] {
            assert!(!other.is_proven(bad, fields).await.unwrap(), "{bad}");
        }
        assert_eq!(other.node::<u8>("a").await.unwrap(), Some(3));
        let mut all = other.nodes::<u8>().await.unwrap();
        all.sort_unstable();
        assert_eq!(all, [2, 3]);
        assert!(other.remove_node("a").await.unwrap() && !other.remove_node("a").await.unwrap());
        assert_eq!((one.node::<u8>("a").await.unwrap(), one.nodes::<u8>().await.unwrap()), (None, vec![2]));
    }
}
