//! A store whose records are lost and whose blobs are not, founded again: what opens its keys and its profiles was copied beside the
//! blobs (`store/mirror`). What is in the records store already is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::Serialize;

use crate::base::{Tenant, Version};
use crate::seal::{Context, Sealed, TenantTag, seal};
use crate::store::{
    Backends, BlobId, Copies, CopyOf, DocumentName, Expected, HeadCopy, Snapshot, SnapshotVersion, StoreError,
};

use super::keys::{check_document, of_store, seal_error};
use super::profile::Archived;
use super::state::{Index, encode};
use super::{KeySource, Partial, SessionError, Sessions, StoreConfig, belonging, sweep, tenants};

/// Blobs that are listed at once.
const PAGE: usize = 1_000;
/// The documents that every store begins with, whoever uses it.
const OF_STORE: [&str; 4] = ["check", "kdf", belonging::KIND, sweep::KIND];
/// How long after its end a session is still put back: a copy does not know of its last use.
const SPARED: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Why a part of an older state is not there.
const NOT_COPIED: &str = "it was kept with the records only, which are lost";

/// What was found beside the blobs.
#[derive(Debug, Default, Serialize)]
pub struct Refounded {
    /// Whether the store's own keys were put back: it had none.
    pub keys: bool,
    /// Every session of which there was a copy.
    pub sessions: Vec<Found>,
    /// Copies that could not be read or opened, and why.
    pub damaged: Vec<String>,
}

/// A session of which there was a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Whose.
    pub tenant: String,
    /// Its id.
    pub id: String,
    /// The version.
    pub version: Version,
    /// When it was saved (RFC 3339).
    pub saved_at: String,
    /// What became of it.
    pub is: FoundIs,
    /// What of it could not be found again.
    pub partial: Vec<Partial>,
}

/// What became of a session of which there was a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundIs {
    /// It is back.
    Restored,
    /// It is there, in this version or another.
    There,
    /// It is there, in a version older than the copy: an older backup was put back.
    Older,
    /// It has run out since.
    Expired,
    /// Blobs of it are missing.
    Incomplete,
}

/// Founds a store again whose records are lost, from what was copied beside its blobs; the store, opened. Where nothing is lost
/// nothing is changed. [`SessionError::WrongKey`] where `key` is not the one that it was made with.
pub async fn refound(store: StoreConfig, key: KeySource) -> Result<(Sessions, Refounded), SessionError> {
    let (keys, is_ours) = match store.places() {
        None => (false, true),
        Some((records, blobs)) => put_papers(&Backends::open(&records, &blobs).await?).await?,
    };
    let (sessions, is_apart) = Sessions::open_to_recover(store, key).await?;
    let place = sessions.blobs_place();
    if is_apart {
        belonging::may_adopt(&sessions, place, is_ours).await?;
    }
    let found = put_back_all(&sessions).await?;
    if is_apart {
        // Not before: who may use the store may sweep it, and would take for litter what is not back yet.
        belonging::adopt(&sessions, place, is_ours).await?;
    }
    Ok((sessions.clone(), Refounded { keys, ..found }))
}

/// Puts every session back of which there is a copy and that is not there.
pub(super) async fn put_back_all(sessions: &Sessions) -> Result<Refounded, SessionError> {
    let copies = Copies::new(sessions.backends().blobs.clone());
    let (there, (tenants, _)) = (blobs(sessions).await?, tenants::all(sessions).await?);
    let mut done = Refounded::default();
    for id in copies.heads().await? {
        let found = match copies.read(&id).await {
            Ok(CopyOf::Head(head)) => put_back(sessions, &tenants, &there, head).await,
            Ok(CopyOf::Paper(_)) | Err(StoreError::NotFound(_)) => continue,
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(found) => done.sessions.push(found),
            // One that is damaged does not keep the others away.
            Err(
                error @ (SessionError::Seal { .. }
                | SessionError::Format { .. }
                | SessionError::Store(StoreError::Corrupt { .. })),
            ) => done.damaged.push(crate::base::with_causes(&error)),
            Err(error) => return Err(error),
        }
    }
    done.sessions.sort_by(|a, b| (&a.tenant, &a.id).cmp(&(&b.tenant, &b.id)));
    Ok(done)
}

/// Puts the documents of the store itself back where there are none, the key check last: with it the store is there. A store that was
/// begun in place of the lost one, and has nothing yet, gives way. Whether they were put back, and whether those that are there now are
/// what is beside the blobs.
pub(super) async fn put_papers(backends: &Backends) -> Result<(bool, bool), SessionError> {
    let check = check_document();
    let mut papers = Copies::new(backends.blobs.clone()).papers().await?;
    let Some(copied) = papers.iter().find(|paper| paper.kind == check.kind && paper.name == check.name) else {
        // Nothing was ever kept there by a store that makes copies: only one that has nothing itself may take it.
        return Ok((false, is_empty(backends).await?));
    };
    match backends.documents.get(&check).await? {
        Some(there) if there == copied.value => return Ok((false, true)),
        Some(_) if !is_empty(backends).await? => return Ok((false, false)),
        Some(_) => forget(backends).await?,
        None => {}
    }
    papers.sort_by_key(|paper| paper.kind == check.kind);
    for paper in &papers {
        let Some(kind) = Copies::kind(&paper.kind) else { continue };
        let name = DocumentName { tenant: check.tenant, kind, name: paper.name };
        match backends.documents.put(&name, &Expected::Absent, &paper.value, None).await {
            // Somebody else is at it: the key will say.
            Ok(()) | Err(StoreError::DocumentChanged) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((true, true))
}

/// Whether there is nothing but what every store begins with.
async fn is_empty(backends: &Backends) -> Result<bool, SessionError> {
    let (sessions, documents) =
        tokio::try_join!(backends.records.all(None, PAGE), backends.documents.all(None, OF_STORE.len() + 1))?;
    let begins = |kind: &str| OF_STORE.contains(&kind);
    // A name with a lease and no version is of a run that had the store open when it was lost.
    let holds_none = sessions.len() < PAGE && sessions.iter().all(|kept| kept.record.is_none());
    Ok(holds_none && documents.iter().all(|document| begins(&document.kind)))
}

/// Removes what a store begins with.
async fn forget(backends: &Backends) -> Result<(), SessionError> {
    for kind in OF_STORE {
        backends.documents.remove(&of_store(kind)).await?;
    }
    Ok(())
}

/// All that there are.
async fn blobs(sessions: &Sessions) -> Result<BTreeSet<BlobId>, SessionError> {
    let (mut all, mut after) = (BTreeSet::new(), None);
    loop {
        let page = sessions.blobs().list(after, PAGE).await?;
        after = page.last().map(|listed| listed.id);
        let full = page.len() == PAGE;
        all.extend(page.into_iter().map(|listed| listed.id));
        if !full {
            return Ok(all);
        }
    }
}

async fn put_back(
    sessions: &Sessions,
    tenants: &BTreeMap<TenantTag, Tenant>,
    there: &BTreeSet<BlobId>,
    head: HeadCopy,
) -> Result<Found, SessionError> {
    let name = head.name;
    let unnamed = || SessionError::Format {
        what: format!("a copy of session {name}"),
        reason: "its tenant is not one of this store".to_owned(),
    };
    let tenant = tenants.get(&name.tenant).ok_or_else(unnamed)?;
    let stored = sessions.open_head(tenant, &name, &as_head(&head))?;
    let mut found = Found {
        tenant: tenant.as_str().to_owned(),
        id: stored.record.id.as_str().to_owned(),
        version: head.version,
        saved_at: head.saved_at.to_string(),
        is: FoundIs::There,
        partial: Vec::new(),
    };
    if let Some(there) = sessions.records().read(&name, None).await? {
        if there.fence < head.fence {
            found.is = FoundIs::Older;
        }
        return Ok(found);
    }
    let now = sessions.blobs().now().await?;
    let run_out = head.expires_at.filter(|at| *at <= now);
    found.is = if run_out.is_some_and(|at| at.checked_add(SPARED).is_ok_and(|at| at <= now)) {
        FoundIs::Expired
    } else if head.blobs.iter().any(|blob| !there.contains(blob)) {
        FoundIs::Incomplete
    } else {
        FoundIs::Restored
    };
    if found.is == FoundIs::Restored {
        let index = if head.left_out.is_empty() {
            head.index.clone()
        } else {
            let (index, partial) = without_lost(stored.index, head.version, &head);
            found.partial = partial;
            let context =
                Context::Index { tenant, session: &stored.record.id, version: head.version, fence: head.fence };
            seal(&stored.key, context, &encode(&index)?).map_err(|error| seal_error("the index", error))?
        };
        let mut snapshot = snapshot(&head, index);
        if run_out.is_some() {
            // It may have been used since, which leaves no trace in the copy: whoever wants it has a day to say so.
            snapshot.expires_at = now.checked_add(SignedDuration::from_hours(24)).ok();
        }
        if !sessions.records().restore(&name, &snapshot).await? {
            found.is = FoundIs::There;
        }
    }
    Ok(found)
}

fn as_head(copy: &HeadCopy) -> crate::store::Head {
    crate::store::Head {
        version: copy.version,
        fence: copy.fence,
        record: copy.record.clone(),
        index: copy.index.clone(),
        saved_at: copy.saved_at,
        expires_at: copy.expires_at,
    }
}

fn snapshot(copy: &HeadCopy, index: Sealed) -> Snapshot {
    let mut blobs = copy.blobs.clone();
    blobs.sort_unstable();
    blobs.dedup();
    let mut parts = copy.parts.clone();
    parts.sort_by_key(|(part, _)| *part);
    Snapshot {
        fence: copy.fence,
        record: copy.record.clone(),
        expires_at: copy.expires_at,
        versions: vec![SnapshotVersion {
            version: copy.version,
            fence: copy.fence,
            index,
            saved_at: copy.saved_at,
            pinned: false,
            parts: copy.parts.iter().map(|(part, _)| *part).collect(),
            blobs,
        }],
        parts,
        checkpoint: None,
    }
}

/// An index without the parts that were not copied, and what of them the profile's archive does not have either.
fn without_lost(index: Index, version: Version, copy: &HeadCopy) -> (Index, Vec<Partial>) {
    let lost: BTreeSet<_> = copy.left_out.iter().copied().collect();
    let mut archived = Archived::in_version(&index, version);
    let in_archive = |key: &str, digest: &str| archived.as_ref().is_some_and(|archived| archived.has(key, digest));
    let (gone, kept): (Vec<_>, Vec<_>) =
        index.parts.iter().cloned().partition(|part| part.blob.is_none() && lost.contains(&part.part_id()));
    let partial = gone.iter().filter(|part| !in_archive(&part.storage_key, &part.digest));
    let partial = partial.map(|part| Partial {
        origin: part.storage_key.clone(),
        store: "storage".into(),
        key: None,
        reason: NOT_COPIED.into(),
    });
    let partial = partial.collect();
    if let Some(archived) = &mut archived {
        // Left alone, and not taken for what a later state has no more.
        for part in &gone {
            archived.forget(&part.storage_key);
        }
    }
    let mut index = index.with_parts(kept);
    index.beside.archived = archived;
    (index, partial)
}
