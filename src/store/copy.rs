//! A whole store into another, as it is: nothing is opened, so no key is needed, and the same key opens the copy.
//!
//! Blobs go before the session that refers to them, so whatever ends the copy, no record points to a blob that is not complete.
//! What is there already is left alone, so the same copy again goes on where the first one ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::base::{Deadline, reached, with_causes};
use crate::seal::{NameTag, RawBlob, SealedStream, TenantTag};

use super::{
    Backends, BlobId, Blobs, DocumentName, Documents, Expected, KeptDocument, RecordName, Records, Snapshot, StoreError,
};

/// Records, documents or blobs that are listed at a time.
const PAGE: usize = 200;
/// Sessions that are copied at a time.
const AT_ONCE: usize = 4;
/// How long between two looks at a session that another run holds.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
/// The document whose key opens all names: where it is another one, so is everything else.
pub(super) const CHECK: &str = "check";
/// Read before the check where it is there, so it has to be there first.
const KDF: &str = "kdf";
/// What belongs to one store and not to its copy: its id, which its bucket is marked with, and when it was swept.
const OF_ONE_STORE: [&str; 2] = ["store", "sweep"];

/// Why a store cannot be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There is nothing that a key was ever proven against.
    #[error("there is no store to be copied")]
    Nothing,
    /// What is in the other store is under another key.
    #[error("the store to be written holds sessions of another store, or of this one under a key that it has no more")]
    Mismatch,
    /// The same names stand for other contents.
    #[error(
        "the store to be written holds {sessions} session(s) and {documents} document(s) of the same name with another \
         content; nothing was written"
    )]
    Differs {
        /// How many sessions.
        sessions: usize,
        /// How many documents.
        documents: usize,
    },
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Nothing => "not_found",
            Self::Mismatch | Self::Differs { .. } => "store_mismatch",
            Self::Store(error) => error.code(),
        }
    }
}

/// What is to be copied, and what is not. Made by [`plan`], which writes nothing.
#[derive(Debug, Default)]
pub struct CopyPlan {
    /// Sessions that are to be copied.
    pub missing: Vec<RecordName>,
    /// Sessions that are there: as they are here, or later.
    pub there: Vec<RecordName>,
    /// Sessions whose name stands for something else there.
    pub differing: Vec<RecordName>,
    /// What crashed runs left of sessions that never got a version: it is not copied.
    pub unsaved: usize,
    documents: Vec<KeptDocument>,
    documents_there: usize,
    documents_differing: usize,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyProgress {
    /// Sessions that are done, whatever came of them.
    pub sessions: usize,
    /// Of how many.
    pub of: usize,
    /// Bytes of blobs that were copied.
    pub bytes: u64,
}

/// What a copy did.
#[derive(Debug, Default)]
pub struct Copied {
    /// Sessions that were copied.
    pub copied: Vec<RecordName>,
    /// Sessions that were there already.
    pub there: usize,
    /// Sessions that another run held all the time.
    pub held: Vec<RecordName>,
    /// Sessions that were deleted or ran out meanwhile.
    pub gone: usize,
    /// Sessions that could not be copied, with the reason.
    pub failed: Vec<(RecordName, String)>,
    /// Documents that were copied.
    pub documents: usize,
    /// Documents that were there already.
    pub documents_there: usize,
    /// Blobs that were copied.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Sessions that were looked at in both stores at the end, with all their blobs.
    pub verified: usize,
}

/// Compares two stores. Fails where the copy would be a mixture of two.
pub async fn plan(from: &Backends, to: &Backends) -> Result<CopyPlan, CopyError> {
    let mut plan = CopyPlan::default();
    let theirs: BTreeMap<_, _> =
        documents(&*to.documents).await?.into_iter().map(|document| (place(&document), document.value)).collect();
    let ours = documents(&*from.documents).await?;
    let check = ours.iter().find(|document| document.kind == CHECK).ok_or(CopyError::Nothing)?;
    let there = theirs.get(&place(check));
    let records = names(&*to.records).await?;
    // Without a check whatever is there was named by another key: of blobs alone the records are elsewhere.
    let is_other = match there {
        Some(there) => *there != check.value,
        None => !records.saved.is_empty() || !to.blobs.list(None, 1).await?.is_empty(),
    };
    if is_other {
        return Err(CopyError::Mismatch);
    }
    for document in ours.into_iter().filter(|document| !OF_ONE_STORE.contains(&document.kind.as_str())) {
        match theirs.get(&place(&document)) {
            None => plan.documents.push(document),
            Some(there) if *there == document.value => plan.documents_there += 1,
            Some(_) => plan.documents_differing += 1,
        }
    }
    // The salt before the check, the check before all that its key has named.
    plan.documents.sort_by_key(|document| match document.kind.as_str() {
        KDF => 0,
        CHECK => 1,
        _ => 2,
    });
    let ours = names(&*from.records).await?;
    plan.unsaved = ours.unsaved;
    let common: Vec<RecordName> = ours.saved.intersection(&records.saved).copied().collect();
    plan.missing = ours.saved.difference(&records.saved).copied().collect();
    for name in common {
        let (here, there) = tokio::try_join!(from.records.snapshot(&name), to.records.snapshot(&name))?;
        match (here, there) {
            (None, _) => {}
            (Some(_), None) => plan.missing.push(name),
            (Some(here), Some(there)) if goes_on_from(&there, &here) => plan.there.push(name),
            (Some(_), Some(_)) => plan.differing.push(name),
        }
    }
    Ok(plan)
}

impl CopyPlan {
    /// Fails where names stand for other contents there.
    pub fn refuse_differing(&self) -> Result<(), CopyError> {
        let (sessions, documents) = (self.differing.len(), self.documents_differing);
        if sessions + documents > 0 { Err(CopyError::Differs { sessions, documents }) } else { Ok(()) }
    }
}

/// Does what was planned, and looks at the end whether all of it is there. Sessions that another run holds are waited for until
/// `patience` ends, and left out then. Ends early where a store is away; called again, it goes on.
pub async fn copy(
    from: &Backends,
    to: &Backends,
    plan: &CopyPlan,
    patience: Deadline,
    told: impl Fn(CopyProgress) + Send + Sync,
) -> Result<Copied, CopyError> {
    plan.refuse_differing()?;
    let mut kinds = BTreeMap::new();
    for document in &plan.documents {
        put_document(&*to.documents, &mut kinds, document).await?;
        reached("copy.document");
    }
    let (ours, theirs) = tokio::try_join!(sizes(&*from.blobs), sizes(&*to.blobs))?;
    let copying = Copying {
        from,
        to,
        patience,
        there: Mutex::new(theirs.into_keys().collect()),
        away: AtomicBool::new(false),
        blobs: AtomicUsize::new(0),
        bytes: AtomicU64::new(0).into(),
    };
    let mut done = Copied {
        there: plan.there.len(),
        documents: plan.documents.len(),
        documents_there: plan.documents_there,
        ..Copied::default()
    };
    let progress = |sessions: usize| CopyProgress {
        sessions,
        of: plan.missing.len(),
        bytes: copying.bytes.load(Ordering::Relaxed),
    };
    told(progress(0));
    let one = async |name: RecordName| (name, copying.session(&name).await);
    let mut sessions = stream::iter(plan.missing.iter().copied()).map(one).buffer_unordered(AT_ONCE);
    let (mut count, mut ended) = (0, None);
    while let Some((name, answer)) = sessions.next().await {
        match answer {
            Ok(Came::NotTried) => {}
            Ok(Came::Copied) => done.copied.push(name),
            Ok(Came::Held) => done.held.push(name),
            Ok(Came::Gone) => done.gone += 1,
            // Those that are under way come to their end, so that each call gets further.
            Err(error @ StoreError::Unavailable { .. }) => {
                copying.away.store(true, Ordering::Relaxed);
                ended.get_or_insert(error);
            }
            Err(error) => done.failed.push((name, with_causes(&error))),
        }
        count += 1;
        told(progress(count));
    }
    drop(sessions);
    if let Some(error) = ended {
        return Err(error.into());
    }
    done.blobs = copying.blobs.load(Ordering::Relaxed);
    done.bytes = copying.bytes.load(Ordering::Relaxed);
    let theirs = sizes(&*to.blobs).await?;
    for name in plan.there.iter().chain(&done.copied) {
        match verify(from, to, name, &ours, &theirs).await? {
            None => done.verified += 1,
            Some(reason) => done.failed.push((*name, reason)),
        }
    }
    Ok(done)
}

/// A copy at work.
struct Copying<'a> {
    from: &'a Backends,
    to: &'a Backends,
    patience: Deadline,
    /// Blobs that are there.
    there: Mutex<BTreeSet<BlobId>>,
    /// One of the stores is.
    away: AtomicBool,
    blobs: AtomicUsize,
    bytes: Arc<AtomicU64>,
}

/// What came of a session.
enum Came {
    Copied,
    Held,
    Gone,
    NotTried,
}

impl Copying<'_> {
    async fn session(&self, name: &RecordName) -> Result<Came, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Ok(Came::NotTried);
        }
        loop {
            // Asked before and after: what is read between two looks at a free session is what it stays at.
            if self.from.records.holder(name).await?.is_none() {
                let Some(snapshot) = self.from.records.snapshot(name).await? else { return Ok(Came::Gone) };
                for blob in snapshot.blobs() {
                    self.blob(&blob).await?;
                }
                let now = self.from.records.snapshot(name).await?;
                let is_free = self.from.records.holder(name).await?.is_none();
                if is_free && now.is_some_and(|now| snapshot.is_kept_as(&now)) {
                    reached("copy.blobs");
                    let restored = self.to.records.restore(name, &snapshot).await?;
                    reached("copy.session");
                    return if restored { Ok(Came::Copied) } else { Err(StoreError::DocumentChanged) };
                }
            }
            if self.patience.remaining() < LOOK_AGAIN {
                return Ok(Came::Held);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn blob(&self, id: &BlobId) -> Result<(), StoreError> {
        let there = || self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if there().contains(id) {
            return Ok(());
        }
        let held = self.from.blobs.get(id).await?;
        let bytes = self.bytes.clone();
        let counted = held.0.inspect_ok(move |piece| {
            bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        });
        self.to.blobs.put(id, SealedStream::moved(RawBlob(Box::pin(counted)))).await?;
        if there().insert(*id) {
            self.blobs.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether `there` has the newest version of `here`: the same, or one that was written on top of it.
fn goes_on_from(there: &Snapshot, here: &Snapshot) -> bool {
    let Some(head) = here.versions.last() else { return true };
    there
        .versions
        .iter()
        .any(|version| (version.version, version.fence, &version.index) == (head.version, head.fence, &head.index))
}

/// Why a session is not in both stores as it should be; none where it is.
async fn verify(
    from: &Backends,
    to: &Backends,
    name: &RecordName,
    ours: &BTreeMap<BlobId, u64>,
    theirs: &BTreeMap<BlobId, u64>,
) -> Result<Option<String>, StoreError> {
    let (here, there) = tokio::try_join!(from.records.snapshot(name), to.records.snapshot(name))?;
    let Some(here) = here else { return Ok(None) };
    let Some(there) = there.filter(|there| goes_on_from(there, &here)) else {
        return Ok(Some("it is not there as it is here".to_owned()));
    };
    let wrong = there.blobs().into_iter().find(|blob| match (ours.get(blob), theirs.get(blob)) {
        (Some(here), Some(there)) => here != there,
        (_, there) => there.is_none(),
    });
    Ok(wrong.map(|_| "a blob of it is missing there, or has another length".to_owned()))
}

type Place = (TenantTag, String, NameTag);

fn place(document: &KeptDocument) -> Place {
    (document.tenant, document.kind.clone(), document.name)
}

async fn put_document(
    documents: &dyn Documents,
    kinds: &mut BTreeMap<String, &'static str>,
    document: &KeptDocument,
) -> Result<(), StoreError> {
    // A store takes kinds as words of the program. There are a handful, and each is kept once.
    let kind = *kinds.entry(document.kind.clone()).or_insert_with(|| Box::leak(document.kind.clone().into_boxed_str()));
    let left = document.expires_at.map(|at| at.duration_since(Timestamp::now()));
    let left = left.map(|left| std::time::Duration::try_from(left).unwrap_or_default());
    let name = DocumentName { tenant: document.tenant, kind, name: document.name };
    documents.put(&name, &Expected::Absent, &document.value, left).await
}

/// All documents of a store.
pub(super) async fn documents(documents: &dyn Documents) -> Result<Vec<KeptDocument>, StoreError> {
    let mut all: Vec<KeptDocument> = Vec::new();
    loop {
        let page = documents.all(all.last(), PAGE).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// The names of a store's sessions.
#[derive(Default)]
pub(super) struct Names {
    /// Those that have a version, or had one and ran out.
    pub(super) saved: BTreeSet<RecordName>,
    /// How many have a checkpoint alone.
    pub(super) unsaved: usize,
}

pub(super) async fn names(records: &dyn Records) -> Result<Names, StoreError> {
    let (mut names, mut after) = (Names::default(), None);
    loop {
        let page = records.all(after, PAGE).await?;
        after = page.last().map(|kept| kept.name);
        for kept in &page {
            match (&kept.record, &kept.checkpoint) {
                (Some(_), _) => drop(names.saved.insert(kept.name)),
                (None, Some(_)) => names.unsaved += 1,
                (None, None) => {}
            }
        }
        if page.len() < PAGE {
            return Ok(names);
        }
    }
}

/// The blobs of a store with their lengths.
pub(super) async fn sizes(blobs: &dyn Blobs) -> Result<BTreeMap<BlobId, u64>, StoreError> {
    let mut sizes = BTreeMap::new();
    loop {
        let after = sizes.last_key_value().map(|(id, _)| *id);
        let page = blobs.list(after, PAGE).await?;
        let last = page.len() < PAGE;
        sizes.extend(page.into_iter().map(|blob| (blob.id, blob.bytes)));
        if last {
            return Ok(sizes);
        }
    }
}
