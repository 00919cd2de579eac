//! Blobs belong to one store of records: both keep the same random id. Whoever sweeps takes blobs that no record of *this* store
//! refers to for litter, so a place that two stores shared would be emptied by each of them in turn.
//!
//! The id is kept with the records first, then with the blobs, then it is noted that the place was proven: a process that dies
//! between two of these is followed by one that goes on, and a place that was proven costs no request to it at the next start.
//! It is done before a key is asked for, so that records that were lost are not begun anew beside blobs that were not.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::reached;
use crate::seal::SealError;
use crate::store::{Backends, StoreError, StoreId};

use super::keys::seal_error;
use super::{SessionError, whole};

/// The kind of the document.
pub(super) const KIND: &str = "store";
/// How many proven places are kept: one store may be written in several ways (`localhost`, an address).
const MOST_PLACES: usize = 16;

#[derive(Serialize, Deserialize)]
struct Belonging {
    format: u32,
    /// The store's id, in hex.
    id: String,
    /// SHA-256 of the places that were found to be marked with it, as they are configured.
    places: Vec<String>,
}

impl Belonging {
    fn new() -> Result<Self, SessionError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| seal_error("the id of the store", SealError::Random))?;
        Ok(Self { format: 1, id: StoreId(id).to_string(), places: Vec::new() })
    }

    fn id(&self) -> Result<StoreId, SessionError> {
        let bytes = HEXLOWER.decode(self.id.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(StoreId(bytes.ok_or_else(|| StoreError::Corrupt {
            what: "the id of the store".to_owned(),
            reason: "it is not 16 bytes in hex".to_owned(),
        })?))
    }
}

/// Makes sure that the blobs at `place` are this store's; marks them where they are nobody's. [`StoreError::Unfit`] where they are
/// another's, or where the place cannot be marked safely. `again` asks the place also where it was proven before.
pub(super) async fn prove(store: &Backends, place: &str, again: bool) -> Result<(), SessionError> {
    settle(store, place, again, false).await
}

/// The same for records that were lost and begun anew: they take the id of the blobs over, as long as none were ever proven to
/// be theirs.
pub(super) async fn adopt(store: &Backends, place: &str) -> Result<(), SessionError> {
    settle(store, place, true, true).await
}

async fn settle(store: &Backends, place: &str, again: bool, adopts: bool) -> Result<(), SessionError> {
    let documents = &*store.documents;
    let hash = HEXLOWER.encode(&Sha256::digest(place));
    loop {
        let Some((mut belonging, sealed)) = whole::read::<Belonging>(documents, KIND).await? else {
            whole::write(documents, KIND, None, &Belonging::new()?).await?;
            reached("belonging.id_kept");
            continue;
        };
        let is_known = belonging.places.contains(&hash);
        if is_known && !again {
            return Ok(());
        }
        let id = belonging.id()?;
        let owner = store.blobs.claim(id).await?;
        reached("belonging.claimed");
        if owner != id && !(adopts && belonging.places.is_empty()) {
            return Err(another(place, id, owner).into());
        }
        if is_known {
            return Ok(());
        }
        belonging.id = owner.to_string();
        belonging.places.push(hash.clone());
        let excess = belonging.places.len().saturating_sub(MOST_PLACES);
        belonging.places.drain(..excess);
        if whole::write(documents, KIND, Some(sealed), &belonging).await? {
            return Ok(());
        }
    }
}

fn another(place: &str, id: StoreId, owner: StoreId) -> StoreError {
    StoreError::Unfit {
        what: place.to_owned(),
        why: format!(
            "it holds the blobs of another store ({owner}, this one is {id}); give this store a place of its own with --blobs, \
             or, where the records of that other store are lost, take its sessions over with `rhaven session recover`"
        ),
    }
}
