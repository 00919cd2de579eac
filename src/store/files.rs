//! Blobs as files: one each, below a folder of their own, named by the hex of their id.
//!
//! A blob is written to a temporary file, synced, renamed, and the folder synced: it is there as a whole or not at all.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

use crate::base::reached;
use crate::seal::{RawBlob, SealedStream};

use super::folder::{make_private, private_file, sync, unavailable};
use super::{BlobId, Blobs, ListedBlob, StoreError, StoreId};

/// The folder of the blobs within the store's folder.
const FOLDER: &str = "blobs";
/// How a file that is still being written is called.
const UNFINISHED: &str = "unfinished-";
/// The file that says whose the blobs are.
const OWNER: &str = "rhaven-store";
/// An unfinished file that nobody has written to for this long is the rest of a crash.
const UNFINISHED_LIFE: Duration = Duration::from_hours(24);
/// Bytes that are written, or read, at once.
const PIECE_LEN: usize = 512 << 10;

/// Blobs in a folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FileBlobs {
    folder: PathBuf,
}

impl FileBlobs {
    /// Opens the blobs of the store in `folder`, and makes their folder where there is none. Blocks for a moment.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        make_private(folder, FOLDER)?;
        let folder = folder.join(FOLDER);
        make_private(&folder, "")?;
        let before = SystemTime::now().checked_sub(UNFINISHED_LIFE).unwrap_or(SystemTime::UNIX_EPOCH);
        remove_unfinished(&folder, before).map_err(|error| unavailable(&folder, error))?;
        Ok(Self { folder })
    }

    /// `blobs/ab/abcdef...`: a folder for each first byte, since folders of very many files are slow on some systems.
    fn path(&self, id: &BlobId) -> PathBuf {
        let name = HEXLOWER.encode(&id.0);
        self.folder.join(&name[..2]).join(name)
    }
}

/// Removes what nobody has written to since `before`; how many files.
fn remove_unfinished(folder: &Path, before: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            continue;
        }
        // One that has just been renamed or removed by its writer is no error.
        let Ok(written) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
        if written < before && std::fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// A file being written; removed unless it is kept, also where whoever asked for it waits no more and it has its final name
/// by then: nobody knows of it.
struct Unfinished {
    place: Arc<Mutex<Place>>,
    kept: bool,
}

/// Where a file is that is being written, and whether anybody still waits for it.
struct Place {
    path: PathBuf,
    given_up: bool,
}

impl Unfinished {
    fn at(path: PathBuf) -> Self {
        Self { place: Arc::new(Mutex::new(Place { path, given_up: false })), kept: false }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            place.given_up = true;
            // It stays behind if this fails; opening the store removes it later.
            let _ = std::fs::remove_file(&place.path);
        }
    }
}

async fn write(path: &Path, body: SealedStream) -> io::Result<()> {
    let file = tokio::fs::OpenOptions::from(private_file().create_new(true).clone()).open(path).await?;
    let mut writer = BufWriter::with_capacity(PIECE_LEN, file);
    let mut body = body.into_inner();
    while let Some(piece) = body.next().await {
        writer.write_all(&piece?).await?;
    }
    writer.flush().await?;
    writer.into_inner().sync_all().await
}

/// Gives the file its final name, for good.
fn settle(file: &Mutex<Place>, to: &Path, top: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(top);
    if !folder.is_dir() {
        make_private(folder, "").map_err(io::Error::other)?;
        sync(top)?;
    }
    reached("blob.written");
    {
        let mut place = file.lock().unwrap_or_else(PoisonError::into_inner);
        if place.given_up {
            return Ok(());
        }
        std::fs::rename(&place.path, to)?;
        to.clone_into(&mut place.path);
    }
    sync(folder)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, id: &BlobId, body: SealedStream) -> Result<(), StoreError> {
        let path = self.path(id);
        if tokio::fs::try_exists(&path).await.map_err(|error| unavailable(&path, error))? {
            return Ok(());
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| unavailable(&path, error.into()))?;
        let name = format!("{UNFINISHED}{}", HEXLOWER.encode(&random));
        let unfinished = self.folder.join(name);
        let mut file = Unfinished::at(unfinished.clone());
        write(&unfinished, body).await.map_err(|error| unavailable(&path, error))?;
        let (place, to, top) = (file.place.clone(), path.clone(), self.folder.clone());
        blocking(move || settle(&place, &to, &top)).await.map_err(|error| unavailable(&path, error))?;
        file.kept = true;
        Ok(())
    }

    async fn get(&self, id: &BlobId) -> Result<RawBlob, StoreError> {
        let path = self.path(id);
        match tokio::fs::File::open(&path).await {
            Ok(file) => Ok(RawBlob(Box::pin(ReaderStream::with_capacity(file, PIECE_LEN)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NotFound("blob")),
            Err(error) => Err(unavailable(&path, error)),
        }
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<(), StoreError> {
        let paths: Vec<_> = ids.iter().map(|id| self.path(id)).collect();
        let removed = blocking(move || {
            let mut folders = BTreeSet::new();
            for path in &paths {
                match std::fs::remove_file(path) {
                    Ok(()) => folders.extend(path.parent()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            folders.into_iter().try_for_each(sync)
        });
        removed.await.map_err(|error| unavailable(&self.folder, error))
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<ListedBlob>, StoreError> {
        let folder = self.folder.clone();
        let listed = blocking(move || list(&folder, after, limit));
        listed.await.map_err(|error| unavailable(&self.folder, error))
    }

    async fn claim(&self, store: StoreId) -> Result<StoreId, StoreError> {
        let folder = self.folder.clone();
        let claimed =
            blocking(move || claim(&folder, store)).await.map_err(|error| unavailable(&self.folder, error))?;
        claimed.ok_or_else(|| StoreError::Corrupt {
            what: self.folder.join(OWNER).display().to_string(),
            reason: "it does not hold the id of a store".to_owned(),
        })
    }

    async fn discard_unfinished(&self, before: Timestamp) -> Result<usize, StoreError> {
        let folder = self.folder.clone();
        let removed = blocking(move || remove_unfinished(&folder, before.into()));
        removed.await.map_err(|error| unavailable(&self.folder, error))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let folder = self.folder.clone();
        blocking(move || now(&folder)).await.map_err(|error| unavailable(&self.folder, error))
    }
}

/// Writes whose the blobs are unless that is written; answers what is. The folder's lock lets one do so at a time.
fn claim(folder: &Path, store: StoreId) -> io::Result<Option<StoreId>> {
    let lock = std::fs::File::open(folder)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
    let mark = folder.join(OWNER);
    match std::fs::read(&mark) {
        Ok(found) => return Ok(StoreId::read(&found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let unfinished = folder.join(format!("{UNFINISHED}{OWNER}"));
    let mut file = private_file().create(true).truncate(true).open(&unfinished)?;
    io::Write::write_all(&mut file, format!("{store}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &mark)?;
    sync(folder)?;
    Ok(Some(store))
}

/// When a file that is written now is told to be written: the clock may be that of another machine.
fn now(folder: &Path) -> io::Result<Timestamp> {
    let path = folder.join(format!("{UNFINISHED}clock"));
    let mut file = private_file().create(true).truncate(true).open(&path)?;
    io::Write::write_all(&mut file, b".")?;
    let now = file.metadata()?.modified()?;
    // Another may ask at the same time.
    let _ = std::fs::remove_file(&path);
    Timestamp::try_from(now).map_err(io::Error::other)
}

fn list(folder: &Path, after: Option<BlobId>, limit: usize) -> io::Result<Vec<ListedBlob>> {
    let mut listed = Vec::new();
    for first in names(folder)? {
        // Two hex digits; what is being written stands beside them.
        let Ok(&[first_byte]) = HEXLOWER.decode(first.as_bytes()).as_deref() else { continue };
        if after.is_some_and(|after| first_byte < after.0[0]) {
            continue;
        }
        let within = folder.join(&first);
        for name in names(&within)? {
            if listed.len() >= limit {
                return Ok(listed);
            }
            let id = HEXLOWER.decode(name.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).map(BlobId);
            let Some(id) = id.filter(|id| after.is_none_or(|after| *id > after)) else { continue };
            // One that another has just deleted is not there any more.
            let metadata = match within.join(&name).metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let written_at = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
            listed.push(ListedBlob { id, bytes: metadata.len(), written_at });
        }
    }
    Ok(listed)
}

/// The names in a folder, in order.
fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    folder.read_dir()?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
