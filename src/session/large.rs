//! Parts that are too large to be held in memory: sealed as a blob while they are read from the page, and opened piece by piece
//! when they are restored. Plaintext never stands anywhere as a whole.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::base::{Fence, Tenant, Version};
use crate::seal::{Context, DataKey, OpeningStream, SealError, open_pieces, seal_stream};
use crate::store::{BlobId, PartId, StoreError};

use super::keys::seal_error;
use super::part::{Outline, Part};
use super::sessions::{Sessions, Stored};
use super::state::PartRef;
use super::{Partial, SessionError};

/// Parts up to this many bytes are held in memory.
pub(super) const MEMORY_BYTES: usize = 4 << 20;
/// Pieces that wait to be sealed. Each has the size of what one call into the page answers.
const WAITING: usize = 2;

/// Where large parts of one session go while they are read.
#[derive(Clone)]
pub(super) struct Spool {
    pub(super) sessions: Sessions,
    pub(super) tenant: Tenant,
    /// The session's data key, or what will be.
    pub(super) key: DataKey,
}

/// What was read: in memory where it is small.
pub(super) enum Gathered {
    Small(Part),
    Large(Large),
    /// More than is held in memory, and there is nowhere to put it.
    TooLarge,
    /// Nothing, since it changed each time that it was read, and how.
    Torn(String),
}

/// A part that is a blob already, though no version refers to it yet.
#[derive(Clone)]
pub(super) struct Large {
    pub(super) outline: Arc<Outline>,
    blob: Arc<Unkept>,
}

/// A blob that is deleted with its last use, unless it was kept.
struct Unkept {
    sessions: Sessions,
    id: BlobId,
    kept: AtomicBool,
}

impl Drop for Unkept {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.kept.load(Ordering::Relaxed) {
            let (sessions, id) = (self.sessions.clone(), self.id);
            runtime.spawn(async move { sessions.tidy(&[id]).await });
        }
    }
}

impl Large {
    /// A version is about to refer to it: from now on only the store deletes it.
    pub(super) fn keep(&self) {
        self.blob.kept.store(true, Ordering::Relaxed);
    }

    /// How an index refers to it.
    pub(super) fn part_ref(
        &self,
        storage_key: &str,
        version: Version,
        fence: Fence,
        partial: &[Partial],
    ) -> Result<PartRef, SessionError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|_| seal_error(&format!("the storage of {storage_key}"), SealError::Random))?;
        Ok(PartRef {
            storage_key: storage_key.to_owned(),
            id: PartId(id).0,
            digest: data_encoding::HEXLOWER.encode(&self.outline.digest()),
            bytes: self.outline.bytes(),
            version,
            fence,
            blob: Some(data_encoding::HEXLOWER.encode(&self.blob.id.0)),
            session: self.outline.session_lines().is_some(),
            partial: partial.to_vec(),
        })
    }
}

/// Lines on their way from a page.
pub(super) struct Gathering<'a> {
    storage_key: &'a str,
    /// None where what is too large for memory is not wanted.
    spool: Option<&'a Spool>,
    part: Part,
    writing: Option<Writing>,
    over: bool,
}

/// A blob being written.
struct Writing {
    outline: Outline,
    /// Kept from before the first byte, so that it is deleted where the reading is given up.
    blob: Arc<Unkept>,
    sender: mpsc::Sender<Bytes>,
    put: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(storage_key: &'a str, spool: Option<&'a Spool>) -> Self {
        Self { storage_key, spool, part: Part::default(), writing: None, over: false }
    }

    /// Takes whole lines.
    pub(super) async fn push(&mut self, lines: &str) -> Result<(), SessionError> {
        if let Some(writing) = &mut self.writing {
            return writing.push(lines).await;
        }
        self.part.push(lines);
        if self.part.as_bytes().len() <= MEMORY_BYTES {
            return Ok(());
        }
        self.over = self.spool.is_none();
        if let Some(spool) = self.spool {
            let mut writing = Writing::begin(self.storage_key, spool)?;
            let part = std::mem::take(&mut self.part);
            for piece in part.pieces(MEMORY_BYTES / 4) {
                writing.push(piece).await?;
            }
            self.writing = Some(writing);
        }
        Ok(())
    }

    /// Whether the rest need not be read.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// All of it.
    pub(super) async fn end(self) -> Result<Gathered, SessionError> {
        match self.writing {
            None if self.over => Ok(Gathered::TooLarge),
            None => Ok(Gathered::Small(self.part)),
            Some(writing) => Ok(Gathered::Large(writing.end().await?)),
        }
    }
}

impl Writing {
    fn begin(storage_key: &str, spool: &Spool) -> Result<Self, SessionError> {
        let failed = |error| seal_error(&format!("the storage of {storage_key}"), error);
        let mut id = [0; 32];
        getrandom::fill(&mut id).map_err(|_| failed(SealError::Random))?;
        let (sender, receiver) = mpsc::channel::<Bytes>(WAITING);
        // The last piece is marked: a reading that is given up must not look like one that ended.
        let plain = stream::unfold((receiver, false), |(mut receiver, ended)| async move {
            match receiver.recv().await {
                _ if ended => None,
                Some(piece) if piece.is_empty() => None,
                Some(piece) => Some((Ok(piece), (receiver, false))),
                None => Some((Err(io::Error::other("its reading was given up")), (receiver, true))),
            }
        });
        let context = Context::Blob { tenant: &spool.tenant, id: &id };
        let sealed = seal_stream(&spool.key, context, plain).map_err(failed)?;
        let (sessions, id) = (spool.sessions.clone(), BlobId(id));
        let blob = Arc::new(Unkept { sessions: sessions.clone(), id, kept: AtomicBool::new(false) });
        let put = tokio::spawn(async move { sessions.blobs().put(&id, sealed).await });
        Ok(Self { outline: Outline::default(), blob, sender, put })
    }

    async fn push(&mut self, lines: &str) -> Result<(), SessionError> {
        self.outline.add(lines);
        // An empty piece is the end. One that is not taken any more is a store that has failed: the end tells of it.
        if !lines.is_empty() {
            let piece = Bytes::from_owner(Zeroizing::new(lines.as_bytes().to_vec()));
            drop(self.sender.send(piece).await);
        }
        Ok(())
    }

    async fn end(self) -> Result<Large, SessionError> {
        drop(self.sender.send(Bytes::new()).await);
        drop(self.sender);
        self.put.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(Large { outline: Arc::new(self.outline), blob: self.blob })
    }
}

/// A stored part as pieces of whole lines.
pub(super) struct Lines {
    opening: OpeningStream,
    what: String,
    /// Opened, up to the last line that is not complete yet.
    rest: Zeroizing<Vec<u8>>,
    /// Whether a line ends in it. Remembered, as one line may be as large as the part.
    has_end: bool,
    size: usize,
    ended: bool,
}

impl Sessions {
    /// Begins to open a part that is a blob; answers pieces of about `size` bytes.
    pub(super) async fn open_lines(
        &self,
        tenant: &Tenant,
        stored: &Stored,
        part: &PartRef,
        size: usize,
    ) -> Result<Lines, SessionError> {
        let what = format!("the storage of {} in session {:?}", part.storage_key, stored.record.id.as_str());
        let blob = part.blob_id().ok_or(StoreError::NotFound("blob"))?;
        let raw = self.blobs().get(&blob).await?;
        let context = Context::Blob { tenant, id: &blob.0 };
        let opening = open_pieces(&stored.record.keys()?, context, raw).await;
        let opening = opening.map_err(|error| seal_error(&what, error))?;
        Ok(Lines { opening, what, rest: Zeroizing::default(), has_end: false, size, ended: false })
    }

    /// Reads a part that is a blob to its end: what is in it, and that it is whole and what the index says.
    pub(super) async fn outline(
        &self,
        tenant: &Tenant,
        stored: &Stored,
        part: &PartRef,
    ) -> Result<Outline, SessionError> {
        let mut lines = self.open_lines(tenant, stored, part, MEMORY_BYTES / 4).await?;
        let mut outline = Outline::default();
        while let Some(piece) = lines.next().await? {
            outline.add(&piece);
        }
        if data_encoding::HEXLOWER.encode(&outline.digest()) == part.digest {
            Ok(outline)
        } else {
            Err(SessionError::Format { what: lines.what, reason: "it is not what the index says".into() })
        }
    }
}

impl Lines {
    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Zeroizing<String>>, SessionError> {
        while !self.ended && (self.rest.len() < self.size || !self.has_end) {
            match self.opening.next().await.map_err(|error| seal_error(&self.what, error))? {
                Some(piece) => {
                    self.has_end |= piece.contains(&b'\n');
                    crate::seal::append(&mut self.rest, &piece);
                }
                None => self.ended = true,
            }
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let text = std::str::from_utf8(&self.rest[..end]).map(|text| Zeroizing::new(text.to_owned()));
        let text = text.map_err(|error| SessionError::Format { what: self.what.clone(), reason: error.to_string() })?;
        self.rest.drain(..end);
        // All up to the last end is taken.
        self.has_end = false;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SessionId;
    use crate::session::state::{Beside, Index, Record};
    use crate::session::{KeySource, StoreConfig};

    async fn spool(folder: &std::path::Path) -> Spool {
        let key = KeySource::MadeOnFirstUse(folder.join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key).await.unwrap();
        Spool { sessions, tenant: Tenant::default(), key: DataKey::generate().unwrap() }
    }

    fn stored(key: &DataKey) -> Stored {
        Stored {
            record: Record::new(SessionId::new("acme").unwrap(), key, None),
            key: key.clone(),
            version: Version(1),
            fence: Fence(1),
            index: Index::new(Vec::new(), Vec::new(), Beside::default()),
        }
    }

    fn lines(from: usize) -> String {
        let value = "ž".repeat(100);
        let line = |n| format!("{{\"t\":\"rec\",\"k\":{n},\"v\":\"{value}\"}}");
        (from..from + 5_000).map(line).chain([String::new()]).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn what_is_large_is_sealed_as_it_comes_and_opened_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path()).await;
        let (mut gathering, mut whole) = (Gathering::new("https://a.example/", Some(&spool)), Part::default());
        for piece in 0..8 {
            gathering.push(&lines(piece * 5_000)).await.unwrap();
            whole.push(&lines(piece * 5_000));
        }
        let Gathered::Large(large) = gathering.end().await.unwrap() else { panic!("it is small") };
        let part = large.part_ref("https://a.example/", Version(1), Fence(1), &[]).unwrap();
        assert_eq!((part.bytes, large.outline.digest()), (whole.as_bytes().len() as u64, whole.digest()));
        let stored = stored(&spool.key);
        let outline = spool.sessions.outline(&spool.tenant, &stored, &part).await.unwrap();
        assert_eq!(outline.names(), whole.names());
        let mut opened = spool.sessions.open_lines(&spool.tenant, &stored, &part, 100_000).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = opened.next().await.unwrap() {
            assert!(piece.ends_with('\n') && piece.len() < 400_000, "{}", piece.len());
            text.push_str(&piece);
        }
        assert_eq!(text.as_bytes(), whole.as_bytes());
        let other = PartRef { digest: "00".into(), ..part };
        assert!(spool.sessions.outline(&spool.tenant, &stored, &other).await.is_err());
    }

    #[tokio::test]
    async fn a_line_may_be_larger_than_a_piece() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path()).await;
        let long = format!("{{\"t\":\"ls\",\"k\":\"long\",\"v\":\"{}\"}}\n", "x".repeat(3 * MEMORY_BYTES));
        let wanted = [lines(0), long.clone(), lines(5_000), long].concat();
        let mut gathering = Gathering::new("https://a.example/", Some(&spool));
        gathering.push(&wanted).await.unwrap();
        let Gathered::Large(large) = gathering.end().await.unwrap() else { panic!("it is small") };
        let part = large.part_ref("https://a.example/", Version(1), Fence(1), &[]).unwrap();
        let stored = stored(&spool.key);
        let mut opened = spool.sessions.open_lines(&spool.tenant, &stored, &part, 100_000).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = opened.next().await.unwrap() {
            assert!(piece.ends_with('\n'));
            text.push_str(&piece);
        }
        assert!(text == wanted);
    }

    #[tokio::test]
    async fn what_nobody_keeps_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path()).await;
        let count = async || spool.sessions.blobs().list(None, 10).await.unwrap().len();
        for (given_up, kept, left) in [(true, false, 0), (false, false, 0), (false, true, 1)] {
            let mut gathering = Gathering::new("https://a.example/", Some(&spool));
            for piece in 0..5 {
                gathering.push(&lines(piece)).await.unwrap();
            }
            if given_up {
                drop(gathering);
            } else if let Gathered::Large(large) = gathering.end().await.unwrap()
                && kept
            {
                large.keep();
            }
            // What was spawned to write or to delete it comes to its end.
            while count().await != left {
                tokio::task::yield_now().await;
            }
        }
    }
}
