//! What sealing costs, and what a run pays the embedded store for: the lease, one new version, the release.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench that fails should stop")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rhaven::base::{Fence, SessionId, Tenant, Version};
use rhaven::seal::{Context, DataKey, open, seal};
use rhaven::store::{AcquireRequest, Acquired, Commit, OwnerId, PartId, RecordName, Records, SqliteStore};

/// Text like that of a session: compresses well, but not absurdly so.
fn state(len: usize) -> Vec<u8> {
    let entry = |n: usize| format!("{{\"key\":\"k{n}\",\"value\":\"{:x}\"}},", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..).flat_map(|n| entry(n).into_bytes()).take(len).collect()
}

fn sealing(c: &mut Criterion) {
    let key = DataKey::generate().unwrap();
    let (tenant, session) = (Tenant::default(), SessionId::new("bench").unwrap());
    let context = Context::Index { tenant: &tenant, session: &session, version: Version(1), fence: Fence(1) };
    for (name, len) in [("4 KiB", 4 << 10), ("1 MiB", 1 << 20)] {
        let plain = state(len);
        let sealed = seal(&key, context, &plain).unwrap();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function("seal", |b| b.iter(|| seal(&key, context, &plain).unwrap()));
        group.bench_function("open", |b| b.iter(|| open(&key, context, &sealed).unwrap()));
        group.finish();
    }
}

async fn acquire(store: &SqliteStore, name: &RecordName, request: &AcquireRequest) -> (Fence, Option<Version>) {
    match store.acquire(name, request).await.unwrap() {
        Acquired::Granted(granted) => (granted.fence, granted.head.map(|head| head.version)),
        Acquired::Held(held) => unreachable!("held by {:?}", held.owner),
    }
}

fn storing(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = DataKey::generate().unwrap();
    let (tenant, session) = (Tenant::default(), SessionId::new("bench").unwrap());
    let names = key.name_key();
    let name = RecordName { tenant: names.tenant(&tenant), session: names.name(&tenant, "session", "bench") };
    let holder = seal(&key, Context::Holder { tenant: &tenant, session: &session }, b"bench").unwrap();
    let record = seal(&key, Context::Record { tenant: &tenant, name: &name.session }, b"bench").unwrap();
    let part = seal(&key, Context::Check, &state(16 << 10)).unwrap();
    let lease = Duration::from_secs(15);
    let request = AcquireRequest { owner: OwnerId([1; 16]), holder, lease, replace: None, prefetch: 1 << 20 };

    c.bench_function("sqlite open", |b| b.iter(|| SqliteStore::open(folder.path()).unwrap()));

    let store = SqliteStore::open(folder.path()).unwrap();
    let round = async |save: bool| {
        let (fence, head) = acquire(&store, &name, &request).await;
        if save {
            let version = head.map_or(Version(1), Version::next);
            let mut id = [0; 16];
            id[..8].copy_from_slice(&version.0.to_be_bytes());
            let commit = Commit {
                owner: request.owner,
                fence,
                expected: head,
                version,
                record: record.clone(),
                index: record.clone(),
                new_parts: vec![(PartId(id), part.clone())],
                parts: vec![PartId(id)],
                blobs: Vec::new(),
                first: Vec::new(),
                saved_at: None,
                keep: 20,
                ttl: None,
            };
            store.commit(&name, &commit).await.unwrap();
        }
        store.release(&name, request.owner, fence).await.unwrap();
    };
    c.bench_function("sqlite acquire, release", |b| b.to_async(&runtime).iter(|| round(false)));
    c.bench_function("sqlite acquire, commit, release", |b| b.to_async(&runtime).iter(|| round(true)));
}

criterion_group!(benches, sealing, storing);
criterion_main!(benches);
