//! The three parts of a store, opened from where they are.

use std::path::PathBuf;
use std::sync::Arc;

use super::{
    Blobs, BlobsAt, Copies, Documents, FileBlobs, MemoryStore, Mirrored, Records, RecordsAt, RedisStore, S3Blobs,
    S3Options, SqliteStore, StoreError,
};

/// The parts of an opened store. Cheap to clone.
#[derive(Clone)]
pub struct Backends {
    /// Its sessions.
    pub records: Arc<dyn Records>,
    /// Its small values.
    pub documents: Arc<dyn Documents>,
    /// Its large ones.
    pub blobs: Arc<dyn Blobs>,
    /// Copies beside its large values, where they are kept apart from the rest.
    pub copies: Option<Copies>,
}

impl Backends {
    /// A store in memory, gone with its last clone.
    pub fn memory() -> Self {
        let memory = Arc::new(MemoryStore::default());
        Self { records: memory.clone(), documents: memory.clone(), blobs: memory, copies: None }
    }

    /// Opens both places side by side. Folders are made where they are missing; a server has to be there.
    pub async fn open(records: &RecordsAt, blobs: &BlobsAt) -> Result<Self, StoreError> {
        let apart = !matches!((records, blobs), (RecordsAt::Sqlite(records), BlobsAt::File(blobs)) if records == blobs);
        let ((records, documents), blobs) = tokio::try_join!(open_records(records), open_blobs(blobs))?;
        let backends = Self { records, documents, blobs, copies: None };
        // Two places, one of which may be lost without the other.
        Ok(if apart { backends.mirrored() } else { backends })
    }

    /// The same with copies of HEADs beside the blobs.
    #[must_use]
    pub fn mirrored(self) -> Self {
        let mirrored = Arc::new(Mirrored::new(self.records, self.documents, self.blobs.clone()));
        let copies = Some(Copies::new(self.blobs.clone()));
        Self { records: mirrored.clone(), documents: mirrored, blobs: self.blobs, copies }
    }
}

type Opened = (Arc<dyn Records>, Arc<dyn Documents>);

async fn open_records(at: &RecordsAt) -> Result<Opened, StoreError> {
    match at {
        RecordsAt::Sqlite(folder) => {
            let sqlite = Arc::new(blocking(folder.clone(), |folder| SqliteStore::open(&folder)).await?);
            Ok((sqlite.clone(), sqlite))
        }
        RecordsAt::Redis(url) => {
            let redis = Arc::new(RedisStore::connect(url).await?);
            Ok((redis.clone(), redis))
        }
    }
}

async fn open_blobs(at: &BlobsAt) -> Result<Arc<dyn Blobs>, StoreError> {
    match at {
        BlobsAt::File(folder) => Ok(Arc::new(blocking(folder.clone(), |folder| FileBlobs::open(&folder)).await?)),
        BlobsAt::S3(url) => Ok(Arc::new(S3Blobs::connect(url, S3Options::default()).await?)),
    }
}

/// SQLite and folders are opened by blocking calls.
async fn blocking<T: Send + 'static>(
    folder: PathBuf,
    open: impl FnOnce(PathBuf) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let opened = tokio::task::spawn_blocking(move || open(folder)).await;
    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
