//! What servers on several machines share: Redis, a place for blobs, and the key.

use std::path::Path;

use rhaven::base::Secret;
use rhaven::seal::RootKey;
use rhaven::serve::ServeConfig;
use rhaven::session::{KeySource, StoreConfig};
use rhaven::store::{BlobsAt, RecordsAt};

use crate::redis_server::RedisServer;

/// A shared store.
pub struct Shared {
    redis: RedisServer,
    blobs: tempfile::TempDir,
    key: String,
}

impl Shared {
    pub fn start() -> Self {
        let key = RootKey::generate().unwrap().to_text().to_string();
        Self { redis: RedisServer::that_keeps(), blobs: tempfile::tempdir().unwrap(), key }
    }

    /// Puts a server on it.
    pub fn of(&self, config: &mut ServeConfig) {
        let records = RecordsAt::parse(&format!("redis://127.0.0.1:{}", self.redis.port), Path::new("/")).unwrap();
        let blobs = BlobsAt::parse(&format!("file:{}", self.blobs.path().display()), Path::new("/")).unwrap();
        config.workspace.store = StoreConfig::Placed { records, blobs };
        config.workspace.key = KeySource::Text(Secret::new("RHAVEN_KEY", self.key.clone()));
    }
}
