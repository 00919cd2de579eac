//! What must hold of everything that is sealed: it comes back, and nothing else does.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use proptest::prelude::*;

use crate::base::{Fence, SessionId, Tenant, Version};

use super::*;

/// Tenant and session of the tests, kept alive for the contexts that borrow them.
struct Place {
    tenant: Tenant,
    session: SessionId,
}

impl Place {
    fn new(tenant: &str, session: &str) -> Self {
        Self { tenant: Tenant::new(tenant).unwrap(), session: SessionId::new(session).unwrap() }
    }

    fn index(&self, version: u64, fence: u64) -> Context<'_> {
        Context::Index { tenant: &self.tenant, session: &self.session, version: Version(version), fence: Fence(fence) }
    }

    fn part<'a>(&'a self, version: u64, fence: u64, part: &'a [u8]) -> Context<'a> {
        let (tenant, session) = (&self.tenant, &self.session);
        Context::Part { tenant, session, version: Version(version), fence: Fence(fence), part }
    }

    fn blob<'a>(&'a self, id: &'a [u8]) -> Context<'a> {
        Context::Blob { tenant: &self.tenant, id }
    }
}

fn body(chunks: Vec<Vec<u8>>) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))))
}

async fn seal_all(key: &DataKey, context: Context<'_>, chunks: Vec<Vec<u8>>) -> Vec<Bytes> {
    let sealed = seal_stream(key, context, body(chunks)).unwrap();
    sealed.into_inner().map(Result::unwrap).collect().await
}

async fn open_bytes(key: &DataKey, context: Context<'_>, stored: &[u8]) -> Result<Vec<u8>, SealError> {
    let raw = RawBlob(Box::pin(body(vec![stored.to_vec()])));
    open_stream(key, context, raw).await.map(|plain| plain.to_vec())
}

/// Bytes that do not compress, the same every time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[test]
fn an_object_opens_in_its_own_place_and_in_no_other() {
    let key = DataKey::generate().unwrap();
    let (here, there) = (Place::new("acme", "prod"), Place::new("acme", "test"));
    let (tenant, session) = (&here.tenant, &here.session);
    let contexts = [
        here.index(1, 2),
        here.index(2, 2),
        here.index(1, 3),
        there.index(1, 2),
        here.part(1, 2, b"p"),
        here.part(1, 2, b"q"),
        here.part(1, 2, b""),
        here.blob(b"p"),
        Context::Check,
        Context::Record { tenant, name: &NameTag([1; 32]) },
        Context::Record { tenant, name: &NameTag([2; 32]) },
        Context::Holder { tenant, session },
        Context::Checkpoint { tenant, session, fence: Fence(2) },
        Context::Document { tenant, kind: "a", name: &NameTag([1; 32]) },
        Context::Document { tenant, kind: "ab", name: &NameTag([1; 32]) },
    ];
    for (i, sealed_in) in contexts.iter().enumerate() {
        let sealed = seal(&key, *sealed_in, b"state").unwrap();
        for (j, opened_in) in contexts.iter().enumerate() {
            match open(&key, *opened_in, &sealed) {
                Ok(plain) => assert!(i == j && *plain == b"state", "{sealed_in:?} opened as {opened_in:?}"),
                Err(error) => {
                    assert_ne!(i, j, "{error}");
                    assert!(matches!(error, SealError::Authentication), "{error:?}");
                    assert_eq!(error.code(), "decrypt_failed");
                }
            }
        }
    }
}

#[test]
fn every_cut_and_every_flipped_byte_is_refused() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let sealed = seal(&key, place.index(1, 2), b"a cookie, a token").unwrap();
    let refused = |bytes: &[u8], what: &str| match Sealed::from_stored(bytes.to_vec()) {
        Ok(sealed) => assert!(open(&key, place.index(1, 2), &sealed).is_err(), "{what}"),
        Err(error) => assert_eq!(error.code(), "decrypt_failed", "{what}: {error}"),
    };
    for at in 0..sealed.len() {
        refused(&sealed.as_bytes()[..at], &format!("cut at {at}"));
        for bit in [1, 0x80] {
            let mut flipped = sealed.as_bytes().to_vec();
            flipped[at] ^= bit;
            refused(&flipped, &format!("byte {at} flipped by {bit:#x}"));
        }
    }
    let mut longer = sealed.as_bytes().to_vec();
    longer.push(0);
    refused(&longer, "a byte more");
}

#[test]
fn sealing_twice_shares_nothing() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let (a, b) = (seal(&key, place.index(1, 2), b"x").unwrap(), seal(&key, place.index(1, 2), b"x").unwrap());
    // Magic, form, format and key id are the same; random bytes, commitment and body are not.
    assert_eq!(a.as_bytes()[..24], b.as_bytes()[..24]);
    assert!(a.as_bytes()[24..].chunks(8).zip(b.as_bytes()[24..].chunks(8)).all(|(a, b)| a != b));
    assert_eq!(format!("{a:?}"), format!("Sealed({} bytes under key {})", a.len(), key.id()));
}

#[test]
fn the_wrong_key_is_told_from_damage() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let sealed = seal(&key, place.index(1, 2), b"x").unwrap();
    let stranger = DataKey::generate().unwrap();
    assert!(matches!(open(&stranger, place.index(1, 2), &sealed), Err(SealError::ForeignKey { .. })));
    // The right id over other bytes: only the commitment can tell.
    let mut forged = key.to_bytes();
    forged[20] ^= 1;
    let forged = DataKey::from_bytes(&forged).unwrap();
    assert!(matches!(open(&forged, place.index(1, 2), &sealed), Err(SealError::Commitment)));
}

#[test]
fn a_later_format_is_named() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let mut later = seal(&key, place.index(1, 2), b"x").unwrap().as_bytes().to_vec();
    later[7] = 9;
    let error = Sealed::from_stored(later).unwrap_err();
    assert_eq!(error.to_string(), "sealed with format 9, this Rhaven reads up to 1");
}

#[test]
fn an_object_over_the_limit_is_refused_when_it_is_sealed() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let huge = vec![0; (256 << 20) + 1];
    assert!(matches!(seal(&key, place.index(1, 2), &huge), Err(SealError::TooLarge { .. })));
}

#[test]
fn streams_of_every_size_come_back() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let segment = 64 << 10;
    block_on(async {
        for size in [0, 1, segment - 10, segment, segment + 1, 3 * segment + 7, 1 << 20] {
            for (kind, plain) in [("noise", noise(size)), ("zeros", vec![0; size])] {
                let chunks = plain.chunks(100_000).map(<[u8]>::to_vec).collect();
                let stored = seal_all(&key, place.blob(b"id"), chunks).await;
                assert!(stored.iter().all(|chunk| chunk.len() <= segment + 16), "{size} {kind}");
                let opened = open_bytes(&key, place.blob(b"id"), &stored.concat()).await.unwrap();
                assert!(opened == plain, "{size} {kind}");
            }
        }
    });
}

#[test]
fn a_stream_opens_however_its_bytes_arrive() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let plain = noise(200_000);
    block_on(async {
        let stored = seal_all(&key, place.blob(b"id"), vec![plain.clone()]).await.concat();
        for size in [1, 87, 88, 89, 65_552, 65_553, 1 << 20] {
            let raw = RawBlob(Box::pin(body(stored.chunks(size).map(<[u8]>::to_vec).collect())));
            let opened = open_stream(&key, place.blob(b"id"), raw).await.unwrap();
            assert!(*opened == plain, "in pieces of {size}");
        }
    });
}

#[test]
fn a_stream_is_refused_when_cut_reordered_or_moved() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    block_on(async {
        let stored = seal_all(&key, place.blob(b"id"), vec![noise(300_000)]).await;
        let refused = async |what: &str, context: Context<'_>, pieces: &[Bytes]| {
            let error = open_bytes(&key, context, &pieces.concat()).await.expect_err(what);
            assert_eq!(error.code(), "decrypt_failed", "{what}: {error}");
        };
        for kept in 0..stored.len() {
            refused(&format!("cut at the border of piece {kept}"), place.blob(b"id"), &stored[..kept]).await;
        }
        let mut swapped = stored.clone();
        swapped.swap(1, 2);
        refused("two segments swapped", place.blob(b"id"), &swapped).await;
        let mut without = stored.clone();
        without.remove(2);
        refused("a segment left out", place.blob(b"id"), &without).await;
        let mut doubled = stored.clone();
        doubled.extend_from_slice(&stored[stored.len() - 1..]);
        refused("the last segment twice", place.blob(b"id"), &doubled).await;
        refused("another blob's place", place.blob(b"ie"), &stored).await;
        let other = seal_all(&key, place.blob(b"id"), vec![noise(300_000)]).await;
        let mut mixed = stored.clone();
        mixed[2] = other[2].clone();
        refused("a segment of another sealing", place.blob(b"id"), &mixed).await;
    });
}

#[test]
fn every_cut_and_flipped_byte_of_a_stream_is_refused() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    block_on(async {
        let stored = seal_all(&key, place.blob(b"id"), vec![b"short".to_vec()]).await.concat();
        for at in 0..stored.len() {
            assert!(open_bytes(&key, place.blob(b"id"), &stored[..at]).await.is_err(), "cut at {at}");
            let mut flipped = stored.clone();
            flipped[at] ^= 1;
            assert!(open_bytes(&key, place.blob(b"id"), &flipped).await.is_err(), "byte {at} flipped");
        }
    });
}

#[test]
fn a_whole_object_is_no_stream_and_the_reverse() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let whole = seal(&key, place.blob(b"id"), b"x").unwrap();
    block_on(async {
        assert!(matches!(open_bytes(&key, place.blob(b"id"), whole.as_bytes()).await, Err(SealError::NotSealed(_))));
        let stored = seal_all(&key, place.blob(b"id"), vec![b"x".to_vec()]).await.concat();
        assert!(matches!(Sealed::from_stored(stored), Err(SealError::NotSealed(_))));
    });
}

#[test]
fn a_failing_source_fails_the_stream_and_ends_it() {
    let key = DataKey::generate().unwrap();
    let place = Place::new("acme", "prod");
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    block_on(async {
        let sealed = seal_stream(&key, place.blob(b"id"), broken).unwrap();
        let items: Vec<_> = sealed.into_inner().collect().await;
        assert!(items.last().unwrap().is_err());
        assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
    });
}

proptest! {
    #[test]
    fn whatever_is_sealed_comes_back(plain: Vec<u8>, version: u64, fence: u64, part: Vec<u8>) {
        let key = DataKey::generate().unwrap();
        let place = Place::new("acme", "prod");
        let context = place.part(version, fence, &part);
        let sealed = seal(&key, context, &plain).unwrap();
        let stored = Sealed::from_stored(sealed.as_bytes().to_vec()).unwrap();
        prop_assert_eq!(stored.key_id(), key.id());
        prop_assert_eq!(&*open(&key, context, &stored).unwrap(), &plain);
    }

    #[test]
    fn whatever_is_streamed_comes_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 0..8)) {
        let key = DataKey::generate().unwrap();
        let place = Place::new("acme", "prod");
        let opened = block_on(async {
            let stored = seal_all(&key, place.blob(b"id"), chunks.clone()).await.concat();
            open_bytes(&key, place.blob(b"id"), &stored).await.unwrap()
        });
        prop_assert_eq!(opened, chunks.concat());
    }

    #[test]
    fn arbitrary_bytes_never_open(bytes: Vec<u8>, behind_a_header: bool) {
        let key = DataKey::generate().unwrap();
        let place = Place::new("acme", "prod");
        let mut stored = Vec::new();
        if behind_a_header {
            let header = seal(&key, place.index(1, 2), b"x").unwrap();
            stored.extend_from_slice(&header.as_bytes()[..88]);
        }
        stored.extend_from_slice(&bytes);
        if let Ok(sealed) = Sealed::from_stored(stored.clone()) {
            prop_assert!(open(&key, place.index(1, 2), &sealed).is_err());
        }
        prop_assert!(block_on(open_bytes(&key, place.blob(b"id"), &stored)).is_err());
    }
}
