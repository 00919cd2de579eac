//! Blobs belong to one store of records: both keep the same random id. Whoever sweeps takes blobs that no record of *this* store
//! refers to for litter, so a place that two stores shared would be emptied by each of them in turn.
//!
//! The id is kept with the records first, then with the blobs, then it is noted that the place was proven: a process that dies
//! between two of these is followed by one that goes on, and a place that was proven costs no request to it at the next start.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::base::reached;
use crate::seal::SealError;
use crate::store::{StoreError, StoreId};

use super::keys::seal_error;
use super::{SessionError, Sessions, whole};

/// The kind of the document.
pub(super) const KIND: &str = "store";
/// How many proven places are kept: one store may be written in several ways (`localhost`, an address).
const MOST_PLACES: usize = 16;

#[derive(Serialize, Deserialize)]
struct Belonging {
    format: u32,
    /// The store's id, in hex.
    id: String,
    /// Where blobs are that were found to be marked with it, as it is configured.
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
pub(super) async fn prove(sessions: &Sessions, place: &str, again: bool) -> Result<(), SessionError> {
    loop {
        let Some((mut belonging, sealed)) = whole::read::<Belonging>(sessions, KIND).await? else {
            whole::write(sessions, KIND, None, &Belonging::new()?).await?;
            reached("belonging.id_kept");
            continue;
        };
        let is_known = belonging.places.iter().any(|known| known == place);
        if is_known && !again {
            return Ok(());
        }
        let id = belonging.id()?;
        let owner = sessions.blobs().claim(id).await?;
        reached("belonging.claimed");
        if owner != id {
            return Err(another(place, id, owner).into());
        }
        if is_known {
            return Ok(());
        }
        copy_papers(sessions).await?;
        reached("belonging.copied");
        belonging.places.push(place.to_owned());
        let excess = belonging.places.len().saturating_sub(MOST_PLACES);
        belonging.places.drain(..excess);
        if whole::write(sessions, KIND, Some(sealed), &belonging).await? {
            return Ok(());
        }
    }
}

/// What opens the store, beside its blobs: all of it, and as it is now. Nothing where they are not kept apart.
pub(super) async fn copy_papers(sessions: &Sessions) -> Result<(), SessionError> {
    match &sessions.backends().copies {
        Some(copies) => Ok(copies.complete(sessions.documents()).await?),
        None => Ok(()),
    }
}

/// [`StoreError::Unfit`] where the blobs are another store's than the one that was lost: what is beside them `is_ours` where it was
/// made by the keys of this one.
pub(super) async fn may_adopt(sessions: &Sessions, place: &str, is_ours: bool) -> Result<(), SessionError> {
    let belonging = match whole::read::<Belonging>(sessions, KIND).await? {
        Some((belonging, _)) => belonging,
        None => Belonging::new()?,
    };
    let id = belonging.id()?;
    let owner = sessions.blobs().claim(id).await?;
    if owner == id || (is_ours && belonging.places.is_empty()) { Ok(()) } else { Err(another(place, id, owner).into()) }
}

/// Takes the id of the blobs over, for records that were lost: only where none of this store's have ever been proven, and what is beside
/// them `is_ours`. Last of all: from then on runs and sweeps of this store take them for their own. [`StoreError::Unfit`] else.
pub(super) async fn adopt(sessions: &Sessions, place: &str, is_ours: bool) -> Result<(), SessionError> {
    loop {
        let read = whole::read::<Belonging>(sessions, KIND).await?;
        let (mut belonging, sealed) = match read {
            Some((belonging, sealed)) => (belonging, Some(sealed)),
            None => (Belonging::new()?, None),
        };
        let id = belonging.id()?;
        let owner = sessions.blobs().claim(id).await?;
        if owner != id && !(is_ours && belonging.places.is_empty()) {
            return Err(another(place, id, owner).into());
        }
        copy_papers(sessions).await?;
        (belonging.id, belonging.places) = (owner.to_string(), vec![place.to_owned()]);
        if whole::write(sessions, KIND, sealed, &belonging).await? {
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
