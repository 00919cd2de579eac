//! The sessions of a store: opening it with its key, and what can be done without a browser.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::base::{Fence, SessionId, Tenant, Version, reached};
use crate::seal::{Context, DataKey, SealError, Sealed, open, open_stream_among};
use crate::store::{
    Acquired, Backends, BlobId, Blobs, Documents, Head, Held, Listed, PartId, RecordName, Records, StoreError,
};

use super::emulate::KeptIdentity;
use super::keys::{KeySource, Keys, seal_error};
use super::lease::{Holder, Lease};
use super::model::{Listing, OriginInfo, SessionSummary, VersionInfo};
use super::part::Part;
use super::profile::{Archived, ProfileRef};
use super::state::{Index, PartRef, Record, decode};
use super::tenants::Tenants;
use super::{
    LeaseTimes, Partial, ProfileInfo, Saved, SessionError, SessionInfo, StoreConfig, WorkspaceConfig, belonging,
    cookies, outbox,
};

/// How many sessions are read from the store at a time.
const LIST_PAGE: usize = 100;

/// An opened store: records, documents, blobs and the keys. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    backends: Backends,
    keys: Keys,
    tenants: Tenants,
    lease: LeaseTimes,
    /// Where its blobs are, as it is configured.
    blobs_place: String,
    /// Where states are put that could not be written.
    outbox: OnceLock<PathBuf>,
    /// Removes what nobody needs, once somebody has asked for it.
    house: Mutex<JoinSet<()>>,
}

/// A store that is open as long as somebody else has it open.
pub(super) struct WeakSessions(Weak<Inner>);

impl WeakSessions {
    pub(super) fn upgrade(&self) -> Option<Sessions> {
        self.0.upgrade().map(Sessions)
    }
}

/// A version of a session, opened.
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) key: DataKey,
    pub(super) version: Version,
    /// Under which it was written: with the version it names this state and no other.
    pub(super) fence: Fence,
    pub(super) index: Index,
}

impl Stored {
    /// Whether it is a profile session.
    pub(super) fn is_profile(&self) -> bool {
        // One whose profile was imported is one, too.
        self.record.profile || self.index.beside.profile.is_some()
    }

    /// What is told of its profile; none for a session without one.
    fn profile_info(&self) -> Option<ProfileInfo> {
        let none = || ProfileInfo { saved: Saved::None, files: 0, bytes: 0, chromium: None, unread: false };
        let unread =
            self.index.cookies.is_empty() && self.index.parts.is_empty() && self.index.beside.archived.is_none();
        let info = |profile: &ProfileRef| ProfileInfo {
            saved: if self.is_archived_in_full() { Saved::Full } else { Saved::State },
            files: profile.files,
            bytes: profile.bytes,
            chromium: Some(profile.chromium.clone()),
            unread,
        };
        self.is_profile().then(|| self.index.beside.profile.as_ref().map_or_else(none, info))
    }

    fn is_archived_in_full(&self) -> bool {
        let archived = Archived::in_version(&self.index, self.version);
        archived.is_some_and(|archived| archived.has_all_of(&self.index))
    }

    /// What of it could not be kept, neither in the state nor in the profile.
    fn partial(&self) -> Vec<Partial> {
        let mut partial = self.index.partial();
        if self.is_archived_in_full() {
            partial.retain(Partial::is_lost_with_profile);
        }
        partial
    }
}

impl Sessions {
    /// Opens the store and proves the key against its key check (made on first use).
    pub async fn open(store: StoreConfig, key: KeySource) -> Result<Self, SessionError> {
        Box::pin(Self::open_leasing(store, key, LeaseTimes::default())).await
    }

    /// [`Self::open`], as workspaces that are configured so do: with their times for leases and their outbox. For pools, which share it.
    pub async fn open_as(config: &WorkspaceConfig) -> Result<Self, SessionError> {
        let (store, key) = (config.store.clone(), config.key.clone());
        let sessions = Self::open_leasing(store, key, config.lease).boxed().await?;
        config.outbox.iter().for_each(|folder| sessions.use_outbox(folder.clone()));
        Ok(sessions)
    }

    /// [`Self::open`] with other times for the leases that it takes.
    pub(super) async fn open_leasing(
        store: StoreConfig,
        key: KeySource,
        lease: LeaseTimes,
    ) -> Result<Self, SessionError> {
        let (blobs, is_apart) = (store.blobs_place(), store.keeps_blobs_apart());
        let sessions = Self::open_unproven(store, key, lease, blobs).await?;
        if is_apart {
            belonging::prove(&sessions, sessions.blobs_place(), false).await?;
        }
        Ok(sessions)
    }

    /// [`Self::open`] for a store whose records were lost, and whether its blobs are in a place of their own. It is not proven that
    /// those are this store's.
    pub(super) async fn open_to_recover(store: StoreConfig, key: KeySource) -> Result<(Self, bool), SessionError> {
        let (blobs, is_apart) = (store.blobs_place(), store.keeps_blobs_apart());
        Ok((Self::open_unproven(store, key, LeaseTimes::default(), blobs).await?, is_apart))
    }

    async fn open_unproven(
        store: StoreConfig,
        key: KeySource,
        lease: LeaseTimes,
        blobs_place: String,
    ) -> Result<Self, SessionError> {
        let (place, shared) = (store.place(), store.is_shared());
        let backends = match store.places() {
            None => Backends::memory(),
            Some((records, blobs)) => Box::pin(Backends::open(&records, &blobs)).await?,
        };
        Self::over(backends, key, (place, blobs_place), shared, lease).await
    }

    /// Of a store that is open; the places name it in messages, and its blobs.
    pub(crate) async fn over(
        backends: Backends,
        key: KeySource,
        (place, blobs_place): (String, String),
        shared: bool,
        lease: LeaseTimes,
    ) -> Result<Self, SessionError> {
        let keys = Keys::unlock(&*backends.documents, key, place, shared).await?;
        let (tenants, outbox, house) = (Tenants::default(), OnceLock::new(), Mutex::default());
        Ok(Self(Arc::new(Inner { backends, keys, tenants, lease, blobs_place, outbox, house })))
    }

    /// From now on states that cannot be written are put there, and what waits there is taken up. Set once; later calls change
    /// nothing.
    pub fn use_outbox(&self, folder: PathBuf) {
        let _ = self.0.outbox.set(folder);
    }

    pub(super) fn outbox(&self) -> Option<&Path> {
        self.0.outbox.get().map(PathBuf::as_path)
    }

    /// All sessions of a tenant, by id. One that cannot be opened does not hide the others.
    pub async fn list(&self, tenant: &Tenant) -> Result<Listing, SessionError> {
        self.follow_keys().await?;
        let tag = self.keys().names().tenant(tenant);
        let (mut listing, mut after) = (Listing::default(), None);
        loop {
            let page = self.0.backends.records.list(tag, after, LIST_PAGE).await?;
            after = page.last().map(|listed| listed.name.session);
            let last = page.len() < LIST_PAGE;
            for listed in page {
                match self.summary(tenant, &listed) {
                    Ok(summary) => listing.sessions.push(summary),
                    Err(error) => listing.damaged.push(error),
                }
            }
            if last {
                break;
            }
        }
        listing.sessions.sort_by(|a, b| a.id.cmp(&b.id));
        listing.unsaved = self.records().unsaved(tag).await?;
        Ok(listing)
    }

    pub(super) fn summary(&self, tenant: &Tenant, listed: &Listed) -> Result<SessionSummary, SessionError> {
        let stored = self.open_head(tenant, &listed.name, &listed.head)?;
        Ok(SessionSummary {
            held_by: self.held_by(tenant, &stored.record.id, listed.held.as_ref())?,
            version: listed.head.version,
            saved_at: listed.head.saved_at.to_string(),
            expires_at: listed.head.expires_at.map(|at| at.to_string()),
            cookies: stored.index.cookies.len(),
            origins: stored.index.parts.len(),
            bytes: stored.index.bytes(),
            profile: stored.profile_info(),
            id: stored.record.id,
        })
    }

    /// Who holds a lease, for people; nobody where the holder has died without giving it back.
    fn held_by(&self, tenant: &Tenant, id: &SessionId, held: Option<&Held>) -> Result<Option<String>, SessionError> {
        let Some(held) = held else { return Ok(None) };
        let holder = Holder::open(self, tenant, id, &held.holder)?;
        Ok(holder.is_alive().then(|| holder.to_string()))
    }

    /// One session.
    pub async fn show(&self, tenant: &Tenant, id: &SessionId) -> Result<SessionInfo, SessionError> {
        self.follow_keys().await?;
        let id = &self.meant(tenant, id).await?;
        let name = self.name(tenant, id);
        let records = &self.0.backends.records;
        let (head, holder, history) =
            tokio::try_join!(records.read(&name, None), records.holder(&name), records.history(&name))?;
        let head = head.ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let left = self.left(tenant, id).await?;
        let stored = self.open_head(tenant, &name, &head)?;
        let mut origins = Vec::new();
        for part in &stored.index.parts {
            let contents = self.open_part(tenant, &stored, part, None).await?.contents();
            origins.push(OriginInfo { storage_key: part.storage_key.clone(), bytes: part.bytes, ..contents });
        }
        Ok(SessionInfo {
            id: id.clone(),
            version: head.version,
            saved_at: head.saved_at.to_string(),
            expires_at: head.expires_at.map(|at| at.to_string()),
            identity: stored.index.beside.identity.as_deref().map(KeptIdentity::whole),
            cookies: stored.index.cookies.iter().map(cookies::describe).collect(),
            origins,
            tabs: stored
                .index
                .beside
                .tabs
                .iter()
                .map(|url| url.split(['?', '#']).next().unwrap_or_default().to_owned())
                .collect(),
            partial: stored.partial(),
            bytes: stored.index.bytes(),
            profile: stored.profile_info(),
            held_by: self.held_by(tenant, id, holder.as_ref())?,
            left,
            versions: history.iter().map(VersionInfo::of).collect(),
        })
    }

    /// Deletes one: its wrapped data key first, then its data and what else it was called. [`SessionError::Busy`] while a run holds it.
    pub async fn delete(&self, tenant: &Tenant, id: &SessionId) -> Result<(), SessionError> {
        let id = &self.meant(tenant, id).await?;
        let name = self.name(tenant, id);
        if self.0.backends.records.read(&name, None).await?.is_none() {
            return Err(SessionError::NotFound(id.clone()));
        }
        let holder = Holder::new("rhaven session delete");
        let (lease, _) = Lease::acquire(self, tenant, id, &holder, None, &CancellationToken::new()).await?;
        let deleted = self.0.backends.records.delete(&name, lease.owner(), lease.fence()).await;
        reached("delete.key_gone");
        // Of a deleted record there is no lease left; giving that back is no error.
        lease.release().await;
        self.0.backends.blobs.delete(&deleted?).await?;
        reached("delete.blobs_gone");
        self.forget_aliases(tenant, id).await;
        // The key that opens it has gone with the record.
        outbox::forget(self, tenant, id).map(drop)
    }

    /// Does `work` for as long as it is open, unless that goes on already; `work` is to hold it but for a while.
    pub(super) fn in_the_background<W>(&self, work: impl FnOnce(WeakSessions) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let mut house = self.0.house.lock().unwrap_or_else(PoisonError::into_inner);
        if house.is_empty() {
            house.spawn(work(WeakSessions(Arc::downgrade(&self.0))));
        }
    }

    pub(super) fn lease_times(&self) -> LeaseTimes {
        self.0.lease
    }

    pub(super) fn backends(&self) -> &Backends {
        &self.0.backends
    }

    pub(super) fn records(&self) -> &dyn Records {
        &*self.0.backends.records
    }

    pub(super) fn documents(&self) -> &dyn Documents {
        &*self.0.backends.documents
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// To be called before anything is sealed under a tenant's key that stays: by every way to a lease, to a commit and to a
    /// document. The keys are those that the store is at now, and the tenant's name is kept for a change of keys.
    pub(super) async fn before_sealing(&self, tenant: &Tenant) -> Result<(), SessionError> {
        self.0.keys.refresh(self.documents()).await?;
        self.0.tenants.register(self, tenant).await
    }

    /// To be called before what is sealed under a tenant's key is only read: the keys are those that the store is at now.
    pub(super) async fn follow_keys(&self) -> Result<(), SessionError> {
        self.0.keys.refresh(self.documents()).await
    }

    /// Where its blobs are.
    pub(super) fn blobs_place(&self) -> &str {
        &self.0.blobs_place
    }

    pub(super) fn blobs(&self) -> &dyn Blobs {
        &*self.0.backends.blobs
    }

    pub(super) fn name(&self, tenant: &Tenant, id: &SessionId) -> RecordName {
        let names = self.0.keys.names();
        RecordName { tenant: names.tenant(tenant), session: names.name(tenant, "session", id.as_str()) }
    }

    pub(super) fn tenant_key(&self, tenant: &Tenant) -> DataKey {
        self.0.keys.ring().tenant_key(tenant)
    }

    /// Opens what was sealed under the tenant key, also under an older root key.
    pub(super) fn open_tenant(
        &self,
        tenant: &Tenant,
        context: Context<'_>,
        sealed: &Sealed,
        what: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        let key = self.0.keys.ring().tenant_key_for(tenant, sealed).map_err(|error| match error {
            // The store's check has proven the keys: an object that names another one is damaged or from elsewhere.
            SealError::UnknownKey { needed, given } => seal_error(what, SealError::ForeignKey { needed, given }),
            error => seal_error(what, error),
        })?;
        open(&key, context, sealed).map_err(|error| seal_error(what, error))
    }

    /// Opens a version: the record, then with its key the index.
    pub(super) fn open_head(&self, tenant: &Tenant, name: &RecordName, head: &Head) -> Result<Stored, SessionError> {
        let what = "the session's record";
        let bytes = self.open_tenant(tenant, Context::Record { tenant, name: &name.session }, &head.record, what)?;
        let record: Record = decode(&bytes, what)?;
        let key = record.data_key()?;
        let context = Context::Index { tenant, session: &record.id, version: head.version, fence: head.fence };
        let what = format!("the index of {} of session {:?}", head.version, record.id.as_str());
        let bytes = open(&key, context, &head.index).map_err(|error| seal_error(&what, error))?;
        let index = decode(&bytes, &what)?;
        Ok(Stored { record, key, version: head.version, fence: head.fence, index })
    }

    /// Fetches (unless it is among `prefetched`) and opens one part.
    pub(super) async fn open_part(
        &self,
        tenant: &Tenant,
        stored: &Stored,
        part: &PartRef,
        prefetched: Option<&Sealed>,
    ) -> Result<Part, SessionError> {
        let id = &stored.record.id;
        let what = format!("the storage of {} in session {:?}", part.storage_key, id.as_str());
        let bytes = if let Some(blob) = part.blob_id() {
            self.open_blob_as(tenant, stored, &blob, &what).await?
        } else {
            let context =
                Context::Part { tenant, session: id, version: part.version, fence: part.fence, part: &part.id };
            let fetched;
            let sealed = if let Some(sealed) = prefetched {
                sealed
            } else {
                let name = self.name(tenant, id);
                let answer = self.0.backends.records.parts(&name, &[part.part_id()]).await?;
                fetched = answer.into_iter().next().ok_or(StoreError::NotFound("part"))?;
                &fetched
            };
            open(&stored.key, context, sealed).map_err(|error| seal_error(&what, error))?
        };
        Part::from_bytes(&bytes, &what)
    }

    /// Opens a blob of a version, whatever it is of: all of it, in memory.
    pub(super) async fn open_blob(
        &self,
        tenant: &Tenant,
        stored: &Stored,
        blob: &BlobId,
    ) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        self.open_blob_as(tenant, stored, blob, &format!("a blob of session {:?}", stored.record.id.as_str())).await
    }

    async fn open_blob_as(
        &self,
        tenant: &Tenant,
        stored: &Stored,
        blob: &BlobId,
        what: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        let raw = self.0.backends.blobs.get(blob).await?;
        let context = Context::Blob { tenant, id: &blob.0 };
        open_stream_among(&stored.record.keys()?, context, raw).await.map_err(|error| seal_error(what, error))
    }
}

/// The parts of HEAD that came along with the lease, by id.
pub(super) type Prefetched = std::collections::HashMap<PartId, Sealed>;

/// Blobs that a version refers to.
pub(super) fn blobs_of(index: &Index) -> Vec<BlobId> {
    let parts = index.parts.iter().filter_map(PartRef::blob_id);
    parts.chain(index.beside.profile.iter().flat_map(ProfileRef::blob_ids)).collect()
}

/// What [`Acquired::Held`] is turned into for whoever asked.
pub(super) fn busy(sessions: &Sessions, tenant: &Tenant, id: &SessionId, acquired: Acquired) -> Option<SessionError> {
    let Acquired::Held(held) = acquired else { return None };
    let holder =
        Holder::open(sessions, tenant, id, &held.holder).map_or_else(|error| error.to_string(), |h| h.to_string());
    Some(SessionError::Busy { id: id.clone(), holder, expires_in: held.expires_in })
}

#[cfg(test)]
mod tests {
    use super::super::save::Base;
    use super::super::state::Beside;
    use super::super::waiting::{Place, Waiting};
    use super::*;

    #[tokio::test]
    async fn what_was_never_saved_is_counted_once_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key).await.unwrap();
        let (tenant, id) = (Tenant::default(), SessionId::new("acme").unwrap());
        let (holder, never) = (Holder::new("a test"), CancellationToken::new());
        let (lease, _) = Lease::acquire(&sessions, &tenant, &id, &holder, None, &never).await.unwrap();
        let (name, fence, base) = (sessions.name(&tenant, &id), lease.fence(), Base::default());
        let waiting = Waiting::new(fence, &base, Vec::new(), Vec::new(), Beside::default());
        let sealed = waiting.seal(&sessions, &tenant, &id, &base, Place::Store(fence)).unwrap();
        sessions.records().checkpoint(&name, lease.owner(), fence, None, &sealed).await.unwrap();
        let unsaved = async |tenant: &str| sessions.list(&Tenant::new(tenant).unwrap()).await.unwrap().unsaved;
        assert_eq!(unsaved("default").await, 0, "a run holds it");
        lease.let_run_out().await;
        assert_eq!((unsaved("default").await, unsaved("other").await), (1, 0));
    }
}
