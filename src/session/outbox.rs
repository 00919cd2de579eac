//! The outbox: states that could not be written because the store was away, one sealed file each, in a folder of this machine.
//! The next run that opens the session makes a version of one, if HEAD is still what it was told against; else a fork.
//!
//! A file is named by HMACs and a number, written under another name, synced, and renamed. It goes after what it held is in
//! the store; a process that dies in between leaves it, and the next one sees that it has been written.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::base::{Deadline, Fence, SessionId, Tenant, Version, reached, with_causes};
use crate::seal::{KeyId, Sealed};
use crate::store::{RecordName, StoreError};

use super::SessionError;
use super::model::{Left, LeftIn, Taken};
use super::recover::Settled;
use super::save::{self, Base, Draft, Target};
use super::sessions::{Prefetched, Sessions};
use super::waiting::{Place, Waiting, not_among};

/// How a finished file ends.
const ENDING: &str = ".sealed";

/// `TENANT-SESSION-` in hex.
fn stem(name: &RecordName) -> String {
    format!("{}-{}-", HEXLOWER.encode(&name.tenant.0), HEXLOWER.encode(&name.session.0))
}

/// The files whose names begin so, oldest first by number. A folder that is not there has none.
fn files(folder: &Path, stem: &str) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(stem) && name.ends_with(ENDING)).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Keeps what a draft would have written. `fence` is that of the run's lease. Answers the storage keys of which it has not what is
/// new, as that is too large; none where there is no outbox.
pub(super) async fn put(
    sessions: &Sessions,
    tenant: &Tenant,
    id: &SessionId,
    draft: &Draft,
    fence: Fence,
) -> Result<Option<Vec<String>>, SessionError> {
    let Some(folder) = sessions.outbox().map(Path::to_owned) else { return Ok(None) };
    let waiting = draft.waiting(fence);
    let sealed = waiting.seal(sessions, tenant, id, draft.base(), Place::Outbox)?;
    // Fences grow: in the order of their names files are in the order of the runs.
    let file = folder.join(format!("{}{:016x}{ENDING}", stem(&sessions.name(tenant, id)), fence.0));
    let what = file.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(&folder, &file, &sealed)).await;
    let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    written.map_err(|source| StoreError::Unavailable { what, source: source.into() })?;
    Ok(Some(waiting.left_out))
}

fn write(folder: &Path, file: &Path, sealed: &Sealed) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    let mut new = open.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    new.write_all(sealed.as_bytes())?;
    new.sync_all()?;
    reached("outbox.written");
    std::fs::rename(&draft, file)?;
    std::fs::File::open(folder)?.sync_all()?;
    reached("outbox.kept");
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    std::fs::remove_file(file)?;
    let folder = file.parent().map(std::fs::File::open).transpose()?;
    folder.map_or(Ok(()), |folder| folder.sync_all())
}

/// Removes what waits of a session; answers how many files there were.
pub(super) fn forget(sessions: &Sessions, tenant: &Tenant, id: &SessionId) -> Result<usize, SessionError> {
    let Some(folder) = sessions.outbox() else { return Ok(0) };
    let files = files(folder, &stem(&sessions.name(tenant, id)));
    for file in &files {
        let what = || file.display().to_string();
        remove(file).map_err(|source| StoreError::Unavailable { what: what(), source: source.into() })?;
    }
    Ok(files.len())
}

/// The keys that states of this store may be waiting under.
pub(super) fn key_ids(sessions: &Sessions) -> Vec<KeyId> {
    let Some(folder) = sessions.outbox() else { return Vec::new() };
    let sealed = files(folder, "").into_iter().filter_map(|file| Sealed::from_stored(std::fs::read(file).ok()?).ok());
    sealed.map(|sealed| sealed.key_id()).collect()
}

/// What waits of a session.
pub(super) fn left(sessions: &Sessions, tenant: &Tenant, id: &SessionId) -> Vec<Left> {
    let Some(folder) = sessions.outbox() else { return Vec::new() };
    files(folder, &stem(&sessions.name(tenant, id))).iter().map(|file| describe(file, Some(id))).collect()
}

fn describe(file: &Path, id: Option<&SessionId>) -> Left {
    let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let written = written.and_then(|at| jiff::Timestamp::try_from(at).ok()).unwrap_or_default();
    Left { place: LeftIn::Outbox, made: written.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), id: id.cloned() }
}

/// Makes versions of what waits, or forks. Answers the fences of the runs that it was of.
pub(super) async fn apply(
    target: &Target<'_>,
    settled: &mut Settled,
    deadline: Deadline,
) -> Result<Vec<Fence>, SessionError> {
    let Some(folder) = target.sessions.outbox().filter(|folder| folder.is_dir()) else { return Ok(Vec::new()) };
    let mut fences = Vec::new();
    for file in files(folder, &stem(&target.name())) {
        let stays = |reason: String| {
            let (id, file) = (target.id.as_str(), file.display());
            format!("session {id:?}: {file} stays in the outbox, it cannot be taken up: {reason}")
        };
        let waiting = match read(target, &settled.base, &file) {
            Ok(waiting) => waiting,
            Err(reason) => {
                settled.notices.push(stays(reason));
                continue;
            }
        };
        match apply_one(target, settled, &waiting, deadline).await {
            Ok(()) => fences.push(waiting.fence),
            // Anything else is wrong with what waits, and must not keep everybody out of the session.
            Err(error @ SessionError::Store(StoreError::Unavailable { .. } | StoreError::LeaseLost)) => {
                return Err(error);
            }
            Err(error) => {
                settled.notices.push(stays(with_causes(&error)));
                continue;
            }
        }
        reached("outbox.applied");
        if let Err(error) = remove(&file) {
            settled.notices.push(format!("{} could not be removed: {error}", file.display()));
        }
        reached("outbox.removed");
    }
    Ok(fences)
}

fn read(target: &Target<'_>, base: &Base, file: &Path) -> Result<Waiting, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let sealed = Sealed::from_stored(bytes).map_err(|error| error.to_string())?;
    let Target { sessions, tenant, id, .. } = *target;
    Waiting::open(sessions, tenant, id, base, Place::Outbox, &sealed).map_err(|error| with_causes(&error))
}

async fn apply_one(
    target: &Target<'_>,
    settled: &mut Settled,
    waiting: &Waiting,
    deadline: Deadline,
) -> Result<(), SessionError> {
    let Target { sessions, tenant, id, ttl, .. } = *target;
    let head = settled.base.stored().map(|stored| (stored.version, stored.fence));
    let taken = |version, forked_to, draft: &Draft| Taken {
        from: LeftIn::Outbox,
        made: waiting.made.clone(),
        version,
        forked_to,
        changes: draft.changes(),
        left_out: waiting.left_out.clone(),
    };
    let (made, name, missing) = (&waiting.made, id.as_str(), not_among(&waiting.left_out));
    if waiting.base == head {
        let draft = waiting.draft(sessions, tenant, &settled.base).await?;
        if !draft.is_unchanged() {
            settled.base = save::commit(target, &draft, deadline).await?.afresh();
            let version = settled.base.version();
            let shown = version.unwrap_or(Version(1));
            settled.notices.push(format!(
                "session {name:?}: what a run could not save at {made}, as the store was away, is {shown} now{missing}"
            ));
            settled.taken.push(taken(version, None, &draft));
        }
        return Ok(());
    }
    let next = waiting.base.map_or(Version(1), |(version, _)| version.next());
    if let Some(written) = kept(target, next, None).await?
        && waiting.draft(sessions, tenant, &written).await?.is_unchanged()
    {
        return Ok(());
    }
    let base = match waiting.base {
        Some((version, fence)) => kept(target, version, Some(fence)).await?,
        None => None,
    };
    let whole = base.is_some() || waiting.base.is_none();
    let draft = waiting.draft(sessions, tenant, &base.unwrap_or_default()).await?;
    let changed = taken(None, None, &draft);
    let fork = sessions.fork_aside(tenant, id, draft, ttl).await?;
    let rest = if whole { "" } else { ", without what it had left as it was: that version is not kept any more" };
    settled.notices.push(format!(
        "session {name:?}: what a run could not save at {made}, as the store was away, is in session {fork}{rest}: others \
         have written the session since{missing}"
    ));
    settled.taken.push(Taken { forked_to: Some(fork), ..changed });
    Ok(())
}

/// A kept version, if it is the one written under `fence`.
async fn kept(target: &Target<'_>, version: Version, fence: Option<Fence>) -> Result<Option<Base>, SessionError> {
    let name = target.name();
    let head = target.sessions.records().read(&name, Some(version)).await?;
    let Some(head) = head.filter(|head| fence.is_none_or(|fence| fence == head.fence)) else { return Ok(None) };
    let stored = target.sessions.open_head(target.tenant, &name, &head)?;
    Ok(Some(Base::of(Some(stored), Prefetched::new())))
}

impl Sessions {
    /// What waits in the outbox of this machine, of every session of the tenant. Their ids stand inside the files.
    pub fn outbox_of(&self, tenant: &Tenant) -> Vec<Left> {
        let Some(folder) = self.outbox() else { return Vec::new() };
        let stem = format!("{}-", HEXLOWER.encode(&self.keys().names().tenant(tenant).0));
        files(folder, &stem).iter().map(|file| describe(file, None)).collect()
    }
}
