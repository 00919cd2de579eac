//! Changing the root key: a new one in the key file, then everything that is sealed under an older one sealed anew, one object
//! after the other, while runs go on. What has been done is seen by the ids in the headers, so that a rotation which was
//! killed is finished by the next.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::{Tenant, reached};
use crate::seal::{Context, KeyId, KeyRing, SealError, Sealed, TenantTag, open, seal};
use crate::store::{Kept, KeptDocument};

use super::keys::seal_error;
use super::{SessionError, Sessions, belonging, keyfile, nodes, outbox, sweep, tenants};

/// How many objects are read at a time.
const PAGE: usize = 100;
/// The kind of the document that no root key seals: how a passphrase becomes a key.
const UNDER_NO_KEY: &str = "kdf";

/// A root key and what of the store refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// Its id.
    pub id: String,
    /// Whether it is the one that seals.
    pub seals: bool,
    /// Whether it is among the keys that were given.
    pub given: bool,
    /// Sessions whose record is sealed under it.
    pub sessions: usize,
    /// Documents that are: the key check, names of tenants, secrets.
    pub documents: usize,
    /// Leases, checkpoints and what waits in the outbox of this machine: of runs that are going on, or did not end well.
    pub runs: usize,
}

impl KeyUse {
    /// What is sealed under it and stays.
    fn stored(&self) -> usize {
        self.sessions + self.documents
    }
}

/// What a rotation has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The id of the key that seals now.
    pub key: String,
    /// Whether it was made now; false where an earlier rotation was finished.
    pub new: bool,
    /// Objects that were sealed anew.
    pub resealed: usize,
    /// What is not under that key, each with the reason.
    pub left: Vec<String>,
}

impl Sessions {
    /// All root keys that were given or that something of the store refers to, the one that seals first.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, SessionError> {
        self.keys().refresh(self.documents()).await?;
        let ring = self.keys().ring();
        let mut uses: BTreeMap<KeyId, KeyUse> = ring.ids().map(|id| (id, unused(id, &ring))).collect();
        let mut after = None;
        loop {
            let page = self.records().all(after, PAGE).await?;
            after = page.last().map(|kept| kept.name);
            for Kept { record, holder, checkpoint, .. } in &page {
                if let Some(record) = record {
                    uses.entry(record.key_id()).or_insert_with(|| unused(record.key_id(), &ring)).sessions += 1;
                }
                // A checkpoint may be under its session's own key, which is none of these.
                for sealed in [holder, checkpoint].into_iter().flatten() {
                    if let Some(found) = uses.get_mut(&sealed.key_id()) {
                        found.runs += 1;
                    }
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
        for id in outbox::key_ids(self) {
            if let Some(found) = uses.get_mut(&id) {
                found.runs += 1;
            }
        }
        let mut after: Option<KeptDocument> = None;
        loop {
            let page = self.documents().all(after.as_ref(), PAGE).await?;
            for document in page.iter().filter(|document| document.kind != UNDER_NO_KEY) {
                let id = document.value.key_id();
                uses.entry(id).or_insert_with(|| unused(id, &ring)).documents += 1;
            }
            if page.len() < PAGE {
                break;
            }
            after = page.into_iter().next_back();
        }
        let mut uses: Vec<KeyUse> = uses.into_values().collect();
        uses.sort_by_key(|key| (!key.seals, !key.given));
        Ok(uses)
    }

    /// Makes a new key in the key file and seals everything under it. Where something is under an older key already, because a
    /// rotation was interrupted or because the keys were changed by hand, no key is made: that is finished. Runs may go on:
    /// those with the key file follow by themselves. The older keys stay in the file until they are retired. `tenant` counts
    /// as one of the store's, also where it was last used by a Rhaven that did not keep the names of tenants.
    pub async fn rotate(&self, tenant: &Tenant) -> Result<Rotated, SessionError> {
        self.keys().reread(self.documents()).await?;
        self.before_sealing(tenant).await?;
        let unfinished = self.key_uses().await?.iter().any(|key| key.given && !key.seals && key.stored() > 0);
        let new = !unfinished && self.new_key().await?;
        reached("rotate.key_added");
        self.keys().reread(self.documents()).await?;
        let (mut resealed, mut left) = (0, Vec::new());
        loop {
            let pass = self.reseal_all().await?;
            resealed += pass.done;
            reached("rotate.passed");
            if !pass.overtaken {
                left.extend(pass.left);
                break;
            }
        }
        // Also what a pass left behind that was interrupted between a document and its copy.
        super::belonging::copy_papers(self).await?;
        Ok(Rotated { key: self.keys().ring().current_id().to_string(), new, resealed, left })
    }

    /// Takes an older key, named by the beginning of its id, out of the key file; answers its id. [`SessionError::KeyInUse`] where
    /// it seals or where anything of this store refers to it.
    pub async fn retire(&self, id: &str) -> Result<String, SessionError> {
        self.keys().reread(self.documents()).await?;
        let key = self.older_key(id).await?;
        let ring = self.keys().ring();
        let wanted = ring.ids().find(|known| known.to_string() == key.id);
        let source = self.keys().source();
        let (Some(path), Some(wanted)) = (source.key_file().map(std::path::Path::to_owned), wanted) else {
            return Err(source.error(format!("nothing refers to {} any more; take it out by hand", key.id)));
        };
        let removed = tokio::task::spawn_blocking(move || keyfile::remove(&path, wanted)).await;
        let removed = removed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        removed.map_err(|error| source.error(format!("the key file cannot be changed: {error}")))?;
        Ok(key.id)
    }

    /// The key that can be retired by that id. The same errors as [`Self::retire`].
    pub async fn older_key(&self, id: &str) -> Result<KeyUse, SessionError> {
        let uses = self.key_uses().await?;
        let mut matching = uses.into_iter().filter(|key| key.given && !id.is_empty() && key.id.starts_with(id));
        let (Some(key), None) = (matching.next(), matching.next()) else {
            return Err(self.keys().source().error(format!("no single key has an id that begins with {id:?}")));
        };
        let in_use = |why: String| SessionError::KeyInUse { id: key.id.clone(), why };
        if key.seals {
            return Err(in_use("it is the one that seals".to_owned()));
        }
        if key.stored() > 0 {
            let (sessions, documents) = (key.sessions, key.documents);
            return Err(in_use(format!("{sessions} session(s) and {documents} document(s) are sealed under it")));
        }
        if key.runs > 0 {
            return Err(in_use(format!("{} run(s) began under it and go on, or did not end well", key.runs)));
        }
        Ok(key)
    }

    /// Puts a new key into the key file; false where another process has just done so.
    async fn new_key(&self) -> Result<bool, SessionError> {
        let (source, seen) = (self.keys().source(), self.keys().ring().current_id());
        let Some(path) = source.key_file().map(std::path::Path::to_owned) else {
            return Err(source.error(
                "a key that is not in a key file is changed by hand: put the new one in front of it and call this again",
            ));
        };
        let added = tokio::task::spawn_blocking(move || keyfile::add(&path, |ring| ring.current_id() == seen)).await;
        let added = added.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        Ok(added.map_err(|error| source.error(format!("the key file cannot be changed: {error}")))?.is_some())
    }

    /// One pass over the store. The key check comes first, so that runs go over to the new key.
    async fn reseal_all(&self) -> Result<Pass, SessionError> {
        let ring = self.keys().ring();
        let mut pass = Pass::default();
        self.reseal_documents(&ring, &BTreeMap::new(), &mut pass, true).await?;
        reached("rotate.check_resealed");
        let (tenants, damaged) = tenants::all(self).await?;
        for error in &damaged {
            pass.left(error);
        }
        self.reseal_documents(&ring, &tenants, &mut pass, false).await?;
        let mut after = None;
        loop {
            let page = self.records().all(after, PAGE).await?;
            after = page.last().map(|kept| kept.name);
            for Kept { name, record, .. } in &page {
                let Some(record) = record.as_ref().filter(|record| record.key_id() != ring.current_id()) else {
                    continue;
                };
                let new = match tenants.get(&name.tenant) {
                    Some(tenant) => {
                        under_new_tenant_key(&ring, tenant, Context::Record { tenant, name: &name.session }, record)
                    }
                    None => Err(unknown_tenant()),
                };
                match new.map_err(|error| seal_error("a session's record", error)) {
                    Ok(new) => {
                        pass.count(self.records().reseal(name, record, &new).await?);
                        reached("rotate.record_resealed");
                    }
                    Err(error) => pass.left(&error),
                }
            }
            if page.len() < PAGE {
                return Ok(pass);
            }
        }
    }

    /// The documents of the store itself, or those of its tenants.
    async fn reseal_documents(
        &self,
        ring: &KeyRing,
        tenants: &BTreeMap<TenantTag, Tenant>,
        pass: &mut Pass,
        of_store: bool,
    ) -> Result<(), SessionError> {
        let mut after: Option<KeptDocument> = None;
        loop {
            let page = self.documents().all(after.as_ref(), PAGE).await?;
            let meant = |document: &&KeptDocument| (document.tenant == TenantTag([0; 16])) == of_store;
            let old = page.iter().filter(meant).filter(|document| document.value.key_id() != ring.current_id());
            for document in old.filter(|document| document.kind != UNDER_NO_KEY) {
                match reseal_document(ring, tenants, document) {
                    Ok(new) => {
                        pass.count(self.documents().reseal(document, &new).await?);
                        reached("rotate.document_resealed");
                    }
                    // Those are named when all tenants are read.
                    Err(_) if of_store && document.kind == tenants::KIND => {}
                    Err(error) => pass.left(&seal_error(&format!("a document ({})", document.kind), error)),
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
            after = page.into_iter().next_back();
        }
    }
}

/// What one pass has done.
#[derive(Default)]
struct Pass {
    done: usize,
    /// Another has written what was about to be written: another pass looks at it.
    overtaken: bool,
    left: Vec<String>,
}

impl Pass {
    fn count(&mut self, done: bool) {
        if done {
            self.done += 1;
        } else {
            self.overtaken = true;
        }
    }

    fn left(&mut self, error: &SessionError) {
        self.left.push(crate::base::with_causes(error));
    }
}

fn unused(id: KeyId, ring: &KeyRing) -> KeyUse {
    let (seals, given) = (id == ring.current_id(), ring.knows(id));
    KeyUse { id: id.to_string(), seals, given, sessions: 0, documents: 0, runs: 0 }
}

fn unknown_tenant() -> SealError {
    SealError::NotSealed(
        "the name of its tenant is not kept, or is damaged; --tenant NAME with this command says which it is",
    )
}

fn reseal_document(
    ring: &KeyRing,
    tenants: &BTreeMap<TenantTag, Tenant>,
    document: &KeptDocument,
) -> Result<Sealed, SealError> {
    let (name, value) = (&document.name, &document.value);
    if document.tenant != TenantTag([0; 16]) {
        let tenant = tenants.get(&document.tenant).ok_or_else(unknown_tenant)?;
        return under_new_tenant_key(ring, tenant, Context::Document { tenant, kind: &document.kind, name }, value);
    }
    let context = match document.kind.as_str() {
        "check" => Context::Check,
        tenants::KIND => Context::Tenant { name },
        kind @ (belonging::KIND | sweep::KIND | nodes::KIND) => Context::Store { kind },
        _ => return Err(SealError::NotSealed("this Rhaven does not know this kind")),
    };
    let plain = open(&ring.store_key(Some(value))?, context, value)?;
    seal(&ring.store_key(None)?, context, &plain)
}

fn under_new_tenant_key(
    ring: &KeyRing,
    tenant: &Tenant,
    context: Context<'_>,
    sealed: &Sealed,
) -> Result<Sealed, SealError> {
    let plain = open(&ring.tenant_key_for(tenant, sealed)?, context, sealed)?;
    seal(&ring.tenant_key(tenant), context, &plain)
}
