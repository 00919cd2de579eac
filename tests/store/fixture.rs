//! A store under test with a clock that the test sets, and short ways to say what is done to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rhaven::base::{Fence, Secret, SessionId, Tenant, Version};
use rhaven::seal::{Context, DataKey, NameKey, SealError, Sealed, open, open_stream, seal, seal_stream};
use rhaven::store::{
    AcquireRequest, Acquired, BlobId, Blobs, Clock, Commit, Documents, FileBlobs, Granted, Head, Held, MemoryStore,
    Mirrored, OwnerId, PartId, RecordName, Records, RedisStore, S3Blobs, S3Credentials, S3Limits, S3Options, S3Url,
    SqliteStore, StoreError,
};
use tempfile::TempDir;

use super::redis_server::RedisServer;
use super::s3_server::{self, S3Server};

pub const LEASE: Duration = Duration::from_secs(15);
pub const DAY: Duration = Duration::from_hours(24);

/// A clock that stands still until it is set on.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000_000_000)))
    }

    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Microseconds since 1970.
    pub fn now(&self) -> i64 {
        i64::try_from(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn as_clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || time.load(Ordering::SeqCst))
    }
}

/// What the suite is run on.
pub struct TestStore {
    pub records: Arc<dyn Records>,
    pub documents: Arc<dyn Documents>,
    pub blobs: Arc<dyn Blobs>,
    pub clock: TestClock,
    /// Whether an operation may have to be repeated: then the blobs that its first answer named are unknown.
    pub loses_answers: bool,
    /// Removed last.
    _folder: Option<TempDir>,
}

impl TestStore {
    pub fn memory() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::with_clock(clock.as_clock()));
        Self {
            records: store.clone(),
            documents: store.clone(),
            blobs: store,
            clock,
            loses_answers: false,
            _folder: None,
        }
    }

    pub fn embedded() -> Self {
        let clock = TestClock::new();
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::with_clock(folder.path(), clock.as_clock()).unwrap());
        let blobs = Arc::new(FileBlobs::open(folder.path()).unwrap());
        Self { records: store.clone(), documents: store, blobs, clock, loses_answers: false, _folder: Some(folder) }
    }

    /// The same with copies of HEADs beside its blobs.
    pub fn mirrored(mut self) -> Self {
        let mirrored = Arc::new(Mirrored::new(self.records, self.documents, self.blobs.clone()));
        (self.records, self.documents) = (mirrored.clone(), mirrored);
        self
    }

    /// Redis, emptied, with blobs in memory.
    pub async fn redis(server: &RedisServer) -> Self {
        server.run::<()>(&["FLUSHALL"]);
        let clock = TestClock::new();
        let store = Arc::new(RedisStore::with_clock(&server.url(), clock.as_clock()).await.unwrap());
        let blobs = Arc::new(MemoryStore::with_clock(clock.as_clock()));
        Self { records: store.clone(), documents: store, blobs, clock, loses_answers: false, _folder: None }
    }

    /// Records and documents in memory, blobs below a prefix of their own on an S3 server.
    pub fn s3(server: &S3Server) -> Self {
        let prefix = data_encoding::HEXLOWER.encode(&random::<8>());
        Self::with_blobs(connect(server, &prefix, limits()))
    }

    /// Records and documents in memory.
    pub fn with_blobs(blobs: impl Blobs + 'static) -> Self {
        Self { blobs: Arc::new(blobs), ..Self::memory() }
    }

    /// Asks for the lease, for a new owner.
    pub async fn ask(&self, session: &Session) -> Acquired {
        self.records.acquire(&session.name, &session.request()).await.unwrap()
    }

    /// Takes the lease, which has to be free.
    pub async fn take(&self, session: &Session) -> Taken {
        let request = session.request();
        match self.records.acquire(&session.name, &request).await.unwrap() {
            Acquired::Granted(granted) => Taken { owner: request.owner, fence: granted.fence, granted },
            Acquired::Held(held) => panic!("held by {:?}", held.owner),
        }
    }

    /// Writes `version` over the one before it, with one new part named after it.
    pub async fn save(&self, session: &Session, taken: &Taken, version: u64) -> Commit {
        let commit = session.commit(taken, version);
        self.records.commit(&session.name, &commit).await.unwrap();
        commit
    }

    pub async fn release(&self, session: &Session, taken: &Taken) {
        self.records.release(&session.name, taken.owner, taken.fence).await.unwrap();
    }

    /// Takes the lease, saves versions 1 to `last` and releases it.
    pub async fn save_up_to(&self, session: &Session, last: u64) {
        let taken = self.take(session).await;
        for version in 1..=last {
            self.save(session, &taken, version).await;
        }
        self.release(session, &taken).await;
    }

    pub async fn head(&self, session: &Session) -> Option<u64> {
        self.records.read(&session.name, None).await.unwrap().map(|head| head.version.0)
    }

    pub async fn versions(&self, session: &Session) -> Vec<u64> {
        self.records.history(&session.name).await.unwrap().iter().map(|entry| entry.version.0).collect()
    }

    /// Stores a blob; as often as its answer is lost.
    pub async fn put_blob(&self, session: &Session, id: BlobId, plain: &[u8]) {
        for _ in 0..10 {
            match self.blobs.put(&id, session.seal_blob(id, plain)).await {
                Ok(()) => return,
                Err(error) => assert_eq!(error.code(), "store_unavailable", "{error}"),
            }
        }
        panic!("the blob cannot be put");
    }

    pub async fn get_blob(&self, session: &Session, id: BlobId) -> Result<Vec<u8>, StoreError> {
        let raw = self.blobs.get(&id).await?;
        let context = Context::Blob { tenant: &session.tenant, id: &id.0 };
        Ok(open_stream(&session.key, context, raw).await.unwrap().to_vec())
    }
}

/// Short ones, since tests let requests go without an answer.
pub fn limits() -> S3Limits {
    let (answer, stalled) = (Duration::from_secs(2), Duration::from_secs(2));
    S3Limits { answer, stalled, slowest: 2 << 20, ..S3Limits::default() }
}

/// The blobs below a prefix on a server of the tests.
pub fn connect(server: &S3Server, prefix: &str, limits: S3Limits) -> S3Blobs {
    let keys = S3Credentials {
        access_key: s3_server::ACCESS_KEY.to_owned(),
        secret_key: Secret::new("the key of S3", s3_server::SECRET_KEY.to_owned()),
    };
    connect_as(&server.url(prefix), S3Options { credentials: Some(keys), limits })
}

/// Blobs at that place, whatever runs around the call.
pub fn connect_as(url: &str, options: S3Options) -> S3Blobs {
    let url = S3Url::parse(url).unwrap();
    let connecting = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(S3Blobs::connect(&url, options)).unwrap()
    };
    std::thread::spawn(connecting).join().unwrap()
}

/// A lease that was granted.
pub struct Taken {
    pub owner: OwnerId,
    pub fence: Fence,
    pub granted: Granted,
}

/// A session's keys and names; the same ones for the same id, in every process.
pub struct Session {
    pub tenant: Tenant,
    pub id: SessionId,
    pub name: RecordName,
    pub key: DataKey,
    pub names: NameKey,
}

impl Session {
    pub fn new(id: &str) -> Self {
        Self::of("acme", id)
    }

    pub fn of(tenant: &str, id: &str) -> Self {
        let (tenant, id) = (Tenant::new(tenant).unwrap(), SessionId::new(id).unwrap());
        let key = DataKey::from_bytes(&[7; 48]).unwrap();
        let names = key.name_key();
        let name = RecordName { tenant: names.tenant(&tenant), session: names.name(&tenant, "session", id.as_str()) };
        Self { tenant, id, name, key, names }
    }

    pub fn holder(&self, text: &str) -> Sealed {
        let context = Context::Holder { tenant: &self.tenant, session: &self.id };
        seal(&self.key, context, text.as_bytes()).unwrap()
    }

    pub fn record(&self, text: &str) -> Sealed {
        let context = Context::Record { tenant: &self.tenant, name: &self.name.session };
        seal(&self.key, context, text.as_bytes()).unwrap()
    }

    /// A wish for the lease, by an owner of its own.
    pub fn request(&self) -> AcquireRequest {
        AcquireRequest {
            owner: OwnerId(random()),
            holder: self.holder("a test"),
            lease: LEASE,
            replace: None,
            prefetch: 1 << 20,
        }
    }

    fn index_context(&self, version: u64, fence: Fence) -> Context<'_> {
        Context::Index { tenant: &self.tenant, session: &self.id, version: Version(version), fence }
    }

    pub fn index(&self, version: u64, fence: Fence) -> Sealed {
        seal(&self.key, self.index_context(version, fence), format!("index {version}").as_bytes()).unwrap()
    }

    /// What the version's index says, opened in its own place.
    pub fn open_index(&self, version: u64, fence: Fence, index: &Sealed) -> Result<String, SealError> {
        let plain = open(&self.key, self.index_context(version, fence), index)?;
        Ok(String::from_utf8(plain.to_vec()).unwrap())
    }

    /// The part that a version adds.
    pub fn part(&self, version: u64, fence: Fence, len: usize) -> (PartId, Sealed) {
        let id = part_id(version);
        let context = self.part_context(version, fence, &id);
        let plain = format!("part {version} {}", "x".repeat(len));
        (id, seal(&self.key, context, plain.as_bytes()).unwrap())
    }

    fn part_context<'a>(&'a self, version: u64, fence: Fence, part: &'a PartId) -> Context<'a> {
        let (tenant, session) = (&self.tenant, &self.id);
        Context::Part { tenant, session, version: Version(version), fence, part: &part.0 }
    }

    pub fn open_part(&self, version: u64, fence: Fence, part: &Sealed) -> Result<String, SealError> {
        let plain = open(&self.key, self.part_context(version, fence, &part_id(version)), part)?;
        Ok(String::from_utf8(plain.to_vec()).unwrap())
    }

    pub fn checkpoint(&self, fence: Fence, text: &str) -> Sealed {
        let context = Context::Checkpoint { tenant: &self.tenant, session: &self.id, fence };
        seal(&self.key, context, text.as_bytes()).unwrap()
    }

    pub fn document(&self, text: &str) -> Sealed {
        let context = Context::Document { tenant: &self.tenant, kind: "secret", name: &self.name.session };
        seal(&self.key, context, text.as_bytes()).unwrap()
    }

    /// `version` over the one before it: one part that is new, and that of the version before.
    pub fn commit(&self, taken: &Taken, version: u64) -> Commit {
        let new = self.part(version, taken.fence, 10);
        let mut parts = vec![new.0];
        if version > 1 {
            parts.push(part_id(version - 1));
        }
        Commit {
            owner: taken.owner,
            fence: taken.fence,
            expected: (version > 1).then(|| Version(version - 1)),
            version: Version(version),
            record: self.record(&format!("record {version}")),
            index: self.index(version, taken.fence),
            new_parts: vec![new],
            parts,
            blobs: Vec::new(),
            keep: 20,
            saved_at: None,
            first: Vec::new(),
            ttl: Some(30 * DAY),
        }
    }

    pub fn seal_blob(&self, id: BlobId, plain: &[u8]) -> rhaven::seal::SealedStream {
        let chunks: Vec<_> = plain.chunks(50_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let context = Context::Blob { tenant: &self.tenant, id: &id.0 };
        seal_stream(&self.key, context, stream::iter(chunks).boxed()).unwrap()
    }
}

pub fn part_id(version: u64) -> PartId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&version.to_be_bytes());
    PartId(id)
}

pub fn blob_id(number: u8) -> BlobId {
    BlobId([number; 32])
}

/// Bytes that do not compress.
pub fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn granted(answer: Acquired) -> Granted {
    match answer {
        Acquired::Granted(granted) => granted,
        Acquired::Held(held) => panic!("held by {:?}", held.owner),
    }
}

pub fn held(answer: Acquired) -> Held {
    match answer {
        Acquired::Held(held) => held,
        Acquired::Granted(granted) => panic!("granted under {:?}", granted.fence),
    }
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> &'static str {
    answer.expect_err("this has to be refused").code()
}

/// Where `head` opens as the version that it says it is.
pub fn assert_whole(session: &Session, head: &Head) {
    let text = session.open_index(head.version.0, head.fence, &head.index).unwrap();
    assert_eq!(text, format!("index {}", head.version.0));
}

/// The embedded store as a program opens it.
pub fn open_embedded(folder: &Path) -> (SqliteStore, FileBlobs) {
    (SqliteStore::open(folder).unwrap(), FileBlobs::open(folder).unwrap())
}
