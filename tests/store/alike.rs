//! Redis answers as memory does, whatever is asked in whatever order: long random sequences of operations on both, with one clock.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use rhaven::base::{Fence, Version};
use rhaven::seal::Sealed;
use rhaven::store::{
    AcquireRequest, Acquired, BlobId, Commit, DocumentName, Expected, OwnerId, PartId, RecordName, Snapshot, StoreError,
};

use super::fixture::{DAY, LEASE, Session, TestStore};
use super::redis_server::RedisServer;

/// Sequences where `PROPTEST_CASES` does not say.
const SEQUENCES: u64 = 15;
const STEPS: usize = 150;
const OWNERS: u8 = 3;

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn often(&mut self) -> bool {
        self.roll(8) > 0
    }
}

/// What both stores are asked, with what the first one has answered so far.
struct Sequence<'a> {
    dice: Dice,
    stores: [&'a TestStore; 2],
    names: Vec<RecordName>,
    /// By name and owner.
    fences: Vec<Fence>,
    snapshot: Option<Snapshot>,
    /// Makes every value another: by its length, which is what is shown of it.
    values: usize,
    log: String,
}

/// Asks both, and fails where the answers differ.
macro_rules! both {
    ($own:ident, $what:expr, $store:ident => $call:expr) => {{
        let what = $what;
        let mut shown = Vec::new();
        let mut kept = None;
        for $store in $own.stores {
            let answer: Result<_, StoreError> = $call.await;
            shown.push(show(&answer));
            kept = kept.or(Some(answer));
        }
        writeln!($own.log, "{what} -> {}", shown[0]).unwrap();
        assert_eq!(shown[1], shown[0], "after\n{}", $own.log);
        kept.unwrap()
    }};
}

fn show<T: Debug>(answer: &Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error @ StoreError::Unavailable { .. }) => panic!("{error:?}"),
        Err(error) => error.to_string(),
    }
}

impl Sequence<'_> {
    fn value(&mut self) -> Sealed {
        self.values += 1;
        Sealed::kept(vec![7; self.values])
    }

    fn span(&mut self) -> Duration {
        // Longer than a test takes: Redis' own clock goes on.
        [LEASE, 2 * LEASE, Duration::from_hours(1), DAY, 31 * DAY][usize::try_from(self.dice.roll(5)).unwrap()]
    }

    fn ids<const N: usize>(&mut self, name: usize) -> Vec<[u8; N]> {
        let tenant = u8::from(name > 1);
        (1..=6).filter(|_| self.dice.roll(3) == 0).map(|number| [number + 100 * tenant; N]).collect()
    }

    async fn commit(&mut self, at: usize, owner: OwnerId, fence: Fence) {
        let name = self.names[at];
        let head = self.stores[0].records.read(&name, None).await.unwrap().map(|head| head.version.0);
        let expected = if self.dice.often() { head } else { Some(self.dice.roll(4)) };
        let version = expected.unwrap_or(0) + if self.dice.often() { 1 } else { self.dice.roll(3) };
        let mut new_parts = Vec::new();
        for part in self.ids(at) {
            new_parts.push((PartId(part), self.value()));
        }
        let mut parts: Vec<PartId> = new_parts.iter().map(|(part, _)| *part).collect();
        if !self.dice.often() {
            parts.extend(
                self.ids(at).into_iter().map(PartId).filter(|part| !new_parts.iter().any(|(new, _)| new == part)),
            );
        }
        let ttl = if self.dice.roll(3) == 0 { None } else { Some(self.span()) };
        let commit = Commit {
            owner,
            fence,
            expected: expected.map(Version),
            version: Version(version),
            record: self.value(),
            index: self.value(),
            new_parts,
            parts,
            blobs: self.ids(at).into_iter().map(BlobId).collect(),
            keep: usize::try_from(self.dice.roll(4)).unwrap(),
            first: (1..6).filter(|_| self.dice.roll(4) == 0).map(Version).collect(),
            ttl,
            saved_at: if self.dice.often() {
                None
            } else {
                Some(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(9))
            },
        };
        let _ = both!(self, format!("{at} {commit:?}"), store => store.records.commit(&name, &commit));
        if !self.dice.often() {
            let _ = both!(self, "again", store => store.records.commit(&name, &commit));
        }
    }

    async fn step(&mut self) {
        let at = usize::try_from(self.dice.roll(self.names.len() as u64)).unwrap();
        let by = u8::try_from(self.dice.roll(u64::from(OWNERS))).unwrap();
        let (name, owner) = (self.names[at], OwnerId([by; 16]));
        let slot = at * usize::from(OWNERS) + usize::from(by);
        let fence = self.fences[slot];
        let head = self.dice.roll(3);
        match self.dice.roll(24) {
            0..4 => {
                let replace = if self.dice.often() { None } else { Some(OwnerId([(by + 1) % OWNERS; 16])) };
                let prefetch = [0, 40, 1 << 20][usize::try_from(head).unwrap()];
                let request = AcquireRequest { owner, holder: self.value(), lease: LEASE, replace, prefetch };
                let answer = both!(self, format!("{at} {request:?}"), store => store.records.acquire(&name, &request));
                if let Ok(Acquired::Granted(granted)) = answer {
                    self.fences[slot] = granted.fence;
                }
            }
            4..9 => self.commit(at, owner, fence).await,
            9 => {
                drop(both!(self, format!("{at} renew {by}"), store => store.records.renew(&name, owner, fence, LEASE)));
            }
            10 => drop(both!(self, format!("{at} release {by}"), store => store.records.release(&name, owner, fence))),
            11 => {
                let state = self.value();
                let base = (head > 0).then_some(Version(head));
                let what = format!("{at} checkpoint {by} {base:?}");
                drop(both!(self, what, store => store.records.checkpoint(&name, owner, fence, base, &state)));
            }
            12 => {
                let span = if head == 0 { None } else { Some(self.span()) };
                drop(both!(self, format!("{at} touch {span:?}"), store => store.records.touch(&name, span)));
            }
            13 => {
                let version = Version(self.dice.roll(8));
                drop(both!(self, format!("{at} pin {version}"), store => store.records.pin(&name, version, head > 0)));
            }
            14 => drop(both!(self, format!("{at} delete {by}"), store => store.records.delete(&name, owner, fence))),
            15 => drop(both!(self, "purge", store => store.records.purge_expired())),
            16 | 17 => {
                let span = self.span();
                writeln!(self.log, "{span:?} pass").unwrap();
                self.stores.iter().for_each(|store| store.clock.advance(span));
                // That something ran out is told for 30 days; who does so for longer is free to.
                if span > 30 * DAY {
                    let _ = both!(self, "purge", store => store.records.purge_expired());
                }
            }
            // Within a tenant: stores do not look for blobs that two of them share.
            18 if at < 2 => {
                let answer = both!(self, format!("{at} snapshot"), store => store.records.snapshot(&name));
                self.snapshot = answer.unwrap().or(self.snapshot.take());
            }
            19 if at < 2 => {
                let now = self.stores[0].clock.now();
                let living = |snapshot: &Snapshot| snapshot.expires_at.is_none_or(|at| at.as_microsecond() > now);
                let Some(snapshot) = self.snapshot.clone().filter(living) else { return };
                drop(both!(self, format!("{at} restore"), store => store.records.restore(&name, &snapshot)));
            }
            20 => {
                let new = self.value();
                let read = self.stores[0].records.read(&name, None).await.unwrap();
                let expected = read.filter(|_| head > 0).map_or_else(|| new.clone(), |head| head.record);
                drop(both!(self, format!("{at} reseal"), store => store.records.reseal(&name, &expected, &new)));
            }
            _ => self.document(at).await,
        }
        self.look(at).await;
    }

    async fn document(&mut self, at: usize) {
        let name =
            DocumentName { tenant: self.names[at].tenant, kind: ["a", "ab"][at % 2], name: self.names[at].session };
        let value = self.value();
        let there = self.stores[0].documents.get(&name).await.unwrap();
        let expected = match (self.dice.roll(3), there) {
            (0, _) => Expected::Anything,
            (1, Some(there)) => Expected::Value(there),
            _ => Expected::Absent,
        };
        let ttl = if self.dice.roll(2) == 0 { None } else { Some(self.span()) };
        let _ = both!(self, format!("{at} put {ttl:?}"), store => store.documents.put(&name, &expected, &value, ttl));
        if !self.dice.often() {
            let _ = both!(self, format!("{at} remove"), store => store.documents.remove(&name));
        }
    }

    /// Everything that can be read without changing anything.
    async fn look(&mut self, at: usize) {
        let name = self.names[at];
        let version = Version(self.dice.roll(6));
        let parts: Vec<PartId> = self.ids(at).into_iter().map(PartId).collect();
        let _ = both!(self, "read", store => store.records.read(&name, None));
        let _ = both!(self, format!("read {version}"), store => store.records.read(&name, Some(version)));
        let _ = both!(self, "history", store => store.records.history(&name));
        let _ = both!(self, "holder", store => store.records.holder(&name));
        let _ = both!(self, "waiting", store => store.records.waiting(&name));
        // What ran out, and nobody holds, Redis may have forgotten already.
        let mut there = Vec::new();
        for name in &self.names {
            let is_read = self.stores[0].records.read(name, None).await.unwrap().is_some();
            if is_read || self.stores[0].records.holder(name).await.unwrap().is_some() {
                there.push(*name);
            }
        }
        if there.contains(&name) {
            let _ = both!(self, "parts", store => store.records.parts(&name, &parts));
        }
        let _ = both!(self, "list", store => store.records.list(name.tenant, None, 2));
        let _ = both!(self, "unsaved", store => store.records.unsaved(name.tenant));
        let all = async |store: &TestStore| {
            let mut all = store.records.all(Some(name), 3).await?;
            all.retain(|kept| there.contains(&kept.name));
            Ok(all)
        };
        let _ = both!(self, "all", store => all(store));
        let _ = both!(self, "references", store => store.records.references(None, 9));
        let _ = both!(self, "documents", store => store.documents.all(None, 9));
        let _ = both!(self, "a's", store => store.documents.list(name.tenant, "a", Some(name.session), 9));
    }
}

#[tokio::test]
async fn redis_answers_as_memory_does() {
    let server = RedisServer::start();
    let sequences = std::env::var("PROPTEST_CASES").map_or(SEQUENCES, |cases| cases.parse().expect("a number"));
    for number in 1..=sequences {
        let (memory, redis) = (TestStore::memory(), TestStore::redis(&server).await);
        let sessions = [("acme", "a"), ("acme", "b"), ("globex", "a")];
        let names: Vec<_> = sessions.iter().map(|(tenant, id)| Session::of(tenant, id).name).collect();
        let mut sequence = Sequence {
            dice: Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            stores: [&memory, &redis],
            fences: vec![Fence(0); names.len() * usize::from(OWNERS)],
            names,
            snapshot: None,
            values: 0,
            log: format!("sequence {number}\n"),
        };
        for _ in 0..STEPS {
            sequence.step().await;
        }
    }
}
