//! Records and documents in one Redis server (or Valkey), which many machines share.
//!
//! Every operation is one Lua script, and with it one round trip: Redis runs one after the other, so each is one atomic step.
//! Scripts are called by hash and loaded where the server does not know them. Time is Redis' own. An operation that is
//! repeated because its answer was lost does what the traits say, so one whose connection turns out to be closed is sent
//! again by itself.
//!
//! # Layout 1
//!
//! Names are HMACs in hex, so no id is in clear; values are sealed. `P` stands for `rhaven:1:{TENANT}:`, where the braces are
//! Redis Cluster's hash tag: all keys of a script are on one node. Times are microseconds since 1970.
//!
//! | key | type | holds | Redis forgets it |
//! |---|---|---|---|
//! | `rhaven:layout` | string | the number of the layout; a later one is refused | never |
//! | `rhaven:tenants` | sorted set | every tenant that was ever written for | never |
//! | `P session:NAME` | hash | `fence` (the last one granted); `owner`, `holder`, `lease_end` while a lease is given; `head` (the newest version's number), `expires_at` (absent: never); `ran_out_at` where it was emptied and has no version since; `left_fence`, `left_base`, `left_at` of the checkpoint | 30 days after the session has run out: that it did is told so long; without a version, 30 days after the checkpoint, or when the lease ends |
//! | `P data:NAME` | hash | `record`; `state` (the checkpoint); `versions` (a line per kept version, oldest first: number, fence, time, pinned); per version `index:N`, `parts:N` (16 bytes each, in the writer's order), `blobs:N` (32 bytes each); `part:ID` | when the session runs out, and not before a running lease ends |
//! | `P names` | sorted set | the names of the tenant's sessions, those that Redis has forgotten included until they are purged | never |
//! | `P due` | sorted set | names by the time at which there is something to purge | never |
//! | `P blobs` | sorted set | `b` BLOB NAME and `s` NAME `:` BLOB for every blob that a version of NAME refers to: who else refers to a blob, and to what a session referred that Redis has forgotten | never |
//! | `P document:KIND:NAME` | hash | `value`, `expires_at` | when it runs out |
//! | `P documents` | sorted set | KIND, a zero byte, NAME | never |
//! | `P documents-due` | sorted set | the same by the time at which they run out | never |
//!
//! What belongs to the store as a whole is kept under the tenant that is all zeros. Sorted sets whose scores do not matter have
//! 0, and are in the order of their bytes. New fields and keys may come within a layout; what is there keeps its meaning.
//!
//! Redis must not evict (`maxmemory-policy noeviction`): it would take sessions that have not run out. Their versions are then
//! shown as damaged by whoever opens them, and nothing is written over. Without an append-only file a Redis that is started
//! anew has lost what came after its last snapshot; with one that is synced every second, a killed one up to two seconds. A session
//! goes back as a whole then, never in part. What was deleted stands in that file until Redis writes it anew (`BGREWRITEAOF`).

mod call;
mod documents;
mod failure;
mod keys;
mod link;
mod records;
mod reply;
mod report;
mod scripts;
mod snapshot;

use std::sync::Arc;

use self::call::Call;
use self::link::Link;
use self::reply::Reply;
pub use self::report::RedisReport;
use super::{Clock, RedisUrl, StoreError};

/// Sealed records and documents in a Redis server. Clones share one connection, which comes back by itself: what is asked for
/// while the server is away fails with [`StoreError::Unavailable`] after 5 s at most, mostly at once.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    /// None for Redis' own.
    clock: Option<Clock>,
}

impl RedisStore {
    /// Connects, and enters the layout where there is none yet. [`StoreError::Layout`] where it is a later one.
    pub async fn connect(url: &RedisUrl) -> Result<Self, StoreError> {
        Self::open(url, None).await
    }

    /// [`Self::connect`] by another clock than the server's. All processes that use a server need the same one. What Redis
    /// forgets by itself, it forgets when as much time has passed by its own.
    pub async fn with_clock(url: &RedisUrl, clock: Clock) -> Result<Self, StoreError> {
        Self::open(url, Some(clock)).await
    }

    async fn open(url: &RedisUrl, clock: Option<Clock>) -> Result<Self, StoreError> {
        let store = Self { link: Arc::new(Link::new(url)?), clock };
        // Boxed, for the futures of those who open a store are deep enough.
        Box::pin(store.link.open()).await?;
        Ok(store)
    }

    /// The time to go by; none for Redis' own.
    fn now(&self) -> Option<u64> {
        self.clock.as_ref().map(|clock| clock())
    }

    async fn send(&self, call: Call) -> Result<Reply, StoreError> {
        self.link.send(&call).await
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisStore({})", self.link.place())
    }
}
