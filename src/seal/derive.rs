//! Key derivation: HMAC-SHA256 and, on top of it, HKDF-SHA256 (RFC 5869) for outputs of one block. Knows nothing of what
//! the keys are for.

use aes_gcm::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key, and of every derived value.
pub(super) const KEY_LEN: usize = 32;

/// SHA-256's block, to which HMAC pads its key with zeros.
const BLOCK_LEN: usize = 64;

/// HMAC-SHA256 of the concatenated `parts`. The key is padded here, as HMAC itself would do first, because the
/// constructor that takes a whole block cannot fail.
pub(super) fn mac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
    let mut block = Zeroizing::new([0; BLOCK_LEN]);
    block[..KEY_LEN].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HKDF-Extract: one pseudorandom key from `secret`.
pub(super) fn extract(salt: &[u8; KEY_LEN], secret: &[u8; KEY_LEN]) -> Zeroizing<[u8; KEY_LEN]> {
    mac(salt, &[secret])
}

/// HKDF-Expand to 32 bytes, which is the first block alone: HMAC(prk, info || 0x01).
pub(super) fn expand(prk: &[u8; KEY_LEN], info: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
    let parts: Vec<&[u8]> = info.iter().copied().chain([&[1_u8][..]]).collect();
    mac(prk, &parts)
}

/// HKDF with the zero salt of RFC 5869 for a `secret` that is uniformly random already.
pub(super) fn derive(secret: &[u8; KEY_LEN], info: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
    expand(&extract(&[0; KEY_LEN], secret), info)
}

/// `bytes` behind their length, so that a list of them has one reading only.
pub(super) fn push_field(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn derivation_is_hkdf_sha256(secret: [u8; 32], salt: [u8; 32], info: Vec<u8>) {
            let mut wanted = [0; 32];
            hkdf::Hkdf::<Sha256>::new(Some(&salt), &secret).expand(&info, &mut wanted).unwrap();
            prop_assert_eq!(*expand(&extract(&salt, &secret), &[&info]), wanted);
            hkdf::Hkdf::<Sha256>::new(None, &secret).expand(&info, &mut wanted).unwrap();
            let (head, tail) = info.split_at(info.len() / 2);
            prop_assert_eq!(*derive(&secret, &[head, tail]), wanted);
        }
    }

    #[test]
    fn mac_is_hmac_sha256() {
        // RFC 4231, test case 1: a shorter key is the same as one padded with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let wanted = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(HEXLOWER.encode(&*mac(&key, &[b"Hi ", b"There"])), wanted);
    }
}
