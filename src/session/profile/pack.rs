//! A folder into an archive: everything is hashed, what the archive before does not have is packed, sealed and written, and
//! at the end the folder has to be as it was found.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::base::reached;
use crate::seal::{ContentKey, DataKey};
use crate::session::{SessionError, Sessions};
use crate::store::BlobId;

use super::disk::{self, Range, Source, blocking};
use super::manifest::{self, ChunkAt, Entry, Manifest, Packed};
use super::plan::{self, Chunk, Digest, Place};
use super::progress::Counter;
use super::rules;
use super::survey::{Found, changed, dirty, survey};
use super::{About, ProfileRef, Progress, Vault};

/// Jobs at a time: one reads while the other is hashed or written.
const AT_A_TIME: usize = 2;

/// The archive of `dir`, of whose chunks those that `before` has are not written again. Nothing refers to it until a version with
/// it is committed; where that is refused, [`discard`] takes it back. [`SessionError::ProfileDirty`] where a browser has the
/// folder or writes to it. Where this fails, or is given up, what was written is removed again as far as that is possible.
pub(in crate::session) async fn pack(
    vault: Vault<'_>,
    dir: &Path,
    before: Option<&ProfileRef>,
    about: About,
    progress: &Progress,
) -> Result<ProfileRef, SessionError> {
    let (dir, tabs) = (Arc::<Path>::from(dir), about.tabs);
    let old = match before {
        Some(before) => Manifest::fetch(&vault, before).await?,
        None => Manifest::default(),
    };
    let folder = Folder { found: Arc::new(look(&dir, tabs).await?), dir };
    let bytes = folder.found.iter().map(|found| found.size).sum();
    let files = folder.found.iter().filter(|found| !found.folder).count() as u64;
    let packing = Packing { vault, folder, digests: Digests::of(&vault, &old), counter: progress.begin(bytes, files) };

    let chunks = packing.digest_all(&plan::places(&old)).await?;
    let mut written = Written { sessions: vault.sessions.clone(), ids: Vec::new() };
    let made = async {
        let manifest = packing.write_new(&old, &chunks, &mut written).await?;
        packing.folder.is_as_found(tabs).await?;
        let own_files = before.is_some() && manifest.differs_only_in(&old, rules::is_browsers_own);
        let (manifest, blobs) = packing.write_manifest(manifest, before, &old, &mut written).await?;
        Ok((manifest, blobs, own_files))
    };
    // Boxed: whoever awaits this need not be as large as it is.
    let (manifest, blobs, own_files) = match Box::pin(made).await {
        Ok(made) => made,
        Err(error) => {
            written.remove().await;
            return Err(error);
        }
    };
    written.ids.clear();
    let About { chromium, state, origins, .. } = about;
    Ok(ProfileRef { manifest, blobs, chromium, state, origins, files, bytes, own_files })
}

/// Removes the blobs of an archive that no version refers to, because the commit was refused. Not those that it shares with
/// `before`. What fails is litter.
pub(in crate::session) async fn discard(sessions: &Sessions, profile: &ProfileRef, before: Option<&ProfileRef>) {
    let shared: HashSet<BlobId> = before.iter().flat_map(|before| before.blob_ids()).collect();
    sessions.tidy(&profile.blob_ids().filter(|id| !shared.contains(id)).collect::<Vec<_>>()).await;
}

async fn look(dir: &Arc<Path>, tabs: bool) -> Result<Vec<Found>, SessionError> {
    let dir = dir.clone();
    blocking(move || survey(&dir, tabs)).await
}

/// The folder as it was found.
#[derive(Clone)]
struct Folder {
    dir: Arc<Path>,
    found: Arc<Vec<Found>>,
}

impl Folder {
    /// Proves that nothing has come, gone or changed since.
    async fn is_as_found(&self, tabs: bool) -> Result<(), SessionError> {
        let now = look(&self.dir, tabs).await?;
        if now == *self.found {
            return Ok(());
        }
        let differs = now.iter().zip(&*self.found).find(|(now, then)| now != then);
        match differs {
            Some((_, then)) => Err(changed(&then.path)),
            None => Err(dirty("files came or went while it was read, so a browser still runs on it".to_owned())),
        }
    }
}

/// What makes the digests: the key of the session where its first archive was made, so that forks find what is unchanged too.
struct Digests {
    key: Arc<ContentKey>,
    by: DataKey,
}

impl Digests {
    fn of(vault: &Vault<'_>, old: &Manifest) -> Self {
        let by = vault.keys.iter().find(|key| key.id().to_string() == old.digests_by).unwrap_or(vault.key);
        Self { key: Arc::new(by.content_key()), by: by.clone() }
    }
}

/// Blobs that nothing refers to yet.
struct Written {
    sessions: Sessions,
    ids: Vec<BlobId>,
}

impl Written {
    async fn remove(&mut self) {
        let ids = std::mem::take(&mut self.ids);
        self.sessions.tidy(&ids).await;
    }
}

impl Drop for Written {
    /// Given up half-way: what was written is nobody's.
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (sessions, ids) = (self.sessions.clone(), std::mem::take(&mut self.ids));
            runtime.spawn(async move { sessions.tidy(&ids).await });
        }
    }
}

/// An archive in the making.
struct Packing<'a> {
    vault: Vault<'a>,
    folder: Folder,
    digests: Digests,
    counter: Counter,
}

impl Packing<'_> {
    /// The chunks of all files, in the order of the survey. Those that are known, and those that stand twice, are done with this.
    async fn digest_all(&self, known: &HashMap<Digest, Place>) -> Result<Vec<Source>, SessionError> {
        let mut jobs = disk::jobs(&self.folder.found).into_iter();
        let mut running: FuturesOrdered<_> = jobs.by_ref().take(AT_A_TIME).map(|job| self.digest(job)).collect();
        let (mut sources, mut seen) = (Vec::new(), HashSet::new());
        while let Some((ranges, chunks)) = running.next().await.transpose()? {
            running.extend(jobs.next().map(|job| self.digest(job)));
            let mut chunks = chunks.into_iter();
            let mut done = 0;
            for Range { file, from, bytes } in ranges {
                let mut from = from;
                let end = from + bytes;
                while from < end {
                    let Some(chunk) = chunks.next() else { break };
                    sources.push(Source { file, from, chunk });
                    from += u64::from(chunk.bytes);
                    if !seen.insert(chunk.digest) || known.contains_key(&chunk.digest) {
                        done += u64::from(chunk.bytes);
                    }
                }
            }
            self.counter.add(done);
        }
        Ok(sources)
    }

    async fn digest(&self, job: Vec<Range>) -> Result<(Vec<Range>, Vec<Chunk>), SessionError> {
        let (Folder { dir, found }, key) = (self.folder.clone(), self.digests.key.clone());
        blocking(move || disk::digest(&dir, &found, &job, &key).map(|chunks| (job, chunks))).await
    }

    /// Writes what is not in a blob that is used again, and answers the manifest.
    async fn write_new(
        &self,
        old: &Manifest,
        sources: &[Source],
        written: &mut Written,
    ) -> Result<Manifest, SessionError> {
        let known = plan::places(old);
        let totals: Vec<u64> = old.blobs.iter().map(|blob| blob.bytes).collect();
        let used = plan::used_again(&totals, &known, sources.iter().map(|source| source.chunk));
        // The blobs that are used again come first; where they stood before is not where they stand now.
        let mut position = vec![0; used.len()];
        let mut blobs = Vec::new();
        for (at, blob) in old.blobs.iter().enumerate().filter(|(at, _)| used[*at]) {
            position[at] = blobs.len();
            blobs.push(blob.clone());
        }
        let mut places: HashMap<Digest, Place> = known
            .iter()
            .filter(|(_, place)| used.get(place.blob).is_some_and(|used| *used))
            .map(|(digest, place)| (*digest, Place { blob: position[place.blob], ..*place }))
            .collect();
        let mut seen: HashSet<Digest> = places.keys().copied().collect();
        let new: Vec<Source> = sources.iter().filter(|source| seen.insert(source.chunk.digest)).copied().collect();

        let mut running = FuturesOrdered::new();
        for pack in plan::packs(new, |source| source.chunk.bytes.into()) {
            if running.len() >= AT_A_TIME {
                running.next().await.transpose()?;
            }
            let mut bytes = 0;
            for source in &pack {
                places.insert(source.chunk.digest, Place { blob: blobs.len(), offset: bytes });
                bytes += u64::from(source.chunk.bytes);
            }
            let id = manifest::new_id()?;
            blobs.push(Packed { id: manifest::hex(&id), bytes });
            written.ids.push(id);
            // What the archive before had was counted when it was hashed.
            let fresh = pack.iter().filter(|source| !known.contains_key(&source.chunk.digest));
            let fresh = fresh.map(|source| u64::from(source.chunk.bytes)).sum();
            running.push_back(self.write_pack(id, pack, fresh));
        }
        while running.next().await.transpose()?.is_some() {}
        Ok(Manifest::new(self.digests.by.id(), blobs, self.entries(sources, &places)))
    }

    async fn write_pack(&self, id: BlobId, pack: Vec<Source>, fresh: u64) -> Result<(), SessionError> {
        let (Folder { dir, found }, key) = (self.folder.clone(), self.digests.key.clone());
        let contents = blocking(move || disk::load(&dir, &found, &pack, &key)).await?;
        manifest::put(&self.vault, &id, contents).await?;
        reached("archive.blob_written");
        self.counter.add(fresh);
        Ok(())
    }

    fn entries(&self, sources: &[Source], places: &HashMap<Digest, Place>) -> Vec<Entry> {
        let mut chunks: Vec<Vec<ChunkAt>> = vec![Vec::new(); self.folder.found.len()];
        for Source { file, chunk, .. } in sources {
            let at = places.get(&chunk.digest).map(|place| ChunkAt::new(*chunk, *place));
            chunks[*file].extend(at);
        }
        self.folder.found.iter().zip(chunks).map(|(found, chunks)| Entry::new(found, chunks)).collect()
    }

    /// Writes the manifest, unless it is the one before; answers its blob and all blobs, in hex.
    async fn write_manifest(
        &self,
        manifest: Manifest,
        before: Option<&ProfileRef>,
        old: &Manifest,
        written: &mut Written,
    ) -> Result<(String, Vec<String>), SessionError> {
        let bytes = manifest.to_bytes()?;
        if let Some(before) = before
            && *bytes == *old.to_bytes()?
        {
            return Ok((before.manifest.clone(), before.blobs.clone()));
        }
        let id = manifest::new_id()?;
        written.ids.push(id);
        manifest::put(&self.vault, &id, vec![bytes::Bytes::from_owner(bytes)]).await?;
        reached("archive.manifest_written");
        let hex = manifest::hex(&id);
        let blobs = manifest.blobs.into_iter().map(|blob| blob.id).chain([hex.clone()]).collect();
        Ok((hex, blobs))
    }
}
