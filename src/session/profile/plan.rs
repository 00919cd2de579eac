//! What has to be written of a folder, given the archive before it: pure functions over chunks.

use std::collections::{HashMap, HashSet};

use super::manifest::Manifest;

/// Bytes of a chunk; the last of a file has fewer. Small, because a database of many megabytes changes in a few pages.
pub(super) const CHUNK_BYTES: u32 = 256 << 10;
/// The most that one blob holds. Two of them at a time are in memory.
pub(super) const PACK_BYTES: u64 = 4 << 20;
/// A blob of which less is in use counts as small.
const SMALL_BYTES: u64 = PACK_BYTES / 8;
/// As many small blobs are kept; with one more they are written anew as one.
const SMALL_BLOBS: usize = 16;

/// HMAC of a chunk's content.
pub(super) type Digest = [u8; 32];

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Chunk {
    pub(super) digest: Digest,
    pub(super) bytes: u32,
}

/// Where a chunk is: a blob, by its position in the manifest, and where in its plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) blob: usize,
    pub(super) offset: u64,
}

/// Where the chunks of an archive are.
pub(super) fn places(manifest: &Manifest) -> HashMap<Digest, Place> {
    let chunks = manifest.entries.iter().flat_map(|entry| &entry.chunks);
    chunks.map(|at| (at.digest, Place { blob: at.blob, offset: at.offset })).collect()
}

/// Which blobs of the archive before (whose plaintext has so many bytes each) go on being used for `chunks`. Not those of which
/// less than half is in use, and not very many small ones: what is in use of them is written anew, so that what is dead is never
/// more than what lives, and a rewritten byte is paid for by a dead one.
pub(super) fn used_again(
    blobs: &[u64],
    places: &HashMap<Digest, Place>,
    chunks: impl Iterator<Item = Chunk>,
) -> Vec<bool> {
    let (mut alive, mut seen) = (vec![0; blobs.len()], HashSet::new());
    for chunk in chunks.filter(|chunk| seen.insert(chunk.digest)) {
        if let Some(alive) = places.get(&chunk.digest).and_then(|place| alive.get_mut(place.blob)) {
            *alive += u64::from(chunk.bytes);
        }
    }
    let mut used: Vec<bool> = alive.iter().zip(blobs).map(|(alive, bytes)| *alive > 0 && alive * 2 >= *bytes).collect();
    let small: Vec<usize> = (0..used.len()).filter(|blob| used[*blob] && alive[*blob] < SMALL_BYTES).collect();
    if small.len() > SMALL_BLOBS {
        for blob in small {
            used[blob] = false;
        }
    }
    used
}

/// Packs of at most [`PACK_BYTES`], in the order of `items`; `bytes` says how many one has.
pub(super) fn packs<T>(items: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let (mut packs, mut pack, mut size) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let more = bytes(&item);
        if !pack.is_empty() && size + more > PACK_BYTES {
            packs.push(std::mem::take(&mut pack));
            size = 0;
        }
        pack.push(item);
        size += more;
    }
    packs.extend((!pack.is_empty()).then_some(pack));
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u8, bytes: u32) -> Chunk {
        Chunk { digest: [number; 32], bytes }
    }

    fn at(blob: usize) -> Place {
        Place { blob, offset: 0 }
    }

    #[test]
    fn a_blob_of_which_little_lives_is_written_anew() {
        let places = HashMap::from([([1; 32], at(0)), ([2; 32], at(1)), ([3; 32], at(2))]);
        let now = [chunk(1, 50), chunk(1, 50), chunk(2, 49), chunk(9, 10)];
        assert_eq!(used_again(&[100, 100, 100], &places, now.into_iter()), [true, false, false]);
    }

    #[test]
    fn many_small_blobs_become_one() {
        let numbers = 0..u8::try_from(SMALL_BLOBS + 1).unwrap();
        let places: HashMap<_, _> = numbers.clone().map(|n| ([n; 32], at(n.into()))).collect();
        let blobs = vec![10; places.len()];
        let chunks: Vec<Chunk> = numbers.map(|n| chunk(n, 10)).collect();
        assert!(used_again(&blobs, &places, chunks.iter().copied()).iter().all(|used| !used));
        let one_less = used_again(&blobs, &places, chunks.iter().copied().skip(1));
        assert_eq!(one_less.iter().filter(|used| **used).count(), SMALL_BLOBS);
    }

    #[test]
    fn packs_are_full_and_never_too_full() {
        let sizes = vec![PACK_BYTES, 1, PACK_BYTES - 1, 1, 2, PACK_BYTES - 2];
        let packed = packs(sizes, |bytes| *bytes);
        assert_eq!(packed, [vec![PACK_BYTES], vec![1, PACK_BYTES - 1], vec![1, 2], vec![PACK_BYTES - 2]]);
        assert!(packs(Vec::<u64>::new(), |bytes| *bytes).is_empty());
    }
}
